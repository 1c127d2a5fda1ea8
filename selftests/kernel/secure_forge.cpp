// SPDX-License-Identifier: Apache-2.0
// A far end that has the keys and misuses them: what is authentic and still
// wrong. And that a second implementation of docs/wire.md is understood at all.
#include <algorithm>
#include <memory>
#include <poll.h>

#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/secure.hpp"
#include "lib/test.hpp"

namespace {

std::unique_ptr<net::Alone> place;

constexpr uint16_t port = 4000;
constexpr uint8_t secure_ack = packet::ack | packet::secure_bit;
constexpr uint8_t secure_abort = packet::abort | packet::secure_bit;
constexpr uint8_t secure_busy = packet::busy | packet::secure_bit;
constexpr uint8_t secure_resend = packet::resend | packet::secure_bit;
constexpr uint8_t secure_unknown = packet::rpc_unknown | packet::secure_bit;

net::Address peer_at(uint16_t at)
{
	return net::Address::of("10.0.0.9", at);
}

net::Address host_at(uint16_t at = port)
{
	return place->host.at(net::Family::v4, at);
}

/// A server on the host, and a client of it with a session.
struct Serving {
	explicit Serving(uint16_t cipher = SDP_CIPHER_AES_128_GCM, uint16_t record_size = 0)
		: server(place->host.ns, AF_INET, port),
		  peer(place->wire, peer_at(5000), host_at(), server.fd(), cipher, record_size),
		  counters(place->host.ns)
	{
	}

	/// The host's application gets the request.
	PlainMessage deliver(const secure::Message &request) const
	{
		PlainMessage got = server.expect();
		EQ(got.rpc->flags, SDP_RPC_REQUEST | SDP_RPC_SECURE);
		EQ(got.rpc->session, peer.session());
		EQ(got.rpc->id, request.rpc_id | 1);
		EQ(got.bytes, request.data);
		return got;
	}
	/// Sends a request, has it echoed, checks the response.
	void echo(uint64_t number, uint64_t rpc_id, size_t length = 100)
	{
		secure::Message request = secure::request(number, rpc_id, pattern(length));
		peer.send_message(request);
		server.reply(deliver(request), request.data);
		secure::Message response = peer.receive();
		EQ(response.data, request.data);
		EQ(response.rpc_id, rpc_id | 1);
		CHECK(response.response);
		EQ(response.request_number, number);
		EQ(response.request_epoch, 0);
		peer.acknowledge(rpc_id);
	}
	/// Nothing of what was sent has reached the application or made state.
	void nothing_happened() const
	{
		CHECK(!server.ready(POLLIN, 100));
		EQ(counters.moved("server_rpcs"), 0);
		CHECK(proc::lines(place->host.ns, "rpcs").empty());
	}

	PlainSocket server;
	secure::Peer peer;
	proc::Counters counters;
};

/// A client on the host, and a server for it with a session.
struct Calling {
	Calling()
		: client(place->host.ns, AF_INET, 6000),
		  peer(place->wire, peer_at(99), host_at(6000), client.fd(), SDP_CIPHER_AES_128_GCM,
		       0, true),
		  counters(place->host.ns)
	{
	}

	/// The host sends a request; it comes out here.
	secure::Message call(size_t length = 100, uint64_t cookie = 1)
	{
		client.request(peer_at(99), pattern(length), cookie);
		secure::Message request = peer.receive();
		EQ(request.data, pattern(length));
		CHECK(!request.response);
		return request;
	}
	void answer(uint64_t number, const secure::Message &request)
	{
		peer.send_message(secure::response(number, request, pattern(33)));
		PlainMessage got = client.expect();
		EQ(got.rpc->id, request.rpc_id);
		EQ(got.rpc->flags, SDP_RPC_SECURE);
		EQ(got.bytes, pattern(33));
	}

	PlainSocket client;
	secure::Peer peer;
	proc::Counters counters;
};

Bytes grant_body(uint32_t offset)
{
	Bytes body;
	put(body, offset, 4);
	put(body, 0, 2);
	return body;
}

Bytes resend_body(uint32_t offset, uint32_t length)
{
	Bytes body;
	put(body, offset, 4);
	put(body, length, 4);
	put(body, 7, 1);
	return body;
}

Bytes ack_body(const std::vector<uint64_t> &ids)
{
	Bytes body;
	put(body, ids.size(), 2);
	for (uint64_t id : ids) {
		put(body, id, 8);
		put(body, port, 2);
	}
	body.resize(52);
	return body;
}

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
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
}

EACH
{
	CHECK(place->host.ns.sysctl("resend_us", "20000"));
	CHECK(place->host.ns.sysctl("need_ack_us", "1000000"));
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
	EVENTUALLY(on.counters.moved("rx_data") == sent);
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
	on.server.set_timeout(1000);
	on.peer.send(on.peer.data(message, 138, 0, junk));
	test::Thread reader([&] { FAILS(on.server.receive().result, EAGAIN); });
	secure::Control abort = secure::parse_control(junk_until_abort(on.peer, message, 138));
	EQ(get(abort.body, 0, 4), 1);
	reader.join();
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
	CHECK(on.counters.moved("bad_records") >= 2);
	// The number is spent: even the true message does not come anymore.
	on.peer.send_message(message);
	EVENTUALLY(on.counters.moved("drop_replay") == 1);
	CHECK(!on.server.ready(POLLIN, 100));
	on.echo(1, 102);
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

TEST(abort_ends_the_rpc)
{
	Calling on;
	secure::Message request = on.call();
	Bytes reason;
	put(reason, 1, 4);
	secure::Trailer trailer;
	trailer.request_number = request.number;
	on.peer.send(on.peer.control(packet::abort, request.rpc_id | 1, reason, trailer));
	PlainMessage failed = on.client.receive();
	OK(failed.result);
	CHECK(failed.failed());
	CHECK(failed.rpc->error == EBADMSG || failed.rpc->error == ECONNRESET);
	on.answer(0, on.call());
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
		on.server.set_timeout(300);
		PlainMessage got = on.server.receive();
		if (got.result >= 0)
			throw test::Failure(std::string(lie.what) + ": was delivered");
		EQ(got.error, EAGAIN);
		on.peer.expect(secure_abort, {secure_resend});
		EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
		EQ(on.counters.moved("requests_delivered"), 0);
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
	FAILS(on.server.receive(MSG_DONTWAIT).result, EAGAIN);
	on.server.set_timeout(500);
	FAILS(on.server.receive().result, EAGAIN);
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
	// The next one is.
	secure::Message next = secure::request(0, 104, pattern(5));
	on.peer.send_message(next, 1);
	on.server.reply(on.deliver(next), pattern(6));
	on.peer.receive();
	EQ(session::info(on.server.fd(), peer_at(5000)).rx_epoch, 1);
	// Control packets of both epochs count.
	on.peer.send(on.peer.control(packet::ack, 104, ack_body({}), {}, 1));
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
	// The previous one takes new messages for a second.
	on.echo(1, 106);
	sleep(test::slow(2));
	on.peer.send_message(secure::request(2, 108, pattern(5)), 0);
	EVENTUALLY(on.counters.moved("drop_replay") + on.counters.moved("drop_no_session") >= 1);
	CHECK(!on.server.ready(POLLIN, 100));
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
	Bytes reason;
	put(reason, 1, 4);
	other.send(other.control(packet::abort, request.rpc_id | 1, reason));
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
	Calling on;
	secure::Message request = on.call();
	secure::Trailer trailer;
	trailer.request_number = request.number;
	trailer.flags = 2;
	on.peer.send(on.peer.control(packet::rpc_unknown, request.rpc_id | 1, {}, trailer));
	on.client.expect_failure(ECONNRESET);
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
	for (unsigned flags : {1, 2, 4, 0x80}) {
		secure::Trailer trailer;
		trailer.flags = static_cast<uint8_t>(flags);
		on.peer.send(on.peer.control(packet::busy, request.rpc_id | 1, {}, trailer));
		sent++;
	}
	EVENTUALLY(on.counters.moved("rx_busy") == sent);
	CHECK(on.counters.all_moved().find("drop_") != std::string::npos);
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
