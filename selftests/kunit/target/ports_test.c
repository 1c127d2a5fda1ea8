// SPDX-License-Identifier: GPL-2.0-only
/* Ports: one owner each, the last free one is found, and no other namespace counts. */
#include <kunit/test.h>
#include <linux/module.h>

#include "../../../module/target/state/ports.c"

#define AUTO (SDP_PORTS - SDP_PORTS_AUTO)

static struct sdp_endpoint *const me = (struct sdp_endpoint *)0x10;
static struct sdp_endpoint *const other = (struct sdp_endpoint *)0x20;

static struct sdp_ports *make_ports(struct kunit *test)
{
	struct sdp_ports *ports = kunit_kzalloc(test, sizeof(*ports), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ports);
	sdp_ports_init(ports);
	return ports;
}

static struct sdp_endpoint *owner_of_port(struct sdp_ports *ports, u16 port)
{
	struct sdp_endpoint *owner;

	rcu_read_lock();
	owner = sdp_ports_find(ports, port);
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

static void one_owner(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);

	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 4000, me), 4000);
	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 4000, other), -EADDRINUSE);
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, 4000), me);
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 4001));
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 9));
	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 4001, other), 4001);
	sdp_ports_free(ports, 4000);
	KUNIT_EXPECT_NULL(test, owner_of_port(ports, 4000));
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, 4001), other);
	sdp_ports_free(ports, 4001);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, SDP_PORTS - 1, me), SDP_PORTS - 1);
	sdp_ports_free(ports, SDP_PORTS - 1);
}

/* Each assigned port once; then none; then again the one that has come free. */
static void all_assigned(struct kunit *test)
{
	struct sdp_ports *ports = make_ports(test);
	int i, port = 0;

	for (i = 0; i < AUTO; i++) {
		port = sdp_ports_take(ports, 0, me);
		if (port < SDP_PORTS_AUTO || owner_of_port(ports, port) != me)
			break;
	}
	KUNIT_ASSERT_EQ(test, i, AUTO);
	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 0, me), -EADDRINUSE);
	/* Those of servers are others. */
	KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 1, me), 1);
	sdp_ports_free(ports, 1);
	for (i = 0; i < 100; i++) {
		port = SDP_PORTS_AUTO + (i < 2 ? i * (AUTO - 1) :
					 get_random_u32_below(AUTO));
		sdp_ports_free(ports, port);
		KUNIT_EXPECT_EQ(test, sdp_ports_take(ports, 0, other), port);
		KUNIT_EXPECT_PTR_EQ(test, owner_of_port(ports, port), other);
	}
	for (i = SDP_PORTS_AUTO; i < SDP_PORTS; i++)
		sdp_ports_free(ports, i);
	KUNIT_EXPECT_TRUE(test, is_empty(ports));
}

/* Who holds one namespace's lock keeps nobody of another waiting. */
static void namespaces_apart(struct kunit *test)
{
	struct sdp_ports *busy = make_ports(test), *ports = make_ports(test);
	bool free;
	int port;

	KUNIT_EXPECT_EQ(test, sdp_ports_take(busy, 4000, me), 4000);
	port = sdp_ports_take(ports, 4000, other);
	KUNIT_EXPECT_EQ(test, port, 4000);
	KUNIT_EXPECT_PTR_EQ(test, owner_of_port(busy, 4000), me);
	spin_lock(&busy->lock);
	free = spin_trylock(&ports->lock);
	if (free)
		spin_unlock(&ports->lock);
	spin_unlock(&busy->lock);
	KUNIT_EXPECT_TRUE(test, free);
	sdp_ports_free(ports, 4000);
	sdp_ports_free(busy, 4000);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(one_owner),
	KUNIT_CASE(all_assigned),
	KUNIT_CASE(namespaces_apart),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_ports",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_DESCRIPTION("KUnit tests of ports");
MODULE_LICENSE("GPL");
