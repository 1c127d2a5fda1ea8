// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports: who may have one beside whom, and whose a packet is; the last free one is found,
 * and no other namespace counts.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/state/ports.c"

#define AUTO (SDP_PORTS - SDP_PORTS_AUTO)
#define ETH0 2
#define ETH1 3
#define VRF 4

static struct sdp_endpoint *const me = (struct sdp_endpoint *)0x10;
static struct sdp_endpoint *const other = (struct sdp_endpoint *)0x20;

static struct sdp_endpoint *number(int i)
{
	return (struct sdp_endpoint *)(0x100UL + i);
}

/* What sockets are bound to. */
enum who { ANY4, ANY6, ONLY6, ONE4, TWO4, ONE6, TWO6, KINDS };

static struct sdp_bound bound(enum who who, int device)
{
	struct sdp_bound to = { .device = device };

	if (who == ANY4 || who == ONE4 || who == TWO4)
		ipv6_addr_set_v4mapped(htonl(who == ANY4 ? 0 : 0x0a000000 + who), &to.addr);
	if (who == ONE6 || who == TWO6)
		ipv6_addr_set(&to.addr, htonl(0xfd000000), 0, 0, htonl(who));
	to.v6_only = who == ONLY6 || who == ONE6 || who == TWO6;
	return to;
}

static const struct sdp_bound anywhere = {};

static struct sdp_ports *make_ports(struct kunit *test)
{
	struct sdp_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ports);
	sdp_ports_init(ports, &init_net);
	return ports;
}

static struct sdp_binding *take(struct sdp_ports *ports, u16 port, struct sdp_endpoint *ep)
{
	return sdp_ports_take(ports, port, &anywhere, ep, GFP_KERNEL);
}

static struct sdp_endpoint *owner_of_port(struct sdp_ports *ports, u16 port)
{
	const struct sdp_binding *first;
	struct sdp_endpoint *owner = NULL;

	rcu_read_lock();
	first = sdp_ports_first(ports, port);
	if (first)
		owner = first->ep;
	rcu_read_unlock();
	return owner;
}

static bool is_empty(struct sdp_ports *ports)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ports->leaves); i++)
		if (rcu_access_pointer(ports->leaves[i]))
			return false;
	return bitmap_empty(ports->taken, SDP_PORTS);
}

#define EXPECT_REFUSED(test, binding, err) \
	KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(binding), err)

static void one_owner(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);
	struct sdp_binding *a, *b, *c;

	a = take(ports, 4000, me);
	KUNIT_ASSERT_FALSE(test, IS_ERR(a));
	KUNIT_EXPECT_EQ(test, a->port, 4000);
	EXPECT_REFUSED(test, take(ports, 4000, other), -EADDRINUSE);
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, 4000), me);
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 4001));
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 9));
	b = take(ports, 4001, other);
	KUNIT_ASSERT_FALSE(test, IS_ERR(b));
	sdp_ports_free(ports, a);
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 4000));
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, 4001), other);
	sdp_ports_free(ports, b);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
	c = take(ports, SDP_PORTS - 1, me);
	KUNIT_ASSERT_FALSE(test, IS_ERR(c));
	KUNIT_EXPECT_EQ(test, c->port, SDP_PORTS - 1);
	sdp_ports_free(ports, c);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
}

/* Each assigned port once; then none; then again the one that has come free. */
static void all_assigned(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);
	struct sdp_binding **all, *low;
	int i, port;

	all = kvcalloc(AUTO, sizeof(*all), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, all);
	for (i = 0; i < AUTO; i++) {
		struct sdp_binding *new = take(ports, 0, me);

		if (IS_ERR(new) || new->port < SDP_PORTS_AUTO ||
		    all[new->port - SDP_PORTS_AUTO])
			break;
		all[new->port - SDP_PORTS_AUTO] = new;
	}
	KUNIT_ASSERT_EQ(test, i, AUTO);
	EXPECT_REFUSED(test, take(ports, 0, other), -EADDRINUSE);
	/* Those of servers are others. */
	low = take(ports, 1, me);
	KUNIT_ASSERT_FALSE(test, IS_ERR(low));
	sdp_ports_free(ports, low);
	for (i = 0; i < 100; i++) {
		port = i < 2 ? i * (AUTO - 1) : get_random_u32_below(AUTO);
		sdp_ports_free(ports, all[port]);
		all[port] = take(ports, 0, other);
		KUNIT_ASSERT_FALSE(test, IS_ERR(all[port]));
		KUNIT_EXPECT_EQ(test, all[port]->port, port + SDP_PORTS_AUTO);
		KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, port + SDP_PORTS_AUTO), other);
	}
	for (i = 0; i < AUTO; i++)
		sdp_ports_free(ports, all[i]);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
	kvfree(all);
}

/* Who holds one namespace's lock keeps nobody of another waiting. */
static void namespaces_apart(struct kunit *test)
{
	struct sdp_ports *busy = make_ports(test), *ports = make_ports(test);
	struct sdp_binding *a = take(busy, 4000, me), *b = take(ports, 4000, other);
	bool free;

	KUNIT_ASSERT_FALSE(test, IS_ERR(a) || IS_ERR(b));
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(busy, 4000), me);
	spin_lock(&busy->lock);
	free = spin_trylock(&ports->lock);
	if (free)
		spin_unlock(&ports->lock);
	spin_unlock(&busy->lock);
	KUNIT_EXPECT_TRUE(test, free);
	sdp_ports_free(ports, b);
	sdp_ports_free(busy, a);
}

/* Who may not have a port beside whom, with the same device or none. */
static const bool conflict[KINDS][KINDS] = {
	[ANY4] = { [ANY4] = true, [ANY6] = true, [ONE4] = true, [TWO4] = true },
	[ANY6] = { true, true, true, true, true, true, true },
	[ONLY6] = { [ANY6] = true, [ONLY6] = true, [ONE6] = true, [TWO6] = true },
	[ONE4] = { [ANY4] = true, [ANY6] = true, [ONE4] = true },
	[TWO4] = { [ANY4] = true, [ANY6] = true, [TWO4] = true },
	[ONE6] = { [ANY6] = true, [ONLY6] = true, [ONE6] = true },
	[TWO6] = { [ANY6] = true, [ONLY6] = true, [TWO6] = true },
};

static void beside_each_other(struct kunit *test)
{
	static const int devices[] = { 0, ETH0, ETH1 };
	struct sdp_ports *ports = make_ports(test);
	u32 n;

	for (n = 0; n < KINDS * KINDS * 9; n++) {
		enum who x = n % KINDS, y = n / KINDS % KINDS;
		int dx = devices[n / KINDS / KINDS % 3], dy = devices[n / KINDS / KINDS / 3];
		struct sdp_bound to_x = bound(x, dx), to_y = bound(y, dy);
		bool wanted = conflict[x][y] && (!dx || !dy || dx == dy);
		struct sdp_binding *a, *b, *mine;

		a = sdp_ports_take(ports, 7, &to_x, me, GFP_KERNEL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(a));
		b = sdp_ports_take(ports, 7, &to_y, other, GFP_KERNEL);
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR_OR_ZERO(b), wanted ? -EADDRINUSE : 0,
				    "%d at %d, then %d at %d", x, dx, y, dy);
		/* Nobody is in one's own way. */
		mine = sdp_ports_take(ports, 7, &to_y, me, GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, IS_ERR(mine), !IS_ERR(b));
		sdp_ports_free(ports, a);
		if (!IS_ERR(b))
			sdp_ports_free(ports, b);
		if (!IS_ERR(mine))
			sdp_ports_free(ports, mine);
		KUNIT_EXPECT_TRUE(test, is_empty(ports));
	}
}

/* Taken out first, last and from between, the others stay. */
static void some_leave(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);
	struct sdp_binding *three[3];
	int i, gone;

	for (gone = 0; gone < 3; gone++) {
		const struct sdp_binding *at;
		u32 seen = 0;

		for (i = 0; i < 3; i++) {
			struct sdp_bound to = bound(ONE4 + i, 0);

			three[i] = sdp_ports_take(ports, 7, &to, number(i), GFP_KERNEL);
			KUNIT_ASSERT_FALSE(test, IS_ERR(three[i]));
		}
		sdp_ports_free(ports, three[gone]);
		rcu_read_lock();
		for (at = sdp_ports_first(ports, 7); at; at = rcu_dereference(at->next))
			for (i = 0; i < 3; i++)
				if (at == three[i])
					seen |= BIT(i);
		rcu_read_unlock();
		KUNIT_EXPECT_EQ(test, seen, 7 & ~BIT(gone));
		KUNIT_EXPECT_TRUE(test, test_bit(7, ports->taken));
		for (i = 0; i < 3; i++)
			if (i != gone)
				sdp_ports_free(ports, three[i]);
		KUNIT_EXPECT_TRUE(test, is_empty(ports));
	}
}

/* Nobody makes a port's look-ups long. */
static void not_too_many(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);
	struct sdp_binding *all[SDP_PORTS_OWNERS], *mine;
	struct sdp_bound to = {};
	int i;

	for (i = 0; i < SDP_PORTS_OWNERS; i++) {
		ipv6_addr_set_v4mapped(htonl(0x7f000001 + i), &to.addr);
		all[i] = sdp_ports_take(ports, 7, &to, number(i), GFP_KERNEL);
		KUNIT_ASSERT_FALSE(test, IS_ERR(all[i]));
	}
	ipv6_addr_set_v4mapped(htonl(0x0a000001), &to.addr);
	EXPECT_REFUSED(test, sdp_ports_take(ports, 7, &to, number(i), GFP_KERNEL), -ENOBUFS);
	/* One of them may move. */
	mine = sdp_ports_take(ports, 7, &to, number(0), GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mine));
	sdp_ports_free(ports, mine);
	for (i = 0; i < SDP_PORTS_OWNERS; i++)
		sdp_ports_free(ports, all[i]);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
}

static u32 score(struct kunit *test, enum who who, int device, enum who packet, int dif,
		 int sdif)
{
	struct sdp_ports *ports = make_ports(test);
	struct sdp_bound to = bound(who, device), from = bound(packet, 0);
	const struct sdp_inlet at = {
		.local = &from.addr, .dif = dif, .sdif = sdif, .v4 = packet < ONE6,
	};
	struct sdp_binding *binding = sdp_ports_take(ports, 7, &to, me, GFP_KERNEL);
	u32 found;

	KUNIT_ASSERT_FALSE(test, IS_ERR(binding));
	found = sdp_binding_score(binding, &init_net, &at);
	sdp_ports_free(ports, binding);
	return found;
}

/* Each line fits better than the next one; of equals, one is for the packet at most. */
static void best_match(struct kunit *test)
{
	/* To one IPv4 address, which came in by ETH0, of a VRF. */
	const u32 in_vrf[] = {
		score(test, ONE4, ETH0, ONE4, VRF, ETH0), score(test, ONE4, VRF, ONE4, VRF, ETH0),
		score(test, ANY4, ETH0, ONE4, VRF, ETH0), score(test, ANY4, VRF, ONE4, VRF, ETH0),
	};
	u32 i;

	for (i = 0; i + 1 < ARRAY_SIZE(in_vrf); i++)
		KUNIT_EXPECT_GT(test, in_vrf[i], in_vrf[i + 1]);
	KUNIT_EXPECT_GT(test, in_vrf[i], 0);
	KUNIT_EXPECT_EQ(test, in_vrf[0], SDP_BINDING_BEST);
	KUNIT_EXPECT_EQ(test, score(test, ANY6, VRF, ONE4, VRF, ETH0), in_vrf[i]);
	KUNIT_EXPECT_EQ(test, score(test, ONLY6, VRF, ONE4, VRF, ETH0), 0);
	KUNIT_EXPECT_EQ(test, score(test, ONE4, ETH1, ONE4, VRF, ETH0), 0);
	KUNIT_EXPECT_EQ(test, score(test, TWO4, VRF, ONE4, VRF, ETH0), 0);
	/* As net.ipv4.tcp_l3mdev_accept has it. */
	KUNIT_EXPECT_EQ(test, !score(test, ANY4, 0, ONE4, VRF, ETH0),
			!inet_sk_bound_dev_eq(&init_net, 0, VRF, ETH0));
	/* Without a VRF. */
	KUNIT_EXPECT_GT(test, score(test, ONE6, ETH0, ONE6, ETH0, 0),
			score(test, ONE6, 0, ONE6, ETH0, 0));
	KUNIT_EXPECT_GT(test, score(test, ONE6, 0, ONE6, ETH0, 0),
			score(test, ONLY6, ETH0, ONE6, ETH0, 0));
	KUNIT_EXPECT_GT(test, score(test, ONLY6, ETH0, ONE6, ETH0, 0),
			score(test, ANY6, 0, ONE6, ETH0, 0));
	KUNIT_EXPECT_GT(test, score(test, ANY6, 0, ONE6, ETH0, 0), 0);
	KUNIT_EXPECT_EQ(test, score(test, ANY4, 0, ONE6, ETH0, 0), 0);
	KUNIT_EXPECT_EQ(test, score(test, ONE6, ETH1, ONE6, ETH0, 0), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(one_owner),
	KUNIT_CASE(all_assigned),
	KUNIT_CASE(namespaces_apart),
	KUNIT_CASE(beside_each_other),
	KUNIT_CASE(some_leave),
	KUNIT_CASE(not_too_many),
	KUNIT_CASE(best_match),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_ports",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of ports");
MODULE_LICENSE("GPL");
