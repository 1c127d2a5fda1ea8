// SPDX-License-Identifier: Apache-2.0
// Bad networks: packets lost, repeated, late and changed, by a program as the
// link and by netem on a router; links that change under a message.
#include <chrono>
#include <memory>
#include <poll.h>

#include "lib/leaks.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/soak.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

constexpr uint16_t port = 4000;

enum class Mode { clear, secure };

struct Ends {
	Ends(const net::Host &from, const net::Host &at, Mode mode, net::Family family)
		: client(from.ns, net::domain(family)),
		  server(at.ns, net::domain(family), port),
		  to(at.at(family, port))
	{
		if (mode == Mode::clear)
			return;
		OK(net::bind_to(client.fd(), net::Address::any(net::domain(family), 0)));
		session::join(client.fd(), from.at(family, client.port()), server.fd(), to);
	}

	PlainSocket client;
	PlainSocket server;
	net::Address to;
};

soak::Load usual_load()
{
	soak::Load load;
	load.rpcs = 150;
	load.largest = 50000;
	return load;
}

void over_wire(net::Mishaps mishaps, Mode mode, net::Family family = net::Family::v4)
{
	net::Wired link;
	Ends ends(link.a, link.b, mode, family);
	link.set(net::bad_link(link, mishaps));
	soak::both(ends.client, ends.server, ends.to, usual_load());
	link.set({});
}

/// Routed hosts whose packets are cut before the router.
struct Router {
	explicit Router(const std::string &netem, unsigned mtu = 1500) : net(mtu)
	{
		net.a.ns.sh("ethtool -K eth0 tso off");
		net.b.ns.sh("ethtool -K eth0 tso off");
		if (!netem.empty())
			net.router.sh("tc qdisc add dev to_a root netem " + netem +
				      "; tc qdisc add dev to_b root netem " + netem);
	}

	net::Routed net;
};

void over_router(const std::string &netem, Mode mode, net::Family family = net::Family::v4)
{
	Router router(netem);
	Ends ends(router.net.a, router.net.b, mode, family);
	soak::both(ends.client, ends.server, ends.to, usual_load());
}

/// On a device that is out of use for a while nobody is given up for unreachable after
/// the 3 s that are usual.
void ask_long_for_neighbours(const net::Netns &ns, const std::string &device)
{
	for (const char *how : {"/mcast_solicit", "/ucast_solicit"})
		ns.sh("echo 60 >/proc/sys/net/ipv4/neigh/" + device + how);
}

/// Two hosts with an address each of 10.9.9.0/24, reached over two links.
struct TwoLinks {
	TwoLinks()
	{
		for (const char *device : {"one", "two"}) {
			a.sh(std::string("ip link add ") + device + " type veth peer name " +
			     device + " netns " + b.path());
			ask_long_for_neighbours(a, device);
			ask_long_for_neighbours(b, device);
		}
		for (const auto &[ns, number] : {std::pair(&a, "1"), std::pair(&b, "2")})
			ns->sh(std::string("ip addr add 10.9.9.") + number +
			       "/32 dev lo; ip addr add 10.0.1." + number +
			       "/24 dev one; ip addr add 10.0.2." + number +
			       "/24 dev two; ip link set one up; ip link set two up");
		use(1);
	}

	void use(int link) const
	{
		std::string via = "10.0." + std::to_string(link) + ".";
		a.sh("ip route replace 10.9.9.2 via " + via + "2 src 10.9.9.1");
		b.sh("ip route replace 10.9.9.1 via " + via + "1 src 10.9.9.2");
	}

	net::Netns a;
	net::Netns b;
};

} // namespace

TEST_LIMIT(loss, 180)
{
	over_wire({.lose = 10}, Mode::clear);
}
TEST_LIMIT(loss_secure, 180)
{
	over_wire({.lose = 10}, Mode::secure);
}
TEST_LIMIT(reorder, 180)
{
	over_wire({.reorder = 30}, Mode::clear);
}
TEST_LIMIT(reorder_secure, 180)
{
	over_wire({.reorder = 30}, Mode::secure);
}
TEST_LIMIT(duplicates, 180)
{
	over_wire({.repeat = 30}, Mode::clear);
}
TEST_LIMIT(duplicates_secure, 180)
{
	over_wire({.repeat = 30}, Mode::secure);
}
TEST_LIMIT(everything, 240)
{
	over_wire({.lose = 5, .repeat = 10, .reorder = 20}, Mode::clear);
}
TEST_LIMIT(everything_secure, 240)
{
	over_wire({.lose = 5, .repeat = 10, .reorder = 20}, Mode::secure);
}
TEST_LIMIT(everything_v6, 240)
{
	over_wire({.lose = 5, .repeat = 10, .reorder = 20}, Mode::clear, net::Family::v6);
}
TEST_LIMIT(everything_v6_secure, 240)
{
	over_wire({.lose = 5, .repeat = 10, .reorder = 20}, Mode::secure, net::Family::v6);
}
TEST_LIMIT(half_lost, 300)
{
	net::Wired link;
	Ends ends(link.a, link.b, Mode::clear, net::Family::v4);
	link.set(net::bad_link(link, {.lose = 50}));
	soak::Load load;
	load.rpcs = 20;
	load.largest = 20000;
	soak::both(ends.client, ends.server, ends.to, load);
}

// In the clear nothing would notice changed payload; here nothing may pass.
TEST_LIMIT(flipped_bits, 240)
{
	over_wire({.flip = 5}, Mode::secure);
}
TEST_LIMIT(flipped_bits_v6, 240)
{
	over_wire({.flip = 5}, Mode::secure, net::Family::v6);
}
TEST_LIMIT(everything_and_flipped_bits, 300)
{
	over_wire({.lose = 3, .repeat = 5, .reorder = 10, .flip = 3}, Mode::secure);
}

TEST_LIMIT(netem_loss, 240)
{
	over_router("loss 2%", Mode::clear);
}
TEST_LIMIT(netem_loss_secure, 240)
{
	over_router("loss 2%", Mode::secure);
}
TEST_LIMIT(netem_reorder_duplicate, 240)
{
	over_router("delay 1ms reorder 20% 50% duplicate 5% loss 1%", Mode::clear);
}
TEST_LIMIT(netem_reorder_duplicate_secure, 240)
{
	over_router("delay 1ms reorder 20% 50% duplicate 5% loss 1%", Mode::secure);
}
TEST_LIMIT(netem_v6_secure, 240)
{
	over_router("loss 2%", Mode::secure, net::Family::v6);
}

TEST_LIMIT(router_merges, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		Router router("");
		router.net.router.sh("ethtool -K to_a gro on; ethtool -K to_b gro on");
		router.net.b.ns.sh("ethtool -K eth0 gro on");
		Ends ends(router.net.a, router.net.b, mode, net::Family::v4);
		soak::both(ends.client, ends.server, ends.to, usual_load());
	}
}

TEST_LIMIT(bridge, 240)
{
	// Uncut segments in, packets out: a bridge whose second port is cut.
	for (const char *features : {"tso on", "tso off"})
		for (Mode mode : {Mode::clear, Mode::secure}) {
			net::Netns bridge;
			net::Host a{{}, "10.0.0.1", "fd00::1"};
			net::Host b{{}, "10.0.0.2", "fd00::2"};
			bridge.sh("ip link add br0 type bridge; ip link set br0 up");
			for (const auto &[host, name] :
			     {std::pair(&a, "to_a"), std::pair(&b, "to_b")}) {
				bridge.sh(std::string("ip link add name ") + name +
					  " type veth peer name eth0 netns " + host->ns.path() +
					  "; ip link set " + name + " master br0 up");
				host->ns.sh("ip addr add " + host->v4 +
					    "/24 dev eth0; ip link set eth0 up");
			}
			bridge.sh(std::string("ethtool -K to_b ") + features);
			Ends ends(a, b, mode, net::Family::v4);
			soak::both(ends.client, ends.server, ends.to, usual_load());
		}
}

TEST_LIMIT(smaller_mtu_behind_the_router, 240)
{
	for (net::Family family : {net::Family::v4, net::Family::v6})
		for (Mode mode : {Mode::clear, Mode::secure}) {
			Router router("");
			router.net.router.sh("ip link set to_b mtu 1300");
			router.net.b.ns.sh("ip link set eth0 mtu 1300");
			Ends ends(router.net.a, router.net.b, mode, family);
			soak::Load load = usual_load();
			load.rpcs = 40;
			soak::both(ends.client, ends.server, ends.to, load);
		}
}

TEST_LIMIT(mtu_changes, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		net::Pair pair;
		pair.a.ns.sh("ethtool -K eth0 tso off");
		Ends ends(pair.a, pair.b, mode, net::Family::v4);
		soak::Load load = usual_load();
		load.largest = 200000;
		load.tenth = [&](unsigned tenth) {
			static const char *const sizes[] = {"1280", "9000", "1500", "576"};
			std::string set = std::string("ip link set eth0 mtu ") + sizes[tenth % 4];
			pair.b.ns.sh(set);
			pair.a.ns.sh(set);
		};
		soak::both(ends.client, ends.server, ends.to, load);
	}
}

TEST_LIMIT(features_change, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		net::Pair pair;
		Ends ends(pair.a, pair.b, mode, net::Family::v4);
		soak::Load load = usual_load();
		load.largest = 200000;
		load.tenth = [&](unsigned tenth) {
			static const char *const sets[] = {"tso off", "tso off gso off",
							   "sg on tso on gso on", "sg off"};
			pair.a.ns.sh(std::string("ethtool -K eth0 ") + sets[tenth % 4]);
			pair.b.ns.sh(std::string("ethtool -K eth0 ") + sets[(tenth + 2) % 4]);
		};
		soak::both(ends.client, ends.server, ends.to, load);
	}
}

TEST_LIMIT(route_changes, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		TwoLinks links;
		PlainSocket client(links.a, AF_INET);
		PlainSocket server(links.b, AF_INET, port);
		net::Address to = net::Address::of("10.9.9.2", port);
		OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
		if (mode == Mode::secure)
			session::join(client.fd(), net::Address::of("10.9.9.1", client.port()),
				      server.fd(), to);
		soak::Load load = usual_load();
		load.tenth = [&](unsigned tenth) {
			// The one that was used is really out of use, in the middle.
			bool to_two = tenth % 2;
			links.a.sh("ip link set one up; ip link set two up");
			links.use(to_two ? 2 : 1);
			links.a.sh(to_two ? "ip link set one down" : "ip link set two down");
		};
		soak::both(client, server, to, load);
	}
}

TEST_LIMIT(link_goes_down_for_a_while, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		net::Pair pair;
		ask_long_for_neighbours(pair.a.ns, "eth0");
		ask_long_for_neighbours(pair.b.ns, "eth0");
		Ends ends(pair.a, pair.b, mode, net::Family::v4);
		soak::Load load = usual_load();
		load.tenth = [&](unsigned tenth) {
			if (tenth % 3 == 0)
				pair.b.ns.sh(
					"ip link set eth0 down; sleep 0.1; ip link set eth0 up");
		};
		soak::both(ends.client, ends.server, ends.to, load);
	}
}

TEST_LIMIT(device_removed, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		net::Pair pair;
		Ends ends(pair.a, pair.b, mode, net::Family::v4);
		CHECK(pair.a.ns.sysctl("dead_us", "200000"));
		for (unsigned i = 0; i < 20; i++)
			ends.client.request(ends.to, pattern(300000, i), i);
		pair.a.ns.sh("ip link del eth0");
		for (unsigned i = 0; i < 20; i++) {
			PlainMessage failed = ends.client.receive();
			OK(failed.result);
			CHECK(failed.failed());
			uint32_t error = failed.rpc->error;
			CHECK(error == ETIMEDOUT || error == ENETUNREACH || error == EHOSTUNREACH);
		}
		sdp_rpc_cmsg rpc = rpc_cmsg(0);
		FAILS(ends.client.send(&ends.to, pattern(10), &rpc), ENETUNREACH);
	}
}

TEST_LIMIT(duplicate_requests_execute_once, 240)
{
	net::Wired link;
	Ends ends(link.a, link.b, Mode::clear, net::Family::v4);
	link.set([&](net::Way way, const net::Wired::Packet &packet) {
		for (int i = 0; i < 3; i++)
			link.pass(way, packet);
	});
	for (unsigned i = 0; i < 50; i++)
		ends.client.request(ends.to, pattern(100, i), i);
	for (unsigned i = 0; i < 50; i++)
		ends.server.echo();
	for (unsigned i = 0; i < 50; i++)
		ends.client.expect();
	FAILS(ends.server.receive(MSG_DONTWAIT).result, EAGAIN);
	EQ(proc::Counters::read(link.b.ns)["requests_delivered"], 50);
	EVENTUALLY(proc::lines(link.b.ns, "rpcs").empty());
}

TEST_LIMIT(late_duplicates_execute_once, 240)
{
	// The first packet of a request once more, when its RPC is over. A server
	// may forget who has been silent for four seconds: what took longer proves nothing.
	using Clock = std::chrono::steady_clock;
	constexpr std::chrono::milliseconds remembered(3500);
	net::Wired link;
	Ends ends(link.a, link.b, Mode::clear, net::Family::v4);
	proc::Counters counters(link.b.ns);
	net::Wired::Packet first;
	auto keep = [&](net::Way way, net::Wired::Packet packet) {
		link.pass(way, packet);
		if (way == net::Way::to_b &&
		    packet::parse(net::homa_of(packet)).type == packet::data)
			first = std::move(packet);
	};
	auto rpc = [&] {
		ends.client.request(ends.to, pattern(100));
		ends.server.echo();
		ends.client.expect();
		EVENTUALLY(proc::lines(link.b.ns, "rpcs").empty());
	};
	unsigned proofs = 0;
	unsigned executed = 0;
	for (unsigned tries = 0; proofs < 10 && tries < 100; tries++) {
		link.set(keep);
		Clock::time_point start = Clock::now();
		rpc();
		link.set({});
		uint64_t dropped = counters.moved("drop_program");
		link.pass(net::Way::to_b, first);
		bool in_time = Clock::now() - start < remembered;
		EVENTUALLY(counters.moved("drop_program") > dropped || ends.server.ready(POLLIN));
		bool again = ends.server.ready(POLLIN);
		CHECK(!(in_time && again));
		if (again) {
			ends.server.echo();
			EVENTUALLY(proc::lines(link.b.ns, "rpcs").empty());
		}
		executed += again ? 2 : 1;
		proofs += in_time;
	}
	FAILS(ends.server.receive(MSG_DONTWAIT).result, EAGAIN);
	EQ(counters.moved("requests_delivered"), executed);
	if (!proofs)
		throw test::Skip("every RPC took longer than a server remembers clients");
	test::note(std::to_string(proofs) + " were in time");
}
