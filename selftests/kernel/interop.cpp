// SPDX-License-Identifier: Apache-2.0
// With another implementation of Homa: a host in user space (lib/homa_peer.hpp)
// and packets that Homa/Linux sent (data/*.pcap). Clear mode is Homa's to the
// byte.
#include <algorithm>
#include <memory>
#include <poll.h>

#include "lib/homa_peer.hpp"
#include "lib/homa_socket.hpp"
#include "lib/leaks.hpp"
#include "lib/pcap.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"

namespace {

std::unique_ptr<net::Alone> place;

constexpr uint16_t port = 4000;
constexpr uint16_t peer_port = 0x8123;

/// An address of its own for each case, so that the host remembers nothing of it.
net::Address peer_at(bool v6 = false, uint16_t at = peer_port)
{
	unsigned number = static_cast<unsigned>(getpid());
	std::string last = std::to_string(number / 250 % 250 + 1) + (v6 ? ":" : ".") +
			   std::to_string(number % 250 + 3);
	return net::Address::of((v6 ? "fd00::" : "10.0.") + last, at);
}

net::Address host_at(bool v6 = false, uint16_t at = port)
{
	return place->host.at(v6 ? net::Family::v6 : net::Family::v4, at);
}

/// A peer of a server on the host.
HomaPeer client_peer(bool v6 = false)
{
	return {place->wire, peer_at(v6), host_at(v6)};
}

/// A peer that is a server for @a client.
HomaPeer server_peer(const PlainSocket &client, bool v6 = false)
{
	return {place->wire, peer_at(v6, 99), host_at(v6, client.port())};
}

/// The host repeats itself only when it is asked to.
void in_no_hurry()
{
	CHECK(place->host.ns.sysctl("resend_us", "900000"));
	CHECK(place->host.ns.sysctl("need_ack_us", "900000"));
	CHECK(place->host.ns.sysctl("unsched_bytes", "40000"));
	CHECK(place->host.ns.sysctl("grant_quantum", "0"));
}

void in_a_hurry()
{
	CHECK(place->host.ns.sysctl("resend_us", "5000"));
	CHECK(place->host.ns.sysctl("need_ack_us", "5000"));
}

/// What is lost is asked for in turn: with many packets that takes its time.
constexpr uint32_t longest_with_loss = 100000;

void calls(const std::function<void(HomaPeer &)> &change, bool v6 = false)
{
	PlainSocket server(place->host.ns, v6 ? AF_INET6 : AF_INET, port);
	for (uint32_t length : {1U, 64U, 1424U, 1425U, 9999U, 10000U, 10001U, 100000U, 1000000U}) {
		HomaPeer peer = client_peer(v6);
		peer.next_id = 1000000 + 2ULL * length;
		change(peer);
		if (peer.lose_every && length > longest_with_loss)
			continue;
		test::Thread serving([&] { server.echo(); });
		Bytes response = peer.call(pattern(length, length));
		serving.join();
		EQ(response.size(), length);
		EQ(pattern_error(response, length), "");
	}
}

void serves(const std::function<void(HomaPeer &)> &change, bool v6 = false)
{
	for (uint32_t length : {1U, 64U, 1424U, 1425U, 39999U, 40001U, 100000U, 1000000U}) {
		PlainSocket client(place->host.ns, v6 ? AF_INET6 : AF_INET);
		OK(net::bind_to(client.fd(), net::Address::any(v6 ? AF_INET6 : AF_INET, 0)));
		HomaPeer peer = server_peer(client, v6);
		change(peer);
		if (peer.lose_every && length > longest_with_loss)
			continue;
		client.request(peer_at(v6, 99), pattern(length, length));
		test::Thread echoing([&] { peer.echo(); });
		PlainMessage response = client.expect();
		EQ(response.result, length);
		EQ(pattern_error(response.bytes, length), "");
		echoing.join();
	}
}

/// What Homa/Linux and we may write differently: the checksum and what NIC
/// segmentation uses of the TCP header that the packet looks like.
Bytes without_checksum(Bytes homa)
{
	set(homa, 16, 0, 2);
	return homa;
}

std::string data_file(const char *name)
{
	const char *folder = getenv("SDP_TEST_DATA");
	return std::string(folder ? folder : "data") + "/" + name;
}

} // namespace

SETUP
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
}

EACH
{
	in_no_hurry();
}

TEST_LIMIT(peer_calls, 120)
{
	calls([](HomaPeer &) {});
}
TEST_LIMIT(peer_calls_v6, 120)
{
	calls([](HomaPeer &peer) { peer.payload = 1404; }, true);
}
TEST_LIMIT(peer_calls_with_offsets, 120)
{
	calls([](HomaPeer &peer) { peer.explicit_offsets = true; });
}
TEST_LIMIT(peer_calls_in_small_packets, 120)
{
	calls([](HomaPeer &peer) {
		peer.payload = 999;
		peer.unscheduled = 5000;
	});
}
TEST_LIMIT(peer_loses_responses, 240)
{
	in_a_hurry();
	calls([](HomaPeer &peer) { peer.lose_every = 5; });
}
TEST_LIMIT(peer_serves, 120)
{
	serves([](HomaPeer &) {});
}
TEST_LIMIT(peer_serves_v6, 120)
{
	serves([](HomaPeer &peer) { peer.payload = 1404; }, true);
}
TEST_LIMIT(peer_serves_with_offsets, 120)
{
	serves([](HomaPeer &peer) { peer.explicit_offsets = true; });
}
TEST_LIMIT(peer_serves_and_loses, 240)
{
	in_a_hurry();
	serves([](HomaPeer &peer) { peer.lose_every = 4; });
}

TEST(request_to_the_byte)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(64));
	auto seen = peer.expect(packet::data, {});
	uint64_t id = seen.homa.ends.id;
	CHECK(id && id % 2 == 0);
	Bytes expected = packet::make_message({client.port(), 99, id}, pattern(64));
	EQ(without_checksum(seen.ip.payload), without_checksum(expected));
	EQ(seen.ip.traffic_class & 3, 0);
	peer.send_data(peer.ends(id ^ 1), pattern(10), 0, 10);
	PlainMessage response = client.expect();
	EQ(response.rpc->id, id);
}

TEST(response_to_the_byte)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	peer.send_data(peer.ends(6000), pattern(30), 0, 30);
	server.echo();
	auto seen = peer.expect(packet::data);
	Bytes expected = packet::make_message({port, peer_port, 6001}, pattern(30));
	EQ(without_checksum(seen.ip.payload), without_checksum(expected));
	peer.send(packet::make_ack(peer.ends(6000), {}));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(packets_of_a_long_message)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	Bytes message = pattern(10000);
	client.request(peer_at(false, 99), message);
	for (uint32_t offset = 0; offset < 10000; offset += 1424) {
		auto seen = peer.expect(packet::data, {});
		packet::Data fields{.message_length = 10000, .incoming = 10000, .offset = offset};
		Bytes expected = packet::make_data(
			seen.homa.ends, fields,
			View(message).subspan(offset, std::min(1424U, 10000 - offset)));
		EQ(without_checksum(seen.ip.payload), without_checksum(expected));
	}
	OK(client.abort(0, 0, 0));
}

TEST(unscheduled_and_granted)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	CHECK(place->host.ns.sysctl("unsched_bytes", "5000"));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(50000));
	uint32_t sent = 0;
	uint64_t id = 0;
	uint32_t incoming = 0;
	auto take = [&](const HomaPeer::Seen &seen) {
		EQ(seen.homa.offset, sent);
		EQ(seen.homa.retransmit, 0);
		sent += seen.homa.length;
		incoming = seen.homa.incoming;
		id = seen.homa.ends.id;
		CHECK(sent <= incoming);
	};
	while (sent < 5000)
		take(peer.expect(packet::data, {}));
	EQ(sent, incoming);
	CHECK(sent < 5000 + 1424);
	peer.expect_silence(200, {});
	uint32_t step = sent + 7000;
	peer.send(packet::make_grant(peer.ends(id ^ 1), step, 2));
	while (sent < step)
		take(peer.expect(packet::data, {}));
	EQ(sent, step);
	// A grant that was overtaken by a later one changes nothing.
	peer.send(packet::make_grant(peer.ends(id ^ 1), 6000, 2));
	peer.send(packet::make_grant(peer.ends(id ^ 1), step, 2));
	peer.expect_silence(200, {});
	peer.send(packet::make_grant(peer.ends(id ^ 1), 999999, 2));
	while (sent < 50000)
		take(peer.expect(packet::data, {}));
	EQ(sent, 50000);
	OK(client.abort(0, 0, 0));
}

TEST(scheduled_priority)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(60000));
	uint64_t id = 0;
	for (uint32_t sent = 0; sent < 40000;) {
		auto seen = peer.expect(packet::data, {});
		id = seen.homa.ends.id;
		sent += seen.homa.length;
	}
	peer.send(packet::make_grant(peer.ends(id ^ 1), 60000, 3));
	EQ(peer.expect(packet::data, {}).ip.traffic_class >> 5, 3);
	OK(client.abort(0, 0, 0));
}

TEST(unscheduled_priority_by_cutoffs)
{
	for (bool v6 : {false, true}) {
		PlainSocket client(place->host.ns, v6 ? AF_INET6 : AF_INET);
		OK(net::bind_to(client.fd(), net::Address::any(v6 ? AF_INET6 : AF_INET, 0)));
		HomaPeer peer = server_peer(client, v6);
		proc::Counters counters(place->host.ns);
		// They come in answer to a packet, for its RPC.
		client.request(peer_at(v6, 99), pattern(1));
		auto first = peer.expect(packet::data, {});
		EQ(first.homa.cutoff_version, 0);
		peer.send(packet::make_cutoffs(
			peer.ends(first.homa.ends.id ^ 1),
			{1000000, 1000000, 1000000, 1000000, 1000000, 5000, 500, 100}, 7));
		EVENTUALLY(counters.moved("rx_cutoffs") == 1);
		for (auto [length, level] :
		     {std::pair(50U, 7), std::pair(100U, 7), std::pair(101U, 6), std::pair(501U, 5),
		      std::pair(5001U, 4)}) {
			client.request(peer_at(v6, 99), pattern(length));
			auto seen = peer.expect(packet::data, {packet::data});
			while (seen.homa.message_length != length)
				seen = peer.expect(packet::data, {});
			EQ(seen.homa.cutoff_version, 7);
			EQ(seen.ip.traffic_class >> (v6 ? 4 : 5), level);
		}
		OK(client.abort(0, 0, 0));
	}
}

TEST(cutoffs_are_offered)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	packet::Data fields{.message_length = 10, .incoming = 10, .cutoff_version = 0};
	peer.send(packet::make_data(peer.ends(7000), fields, pattern(10)));
	auto seen = peer.expect(packet::cutoffs, {});
	EQ(seen.ip.payload.size(), 62);
	CHECK(seen.homa.cutoff_version != 0);
	CHECK(seen.homa.lengths[0] >= 1000000);
	for (int i = 1; i < 8; i++)
		CHECK(seen.homa.lengths[i] <= seen.homa.lengths[i - 1]);
	server.echo();
	peer.expect(packet::data, {});
	// With the present version there is no need.
	fields.cutoff_version = seen.homa.cutoff_version;
	peer.send(packet::make_data(peer.ends(7002), fields, pattern(10)));
	server.echo();
	peer.expect(packet::data, {});
	for (uint64_t id : {7000, 7002})
		peer.send(packet::make_ack(peer.ends(id), {}));
}

TEST(resend_is_answered)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	Bytes message = pattern(10000);
	client.request(peer_at(false, 99), message);
	uint64_t id = 0;
	for (int i = 0; i < 8; i++)
		id = peer.expect(packet::data, {}).homa.ends.id;
	// A range in the middle, not at a packet's start.
	peer.send(packet::make_resend(peer.ends(id ^ 1), 3000, 500));
	uint32_t got = 3000;
	while (got < 3500) {
		auto seen = peer.expect(packet::data, {});
		EQ(seen.homa.retransmit, 1);
		EQ(seen.homa.offset, got);
		EQ(seen.homa.payload, Bytes(message.begin() + seen.homa.offset,
					    message.begin() + seen.homa.offset + seen.homa.length));
		got += seen.homa.length;
	}
	EQ(got, 3500);
	// The head, before anything has arrived; BUSY while it may be on its way.
	EVENTUALLY([&] {
		peer.send(packet::make_resend(peer.ends(id ^ 1), 0, packet::everything));
		auto seen = peer.next(100);
		return seen && seen->homa.type == packet::data && seen->homa.offset == 0;
	}());
	OK(client.abort(0, 0, 0));
	while (peer.next(100))
		;
}

TEST(resend_beyond_the_message)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(1000));
	uint64_t id = peer.expect(packet::data, {}).homa.ends.id;
	peer.send(packet::make_resend(peer.ends(id ^ 1), 1000, 1000));
	peer.send(packet::make_resend(peer.ends(id ^ 1), 0xfffffff0, 0xfffffff0));
	peer.send(packet::make_resend(peer.ends(id ^ 1), 900, 0xfffffff0));
	while (auto seen = peer.next(200))
		if (seen->homa.type == packet::data)
			CHECK(seen->homa.offset + seen->homa.length <= 1000);
	OK(client.abort(0, 0, 0));
}

TEST(client_asks_for_a_response)
{
	in_a_hurry();
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(100));
	uint64_t id = peer.expect(packet::data, {}).homa.ends.id;
	auto seen = peer.expect(packet::resend, {});
	EQ(seen.homa.ends.id, id);
	EQ(seen.homa.offset, 0);
	EQ(seen.homa.length, packet::everything);
	EQ(seen.ip.payload.size(), 37);
	EQ(seen.ip.traffic_class >> 5, 7);
	peer.send(packet::common(packet::busy, peer.ends(id ^ 1)));
	peer.expect(packet::resend, {});
	// It lost the request: the client starts over, with the same id.
	do {
		if (seen.homa.type == packet::resend)
			peer.send(packet::common(packet::rpc_unknown, peer.ends(id ^ 1)));
		seen = peer.next().value();
	} while (seen.homa.type == packet::resend);
	EQ(seen.homa.type, packet::data);
	EQ(seen.homa.ends.id, id);
	EQ(pattern_error(seen.homa.payload), "");
	peer.send_data(peer.ends(id ^ 1), pattern(50, 2), 0, 50);
	EQ(pattern_error(client.expect().bytes, 2), "");
}

TEST(server_answers_for_an_unknown_rpc)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	peer.send(packet::make_resend(peer.ends(8000), 0, packet::everything));
	auto seen = peer.expect(packet::rpc_unknown, {});
	EQ(seen.homa.ends.id, 8001);
	EQ(seen.ip.payload.size(), 28);
	EQ(seen.ip.payload, [&] {
		Bytes expected = packet::common(packet::rpc_unknown, {port, peer_port, 8001});
		set(expected, 16, get(seen.ip.payload, 16, 2), 2);
		return expected;
	}());
}

TEST(server_is_busy)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	peer.send_data(peer.ends(8100), pattern(10), 0, 10);
	PlainMessage request = server.expect();
	peer.send(packet::make_resend(peer.ends(8100), 0, packet::everything));
	EQ(peer.expect(packet::busy).homa.ends.id, 8101);
	server.reply(request, pattern(10));
	peer.expect(packet::data);
	peer.send(packet::make_ack(peer.ends(8100), {}));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(server_needs_an_ack)
{
	in_a_hurry();
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	peer.send_data(peer.ends(8200), pattern(10), 0, 10);
	server.echo();
	peer.expect(packet::data);
	auto seen = peer.expect(packet::need_ack);
	EQ(seen.homa.ends.id, 8201);
	EQ(seen.ip.payload.size(), 28);
	EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
	peer.send(packet::make_ack(peer.ends(8200), {}));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(acks_free_the_server)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	for (uint64_t id = 8300; id < 8316; id += 2) {
		peer.send_data(peer.ends(id), pattern(10), 0, 10);
		server.echo();
		peer.expect(packet::data);
	}
	EQ(proc::lines(place->host.ns, "rpcs").size(), 8);
	// One in the header of DATA, one the packet's own, five more in its list.
	packet::Data fields{
		.message_length = 5, .incoming = 5, .acked = {8300, port}, .cutoff_version = 1};
	peer.send(packet::make_data(peer.ends(8316), fields, pattern(5)));
	server.echo();
	peer.expect(packet::data);
	peer.send(packet::make_ack(
		peer.ends(8302),
		{{8304, port}, {8306, port}, {8308, port}, {8310, port}, {8312, port}}));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").size() == 2);
	peer.send(packet::make_ack(peer.ends(8314), {{8316, port}}));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(client_acknowledges)
{
	PlainSocket client(place->host.ns, AF_INET);
	OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
	HomaPeer peer = server_peer(client);
	client.request(peer_at(false, 99), pattern(10));
	uint64_t id = peer.expect(packet::data, {}).homa.ends.id;
	peer.send_data(peer.ends(id ^ 1), pattern(10), 0, 10);
	client.expect();
	// It rides in the next request to that host.
	client.request(peer_at(false, 99), pattern(10));
	auto seen = peer.expect(packet::data, {});
	EQ(seen.homa.acked.id, id);
	EQ(seen.homa.acked.port, 99);
	// Asked again, it says so in a packet of its own.
	peer.send(packet::common(packet::need_ack, peer.ends(id ^ 1)));
	auto ack = peer.expect(packet::ack, {});
	EQ(ack.homa.ends.id, id);
	EQ(ack.ip.payload.size(), 80);
	EQ(ack.ip.traffic_class >> 5, 7);
	OK(client.abort(0, 0, 0));
}

TEST(request_without_unscheduled_bytes)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	Bytes message = pattern(30000);
	packet::Data fields{.message_length = 30000, .cutoff_version = 1};
	peer.send(packet::make_data(peer.ends(8400), fields, {}));
	uint32_t granted = 0;
	while (granted < 30000) {
		auto grant = peer.expect(packet::grant);
		EQ(grant.homa.ends.id, 8401);
		EQ(grant.ip.traffic_class >> 5, 7);
		// A timer repeats it, if this machine is slow enough.
		if (granted && grant.homa.offset == granted)
			continue;
		CHECK(grant.homa.offset > granted);
		CHECK(grant.homa.offset <= 30000);
		peer.send_data(peer.ends(8400), message, granted, grant.homa.offset);
		granted = grant.homa.offset;
	}
	PlainMessage request = server.expect();
	EQ(pattern_error(request.bytes), "");
	server.reply(request, pattern(3));
	peer.expect(packet::data, {packet::grant, packet::cutoffs});
	peer.send(packet::make_ack(peer.ends(8400), {}));
}

TEST(grants_of_both_lengths)
{
	for (bool draft : {false, true}) {
		PlainSocket client(place->host.ns, AF_INET);
		OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
		HomaPeer peer = server_peer(client);
		client.request(peer_at(false, 99), pattern(45000));
		uint64_t id = 0;
		for (uint32_t sent = 0; sent < 40000;) {
			auto seen = peer.expect(packet::data, {});
			id = seen.homa.ends.id;
			sent += seen.homa.length;
		}
		Bytes grant = packet::make_grant(peer.ends(id ^ 1), 45000);
		EQ(grant.size(), 33);
		if (draft)
			grant.push_back(0);
		peer.send(grant);
		EQ(peer.expect(packet::data, {}).homa.incoming, 45000);
		OK(client.abort(0, 0, 0));
		while (peer.next(100))
			;
	}
}

TEST(freeze_is_ignored)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	HomaPeer peer = client_peer();
	peer.send(packet::common(packet::freeze, peer.ends(8500)));
	EVENTUALLY(counters.moved("rx_freeze") == 1);
	peer.expect_silence(100, {});
}

TEST(captured_short_rpcs)
{
	// The client's packets at our server, whose answers must be those of
	// Homa/Linux.
	PlainSocket server(place->host.ns, AF_INET, port);
	net::Address client = net::Address::of("10.0.0.1", 0x8000);
	HomaPeer peer(place->wire, client, host_at());
	std::map<uint64_t, Bytes> requests;
	std::map<uint64_t, Bytes> responses;
	for (const Bytes &raw : read_pcap(data_file("homa-short-rpcs.pcap"))) {
		packet::Datagram ip = packet::parse_ip(raw);
		packet::Parsed homa = packet::parse(ip.payload);
		if (homa.type == packet::data)
			(homa.ends.id % 2 ? responses : requests)[homa.ends.id & ~1ULL] =
				ip.payload;
	}
	CHECK(requests.size() >= 10);
	unsigned compared = 0;
	for (const auto &[id, request] : requests) {
		if (!responses.count(id))
			continue;
		peer.send(request);
		PlainMessage got = server.expect();
		EQ(got.rpc->id, id + 1);
		EQ(got.bytes, packet::parse(request).payload);
		server.reply(got, packet::parse(responses[id]).payload);
		Bytes sent = without_checksum(peer.expect(packet::data).ip.payload);
		Bytes theirs = without_checksum(responses[id]);
		// Which version of our cutoffs the other has is no matter of format.
		set(sent, 46, 0, 2);
		set(theirs, 46, 0, 2);
		EQ(sent, theirs);
		compared++;
	}
	CHECK(compared >= 10);
	// The last one has not been acknowledged by a later request.
	peer.send(packet::make_ack(peer.ends(requests.rbegin()->first), {}));
}

TEST(captured_long_rpcs)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	net::Address client = net::Address::of("10.0.0.1", 0x8001);
	HomaPeer peer(place->wire, client, host_at());
	uint64_t id = 0;
	Bytes message(10000, 'x');
	uint32_t bytes = 0;
	for (const Bytes &raw : read_pcap(data_file("homa-10kB-rpcs.pcap"))) {
		packet::Datagram ip = packet::parse_ip(raw);
		packet::Parsed homa = packet::parse(ip.payload);
		if (homa.ends.id % 2 || (id && homa.ends.id != id))
			continue;
		id = homa.ends.id;
		std::copy(homa.payload.begin(), homa.payload.end(), message.begin() + homa.offset);
		bytes += homa.length;
		peer.send(ip.payload);
	}
	EQ(bytes, 7 * 1424);
	// The capture lacks the short last packet: the host asks for it.
	in_a_hurry();
	CHECK(place->host.ns.sysctl("resend_us", "1000"));
	auto wanted = peer.expect(packet::resend, {packet::cutoffs, packet::grant});
	// It may have asked before all of the capture was sent.
	while (wanted.homa.offset < bytes)
		wanted = peer.expect(packet::resend, {packet::cutoffs, packet::grant});
	EQ(wanted.homa.offset, bytes);
	EQ(wanted.homa.length, 10000 - bytes);
	in_no_hurry();
	peer.send_data(peer.ends(id), message, bytes, 10000, 1);
	PlainMessage got = server.expect();
	EQ(got.bytes, message);
	server.reply(got, message);
	for (uint32_t offset = 0; offset < 10000; offset += 1424) {
		auto seen = peer.expect(packet::data, {packet::resend, packet::grant});
		EQ(seen.homa.offset, offset);
		EQ(seen.homa.segment_offset, packet::in_sequence);
		EQ(seen.homa.data_offset, 0xe0);
	}
	peer.send(packet::make_ack(peer.ends(id), {}));
}

TEST(captured_control_packets)
{
	// Each control packet of the capture is taken as what it is: none is short,
	// of an unknown type, or malformed.
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	std::map<uint8_t, unsigned> sent;
	for (const Bytes &raw : read_pcap(data_file("homa-control.pcap"))) {
		packet::Datagram ip = packet::parse_ip(raw);
		if (ip.to.text() != "10.0.0.2#0")
			continue;
		sent[packet::parse(ip.payload).type]++;
		place->wire.send(raw);
	}
	CHECK(sent[packet::ack] > 0);
	EVENTUALLY(counters.moved("rx_ack") == sent[packet::ack]);
	EVENTUALLY(counters.moved("rx_resend") == sent[packet::resend]);
	EVENTUALLY(counters.moved("rx_cutoffs") == sent[packet::cutoffs]);
	EQ(counters.moved("drop_short"), 0);
	EQ(counters.moved("drop_type"), 0);
}

TEST(homa_api_with_a_peer)
{
	HomaSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = client_peer();
	peer.next_id = 9000;
	test::Thread serving([&] { server.echo(); });
	Bytes response = peer.call(pattern(200000));
	serving.join();
	EQ(pattern_error(response), "");
}
