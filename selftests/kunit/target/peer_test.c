// SPDX-License-Identifier: GPL-2.0-only
/*
 * Namespaces that go: what they have is forgotten, and who is late is waited for. Where all
 * have too many, who has most gives.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/sched.h>

static u32 sleeps;

static long count_sleep(long time)
{
	sleeps++;
	return schedule_timeout_uninterruptible(time);
}

#define schedule_timeout_uninterruptible count_sleep
#include "../../../module/target/state/peer.c"
#include "../../../module/target/state/table.c"

/* Lets go of a peer after a while, or once another namespace has nothing any more. */
struct late {
	struct delayed_work work;
	struct sdp_peer *peer;
	struct sdp_net *other;
	unsigned long until;
	bool waited;
};

static void let_go(struct work_struct *work)
{
	struct late *late = container_of(to_delayed_work(work), struct late, work);

	if (late->other && !is_empty(late->other) && time_before(jiffies, late->until)) {
		schedule_delayed_work(&late->work, 1);
		return;
	}
	late->waited = late->other && is_empty(late->other);
	sdp_peer_put(late->peer);
}

static struct sdp_counts __percpu *counts;

static struct sdp_net *make_net(struct kunit *test)
{
	struct sdp_net *sn = kunit_kzalloc(test, sizeof(*sn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sn);
	sn->net = &init_net;
	sn->set.max_peers = 100;
	RCU_INIT_POINTER(sn->set.now, &sn->set.prog);
	sn->counts = counts;
	KUNIT_ASSERT_EQ(test, sdp_peer_tables_make(sn), 0);
	KUNIT_ASSERT_EQ(test, sdp_peer_tables_make(sn), 0);
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

static void forget(struct sdp_net *first, struct sdp_net *second)
{
	LIST_HEAD(leaving);

	list_add_tail(&first->leaving, &leaving);
	if (second)
		list_add_tail(&second->leaving, &leaving);
	sdp_peer_leave(first);
	if (second)
		sdp_peer_leave(second);
	synchronize_rcu();
	sdp_peer_forget_nets(&leaving);
}

/* The tables are gone through no more often than time passes. */
static void waits_asleep(struct kunit *test)
{
	struct sdp_net *sn = make_net(test), *other = make_net(test);
	struct sdp_peer *stays = meet(test, other);
	struct late late = { .peer = meet(test, sn) };
	unsigned long start = jiffies;

	INIT_DELAYED_WORK_ONSTACK(&late.work, let_go);
	schedule_delayed_work(&late.work, HZ / 2);
	sleeps = 0;
	forget(sn, NULL);
	KUNIT_EXPECT_GE(test, sleeps, 1);
	KUNIT_EXPECT_LE(test, sleeps, jiffies - start + 2);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&late.work));
	KUNIT_EXPECT_EQ(test, atomic_read(&sn->met[SDP_MET_PEER]), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&sn->met[SDP_MET_CLIENT]), 0);
	KUNIT_EXPECT_NULL(test, sn->tables);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->met[SDP_MET_PEER]), 1);
	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);
	sdp_peer_put(stays);
	forget(other, NULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->met[SDP_MET_PEER]), 0);
}

/* Nobody stands in line for who is late: the first one's peer waits for the second's end. */
static void waits_for_all_at_once(struct kunit *test)
{
	struct sdp_net *sn = make_net(test), *other = make_net(test);
	struct late late = {
		.peer = meet(test, sn), .other = other, .until = jiffies + 10 * HZ,
	};

	sdp_peer_put(meet(test, other));
	INIT_DELAYED_WORK_ONSTACK(&late.work, let_go);
	schedule_delayed_work(&late.work, 1);
	forget(sn, other);
	flush_delayed_work(&late.work);
	destroy_delayed_work_on_stack(&late.work);
	KUNIT_EXPECT_TRUE(test, late.waited);
}

/* So many peers that nobody uses, each of its own address. */
static void meet_many(struct kunit *test, struct sdp_net *sn, u32 count)
{
	struct sdp_peer_key key = { .sn = sn };
	struct sdp_peer *peer;
	u32 i;

	for (i = 0; i < count; i++) {
		key.daddr.s6_addr32[3] = htonl(++sn->set.prog.cutoff_version);
		peer = sdp_peer_add(&key, &in6addr_loopback, GFP_KERNEL, false);
		KUNIT_ASSERT_FALSE(test, IS_ERR(peer));
		sdp_peer_put(peer);
	}
}

static int peers_of(const struct sdp_net *sn)
{
	return atomic_read(&sn->met[SDP_MET_PEER]);
}

/* Not who has few, nor who wants one. */
static void who_has_most_gives(struct kunit *test)
{
	struct sdp_net *few = make_net(test), *most = make_net(test), *wants = make_net(test);
	u32 before = host_peers;

	meet_many(test, few, 10);
	meet_many(test, most, 40);
	host_peers = 50;
	meet_many(test, wants, 20);
	KUNIT_EXPECT_EQ(test, peers_of(few), 10);
	KUNIT_EXPECT_EQ(test, peers_of(wants), 20);
	KUNIT_EXPECT_EQ(test, peers_of(most), 20);
	/* A namespace that is about to go has no more part in it. */
	sdp_peer_leave(most);
	meet_many(test, wants, 5);
	KUNIT_EXPECT_EQ(test, peers_of(most), 20);
	KUNIT_EXPECT_EQ(test, peers_of(few) + peers_of(wants), 30);
	host_peers = before;
	forget(few, most);
	forget(wants, NULL);
}

/* Bounds of each namespace are its own: it gives up its own. */
static void own_bound_is_for_own(struct kunit *test)
{
	struct sdp_net *sn = make_net(test), *other = make_net(test);

	meet_many(test, other, 90);
	sn->set.max_peers = 10;
	meet_many(test, sn, 30);
	KUNIT_EXPECT_EQ(test, peers_of(sn), 10);
	KUNIT_EXPECT_EQ(test, peers_of(other), 90);
	forget(sn, other);
}

static int peers_begin(struct kunit_suite *suite)
{
	counts = alloc_percpu(struct sdp_counts);
	return counts ? sdp_peer_init() : -ENOMEM;
}

static void peers_end(struct kunit_suite *suite)
{
	sdp_peer_exit();
	free_percpu(counts);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(waits_asleep),
	KUNIT_CASE(waits_for_all_at_once),
	KUNIT_CASE(who_has_most_gives),
	KUNIT_CASE(own_bound_is_for_own),
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
