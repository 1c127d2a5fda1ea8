// SPDX-License-Identifier: Apache-2.0
#include <sdp/psk.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace {

using namespace sdp::psk_wire;
using sdp::secret;

secret key(char digit)
{
	return secret::from_hex(std::string(64, digit));
}

handshake example()
{
	handshake hello;
	hello.kind = kind::hello;
	hello.cipher = sdp::cipher::chacha20_poly1305;
	hello.record_size = 16256;
	hello.time = 0x0102030405060708;
	hello.client.fill(std::byte{0xaa});
	hello.server.fill(std::byte{0xbb});
	return hello;
}

int error_of_opening(sdp::bytes_view bytes, const secret &with)
{
	try {
		static_cast<void>(open(bytes, with));
		return 0;
	} catch (const std::system_error &error) {
		return error.code().value();
	}
}

std::string hex(sdp::bytes_view bytes)
{
	constexpr std::string_view digits = "0123456789abcdef";
	std::string text;
	for (const std::byte each : bytes) {
		text += digits[std::to_integer<unsigned>(each) >> 4];
		text += digits[std::to_integer<unsigned>(each) & 15];
	}
	return text;
}

TEST(psk, round_trip)
{
	const handshake sent = example();
	const handshake got = open(seal(sent, key('1')), key('1'));
	EXPECT_EQ(got.kind, sent.kind);
	EXPECT_EQ(got.status, sent.status);
	EXPECT_EQ(got.cipher, sent.cipher);
	EXPECT_EQ(got.record_size, sent.record_size);
	EXPECT_EQ(got.time, sent.time);
	EXPECT_EQ(got.client, sent.client);
	EXPECT_EQ(got.server, sent.server);
}

// The code and the session secret are computed with the openssl program:
// printf 'sdp psk 1 mac' | openssl dgst -sha256 -mac HMAC -macopt hexkey:11...
TEST(psk, bytes_are_these)
{
	EXPECT_EQ(hex(seal(example(), key('1'))),
		  "5344502d50534b"
		  "01"
		  "01"
		  "00"
		  "1303"
		  "3f80"
		  "0000"
		  "0102030405060708"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
		  "d7f3e6dc71ab675bfd951b10f25e791afb1a8028ddaf4fc4");
	EXPECT_EQ(hex(session_secret(key('1')).bytes()),
		  "56f88b2adf8bafebcf29c31412b12c4e4fa9aae6af380878d981cd524aa02619");
}

TEST(psk, every_changed_bit_is_noticed)
{
	const packet good = seal(example(), key('1'));
	for (std::size_t at = 0; at < 8 * good.size(); ++at) {
		packet bad = good;
		bad[at / 8] ^= std::byte{1} << (at % 8);
		const int expected = at / 8 < 8 ? EPROTO : EKEYREJECTED;
		EXPECT_EQ(error_of_opening(bad, key('1')), expected) << at;
	}
}

TEST(psk, other_secrets_and_lengths_are_refused)
{
	const packet good = seal(example(), key('1'));
	EXPECT_EQ(error_of_opening(good, key('1')), 0);
	EXPECT_EQ(error_of_opening(good, key('2')), EKEYREJECTED);
	EXPECT_EQ(error_of_opening(std::span(good).first(79), key('1')), EPROTO);
	EXPECT_EQ(error_of_opening({}, key('1')), EPROTO);
	std::vector<std::byte> longer(good.begin(), good.end());
	longer.push_back(std::byte{});
	EXPECT_EQ(error_of_opening(longer, key('1')), EPROTO);
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
