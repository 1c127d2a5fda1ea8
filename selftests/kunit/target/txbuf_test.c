// SPDX-License-Identifier: GPL-2.0-only
/* Send buffers: what is copied in is what packets carry, whatever it lies in. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/uio.h>

#include "../../../module/offload/txbuf.c"

#define LONGEST 300000

/* Longest part of a message that one segment takes, bytes. */
#define PART 60000

struct rig {
	u8 small[SDP_TXBUF_LINEAR];
	u8 *bytes;
	struct sdp_txbuf buf;
};

static int set_up(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig->bytes = kvmalloc(LONGEST, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rig->bytes);
	for (i = 0; i < LONGEST; i++)
		rig->bytes[i] = i * 7 + (i >> 8);
	test->priv = rig;
	return 0;
}

static void tear_down(struct kunit *test)
{
	struct rig *rig = test->priv;

	kvfree(rig->bytes);
}

static int fill(struct rig *rig, u32 offset, u32 length, u32 given)
{
	struct kvec vec = { rig->bytes + offset, given };
	struct iov_iter from;

	iov_iter_kvec(&from, ITER_SOURCE, &vec, 1, given);
	return sdp_txbuf_copy_from_iter(&rig->buf, offset, length, &from);
}

/* A packet with a range of the buffer holds these bytes. */
static void expect_packet(struct kunit *test, u32 offset, u32 length)
{
	struct rig *rig = test->priv;
	struct sk_buff *skb;
	u8 *got;

	skb = alloc_skb(sdp_txbuf_room(&rig->buf, length), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	sdp_txbuf_attach(&rig->buf, skb, offset, length);
	KUNIT_EXPECT_EQ(test, skb->len, length);
	got = kvmalloc(length, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, got);
	KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, got, length), 0);
	KUNIT_EXPECT_EQ(test, memcmp(got, rig->bytes + offset, length), 0);
	kvfree(got);
	kfree_skb(skb);
}

static void message(struct kunit *test, u32 length, u32 unit)
{
	struct rig *rig = test->priv;
	u32 step = unit ?: 10000, at;

	memset(&rig->buf, 0, sizeof(rig->buf));
	KUNIT_ASSERT_EQ(test, sdp_txbuf_alloc(&rig->buf, length, unit,
					      rig->small), 0);
	KUNIT_EXPECT_EQ(test, rig->buf.length, length);
	for (at = 0; at < length; at += step) {
		u32 part = min(step, length - at);

		KUNIT_ASSERT_EQ(test, fill(rig, at, part, part), 0);
	}
	for (at = 0; at < length; at += PART)
		expect_packet(test, at, min(PART, length - at));
	expect_packet(test, length - 1, 1);
	expect_packet(test, length / 3, min(PART, length - length / 3));
	sdp_txbuf_free(&rig->buf);
	/* A second time does no harm. */
	sdp_txbuf_free(&rig->buf);
}

static void lengths(struct kunit *test)
{
	static const u32 cases[] = {
		1, SDP_TXBUF_LINEAR, SDP_TXBUF_LINEAR + 1, PAGE_SIZE - 1, PAGE_SIZE,
		PAGE_SIZE + 1, LONGEST_PART, LONGEST_PART + 1, 32767, 32768, 32769,
		65536, LONGEST,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		message(test, cases[i], 0);
}

/* Where memory is in pieces, a task shares a single page out, and may keep it. */
static void a_task_with_a_single_page(struct kunit *test)
{
	static const u32 cases[] = {
		1000, PAGE_SIZE - SDP_BUFFER_LEAD - 16, PAGE_SIZE - SDP_BUFFER_LEAD - 15,
		PAGE_SIZE, PAGE_SIZE + 1, LONGEST_PART,
	};
	struct page_frag *frag = &current->task_frag, kept = *frag;
	u32 i, unit;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (unit = 0; unit <= 16277; unit += 16277) {
			frag->page = alloc_page(GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, frag->page);
			frag->offset = 0;
			frag->size = PAGE_SIZE;
			message(test, cases[i], unit);
			put_page(frag->page);
		}
	}
	*frag = kept;
}

/* Each record in a chunk of its own, or too short for one. */
static void records(struct kunit *test)
{
	static const u32 units[] = {
		100, LEAST_UNIT - 1, LEAST_UNIT, 8214, 16406,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(units); i++) {
		message(test, 20000, units[i]);
		message(test, LONGEST, units[i]);
	}
}

static void short_of_bytes(struct kunit *test)
{
	static const u32 cases[] = { SDP_TXBUF_LINEAR, 5000, 100000 };
	struct rig *rig = test->priv;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&rig->buf, 0, sizeof(rig->buf));
		KUNIT_ASSERT_EQ(test, sdp_txbuf_alloc(&rig->buf, cases[i], 0,
						      rig->small), 0);
		KUNIT_EXPECT_EQ(test, fill(rig, 0, cases[i], cases[i] - 1),
				-EFAULT);
		sdp_txbuf_free(&rig->buf);
	}
}

/* What was sent may still be on its way when the message is gone. */
static void packets_outlive_the_buffer(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sk_buff *skb = alloc_skb(0, GFP_KERNEL);
	u8 got[64];

	KUNIT_ASSERT_NOT_NULL(test, skb);
	memset(&rig->buf, 0, sizeof(rig->buf));
	KUNIT_ASSERT_EQ(test, sdp_txbuf_alloc(&rig->buf, 50000, 0, rig->small), 0);
	KUNIT_ASSERT_EQ(test, fill(rig, 0, 50000, 50000), 0);
	sdp_txbuf_attach(&rig->buf, skb, 40000, sizeof(got));
	sdp_txbuf_free(&rig->buf);
	KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, got, sizeof(got)), 0);
	KUNIT_EXPECT_EQ(test, memcmp(got, rig->bytes + 40000, sizeof(got)), 0);
	KUNIT_EXPECT_TRUE(test, skb_shinfo(skb)->flags & SKBFL_SHARED_FRAG);
	kfree_skb(skb);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lengths),
	KUNIT_CASE(a_task_with_a_single_page),
	KUNIT_CASE(records),
	KUNIT_CASE(short_of_bytes),
	KUNIT_CASE(packets_outlive_the_buffer),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_txbuf",
	.init = set_up,
	.exit = tear_down,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's send buffers");
