// SPDX-License-Identifier: GPL-2.0-only
/* Charging: limits of a socket, and that what is given back can be taken again. */
#include <kunit/test.h>
#include <linux/module.h>
#include <net/sock.h>

#include "../../../module/target/state/memory.c"

struct rig {
	struct socket *socket;
	struct sdp_endpoint ep;
	struct sdp_rpc rpc;
};

static int set_up(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rig);
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					       IPPROTO_UDP, &rig->socket), 0);
	rig->ep.sk = rig->socket->sk;
	rig->ep.sk->sk_rcvbuf = 100000;
	rig->ep.sk->sk_sndbuf = 100000;
	spin_lock_init(&rig->ep.mem_lock);
	spin_lock_init(&rig->ep.lock);
	INIT_LIST_HEAD(&rig->ep.incoming);
	test->priv = rig;
	return 0;
}

/* Nothing may be left; but for a step in hand, all is given back. */
static void tear_down(struct kunit *test)
{
	struct rig *rig = test->priv;

	KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.rmem), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.wmem), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.served), 0);
	KUNIT_EXPECT_LE(test, rig->ep.quota, 5 * STEP);
	sdp_memory_release(&rig->ep);
	KUNIT_EXPECT_EQ(test, rig->ep.quota, 0);
	sock_release(rig->socket);
}

static u32 charge_until_refused(struct sdp_endpoint *ep, u32 bytes)
{
	u32 count = 0;

	while (count < 10000 && sdp_memory_charge_rx(ep, bytes))
		count++;
	return count;
}

static void received(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count, i;

	KUNIT_EXPECT_FALSE(test, sdp_memory_full(ep));
	count = charge_until_refused(ep, 1000);
	/* Twice the share, and the one that goes beyond. */
	KUNIT_EXPECT_EQ(test, count, 201);
	KUNIT_EXPECT_TRUE(test, sdp_memory_full(ep));
	KUNIT_EXPECT_TRUE(test, ep->pressed);
	KUNIT_EXPECT_GE(test, ep->quota, atomic_read(&ep->rmem));
	/* A single message may have more, as its length explains. */
	rig->rpc.rx_length = 1000000;
	list_add(&rig->rpc.in_link, &ep->incoming);
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rx(ep, 1000));
	for (i = 0; i <= count; i++)
		sdp_memory_uncharge_rx(ep, 1000);
	KUNIT_EXPECT_EQ(test, charge_until_refused(ep, 300), 10000);
	for (i = 0; i < 10000; i++)
		sdp_memory_uncharge_rx(ep, 300);
}

static void served(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count = 0, i;

	while (count < 10000 && sdp_memory_charge_rpc(ep))
		count++;
	KUNIT_EXPECT_EQ(test, count, 100000 / sizeof(struct sdp_rpc) + 1);
	/* A share of its own: what arrives for them is another. */
	KUNIT_EXPECT_FALSE(test, sdp_memory_full(ep));
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rx(ep, 1000));
	sdp_memory_uncharge_rx(ep, 1000);
	for (i = 0; i < count; i++)
		sdp_memory_uncharge_rpc(ep);
}

static void sent(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;

	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 99999, true), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 1, true), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* Whoever waits is woken, and the mark goes. */
	sdp_memory_uncharge_tx(ep, 99999);
	KUNIT_EXPECT_FALSE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* One larger than the share goes where nothing else does. */
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 1000000, true), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 1, true), -EAGAIN);
	sdp_memory_uncharge_tx(ep, 1000000);
}

static void waits_no_longer_than_told(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;

	KUNIT_ASSERT_EQ(test, sdp_memory_charge_tx(ep, 100000, true), 0);
	ep->sk->sk_sndtimeo = 2;
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 1, false), -EAGAIN);
	ep->shutdown = true;
	ep->sk->sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, 1, false), -ESHUTDOWN);
	sdp_memory_uncharge_tx(ep, 100000);
}

/* Whoever sets more than counts gets what counts. */
static void largest_share(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;

	ep->sk->sk_rcvbuf = INT_MAX;
	KUNIT_EXPECT_EQ(test, sdp_memory_share(ep), SDP_MEMORY_MOST);
	atomic_set(&ep->rmem, SDP_MEMORY_MOST + 1);
	KUNIT_EXPECT_TRUE(test, sdp_memory_full(ep));
	atomic_set(&ep->rmem, 2 * SDP_MEMORY_MOST + 2);
	KUNIT_EXPECT_FALSE(test, sdp_memory_charge_rx(ep, 1));
	atomic_set(&ep->rmem, INT_MAX - 10);
	atomic_set(&ep->wmem, INT_MAX - 10);
	KUNIT_EXPECT_GT(test, used(ep), (long)INT_MAX);
	atomic_set(&ep->rmem, 0);
	atomic_set(&ep->wmem, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(received),
	KUNIT_CASE(served),
	KUNIT_CASE(sent),
	KUNIT_CASE(waits_no_longer_than_told),
	KUNIT_CASE(largest_share),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_memory",
	.init = set_up,
	.exit = tear_down,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's memory accounting");
