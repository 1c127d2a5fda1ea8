// SPDX-License-Identifier: Apache-2.0
// A far end that has the keys and misuses them: messages that are authentic and
// still wrong. And that a second implementation of docs/wire.md is understood at
// all. Control packets: secure_control.
#include <algorithm>
#include <poll.h>

#include "lib/keyed.hpp"
#include "lib/test.hpp"

using namespace keyed;

namespace {

/// Bytes @a from to @a to of @a sealed, in one packet.
Bytes part(const secure::Peer &peer, const secure::Message &message, const Bytes &sealed,
	   uint32_t from, uint32_t to)
{
	return peer.data(message, static_cast<uint32_t>(sealed.size()), from,
			 View(sealed).subspan(from, to - from));
}

/// Answers each demand for a bad record with junk in authenticated form, which a
/// few times may do; returns the ABORT.
Bytes junk_until_abort(secure::Peer &peer, const secure::Message &message, uint32_t length)
{
	for (unsigned tries = 0; tries < 4;) {
		auto homa = peer.next();
		if (!homa)
			break;
		if (secure::type_of(*homa) == secure_abort)
			return *homa;
		if (secure::type_of(*homa) != secure_resend || !secure::parse_control(*homa).flags)
			continue;
		peer.send(peer.authenticated(message, length, 0, pattern(length, 5)));
		tries++;
	}
	throw test::Failure("the host never gave up");
}

} // namespace

SETUP
{
	alone();
}

EACH
{
	ask_again_after();
}

TEST_LIMIT(understood, 120)
{
	for (uint16_t cipher : session::all_ciphers)
		for (unsigned record_size : {0, 256, 5000}) {
			Serving on(cipher, static_cast<uint16_t>(record_size));
			uint64_t number = 0;
			for (size_t length :
			     {0U, 1U, 100U, 255U - 16U, 5000U, 16239U, 16240U, 39000U}) {
				on.echo(number, 1000 + 2 * number, length);
				number++;
			}
		}
}

TEST(understood_as_a_server)
{
	Calling on;
	for (uint64_t number = 0; number < 5; number++)
		on.answer(number, on.call(3000));
	EQ(on.counters.moved("responses_delivered"), 5);
}

TEST(padding_and_acks_inside)
{
	Serving on;
	on.echo(0, 100);
	on.echo(1, 102);
	secure::Message request = secure::request(2, 104, pattern(50));
	on.peer.send_message(request);
	PlainMessage got = on.deliver(request);
	on.server.reply(got, pattern(5));
	on.peer.receive();
	EQ(proc::lines(place->host.ns, "rpcs").size(), 1);
	// The next request acknowledges it, and is padded over a record's end.
	request = secure::request(3, 106, pattern(60));
	request.acks = {104, 100, 4444};
	request.padding = 17000;
	on.peer.send_message(request);
	on.server.reply(on.deliver(request), pattern(5));
	on.peer.receive();
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").size() == 1);
	on.peer.acknowledge(106);
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(header_tag_of_another_direction)
{
	// What the host itself would send: a tag under the other direction's key.
	Serving on;
	sdp_test::DataHeader header;
	header.source = 5000;
	header.destination = port;
	header.rpc_id = 100;
	header.message_length = header.incoming = 138;
	header.packet_payload = 138;
	Bytes homa = sdp_test::data_header(on.peer.in(), header);
	homa.resize(homa.size() + 138);
	on.peer.send(homa);
	EVENTUALLY(on.counters.moved("drop_header_tag") == 1);
	on.nothing_happened();
}

TEST(reserved_bits_and_lengths)
{
	// Authentic, and still dropped: flags that mean nothing, a message number
	// with its top bit, lengths that no message has.
	Serving on;
	secure::Message message = secure::request(0, 100, {});
	unsigned sent = 0;
	auto try_packet = [&](const Bytes &homa) {
		on.peer.send(homa);
		sent++;
	};
	Bytes junk = pattern(138);
	for (unsigned bit = 2; bit < 8; bit++)
		try_packet(on.peer.data(message, 138, 0, junk, 0, static_cast<uint8_t>(1U << bit)));
	for (uint32_t length : {0U, 1U, 37U, 16277U + 1U, 16277U + 22U, 0xffffffffU})
		try_packet(on.peer.data(message, length, 0, junk));
	message.number = 1ULL << 47;
	try_packet(on.peer.data(message, 138, 0, junk));
	EVENTUALLY(on.counters.moved("drop_unknown_bits") == sent);
	on.nothing_happened();
	on.echo(1, 102);
}

TEST(odd_and_even_ids)
{
	// A request's id is even, a response's odd.
	Serving on;
	secure::Message message = secure::request(0, 101, pattern(10));
	on.peer.send_message(message);
	message = secure::request(1, 103, pattern(10));
	message.response = true;
	on.peer.send_message(message);
	EVENTUALLY(on.counters.moved("drop_no_rpc") == 2);
	on.nothing_happened();
}

TEST(copied_to_another_address)
{
	// An injector is faster, and sends the first packet of a session elsewhere.
	// That message may be lost; the session is not.
	place->host.ns.sh("ip addr add 10.0.0.22/32 dev " + place->host.device);
	net::Address elsewhere = net::Address::of("10.0.0.22", port);
	Serving on;
	auto copy = [&](const secure::Message &message) {
		Bytes sealed = sdp_test::seal_message(on.peer.out(), message);
		place->wire.send(packet::ip(
			on.peer.self(), elsewhere,
			on.peer.data(message, static_cast<uint32_t>(sealed.size()), 0, sealed)));
	};
	copy(secure::request(0, 100, pattern(10)));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	on.server.expect();
	on.echo(1, 102);
	// The acknowledgement of that has shown which one the client knows.
	EVENTUALLY(session::info(on.server.fd(), on.peer.self()).local.sin6_addr.s6_addr[15] == 2);
	copy(secure::request(2, 104, pattern(10)));
	EVENTUALLY(on.counters.moved("drop_address") == 1);
	on.echo(2, 104);
	EQ(session::info(on.server.fd(), on.peer.self()).local.sin6_addr.s6_addr[15], 2);
}

TEST(junk_under_a_genuine_tag)
{
	// A thief of header tags, not of the key: the record does not open, and its
	// bytes are asked for in authenticated form.
	Serving on;
	secure::Message message = secure::request(0, 100, pattern(100));
	Bytes sealed = sdp_test::seal_message(on.peer.out(), message);
	auto length = static_cast<uint32_t>(sealed.size());
	on.peer.send(on.peer.data(message, length, 0, pattern(length, 9)));
	secure::Control wanted;
	test::Thread reader([&] { on.server.reply(on.deliver(message), pattern(7)); });
	wanted = secure::parse_control(on.peer.expect(secure_resend));
	EQ(wanted.flags, 1);
	EQ(get(wanted.body, 0, 4), 0);
	EQ(get(wanted.body, 4, 4), length);
	EQ(wanted.request_number, 0);
	EQ(on.counters.moved("bad_records"), 1);
	// The right bytes in the simple form do not count any more.
	on.peer.send(on.peer.data(message, length, 0, sealed));
	EVENTUALLY(on.counters.moved("drop_program") == 1);
	on.peer.send(on.peer.authenticated(message, length, 0, sealed));
	reader.join();
	EQ(on.peer.receive().data, pattern(7));
	on.peer.acknowledge(100);
}

TEST(junk_in_authenticated_form)
{
	// By somebody who has the key: the message fails for good, and is refused.
	Serving on;
	secure::Message message = secure::request(0, 100, pattern(100));
	Bytes junk = pattern(138, 5);
	secure::Message next = secure::request(1, 102, pattern(10));
	on.peer.send(on.peer.data(message, 138, 0, junk));
	test::Thread reader([&] { on.server.reply(on.deliver(next), pattern(7)); });
	secure::Control abort = secure::parse_control(junk_until_abort(on.peer, message, 138));
	EQ(get(abort.body, 0, 4), 1);
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
	// Only the next one is delivered.
	on.peer.send_message(next);
	reader.join();
	EQ(on.peer.receive().data, pattern(7));
	on.peer.acknowledge(102);
	CHECK(on.counters.moved("bad_records") >= 2);
	// The number is spent: even the true message does not come anymore.
	on.peer.send_message(message);
	EVENTUALLY(on.counters.moved("drop_replay") == 1);
	CHECK(!on.server.ready(POLLIN, 100));
	on.echo(2, 104);
}

TEST(response_that_does_not_verify)
{
	Calling on;
	secure::Message request = on.call();
	secure::Message response = secure::response(0, request, pattern(100));
	Bytes junk = pattern(146, 5);
	on.peer.send(on.peer.data(response, 146, 0, junk));
	test::Thread reader([&] { on.client.expect_failure(EBADMSG); });
	junk_until_abort(on.peer, response, 146);
	reader.join();
	on.answer(1, on.call());
}

TEST(message_header_that_lies)
{
	// Each is sealed with the key; what record 0 says is not what it may be.
	struct Lie {
		const char *what;
		size_t at;
		uint64_t value;
		unsigned size;
	};
	const Lie lies[] = {
		{"version", 0, 2, 1},
		{"flags", 1, 2, 1},
		{"a response", 1, 1, 1},
		{"six acks", 2, 6, 1},
		{"zero", 3, 1, 1},
		{"too long", 4, 101, 4},
		{"far too long", 4, 0xffffffff, 4},
		{"too short", 4, 50, 4},
		{"another RPC", 8, 102, 8},
		{"its answer", 8, 101, 8},
	};
	uint64_t number = 0;
	for (const Lie &lie : lies) {
		Serving on;
		sdp_test::Sender sender = on.peer.out();
		secure::Message message = secure::request(number, 100, pattern(100));
		// Content is built by hand: header, then data.
		Bytes content;
		put(content, 0x01000000, 4);
		put(content, 100, 4);
		put(content, 100, 8);
		Bytes data = pattern(100);
		content.insert(content.end(), data.begin(), data.end());
		set(content, lie.at, lie.value, lie.size);
		Bytes inner = content;
		inner.push_back(23);
		Bytes aad = {23, 3, 3};
		put(aad, inner.size() + 16, 2);
		Bytes nonce = sender.keys.iv;
		for (unsigned i = 0; i < 8; i++)
			nonce[4 + i] ^= static_cast<uint8_t>((number << 16) >> (56 - 8 * i));
		Bytes sealed = aad;
		Bytes body = sdp_test::aead_seal(sender.cipher, sender.keys.key, nonce, aad, inner);
		sealed.insert(sealed.end(), body.begin(), body.end());
		on.peer.send(
			part(on.peer, message, sealed, 0, static_cast<uint32_t>(sealed.size())));
		// The reader does not get it, but what comes after it.
		PlainMessage got;
		test::Thread reader([&] { got = on.server.receive(); });
		Bytes abort = on.peer.expect(secure_abort);
		EQ(get(secure::parse_control(abort).body, 0, 4), 1);
		EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
		on.peer.send_message(secure::request(number + 1, 200, pattern(9)));
		reader.join();
		if (got.bytes != pattern(9))
			throw test::Failure(std::string(lie.what) + ": was delivered");
		on.server.reply(got, pattern(3));
		on.peer.receive();
		on.peer.acknowledge(200);
		EQ(on.counters.moved("requests_delivered"), 1);
		number++;
	}
}

TEST(response_to_another_request)
{
	Calling on;
	secure::Message one = on.call(100, 1);
	secure::Message two = on.call(100, 2);
	// Its ids are right, but it names the other's message number.
	secure::Message response = secure::response(0, one, pattern(9));
	response.request_number = two.number;
	on.peer.send_message(response);
	PlainMessage failed = on.client.expect_failure(EBADMSG);
	EQ(failed.rpc->cookie, 1);
	on.answer(1, two);
}

TEST(response_of_another_epoch)
{
	Calling on;
	secure::Message request = on.call();
	secure::Message response = secure::response(0, request, pattern(9));
	response.request_epoch = 1;
	on.peer.send_message(response);
	on.client.expect_failure(EBADMSG);
}

TEST(one_number_two_messages)
{
	Serving on;
	secure::Message first = secure::request(7, 100, pattern(4000));
	secure::Message second = secure::request(7, 102, pattern(4000, 2));
	Bytes sealed = sdp_test::seal_message(on.peer.out(), first);
	auto length = static_cast<uint32_t>(sealed.size());
	on.peer.send(part(on.peer, first, sealed, 0, 1000));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	// Another length of the same RPC; another RPC under the number, which may be
	// begun beside it, but only one of the two is delivered.
	on.peer.send(on.peer.data(first, length + 1, 1000, pattern(100)));
	EVENTUALLY(on.counters.moved("drop_mismatch") == 1);
	on.peer.send(on.peer.data(second, length, 1000, pattern(100)));
	on.peer.send(part(on.peer, first, sealed, 1000, 2400));
	on.peer.send(part(on.peer, first, sealed, 2400, length));
	on.server.reply(on.deliver(first), pattern(2));
	on.peer.receive();
	on.peer.acknowledge(100);
	// The number is spent.
	on.peer.send_message(second);
	EVENTUALLY(on.counters.moved("rx_data") == 8);
	FAILS(on.server.receive(MSG_DONTWAIT).result, EAGAIN);
	EQ(on.counters.moved("requests_delivered"), 1);
}

TEST(one_rpc_two_numbers)
{
	Serving on;
	secure::Message first = secure::request(1, 100, pattern(4000));
	secure::Message again = secure::request(2, 100, pattern(4000));
	Bytes sealed = sdp_test::seal_message(on.peer.out(), first);
	on.peer.send(part(on.peer, first, sealed, 0, 1000));
	EVENTUALLY(on.counters.moved("server_rpcs") == 1);
	Bytes other = sdp_test::seal_message(on.peer.out(), again);
	on.peer.send(part(on.peer, again, other, 1000, 2000));
	EVENTUALLY(on.counters.moved("drop_mismatch") == 1);
	on.peer.send(part(on.peer, first, sealed, 1000, 2400));
	on.peer.send(part(on.peer, first, sealed, 2400, static_cast<uint32_t>(sealed.size())));
	on.server.reply(on.deliver(first), pattern(2));
	on.peer.receive();
	on.peer.acknowledge(100);
}

TEST(window_of_message_numbers)
{
	constexpr uint64_t window = 1ULL << 22;
	Serving on;
	on.echo(window + 10, 100);
	// Above the window's end, at it, below it.
	on.echo(11, 102);
	secure::Message old = secure::request(10, 104, pattern(5));
	on.peer.send_message(old);
	EVENTUALLY(on.counters.moved("drop_replay") == 1);
	old.number = 0;
	on.peer.send_message(old);
	EVENTUALLY(on.counters.moved("drop_replay") == 2);
	CHECK(!on.server.ready(POLLIN, 100));
	// Each of the window's numbers once.
	on.echo(12, 106);
	on.peer.send_message(secure::request(12, 108, pattern(5)));
	EVENTUALLY(on.counters.moved("drop_replay") == 3);
}

TEST(epochs_that_come)
{
	Serving on;
	on.echo(0, 100);
	// The next but one is not known.
	on.peer.send_message(secure::request(0, 102, pattern(5)), 2);
	EVENTUALLY(on.counters.moved("drop_header_tag") + on.counters.moved("drop_no_session") ==
		   1);
	// The next one is. From then on the previous one begins messages for half a minute,
	// after which the KUnit suite of epochs looks.
	secure::Message next = secure::request(0, 104, pattern(5));
	secure::Message late = secure::request(1, 106, pattern(8));
	on.peer.send_message(next, 1);
	on.peer.send_message(late, 0);
	on.server.reply(on.deliver(next), pattern(6));
	on.peer.receive();
	on.server.reply(on.deliver(late), pattern(6));
	on.peer.receive();
	on.peer.acknowledge(106);
	EQ(session::info(on.server.fd(), peer_at(5000)).rx_epoch, 1);
	// Control packets of both epochs count.
	on.peer.send(on.peer.control(packet::ack, 104, ack_body({}), {}, 1));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
}

TEST(tag_of_an_epoch_that_did_not_come)
{
	// Next epoch's low bits on a packet tagged with the present key.
	Serving on;
	Bytes homa = on.peer.data(secure::request(0, 100, {}), 138, 0, pattern(138));
	homa[49] = 1;
	on.peer.send(homa);
	EVENTUALLY(on.counters.moved("drop_header_tag") == 1);
	EQ(session::info(on.server.fd(), peer_at(5000)).rx_epoch, 0);
	on.nothing_happened();
}
