// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging: limits of a socket, that what is given back can be taken again, and whose
 * message is given up.
 */
#include <kunit/test.h>
#include <linux/inet.h>
#include <linux/module.h>
#include <net/sock.h>

#include "../../../module/target/state/group.c"
#include "../../../module/target/state/memory.c"
#include "../../../module/target/state/pressure.c"

#define RPCS 100

struct rig {
	struct socket *socket;
	struct sdp_endpoint ep;
	struct sdp_rpc rpc[RPCS];
	struct sdp_pctx session[RPCS];
};

static int set_up(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					       IPPROTO_UDP, &rig->socket), 0);
	rig->ep.sk = rig->socket->sk;
	rig->ep.sk->sk_rcvbuf = 100000;
	rig->ep.sk->sk_sndbuf = 100000;
	spin_lock_init(&rig->ep.mem_lock);
	INIT_WORK(&rig->ep.make_room, make_group_room);
	spin_lock_init(&rig->ep.lock);
	INIT_LIST_HEAD(&rig->ep.incoming[0]);
	INIT_LIST_HEAD(&rig->ep.incoming[1]);
	for (i = 0; i < RPCS; i++) {
		spin_lock_init(&rig->rpc[i].lock);
		INIT_LIST_HEAD(&rig->rpc[i].in_link);
		refcount_set(&rig->rpc[i].refs, 1);
		rig->rpc[i].ep = &rig->ep;
	}
	test->priv = rig;
	return 0;
}

/* Nothing may be left; but for a step in hand, all is given back. */
static void tear_down(struct kunit *test)
{
	struct rig *rig = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, sdp_endpoint_rmem(&rig->ep), 0);
	KUNIT_EXPECT_EQ(test, sdp_endpoint_wmem(&rig->ep), 0);
	KUNIT_EXPECT_EQ(test, sdp_endpoint_served(&rig->ep), 0);
	for (i = 1; i < SDP_OWNER_SIZES; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.sizes[0][i]), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&rig->ep.sizes[1][i]), 0);
	}
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
	rig->rpc[0].rx_truesize = 201000;
	rig->rpc[0].rx_length = 200;
	list_add(&rig->rpc[0].in_link, &ep->incoming[0]);
	KUNIT_EXPECT_FALSE(test, sdp_memory_charge_rx(ep, false, 1000));
	rig->rpc[0].rx_length = 1000;
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rx(ep, false, 1000));
	list_del(&rig->rpc[0].in_link);
	rig->rpc[0].rx_truesize = 0;
	for (i = 0; i <= count; i++)
		sdp_memory_uncharge_rx(ep, false, 1000);
	count = charge_until_refused(ep, 300);
	KUNIT_EXPECT_EQ(test, count, 667);
	for (i = 0; i < count; i++)
		sdp_memory_uncharge_rx(ep, false, 300);
}

/* Another head of a packet: not refused, though nothing else gets in. */
static void heads(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count = charge_until_refused(ep, 1000);

	ep->pressed = false;
	sdp_memory_charge_head(ep, false, 700);
	KUNIT_EXPECT_EQ(test, sdp_endpoint_rmem(ep), 1000 * count + 700);
	KUNIT_EXPECT_TRUE(test, ep->pressed);
	sdp_memory_uncharge_rx(ep, false, 700);
	while (count--)
		sdp_memory_uncharge_rx(ep, false, 1000);
}

static void served(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count = 0, i;

	while (count < 10000 && sdp_memory_charge_rpc(ep, false, true))
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
	while (sdp_memory_charge_rpc(ep, false, true))
		served++;
	KUNIT_EXPECT_EQ(test, served, 50000 / sizeof(struct sdp_rpc) + 1);
	KUNIT_EXPECT_TRUE(test, sdp_memory_charge_rpc(ep, true, false));
	sdp_memory_uncharge_rpc(ep, true);
	while (served--)
		sdp_memory_uncharge_rpc(ep, false);
}

/* Who has a session and few requests goes beyond, up to as much again. */
static void served_few(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 count = 0;

	while (sdp_memory_charge_rpc(ep, true, false))
		count++;
	while (sdp_memory_charge_rpc(ep, true, true))
		count++;
	KUNIT_EXPECT_EQ(test, count, 200000 / sizeof(struct sdp_rpc) + 1);
	while (count--)
		sdp_memory_uncharge_rpc(ep, true);
}

/* Part of a message of so many bytes of memory. */
static void enter(struct sdp_rpc *rpc, u32 bytes)
{
	atomic_add(bytes, &rpc->ep->rmem[rpc->secure]);
	local_bh_disable();
	spin_lock(&rpc->lock);
	rpc->rx_length = 1;
	sdp_pressure_resize(rpc, bytes / 2);
	sdp_pressure_enter(rpc);
	sdp_pressure_resize(rpc, bytes - bytes / 2);
	spin_unlock(&rpc->lock);
	local_bh_enable();
}

static void enter_secure(struct rig *rig, u32 i, u32 session, u32 bytes)
{
	rig->rpc[i].secure = true;
	rig->rpc[i].pctx = &rig->session[session];
	enter(&rig->rpc[i], bytes);
}

static void enter_clear(struct rig *rig, u32 i, const char *from, u32 bytes)
{
	struct in6_addr *addr = &rig->rpc[i].who.addr;

	in6_pton(from, -1, addr->s6_addr, -1, NULL);
	enter(&rig->rpc[i], bytes);
}

static void leave(struct sdp_rpc *rpc)
{
	u32 bytes = rpc->rx_truesize;

	local_bh_disable();
	spin_lock(&rpc->lock);
	spin_lock(&rpc->ep->lock);
	sdp_pressure_unlist(rpc);
	spin_unlock(&rpc->ep->lock);
	sdp_pressure_left(rpc);
	sdp_pressure_resize(rpc, -bytes);
	spin_unlock(&rpc->lock);
	local_bh_enable();
	sdp_memory_uncharge_rx(rpc->ep, rpc->secure, bytes);
}

static void leave_all(struct rig *rig)
{
	u32 i;

	for (i = 0; i < RPCS; i++)
		if (rig->rpc[i].owner)
			leave(&rig->rpc[i]);
}

/* The next to be given up: its place, or RPCS. */
static u32 victim(struct rig *rig)
{
	struct sdp_rpc *rpc;

	local_bh_disable();
	rpc = sdp_pressure_victim(&rig->ep);
	local_bh_enable();
	if (!rpc)
		return RPCS;
	refcount_dec(&rpc->refs);
	return rpc - rig->rpc;
}

/* Of the session that holds most, whichever came first; of equals the oldest. */
static void whose_most_is(struct kunit *test)
{
	struct rig *rig = test->priv;
	u32 i;

	enter_secure(rig, 0, 0, 30000);
	for (i = 1; i < 20; i++)
		enter_secure(rig, i, 1, 4000);
	enter_secure(rig, 20, 2, 40000);
	KUNIT_EXPECT_EQ(test, victim(rig), 1);
	for (i = 1; i < 15; i++)
		leave(&rig->rpc[i]);
	/* What is left of it is less than the other's. */
	enter_secure(rig, 21, 3, 40000);
	KUNIT_EXPECT_EQ(test, victim(rig), 20);
	leave(&rig->rpc[20]);
	leave(&rig->rpc[21]);
	/* There is room. */
	KUNIT_EXPECT_EQ(test, victim(rig), RPCS);
	leave_all(rig);
}

/* However many hold little before and behind who holds most, none of them goes. */
static void whose_little_is(struct kunit *test)
{
	struct rig *rig = test->priv;
	u32 i, looked, found = RPCS;

	for (i = 0; i < 45; i++)
		enter_secure(rig, i, i, 500);
	for (; i < 55; i++)
		enter_secure(rig, i, 45, 10000);
	for (; i < RPCS; i++)
		enter_secure(rig, i, i, 500);
	for (looked = 0; looked < 4 && found == RPCS; looked++) {
		rig->ep.pressed = false;
		found = victim(rig);
		/* The next packet looks further. */
		KUNIT_EXPECT_EQ(test, rig->ep.pressed, found == RPCS);
	}
	KUNIT_EXPECT_EQ(test, looked, 2);
	KUNIT_EXPECT_EQ(test, found, 45);
	leave_all(rig);
}

/* Nor does who holds some of it, among many of these, while another holds most. */
static void whose_some_is(struct kunit *test)
{
	struct rig *rig = test->priv;
	u32 i;

	for (i = 0; i < 35; i++)
		enter_secure(rig, i, i, i == 10 ? 10000 : 500);
	enter_secure(rig, 35, 35, 100000);
	KUNIT_EXPECT_EQ(test, victim(rig), RPCS);
	KUNIT_EXPECT_EQ(test, victim(rig), 35);
	/* Without whom it is the next one's turn. */
	leave(&rig->rpc[35]);
	enter_secure(rig, 35, 10, 60000);
	KUNIT_EXPECT_EQ(test, victim(rig), 10);
	leave_all(rig);
}

static bool more_comes(struct rig *rig)
{
	bool came;

	local_bh_disable();
	came = sdp_memory_charge_rx(&rig->ep, true, 1000);
	if (came)
		sdp_memory_uncharge_rx(&rig->ep, true, 1000);
	local_bh_enable();
	return came;
}

static bool has_to_wait(struct sdp_rpc *rpc)
{
	bool wait;

	local_bh_disable();
	spin_lock(&rpc->lock);
	wait = sdp_pressure_park(rpc);
	spin_unlock(&rpc->lock);
	local_bh_enable();
	return wait;
}

/* Beside little of others, one may be longer than what there is. */
static void who_has_all(struct kunit *test)
{
	struct rig *rig = test->priv;
	u32 i;

	for (i = 1; i < 20; i++)
		enter_secure(rig, i, i, 200);
	enter_secure(rig, 0, 0, 210000);
	rig->rpc[0].rx_length = 100000;
	rig->ep.waiting[1] = 1;
	KUNIT_EXPECT_EQ(test, victim(rig), RPCS);
	KUNIT_EXPECT_TRUE(test, more_comes(rig));
	KUNIT_EXPECT_FALSE(test, has_to_wait(&rig->rpc[0]));
	/* But not for more than it is. */
	rig->rpc[0].rx_length = 1000;
	KUNIT_EXPECT_FALSE(test, more_comes(rig));
	KUNIT_EXPECT_EQ(test, victim(rig), 0);
	/* Nor while others have half. */
	rig->rpc[0].rx_length = 100000;
	enter_secure(rig, 20, 20, 50000);
	KUNIT_EXPECT_FALSE(test, more_comes(rig));
	KUNIT_EXPECT_EQ(test, victim(rig), 0);
	leave(&rig->rpc[0]);
	KUNIT_EXPECT_NULL(test, rig->ep.longest[1]);
	leave_all(rig);
	rig->ep.waiting[1] = 0;
}

/* On a socket for both, clear messages go first, whoever wants memory. */
static void whose_class_is_over(struct kunit *test)
{
	struct rig *rig = test->priv;

	rig->ep.policy = SDP_POLICY_MIXED;
	enter_secure(rig, 0, 0, 60000);
	enter_secure(rig, 1, 1, 30000);
	enter_clear(rig, 2, "::ffff:10.0.0.1", 10000);
	enter_clear(rig, 3, "::ffff:10.0.0.2", 7000);
	KUNIT_EXPECT_EQ(test, victim(rig), 2);
	leave(&rig->rpc[2]);
	KUNIT_EXPECT_EQ(test, victim(rig), RPCS);
	enter_secure(rig, 4, 2, 20000);
	KUNIT_EXPECT_EQ(test, victim(rig), 0);
	leave_all(rig);
}

static bool as_one(struct rig *rig, const char *a, const char *b)
{
	struct in6_addr one, other;

	in6_pton(a, -1, one.s6_addr, -1, NULL);
	in6_pton(b, -1, other.s6_addr, -1, NULL);
	return stranger(&rig->ep, &one) == stranger(&rig->ep, &other);
}

/* Who has all addresses of a network has one place. */
static void places_of_strangers(struct kunit *test)
{
	struct rig *rig = test->priv;
	char address[32];
	u32 i, v4 = 0, v6 = 0;

	KUNIT_EXPECT_TRUE(test, as_one(rig, "2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6"));
	for (i = 1; i < 200; i++) {
		snprintf(address, sizeof(address), "::ffff:10.0.0.%u", i + 1);
		v4 += as_one(rig, "::ffff:10.0.0.1", address);
		snprintf(address, sizeof(address), "2001:db8:1:%x::1", i);
		v6 += as_one(rig, "2001:db8:1::1", address);
	}
	KUNIT_EXPECT_LT(test, v4, 30);
	KUNIT_EXPECT_LT(test, v6, 30);
}

static void sent(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;

	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, &ep->strangers[0], 99999, true), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, &ep->strangers[0], 1, true), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* Whoever waits is woken, and the mark goes. */
	sdp_memory_uncharge_tx(ep, false, &ep->strangers[0], 99999);
	KUNIT_EXPECT_FALSE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* One larger than the share goes where nothing else does. */
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, &ep->strangers[0], 1000000, true), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, &ep->strangers[0], 1, true), -EAGAIN);
	sdp_memory_uncharge_tx(ep, false, &ep->strangers[0], 1000000);
}

static u32 send_until_refused(struct sdp_endpoint *ep, bool secure)
{
	u32 count = 0;

	while (count < 1000 && !sdp_memory_charge_tx(ep, secure, &ep->strangers[0], 9000, true))
		count++;
	return count;
}

/* On a socket for both, clear messages get what is left, at most half; but one. */
static void classes_sent(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	u32 clear, secure;

	ep->policy = SDP_POLICY_MIXED;
	clear = send_until_refused(ep, false);
	KUNIT_EXPECT_EQ(test, clear, 5);
	KUNIT_EXPECT_TRUE(test, sdp_memory_scarce(ep, false));
	/* Secure ones see none of it. */
	KUNIT_EXPECT_FALSE(test, sdp_memory_scarce(ep, true));
	KUNIT_EXPECT_TRUE(test, sdp_endpoint_writable(ep, true));
	secure = send_until_refused(ep, true);
	KUNIT_EXPECT_EQ(test, secure, 10);
	KUNIT_EXPECT_EQ(test, sdp_endpoint_wmem(ep), 15 * (9000 + SDP_MEMORY_OVERHEAD));
	while (clear--)
		sdp_memory_uncharge_tx(ep, false, &ep->strangers[0], 9000);
	KUNIT_EXPECT_EQ(test, send_until_refused(ep, false), 1);
	/* Whoever waits to send in the clear is told of what secure ones leave. */
	KUNIT_EXPECT_TRUE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	ep->awaited[1] = false;
	while (secure--)
		sdp_memory_uncharge_tx(ep, true, &ep->strangers[0], 9000);
	KUNIT_EXPECT_FALSE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* Of one class only, it has all. */
	ep->policy = SDP_POLICY_CLEAR;
	KUNIT_EXPECT_EQ(test, send_until_refused(ep, false), 9);
	for (clear = 0; clear < 10; clear++)
		sdp_memory_uncharge_tx(ep, false, &ep->strangers[0], 9000);
}

static void waits_no_longer_than_told(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	struct sdp_owner *to = &ep->strangers[0];

	KUNIT_ASSERT_EQ(test, sdp_memory_charge_tx(ep, false, to, 100000, true), 0);
	ep->sk->sk_sndtimeo = 2;
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, to, 1, false), -EAGAIN);
	ep->shutdown = true;
	ep->sk->sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, false, to, 1, false), -ESHUTDOWN);
	sdp_memory_uncharge_tx(ep, false, to, 100000);
}

static int send_to(struct sdp_endpoint *ep, bool secure, int whom, u32 length)
{
	return sdp_memory_charge_tx(ep, secure, &ep->strangers[whom], length, true);
}

/* Who takes nothing fills the memory, but not against a message each of others. */
static void to_others(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;
	int i, most;

	while (!send_to(ep, true, 0, 9000))
		;
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 1, 9000), 0);
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 1, 1), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	/* Whoever waits to send there is told, though there is no room for all. */
	sdp_memory_uncharge_tx(ep, true, &ep->strangers[1], 9000);
	KUNIT_EXPECT_FALSE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	KUNIT_EXPECT_FALSE(test, sdp_endpoint_writable(ep, true));
	/* As much again, and a message. */
	for (i = 1; i < SDP_OWNERS && !send_to(ep, true, i, 9000); i++)
		;
	most = atomic_read(&ep->wmem[1]);
	KUNIT_EXPECT_GE(test, most, 2 * 100000);
	KUNIT_EXPECT_LT(test, most, 2 * 100000 + 9000 + SDP_MEMORY_OVERHEAD);
	/* In the clear too, but not on a socket for both. */
	while (!send_to(ep, false, 0, 9000))
		;
	KUNIT_EXPECT_EQ(test, send_to(ep, false, SDP_OWNERS - 1, 1), 0);
	sdp_memory_uncharge_tx(ep, false, &ep->strangers[SDP_OWNERS - 1], 1);
	ep->policy = SDP_POLICY_MIXED;
	KUNIT_EXPECT_EQ(test, send_to(ep, false, SDP_OWNERS - 1, 1), -EAGAIN);
	for (i = 0; i < 2; i++)
		atomic_set(&ep->wmem[i], 0);
}

/* Who waits to send to somebody new is told when there is room for that, whosever it was. */
static void to_others_again(struct kunit *test)
{
	struct rig *rig = test->priv;
	struct sdp_endpoint *ep = &rig->ep;

	KUNIT_EXPECT_EQ(test, send_to(ep, true, 0, 60000), 0);
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 0, 60000), 0);
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 1, 100000), 0);
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 2, 1), -EAGAIN);
	KUNIT_EXPECT_TRUE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	sdp_memory_uncharge_tx(ep, true, &ep->strangers[0], 60000);
	KUNIT_EXPECT_FALSE(test, test_bit(SOCK_NOSPACE, &rig->socket->flags));
	KUNIT_EXPECT_EQ(test, send_to(ep, true, 2, 1), 0);
	sdp_memory_uncharge_tx(ep, true, &ep->strangers[0], 60000);
	sdp_memory_uncharge_tx(ep, true, &ep->strangers[1], 100000);
	sdp_memory_uncharge_tx(ep, true, &ep->strangers[2], 1);
	/* And none is counted where there was ample room. */
	KUNIT_EXPECT_EQ(test, atomic_read(&ep->strangers[0].sending), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, true, NULL, 100000, true), 0);
	KUNIT_EXPECT_EQ(test, sdp_memory_charge_tx(ep, true, NULL, 1, true), -EAGAIN);
	sdp_memory_uncharge_tx(ep, true, NULL, 100000);
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
	atomic_set(&ep->wmem[0], INT_MAX - 10);
	KUNIT_EXPECT_GT(test, used(ep), (long)INT_MAX);
	atomic_set(&ep->rmem[0], 0);
	atomic_set(&ep->wmem[0], 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(received),
	KUNIT_CASE(heads),
	KUNIT_CASE(served),
	KUNIT_CASE(classes),
	KUNIT_CASE(served_few),
	KUNIT_CASE(whose_most_is),
	KUNIT_CASE(whose_little_is),
	KUNIT_CASE(whose_some_is),
	KUNIT_CASE(who_has_all),
	KUNIT_CASE(whose_class_is_over),
	KUNIT_CASE(places_of_strangers),
	KUNIT_CASE(sent),
	KUNIT_CASE(classes_sent),
	KUNIT_CASE(to_others),
	KUNIT_CASE(to_others_again),
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
