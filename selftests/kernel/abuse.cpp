// SPDX-License-Identifier: Apache-2.0
// What a stranger, another user or a confined one may try at other people's
// expense: ports, ids, memory, filters.
#include <atomic>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bpf.hpp"
#include "lib/keyed.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

using namespace keyed;

namespace {

/// A packet of somebody on the wire of keyed::place.
void inject(const net::Address &from, const Bytes &homa)
{
	place->wire.send(packet::ip(from, host_at(), homa));
}

/// A clear request of @a length bytes, whole or just its first byte.
Bytes clear_request(const secure::Peer &peer, uint64_t id, uint32_t length, bool whole)
{
	packet::Ends ends = {.from = peer.self().port(), .to = port, .id = id};
	packet::Data fields = {.message_length = length, .incoming = length};
	return packet::make_data(ends, fields, pattern(whole ? length : 1, 7));
}

} // namespace

SETUP
{
	alone();
	two_hosts();
}

EACH
{
	ask_again_after();
}

TEST(a_port_is_kept_while_rpcs_are_open)
{
	// Whoever took the port would find the RPCs of its former owner.
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	PlainMessage request = talk.server.expect();
	FAILS(net::bind_to(talk.server.fd(), net::Address::any(AF_INET, server_port + 1)), EINVAL);
	PlainSocket other(hosts->b.ns, AF_INET);
	FAILS(net::bind_to(other.fd(), net::Address::any(AF_INET, server_port)), EADDRINUSE);
	talk.server.reply(request, pattern(20));
	talk.client.expect();
	EVENTUALLY(net::bind_to(talk.server.fd(), net::Address::any(AF_INET, server_port + 1)) ==
		   0);
	OK(net::bind_to(other.fd(), net::Address::any(AF_INET, server_port)));
	talk.client.request(talk.to, pattern(30));
	other.echo();
	EQ(talk.client.expect().result, 30);
}

TEST(a_clear_request_does_not_block_a_secure_one)
{
	// Ids can be guessed: the same one, announced in the peer's name.
	Serving on;
	session::policy(on.server.fd(), SDP_POLICY_MIXED);
	inject(on.peer.self(), clear_request(on.peer, 100, 5000, false));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	on.echo(0, 100);
	EQ(on.counters.moved("drop_mismatch"), 0);
}

TEST(a_clear_and_a_secure_request_of_one_id)
{
	Serving on;
	session::policy(on.server.fd(), SDP_POLICY_MIXED);
	inject(on.peer.self(), clear_request(on.peer, 100, 40, true));
	PlainMessage clear = on.server.expect();
	on.peer.send_message(secure::request(0, 100, pattern(50)));
	PlainMessage sealed = on.server.expect();
	EQ(clear.result, 40);
	EQ(clear.rpc->flags & SDP_RPC_SECURE, 0U);
	EQ(sealed.result, 50);
	EQ(sealed.rpc->flags & SDP_RPC_SECURE, static_cast<uint32_t>(SDP_RPC_SECURE));
	CHECK(clear.rpc->id != sealed.rpc->id);
	// What answers the one is not sent as an answer to the other.
	on.server.reply(clear, pattern(60));
	Bytes answer = on.peer.expect(packet::data, {packet::cutoffs});
	EQ(packet::parse(answer).payload.size(), 60);
	on.server.reply(sealed, pattern(70));
	secure::Message response = on.peer.receive();
	EQ(response.data.size(), 70);
	on.peer.acknowledge(100);
}

TEST(a_clear_id_that_looks_like_a_secure_one)
{
	constexpr uint64_t marked = 100 | 1ULL << 63;
	Serving on;
	session::policy(on.server.fd(), SDP_POLICY_MIXED);
	inject(on.peer.self(), clear_request(on.peer, marked, 40, true));
	EVENTUALLY(on.counters.moved("drop_mismatch") == 1);
	on.peer.send_message(secure::request(0, marked, pattern(50)));
	EVENTUALLY(on.counters.moved("drop_mismatch") == 2);
	FAILS(on.server.receive(MSG_DONTWAIT).result, EAGAIN);
	// Nor before there is a session: the application would hold it when one comes.
	{
		PlainSocket early(place->host.ns, AF_INET, port + 1);
		packet::Ends ends = {.from = on.peer.self().port(), .to = port + 1, .id = marked};
		inject(on.peer.self(), packet::make_message(ends, pattern(40)));
		EVENTUALLY(on.counters.moved("drop_mismatch") == 3);
		FAILS(early.receive(MSG_DONTWAIT).result, EAGAIN);
	}
	// Where all is in the clear for good, an id is an id.
	CHECK(place->host.ns.sysctl("policy_allowed", "1"));
	PlainSocket clear(place->host.ns, AF_INET, port + 1);
	CHECK(place->host.ns.sysctl("policy_allowed", "7"));
	packet::Ends ends = {.from = on.peer.self().port(), .to = port + 1, .id = marked};
	inject(on.peer.self(), packet::make_message(ends, pattern(40)));
	clear.reply(clear.expect(), pattern(60));
	Bytes answer = on.peer.expect(packet::data, {packet::cutoffs});
	EQ(packet::parse(answer).payload.size(), 60);
}

// A clear request of before, of the number that the application is told of a
// secure one: once that has ended, the answer to it must not go to the other.
TEST(no_answer_to_a_secure_request_in_the_clear)
{
	constexpr uint64_t marked = 100 | 1ULL << 63;
	// Sockets of a time when none was allowed to turn secure.
	CHECK(place->host.ns.sysctl("policy_allowed", "1"));
	PlainSocket server(place->host.ns, AF_INET, port);
	CHECK(place->host.ns.sysctl("policy_allowed", "7"));
	packet::Ends ends = {.from = 5000, .to = port, .id = marked};
	inject(peer_at(5000), packet::make_message(ends, pattern(40)));
	PlainMessage clear = server.expect();
	EQ(clear.rpc->id, marked | 1);
	secure::Peer peer(place->wire, peer_at(5000), host_at(), server.fd());
	// The clear request was the first of a peer, who is told how to send.
	peer.expect(packet::cutoffs);
	peer.send_message(secure::request(0, 100, pattern(50)));
	PlainMessage sealed = server.expect();
	EQ(sealed.rpc->id, clear.rpc->id);
	OK(session::remove(server.fd(), peer_at(5000)));
	EVENTUALLY([] {
		for (const std::string &rpc : proc::lines(place->host.ns, "rpcs"))
			if (rpc.find("session=") != std::string::npos)
				return false;
		return true;
	}());
	server.reply(sealed, pattern(60));
	peer.expect_silence(300);
}

TEST(requests_never_answered_are_charged)
{
	PlainTalk talk;
	// The client starts over 40 times: over half a minute with this.
	CHECK(hosts->a.ns.sysctl("resend_us", "50000"));
	int bytes = 32768; // of which the kernel makes 65,536
	OK(setsockopt(talk.server.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	proc::Counters counters(hosts->b.ns);
	for (unsigned i = 0; i < 200; i++)
		talk.client.request(talk.to, pattern(1));
	std::vector<PlainMessage> taken;
	while (counters.moved("mem_refused") < 10) {
		PlainMessage request = talk.server.receive(MSG_DONTWAIT);
		if (request.result >= 0)
			taken.push_back(request);
	}
	CHECK(proc::lines(hosts->b.ns, "rpcs").size() <= 66);
	// The rest comes as room comes.
	for (const PlainMessage &request : taken)
		talk.server.reply(request, pattern(1));
	for (size_t i = taken.size(); i < 200; i++)
		talk.server.echo();
	for (unsigned i = 0; i < 200; i++)
		talk.client.expect();
}

TEST(memory_that_goes_while_it_is_cleared)
{
	// What was opened is cleared where the rest does not fit into memory.
	PlainTalk talk;
	make_secure(talk);
	constexpr size_t page = 4096;
	constexpr size_t size = 220 * page;
	Bytes sent = pattern(size);
	sent[0] = 1;
	talk.client.request(talk.to, sent);
	auto *memory = static_cast<uint8_t *>(
		mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(memory != MAP_FAILED);
	OK(mprotect(memory + size - page, page, PROT_NONE));
	std::atomic<bool> over = false;
	test::Thread other([&] {
		while (!*static_cast<volatile uint8_t *>(memory) && !over)
			sched_yield();
		OK(mprotect(memory, page, PROT_NONE));
	});
	FAILS(recv(talk.server.fd(), memory, size, 0), EFAULT);
	over = true;
	other.join();
	OK(munmap(memory, size));
	CHECK(talk.server.expect().bytes == sent);
}

TEST(many_are_given_up_at_once)
{
	// Each that goes makes room among the winners for others, who are told.
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	auto announce = [](unsigned host, uint32_t length, size_t payload) {
		net::Address from = net::Address::of("10.0.0." + std::to_string(host), 999);
		packet::Data fields = {.message_length = length, .incoming = 100};
		inject(from, packet::make_data({.from = 999, .to = port, .id = 1000}, fields,
					       pattern(payload)));
	};
	for (unsigned i = 0; i < 40; i++)
		announce(10 + i, 300000 + 20 * i, 100);
	EVENTUALLY(counters.moved("server_rpcs") == 40);
	// Less than they take, so that all of them are too much at once.
	int bytes = 5000;
	OK(setsockopt(server.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	for (unsigned i = 0; i < 5; i++)
		announce(201 + i, 5000, 1);
	EVENTUALLY(counters.moved("mem_reclaimed") >= 16);
}

TEST(egress_filters_see_the_packets)
{
	bpf::Group group("sdp-egress");
	group.attach(bpf::returning(0, BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS),
		     BPF_CGROUP_INET_EGRESS);
	group.in([&] {
		proc::Counters server(hosts->b.ns);
		proc::Counters client(hosts->a.ns);
		PlainTalk talk;
		talk.client.request(talk.to, pattern(10));
		EVENTUALLY(client.moved("tx_errors") > 0);
		EQ(server.moved("rx_data"), 0);
	});
}
