// SPDX-License-Identifier: GPL-2.0-only
/* A namespace that goes: what it has is forgotten, and who is late is waited for. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/state/peer.c"
#include "../../../module/target/state/table.c"

/* Lets go of a peer after a while. */
struct late {
	struct delayed_work work;
	struct sdp_peer *peer;
};

static void let_go(struct work_struct *work)
{
	struct late *late = container_of(to_delayed_work(work), struct late, work);

	sdp_peer_put(late->peer);
}

static struct sdp_net *make_net(struct kunit *test)
{
	struct sdp_net *sn = kunit_kzalloc(test, sizeof(*sn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sn);
	sn->net = &init_net;
	sn->set.max_peers = 100;
	return sn;
}

/* A peer of @sn, held, which a client remembers. */
static struct sdp_peer *meet(struct kunit *test, struct sdp_net *sn)
{
	struct sdp_client_key client_key = { .sn = sn, .sport = 1, .dport = 2 };
	struct sdp_peer_key peer_key = { .sn = sn };
	struct sdp_client *client = sdp_client_get(&client_key);
	struct sdp_peer *peer;

	KUNIT_ASSERT_NOT_NULL(test, client);
	peer = sdp_peer_add(&peer_key, &in6addr_loopback, GFP_KERNEL, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(peer));
	sdp_peer_replace(&client->peer, peer);
	sdp_client_put(client);
	return peer;
}

/* The tables are gone through no more often than time passes. */
static void waits_asleep(struct kunit *test)
{
	struct sdp_net *sn = make_net(test), *other = make_net(test);
	struct sdp_peer *stays = meet(test, other);
	struct late late = { .peer = meet(test, sn) };
	unsigned long start = jiffies;
	u32 passes;

	INIT_DELAYED_WORK_ONSTACK(&late.work, let_go);
	schedule_delayed_work(&late.work, HZ / 2);
	passes = atomic_read(&peers.hand);
	sdp_peer_forget_net(sn);
	passes = (atomic_read(&peers.hand) - passes) / SDP_TABLE_BUCKETS;
	KUNIT_EXPECT_LE(test, passes, jiffies - start + 2);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&late.work));
	KUNIT_EXPECT_EQ(test, atomic_read(&sn->peers), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&sn->clients), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->peers), 1);
	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);
	sdp_peer_put(stays);
	sdp_peer_forget_net(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->peers), 0);
}

static int peers_begin(struct kunit_suite *suite)
{
	return sdp_peer_init();
}

static void peers_end(struct kunit_suite *suite)
{
	sdp_peer_exit();
}

static struct kunit_case cases[] = {
	KUNIT_CASE(waits_asleep),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_peer",
	.suite_init = peers_begin,
	.suite_exit = peers_end,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's peers");
