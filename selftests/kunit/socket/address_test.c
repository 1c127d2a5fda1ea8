// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses that sockets take as destinations and give to applications, and
 * the rule for ports.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/socket/address.c"

/* What address.c calls, and these tests do not. */
int sdp_endpoint_bind(struct sdp_endpoint *ep, u16 port, const struct sdp_bound *to,
		      int (*settled)(struct sdp_endpoint *ep, const void *arg),
		      const void *arg)
{
	return -EINVAL;
}

int sdp_endpoint_follow(struct sdp_endpoint *ep)
{
	return -EINVAL;
}

int sdp_endpoint_autobind(struct sdp_endpoint *ep)
{
	return -EINVAL;
}

int sdp_cgroup_send(struct sdp_sock *s, struct sdp_send *send)
{
	return -EINVAL;
}

void sdp_cgroup_received(struct sdp_sock *s, void *name, int *len)
{
}

void sdp_cgroup_name(struct sdp_sock *s, void *name, int *len, bool peer)
{
}

int sdp_error(struct sdp_sock *s, int err, const char *text)
{
	return err;
}

static struct sock *new_sock(struct kunit *test, int family)
{
	struct sdp6_sock *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	struct sock *sk;

	KUNIT_ASSERT_NOT_NULL(test, s);
	sk = sdp_sock_sk(&s->sdp);
	sk->sk_family = family;
	spin_lock_init(&s->sdp.peer_lock);
	return sk;
}

static int parse_v4_case(struct kunit *test, u32 addr, u16 port, int len,
			 struct sdp_address *to)
{
	struct sockaddr_in in4 = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(addr),
	};

	return sdp_address_parse(new_sock(test, AF_INET), &in4, len, to);
}

static void address__v4(struct kunit *test)
{
	static const struct {
		const char *what;
		u32 addr;
		u16 port;
		int len;
		int err;
		u32 to;
	} cases[] = {
		{ "usual", 0x0a000001, 99, 16, 0, 0x0a000001 },
		{ "longer", 0x0a000001, 99, 28, 0, 0x0a000001 },
		{ "any is this host", 0, 99, 16, 0, INADDR_LOOPBACK },
		{ "largest port", 0x0a000001, 65535, 16, 0, 0x0a000001 },
		{ "no port", 0x0a000001, 0, 16, -EINVAL },
		{ "short", 0x0a000001, 99, 15, -EINVAL },
		{ "nothing", 0x0a000001, 99, 0, -EINVAL },
		{ "negative", 0x0a000001, 99, -1, -EINVAL },
		{ "multicast", 0xe0000001, 99, 16, -ENETUNREACH },
		{ "broadcast", 0xffffffff, 99, 16, -ENETUNREACH },
	};
	struct sdp_address to;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int err = parse_v4_case(test, cases[i].addr, cases[i].port,
					cases[i].len, &to);

		KUNIT_EXPECT_EQ_MSG(test, err, cases[i].err, "%s",
				    cases[i].what);
		if (err)
			continue;
		KUNIT_EXPECT_TRUE(test, ipv6_addr_v4mapped(&to.addr));
		KUNIT_EXPECT_EQ(test, ntohl(to.addr.s6_addr32[3]), cases[i].to);
		KUNIT_EXPECT_EQ(test, to.port, cases[i].port);
		KUNIT_EXPECT_EQ(test, to.ifindex, 0);
	}
}

static void address__families(struct kunit *test)
{
	struct sock *v4 = new_sock(test, AF_INET);
	struct sock *v6 = new_sock(test, AF_INET6);
	struct sockaddr_in6 name = { .sin6_port = htons(1) };
	struct sdp_address to;

	name.sin6_family = AF_INET6;
	KUNIT_EXPECT_EQ(test, -EAFNOSUPPORT,
			sdp_address_parse(v4, &name, sizeof(name), &to));
	name.sin6_family = AF_INET;
	KUNIT_EXPECT_EQ(test, -EAFNOSUPPORT,
			sdp_address_parse(v6, &name, sizeof(name), &to));
	name.sin6_family = AF_UNIX;
	KUNIT_EXPECT_EQ(test, -EAFNOSUPPORT,
			sdp_address_parse(v4, &name, sizeof(name), &to));
	KUNIT_EXPECT_EQ(test, -EAFNOSUPPORT,
			sdp_address_parse(v6, &name, sizeof(name), &to));
}

#define V6(...) { .in6_u.u6_addr8 = { __VA_ARGS__ } }

static void address__v6(struct kunit *test)
{
	static const struct {
		const char *what;
		struct in6_addr addr;
		int len;
		int scope;
		int bound;
		int err;
		int ifindex;
	} cases[] = {
		{ "usual", V6(0xfd, [15] = 1), 28, 0, 0, 0, 0 },
		{ "scope of a global one is ignored", V6(0xfd, [15] = 1), 28, 3,
		  0, 0, 0 },
		{ "short", V6(0xfd, [15] = 1), 27, 0, 0, -EINVAL, 0 },
		{ "link-local", V6(0xfe, 0x80, [15] = 1), 28, 3, 0, 0, 3 },
		{ "link-local without interface", V6(0xfe, 0x80, [15] = 1), 28,
		  0, 0, -EINVAL, 0 },
		{ "link-local, negative scope", V6(0xfe, 0x80, [15] = 1), 28,
		  -1, 0, -EINVAL, 0 },
		{ "link-local, bound socket", V6(0xfe, 0x80, [15] = 1), 28, 0,
		  4, 0, 4 },
		{ "link-local, bound elsewhere", V6(0xfe, 0x80, [15] = 1), 28,
		  3, 4, -EINVAL, 0 },
		{ "multicast", V6(0xff, 2, [15] = 1), 28, 3, 0, -ENETUNREACH,
		  0 },
		{ "mapped", V6([10] = 0xff, 0xff, 10, 0, 0, 1), 28, 0, 0, 0,
		  0 },
		{ "mapped multicast", V6([10] = 0xff, 0xff, 224, 0, 0, 1), 28,
		  0, 0, -ENETUNREACH, 0 },
	};
	struct sock *sk = new_sock(test, AF_INET6);
	struct sdp_address to;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sockaddr_in6 in6 = {
			.sin6_family = AF_INET6,
			.sin6_port = htons(7),
			.sin6_addr = cases[i].addr,
			.sin6_scope_id = cases[i].scope,
		};
		int err;

		sk->sk_bound_dev_if = cases[i].bound;
		err = sdp_address_parse(sk, &in6, cases[i].len, &to);
		KUNIT_EXPECT_EQ_MSG(test, err, cases[i].err, "%s",
				    cases[i].what);
		if (err)
			continue;
		KUNIT_EXPECT_EQ(test, to.ifindex, cases[i].ifindex);
		KUNIT_EXPECT_EQ(test, to.port, 7);
		KUNIT_EXPECT_MEMEQ(test, &to.addr, &cases[i].addr,
				   sizeof(to.addr));
	}
}

static void address__v6_only(struct kunit *test)
{
	struct sock *sk = new_sock(test, AF_INET6);
	struct sockaddr_in6 mapped = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(7),
		.sin6_addr = V6([10] = 0xff, 0xff, 10, 0, 0, 1),
	};
	struct sdp_address to;

	sk->sk_ipv6only = 1;
	KUNIT_EXPECT_EQ(test, -ENETUNREACH,
			sdp_address_parse(sk, &mapped, sizeof(mapped), &to));
}

static void address__v6_any(struct kunit *test)
{
	struct sock *sk = new_sock(test, AF_INET6);
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(7),
	};
	struct sdp_address to;

	KUNIT_EXPECT_EQ(test, 0, sdp_address_parse(sk, &any, sizeof(any), &to));
	KUNIT_EXPECT_TRUE(test, ipv6_addr_loopback(&to.addr));
	ipv6_addr_set_v4mapped(htonl(0x0a000001), &sk->sk_v6_rcv_saddr);
	KUNIT_EXPECT_EQ(test, 0, sdp_address_parse(sk, &any, sizeof(any), &to));
	KUNIT_EXPECT_EQ(test, to.addr.s6_addr32[3], htonl(INADDR_LOOPBACK));
}

static void address__fill(struct kunit *test)
{
	struct sdp_address from = {
		.addr = V6(0xfe, 0x80, [15] = 1), .port = 5, .ifindex = 3,
	};
	struct sdp_address mapped = {
		.addr = V6([10] = 0xff, 0xff, 10, 0, 0, 1), .port = 6,
	};
	struct sockaddr_storage name;
	struct sockaddr_in6 *in6 = (void *)&name;
	struct sockaddr_in *in4 = (void *)&name;

	memset(&name, 0xa5, sizeof(name));
	KUNIT_EXPECT_EQ(test, 28, sdp_address_fill(new_sock(test, AF_INET6),
						   &from, &name));
	KUNIT_EXPECT_EQ(test, in6->sin6_family, AF_INET6);
	KUNIT_EXPECT_EQ(test, ntohs(in6->sin6_port), 5);
	KUNIT_EXPECT_EQ(test, in6->sin6_flowinfo, 0);
	KUNIT_EXPECT_EQ(test, in6->sin6_scope_id, 3);
	KUNIT_EXPECT_EQ(test, 16, sdp_address_fill(new_sock(test, AF_INET),
						   &mapped, &name));
	KUNIT_EXPECT_EQ(test, in4->sin_family, AF_INET);
	KUNIT_EXPECT_EQ(test, ntohl(in4->sin_addr.s_addr), 0x0a000001);
	KUNIT_EXPECT_EQ(test, *(u64 *)in4->sin_zero, 0);
}

static void address__ports(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sdp_address_port_rule(0), 0);
	KUNIT_EXPECT_EQ(test, sdp_address_port_rule(1), 1);
	KUNIT_EXPECT_EQ(test, sdp_address_port_rule(0x7fff), 1);
	KUNIT_EXPECT_EQ(test, sdp_address_port_rule(0x8000), -EINVAL);
	KUNIT_EXPECT_EQ(test, sdp_address_port_rule(0xffff), -EINVAL);
}

static void address__peer(struct kunit *test)
{
	struct sdp_sock *s = sdp_sk(new_sock(test, AF_INET));
	struct sdp_address to = { .port = 9 }, got;

	KUNIT_EXPECT_FALSE(test, sdp_address_peer(s, &got));
	set_peer(s, &to);
	KUNIT_EXPECT_TRUE(test, sdp_address_peer(s, &got));
	KUNIT_EXPECT_EQ(test, got.port, 9);
	/* The route cache stays empty, see docs/wire.md on places. */
	KUNIT_EXPECT_EQ(test, s->inet.inet_daddr, 0);
	set_peer(s, NULL);
	KUNIT_EXPECT_FALSE(test, sdp_address_peer(s, &got));
}

static struct kunit_case address_cases[] = {
	KUNIT_CASE(address__v4),
	KUNIT_CASE(address__families),
	KUNIT_CASE(address__v6),
	KUNIT_CASE(address__v6_only),
	KUNIT_CASE(address__v6_any),
	KUNIT_CASE(address__fill),
	KUNIT_CASE(address__ports),
	KUNIT_CASE(address__peer),
	{}
};

static struct kunit_suite address_suite = {
	.name = "sdp_socket_address",
	.test_cases = address_cases,
};

kunit_test_suite(address_suite);

MODULE_DESCRIPTION("KUnit tests of SDP's socket addresses");
MODULE_LICENSE("GPL");
