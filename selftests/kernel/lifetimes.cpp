// SPDX-License-Identifier: Apache-2.0
// Things that go away while they are used: processes, sockets, hosts. Nothing
// of them stays, and who waits is told.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>

#include "lib/proc.hpp"
#include "lib/soak.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

net::Address server_at()
{
	return hosts->b.at(net::Family::v4, server_port);
}

/// A child that serves until it is killed; returns when it is ready to.
std::unique_ptr<test::Child> start_server(const std::function<void(PlainSocket &)> &prepare)
{
	int ends[2];
	OK(pipe(ends));
	auto child = std::make_unique<test::Child>([&] {
		PlainSocket server(hosts->b.ns, AF_INET, server_port);
		prepare(server);
		OK(write(ends[1], "x", 1));
		soak::serve(server);
	});
	close(ends[1]);
	char byte;
	OK(read(ends[0], &byte, 1));
	close(ends[0]);
	return child;
}

bool nothing_left(const net::Netns &ns)
{
	return proc::lines(ns, "rpcs").empty() && proc::lines(ns, "sockets").empty() &&
	       proc::lines(ns, "sessions").empty();
}

} // namespace

SETUP
{
	two_hosts();
}

TEST_LIMIT(killed_server, 120)
{
	hosts->a.ns.patient(false);
	PlainSocket client(hosts->a.ns, AF_INET);
	for (int round = 0; round < 5; round++) {
		auto server = start_server([](PlainSocket &) {});
		Bytes request;
		put(request, 7, 8);
		put(request, 500000, 4);
		for (int i = 0; i < 10; i++)
			client.request(server_at(), request);
		usleep(static_cast<useconds_t>(round) * 10000);
		server->kill(SIGKILL);
		for (int i = 0; i < 10; i++) {
			PlainMessage got = client.receive();
			OK(got.result);
			if (!got.failed())
				continue;
			uint32_t error = got.rpc->error;
			CHECK(error == ETIMEDOUT || error == ENOTCONN || error == ECONNRESET);
		}
		EVENTUALLY(nothing_left(hosts->b.ns));
	}
}

TEST_LIMIT(killed_client, 120)
{
	hosts->b.ns.patient(false);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	for (int round = 0; round < 5; round++) {
		auto client = std::make_unique<test::Child>([] {
			PlainSocket client(hosts->a.ns, AF_INET);
			for (int i = 0; i < 10; i++)
				client.request(server_at(), pattern(200000));
			for (;;)
				client.receive();
		});
		PlainMessage request = server.expect();
		usleep(static_cast<useconds_t>(round) * 10000);
		client->kill(SIGKILL);
		EVENTUALLY(nothing_left(hosts->a.ns));
		// A response that nobody waits for, and requests cut short.
		server.reply(request, pattern(300000));
		EVENTUALLY([&] {
			PlainMessage more = server.receive(MSG_DONTWAIT);
			if (more.result >= 0)
				server.reply(more, pattern(10));
			return proc::lines(hosts->b.ns, "rpcs").empty();
		}());
	}
}

TEST_LIMIT(killed_with_a_session, 120)
{
	hosts->b.ns.patient(false);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	auto client = std::make_unique<test::Child>([&] {
		PlainSocket client(hosts->a.ns, AF_INET, 5000);
		session::join(client.fd(), hosts->a.at(net::Family::v4, 5000), server.fd(),
			      server_at());
		for (int i = 0; i < 20; i++)
			client.request(server_at(), pattern(200000));
		for (;;)
			client.receive();
	});
	server.expect();
	client->kill(SIGKILL);
	EVENTUALLY(nothing_left(hosts->a.ns));
	while (server.receive(MSG_DONTWAIT).result >= 0)
		;
	EVENTUALLY((server.receive(MSG_DONTWAIT), proc::lines(hosts->b.ns, "rpcs").size() <= 20));
	OK(session::remove(server.fd(), hosts->a.at(net::Family::v4, 5000)));
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
}

TEST(killed_while_it_waits)
{
	// In recvmsg(), in sendmsg() for memory, in poll().
	net::Alone far;
	std::vector<std::unique_ptr<test::Child>> children;
	children.push_back(std::make_unique<test::Child>([&] {
		PlainSocket socket(far.host.ns, AF_INET);
		socket.receive();
	}));
	children.push_back(std::make_unique<test::Child>([&] {
		PlainSocket socket(far.host.ns, AF_INET);
		int bytes = 4096;
		OK(setsockopt(socket.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
		for (;;)
			socket.request(net::Address::of("10.0.0.9", 5), pattern(50000));
	}));
	children.push_back(std::make_unique<test::Child>([&] {
		PlainSocket socket(far.host.ns, AF_INET);
		socket.ready(POLLIN, 60000);
	}));
	EVENTUALLY(proc::lines(far.host.ns, "sockets").size() == 3);
	usleep(100000);
	for (auto &child : children)
		child->kill(SIGKILL);
	EVENTUALLY(nothing_left(far.host.ns));
}

TEST(closed_while_another_thread_waits)
{
	PlainTalk talk;
	int copy = OK(dup(talk.client.fd()));
	test::Thread waiter([&] {
		char byte;
		FAILS(recv(copy, &byte, 1, 0), ESHUTDOWN);
	});
	usleep(50000);
	talk.client.close();
	// The waiting call holds the file: it goes on until shutdown() ends it.
	usleep(50000);
	OK(shutdown(copy, SHUT_RDWR));
	waiter.join();
	close(copy);
}

TEST_LIMIT(storm_of_sockets, 180)
{
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	test::Thread serving([&] { soak::serve(server); });
	Bytes request;
	put(request, 3, 8);
	put(request, 3000, 4);
	for (int i = 0; i < 500; i++) {
		PlainSocket client(hosts->a.ns, AF_INET);
		client.request(server_at(), request);
		if (i % 3 == 0)
			client.expect();
		if (i % 3 == 1)
			client.ready(POLLIN, 5);
	}
	OK(shutdown(server.fd(), SHUT_RDWR));
	serving.join();
	EVENTUALLY(nothing_left(hosts->a.ns));
}

TEST_LIMIT(storm_of_aborts, 180)
{
	PlainTalk talk;
	test::Thread serving([&] { soak::serve(talk.server); });
	std::atomic<bool> done = false;
	test::Thread aborting([&] {
		while (!done) {
			talk.client.abort(0, 0, ECANCELED);
			usleep(500);
		}
	});
	Bytes request;
	put(request, 3, 8);
	put(request, 30000, 4);
	unsigned answered = 0;
	unsigned cancelled = 0;
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 5; i++)
			talk.client.request(talk.to, request);
		for (int i = 0; i < 5; i++) {
			PlainMessage got = talk.client.receive();
			OK(got.result);
			if (got.failed())
				EQ(got.rpc->error, ECANCELED);
			(got.failed() ? cancelled : answered)++;
		}
	}
	done = true;
	aborting.join();
	EQ(answered + cancelled, 1000);
	CHECK(cancelled > 0);
	FAILS(talk.client.receive(MSG_DONTWAIT).result, EAGAIN);
	OK(shutdown(talk.server.fd(), SHUT_RDWR));
	serving.join();
}

TEST_LIMIT(shutdown_under_load, 120)
{
	for (int round = 0; round < 10; round++) {
		PlainTalk talk;
		if (round % 2)
			make_secure(talk);
		test::Thread serving([&] { soak::serve(talk.server); });
		Bytes request;
		put(request, 3, 8);
		put(request, 100000, 4);
		for (int i = 0; i < 20; i++)
			talk.client.request(talk.to, request);
		usleep(static_cast<useconds_t>(round) * 2000);
		OK(shutdown(talk.client.fd(), SHUT_RDWR));
		OK(shutdown(talk.server.fd(), SHUT_RDWR));
		serving.join();
		EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
		EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	}
}

TEST(namespaces_with_the_same_addresses)
{
	// Two pairs of hosts, alike in everything.
	net::Pair other;
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	PlainSocket client(hosts->a.ns, AF_INET, 5000);
	PlainSocket other_server(other.b.ns, AF_INET, server_port);
	PlainSocket other_client(other.a.ns, AF_INET, 5000);
	net::Address at = hosts->a.at(net::Family::v4, 5000);
	// Keys with the same secret, too.
	session::join(client.fd(), at, server.fd(), server_at());
	session::join(other_client.fd(), at, other_server.fd(), server_at());
	for (unsigned i = 0; i < 10; i++) {
		client.request(server_at(), pattern(20000, i), i);
		other_client.request(server_at(), pattern(30000, i + 100), i);
	}
	for (unsigned i = 0; i < 10; i++) {
		PlainMessage request = server.expect();
		EQ(request.result, 20000);
		server.reply(request, request.bytes);
		request = other_server.expect();
		EQ(request.result, 30000);
		other_server.reply(request, request.bytes);
	}
	for (unsigned i = 0; i < 10; i++) {
		PlainMessage response = client.expect();
		EQ(pattern_error(response.bytes, response.rpc->cookie), "");
		response = other_client.expect();
		EQ(pattern_error(response.bytes, response.rpc->cookie + 100), "");
	}
}

TEST(host_deleted_with_rpcs_open)
{
	for (bool keyed : {false, true}) {
		std::unique_ptr<PlainSocket> client;
		{
			net::Pair pair;
			client = std::make_unique<PlainSocket>(pair.a.ns, AF_INET, 5000);
			PlainSocket server(pair.b.ns, AF_INET, server_port);
			net::Address to = pair.b.at(net::Family::v4, server_port);
			if (keyed)
				session::join(client->fd(), pair.a.at(net::Family::v4, 5000),
					      server.fd(), to);
			for (unsigned i = 0; i < 20; i++)
				client->request(to, pattern(100000));
			server.expect();
			pair.a.ns.patient(false);
		}
		// The server's host is gone, with its end of the link. The request that it had
		// taken may have been asked for before that: then it was refused.
		unsigned refused = 0;
		for (unsigned i = 0; i < 20; i++) {
			PlainMessage failed = client->receive();
			OK(failed.result);
			CHECK(failed.failed());
			refused += failed.rpc->error == ECONNRESET ? 1 : 0;
			CHECK(refused <= 1);
			CHECK(failed.rpc->error == ECONNRESET || failed.rpc->error == ETIMEDOUT ||
			      failed.rpc->error == ENOTCONN || failed.rpc->error == ENETUNREACH ||
			      failed.rpc->error == EHOSTUNREACH);
		}
	}
}

TEST_LIMIT(hosts_come_and_go, 180)
{
	// The whole of a pair of hosts, with its traffic, twenty times.
	for (unsigned round = 0; round < 20; round++) {
		net::Pair pair;
		PlainSocket client(pair.a.ns, AF_INET6);
		PlainSocket server(pair.b.ns, AF_INET6, server_port);
		client.request(pair.b.at(net::Family::v6, server_port), pattern(50000));
		if (round % 2)
			server.echo();
	}
}

TEST(memory_is_charged)
{
	// To the control group of the receiving process, until it has read.
	const std::string group = "/sys/fs/cgroup/sdp-test";
	std::ofstream("/sys/fs/cgroup/cgroup.subtree_control") << "+memory";
	if (mkdir(group.c_str(), 0755) < 0 && errno != EEXIST)
		throw test::Skip("no control groups");
	auto charged = [&] {
		std::ifstream in(group + "/memory.stat");
		std::string name;
		uint64_t value;
		while (in >> name >> value)
			if (name == "sock")
				return value;
		throw test::Skip("no memory controller");
	};
	charged();
	test::Child receiver([&] {
		std::ofstream(group + "/cgroup.procs") << getpid();
		PlainSocket server(hosts->b.ns, AF_INET, server_port);
		PlainSocket client(hosts->a.ns, AF_INET);
		constexpr unsigned count = 80;
		constexpr unsigned length = 60000;
		proc::Counters counters(hosts->b.ns);
		uint64_t before = charged();
		for (unsigned i = 0; i < count; i++)
			client.request(server_at(), pattern(length));
		EVENTUALLY(counters.moved("rx_bytes") >= count * length);
		// The kernel sums up what it has counted every other second.
		EVENTUALLY(charged() >= before + count * length);
		for (unsigned i = 0; i < count; i++)
			server.echo();
		for (unsigned i = 0; i < count; i++)
			client.expect();
		server.close();
		client.close();
		EVENTUALLY(charged() <= before + 4096 * 256 * 2);
	});
	receiver.join();
	EVENTUALLY(rmdir(group.c_str()) == 0);
}
