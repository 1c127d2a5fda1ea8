// SPDX-License-Identifier: Apache-2.0
// The handshake's bytes and both its sides, without sockets: packets go where a test says.
#include "psk_caller.hpp"
#include "psk_responder.hpp"
#include "psk_wire.hpp"

#include <sdp/error.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace sdp::psk;
using sdp::address;
using sdp::secret;
using time_point = clock::time_point;
using bytes = std::vector<std::byte>;

secret key(char digit)
{
	return secret::from_hex(std::string(64, digit));
}

std::string hex(sdp::bytes_view from)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string text;
	for (const std::byte each : from) {
		text += digits[std::to_integer<unsigned>(each) >> 4];
		text += digits[std::to_integer<unsigned>(each) & 15];
	}
	return text;
}

template <typename T>
T filled(unsigned char with)
{
	T value{};
	value.fill(std::byte{with});
	return value;
}

bytes copy(sdp::bytes_view from)
{
	return {from.begin(), from.end()};
}

const address client_place = address::parse("10.0.0.1:40000");
const address server_place = address::parse("10.0.0.2:4000");
const address other_place = address::parse("10.0.0.77:40000");

/** A host: what its id is made of. */
host_id host_of(const keys &with, std::string_view name)
{
	return with.host(sdp::as_bytes(name));
}

/** A server that takes sessions down instead of installing them. */
struct server {
	explicit server(char digit = '1', const char *host = "b", const char *name = "")
		: with(key(digit), name),
		  responder(with, 4000, host_of(with, host),
			    {sdp::cipher::aes_128_gcm, sdp::cipher::aes_256_gcm},
			    [this](fields &accept, const address &peer, const address &local) {
				    if (error != 0) {
					    throw std::system_error(sdp::make_code(error));
				    }
				    accept.server_nonce =
					    filled<sdp::nonce>(static_cast<unsigned char>(++made));
				    sessions[peer] = context(accept);
				    locals[peer] = local;
			    })
	{
	}

	bytes take(const bytes &packet, const address &from, time_point now,
		   const address &to = server_place.with_port(0))
	{
		return copy(responder.take(packet, from, to, now).bytes());
	}

	keys with;
	int made = 0;
	int error = 0;
	std::map<address, digest> sessions; /**< context of the present one with each peer */
	std::map<address, address> locals;
	sdp::psk::responder responder;
};

/** A client, and the path of its packets to a server. */
struct client {
	explicit client(char digit = '1', const char *host = "a", const char *name = "")
		: with(key(digit), name)
	{
		wish.client_port = 33000;
		wish.server_port = 4000;
		wish.cipher = sdp::cipher::aes_128_gcm;
		wish.record_size = sdp::record_size_default;
		wish.attempt = filled<attempt_id>(0xaa);
		wish.client = filled<sdp::nonce>(0xcc);
		wish.host = host_of(with, host);
	}

	void start()
	{
		caller.emplace(with, wish, place_of(client_place), ip_of(server_place), now, 1s);
	}

	/** What it sends now; empty: nothing. */
	bytes send()
	{
		const auto packet = caller->send(now);
		return packet ? copy(*packet) : bytes{};
	}
	void take(const bytes &packet) { caller->take(packet, now); }
	/** Sends what it has, at the time it has it, and takes what @p to answers. */
	void exchange(server &to, const address &from = client_place)
	{
		now = std::max(now, caller->next());
		take(to.take(send(), from, now));
	}
	[[nodiscard]] bool agrees_with(const server &peer) const
	{
		const auto found = peer.sessions.find(client_place.with_port(33000));
		return caller->accepted() && found != peer.sessions.end() &&
		       found->second == context(*caller->accepted());
	}

	keys with;
	sdp::psk::wish wish;
	time_point now = time_point() + 1h;
	std::optional<sdp::psk::caller> caller;
};

fields example()
{
	fields what;
	what.kind = kind::accept;
	what.wish.client_port = 0x8001;
	what.wish.server_port = 4000;
	what.wish.cipher = sdp::cipher::chacha20_poly1305;
	what.wish.record_size = 16256;
	what.wish.attempt = filled<attempt_id>(0xaa);
	what.wish.client = filled<sdp::nonce>(0xbb);
	what.wish.host = filled<host_id>(0xcc);
	what.client = place_of(client_place);
	what.seen = place_of(other_place);
	what.host = filled<host_id>(0xdd);
	what.server = ip_of(server_place);
	what.server_nonce = filled<sdp::nonce>(0xee);
	what.cookie.time = 0x0102030405060708;
	what.cookie.code = filled<std::array<std::byte, 16>>(0xff);
	return what;
}

// Computed with Python's hmac and hashlib from docs/wire.md.
TEST(psk_wire, bytes_are_these)
{
	const keys with(key('1'), "name");
	EXPECT_EQ(hex(seal(example(), with.server_code())),
		  "5344502d50534b"
		  "02"
		  "04"
		  "00"
		  "80010fa013033f800000"
		  "aaaaaaaaaaaaaaaaaaaaaaaa"
		  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		  "cccccccccccccccccccccccccccccccc"
		  "00000000000000000000ffff0a0000019c40"
		  "00000000000000000000ffff0a00004d9c40"
		  "dddddddddddddddddddddddddddddddd"
		  "00000000000000000000ffff0a000002"
		  "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
		  "0102030405060708"
		  "ffffffffffffffffffffffffffffffff"
		  "32c25a7a20d6021b2f3ba3b32782db98387247f7b44a99e962f3556f638a1e94");
	EXPECT_EQ(hex(context(example())),
		  "63300826fdfd4a83f09357bb131eed6d34a30e41bf81186c052526fe3e9d70f7");
	EXPECT_EQ(hex(with.session(context(example())).bytes()),
		  "5845553d68fad3da7162b081d23517205586b7e38de9e6c8a0517e283f0de161");
	EXPECT_EQ(hex(with.client_code().bytes()),
		  "58cabe98879b313b764e67d216a3f4c9187438aa2f4f2106bdbc2bb733296218");
	EXPECT_EQ(hex(with.host(sdp::as_bytes("host"))), "8f97201789ce8bea254df09335c25758");
}

TEST(psk_wire, round_trip)
{
	const keys with(key('1'), "");
	const auto got = open(seal(example(), with.client_code()), with.client_code());
	ASSERT_TRUE(got);
	EXPECT_EQ(seal(*got, with.client_code()), seal(example(), with.client_code()));
	EXPECT_EQ(got->wish, example().wish);
	EXPECT_EQ(got->seen, example().seen);
	EXPECT_EQ(got->cookie, example().cookie);
}

TEST(psk_wire, every_changed_bit_is_noticed)
{
	const keys with(key('1'), "");
	const packet good = seal(example(), with.client_code());
	for (std::size_t at = 0; at < 8 * good.size(); ++at) {
		packet bad = good;
		bad[at / 8] ^= std::byte{1} << (at % 8);
		EXPECT_FALSE(open(bad, with.client_code())) << at;
	}
}

TEST(psk_wire, other_lengths_secrets_names_and_directions_do_not_open)
{
	const keys with(key('1'), "");
	const packet good = seal(example(), with.client_code());
	EXPECT_TRUE(open(good, with.client_code()));
	EXPECT_FALSE(open(good, with.server_code()));
	EXPECT_FALSE(open(good, keys(key('2'), "").client_code()));
	EXPECT_FALSE(open(good, keys(key('1'), "b").client_code()));
	for (std::size_t length = 0; length < good.size(); ++length) {
		EXPECT_FALSE(open(std::span(good).first(length), with.client_code()));
	}
	bytes longer = copy(good);
	longer.push_back(std::byte{});
	EXPECT_FALSE(open(longer, with.client_code()));
}

TEST(psk_wire, an_empty_secret_is_refused)
{
	secret gone = key('1');
	const secret taken = std::move(gone);
	try {
		const keys with(gone, ""); // NOLINT(bugprone-use-after-move)
		ADD_FAILURE();
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code().value(), EINVAL);
	}
}

TEST(psk_wire, the_context_depends_on_all_that_was_said)
{
	const digest all = context(example());
	const auto differs = [&](auto change) {
		fields other = example();
		change(other);
		EXPECT_NE(context(other), all);
	};
	differs([](fields &what) { ++what.wish.client_port; });
	differs([](fields &what) { ++what.wish.server_port; });
	differs([](fields &what) { what.wish.cipher = sdp::cipher::aes_128_gcm; });
	differs([](fields &what) { ++what.wish.record_size; });
	differs([](fields &what) { what.wish.attempt[0] ^= std::byte{1}; });
	differs([](fields &what) { what.wish.client[0] ^= std::byte{1}; });
	differs([](fields &what) { what.wish.host[0] ^= std::byte{1}; });
	differs([](fields &what) { what.host[0] ^= std::byte{1}; });
	differs([](fields &what) { what.server_nonce[0] ^= std::byte{1}; });
	// Ends swapped: the client's part is first.
	differs([](fields &what) {
		std::swap(what.wish.client, what.server_nonce);
		std::swap(what.wish.host, what.host);
		std::swap(what.wish.client_port, what.wish.server_port);
	});
}

TEST(psk, both_ends_agree)
{
	server b;
	client a;
	a.start();
	a.exchange(b);
	EXPECT_EQ(b.made, 0);
	a.exchange(b);
	EXPECT_EQ(b.made, 1);
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(b.locals.begin()->second, server_place.with_port(0));
}

TEST(psk, lost_packets_are_sent_again)
{
	server b;
	client a;
	a.start();
	for (int lost = 0; lost < 5; ++lost) {
		a.now = a.caller->next();
		EXPECT_FALSE(a.send().empty());
	}
	a.exchange(b);
	for (int lost = 0; lost < 5; ++lost) {
		a.now = a.caller->next();
		b.take(a.send(), client_place, a.now);
	}
	// The accepts were lost, the session is the same.
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(b.made, 1);
}

TEST(psk, nothing_is_sent_before_its_time)
{
	client a;
	a.start();
	EXPECT_FALSE(a.send().empty());
	EXPECT_TRUE(a.send().empty());
	a.now = a.caller->next() - 1ms;
	EXPECT_TRUE(a.send().empty());
	// A second at most.
	for (int i = 0; i < 20; ++i) {
		a.now = a.caller->next();
		EXPECT_FALSE(a.send().empty());
	}
	EXPECT_EQ(a.caller->next(), a.now + 1s);
}

// What a client sends is turned around to a server of its own host.
TEST(psk, a_host_that_calls_another_does_not_answer_itself)
{
	server own('1', "a");
	client a;
	a.start();
	for (int i = 0; i < 5; ++i) {
		// Addresses swapped, as they arrive and as they come back.
		a.now = std::max(a.now, a.caller->next());
		a.take(own.take(a.send(), server_place, a.now, client_place.with_port(0)));
	}
	EXPECT_EQ(own.made, 0);
	EXPECT_FALSE(a.caller->accepted());
	EXPECT_EQ(a.caller->refused(), reason::none);
	EXPECT_EQ(a.caller->hint(), reason::itself);
	// The server that was called still can.
	server b;
	a.exchange(b);
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
}

TEST(psk, a_host_may_call_itself)
{
	server own('1', "a");
	client a;
	a.start();
	a.exchange(own);
	a.exchange(own);
	EXPECT_TRUE(a.agrees_with(own));
}

TEST(psk, packets_of_one_side_are_none_of_the_other)
{
	server b;
	server c;
	client a;
	a.start();
	const bytes hello = a.send();
	a.take(hello);
	const bytes challenge = b.take(hello, client_place, a.now);
	EXPECT_TRUE(c.take(challenge, server_place, a.now).empty());
	a.take(challenge);
	const bytes confirm = a.send();
	a.take(confirm);
	EXPECT_FALSE(a.caller->accepted());
	const bytes accept = b.take(confirm, client_place, a.now);
	EXPECT_TRUE(c.take(accept, server_place, a.now).empty());
	a.take(accept);
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(c.made, 0);
}

TEST(psk, forged_changed_and_cut_answers_are_ignored)
{
	server b;
	client a;
	a.start();
	const auto attack = [&](const bytes &good) {
		for (std::size_t at = 0; at < 8 * good.size(); at += 3) {
			bytes bad = good;
			bad[at / 8] ^= std::byte{1} << (at % 8);
			a.take(bad);
			// Refusals that carry no code, and all kinds of junk.
			bad.resize(at / 8);
			a.take(bad);
		}
		a.take(bytes(80, std::byte{7}));
		a.take({});
		EXPECT_FALSE(a.caller->accepted());
		EXPECT_EQ(a.caller->refused(), reason::none);
	};
	const bytes hello = a.send();
	const bytes challenge = b.take(hello, client_place, a.now);
	attack(challenge);
	a.take(challenge);
	const bytes accept = b.take(a.send(), client_place, a.now);
	attack(accept);
	a.take(accept);
	EXPECT_TRUE(a.agrees_with(b));
}

// Copies of a hello, from another address, before the client's own.
TEST(psk, a_hello_copied_from_another_address_shuts_nobody_out)
{
	server b;
	client a;
	a.start();
	const bytes hello = a.send();
	const bytes to_other = b.take(hello, other_place, a.now);
	const bytes to_client = b.take(hello, client_place, a.now);
	// The other's challenge reaches the client first, as if it were the server's to it.
	a.take(to_other);
	EXPECT_TRUE(a.send().empty());
	a.take(to_client);
	const bytes confirm = a.send();
	EXPECT_FALSE(confirm.empty());
	// Copied again: the cookie in it is for the client's address alone.
	const bytes to_other_again = b.take(confirm, other_place, a.now);
	EXPECT_EQ(b.made, 0);
	a.take(to_other_again);
	a.take(b.take(confirm, client_place, a.now));
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(b.made, 1);
	EXPECT_EQ(b.sessions.size(), 1);
}

TEST(psk, nor_does_another_server_that_has_the_secret)
{
	server b;
	server c('1', "c");
	const address c_place = address::parse("10.0.0.3");
	client a;
	a.start();
	const bytes hello = a.send();
	// Sent on to c, whose answer is sent on to the client as if it were b's.
	a.take(c.take(hello, client_place, a.now, c_place));
	EXPECT_TRUE(a.send().empty());
	a.take(b.take(hello, client_place, a.now));
	a.now = a.caller->next();
	const bytes confirm = a.send();
	a.take(c.take(confirm, client_place, a.now, c_place));
	a.take(b.take(confirm, client_place, a.now));
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(c.made, 0);
}

TEST(psk, addresses_may_be_translated)
{
	server b;
	client a;
	a.start();
	const address inner = address::parse("192.168.0.2");
	const time_point start = a.now;
	a.take(b.take(a.send(), other_place, a.now, inner));
	EXPECT_EQ(a.caller->next(), start + 100ms);
	while (!a.caller->accepted() && a.now < start + 5s) {
		a.now = a.caller->next();
		a.take(b.take(a.send(), other_place, a.now, inner));
	}
	ASSERT_TRUE(a.caller->accepted());
	EXPECT_GE(a.now, start + 1s);
	EXPECT_EQ(b.sessions.at(other_place.with_port(33000)), context(*a.caller->accepted()));
}

TEST(psk, a_recorded_handshake_makes_no_session)
{
	server b;
	client a;
	a.start();
	const bytes hello = a.send();
	a.take(b.take(hello, client_place, a.now));
	const bytes confirm = a.send();
	const bytes accept = b.take(confirm, client_place, a.now);
	a.take(accept);
	EXPECT_TRUE(a.agrees_with(b));
	for (const time_point end = a.now + 60s; a.now < end; a.now += 500ms) {
		for (const address &from : {client_place, client_place.with_port(1), other_place}) {
			b.take(hello, from, a.now);
			b.take(confirm, from, a.now);
		}
	}
	EXPECT_EQ(b.made, 1);
	EXPECT_TRUE(a.agrees_with(b));
	// Nor with a server that was started anew, nor does what it says please another client.
	server anew;
	anew.take(hello, client_place, a.now);
	anew.take(confirm, client_place, a.now);
	EXPECT_EQ(anew.made, 0);
	client next;
	next.wish.attempt[0] ^= std::byte{1};
	next.start();
	next.take(accept);
	EXPECT_FALSE(next.caller->accepted());
}

TEST(psk, a_packet_is_worth_nothing_at_another_port)
{
	server b;
	keys with(key('1'), "");
	responder other(with, 4001, host_of(with, "b"), {sdp::cipher::aes_128_gcm},
			[](fields &, const address &, const address &) { FAIL(); });
	client a;
	a.start();
	const bytes hello = a.send();
	const auto back = copy(other.take(hello, client_place, server_place, a.now).bytes());
	EXPECT_EQ(beginning_of(back)->reason, reason::port);
	a.take(b.take(hello, client_place, a.now));
	EXPECT_TRUE(
		beginning_of(copy(other.take(a.send(), client_place, server_place, a.now).bytes()))
			->kind == kind::refusal);
}

TEST(psk, another_secret_or_name_is_said_but_does_not_end_it)
{
	server wrong('2');
	server misnamed('1', "b", "name");
	server b;
	client a;
	a.start();
	a.exchange(wrong);
	EXPECT_EQ(a.caller->hint(), reason::secret);
	a.exchange(misnamed);
	EXPECT_EQ(a.caller->hint(), reason::secret);
	EXPECT_EQ(a.caller->refused(), reason::none);
	EXPECT_EQ(wrong.made + misnamed.made, 0);
	a.exchange(b);
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
}

TEST(psk, another_version_is_said)
{
	server b;
	client a;
	a.start();
	bytes hello = a.send();
	hello[7] = std::byte{3};
	const bytes back = b.take(hello, client_place, a.now);
	ASSERT_EQ(back.size(), head_length);
	EXPECT_EQ(beginning_of(back)->reason, reason::version);
	EXPECT_EQ(beginning_of(back)->version, our_version);
	// The other way: a server of that version answers in the same words.
	bytes theirs = back;
	theirs[7] = std::byte{3};
	a.take(theirs);
	EXPECT_EQ(a.caller->hint(), reason::version);
	EXPECT_EQ(a.caller->their_version(), 3);
	EXPECT_EQ(a.caller->refused(), reason::none);
	// Refusals are not answered, so two servers never talk to each other.
	EXPECT_TRUE(b.take(theirs, client_place, a.now).empty());
	EXPECT_TRUE(b.take(back, client_place, a.now).empty());
}

TEST(psk, what_a_server_does_not_allow_is_refused_for_good)
{
	server b;
	client a;
	a.wish.cipher = sdp::cipher::chacha20_poly1305;
	a.start();
	a.exchange(b);
	EXPECT_EQ(a.caller->refused(), reason::declined);
	client small;
	small.wish.record_size = sdp::record_size_min - 1;
	small.start();
	small.exchange(b);
	EXPECT_EQ(small.caller->refused(), reason::declined);
	client portless;
	portless.wish.client_port = 0;
	portless.start();
	portless.exchange(b);
	EXPECT_EQ(portless.caller->refused(), reason::declined);
	EXPECT_EQ(b.made, 0);
}

TEST(psk, a_kernel_that_declines_is_told)
{
	server b;
	for (const auto &[error, why] :
	     {std::pair(ENOBUFS, reason::busy), {EINVAL, reason::declined}}) {
		b.error = error;
		client a;
		a.start();
		a.exchange(b);
		a.exchange(b);
		EXPECT_EQ(a.caller->refused(), why);
	}
	// It has left nothing behind.
	b.error = 0;
	client a;
	a.start();
	a.exchange(b);
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
}

TEST(psk, a_server_that_is_started_anew_goes_on)
{
	client a;
	a.start();
	server before;
	a.exchange(before);
	server after;
	a.now += 10ms;
	a.exchange(after);
	EXPECT_EQ(after.made, 0);
	a.exchange(after);
	EXPECT_TRUE(a.agrees_with(after));
}

TEST(psk, a_cookie_ages)
{
	server b;
	client a;
	a.start();
	a.exchange(b);
	a.now += responder::lifetime + 1ms;
	const bytes late = a.send();
	const bytes back = b.take(late, client_place, a.now);
	EXPECT_EQ(beginning_of(back)->kind, kind::challenge);
	EXPECT_EQ(b.made, 0);
	a.take(back);
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
}

// A flood of hellos, by one who has read one, and by one who has the secret, leaves nothing.
TEST(psk, hellos_cost_no_memory_and_no_session)
{
	server b;
	client a;
	a.start();
	const bytes hello = a.send();
	std::size_t sent = 0;
	std::size_t answered = 0;
	for (unsigned i = 0; i < 20000; ++i) {
		const address from =
			address::parse("10.1." + std::to_string(i / 250 % 250) + "." +
				       std::to_string(1 + i % 250) + ":" + std::to_string(1 + i));
		bytes junk = hello;
		junk[30] ^= static_cast<std::byte>(i & 1);
		sent += junk.size();
		answered += b.take(junk, from, a.now).size();
	}
	EXPECT_EQ(b.made, 0);
	EXPECT_LE(answered, sent);
	a.take(b.take(hello, client_place, a.now));
	a.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
}

TEST(psk, many_handshakes_are_remembered_for_a_while_only)
{
	server b;
	const auto handshake = [&](unsigned number, time_point now) {
		client a;
		a.wish.client_port = static_cast<std::uint16_t>(number);
		a.wish.attempt[0] = static_cast<std::byte>(number >> 16);
		a.now = now;
		a.start();
		a.exchange(b);
		a.exchange(b);
		return a.caller->refused();
	};
	const time_point now = time_point() + 1h;
	for (unsigned i = 1; i <= responder::most_remembered; ++i) {
		ASSERT_EQ(handshake(i, now), reason::none);
	}
	EXPECT_EQ(handshake(60000, now), reason::busy);
	EXPECT_EQ(handshake(60001, now + responder::lifetime + 1s), reason::none);
}

TEST(psk, two_clients_at_once_have_a_session_each)
{
	server b;
	client a;
	client second;
	second.wish.client_port = 33001;
	second.wish.attempt = filled<attempt_id>(0xab);
	a.start();
	second.start();
	a.exchange(b);
	second.exchange(b);
	a.exchange(b);
	second.exchange(b);
	EXPECT_TRUE(a.agrees_with(b));
	EXPECT_EQ(b.sessions.at(client_place.with_port(33001)),
		  context(*second.caller->accepted()));
	EXPECT_NE(context(*a.caller->accepted()), context(*second.caller->accepted()));
}

TEST(psk, cipher_names)
{
	for (const char *each : {"aes-128-gcm", "aes-256-gcm", "chacha20-poly1305"}) {
		EXPECT_EQ(sdp::name(sdp::cipher_named(each)), each);
	}
	EXPECT_THROW(static_cast<void>(sdp::cipher_named("rot13")), std::invalid_argument);
	EXPECT_EQ(sdp::name(sdp::cipher{}), "unknown");
}

} // namespace
