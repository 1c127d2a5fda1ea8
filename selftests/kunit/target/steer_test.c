// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that wait for another CPU: handled, refused, dropped. The machine has one CPU, and
 * its state is told that it is another one's, so that packets for it are queued.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/in/steer.c"

/* Two rounds of a NAPI, and some. */
#define MANY 150

static struct sdp_net *sn;
static struct dst_entry route;
static struct net_device *devices[2];
static u32 freed;
static u32 handled;
static u32 in_order;
static u32 by_device[2];

/* Headers are linear here. */
const void *sdp_receive_pull(struct sdp_packet *packet, u32 length)
{
	return packet->skb->len < length ? NULL : packet->hdr;
}

static void note_free(struct sk_buff *skb)
{
	freed++;
}

static void handle(struct sk_buff *skb)
{
	in_order += skb->mark == handled;
	handled++;
	by_device[skb->dev == devices[1]]++;
	consume_skb(skb);
}

static struct sk_buff *new_skb(struct kunit *test, u8 type, u32 length)
{
	struct sk_buff *skb = alloc_skb(256, GFP_ATOMIC);
	struct sdp_data_hdr *hdr;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	hdr = skb_put_zero(skb, sizeof(*hdr));
	skb_put_zero(skb, 100);
	hdr->common.type = type;
	hdr->message_length = htonl(length);
	skb->dev = devices[0];
	rcu_read_lock();
	skb_dst_set_noref(skb, &route);
	rcu_read_unlock();
	return skb;
}

static bool steer(struct sk_buff *skb)
{
	struct sdp_packet packet = { .skb = skb, .hdr = (const void *)skb->data };
	bool taken;

	packet.to.sn = sn;
	local_bh_disable();
	rcu_read_lock();
	taken = sdp_steer(&packet);
	rcu_read_unlock();
	local_bh_enable();
	return taken;
}

/* In the queue, and nobody has been told. */
static void leave(struct kunit *test, u32 device)
{
	struct sk_buff *skb = new_skb(test, SDP_TYPE_DATA, 1000);
	bool taken;

	skb->dev = devices[device];
	skb->destructor = note_free;
	local_bh_disable();
	taken = put_last(this_cpu_ptr(steer_cpus), skb);
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, taken);
}

static u64 count_of(enum sdp_counter ctr)
{
	return this_cpu_read(sn->counts->count[ctr]);
}

static bool queue_is_empty(void)
{
	struct steer_cpu *self = per_cpu_ptr(steer_cpus, 0);

	return skb_queue_empty(&self->queue) && !self->bytes;
}

static void parts_of_messages_go(struct kunit *test)
{
	static const struct {
		u8 type;
		u32 length;
		bool goes;
	} packets[] = {
		{ SDP_TYPE_DATA, 99, false },
		{ SDP_TYPE_DATA, 100, false },
		{ SDP_TYPE_DATA, 101, true },
		{ SDP_TYPE_DATA, U32_MAX, true },
		{ SDP_TYPE_DATA | SDP_TYPE_SECURE, 101, true },
		{ SDP_TYPE_GRANT, 101, false },
		{ SDP_TYPE_RESEND | SDP_TYPE_SECURE, U32_MAX, false },
	};
	u32 i, gone = 0;

	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		struct sk_buff *skb = new_skb(test, packets[i].type,
					      packets[i].length);
		bool goes = steer(skb);

		KUNIT_EXPECT_EQ_MSG(test, goes, packets[i].goes, "packet %u", i);
		if (!goes)
			consume_skb(skb);
		gone += goes;
	}
	KUNIT_EXPECT_EQ(test, handled, gone);
	KUNIT_EXPECT_EQ(test, count_of(SDP_CTR_steered), gone);
}

static void off_is_off(struct kunit *test)
{
	struct sk_buff *skb = new_skb(test, SDP_TYPE_DATA, 1000);

	sn->set.steer = 0;
	KUNIT_EXPECT_FALSE(test, steer(skb));
	sn->set.steer = 1;
	WRITE_ONCE(home_count, 1);
	KUNIT_EXPECT_FALSE(test, steer(skb));
	consume_skb(skb);
}

/* Woken once for all of a round, and in order. */
static void all_of_a_round(struct kunit *test)
{
	u32 i;

	local_bh_disable();
	for (i = 0; i < MANY; i++) {
		struct sk_buff *skb = new_skb(test, SDP_TYPE_DATA, 1000);

		skb->mark = i;
		KUNIT_EXPECT_TRUE(test, steer(skb));
	}
	KUNIT_EXPECT_EQ(test, handled, 0);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, handled, MANY);
	KUNIT_EXPECT_EQ(test, in_order, MANY);
	KUNIT_EXPECT_EQ(test, count_of(SDP_CTR_steer_wakes), 1);
	KUNIT_EXPECT_TRUE(test, queue_is_empty());
}

static void full_stays(struct kunit *test)
{
	struct sk_buff *skb = new_skb(test, SDP_TYPE_DATA, 1000);
	u32 most = steer_queue;

	steer_queue = 2 * skb->truesize;
	local_bh_disable();
	KUNIT_EXPECT_TRUE(test, steer(skb));
	KUNIT_EXPECT_TRUE(test, steer(new_skb(test, SDP_TYPE_DATA, 1000)));
	skb = new_skb(test, SDP_TYPE_DATA, 1000);
	KUNIT_EXPECT_FALSE(test, steer(skb));
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, count_of(SDP_CTR_steer_full), 1);
	KUNIT_EXPECT_EQ(test, handled, 2);
	/* There is room again. */
	KUNIT_EXPECT_TRUE(test, steer(skb));
	KUNIT_EXPECT_EQ(test, handled, 3);
	steer_queue = most;
}

static void packets_go_with_their_device(struct kunit *test)
{
	u32 i;

	for (i = 0; i < 20; i++)
		leave(test, i % 4 == 0);
	flush(devices[0]);
	KUNIT_EXPECT_EQ(test, freed, 15);
	local_bh_disable();
	napi_schedule(&this_cpu_ptr(steer_cpus)->drain);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, by_device[0], 0);
	KUNIT_EXPECT_EQ(test, by_device[1], 5);
	KUNIT_EXPECT_TRUE(test, queue_is_empty());
}

/* Nothing is left behind for a flush that has been. */
static void a_stopped_device_leaves_none(struct kunit *test)
{
	struct sk_buff *skb = new_skb(test, SDP_TYPE_DATA, 1000);

	clear_bit(__LINK_STATE_START, &devices[0]->state);
	KUNIT_EXPECT_FALSE(test, steer(skb));
	consume_skb(skb);
	KUNIT_EXPECT_TRUE(test, queue_is_empty());
}

static void packets_go_with_the_module(struct kunit *test)
{
	u32 i;

	for (i = 0; i < 20; i++)
		leave(test, 0);
	sdp_steer_exit();
	KUNIT_EXPECT_EQ(test, freed, 20);
	KUNIT_EXPECT_EQ(test, handled, 0);
	home_count = 0;
	KUNIT_ASSERT_EQ(test, sdp_steer_init(handle), 0);
}

static void homes_come_and_go(struct kunit *test)
{
	static u16 some[4] = { 3, 5, 7, 9 };
	u16 *own = homes;
	u32 count = home_count;

	homes = some;
	home_count = 4;
	cpu_goes(5);
	KUNIT_EXPECT_EQ(test, home_count, 3);
	KUNIT_EXPECT_EQ(test, some[1], 9);
	cpu_goes(5);
	KUNIT_EXPECT_EQ(test, home_count, 3);
	cpu_goes(7);
	cpu_goes(3);
	cpu_goes(9);
	KUNIT_EXPECT_EQ(test, home_count, 0);
	cpu_comes(0);
	KUNIT_EXPECT_EQ(test, home_count, 1);
	KUNIT_EXPECT_EQ(test, some[0], 0);
	homes = own;
	home_count = count;
}

static int begin(struct kunit *test)
{
	u32 i;

	freed = 0;
	handled = 0;
	in_order = 0;
	memset(by_device, 0, sizeof(by_device));
	home_count = 0;
	rcuref_init(&route.__rcuref, 1);
	sn = kunit_kzalloc(test, sizeof(*sn), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sn);
	sn->set.steer = 1;
	sn->counts = alloc_percpu(struct sdp_counts);
	KUNIT_ASSERT_NOT_NULL(test, sn->counts);
	for (i = 0; i < ARRAY_SIZE(devices); i++) {
		devices[i] = alloc_netdev_dummy(0);
		KUNIT_ASSERT_NOT_NULL(test, devices[i]);
	}
	KUNIT_ASSERT_EQ(test, sdp_steer_init(handle), 0);
	KUNIT_EXPECT_EQ(test, home_count, 1);
	/* As if there were two: the other one's packets come here. */
	kfree(homes);
	homes = kcalloc(2, sizeof(*homes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, homes);
	home_count = 2;
	per_cpu_ptr(steer_cpus, 0)->cpu = 1;
	return 0;
}

static void end(struct kunit *test)
{
	u32 i;

	sdp_steer_exit();
	for (i = 0; i < ARRAY_SIZE(devices); i++)
		free_netdev(devices[i]);
	free_percpu(sn->counts);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(parts_of_messages_go),
	KUNIT_CASE(off_is_off),
	KUNIT_CASE(all_of_a_round),
	KUNIT_CASE(full_stays),
	KUNIT_CASE(packets_go_with_their_device),
	KUNIT_CASE(a_stopped_device_leaves_none),
	KUNIT_CASE(packets_go_with_the_module),
	KUNIT_CASE(homes_come_and_go),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_steer",
	.init = begin,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's core steering");
