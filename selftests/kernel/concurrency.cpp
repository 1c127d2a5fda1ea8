// SPDX-License-Identifier: Apache-2.0
// Many at once: RPCs, peers, hosts, sessions, sockets, threads.
#include <algorithm>
#include <poll.h>
#include <set>
#include <sys/resource.h>

#include "lib/proc.hpp"
#include "lib/soak.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

void allow_files(rlim_t count)
{
	rlimit limit{count, count};
	OK(setrlimit(RLIMIT_NOFILE, &limit));
}

/// Serves @a count requests of @a server with what they hold.
void echo_times(const PlainSocket &server, unsigned count)
{
	while (count--)
		server.echo();
}

} // namespace

SETUP
{
	two_hosts();
}

TEST_LIMIT(thousands_open, 180)
{
	constexpr unsigned count = 4000;
	PlainTalk talk;
	for (unsigned i = 0; i < count; i++)
		talk.client.request(talk.to, pattern(64, i), i);
	// All are open at the client; the server answers in reverse.
	std::vector<PlainMessage> requests;
	for (unsigned i = 0; i < count; i++)
		requests.push_back(talk.server.expect());
	for (auto request = requests.rbegin(); request != requests.rend(); ++request)
		talk.server.reply(*request, request->bytes);
	std::set<uint64_t> seen;
	for (unsigned i = 0; i < count; i++) {
		PlainMessage response = talk.client.expect();
		CHECK(seen.insert(response.rpc->cookie).second);
		EQ(pattern_error(response.bytes, response.rpc->cookie), "");
	}
}

TEST_LIMIT(thousands_open_secure, 180)
{
	constexpr unsigned count = 2000;
	PlainTalk talk;
	make_secure(talk);
	for (unsigned i = 0; i < count; i++)
		talk.client.request(talk.to, pattern(64, i), i);
	echo_times(talk.server, count);
	std::set<uint64_t> seen;
	for (unsigned i = 0; i < count; i++) {
		PlainMessage response = talk.client.expect();
		CHECK(seen.insert(response.rpc->cookie).second);
		EQ(pattern_error(response.bytes, response.rpc->cookie), "");
	}
}

TEST_LIMIT(mixed_sizes, 180)
{
	PlainTalk talk;
	soak::Load load;
	load.rpcs = 600;
	load.outstanding = 64;
	load.largest = 200000;
	soak::both(talk.client, talk.server, talk.to, load);
}

TEST_LIMIT(mixed_sizes_secure, 180)
{
	PlainTalk talk;
	make_secure(talk);
	soak::Load load;
	load.rpcs = 400;
	load.outstanding = 64;
	load.largest = 200000;
	soak::both(talk.client, talk.server, talk.to, load);
}

TEST_LIMIT(threads_on_both_sides, 180)
{
	PlainTalk talk;
	std::vector<std::unique_ptr<test::Thread>> threads;
	for (int i = 0; i < 4; i++)
		threads.push_back(
			std::make_unique<test::Thread>([&] { soak::serve(talk.server); }));
	std::vector<std::unique_ptr<test::Thread>> clients;
	for (unsigned i = 0; i < 4; i++)
		clients.push_back(std::make_unique<test::Thread>([&, i] {
			PlainSocket client(hosts->a.ns, AF_INET);
			soak::Load load;
			load.seed = i;
			load.largest = 30000;
			soak::run(client, talk.to, load);
		}));
	for (auto &client : clients)
		client->join();
	OK(shutdown(talk.server.fd(), SHUT_RDWR));
	for (auto &thread : threads)
		thread->join();
}

TEST_LIMIT(large_from_several, 180)
{
	// More messages than are granted at once, from one address and from many.
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	std::string addresses;
	for (unsigned i = 0; i < 12; i++)
		addresses += "addr add 10.0.1." + std::to_string(i + 1) + "/32 dev eth0\n";
	hosts->a.ns.ip(addresses);
	hosts->b.ns.sh("ip route add 10.0.1.0/24 dev eth0");
	std::vector<std::unique_ptr<PlainSocket>> clients;
	for (unsigned i = 0; i < 12; i++) {
		clients.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		if (i % 3)
			OK(net::bind_to(clients[i]->fd(),
					net::Address::of("10.0.1." + std::to_string(i + 1), 0)));
		clients[i]->request(to, pattern(400000 + i, i), i);
		clients[i]->request(to, pattern(150000 + i, i), i);
	}
	test::Thread serving([&] { echo_times(server, 24); });
	for (unsigned i = 0; i < 12; i++)
		for (int j = 0; j < 2; j++) {
			PlainMessage response = clients[i]->expect();
			EQ(response.rpc->cookie, i);
			EQ(pattern_error(response.bytes, i), "");
		}
	serving.join();
}

TEST_LIMIT(many_hosts, 180)
{
	// Clients of a dozen namespaces, all on one wire with the server.
	net::Netns bridge;
	net::Host server_host{{}, "10.7.0.254", "fd07::fe"};
	bridge.ip("link add br0 type bridge\nlink set br0 up");
	auto plug = [&](const net::Host &host, unsigned number) {
		std::string port = "p" + std::to_string(number);
		bridge.ip("link add " + port + " type veth peer name eth0 netns " + host.ns.path() +
			  "\nlink set " + port + " master br0 up");
		host.ns.ip("addr add " + host.v4 + "/24 dev eth0\naddr add " + host.v6 +
			   "/64 dev eth0 nodad\nlink set eth0 up");
	};
	plug(server_host, 0);
	std::vector<net::Host> others;
	for (unsigned i = 1; i <= 12; i++) {
		others.push_back({{}, "10.7.0." + std::to_string(i), "fd07::" + std::to_string(i)});
		plug(others.back(), i);
	}
	PlainSocket server(server_host.ns, AF_INET6, server_port);
	std::vector<std::unique_ptr<PlainSocket>> clients;
	for (unsigned i = 0; i < 12; i++) {
		net::Family family = i % 2 ? net::Family::v6 : net::Family::v4;
		clients.push_back(std::make_unique<PlainSocket>(others[i].ns, net::domain(family)));
		for (unsigned j = 0; j < 10; j++)
			clients[i]->request(server_host.at(family, server_port),
					    pattern(5000 * j + 1, i), i);
	}
	echo_times(server, 120);
	for (unsigned i = 0; i < 12; i++)
		for (unsigned j = 0; j < 10; j++) {
			PlainMessage response = clients[i]->expect();
			EQ(response.rpc->cookie, i);
			EQ(pattern_error(response.bytes, i), "");
		}
}

TEST_LIMIT(many_sessions_on_a_socket, 180)
{
	constexpr unsigned count = 100;
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	std::vector<std::unique_ptr<PlainSocket>> clients;
	std::set<uint32_t> ids;
	for (unsigned i = 0; i < count; i++) {
		clients.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		PlainSocket &client = *clients.back();
		OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
		session::join(client.fd(), hosts->a.at(net::Family::v4, client.port()), server.fd(),
			      to, session::all_ciphers[i % 3]);
		ids.insert(session::info(client.fd(), to).id);
	}
	EQ(ids.size(), count);
	EQ(proc::lines(hosts->b.ns, "sessions").size(), count);
	for (unsigned i = 0; i < count; i++)
		clients[i]->request(to, pattern(2000 + i, i), i);
	for (unsigned i = 0; i < count; i++) {
		PlainMessage request = server.expect();
		EQ(request.rpc->flags, SDP_RPC_REQUEST | SDP_RPC_SECURE);
		CHECK(ids.count(request.rpc->session) == 1);
		server.reply(request, request.bytes);
	}
	for (unsigned i = 0; i < count; i++) {
		PlainMessage response = clients[i]->expect();
		EQ(response.rpc->flags, SDP_RPC_SECURE);
		EQ(response.rpc->session, session::info(clients[i]->fd(), to).id);
		EQ(pattern_error(response.bytes, i), "");
	}
}

TEST_LIMIT(idle_sockets_cost_nothing, 240)
{
	constexpr unsigned count = 5000;
	allow_files(2 * count);
	std::vector<std::unique_ptr<PlainSocket>> idle;
	for (unsigned i = 0; i < count; i++) {
		idle.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		OK(net::bind_to(idle.back()->fd(), net::Address::any(AF_INET, 0)));
	}
	EQ(proc::lines(hosts->a.ns, "sockets").size(), count);
	// Some were used, which may leave timers; all must be idle after a while.
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	for (unsigned i = 0; i < 100; i++) {
		idle[i]->request(to, pattern(10));
		server.echo();
		idle[i]->expect();
	}
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	auto quiet_second = [] {
		proc::Counters counters(hosts->a.ns);
		sleep(1);
		return !counters.moved("timer_expiries") && !counters.moved("tx_segments");
	};
	int seconds = 0;
	while (!quiet_second())
		CHECK(++seconds < 60);
}

TEST(two_servers)
{
	PlainSocket one(hosts->b.ns, AF_INET, server_port);
	PlainSocket two(hosts->b.ns, AF_INET6, server_port + 1);
	PlainSocket client(hosts->a.ns, AF_INET);
	for (unsigned i = 0; i < 20; i++)
		client.request(
			hosts->b.at(net::Family::v4, static_cast<uint16_t>(server_port + i % 2)),
			pattern(1000, i), i);
	// They may overtake each other.
	auto serve = [](const PlainSocket &server, unsigned first) {
		PlainMessage request = server.expect();
		bool its = false;
		for (unsigned i = first; i < 20; i += 2)
			its |= pattern_error(request.bytes, i).empty();
		CHECK(its);
		server.reply(request, request.bytes);
	};
	for (unsigned i = 0; i < 10; i++) {
		serve(one, 0);
		serve(two, 1);
	}
	for (unsigned i = 0; i < 20; i++) {
		PlainMessage response = client.expect();
		EQ(pattern_error(response.bytes, response.rpc->cookie), "");
	}
}

TEST_LIMIT(both_ways_at_once, 180)
{
	PlainSocket left(hosts->a.ns, AF_INET, server_port);
	PlainSocket right(hosts->b.ns, AF_INET, server_port);
	PlainSocket from_left(hosts->a.ns, AF_INET);
	PlainSocket from_right(hosts->b.ns, AF_INET);
	soak::Load load;
	load.rpcs = 200;
	load.largest = 100000;
	test::Thread one([&] {
		soak::both(from_left, right, hosts->b.at(net::Family::v4, server_port), load);
	});
	test::Thread two([&] {
		soak::both(from_right, left, hosts->a.at(net::Family::v4, server_port), load);
	});
	one.join();
	two.join();
}

TEST(one_message_wakes_one)
{
	PlainTalk talk;
	std::atomic<int> woken = 0;
	std::vector<std::unique_ptr<test::Thread>> threads;
	for (int i = 0; i < 8; i++)
		threads.push_back(std::make_unique<test::Thread>([&] {
			PlainMessage request = talk.server.receive();
			if (request.result < 0) {
				EQ(request.error, ESHUTDOWN);
				return;
			}
			woken++;
			talk.server.reply(request, request.bytes);
		}));
	for (int i = 0; i < 3; i++) {
		talk.client.request(talk.to, pattern(10));
		talk.client.expect();
	}
	EQ(woken.load(), 3);
	OK(shutdown(talk.server.fd(), SHUT_RDWR));
	for (auto &thread : threads)
		thread->join();
	EQ(woken.load(), 3);
}

TEST_LIMIT(rpcs_of_a_peer_are_limited, 120)
{
	CHECK(hosts->b.ns.sysctl("peer_rpcs", "50"));
	PlainTalk talk;
	proc::Counters counters(hosts->b.ns);
	for (unsigned i = 0; i < 80; i++)
		talk.client.request(talk.to, pattern(10, i), i);
	EVENTUALLY(counters.moved("drop_rpc_limit") > 0);
	CHECK(counters.moved("server_rpcs") <= 50);
	// The others get their turn when these are over.
	test::Thread serving([&] { echo_times(talk.server, 80); });
	for (unsigned i = 0; i < 80; i++) {
		PlainMessage response = talk.client.expect();
		EQ(pattern_error(response.bytes, response.rpc->cookie), "");
	}
	serving.join();
	CHECK(hosts->b.ns.sysctl("peer_rpcs", "16384"));
}
