// SPDX-License-Identifier: Apache-2.0
// A far end that has the keys and misuses them: control packets that are
// authentic and still wrong, or nearly authentic.
#include <algorithm>
#include <poll.h>

#include "lib/keyed.hpp"
#include "lib/test.hpp"

using namespace keyed;

SETUP
{
	alone();
}

EACH
{
	ask_again_after();
}

TEST(abort_ends_the_rpc)
{
	Calling on;
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number;
	on.peer.send(on.peer.control(packet::abort, request.rpc_id | 1, abort_body(1), trailer));
	PlainMessage failed = on.client.receive();
	OK(failed.result);
	CHECK(failed.failed());
	CHECK(failed.rpc->error == EBADMSG || failed.rpc->error == ECONNRESET);
	on.answer(0, on.call());
}

TEST(ack_of_another_session)
{
	Serving on;
	secure::Peer other(place->wire, peer_at(5001), host_at(), on.server.fd());
	secure::Message request = secure::request(0, 100, pattern(10));
	on.peer.send_message(request);
	on.server.reply(on.deliver(request), pattern(5));
	on.peer.receive();
	EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
	// By id in the header, by id in the list, inside of a sealed message.
	other.send(other.control(packet::ack, 100, ack_body({100})));
	secure::Message carrier = secure::request(0, 102, pattern(20));
	carrier.acks = {100};
	other.send_message(carrier);
	PlainMessage got = on.server.expect();
	EQ(got.rpc->session, other.session());
	on.server.reply(got, pattern(6));
	other.receive();
	other.acknowledge(102);
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").size() == 1);
	usleep(50000);
	EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
	on.peer.acknowledge(100);
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(control_of_another_session)
{
	// Two servers' sessions on one client; one meddles in the other's RPC.
	Calling on;
	secure::Peer other(place->wire, peer_at(98), host_at(6000), on.client.fd(),
			   SDP_CIPHER_AES_128_GCM, 0, true);
	secure::Message request = on.call();
	for (uint8_t type : {packet::rpc_unknown, packet::busy, packet::need_ack})
		other.send(other.control(type, request.rpc_id | 1, {}));
	other.send(other.control(packet::abort, request.rpc_id | 1, abort_body(1)));
	other.send(other.control(packet::resend, request.rpc_id | 1, resend_body(0, 100)));
	usleep(100000);
	CHECK(!on.client.ready(POLLIN));
	EQ(on.counters.moved("tx_retransmits"), 0);
	on.answer(0, request);
}

TEST(control_names_another_request)
{
	Calling on;
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number + 1;
	on.peer.send(
		on.peer.control(packet::resend, request.rpc_id | 1, resend_body(0, 50), trailer));
	EVENTUALLY(on.counters.moved("drop_mismatch") == 1);
	EQ(on.counters.moved("tx_retransmits"), 0);
	trailer.request_number = request.number;
	on.peer.send(
		on.peer.control(packet::resend, request.rpc_id | 1, resend_body(0, 50), trailer));
	Bytes again = on.peer.expect(secure::data_type, {secure_resend});
	EQ(again[48] & 1, 1);
	on.answer(0, request);
}

TEST(control_counters)
{
	Serving on;
	auto send_with = [&](uint64_t counter) {
		on.peer.counter = counter;
		on.peer.send(on.peer.control(packet::busy, 100, {}));
	};
	send_with(10000);
	send_with(9999);
	send_with(10001);
	EVENTUALLY(on.counters.moved("rx_busy") == 3);
	EQ(on.counters.moved("drop_control_replay"), 0);
	// Seen before, at the window's edge, below it.
	send_with(9999);
	send_with(10001);
	EVENTUALLY(on.counters.moved("drop_control_replay") == 2);
	send_with(10001 - 8191);
	usleep(20000);
	EQ(on.counters.moved("drop_control_replay"), 2);
	send_with(10001 - 8192);
	send_with(0);
	EVENTUALLY(on.counters.moved("drop_control_replay") == 4);
	// The last counter there is.
	send_with((1ULL << 63) - 1);
	send_with((1ULL << 63) - 1);
	EVENTUALLY(on.counters.moved("drop_control_replay") == 5);
}

TEST(control_tags_and_lengths)
{
	Serving on;
	Bytes good = on.peer.control(packet::grant, 100, grant_body(5000));
	unsigned lengths = 0;
	for (size_t length = packet::common_length; length < good.size(); length++) {
		Bytes cut = good;
		cut.resize(length);
		on.peer.send(cut);
		lengths++;
	}
	Bytes longer = good;
	longer.push_back(0);
	on.peer.send(longer);
	lengths++;
	auto dropped = [&] {
		return on.counters.moved("drop_short") + on.counters.moved("drop_no_session") +
		       on.counters.moved("drop_other_session") +
		       on.counters.moved("drop_control_tag");
	};
	EVENTUALLY(dropped() == lengths);
	EQ(on.counters.moved("rx_grant"), lengths);
	for (size_t at = 20; at < good.size(); at++) {
		Bytes changed = good;
		changed[at] ^= 4;
		on.peer.send(changed);
	}
	EVENTUALLY(dropped() == lengths + good.size() - 20);
	on.peer.send(good);
	EVENTUALLY(on.counters.moved("drop_no_rpc") + on.counters.moved("drop_program") == 1);
	on.nothing_happened();
	EQ(on.counters.moved("tx_segments"), 0);
}

TEST(unknown_rpc_not_delivered)
{
	// The server never had the request: the client starts over, same bytes.
	ask_again_after("20000");
	Calling on;
	on.client.request(peer_at(99), pattern(100), 1);
	Bytes first = on.peer.expect(secure::data_type);
	secure::Trailer trailer;
	secure::Data data = secure::parse_data(first);
	trailer.request_number = data.number;
	Bytes asked = on.peer.expect(secure_resend);
	EQ(secure::parse_control(asked).request_number, data.number);
	on.peer.send(on.peer.control(packet::rpc_unknown, data.ends.id | 1, {}, trailer));
	Bytes again = on.peer.expect(secure::data_type, {secure_resend});
	secure::Data second = secure::parse_data(again);
	EQ(second.number, data.number);
	EQ(second.payload, data.payload);
	OK(on.client.abort(0, 1, 0));
}

TEST(unknown_rpc_delivered_before)
{
	ask_again_after("20000");
	Calling on;
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number;
	trailer.flags = 2;
	on.peer.expect(secure_resend);
	on.peer.send(on.peer.control(packet::rpc_unknown, request.rpc_id | 1, {}, trailer));
	on.client.expect_failure(ECONNRESET);
}

TEST(unknown_rpc_unasked)
{
	// An answer to no question, as a late or held back one is: of no effect.
	Calling on;
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number;
	for (uint8_t flags : {uint8_t{0}, uint8_t{2}}) {
		trailer.flags = flags;
		on.peer.send(on.peer.control(packet::rpc_unknown, request.rpc_id | 1, {}, trailer));
	}
	EVENTUALLY(on.counters.moved("drop_program") == 2);
	EQ(on.counters.moved("tx_retransmits"), 0);
	on.answer(0, request);
}

TEST(asked_for_an_rpc_that_is_over)
{
	Serving on;
	on.echo(0, 100);
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
	secure::Trailer trailer;
	trailer.request_number = 0;
	on.peer.send(
		on.peer.control(packet::resend, 100, resend_body(0, packet::everything), trailer));
	secure::Control answer = secure::parse_control(on.peer.expect(secure_unknown));
	EQ(answer.flags, 2);
	EQ(answer.ends.id, 101);
	// And for one that never was.
	trailer.request_number = 5;
	on.peer.send(
		on.peer.control(packet::resend, 110, resend_body(0, packet::everything), trailer));
	answer = secure::parse_control(on.peer.expect(secure_unknown));
	EQ(answer.flags, 0);
}

TEST(sign_of_a_response)
{
	// What a client says before it has the response says nothing of it, also
	// when it arrives later: the sender stays in the epoch.
	Serving on;
	auto rekey = [&] { return session::rekey(on.server.fd(), peer_at(5000)); };
	secure::Message request = secure::request(0, 100, pattern(10));
	on.peer.send_message(request);
	on.server.reply(on.deliver(request), pattern(5));
	on.peer.expect(secure::data_type);
	on.peer.send(on.peer.control(packet::busy, 100, {}));
	secure::Trailer trailer;
	trailer.request_number = 0;
	on.peer.send(
		on.peer.control(packet::resend, 100, resend_body(0, packet::everything), trailer));
	// It has only just been sent.
	on.peer.expect(secure_busy);
	FAILS(rekey(), EBUSY);
	// Who has asked for all in vain asks for what fits a small packet.
	proc::Counters counters(place->host.ns);
	on.peer.send(on.peer.control(packet::resend, 100, resend_body(0, 480), trailer));
	EVENTUALLY(counters.moved("rx_resend") == 1);
	FAILS(rekey(), EBUSY);
	on.peer.send(on.peer.control(packet::resend, 100, resend_body(4, 1), trailer));
	EVENTUALLY(rekey() == 0);
	on.peer.acknowledge(100);
}

TEST(sign_of_a_response_inside)
{
	// Its acknowledgement, sealed in the next request.
	Serving on;
	secure::Message first = secure::request(0, 100, pattern(10));
	on.peer.send_message(first);
	on.server.reply(on.deliver(first), pattern(5));
	on.peer.receive();
	secure::Message second = secure::request(1, 102, pattern(20));
	second.acks = {100};
	on.peer.send_message(second);
	on.server.reply(on.deliver(second), pattern(6));
	OK(session::rekey(on.server.fd(), peer_at(5000)));
	on.peer.acknowledge(102);
}

TEST(sign_of_a_request)
{
	// The answer to a question: the server may have nothing of it.
	ask_again_after("20000");
	Calling on;
	auto rekey = [&] { return session::rekey(on.client.fd(), peer_at(99)); };
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number;
	on.peer.expect(secure_resend);
	on.peer.send(on.peer.control(packet::rpc_unknown, request.rpc_id | 1, {}, trailer));
	on.peer.expect(secure::data_type, {secure_resend});
	FAILS(rekey(), EBUSY);
	on.peer.send(on.peer.control(packet::busy, request.rpc_id | 1, {}, trailer));
	EVENTUALLY(rekey() == 0);
	OK(on.client.abort(0, 1, 0));
}

TEST(need_ack_of_an_unopened_response)
{
	// Complete, but nobody has read it: it has not verified, so it is not
	// acknowledged.
	Calling on;
	secure::Message request = on.call();
	on.peer.send_message(secure::response(0, request, pattern(40)));
	CHECK(on.client.ready(POLLIN, 10000));
	on.peer.send(on.peer.control(packet::need_ack, request.rpc_id | 1, {}));
	on.peer.expect(secure_busy, {secure_resend});
	EQ(on.client.expect().bytes, pattern(40));
	on.peer.send(on.peer.control(packet::need_ack, request.rpc_id | 1, {}));
	on.peer.expect(secure_ack, {secure_resend});
}

TEST(reserved_bits_of_the_trailer)
{
	Calling on;
	secure::Message request = on.call();
	unsigned sent = 0;
	for (unsigned flags : {1, 2, 8, 0x80}) {
		secure::Trailer trailer;
		trailer.flags = static_cast<uint8_t>(flags);
		on.peer.send(on.peer.control(packet::busy, request.rpc_id | 1, {}, trailer));
		sent++;
	}
	EVENTUALLY(on.counters.moved("rx_busy") == sent);
	EQ(on.counters.moved("drop_unknown_bits"), sent);
	CHECK(!on.client.ready(POLLIN, 50));
	on.answer(0, request);
}

TEST(grant_beyond_everything)
{
	Calling on;
	on.client.request(peer_at(99), pattern(200000));
	Bytes first = on.peer.expect(secure::data_type, {secure_resend});
	secure::Data data = secure::parse_data(first);
	for (uint32_t offset : {0U, 1U, 0xffffffffU, 0x80000000U})
		on.peer.send(on.peer.control(packet::grant, data.ends.id | 1, grant_body(offset)));
	uint32_t end = 0;
	while (end < data.message_length) {
		data = secure::parse_data(on.peer.expect(secure::data_type, {secure_resend}));
		CHECK(data.sequence + data.payload.size() <= data.message_length);
		end = std::max(end, data.sequence + static_cast<uint32_t>(data.payload.size()));
	}
	OK(on.client.abort(0, 0, 0));
}
