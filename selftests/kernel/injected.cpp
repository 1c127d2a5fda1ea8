// SPDX-License-Identifier: Apache-2.0
// Somebody who reads everything, stops nothing and sends what he likes: genuine
// headers with other bytes behind them, at other places. Every RPC ends with its
// result, no other RPC suffers, and what it costs is in proportion to what he sends.
#include <algorithm>
#include <atomic>
#include <poll.h>

#include "lib/keyed.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

using namespace keyed;

namespace {

constexpr uint32_t record = 16277;
constexpr uint8_t secure_data = packet::data | packet::secure_bit;
constexpr uint8_t secure_grant = packet::grant | packet::secure_bit;

/// A genuine header, with another place and other bytes.
Bytes junk_behind(const Bytes &genuine, uint32_t at, View payload)
{
	Bytes homa(genuine.begin(), genuine.begin() + secure::header_length);
	set(homa, 4, at, 4);
	homa.insert(homa.end(), payload.begin(), payload.end());
	return homa;
}

long rmem_of(const net::Netns &ns, uint16_t at)
{
	for (const std::string &line : proc::lines(ns, "sockets"))
		if (line.find(":" + std::to_string(at) + " ") != std::string::npos)
			return std::stol(line.substr(line.find("rmem=") + 5));
	return -1;
}

/// A sealed message at the far end, sent as the test likes.
struct Sealed {
	Sealed(secure::Peer &by, secure::Message what)
		: peer(&by),
		  message(std::move(what)),
		  bytes(sdp_test::seal_message(by.out(), message)),
		  length(static_cast<uint32_t>(bytes.size()))
	{
	}
	[[nodiscard]] View part(uint32_t from, uint32_t to) const
	{
		return View(bytes).subspan(from, to - from);
	}
	[[nodiscard]] Bytes packet(uint32_t at) const
	{
		return peer->data(message, length, at,
				  part(at, std::min(at + peer->payload, length)));
	}
	/// All packets from @a from on.
	void send(uint32_t from = 0) const
	{
		for (uint32_t at = from; at < length; at += peer->payload)
			peer->send(packet(at));
	}
	/// What a RESEND asks for, as it asks for it.
	void answer(const Bytes &resend) const
	{
		secure::Control c = secure::parse_control(resend);
		auto from = static_cast<uint32_t>(get(c.body, 0, 4));
		auto asked = static_cast<uint32_t>(get(c.body, 4, 4));
		uint32_t to = asked > length - from ? length : from + asked;
		for (uint32_t at = from; at < to; at += 1400) {
			View payload = part(at, std::min(at + 1400, to));
			peer->send(c.flags & 1 ? peer->authenticated(message, length, at, payload)
					       : peer->data(message, length, at, payload));
		}
	}

	secure::Peer *peer;
	secure::Message message;
	Bytes bytes;
	uint32_t length;
};

/// Answers every RESEND for @a messages until @a over; returns how many were of bad
/// records.
unsigned answer_until(const std::atomic<bool> &over, const std::vector<Sealed *> &messages)
{
	unsigned bad = 0;
	while (!over) {
		auto homa = messages[0]->peer->next(100);
		if (!homa || secure::type_of(*homa) != secure_resend)
			continue;
		bad += secure::parse_control(*homa).flags & 1;
		for (const Sealed *sealed : messages)
			if ((get(*homa, 20, 8) & ~1ULL) == (sealed->message.rpc_id & ~1ULL))
				sealed->answer(*homa);
	}
	return bad;
}

/// A server gets @a sealed, while the far end answers.
unsigned expect_request(const Serving &on, Sealed &sealed)
{
	std::atomic<bool> over = false;
	test::Thread reader([&] {
		PlainMessage got = on.server.expect();
		CHECK(got.bytes == sealed.message.data);
		over = true;
	});
	unsigned rounds = answer_until(over, {&sealed});
	reader.join();
	return rounds;
}

/// Sends all of a long message, and ahead of every @a nth record junk for it. Returns
/// how many records are spoilt.
uint32_t send_spoilt(const Sealed &sealed, uint32_t nth)
{
	const secure::Peer &peer = *sealed.peer;
	Bytes genuine = sealed.packet(0);
	uint32_t junk = 0;
	uint32_t next = 0;
	for (uint32_t at = 0; at < sealed.length; at += peer.payload) {
		for (; next < std::min(at + peer.payload, sealed.length); next += nth * record) {
			uint32_t size = std::min(1000U, sealed.length - next);
			peer.send(junk_behind(genuine, next, pattern(size, 3)));
			junk++;
		}
		peer.send(sealed.packet(at));
	}
	return junk;
}

/// A host with two requests to one far end, which begins to answer both.
struct Two {
	Two()
		: first(on.peer, secure::response(0, on.call(10, 1), pattern(120000))),
		  second(on.peer, secure::response(1, on.call(10, 2), pattern(120000, 1)))
	{
		on.peer.send(first.packet(0));
		on.peer.send(second.packet(0));
		EVENTUALLY(on.counters.moved("rx_data") == 2);
	}
	/// Both end with their results.
	void finish()
	{
		first.send(on.peer.payload);
		second.send(on.peer.payload);
		std::atomic<bool> over = false;
		test::Thread reader([&] {
			for (unsigned i = 0; i < 2; i++) {
				PlainMessage got = on.client.expect();
				const Sealed &sealed = got.rpc->cookie == 1 ? first : second;
				CHECK(got.bytes == sealed.message.data);
			}
			over = true;
		});
		answer_until(over, {&first, &second});
		reader.join();
		EQ(on.counters.moved("mem_reclaimed"), 0);
	}

	Calling on;
	Sealed first;
	Sealed second;
};

/// A client on host a and a server on host b, and whoever sees what they send.
struct Between {
	Between()
		: server(wired.b.ns, AF_INET, port),
		  client(wired.a.ns, AF_INET, 6000),
		  from(wired.a.at(net::Family::v4, 6000)),
		  to(wired.b.at(net::Family::v4, port))
	{
		for (const net::Netns *ns : {&wired.a.ns, &wired.b.ns})
			CHECK(ns->sysctl("resend_us", "50000"));
		session::join(client.fd(), from, server.fd(), to);
	}
	void inject(net::Way way, const Bytes &homa) const
	{
		bool to_b = way == net::Way::to_b;
		wired.pass(way, packet::ip(to_b ? from : to, to_b ? to : from, homa));
	}

	net::Wired wired;
	PlainSocket server;
	PlainSocket client;
	net::Address from;
	net::Address to;
};

} // namespace

SETUP
{
	alone();
}

EACH
{
	ask_again_after("100000");
}

TEST_LIMIT(tiny_junk_takes_no_memory_and_ends_no_rpc, 240)
{
	Two two;
	Bytes genuine = two.second.packet(0);
	Bytes one = {0x55};
	long before = rmem_of(place->host.ns, 6000);
	uint32_t sent = 0;
	for (uint32_t at = 1420; at < two.second.length; at += 7, sent++) {
		two.on.peer.send(junk_behind(genuine, at, one));
		if (sent % 500 == 0)
			EVENTUALLY(two.on.counters.moved("rx_data") == 3 + sent);
	}
	EVENTUALLY(two.on.counters.moved("rx_data") == 2 + sent);
	CHECK(rmem_of(place->host.ns, 6000) - before < 40000);
	CHECK(two.on.counters.moved("drop_program") > sent * 9 / 10);
	two.finish();
}

TEST_LIMIT(tiny_junk_that_fits_is_charged_by_what_it_takes, 240)
{
	// From the end down: each byte closes a gap, so it is taken.
	Two two;
	Bytes genuine = two.second.packet(0);
	Bytes one = {0x55};
	long before = rmem_of(place->host.ns, 6000);
	uint32_t sent = 0;
	for (uint32_t at = two.second.length - 1; sent < 8000; at--, sent++) {
		two.on.peer.send(junk_behind(genuine, at, one));
		if (sent % 500 == 0)
			EVENTUALLY(two.on.counters.moved("rx_data") == 3 + sent);
	}
	EVENTUALLY(two.on.counters.moved("rx_data") == 2 + sent);
	long taken = rmem_of(place->host.ns, 6000) - before;
	test::note(std::to_string(taken) + " bytes for " + std::to_string(sent));
	CHECK(taken < 4L * sent + 16384);
	CHECK(two.on.counters.moved("mem_copied") > sent / 2);
	two.finish();
}

TEST_LIMIT(junk_in_whole_packets_ends_no_rpc, 240)
{
	Two two;
	Bytes genuine = two.second.packet(0);
	for (uint32_t at = 1420; at < two.second.length; at += 1420)
		two.on.peer.send(junk_behind(genuine, at,
					     pattern(std::min(1420U, two.second.length - at), 9)));
	two.finish();
}

TEST_LIMIT(bad_records_are_found_in_one_pass, 400)
{
	CHECK(place->host.ns.sysctl("max_unsched", "2000000"));
	ask_again_after();
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(980000)));
	uint32_t records = (sealed.length - 1) / record + 1;
	EQ(send_spoilt(sealed, 1), records);
	unsigned rounds = expect_request(on, sealed);
	EQ(on.counters.moved("bad_records"), records);
	EQ(on.counters.moved("open_aes_128_gcm"), records);
	EQ(rounds, 1);
}

TEST_LIMIT(every_other_record_is_bad, 400)
{
	CHECK(place->host.ns.sysctl("max_unsched", "2000000"));
	ask_again_after();
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(980000)));
	uint32_t records = (sealed.length - 1) / record + 1;
	uint32_t junk = send_spoilt(sealed, 2);
	expect_request(on, sealed);
	EQ(on.counters.moved("bad_records"), junk);
	// Once to find the bad ones, once to be delivered.
	CHECK(on.counters.moved("open_aes_128_gcm") <= 2UL * records);
}

TEST_LIMIT(junk_comes_before_the_first_genuine_packet, 120)
{
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(40000)));
	Bytes genuine = sealed.packet(0);
	Bytes one = {7};
	on.peer.send(junk_behind(genuine, 5000, one));
	on.peer.send(junk_behind(genuine, 0, pattern(1420, 1)));
	on.peer.send(junk_behind(genuine, sealed.length - 3, one));
	on.peer.send(junk_behind(genuine, 20000, pattern(1420, 2)));
	sealed.send();
	expect_request(on, sealed);
}

TEST_LIMIT(junk_for_an_announcement, 120)
{
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(40000)));
	on.peer.send(on.peer.data(sealed.message, sealed.length, 0, View()));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	Bytes genuine = sealed.packet(0);
	for (uint32_t at = 0; at < sealed.length; at += 1420)
		on.peer.send(
			junk_behind(genuine, at, pattern(std::min(1420U, sealed.length - at), 8)));
	expect_request(on, sealed);
	EQ(on.counters.moved("requests_delivered"), 1);
}

TEST_LIMIT(junk_at_odd_places_uses_up_the_gaps, 120)
{
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(60000)));
	Bytes genuine = sealed.packet(0);
	for (uint32_t i = 0; i < 20; i++)
		on.peer.send(junk_behind(genuine, 2500 + i * 2900, pattern(711, 8)));
	// Every other packet, then the others: in the middle of gaps.
	for (uint32_t at = 0; at < sealed.length; at += 2 * on.peer.payload)
		on.peer.send(sealed.packet(at));
	for (uint32_t at = on.peer.payload; at < sealed.length; at += 2 * on.peer.payload)
		on.peer.send(sealed.packet(at));
	expect_request(on, sealed);
}

TEST_LIMIT(repeats_hold_no_question_off, 120)
{
	Serving on;
	Sealed sealed(on.peer, secure::request(0, 100, pattern(5000)));
	on.peer.send(sealed.packet(0));
	sealed.send(2 * on.peer.payload);
	// One packet is lost; another one comes again and again.
	std::atomic<bool> over = false;
	test::Thread injector([&] {
		while (!over) {
			on.peer.send(sealed.packet(0));
			usleep(20000);
		}
	});
	Bytes resend = on.peer.expect(secure_resend);
	over = true;
	injector.join();
	sealed.answer(resend);
	expect_request(on, sealed);
}

TEST_LIMIT(short_packets_of_a_clear_sender, 240)
{
	// As short as can be: all of them count, and take what they hold.
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	Bytes message = pattern(6000);
	long most = 0;
	for (uint32_t at = 0; at < message.size(); at++) {
		packet::Data fields{.message_length = 6000, .incoming = 6000, .offset = at};
		place->wire.send(packet::ip(
			peer_at(7), host_at(),
			packet::make_data({7, port, 1000}, fields, View(message).subspan(at, 1))));
		if (at % 500 == 0) {
			EVENTUALLY(counters.moved("rx_data") == at + 1);
			most = std::max(most, rmem_of(place->host.ns, port));
		}
	}
	CHECK(server.expect().bytes == message);
	test::note(std::to_string(most) + " bytes at most");
	CHECK(most < 4 * 6000 + 16384);
}

TEST_LIMIT(clear_packets_end_no_secure_message, 240)
{
	// A socket for both: anybody can send it clear packets from any address.
	Serving on;
	session::policy(on.server.fd(), SDP_POLICY_MIXED);
	int bytes = 60000; // of which the kernel makes twice as much
	OK(setsockopt(on.server.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	Sealed begun(on.peer, secure::request(0, 100, pattern(3000)));
	on.peer.send(begun.packet(0));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	auto flood = [&](uint32_t offset, size_t payload) {
		packet::Data fields{.message_length = 40000, .incoming = 40000, .offset = offset};
		for (unsigned n = 0; n < 400; n++) {
			net::Address from =
				net::Address::of("10.0.0." + std::to_string(50 + n % 100), 7);
			place->wire.send(packet::ip(from, host_at(),
						    packet::make_data({7, port, 1000 + 2 * n},
								      fields, pattern(payload))));
		}
	};
	flood(0, 1);
	EVENTUALLY(on.counters.moved("mem_refused") > 0);
	flood(1, 1400);
	EVENTUALLY(on.counters.moved("mem_reclaimed") > 0);
	// Another begins, and the one that has begun goes on.
	secure::Message other = secure::request(1, 102, pattern(50));
	on.peer.send_message(other);
	(void)on.deliver(other);
	begun.send(on.peer.payload);
	(void)on.deliver(begun.message);
}

TEST_LIMIT(answers_in_the_clear_hold_no_secure_one_up, 240)
{
	// Whoever forges requests takes none of the answers.
	Serving on;
	session::policy(on.server.fd(), SDP_POLICY_MIXED);
	int bytes = 30000; // of which the kernel makes twice as much
	OK(setsockopt(on.server.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	constexpr unsigned requests = 20;
	packet::Data fields{.message_length = 10, .incoming = 10};
	for (unsigned n = 0; n < requests; n++)
		place->wire.send(packet::ip(
			peer_at(11), host_at(),
			packet::make_data({11, port, 1000 + 2 * n}, fields, pattern(10))));
	unsigned answered = 0;
	unsigned refused = 0;
	for (unsigned n = 0; n < requests; n++) {
		PlainMessage got = on.server.expect();
		sdp_rpc_cmsg rpc = rpc_cmsg(got.rpc->id);
		if (on.server.send(&got.from, pattern(5000), &rpc, MSG_DONTWAIT) > 0) {
			answered++;
			continue;
		}
		EQ(errno, EAGAIN);
		refused++;
	}
	// Half of it, and what goes beyond.
	EQ(answered, 30000 / 6024 + 1);
	EQ(answered + refused, requests);
	CHECK(on.server.ready(POLLOUT));
	on.echo(0, 100, 5000);
	on.echo(1, 102, 5000);
}

TEST_LIMIT(one_session_fills_the_memory_and_others_go_on, 240)
{
	Serving on;
	int bytes = 60000;
	OK(setsockopt(on.server.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	Sealed begun(on.peer, secure::request(0, 100, pattern(2800)));
	on.peer.send(begun.packet(0));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	secure::Peer greedy(place->wire, peer_at(7), host_at(), on.server.fd());
	Sealed part(greedy, secure::request(0, 2000, pattern(40000)));
	for (; part.message.number < 400; part.message.number++, part.message.rpc_id += 2)
		greedy.send(part.packet(0));
	EVENTUALLY(on.counters.moved("mem_reclaimed") > 20);
	// The oldest of all, and not the one to go: its second half is enough.
	EVENTUALLY([&] {
		begun.send(on.peer.payload);
		return on.server.ready(POLLIN, 100);
	}());
	(void)on.deliver(begun.message);
	// Whole ones stay until they are read. But who has few yet may begin one.
	uint64_t refused = on.counters.moved("mem_refused");
	secure::Message whole = secure::request(400, 4000, pattern(1000));
	for (; on.counters.moved("mem_refused") == refused; whole.number++, whole.rpc_id += 2) {
		CHECK(whole.number < 800);
		greedy.send_message(whole);
	}
	secure::Peer late(place->wire, peer_at(8), host_at(), on.server.fd());
	uint64_t before = on.counters.moved("server_rpcs");
	for (uint32_t i = 0; i < 2; i++)
		late.send_message(secure::request(i, 100 + 2 * i, pattern(50)));
	EVENTUALLY(on.counters.moved("server_rpcs") == before + 2);
	while (on.server.expect().rpc->session != late.session())
		;
}

TEST_LIMIT(a_lost_grant_and_junk_for_what_it_granted, 120)
{
	std::atomic<unsigned> junk = 0;
	std::atomic<unsigned> resends = 0;
	Bytes genuine;
	Between two;
	two.wired.set([&](net::Way way, const net::Wired::Packet &packet) {
		Bytes homa = net::homa_of(packet);
		uint8_t type = secure::type_of(homa);
		if (genuine.empty() && type == secure_data)
			genuine = homa;
		resends += type == secure_resend;
		if (type != secure_grant || junk) {
			two.wired.pass(way, packet);
			return;
		}
		auto length = static_cast<uint32_t>(get(genuine, 28, 4));
		uint32_t to = std::min(length, static_cast<uint32_t>(get(homa, 28, 4)));
		for (auto at = static_cast<uint32_t>(get(genuine, 32, 4)); at < to;
		     at += 1400, junk++)
			two.inject(net::Way::to_b,
				   junk_behind(genuine, at, pattern(std::min(1400U, to - at), 7)));
	});
	two.client.request(two.to, pattern(110000));
	CHECK(two.server.expect().bytes == pattern(110000));
	test::note(std::to_string(junk) + " packets of junk, " + std::to_string(resends) +
		   " RESENDs");
	CHECK(junk > 0);
	CHECK(resends <= 2 * junk);
}

TEST_LIMIT(junk_while_a_session_is_rekeyed, 120)
{
	// Ahead of every 8th packet junk for the same place, and junk behind a header of
	// the message before, which had older keys.
	unsigned count = 0;
	std::vector<Bytes> headers;
	Between two;
	proc::Counters counters(two.wired.b.ns);
	two.wired.set([&](net::Way way, const net::Wired::Packet &packet) {
		Bytes homa = net::homa_of(packet);
		if (secure::type_of(homa) == secure_data && way == net::Way::to_b &&
		    !(count++ % 8)) {
			Bytes junk = pattern(homa.size() - secure::header_length, 7);
			auto at = static_cast<uint32_t>(get(homa, 4, 4));
			two.inject(way, junk_behind(homa, at, junk));
			if (headers.empty() || get(headers.back(), 20, 8) != get(homa, 20, 8))
				headers.push_back(homa);
			if (headers.size() > 1)
				two.inject(way, junk_behind(headers.end()[-2], at, junk));
		}
		two.wired.pass(way, packet);
	});
	unsigned moved = 0;
	for (unsigned i = 0; i < 8; i++) {
		two.client.request(two.to, pattern(50000, i));
		moved += session::rekey(two.client.fd(), two.to) == 0;
		PlainMessage request = two.server.expect();
		CHECK(request.bytes == pattern(50000, i));
		moved += session::rekey(two.server.fd(), two.from) == 0;
		two.server.reply(request, pattern(20, i));
		CHECK(two.client.expect().bytes == pattern(20, i));
	}
	test::note(std::to_string(moved) + " epochs");
	CHECK(moved >= 8);
	CHECK(counters.moved("bad_records") > 0);
}
