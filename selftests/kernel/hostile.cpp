// SPDX-License-Identifier: Apache-2.0
// Packets of a stranger: any type, any length, any field, many of them. The host
// counts each, keeps working, and nothing remains.
#include <algorithm>
#include <memory>
#include <poll.h>

#include "lib/homa_peer.hpp"
#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"

namespace {

std::unique_ptr<net::Alone> place;

constexpr uint16_t port = 4000;
constexpr uint16_t secure_port = 4001;

net::Address stranger(bool v6 = false)
{
	return net::Address::of(v6 ? "fd00::7" : "10.0.0.7", 0);
}

net::Address host(bool v6 = false)
{
	return place->host.at(v6 ? net::Family::v6 : net::Family::v4, 0);
}

void inject(const Bytes &homa, bool v6 = false)
{
	place->wire.send(packet::ip(stranger(v6), host(v6), homa));
}

/// An ICMP error of a stranger about a packet of the host's.
void send_icmp(uint8_t type, uint8_t code, const Bytes &quoted)
{
	Bytes icmp;
	put(icmp, type, 1);
	put(icmp, code, 1);
	put(icmp, 0, 6);
	icmp.insert(icmp.end(), quoted.begin(), quoted.end());
	uint32_t sum = 0;
	for (size_t i = 0; i < icmp.size(); i += 2)
		sum += static_cast<uint32_t>(get(icmp, i, 2));
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	set(icmp, 2, static_cast<uint16_t>(~sum), 2);
	place->wire.send(packet::ip(stranger(), host(), icmp, 1));
}

/// A server in the clear and one with a session, on the host.
struct Targets {
	Targets()
		: clear(place->host.ns, AF_INET6, port),
		  secure(place->host.ns, AF_INET6, secure_port),
		  counters(place->host.ns)
	{
		session::Nonce mine = session::nonce(secure.fd());
		session::Nonce theirs{};
		net::Address peer = net::Address::of("10.0.0.7", 9);
		OK(session::add(secure.fd(), session::make(SDP_ROLE_SERVER, peer,
							   SDP_CIPHER_AES_128_GCM, mine, theirs)));
	}

	/// Takes whatever the strangers' requests were, and lets go of it.
	void drain() const
	{
		while (clear.receive(MSG_DONTWAIT).result >= 0)
			;
	}

	PlainSocket clear;
	PlainSocket secure;
	proc::Counters counters;
};

/// The host still serves an honest peer.
void still_works(const PlainSocket &server)
{
	place->host.ns.patient(true);
	// Of its own in each case: the host remembers what it has executed.
	std::string address = "10.0.3." + std::to_string(getpid() % 250 + 3);
	HomaPeer peer(place->wire,
		      net::Address::of(address, static_cast<uint16_t>(1000 + getpid() % 30000)),
		      place->host.at(net::Family::v4, port));
	peer.next_id = 5000;
	test::Thread serving([&] {
		// Strangers' requests may still come; only ours is answered.
		for (;;) {
			PlainMessage request = server.expect();
			if (request.from.text().find(address + "#") == std::string::npos)
				continue;
			server.reply(request, request.bytes);
			return;
		}
	});
	EQ(pattern_error(peer.call(pattern(30000))), "");
	serving.join();
}

/// Whether the host asks for what is missing, and gives messages up, only after long:
/// a flood of them then takes effect however slowly this machine sends it.
void keep_messages(bool wait)
{
	place->host.ns.patient(wait);
	CHECK(place->host.ns.sysctl("resend_us", wait ? "1000000" : "5000"));
}

/// Empties the wire of what the host sent.
void forget_answers()
{
	while (!place->wire.receive(0).empty())
		;
}

uint64_t answers()
{
	uint64_t count = 0;
	for (;;) {
		auto raw = place->wire.receive(50);
		if (raw.empty())
			return count;
		packet::Datagram ip = packet::parse_ip(raw);
		// What the kernel tells groups, e.g. of its own membership, is no answer.
		if (ip.to.text().starts_with("ff02:"))
			continue;
		test::note("an answer of protocol " + std::to_string(ip.next) + " to " +
			   ip.to.text() + ": " + test::show(ip.payload));
		count++;
	}
}

/// A packet with plausible ports, the rest at random.
Bytes random_packet(Random &random)
{
	static const uint16_t ports[] = {port, secure_port, 9999};
	static const uint32_t numbers[] = {0,       1,          55,         1000,       1000000,
					   1000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
	auto number = [&] {
		return random.percent(70) ? numbers[random.below(std::size(numbers))]
					  : static_cast<uint32_t>(random.next());
	};
	Bytes bytes = random.bytes(28 + random.below(150));
	set(bytes, 0, 9 + random.below(3), 2);
	set(bytes, 2, ports[random.below(3)], 2);
	set(bytes, 11,
	    (random.percent(95) ? 0x10 + random.below(10) : random.next()) |
		    (random.percent(30) ? 0x40 : 0),
	    1);
	set(bytes, 20, random.percent(80) ? random.below(64) : random.next(), 8);
	if (random.percent(60))
		set(bytes, 4, number(), 4);
	for (size_t at = 28; at + 4 <= bytes.size() && at < 60; at += 4)
		if (random.percent(70))
			set(bytes, at, number(), 4);
	if (random.percent(50) && bytes.size() >= 56)
		set(bytes, 52, packet::in_sequence, 4);
	return bytes;
}

} // namespace

SETUP
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
	// The kernel may say as often as it likes that nobody listens.
	place->host.ns.sh("echo 0 >/proc/sys/net/ipv4/icmp_ratemask");
}

EACH
{
	keep_messages(false);
	place->host.ns.patient(true);
	forget_answers();
}

TEST_LIMIT(every_length, 180)
{
	Targets targets;
	unsigned shorter = 0;
	for (bool v6 : {false, true})
		for (unsigned type = 0; type < 256; type += type < 0x20 || type > 0x3f ? 1 : 8)
			for (size_t length = 0; length <= 100; length += length < 64 ? 7 : 3) {
				Bytes homa(length);
				if (length >= 4)
					set(homa, 2, type & 0x40 ? secure_port : port, 2);
				if (length >= 2)
					set(homa, 0, 9, 2);
				if (length >= 12)
					homa[11] = static_cast<uint8_t>(type);
				shorter += length < 28;
				inject(homa, v6);
			}
	forget_answers();
	EVENTUALLY(targets.counters.moved("drop_short") >= shorter);
	targets.drain();
	still_works(targets.clear);
}

TEST_LIMIT(every_length_of_each_type, 180)
{
	// With fields that would do: what is cut off is missed.
	Targets targets;
	packet::Ends ends{9, port, 100};
	std::vector<Bytes> whole = {
		packet::make_grant(ends, 5),
		packet::make_resend(ends, 0, 5),
		packet::make_cutoffs(ends, {9, 8, 7, 6, 5, 4, 3, 2}, 4),
		packet::make_ack(ends, {{2, port}, {4, port}}),
		packet::common(packet::rpc_unknown, ends),
		packet::common(packet::busy, ends),
		packet::common(packet::need_ack, ends),
		packet::make_data(ends, {.message_length = 1000, .incoming = 1000}, {}),
	};
	static const size_t least[] = {33, 37, 62, 30, 28, 28, 28, 56};
	for (size_t i = 0; i < whole.size(); i++) {
		proc::Counters counters(place->host.ns);
		for (size_t length = 0; length < least[i]; length++) {
			Bytes cut = whole[i];
			cut.resize(length);
			inject(cut);
		}
		EVENTUALLY(counters.moved("drop_short") == least[i]);
	}
	EQ(targets.counters.moved("server_rpcs"), 0);
	still_works(targets.clear);
}

TEST_LIMIT(random_fields, 240)
{
	Targets targets;
	Random random(2025);
	constexpr unsigned count = 10000;
	for (unsigned i = 0; i < count; i++) {
		inject(random_packet(random), i % 3 == 0);
		if (i % 500 == 0) {
			forget_answers();
			targets.drain();
		}
	}
	forget_answers();
	targets.drain();
	still_works(targets.clear);
}

TEST_LIMIT(random_bytes, 120)
{
	Targets targets;
	Random random(7);
	for (unsigned i = 0; i < 5000; i++)
		inject(random.bytes(random.below(300)), i % 2);
	forget_answers();
	targets.drain();
	still_works(targets.clear);
}

TEST_LIMIT(random_answers_to_a_client, 240)
{
	// A client of the host's is answered with packets about its own RPC.
	Targets targets;
	Random random(99);
	for (unsigned round = 0; round < 30; round++) {
		PlainSocket client(place->host.ns, AF_INET);
		OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
		forget_answers();
		client.request(net::Address::of("10.0.0.7", 9), pattern(70000));
		uint64_t id = 0;
		for (int i = 0; i < 100 && !id; i++) {
			auto raw = place->wire.receive(1000);
			packet::Datagram ip = packet::parse_ip(raw);
			if (ip.next == packet::protocol && get(ip.payload, 0, 2) == client.port())
				id = packet::parse(ip.payload).ends.id;
		}
		CHECK(id != 0);
		for (unsigned i = 0; i < 100; i++) {
			Bytes homa = random_packet(random);
			set(homa, 0, 9, 2);
			set(homa, 2, client.port(), 2);
			set(homa, 20, id ^ 1, 8);
			homa[11] &= 0x1f;
			inject(homa);
		}
		// Whatever became of it: a message that may be anything, a failure,
		// or nothing yet.
		while (client.receive(MSG_DONTWAIT).result >= 0)
			;
	}
	forget_answers();
	still_works(targets.clear);
}

TEST(many_acks)
{
	Targets targets;
	Bytes homa = packet::make_ack({9, port, 100}, {});
	for (unsigned count : {5U, 6U, 100U, 0x8000U, 0xffffU}) {
		set(homa, 28, count, 2);
		inject(homa);
		Bytes short_one = homa;
		short_one.resize(30);
		inject(short_one);
	}
	EVENTUALLY(targets.counters.moved("rx_ack") == 10);
	still_works(targets.clear);
}

TEST(lengths_of_messages)
{
	Targets targets;
	uint64_t id = 100;
	unsigned sent = 0;
	for (uint32_t length : {0U, 1000001U, 0x7fffffffU, 0x80000000U, 0xffffffffU})
		for (uint32_t offset : {0U, 10U, 0xffffff00U}) {
			packet::Data fields{
				.message_length = length, .incoming = length, .offset = offset};
			inject(packet::make_data({9, port, id += 2}, fields, pattern(100)));
			sent++;
		}
	EVENTUALLY(targets.counters.moved("rx_data") == sent);
	EQ(targets.counters.moved("drop_program"), sent);
	CHECK(!targets.clear.ready(POLLIN));
	CHECK(proc::lines(place->host.ns, "rpcs").empty());
	still_works(targets.clear);
}

TEST(offsets_beyond_the_message)
{
	Targets targets;
	uint64_t id = 100;
	unsigned sent = 0;
	for (uint32_t offset :
	     {1U, 901U, 1000U, 1001U, 0x7fffffffU, 0x80000000U, 0xffffff9cU, 0xfffffffeU})
		for (bool in_header : {false, true}) {
			packet::Data fields{.message_length = 100,
					    .incoming = 100,
					    .offset = offset,
					    .explicit_offset = in_header};
			inject(packet::make_data({9, port, id += 2}, fields, pattern(100)));
			sent++;
		}
	EVENTUALLY(targets.counters.moved("rx_data") == sent);
	EQ(targets.counters.moved("drop_program"), sent);
	EQ(targets.counters.moved("rx_bytes"), 0);
	still_works(targets.clear);
}

TEST(data_without_leave)
{
	// Far more than is unscheduled or granted.
	Targets targets;
	packet::Data fields{.message_length = 1000000, .incoming = 1000};
	inject(packet::make_data({9, port, 100}, fields, pattern(1000)));
	EVENTUALLY(targets.counters.moved("server_rpcs") == 1);
	fields.offset = 900000;
	inject(packet::make_data({9, port, 100}, fields, pattern(1000)));
	EVENTUALLY(targets.counters.moved("drop_program") == 1);
	EQ(targets.counters.moved("rx_bytes"), 1000);
	still_works(targets.clear);
}

TEST(many_gaps)
{
	// Every other packet: what would need unbounded bookkeeping is refused.
	Targets targets;
	packet::Data fields{.message_length = 100000, .incoming = 100000};
	for (uint32_t i = 0; i < 100; i++) {
		fields.offset = 2 * i * 100;
		inject(packet::make_data({9, port, 100}, fields, pattern(100)));
	}
	EVENTUALLY(targets.counters.moved("rx_data") == 100);
	CHECK(targets.counters.moved("drop_program") >= 80);
	CHECK(targets.counters.moved("rx_bytes") <= 20 * 100);
	still_works(targets.clear);
}

TEST_LIMIT(first_packets_without_end, 240)
{
	// Announcements of large messages from one stranger, then from many.
	keep_messages(true);
	Targets targets;
	CHECK(place->host.ns.sysctl("max_peers", "100"));
	packet::Data fields{.message_length = 1000000, .incoming = 1000};
	Random random(5);
	for (unsigned i = 0; i < 4000; i++) {
		net::Address from = net::Address::of("10.0." + std::to_string(4 + i / 250 % 200) +
							     "." + std::to_string(1 + i % 250),
						     0);
		Bytes homa = packet::make_data({9, port, 2 + 2 * random.below(1U << 30)}, fields,
					       pattern(1000));
		place->wire.send(packet::ip(i % 2 ? from : stranger(), host(), homa));
		if (i % 500 == 0)
			forget_answers();
	}
	forget_answers();
	// Unused peers make room; sets of requests are not forgotten before their time.
	CHECK(targets.counters.moved("drop_peer_limit") +
		      targets.counters.moved("drop_seen_limit") >
	      0);
	CHECK(place->host.ns.sysctl("max_peers", "65536"));
	// They never go on: the host gives them up by itself.
	keep_messages(false);
	EVENTUALLY((forget_answers(), proc::lines(place->host.ns, "rpcs").empty()));
	still_works(targets.clear);
}

// Requests in many names take the places of clear peers only, and of those no
// longer than they are open.
TEST_LIMIT(strangers_leave_room, 120)
{
	place = std::make_unique<net::Alone>();
	place->host.ns.patient(false);
	Targets targets;
	CHECK(place->host.ns.sysctl("max_peers", "200"));
	auto spoof = [&](unsigned first, unsigned count) {
		for (unsigned i = first; i < first + count; i++) {
			net::Address from = net::Address::of("10.0.9." + std::to_string(1 + i), 0);
			place->wire.send(packet::ip(
				from, host(), packet::make_message({9, port, 100}, pattern(10))));
		}
		EVENTUALLY(targets.counters.moved("rx_data") == first + count);
	};
	spoof(0, 150);
	EQ(targets.counters.moved("server_rpcs"), 100);
	EQ(targets.counters.moved("drop_peer_limit"), 50);
	// Whom we call, or have a session with, is none of them.
	PlainSocket client(place->host.ns, AF_INET, 6000);
	session::policy(client.fd(), SDP_POLICY_MIXED);
	for (unsigned i = 0; i < 90; i++) {
		net::Address to = net::Address::of("10.0.8." + std::to_string(1 + i), 9);
		session::Nonce theirs{};
		OK(session::add(client.fd(),
				session::make(SDP_ROLE_CLIENT, to, SDP_CIPHER_AES_128_GCM,
					      session::nonce(client.fd()), theirs)));
		client.request(to, pattern(10), i, i % 2 ? SDP_MSG_CLEAR : 0);
	}
	client.close();
	// The requests are over, but clients are remembered.
	while (targets.clear.ready(POLLIN))
		targets.clear.echo();
	EVENTUALLY((forget_answers(), proc::lines(place->host.ns, "rpcs").empty()));
	spoof(150, 50);
	CHECK(targets.counters.moved("server_rpcs") > 100);
	while (targets.clear.ready(POLLIN))
		targets.clear.echo();
	CHECK(place->host.ns.sysctl("max_peers", "65536"));
	EVENTUALLY((forget_answers(), proc::lines(place->host.ns, "rpcs").empty()));
	still_works(targets.clear);
}

TEST_LIMIT(memory_is_bounded, 240)
{
	// Bytes of messages that never complete, beyond what the socket may hold.
	keep_messages(true);
	Targets targets;
	int bound = 1 << 20;
	OK(setsockopt(targets.clear.fd(), SOL_SOCKET, SO_RCVBUF, &bound, sizeof(bound)));
	socklen_t size = sizeof(bound);
	OK(getsockopt(targets.clear.fd(), SOL_SOCKET, SO_RCVBUF, &bound, &size));
	packet::Data fields{.message_length = 40000, .incoming = 40000};
	for (unsigned i = 0; i < 4000; i++) {
		inject(packet::make_data({9, port, 1000 + 2 * i}, fields, pattern(1400)));
		if (i % 200)
			continue;
		forget_answers();
		for (const std::string &line : proc::lines(place->host.ns, "sockets")) {
			size_t at = line.find("rmem=");
			CHECK(at != std::string::npos);
			CHECK(std::stol(line.substr(at + 5)) <= bound + 65536);
		}
	}
	CHECK(targets.counters.moved("mem_refused") + targets.counters.moved("mem_reclaimed") > 0);
	keep_messages(false);
	EVENTUALLY((forget_answers(), proc::lines(place->host.ns, "rpcs").empty()));
	still_works(targets.clear);
}

TEST(spoofed_sources)
{
	Targets targets;
	unsigned sent = 0;
	for (const char *from :
	     {"0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1", "10.0.0.2"}) {
		Bytes homa = packet::make_message({9, port, 100}, pattern(10));
		place->wire.send(packet::ip(net::Address::of(from, 0), host(), homa));
		sent++;
	}
	for (const char *from : {"::", "::1", "ff02::1", "::ffff:10.0.0.7"}) {
		Bytes homa = packet::make_message({9, port, 100}, pattern(10));
		place->wire.send(packet::ip(net::Address::of(from, 0), host(true), homa));
		sent++;
	}
	// To everybody.
	Bytes homa = packet::make_message({9, port, 102}, pattern(10));
	place->wire.send(packet::ip(stranger(), net::Address::of("255.255.255.255", 0), homa));
	place->wire.send(packet::ip(stranger(), net::Address::of("224.0.0.1", 0), homa));
	place->wire.send(packet::ip(stranger(true), net::Address::of("ff02::1", 0), homa));
	while (targets.clear.ready(POLLIN, 200))
		test::note("delivered: " + targets.clear.receive().from.text());
	EQ(targets.counters.moved("server_rpcs"), 0);
	EQ(answers(), 0);
	still_works(targets.clear);
}

TEST(port_zero)
{
	Targets targets;
	inject(packet::make_message({0, port, 100}, pattern(10)));
	inject(packet::make_message({9, 0, 102}, pattern(10)));
	EVENTUALLY(targets.counters.moved("drop_address") +
			   targets.counters.moved("drop_no_socket") ==
		   2);
	CHECK(!targets.clear.ready(POLLIN, 50));
	still_works(targets.clear);
}

TEST(ip_fragments)
{
	// A DATA packet in three fragments is one packet; a hole is none.
	Targets targets;
	Bytes homa = packet::make_message({9, port, 100}, pattern(1200));
	auto fragment = [&](size_t from, size_t to, uint16_t ident) {
		Bytes part(homa.begin() + static_cast<long>(from),
			   homa.begin() + static_cast<long>(to));
		Bytes raw = packet::ip(stranger(), host(), part);
		uint16_t bits = static_cast<uint16_t>(from / 8 | (to < homa.size() ? 0x2000 : 0));
		set(raw, 4, ident, 2);
		set(raw, 6, bits, 2);
		// The checksum again, by taking out what was there.
		set(raw, 10, 0, 2);
		uint32_t sum = 0;
		for (size_t i = 0; i < 20; i += 2)
			sum += static_cast<uint32_t>(get(raw, i, 2));
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		set(raw, 10, static_cast<uint16_t>(~sum), 2);
		place->wire.send(raw);
	};
	fragment(800, homa.size(), 7);
	fragment(0, 400, 7);
	fragment(400, 800, 7);
	PlainMessage got = targets.clear.expect();
	EQ(pattern_error(got.bytes), "");
	targets.clear.reply(got, pattern(1));
	set(homa, 20, 102, 8);
	fragment(0, 400, 8);
	fragment(800, homa.size(), 8);
	CHECK(!targets.clear.ready(POLLIN, 200));
	still_works(targets.clear);
}

TEST(icmp_errors)
{
	struct Kind {
		uint8_t type;
		uint8_t code;
		int error;
	};
	static const Kind kinds[] = {
		{3, 3, ENOTCONN},     {3, 2, ENOPROTOOPT},   {3, 0, EHOSTUNREACH},
		{3, 1, EHOSTUNREACH}, {3, 13, EHOSTUNREACH},
	};
	for (const Kind &kind : kinds) {
		PlainSocket client(place->host.ns, AF_INET);
		client.request(net::Address::of("10.0.0.7", 9), pattern(10));
		auto sent = place->wire.receive();
		// A guess at the id first: it must not count.
		for (bool genuine : {false, true}) {
			Bytes quoted(sent.begin(), sent.begin() + 20 + 28);
			if (!genuine)
				quoted[20 + 27] ^= 2;
			send_icmp(kind.type, kind.code, quoted);
			if (!genuine)
				CHECK(!client.ready(POLLIN, 50));
		}
		client.expect_failure(kind.error);
		forget_answers();
	}
}

TEST(icmp_errors_for_a_secure_rpc)
{
	// Hints, no more.
	PlainSocket client(place->host.ns, AF_INET, 6000);
	net::Address to = net::Address::of("10.0.0.7", 9);
	session::Nonce theirs{};
	OK(session::add(client.fd(), session::make(SDP_ROLE_CLIENT, to, SDP_CIPHER_AES_128_GCM,
						   session::nonce(client.fd()), theirs)));
	client.request(to, pattern(10));
	auto sent = place->wire.receive();
	proc::Counters counters(place->host.ns);
	send_icmp(3, 3, Bytes(sent.begin(), sent.begin() + 48));
	EVENTUALLY(counters.moved("icmp_errors") == 1);
	CHECK(!client.ready(POLLIN, 100));
	EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
	OK(client.abort(0, 0, 0));
}

// Whose name a request was sent in says that nobody there knows of it.
TEST(icmp_errors_for_a_server)
{
	struct Kind {
		uint8_t code;
		bool ends;
	};
	Targets targets;
	uint64_t id = 100;
	for (const Kind &kind : {Kind{3, true}, Kind{2, true}, Kind{1, false}})
		for (bool answered : {false, true}) {
			forget_answers();
			packet::Data fields;
			fields.message_length = answered ? 10 : 1000000;
			fields.incoming = 10;
			inject(packet::make_data({9, port, id += 2}, fields, pattern(10)));
			EVENTUALLY(proc::lines(place->host.ns, "rpcs").size() == 1);
			if (answered)
				targets.clear.reply(targets.clear.expect(), pattern(100000));
			Bytes quoted = packet::ip(host(), stranger(),
						  packet::common(packet::data, {port, 9, id | 1}));
			proc::Counters counters(place->host.ns);
			send_icmp(3, kind.code, quoted);
			EVENTUALLY(counters.moved("icmp_errors") == 1);
			if (kind.ends) {
				EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
				continue;
			}
			EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
			// Nobody waits any longer.
			place->host.ns.patient(false);
			EVENTUALLY((forget_answers(), proc::lines(place->host.ns, "rpcs").empty()));
			place->host.ns.patient(true);
		}
	still_works(targets.clear);
}

TEST(errors_beget_no_errors)
{
	// Packets to a port where nobody listens: only a request is told so.
	Targets targets;
	for (uint8_t type : {packet::grant, packet::resend, packet::rpc_unknown, packet::busy,
			     packet::cutoffs, packet::need_ack, packet::ack}) {
		Bytes homa = packet::common(static_cast<packet::Type>(type), {9, 555, 101});
		homa.resize(80);
		inject(homa);
	}
	packet::Data fields{.message_length = 10, .incoming = 10};
	inject(packet::make_data({9, 555, 101}, fields, pattern(10)));
	EVENTUALLY(targets.counters.moved("drop_no_socket") == 8);
	EQ(answers(), 0);
	inject(packet::make_data({9, 555, 100}, fields, pattern(10)));
	auto raw = place->wire.receive();
	CHECK(!raw.empty());
	packet::Datagram icmp = packet::parse_ip(raw);
	EQ(icmp.next, 1);
	EQ(get(icmp.payload, 0, 2), 0x0303);
}

TEST(amplification)
{
	// One packet of a stranger makes at most one answer, no longer than a few
	// times itself, and none at all from a secure socket.
	Targets targets;
	Random random(12);
	forget_answers();
	for (unsigned i = 0; i < 500; i++) {
		Bytes homa = random_packet(random);
		set(homa, 2, secure_port, 2);
		inject(homa);
	}
	EQ(answers(), 0);
	still_works(targets.clear);
}
