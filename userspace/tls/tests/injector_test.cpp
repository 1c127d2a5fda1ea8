// SPDX-License-Identifier: Apache-2.0
// Who reads everything, sends anything at once, and stops nothing.
#include "talk.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace lab;
namespace wire = sdp::tls::wire;

namespace {

const sdp::tls::client_options shortly{.server_name = "server.lab", .timeout = 1s};

/** All that there is to send at @p client's time. */
std::vector<datagram> all_of(talk &client)
{
	std::vector<datagram> sent;
	while (auto bytes = client.core->send(client.now)) {
		sent.push_back(std::move(*bytes));
	}
	return sent;
}

/** A cookie with @p tag that no server made. */
datagram forged_cookie(const wire::tag &tag, unsigned number, std::size_t length)
{
	wire::packet forged{.kind = wire::kind::cookie, .tag = tag};
	forged.check.fill(std::byte{1});
	forged.check[0] = static_cast<std::byte>(number);
	forged.check[1] = static_cast<std::byte>(number >> 8);
	return wire::build(forged, length);
}

} // namespace

TEST(injector, refusals_without_a_reason_do_not_keep_it_from_ending)
{
	talk client(client_settings(), shortly);
	const auto sent = all_of(client);
	ASSERT_FALSE(sent.empty());
	const wire::tag tag = wire::parse(sent[0])->tag;
	client.core->take(wire::build({.kind = wire::kind::refusal, .tag = tag}, 0), client.now);
	client.now += 1s;
	EXPECT_TRUE(all_of(client).empty());
	EXPECT_EQ(client.core->failed(), reason::no_answer);
}

TEST(injector, what_waits_to_be_sent_is_due_at_a_time_that_can_be_reckoned_with)
{
	talk client;
	const wire::tag tag = wire::parse(all_of(client).at(0))->tag;
	client.core->take(forged_cookie(tag, 0, sdp::tls::datagram_length), client.now);
	EXPECT_LE(client.core->next(), client.now);
	EXPECT_GE(client.core->next().time_since_epoch().count(), 0);
}

// More of them than are tried, each time before the server's.
TEST(injector, forged_cookies_stop_nobody)
{
	for (const std::size_t length : {wire::head_length, sdp::tls::datagram_length}) {
		service server(server_settings(), {.limits = {.cookies_above = 0}});
		talk client(client_settings(), {.server_name = "server.lab", .timeout = 3s});
		unsigned number = 0;
		sdp::tls::clock::time_point seen{};
		client.run(server, [&](letter what) {
			const auto asked = wire::parse(what.bytes);
			if (what.to_server && client.now != seen) {
				seen = client.now;
				for (int i = 0; i < 200; ++i) {
					client.core->take(
						forged_cookie(asked->tag, number++, length),
						client.now);
				}
			}
			return std::vector{std::move(what)};
		});
		client.expect_agreed(server);
	}
}

TEST(injector, copies_to_another_address_of_the_server_lead_no_session_away)
{
	const address other = address::parse("10.0.0.3:0");
	service server;
	talk client;
	client.run(server, [&](letter what) {
		letter copy = what;
		copy.to = other;
		return what.to_server ? std::vector{std::move(copy), std::move(what)}
				      : std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	ASSERT_EQ(server.installed.size(), 1U);
	EXPECT_EQ(server.installed[0].parameters.local.text(), server_sdp.with_port(0).text());
}

TEST(injector, the_servers_address_may_be_translated)
{
	const address other = address::parse("10.0.0.3:0");
	service server;
	talk client;
	client.run(server, [&](letter what) {
		what.to = other;
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(server.installed[0].parameters.local.text(), other.text());
}

// Turned around to the client's host, from an address of that host, as IPv6 lets it.
TEST(injector, what_a_client_sends_is_not_turned_around_from_its_own_address)
{
	service own(server_settings(), {}, 1); // Of the client's host.
	talk client;
	client.run(own, [&](letter what) {
		what.to = client_udp.with_port(0);
		return std::vector{std::move(what)};
	});
	EXPECT_EQ(client.outcome(), reason::itself);
	EXPECT_TRUE(own.installed.empty());
}

TEST(injector, addresses_of_many_are_none_of_a_server)
{
	service server;
	talk client(client_settings(), shortly);
	for (const char *many : {"224.0.0.1:0", "255.255.255.255:0", "[ff02::1]:0", "0.0.0.0:0"}) {
		for (const datagram &each : all_of(client)) {
			EXPECT_TRUE(
				server.core.take(each, client_udp, address::parse(many), client.now)
					.empty());
		}
		client.now += 200ms;
	}
	EXPECT_EQ(server.core.counts().hellos, 0U);
}

// The answer that comes first is that of another server, which has a certificate for the name.
TEST(injector, flights_of_a_replica_stop_nobody)
{
	service server;
	service replica;
	talk client;
	client.run(server, [&](letter what) {
		if (what.to_server && kind_of(what.bytes) == wire::kind::hello) {
			client.core->take(replica.core.take(what.bytes, client_udp,
							    server_sdp.with_port(0), client.now),
					  client.now);
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_TRUE(replica.installed.empty());
	EXPECT_LT(client.now.time_since_epoch(), std::chrono::hours(1) + 2s);
}

// And is told all that the client says, so that it says no, in good TLS.
TEST(injector, refusals_of_another_port_of_the_same_host_stop_nobody)
{
	std::vector<agreement> none;
	server_handshakes other(ready(server_settings()), {}, 4001, {},
				{.new_nonce = [] { return sdp::nonce(); },
				 .install =
					 [&](const agreement &made) {
						 none.push_back({made.parameters,
								 made.keyed.clone(), made.id,
								 made.peer});
					 }});
	service server;
	talk client;
	client.run(server, [&](letter what) {
		if (what.to_server) {
			client.core->take(other.take(what.bytes, client_udp,
						     server_sdp.with_port(0), client.now),
					  client.now);
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_TRUE(none.empty());
}

// TLS 1.3 ignores such a record; the session's context does not.
TEST(injector, records_that_tls_ignores_lead_to_no_other_session)
{
	constexpr std::byte junk[] = {std::byte{20}, std::byte{3}, std::byte{3},
				      std::byte{0},  std::byte{1}, std::byte{1}};
	service server;
	talk client;
	client.run(server, [&](letter what) {
		const auto inside = wire::parse(what.bytes);
		if (!what.to_server && inside && inside->kind == wire::kind::flight &&
		    inside->count == 1) {
			std::vector<std::byte> flight(inside->data.begin() + 32,
						      inside->data.end());
			const auto hello = 5U + std::to_integer<unsigned>(flight[3]) * 256 +
					   std::to_integer<unsigned>(flight[4]);
			flight.insert(flight.begin() + hello, std::begin(junk), std::end(junk));
			const wire::pieces fitting{flight};
			if (fitting.count() == 1) {
				wire::packet forged = *inside;
				forged.check = fitting.head();
				forged.data = fitting.at(0);
				return std::vector{letter{false, wire::build(forged, 0)},
						   std::move(what)};
			}
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
}
