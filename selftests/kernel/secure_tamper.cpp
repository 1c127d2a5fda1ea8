// SPDX-License-Identifier: Apache-2.0
// Somebody between two hosts, without a key: changed, repeated, cut, extended,
// clear and reflected packets. Whatever happens, every RPC ends well.
#include <algorithm>
#include <memory>
#include <poll.h>

#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/secure.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

constexpr uint16_t port = 4000;
constexpr uint16_t client_port = 5000;
using net::Way;
using Packet = net::Wired::Packet;

std::unique_ptr<net::Wired> wire;

/// A client and a server with a session, on both sides of the wire.
struct Talk {
	Talk()
		: client(wire->a.ns, AF_INET, client_port),
		  server(wire->b.ns, AF_INET, port),
		  to(wire->b.at(net::Family::v4, port)),
		  keys(session::join(client.fd(), wire->a.at(net::Family::v4, client_port),
				     server.fd(), to))
	{
		wire->set({});
	}
	~Talk() { wire->set({}); }

	void echo(size_t length = 64) const
	{
		client.request(to, pattern(length, length));
		PlainMessage request = server.expect();
		EQ(request.rpc->flags, SDP_RPC_REQUEST | SDP_RPC_SECURE);
		EQ(pattern_error(request.bytes, length), "");
		server.reply(request, pattern(length, length + 1));
		PlainMessage response = client.expect();
		EQ(response.result, length);
		EQ(pattern_error(response.bytes, length + 1), "");
	}

	PlainSocket client;
	PlainSocket server;
	net::Address to;
	session::Keys keys;
};

bool is_data(const Packet &packet)
{
	return secure::type_of(net::homa_of(packet)) == secure::data_type;
}

/// Changes the first packet to host b that @a chosen picks; all others pass.
void change_first(const std::function<bool(const Packet &)> &chosen,
		  const std::function<void(Bytes &)> &change)
{
	auto done = std::make_shared<bool>(false);
	wire->set([=](Way way, Packet packet) {
		if (!*done && way == Way::to_b && chosen(packet)) {
			*done = true;
			Bytes homa = net::homa_of(packet);
			change(homa);
			net::set_homa(packet, homa);
		}
		wire->pass(way, packet);
	});
}

/// From now on keeps a copy of what passes to host b.
void keep_to_b(std::vector<Packet> &kept)
{
	wire->set([&kept](Way way, const Packet &packet) {
		if (way == Way::to_b)
			kept.push_back(packet);
		wire->pass(way, packet);
	});
}

/// Runs @a checks after a change of byte @a at; a failure names it, and what moved.
void after_change_of(size_t at, const proc::Counters &counters, const std::function<void()> &checks)
{
	try {
		checks();
	} catch (const test::Failure &failure) {
		throw test::Failure("byte " + std::to_string(at) + ": " + failure.what() + "\n" +
				    counters.all_moved());
	}
}

/// What a change of one byte of a DATA header must count at the receiver.
std::string drop_for_header_byte(size_t at)
{
	if (at < 2)
		return "drop_no_session"; // another source port
	if (at < 4)
		return "drop_no_socket";
	if (at >= 36 && at < 40)
		return "drop_other_session";
	return "drop_header_tag";
}

/// Bytes of the header that segmentation may write.
bool may_be_written(size_t at)
{
	return at == 13 || at == 16 || at == 17;
}

} // namespace

SETUP
{
	wire = std::make_unique<net::Wired>(1500, false);
	leaks::watch(wire->a.ns);
	leaks::watch(wire->b.ns);
	for (const net::Netns *ns : {&wire->a.ns, &wire->b.ns})
		ns->sh("sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv4.icmp_ratemask=0");
}

/// How soon the hosts ask for what is missing. By default they hardly do, so that
/// what is counted does not depend on the speed of this machine.
static void ask_again_after(const char *microseconds)
{
	for (const net::Netns *ns : {&wire->a.ns, &wire->b.ns}) {
		CHECK(ns->sysctl("resend_us", microseconds));
		CHECK(ns->sysctl("need_ack_us", microseconds));
	}
}

EACH
{
	wire->start();
	ask_again_after("30000000");
}

TEST_LIMIT(each_header_byte, 180)
{
	ask_again_after("20000");
	Talk talk;
	talk.echo();
	for (size_t at = 0; at < secure::header_length; at++) {
		if (may_be_written(at) || (at >= 4 && at < 8) || at == 11)
			continue;
		proc::Counters counters(wire->b.ns);
		change_first(is_data, [at](Bytes &homa) { homa[at] ^= 0x01; });
		talk.echo();
		after_change_of(at, counters, [&] {
			EQ(counters.moved(drop_for_header_byte(at)), 1);
			EQ(counters.moved("server_rpcs"), 1);
			EQ(counters.moved("bad_records"), 0);
		});
	}
}

TEST(bytes_that_segmentation_writes)
{
	Talk talk;
	for (size_t at : {13, 16, 17}) {
		proc::Counters counters(wire->b.ns);
		change_first(is_data, [at](Bytes &homa) { homa[at] ^= 0xff; });
		talk.echo();
		EQ(counters.moved("bad_records"), 0);
		EQ(counters.moved("drop_header_tag"), 0);
		EQ(counters.moved("server_rpcs"), 1);
	}
}

TEST(each_byte_of_the_type)
{
	ask_again_after("20000");
	Talk talk;
	for (unsigned bit = 0; bit < 8; bit++) {
		change_first(is_data,
			     [bit](Bytes &homa) { homa[11] ^= static_cast<uint8_t>(1U << bit); });
		talk.echo();
	}
}

TEST(wrong_place)
{
	ask_again_after("20000");
	// A place is not covered by the tag: a wrong one costs a bad record at most.
	Talk talk;
	for (uint32_t place : {1U, 1420U, 0x7fffffffU, 0x80000000U, 0x80000001U, 0xffffffffU}) {
		change_first(is_data, [place](Bytes &homa) { set(homa, 4, place, 4); });
		talk.echo(64);
		change_first(is_data, [place](Bytes &homa) { set(homa, 4, place, 4); });
		talk.echo(5000);
	}
	// Two packets of one message change places.
	wire->set([=](Way way, Packet packet) {
		if (way == Way::to_b && is_data(packet)) {
			Bytes homa = net::homa_of(packet);
			uint64_t place = get(homa, 4, 4);
			if (place == 0 || place == 1420) {
				set(homa, 4, 1420 - place, 4);
				Packet swapped = packet;
				net::set_homa(swapped, homa);
				wire->pass(way, swapped);
				return;
			}
		}
		wire->pass(way, packet);
	});
	proc::Counters counters(wire->b.ns);
	talk.client.request(talk.to, pattern(5000));
	EVENTUALLY(counters.moved("rx_data") >= 4);
	// Now the wire is honest.
	wire->set({});
	PlainMessage request = talk.server.expect();
	EQ(pattern_error(request.bytes), "");
	CHECK(counters.moved("bad_records") >= 1);
	talk.server.reply(request, pattern(3));
	talk.client.expect();
}

TEST_LIMIT(each_payload_byte, 240)
{
	// Sealed: 5 of the record, 16 of our header, 64, the type, the tag.
	constexpr size_t sealed = 5 + 16 + 64 + 1 + 16;
	Talk talk;
	for (size_t at = 0; at < sealed; at++) {
		proc::Counters server(wire->b.ns);
		proc::Counters client(wire->a.ns);
		change_first(is_data,
			     [at](Bytes &homa) { homa.at(secure::header_length + at) ^= 0x80; });
		talk.echo(64);
		after_change_of(at, server, [&] {
			EQ(server.moved("bad_records"), 1);
			EQ(server.moved("tx_resend"), 1);
			EQ(server.moved("drop_header_tag"), 0);
			EQ(client.moved("rx_resend"), 1);
			EQ(client.moved("tx_retransmits"), 1);
		});
	}
}

TEST(bad_record_of_many)
{
	// Only its own bytes are asked for again, in authenticated form.
	Talk talk;
	change_first(
		[](const Packet &packet) {
			return is_data(packet) && get(net::homa_of(packet), 4, 4) / 16277 == 1;
		},
		[](Bytes &homa) { homa.back() ^= 1; });
	proc::Counters server(wire->b.ns);
	proc::Counters client(wire->a.ns);
	talk.echo(100000);
	EQ(server.moved("bad_records"), 1);
	uint64_t again = client.moved("tx_retransmits");
	// One record is 12 packets.
	CHECK(again >= 12 && again <= 14);
}

TEST(answer_to_a_bad_record_is_authenticated)
{
	Talk talk;
	unsigned authenticated = 0;
	unsigned resends = 0;
	bool changed = false;
	wire->set([&](Way way, Packet packet) {
		Bytes homa = net::homa_of(packet);
		if (way == Way::to_b && is_data(packet)) {
			if (!changed) {
				changed = true;
				homa[70] ^= 1;
				net::set_homa(packet, homa);
			} else {
				EQ(homa[48], secure::flag_retransmit | secure::flag_authenticated);
				authenticated++;
			}
		} else if (secure::type_of(homa) == (packet::resend | packet::secure_bit)) {
			EQ(secure::parse_control(homa).flags, 1);
			resends++;
		}
		wire->pass(way, packet);
	});
	talk.echo(64);
	wire->set({});
	EQ(authenticated, 1);
	EQ(resends, 1);
}

TEST(authenticated_form_changed_too)
{
	ask_again_after("20000");
	// Each byte of the answer, too: it is dropped, and asked for again.
	Talk talk;
	for (size_t at : {0, 30, 60, 61, 100, 150, 161, 162, 170, 177, 185}) {
		int stage = 0;
		wire->set([&](Way way, Packet packet) {
			if (way == Way::to_b && is_data(packet) && stage < 2) {
				Bytes homa = net::homa_of(packet);
				size_t place = stage == 0 ? 70 : at;
				stage++;
				if (place < homa.size())
					homa[place] ^= 1;
				net::set_homa(packet, homa);
			}
			wire->pass(way, packet);
		});
		talk.echo(64);
		wire->set({});
		EQ(stage, 2);
	}
}

TEST(persistent_flips_before_an_honest_path)
{
	ask_again_after("20000");
	// Twenty transmissions are spoilt, the next one is not.
	Talk talk;
	int left = 20;
	wire->set([&](Way way, Packet packet) {
		if (way == Way::to_b && is_data(packet) && left > 0) {
			left--;
			Bytes homa = net::homa_of(packet);
			homa[80] ^= 1;
			net::set_homa(packet, homa);
		}
		wire->pass(way, packet);
	});
	talk.echo(64);
	wire->set({});
	EQ(left, 0);
}

TEST(cut_and_extended_packets)
{
	ask_again_after("20000");
	Talk talk;
	for (long change : {-1L, -16L, -101L, 1L, 16L, 100L}) {
		change_first(is_data, [change](Bytes &homa) {
			homa.resize(static_cast<size_t>(static_cast<long>(homa.size()) + change));
		});
		talk.echo(64);
		change_first(is_data, [change](Bytes &homa) {
			homa.resize(static_cast<size_t>(static_cast<long>(homa.size()) + change));
		});
		talk.echo(9000);
	}
}

TEST(shorter_than_its_header)
{
	ask_again_after("20000");
	Talk talk;
	for (size_t length : {1U, 27U, 28U, 59U}) {
		proc::Counters counters(wire->b.ns);
		change_first(is_data, [length](Bytes &homa) { homa.resize(length); });
		talk.echo();
		EQ(counters.moved("drop_short"), 1);
	}
}

TEST(replayed)
{
	Talk talk;
	std::vector<std::pair<Way, Packet>> all;
	wire->set([&](Way way, Packet packet) {
		all.emplace_back(way, packet);
		wire->pass(way, packet);
	});
	for (int i = 0; i < 5; i++)
		talk.echo(3000);
	wire->set({});
	proc::Counters server(wire->b.ns);
	proc::Counters client(wire->a.ns);
	unsigned data_to_b = 0;
	unsigned control_to_b = 0;
	for (const auto &[way, packet] : all) {
		if (way == Way::to_b)
			(is_data(packet) ? data_to_b : control_to_b)++;
		wire->pass(way, packet);
	}
	EVENTUALLY(server.moved("drop_replay") + server.moved("drop_mismatch") +
			   server.moved("drop_program") >=
		   data_to_b);
	EVENTUALLY(server.moved("drop_control_replay") == control_to_b);
	EQ(server.moved("server_rpcs"), 0);
	EQ(server.moved("requests_delivered"), 0);
	EQ(client.moved("responses_delivered"), 0);
	CHECK(!talk.server.ready(POLLIN, 100));
	CHECK(!talk.client.ready(POLLIN));
	talk.echo();
}

TEST(replayed_after_the_session_is_replaced)
{
	std::vector<Packet> all;
	{
		Talk talk;
		keep_to_b(all);
		talk.echo();
	}
	// The same ports, the same secret.
	Talk talk;
	proc::Counters counters(wire->b.ns);
	for (const Packet &packet : all)
		wire->pass(Way::to_b, packet);
	EVENTUALLY(counters.moved("drop_other_session") == all.size());
	EQ(counters.moved("server_rpcs"), 0);
	talk.echo();
}

TEST(reflected)
{
	Talk talk;
	std::vector<Packet> all;
	keep_to_b(all);
	talk.echo();
	wire->set({});
	// Back to where they came from, with ends exchanged.
	proc::Counters counters(wire->a.ns);
	for (const Packet &packet : all) {
		packet::Datagram ip = packet::parse_ip(packet);
		Bytes homa = ip.payload;
		std::swap_ranges(homa.begin(), homa.begin() + 2, homa.begin() + 2);
		wire->pass(Way::to_a, packet::ip(ip.to, ip.from, homa));
	}
	EVENTUALLY(counters.moved("drop_header_tag") + counters.moved("drop_control_tag") ==
		   all.size());
	talk.echo();
}

TEST(clear_packets_for_a_secure_rpc)
{
	Talk talk;
	talk.client.request(talk.to, pattern(100));
	PlainMessage request = talk.server.expect();
	uint64_t id = (request.rpc->id & ~(1ULL << 63)) - 1;
	// From either end, of every type, about the very RPC.
	for (Way way : {Way::to_b, Way::to_a}) {
		bool to_b = way == Way::to_b;
		const net::Host &from = to_b ? wire->a : wire->b;
		const net::Host &to = to_b ? wire->b : wire->a;
		packet::Ends ends{to_b ? client_port : port, to_b ? port : client_port,
				  to_b ? id : id + 1};
		std::vector<Bytes> packets = {
			packet::make_message(ends, pattern(50)),
			packet::make_grant(ends, 1000),
			packet::make_resend(ends, 0, packet::everything),
			packet::common(packet::rpc_unknown, ends),
			packet::common(packet::busy, ends),
			packet::make_cutoffs(ends, {1, 1, 1, 1, 1, 1, 1, 1}, 3),
			packet::common(packet::need_ack, ends),
			packet::make_ack(ends, {{id, port}}),
			packet::common(packet::abort, ends),
		};
		proc::Counters counters(to.ns);
		for (const Bytes &homa : packets)
			wire->pass(way, packet::ip(from.at(net::Family::v4, 0),
						   to.at(net::Family::v4, 0), homa));
		EVENTUALLY(counters.moved("drop_policy_clear") + counters.moved("drop_type") ==
			   packets.size());
		CHECK(counters.moved("drop_policy_clear") >= packets.size() - 1);
		EQ(counters.moved("tx_segments"), 0);
	}
	talk.server.reply(request, pattern(200));
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(clear_packets_on_a_mixed_socket)
{
	// There clear packets are welcome, but not to an RPC that is secure.
	Talk talk;
	session::policy(talk.client.fd(), SDP_POLICY_MIXED);
	session::policy(talk.server.fd(), SDP_POLICY_MIXED);
	talk.client.request(talk.to, pattern(100));
	PlainMessage request = talk.server.expect();
	uint64_t id = (request.rpc->id & ~(1ULL << 63)) - 1;
	packet::Ends ends{port, client_port, id + 1};
	net::Address from = wire->b.at(net::Family::v4, 0);
	net::Address to = wire->a.at(net::Family::v4, 0);
	proc::Counters counters(wire->a.ns);
	for (const Bytes &homa :
	     {packet::make_message(ends, pattern(50)), packet::common(packet::rpc_unknown, ends),
	      packet::common(packet::need_ack, ends), packet::make_grant(ends, 10)})
		wire->pass(Way::to_a, packet::ip(from, to, homa));
	EVENTUALLY(counters.moved("drop_mismatch") == 4);
	talk.server.reply(request, pattern(200));
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(secure_packets_for_a_clear_rpc)
{
	std::vector<Packet> taken;
	{
		Talk talk;
		keep_to_b(taken);
		talk.echo();
		wire->set({});
	}
	PlainSocket client(wire->a.ns, AF_INET, client_port);
	PlainSocket server(wire->b.ns, AF_INET, port);
	net::Address to = wire->b.at(net::Family::v4, port);
	client.request(to, pattern(10));
	PlainMessage request = server.expect();
	proc::Counters counters(wire->b.ns);
	for (Packet packet : taken) {
		Bytes homa = net::homa_of(packet);
		set(homa, 20, request.rpc->id - 1, 8);
		net::set_homa(packet, homa);
		wire->pass(Way::to_b, packet);
	}
	EVENTUALLY(counters.moved("drop_policy_secure") == taken.size());
	server.reply(request, pattern(20));
	EQ(client.expect().result, 20);
}

TEST_LIMIT(each_byte_of_control_packets, 240)
{
	ask_again_after("5000");
	// The first packet of each kind that a lossy conversation makes is changed,
	// a different byte each time: it is dropped, and made up for.
	Talk talk;
	for (uint8_t type :
	     {packet::grant, packet::resend, packet::ack, packet::need_ack, packet::busy}) {
		proc::Counters a(wire->a.ns);
		proc::Counters b(wire->b.ns);
		size_t at = 0;
		unsigned changed = 0;
		unsigned count = 0;
		wire->set([&](Way way, Packet packet) {
			Bytes homa = net::homa_of(packet);
			uint8_t got = secure::type_of(homa);
			// Loss makes RESENDs, and a long silence the others.
			if (got == secure::data_type && ++count % 7 == 0)
				return;
			if (got == (type | packet::secure_bit) && at < homa.size()) {
				if (at == 16)
					at = 18; // not covered: the checksum
				homa[at] ^= 1;
				at += 5;
				changed++;
				net::set_homa(packet, homa);
			}
			wire->pass(way, packet);
		});
		for (int i = 0; i < 6; i++) {
			talk.client.request(talk.to, pattern(70000));
			PlainMessage request = talk.server.expect();
			usleep(20000);
			talk.server.reply(request, pattern(70000, 2));
			EQ(pattern_error(talk.client.expect().bytes, 2), "");
		}
		wire->set({});
		auto dropped = [](const proc::Counters &counters) {
			uint64_t sum = 0;
			for (const char *name :
			     {"drop_control_tag", "drop_no_session", "drop_other_session",
			      "drop_no_socket", "drop_header_tag", "drop_type", "drop_short",
			      "drop_policy_clear"})
				sum += counters.moved(name);
			return sum;
		};
		EVENTUALLY(dropped(a) + dropped(b) == changed);
	}
}

TEST(grants_again_and_again)
{
	// Every control packet comes three times; the copies count as replays.
	Talk talk;
	unsigned copies = 0;
	wire->set([&](Way way, Packet packet) {
		wire->pass(way, packet);
		if (is_data(packet) || !secure::is_secure(net::homa_of(packet)))
			return;
		wire->pass(way, packet);
		wire->pass(way, packet);
		copies += 2;
	});
	proc::Counters a(wire->a.ns);
	proc::Counters b(wire->b.ns);
	talk.echo(300000);
	wire->set({});
	CHECK(copies > 0);
	EVENTUALLY(a.moved("drop_control_replay") + b.moved("drop_control_replay") == copies);
}
