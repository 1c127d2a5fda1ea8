// SPDX-License-Identifier: Apache-2.0
// Responses that are on their way when their socket is closed: they arrive whole, and
// nothing else of the socket stays.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/wait.h>

#include "lib/homa_peer.hpp"
#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"
#include "lib/trace.hpp"

namespace {

// Many times what is sent without a grant.
constexpr size_t long_response = 400000;

/// Sockets of a host that live on without a file.
size_t orphans(const net::Netns &ns)
{
	size_t count = 0;
	for (const std::string &line : proc::lines(ns, "sockets"))
		count += line.find(" orphan ") != std::string::npos;
	return count;
}

bool nothing_left(const net::Netns &ns)
{
	return proc::lines(ns, "rpcs").empty() && proc::lines(ns, "sockets").empty() &&
	       proc::lines(ns, "sessions").empty();
}

/// The client's host hears and says nothing, until this ends.
class Cut {
public:
	Cut() { hosts->a.ns.sh("ip link set eth0 down"); }
	~Cut() { end(); }
	Cut(const Cut &) = delete;
	void end() { (void)hosts->a.ns.try_sh("ip link set eth0 up"); }
};

/// The server has a request of the client's, whose response will wait for grants.
PlainMessage one_request(const PlainTalk &talk)
{
	talk.client.request(talk.to, pattern(10));
	return talk.server.expect();
}

/// What this process opens is that user's, whom it stands for with root's rights.
void become(uid_t user)
{
	OK(setreuid(user, 0));
}

/// A child that answers @a talk's request, and ends as @a end says.
void answer_and_end(PlainTalk &talk, const std::function<void()> &end)
{
	talk.client.request(talk.to, pattern(10));
	int ends[2];
	OK(pipe(ends));
	int pid = OK(fork());
	if (pid == 0) {
		close(ends[0]);
		talk.server.reply(talk.server.expect(), pattern(long_response));
		end();
		_exit(0);
	}
	close(ends[1]);
	talk.server.close();
	// Closed with the last copy of the server's files.
	char byte;
	EQ(read(ends[0], &byte, 1), 0);
	close(ends[0]);
	OK(waitpid(pid, nullptr, 0));
}

/// The client's packets take long.
class Grants {
public:
	Grants() { hosts->a.ns.sh("tc qdisc replace dev eth0 root netem delay 5ms"); }
	~Grants() { (void)hosts->a.ns.try_sh("tc qdisc del dev eth0 root"); }
	Grants(const Grants &) = delete;
};

} // namespace

SETUP
{
	two_hosts();
}

TEST(responses_finish)
{
	Grants late;
	for (bool secure : {false, true}) {
		for (net::Family family : {net::Family::v4, net::Family::v6}) {
			PlainTalk talk(family);
			if (secure)
				make_secure(talk, family);
			proc::Counters counters(hosts->b.ns);
			for (unsigned i = 0; i < 3; i++)
				talk.client.request(talk.to, pattern(10), i);
			for (unsigned i = 0; i < 3; i++) {
				PlainMessage request = talk.server.expect();
				talk.server.reply(request, pattern(long_response + i));
			}
			talk.server.close();
			EQ(counters.moved("orphans"), 1);
			for (unsigned i = 0; i < 3; i++) {
				PlainMessage got = talk.client.expect();
				EQ(got.bytes.size() >= long_response, true);
				EQ(pattern_error(got.bytes), "");
			}
			// Acknowledged, as its client is asked.
			EVENTUALLY(nothing_left(hosts->b.ns) && orphans(hosts->a.ns) == 0);
		}
	}
}

TEST_LIMIT(responses_finish_with_loss, 120)
{
	hosts->a.ns.sh("tc qdisc replace dev eth0 root netem loss 10%");
	hosts->b.ns.sh("tc qdisc replace dev eth0 root netem loss 10%");
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		for (unsigned i = 0; i < 5; i++)
			talk.client.request(talk.to, pattern(10));
		for (unsigned i = 0; i < 5; i++)
			talk.server.reply(talk.server.expect(), pattern(long_response));
		talk.server.close();
		for (unsigned i = 0; i < 5; i++)
			EQ(talk.client.expect().bytes, pattern(long_response));
		EVENTUALLY(orphans(hosts->b.ns) == 0);
	}
	hosts->a.ns.sh("tc qdisc del dev eth0 root");
	hosts->b.ns.sh("tc qdisc del dev eth0 root");
}

TEST(process_ends)
{
	Grants late;
	for (bool secure : {false, true}) {
		for (int way = 0; way < 3; way++) {
			PlainTalk talk;
			if (secure)
				make_secure(talk);
			OK(fcntl(talk.server.fd(), F_SETFD, FD_CLOEXEC));
			answer_and_end(talk, [way] {
				if (way == 0)
					raise(SIGKILL);
				if (way == 1)
					execl("/bin/true", "true", nullptr);
			});
			EQ(talk.client.expect().bytes, pattern(long_response));
		}
	}
}

TEST(port_is_free_at_once)
{
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		PlainMessage request = one_request(talk);
		Cut cut;
		talk.server.reply(request, pattern(long_response));
		talk.server.close();
		EQ(orphans(hosts->b.ns), 1);
		int tried[2];
		OK(pipe(tried));
		test::Child child([&] {
			become(65534);
			PlainSocket next(hosts->b.ns, AF_INET, server_port);
			// The request that it was told of is not this one's.
			next.reply(request, pattern(5000));
			FAILS(session::remove(next.fd(),
					      hosts->a.at(net::Family::v4, talk.client.port())),
			      ENOENT);
			OK(write(tried[1], "x", 1));
			PlainMessage got = next.expect();
			EQ(got.bytes, pattern(20));
			next.reply(got, pattern(30));
			FAILS(next.receive(MSG_DONTWAIT).result, EAGAIN);
			EVENTUALLY(orphans(hosts->b.ns) == 0);
		});
		PlainSocket other(hosts->a.ns, AF_INET);
		close(tried[1]);
		char byte;
		EQ(read(tried[0], &byte, 1), 1);
		close(tried[0]);
		cut.end();
		EQ(talk.client.expect().bytes, pattern(long_response));
		other.request(talk.to, pattern(20));
		EQ(other.expect().bytes, pattern(30));
		child.join();
	}
}

TEST(nothing_else_goes_on)
{
	hosts->a.ns.patient(false);
	PlainTalk talk;
	PlainSocket other(hosts->a.ns, AF_INET);
	PlainSocket third(hosts->a.ns, AF_INET, 7000);
	// One that is not answered, one of the server's own, and one after the end.
	other.request(talk.to, pattern(10));
	talk.server.expect();
	talk.server.request(hosts->a.at(net::Family::v4, 7000), pattern(100));
	third.expect();
	PlainMessage request = one_request(talk);
	Cut cut;
	talk.server.reply(request, pattern(long_response));
	talk.server.close();
	EQ(orphans(hosts->b.ns), 1);
	EQ(proc::lines(hosts->b.ns, "rpcs").size(), 1);
	cut.end();
	EQ(talk.client.expect().bytes, pattern(long_response));
	other.expect_failure(ETIMEDOUT);
	other.request(talk.to, pattern(10));
	other.expect_failure(ENOTCONN);
}

TEST(sessions_of_no_use_go)
{
	PlainTalk talk;
	PlainSocket other(hosts->a.ns, AF_INET, 5000);
	make_secure(talk);
	session::join(other.fd(), hosts->a.at(net::Family::v4, 5000), talk.server.fd(), talk.to,
		      SDP_CIPHER_AES_128_GCM, 0, session::secret(2));
	PlainMessage request = one_request(talk);
	EQ(proc::lines(hosts->b.ns, "sessions").size(), 2);
	Cut cut;
	talk.server.reply(request, pattern(long_response));
	talk.server.close();
	EVENTUALLY(proc::lines(hosts->b.ns, "sessions").size() == 1);
	EQ(orphans(hosts->b.ns), 1);
	cut.end();
	EQ(talk.client.expect().bytes, pattern(long_response));
	EVENTUALLY(nothing_left(hosts->b.ns));
}

TEST(linger_of_zero_aborts)
{
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		PlainMessage request = one_request(talk);
		Cut cut;
		talk.server.reply(request, pattern(long_response));
		proc::Counters counters(hosts->b.ns);
		talk.server.linger(0);
		talk.server.close();
		EQ(counters.moved("orphans"), 0);
		EVENTUALLY(nothing_left(hosts->b.ns));
		cut.end();
	}
}

TEST(shutdown_ends_them)
{
	PlainTalk talk;
	PlainMessage request = one_request(talk);
	Cut cut;
	talk.server.reply(request, pattern(long_response));
	OK(shutdown(talk.server.fd(), SHUT_RDWR));
	EQ(proc::lines(hosts->b.ns, "rpcs").size(), 0);
	talk.server.close();
	EQ(orphans(hosts->b.ns), 0);
	cut.end();
}

TEST(lingering_goes_on)
{
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		PlainMessage request = one_request(talk);
		Cut cut;
		talk.server.reply(request, pattern(long_response));
		talk.server.linger(1);
		talk.server.close();
		EQ(orphans(hosts->b.ns), 1);
		cut.end();
		EQ(talk.client.expect().bytes, pattern(long_response));
		EVENTUALLY(orphans(hosts->b.ns) == 0);
	}
}

TEST(dead_client)
{
	hosts->b.ns.patient(false);
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		PlainMessage request = one_request(talk);
		Cut cut;
		talk.server.reply(request, pattern(long_response));
		talk.server.close();
		EQ(orphans(hosts->b.ns), 1);
		EVENTUALLY(nothing_left(hosts->b.ns));
		cut.end();
	}
}

/// A client that sends what it is told to, and answers nothing by itself.
struct Silent {
	Silent()
		: peer(alone.wire, net::Address::of("10.0.0.77", 7777),
		       net::Address::of("10.0.0.2", server_port))
	{
		// Its responses are not to wait for a proof that it has its address.
		CHECK(alone.host.ns.sysctl("prove_addresses", "0"));
	}

	/// Has @a server answer a request, and closes it.
	void leave_orphan(PlainSocket &server)
	{
		uint64_t id = peer.next_id;
		peer.next_id += 2;
		packet::Ends ends = peer.ends(id);
		ends.to = server.port();
		peer.send(packet::make_message(ends, pattern(100)));
		server.reply(server.expect(), pattern(long_response));
		server.close();
	}

	net::Alone alone;
	HomaPeer peer;
};

// It answers each question, and lets the host send nothing.
TEST_LIMIT(client_takes_nothing, 120)
{
	Silent client;
	const net::Netns &ns = client.alone.host.ns;
	ns.patient(false);
	proc::Counters counters(ns);
	PlainSocket server(ns, AF_INET, server_port);
	client.leave_orphan(server);
	EQ(orphans(ns), 1);
	unsigned asked = 0;
	EVENTUALLY([&] {
		std::optional<HomaPeer::Seen> seen = client.peer.next(10);
		if (seen && seen->homa.type == packet::resend) {
			asked++;
			client.peer.send(packet::common(packet::busy,
							client.peer.ends(seen->homa.ends.id ^ 1)));
		}
		return orphans(ns) == 0;
	}());
	CHECK(asked > 1);
	EQ(counters.moved("orphans_cut"), 1);
	EQ(proc::lines(ns, "rpcs").size(), 0);
}

// Of each user one, and of all together four.
TEST(limits)
{
	Silent client;
	const net::Netns &ns = client.alone.host.ns;
	CHECK(ns.sysctl("user_orphans", "1"));
	proc::Counters counters(ns);
	for (uid_t user : {0, 0, 1001, 1002, 1003, 1004}) {
		test::Child child([&] {
			become(user);
			PlainSocket server(ns, AF_INET, server_port);
			client.leave_orphan(server);
		});
		child.join();
		client.peer.next_id += 2;
	}
	EQ(counters.moved("orphans"), 4);
	EQ(counters.moved("orphans_refused"), 2);
	EQ(orphans(ns), 4);
	EQ(proc::lines(ns, "rpcs").size(), 4);
	CHECK(ns.sysctl("user_orphans", "0"));
	PlainSocket server(ns, AF_INET, server_port);
	client.leave_orphan(server);
	EQ(counters.moved("orphans_refused"), 3);
}

// Whoever closes it: the user that opened the socket has it.
TEST(another_user_closes)
{
	Silent client;
	const net::Netns &ns = client.alone.host.ns;
	CHECK(ns.sysctl("user_orphans", "1"));
	proc::Counters counters(ns);
	for (int i = 0; i < 2; i++) {
		PlainSocket server(ns, AF_INET, server_port);
		int ends[2];
		OK(pipe(ends));
		test::Child child([&] {
			become(i ? 1001 : 1002);
			close(ends[1]);
			// The last copy is closed here.
			char byte;
			EQ(read(ends[0], &byte, 1), 0);
			client.leave_orphan(server);
		});
		server.close();
		close(ends[0]);
		close(ends[1]);
		child.join();
		client.peer.next_id += 2;
	}
	EQ(counters.moved("orphans"), 1);
	EQ(counters.moved("orphans_refused"), 1);
}

TEST_LIMIT(hundreds, 120)
{
	Silent client;
	const net::Netns &ns = client.alone.host.ns;
	CHECK(ns.sysctl("dead_us", "60000000"));
	constexpr unsigned many = 300;
	for (unsigned i = 0; i < many; i++) {
		PlainSocket server(ns, AF_INET, server_port);
		client.leave_orphan(server);
	}
	EQ(orphans(ns), many);
	// Their memory is theirs until they end.
	CHECK(proc::charged(ns).pages >= static_cast<long>(many * (long_response / 4096)));
	CHECK(ns.sysctl("dead_us", "100000"));
	EVENTUALLY(nothing_left(ns));
}

// They do not keep it.
TEST(namespace_goes)
{
	for (bool secure : {false, true}) {
		net::Pair pair;
		std::string name = "went" + std::to_string(secure);
		{
			net::Netns going;
			CHECK(going.sysctl("dead_us", "60000000"));
			pair.a.ns.sh("ip link add " + name + " type veth peer name eth0 netns " +
				     going.path() + "; ip addr add 10.9.0.1/24 dev " + name +
				     "; ip link set " + name + " up");
			going.sh("ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up; "
				 "ip link set lo up");
			PlainSocket requester(pair.a.ns, AF_INET, 5000);
			PlainSocket server(going, AF_INET, server_port);
			net::Address to = net::Address::of("10.9.0.2", server_port);
			if (secure)
				session::join(requester.fd(), net::Address::of("10.9.0.1", 5000),
					      server.fd(), to);
			requester.request(to, pattern(10));
			PlainMessage request = server.expect();
			pair.a.ns.sh("ip link set " + name + " down");
			server.reply(request, pattern(long_response));
			server.close();
			EQ(orphans(going), 1);
		}
		// Its end of the link has gone with it, long before the client is dead.
		CHECK(test::eventually([&] { return !pair.a.ns.try_sh("ip link show " + name); },
				       10));
	}
}

/// Calls of a function, as an event of that name while this lives.
class Probe {
public:
	explicit Probe(const std::string &function) : function_(function)
	{
		mount("none", "/sys/kernel/tracing", "tracefs", 0, nullptr);
		if (access(list, F_OK) != 0)
			throw test::Skip("a kernel without probes");
		put("p:sdp_going/" + function + " " + function);
		trace_ = std::make_unique<Trace>("sdp_going/" + function);
	}
	Probe(const Probe &) = delete;
	Probe &operator=(const Probe &) = delete;
	~Probe()
	{
		trace_.reset();
		put("-:sdp_going/" + function_);
	}

private:
	static void put(const std::string &line)
	{
		const Fd out(OK(open(list, O_WRONLY | O_APPEND)));
		EQ(OK(write(out, line.data(), line.size())), line.size());
	}

	static constexpr const char *list = "/sys/kernel/tracing/kprobe_events";
	std::string function_;
	std::unique_ptr<Trace> trace_;
};

// Of namespaces that go together all are told before the first is waited for. The kernel takes
// those together that have come while it was busy with others.
TEST(namespaces_go_together)
{
	constexpr size_t count = 8;
	Probe told("sdp_orphan_net_end");
	Probe waited("sdp_orphan_net_ended");
	std::string order;
	const auto look = [&] {
		order.clear();
		Trace::lines("sdp_orphan_net_end", [&](const std::string &line) {
			order += line.find("_ended") != std::string::npos ? 'w' : 't';
		});
		return static_cast<size_t>(std::count(order.begin(), order.end(), 'w')) >= count;
	};
	{
		std::vector<net::Netns> going(count);
	}
	CHECK(test::eventually(look, 30));
	test::note(order);
	CHECK(order.find("tt") != std::string::npos);
	// All of a batch are waited for before the next is told.
	size_t pending = 0;
	for (size_t i = 0; i < order.size(); i++) {
		if (order[i] == 't' && i && order[i - 1] == 'w')
			EQ(pending, 0);
		pending += order[i] == 't' ? 1 : -1UL;
	}
}

// Nor the module. (The other cases' hosts have no sockets here.)
TEST_LIMIT(module_unloads, 120)
{
	PlainTalk talk;
	make_secure(talk);
	PlainMessage request = one_request(talk);
	Cut cut;
	CHECK(hosts->b.ns.sysctl("dead_us", "60000000"));
	talk.server.reply(request, pattern(long_response));
	talk.server.close();
	talk.client.close();
	EQ(orphans(hosts->b.ns), 1);
	// What was closed before holds it for a moment, but not as long as the client may be
	// silent.
	CHECK(test::eventually([&] { return hosts->b.ns.try_sh("rmmod sdp"); }, 5));
	const char *top = getenv("SDP_TOP");
	CHECK(top);
	hosts->b.ns.sh(std::string("bash -c '. ") + top + "/selftests/lib/host.sh; . " + top +
		       "/selftests/lib/net.sh; sdp_load test_raw_keys=1'");
	cut.end();
}
