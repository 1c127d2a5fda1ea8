// SPDX-License-Identifier: Apache-2.0
// One port of several sockets: each gets what is for it, and nothing of what is for another.
#include <atomic>
#include <optional>
#include <unistd.h>

#include "lib/packet.hpp"
#include "lib/proc.hpp"
#include "lib/vrf.hpp"

using namespace vrf;

namespace {

/// A packet as a program on @a host makes it, whatever the module there has.
void inject(const net::Host &host, const net::Address &to, const Bytes &homa)
{
	Fd fd = host.ns.socket(to.storage.ss_family, SOCK_RAW, packet::protocol);
	net::Address raw = to;
	// Raw sockets know no ports.
	reinterpret_cast<sockaddr_in *>(&raw.storage)->sin_port = 0;
	EQ(sendto(fd, homa.data(), homa.size(), 0, raw.raw(), raw.length), homa.size());
}

} // namespace

SETUP
{
	three_hosts();
}

/// Who gets what: sockets, and for each of some destinations which of them.
struct Delivery {
	struct Packet {
		bool from_other;
		std::string to;
		/// Of the sockets, -1: of none.
		int gets;
	};
	std::vector<Spec> sockets;
	std::vector<Packet> packets;
};

static const Delivery deliveries[] = {
	// Addresses.
	{{{AF_INET, "10.0.0.2"}, {AF_INET, "10.0.0.22"}, {AF_INET, "127.0.0.1"}},
	 {{false, "10.0.0.2", 0}, {false, "10.0.0.22", 1}, {true, "10.0.0.2", -1}}},
	{{{AF_INET6, "fd00::2"}, {AF_INET6, "fd00::22"}, {AF_INET6, "::ffff:10.0.0.2"}},
	 {{false, "fd00::2", 0},
	  {false, "fd00::22", 1},
	  {false, "10.0.0.2", 2},
	  {false, "10.0.0.22", -1}}},
	// Families.
	{{{AF_INET, "0.0.0.0"}, {AF_INET6, "::", true}},
	 {{false, "10.0.0.2", 0}, {false, "fd00::22", 1}, {false, "10.0.0.22", 0}}},
	{{{AF_INET6, "::", true}, {AF_INET6, "::ffff:0.0.0.0"}},
	 {{false, "10.0.0.2", 1}, {false, "fd00::2", 0}}},
	{{{AF_INET6, "::", true}, {AF_INET, "10.0.0.22"}, {AF_INET, "10.0.0.2"}},
	 {{false, "10.0.0.2", 2}, {false, "fd00::2", 0}, {false, "10.0.0.22", 1}}},
	// Devices and VRFs.
	{{{AF_INET6, "::", false, "eth0"}, {AF_INET6, "::", false, "red"}},
	 {{false, "10.0.0.2", 0},
	  {true, "10.0.0.2", 1},
	  {false, "fd00::2", 0},
	  {true, "fd00::2", 1}}},
	{{{AF_INET, "10.0.0.2", false, "eth0"}, {AF_INET, "10.0.0.2", false, "eth1"}},
	 {{false, "10.0.0.2", 0}, {true, "10.0.0.2", 1}, {true, "10.0.0.22", -1}}},
	// The device goes before its VRF, in whichever order they come, an address before both.
	{{{AF_INET, "0.0.0.0", false, "red"}, {AF_INET, "0.0.0.0", false, "eth1"}},
	 {{true, "10.0.0.2", 1}, {false, "10.0.0.2", -1}}},
	{{{AF_INET, "0.0.0.0", false, "eth1"}, {AF_INET, "0.0.0.0", false, "red"}},
	 {{true, "10.0.0.2", 0}, {true, "10.0.0.22", 0}}},
	{{{AF_INET, "0.0.0.0", false, "eth1"}, {AF_INET, "10.0.0.2", false, "red"}},
	 {{true, "10.0.0.2", 1}, {true, "10.0.0.22", 0}}},
	// One of no device, and one of another address in a VRF.
	{{{AF_INET, "10.0.0.22"}, {AF_INET, "10.0.0.2", false, "red"}, {AF_INET6, "::", true}},
	 {{false, "10.0.0.22", 0},
	  {true, "10.0.0.2", 1},
	  {true, "10.0.0.22", -1},
	  {false, "fd00::2", 2},
	  {true, "fd00::2", -1}}},
};

TEST_LIMIT(each_gets_its_own, 300)
{
	for (bool secure : {false, true})
		for (const Delivery &delivery : deliveries) {
			std::vector<PlainSocket> sockets;
			sockets.reserve(delivery.sockets.size());
			for (const Spec &spec : delivery.sockets)
				sockets.push_back(bound(spec));
			for (const Delivery::Packet &packet : delivery.packets) {
				const net::Host &from = packet.from_other ? *other : hosts->a;
				net::Address to = net::Address::of(packet.to, server_port);
				PlainSocket client(from.ns, to.storage.ss_family);
				if (packet.gets < 0) {
					client.request(to, pattern(10), 1);
					client.expect_failure(ENOTCONN);
					continue;
				}
				const PlainSocket &server =
					sockets[static_cast<size_t>(packet.gets)];
				if (secure) {
					bool v6 = to.storage.ss_family == AF_INET6;
					auto self = net::Address::of(v6 ? from.v6 : from.v4,
								     client.port());
					session::join(client.fd(), self, server.fd(), to);
				}
				echo(client, to, server);
				for (const PlainSocket &socket : sockets)
					CHECK(silent(socket));
			}
		}
}

// Link-local addresses of one name on two links.
TEST(same_link_local_address)
{
	std::vector<PlainSocket> servers;
	for (const char *device : {"eth0", "eth1"})
		servers.push_back(bound({AF_INET6, "fe80::2", false, "", device}));
	for (unsigned i = 0; i < 2; i++) {
		const net::Host &from = i ? *other : hosts->a;
		Spec server{AF_INET6, "fe80::2", false, "", "eth0"};
		PlainSocket client(from.ns, AF_INET6);
		echo(client, server.at(from.ns, server_port), servers[i]);
	}
}

// Two hosts of one address, and the requests of both have one name. Each is another's, in
// each of what is kept: RPCs, what was received, and acknowledged.
TEST(same_names_in_two_vrfs)
{
	for (int domain : {AF_INET, AF_INET6}) {
		PlainSocket zero =
			bound({domain, domain == AF_INET ? "0.0.0.0" : "::", false, "eth0"});
		PlainSocket one =
			bound({domain, domain == AF_INET ? "0.0.0.0" : "::", false, "red"});
		net::Address to = net::Address::of(domain == AF_INET ? "10.0.0.2" : "fd00::2", 0);
		auto request = [&](const net::Host &from, uint64_t id, uint64_t seed) {
			inject(from, to,
			       packet::make_message({40000, server_port, id}, pattern(200, seed)));
		};
		proc::Counters counters(hosts->b.ns);
		request(hosts->a, 100, 1);
		request(*other, 100, 2);
		PlainMessage of_a = zero.expect(), of_other = one.expect();
		EQ(pattern_error(of_a.bytes, 1), "");
		EQ(pattern_error(of_other.bytes, 2), "");
		EQ(of_a.rpc->id, of_other.rpc->id);
		EQ(proc::lines(hosts->b.ns, "rpcs").size(), 2);
		// Once each.
		request(hosts->a, 100, 1);
		request(*other, 100, 2);
		zero.reply(of_a, pattern(10));
		one.reply(of_other, pattern(10));
		CHECK(silent(zero) && silent(one));
		EQ(proc::lines(hosts->b.ns, "rpcs").size(), 2);
		// What one acknowledges is its own.
		inject(*other, to, packet::make_ack({40000, server_port, 100}, {}));
		EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").size() == 1);
		inject(*other, to, packet::make_ack({40000, server_port, 100}, {}));
		inject(*other, to,
		       packet::make_ack({40000, server_port, 102}, {{100, server_port}}));
		EVENTUALLY(counters.moved("rx_ack") == 3);
		EQ(proc::lines(hosts->b.ns, "rpcs").size(), 1);
		inject(hosts->a, to,
		       packet::make_ack({40000, server_port, 102}, {{100, server_port}}));
		EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	}
}

// What a client has had executed is not executed again when a late packet of it comes,
// whatever has become of the socket, or whosever the port is.
TEST(executed_once_whatever_it_is_bound_to)
{
	net::Address to = net::Address::of("10.0.0.2", server_port);
	// None that others have used here.
	uint64_t id = 100000;
	for (unsigned change = 0; change < 4; change++, id += 2) {
		PlainSocket server = bound({AF_INET, "0.0.0.0"});
		std::optional<PlainSocket> next;
		auto request = [&] {
			inject(hosts->a, to,
			       packet::make_message({40000, server_port, id}, pattern(200)));
		};
		request();
		PlainMessage got = server.expect();
		server.reply(got, pattern(10));
		inject(hosts->a, to, packet::make_ack({40000, server_port, id}, {}));
		EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
		if (change == 0)
			OK(to_device(server.fd(), "eth0"));
		else if (change == 1)
			OK(net::bind_to(server.fd(), to));
		else if (change == 2)
			OK(net::bind_to(server.fd(), net::Address::of("10.0.0.22", server_port)));
		if (change >= 2)
			server.close();
		if (change >= 2)
			next = bound({AF_INET, "10.0.0.2", false, "eth0"});
		proc::Counters counters(hosts->b.ns);
		request();
		EVENTUALLY(counters.moved("rx_data") == 1);
		CHECK(silent(next ? *next : server));
		CHECK(proc::lines(hosts->b.ns, "rpcs").empty());
		// A new one is.
		id += 2;
		request();
		EQ((next ? *next : server).expect().bytes.size(), 200);
	}
}

namespace {

/// What a server adds to what it echoes.
constexpr uint64_t seed_of(size_t server)
{
	return 100 + server;
}

/// Answers @a count requests, each by as many bytes as it has, of this server.
void answer(const PlainSocket &server, size_t index, unsigned count)
{
	while (count--) {
		PlainMessage request = server.expect();
		server.reply(request, pattern(request.bytes.size(), seed_of(index)));
	}
}

/// Two addresses of b, a socket at each; port 4000.
struct Two {
	explicit Two(int domain)
		: names(domain == AF_INET ? std::vector<std::string>{"10.0.0.2", "10.0.0.22"}
					  : std::vector<std::string>{"fd00::2", "fd00::22"})
	{
		for (const std::string &name : names) {
			sockets.push_back(bound({domain, name}));
			at.push_back(net::Address::of(name, server_port));
		}
	}

	std::vector<std::string> names;
	std::vector<PlainSocket> sockets;
	std::vector<net::Address> at;
};

} // namespace

// Both are servers and clients at once, of each other's hosts, in the clear and in sessions.
TEST_LIMIT(both_at_once, 300)
{
	constexpr unsigned rounds = 60;
	for (bool secure : {false, true})
		for (int domain : {AF_INET, AF_INET6}) {
			Two two(domain);
			PlainSocket far(hosts->a.ns, domain, server_port);
			std::string far_name = domain == AF_INET ? hosts->a.v4 : hosts->a.v6;
			net::Address far_at = net::Address::of(far_name, server_port);
			proc::Counters counters(hosts->b.ns);
			std::vector<std::unique_ptr<test::Thread>> threads;
			std::vector<PlainSocket> clients;
			for (size_t i = 0; i < 2; i++) {
				clients.emplace_back(hosts->a.ns, domain);
				if (!secure)
					continue;
				session::join(clients[i].fd(),
					      net::Address::of(far_name, clients[i].port()),
					      two.sockets[i].fd(), two.at[i]);
				session::join(two.sockets[i].fd(), two.at[i], far.fd(), far_at);
			}
			for (size_t i = 0; i < 2; i++)
				threads.push_back(std::make_unique<test::Thread>([&, i] {
					for (unsigned n = 1; n <= rounds; n++) {
						size_t length = n * 700;
						clients[i].request(two.at[i], pattern(length), n);
						PlainMessage got = clients[i].expect();
						EQ(got.bytes.size(), length);
						EQ(pattern_error(got.bytes, seed_of(i)), "");
					}
				}));
			threads.push_back(std::make_unique<test::Thread>(
				[&] { answer(far, 7, 2 * rounds); }));
			for (size_t i = 0; i < 2; i++)
				threads.push_back(std::make_unique<test::Thread>([&, i] {
					// One of its own under way at all times.
					unsigned served = 0, own = 1;
					two.sockets[i].request(far_at, pattern(500), own);
					while (served < rounds || own <= rounds) {
						PlainMessage got = two.sockets[i].expect();
						if (got.is_request()) {
							served++;
							two.sockets[i].reply(
								got, pattern(got.bytes.size(),
									     seed_of(i)));
							continue;
						}
						EQ(got.rpc->cookie, own);
						EQ(pattern_error(got.bytes, seed_of(7)), "");
						if (++own <= rounds)
							two.sockets[i].request(
								far_at, pattern(500 * own), own);
					}
				}));
			for (auto &thread : threads)
				thread->join();
			EQ(counters.moved("drop_no_socket"), 0);
			EQ(counters.moved("drop_mismatch"), 0);
		}
}

// The one that stays hears and says what it did.
TEST(close_of_one_leaves_the_other)
{
	for (int domain : {AF_INET, AF_INET6})
		for (size_t gone : {0, 1}) {
			Two two(domain);
			PlainSocket client(hosts->a.ns, domain);
			size_t left = 1 - gone;
			client.request(two.at[gone], pattern(10), 1);
			two.sockets[gone].expect();
			client.request(two.at[left], pattern(10), 2);
			PlainMessage held = two.sockets[left].expect();
			OK(client.abort(0, 1, 0));
			two.sockets[gone].linger(0);
			two.sockets[gone].close();
			client.request(two.at[gone], pattern(10), 3);
			client.expect_failure(ENOTCONN);
			echo(client, two.at[left], two.sockets[left]);
			two.sockets[left].reply(held, pattern(20));
			EQ(client.expect().rpc->cookie, 2);
			// Another takes the place, none can be over both.
			PlainSocket next = bound({domain, two.names[gone]});
			PlainSocket wild(hosts->b.ns, domain);
			FAILS(net::bind_to(wild.fd(), net::Address::any(domain, server_port)),
			      EADDRINUSE);
			echo(client, two.at[gone], next);
			echo(client, two.at[left], two.sockets[left]);
		}
}

// A closed socket's response is on its way while others have its port, at its address and
// at another one, and clients whose requests have the same name ask these.
TEST(orphan_beside_sockets_of_its_port)
{
	for (bool secure : {false, true}) {
		PlainSocket leaves = bound({AF_INET, "0.0.0.0", false, "eth0"});
		PlainSocket stays = bound({AF_INET, "0.0.0.0", false, "red"});
		PlainSocket client(hosts->a.ns, AF_INET), far(other->ns, AF_INET);
		net::Address to = net::Address::of("10.0.0.2", server_port);
		if (secure) {
			session::join(client.fd(), net::Address::of("10.0.0.1", client.port()),
				      leaves.fd(), to);
			session::join(far.fd(), net::Address::of("10.0.0.1", far.port()),
				      stays.fd(), to);
		}
		client.request(to, pattern(10), 1);
		PlainMessage request = leaves.expect();
		hosts->a.ns.sh("ip link set eth0 down");
		leaves.reply(request, pattern(200000));
		const ::linger none{};
		OK(setsockopt(leaves.fd(), SOL_SOCKET, SO_LINGER, &none, sizeof(none)));
		proc::Counters counters(hosts->b.ns);
		leaves.close();
		PlainSocket next = bound({AF_INET, "10.0.0.22", false, "eth0"});
		PlainSocket same = bound({AF_INET, "10.0.0.2", false, "eth0"});
		echo(far, to, stays);
		if (!secure) {
			// By the name that the orphan's RPC has, but from the VRF.
			uint64_t id = request.rpc->id ^ 1;
			inject(*other, net::Address::of("10.0.0.2", 0),
			       packet::make_message({client.port(), server_port, id},
						    pattern(50, 3)));
			EQ(pattern_error(stays.expect().bytes, 3), "");
		}
		hosts->a.ns.sh("ip link set eth0 up");
		PlainMessage response = client.expect();
		EQ(response.bytes.size(), 200000);
		EQ(pattern_error(response.bytes), "");
		CHECK(silent(next) && silent(same) && silent(stays));
		if (!secure) {
			echo(client, to, same);
			echo(client, net::Address::of("10.0.0.22", server_port), next);
		}
		EVENTUALLY(proc::lines(hosts->b.ns, "sockets").size() == 3);
	}
}

// A bind() that is refused has changed nothing, one that succeeds all at once; requests are
// under way to both.
TEST_LIMIT(rebinding, 200)
{
	Two two(AF_INET);
	auto name = [](const PlainSocket &socket) {
		net::Address own;
		OK(getsockname(socket.fd(), own.raw(), &own.length));
		return own.text();
	};
	net::Address any = net::Address::any(AF_INET, server_port);
	net::Address present = net::Address::any(AF_INET, 0);
	int fd = two.sockets[0].fd();
	// By its port, or as what it has.
	FAILS(net::bind_to(fd, two.at[1]), EADDRINUSE);
	FAILS(net::bind_to(fd, any), EADDRINUSE);
	FAILS(net::bind_to(fd, present), EADDRINUSE);
	FAILS(net::bind_to(fd, net::Address::of("10.0.0.22", 0)), EADDRINUSE);
	EQ(name(two.sockets[0]), "10.0.0.2#4000");
	OK(net::bind_to(fd, two.at[0]));

	// To and fro between two addresses, beside one that stays; its own requests go to
	// where it is all the time.
	PlainSocket moves = bound({AF_INET, "127.0.0.1"});
	PlainSocket client(hosts->a.ns, AF_INET);
	proc::Counters counters(hosts->b.ns);
	std::atomic<bool> stop = false;
	test::Thread mover([&] {
		net::Address there = net::Address::of("127.0.0.2", server_port);
		net::Address here = net::Address::of("127.0.0.1", 0);
		while (!stop) {
			OK(net::bind_to(moves.fd(), there));
			FAILS(net::bind_to(moves.fd(), any), EADDRINUSE);
			OK(net::bind_to(moves.fd(), here));
			FAILS(net::bind_to(moves.fd(), two.at[1]), EADDRINUSE);
		}
	});
	for (unsigned i = 0; i < 150; i++)
		for (size_t n = 0; n < 2; n++)
			echo(client, two.at[n], two.sockets[n], 100);
	stop = true;
	mover.join();
	EQ(counters.moved("drop_no_socket"), 0);
	two.sockets[1].close();
	moves.close();

	// From a wildcard to the address that requests come to, and back.
	stop = false;
	test::Thread narrower([&] {
		while (!stop) {
			OK(net::bind_to(fd, any));
			OK(net::bind_to(fd, two.at[0]));
			OK(to_device(fd, "eth0"));
			OK(to_device(fd, ""));
		}
	});
	for (unsigned i = 0; i < 300; i++)
		echo(client, two.at[0], two.sockets[0], 100);
	stop = true;
	narrower.join();
	EQ(counters.moved("drop_no_socket"), 0);
	// To another port and back, beside others there.
	PlainSocket next = bound({AF_INET, "10.0.0.22"}, server_port + 1);
	// Once its last response is acknowledged.
	EVENTUALLY(net::bind_to(fd, net::Address::of("10.0.0.2", server_port + 1)) == 0);
	client.request(two.at[0], pattern(10), 9);
	client.expect_failure(ENOTCONN);
	echo(client, net::Address::of("10.0.0.2", server_port + 1), two.sockets[0]);
	echo(client, net::Address::of("10.0.0.22", server_port + 1), next);
	FAILS(net::bind_to(fd, net::Address::any(AF_INET, server_port + 1)), EADDRINUSE);
	EVENTUALLY(net::bind_to(fd, any) == 0);
	echo(client, two.at[0], two.sockets[0]);
}

// One socket's RPCs, and another one that is bound to where they were: these are not its.
TEST(rpcs_of_one_that_has_moved)
{
	PlainSocket server = bound({AF_INET, "10.0.0.2"});
	PlainSocket client(hosts->a.ns, AF_INET);
	net::Address to = net::Address::of("10.0.0.2", server_port);
	client.request(to, pattern(10), 1);
	PlainMessage held = server.expect();
	OK(net::bind_to(server.fd(), net::Address::of("10.0.0.22", server_port)));
	PlainSocket next = bound({AF_INET, "10.0.0.2"});
	// The client asks there; what has been executed is not executed again.
	proc::Counters counters(hosts->b.ns);
	EVENTUALLY(counters.moved("rx_resend") >= 2);
	CHECK(silent(next));
	echo(client, net::Address::of("10.0.0.22", server_port), server);
	// Its response leaves from where the request came to.
	server.reply(held, pattern(20));
	EQ(client.expect().bytes.size(), 20);
	echo(client, to, next);
}
