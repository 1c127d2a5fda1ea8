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
	INIT_LIST_HEAD(&rig->ep.incoming[0]);
	INIT_LIST_HEAD(&rig->ep.incoming[1]);
	test->priv = rig;
	return 0;
}

/* Nothing may be left; but for a step in hand, all is given back. */
static void tear_down(struct kunit *test)
{
	struct rig *rig = test->priv;

	KUNIT_EXPECT_EQ(test, sdp_endpoint_rmem(&rig->ep), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.wmem), 0);
	KUNIT_EXPECT_EQ(test, sdp_endpoint_served(&rig->ep), 0);
	KUNIT_EXPECT_LE(test, rig->ep.quota, 5 * STEP);
	sdp_memory_release(&rig->ep);
	KUNIT_EXPECT_EQ(test, rig->ep.quota, 0);
	sock_release(rig->socket);
}

static u32 charge_until_refused(struct sdp_endpoint *ep, u32 bytes)
{
	u32 count = 0;

	while (count < 10000 && sdp_memory_charge_rx(ep, false, bytes))
		count++;
	return count;
}

static void received(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count, i;

	KUNIT_EXPECT_FALSE(test, sdp_memory_full(ep, false));
	count = charge_until_refused(ep, 1000);
	/* Twice the share, and the one that goes beyond. */
	KUNIT_EXPECT_EQ(test, count, 201);
	KUNIT_EXPECT_TRUE(test, sdp_memory_full(ep, false));
	KUNIT_EXPECT_TRUE(test, ep->pressed);
	KUNIT_EXPECT_GE(test, ep->quota, sdp_endpoint_rmem(ep));
	/* A message that is alone may take what its length explains. */
	rig->rpc.rx_length = 200;
	list_add(&rig->rpc.in_link, &ep->incoming[0]);
	KUNIT_EXPECT_FALSE(test, sdp_memory_charge_rx(ep, false, 1000));
	rig->rpc.rx_length = 1000;
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rx(ep, false, 1000));
	list_del(&rig->rpc.in_link);
	for (i = 0; i <= count; i++)
		sdp_memory_uncharge_rx(ep, false, 1000);
	count = charge_until_refused(ep, 300);
	KUNIT_EXPECT_EQ(test, count, 667);
	for (i = 0; i < count; i++)
		sdp_memory_uncharge_rx(ep, false, 300);
}

static void served(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count = 0, i;

	while (count < 10000 && sdp_memory_charge_rpc(ep, false))
		count++;
	KUNIT_EXPECT_EQ(test, count, 100000 / sizeof(struct sdp_rpc) + 1);
	/* A share of its own: what arrives for them is another. */
	KUNIT_EXPECT_FALSE(test, sdp_memory_full(ep, false));
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rx(ep, false, 1000));
	sdp_memory_uncharge_rx(ep, false, 1000);
	for (i = 0; i < count; i++)
		sdp_memory_uncharge_rpc(ep, false);
}

/* On a socket for both, clear messages get what is left, at most half. */
static void classes(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 clear, secure, served = 0, i;

	ep->policy = SDP_POLICY_MIXED;
	clear = charge_until_refused(ep, 1000);
	KUNIT_EXPECT_EQ(test, clear, 101);
	/* Whatever these hold. */
	KUNIT_EXPECT_FALSE(test, sdp_memory_full(ep, true));
	for (secure = 0; sdp_memory_charge_rx(ep, true, 1000); secure++)
		;
	KUNIT_EXPECT_EQ(test, secure, 201);
	KUNIT_EXPECT_EQ(test, sdp_memory_room(ep, false), SDP_MEMORY_QUANTUM);
	for (i = 0; i < clear; i++)
		sdp_memory_uncharge_rx(ep, false, 1000);
	for (i = 0; i < secure; i++)
		sdp_memory_uncharge_rx(ep, true, 1000);
	while (sdp_memory_charge_rpc(ep, false))
		served++;
	KUNIT_EXPECT_EQ(test, served, 50000 / sizeof(struct sdp_rpc) + 1);
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rpc(ep, true));
	sdp_memory_uncharge_rpc(ep, true);
	while (served--)
		sdp_memory_uncharge_rpc(ep, false);
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
	atomic_set(&ep->rmem[0], SDP_MEMORY_MOST + 1);
	KUNIT_EXPECT_TRUE(test, sdp_memory_full(ep, false));
	atomic_set(&ep->rmem[0], 2 * SDP_MEMORY_MOST + 2);
	KUNIT_EXPECT_FALSE(test, sdp_memory_charge_rx(ep, false, 1));
	atomic_set(&ep->rmem[0], INT_MAX - 10);
	atomic_set(&ep->wmem, INT_MAX - 10);
	KUNIT_EXPECT_GT(test, used(ep), (long)INT_MAX);
	atomic_set(&ep->rmem[0], 0);
	atomic_set(&ep->wmem, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(received),
	KUNIT_CASE(served),
	KUNIT_CASE(classes),
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
