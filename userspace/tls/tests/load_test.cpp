// SPDX-License-Identifier: Apache-2.0
// Strangers, who can send from any address and see nothing.
#include "talk.hpp"

#include <gtest/gtest.h>

#include <array>

using namespace lab;
namespace wire = sdp::tls::wire;

namespace {

address source(unsigned number)
{
	return address::parse("10.3." + std::to_string(number / 250) + "." +
			      std::to_string(number % 250 + 1) + ":9");
}

/** A datagram that looks like a hello, with @p data in the place of the ClientHello. */
datagram hello_of(const std::vector<std::byte> &data)
{
	return wire::build(
		{.kind = wire::kind::hello, .count = 1, .tag = wire::tag_of(data), .data = data},
		sdp::tls::datagram_length);
}

/** One record that holds no ClientHello. */
datagram junk(unsigned number)
{
	std::vector<std::byte> data{std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0},
				    std::byte{4}};
	for (int shift = 0; shift < 32; shift += 8) {
		data.push_back(static_cast<std::byte>(number >> shift));
	}
	return hello_of(data);
}

datagram answer_to(service &server, const datagram &bytes, const address &from,
		   sdp::tls::clock::time_point now)
{
	return server.core.take(bytes, from, server_sdp.with_port(0), now);
}

} // namespace

TEST(load, a_hello_is_one_record_and_nothing_else)
{
	service server;
	talk client;
	const datagram bytes = *client.core->send(client.now);
	const auto data = wire::parse(bytes)->data;
	const std::vector<std::byte> hello(data.begin(), data.end());
	const auto with = [&](std::initializer_list<unsigned char> more) {
		std::vector<std::byte> both = hello;
		for (const unsigned char each : more) {
			both.push_back(std::byte{each});
		}
		return hello_of(both);
	};
	auto shorter = hello;
	shorter.pop_back();
	auto other = hello;
	other[0] = std::byte{23};
	for (const datagram &each : {with({21, 3, 3, 0, 2, 2, 40}), with({23, 3, 3, 0, 1, 0}),
				     with({0}), hello_of(shorter), hello_of(other), hello_of({})}) {
		EXPECT_TRUE(answer_to(server, each, source(0), client.now).empty());
	}
	EXPECT_EQ(server.core.counts().hellos, 0U); // TLS has seen none of it.
	EXPECT_EQ(server.core.counts().dropped, 6U);
	client.run(server);
	client.expect_agreed(server);
}

// None of them stays: it is not what is half open that counts.
TEST(load, strangers_make_the_server_reckon_no_more_than_so_often)
{
	service server;
	talk client;
	for (unsigned i = 0; i < 1000; ++i) {
		static_cast<void>(answer_to(server, junk(i), source(i), client.now));
	}
	EXPECT_EQ(server.core.counts().half_open, 0U);
	EXPECT_EQ(server.core.counts().hellos, 64U);
	EXPECT_EQ(server.core.counts().cookies, 936U);
	EXPECT_EQ(kind_of(answer_to(server, junk(5000), source(5000), client.now)),
		  wire::kind::cookie);
	client.run(server);
	client.expect_agreed(server);
	// And later again.
	for (unsigned i = 0; i < 1000; ++i) {
		static_cast<void>(answer_to(server, junk(i), source(i), client.now + 20s));
	}
	EXPECT_LE(server.core.counts().hellos, 2U * 64 + 1);
}

TEST(load, strangers_do_not_shut_a_client_out_in_its_name)
{
	service server;
	talk client;
	unsigned number = 0;
	client.run(server, [&](letter what) {
		for (int i = 0; what.to_server && i < 300; ++i) {
			static_cast<void>(
				answer_to(server, junk(number++), client_udp, client.now));
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(server.core.counts().busy, 0U);
	EXPECT_LT(client.now.time_since_epoch(), std::chrono::hours(1) + 1s);
}
