// SPDX-License-Identifier: Apache-2.0
// An attacker on the path: docs/handshake.md says of each what it gets.
#include "talk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace lab;
namespace wire = sdp::tls::wire;

namespace {

const address elsewhere = address::parse("10.0.0.77:9");

/** A server that has some certificate for the right name, not of an authority that is believed. */
settings impostor()
{
	static const authority other("another");
	const certificate forged = other.issue({.name = "server.lab"});
	settings who = server_settings();
	who.chain = forged.chain();
	who.key = forged.private_key();
	return who;
}

datagram flipped(datagram bytes, std::size_t at)
{
	bytes.at(at) ^= std::byte{1};
	return bytes;
}

} // namespace

// Each hello is answered by an impostor, in good TLS, before anybody else can.
TEST(attacks, answers_of_an_impostor_stop_nobody)
{
	service server;
	service impostors[] = {
		service(impostor()),
		service(people::all().of(people::all().ca.issue({.name = "other.lab"})))};
	talk client;
	client.run(server, [&](letter what) {
		if (what.to_server) {
			for (service &each : impostors) {
				const auto answer = each.core.take(what.bytes, what.from,
								   server_sdp, client.now);
				client.core->take(answer, client.now);
			}
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	for (const service &each : impostors) {
		EXPECT_TRUE(each.installed.empty());
		EXPECT_GT(each.core.counts().hellos, 0U);
	}
}

TEST(attacks, changed_and_cut_datagrams_stop_nobody)
{
	service server;
	talk client;
	client.run(server, [&](letter what) {
		std::vector<letter> all;
		for (const std::size_t at : {0UL, 7UL, 8UL, 9UL, 11UL, 13UL, 15UL, 16UL, 31UL, 32UL,
					     63UL, 64UL, 70UL, 100UL, 140UL, 200UL}) {
			if (at < what.bytes.size()) {
				all.push_back({what.to_server, flipped(what.bytes, at), what.from});
				all.push_back({what.to_server, what.bytes, what.from});
				all.back().bytes.resize(at);
			}
		}
		all.push_back(std::move(what));
		return all;
	});
	client.expect_agreed(server);
	EXPECT_EQ(server.installed.size(), 1U);
}

TEST(attacks, refusals_cookies_and_answers_that_are_forged_stop_nobody)
{
	service server;
	talk client;
	client.run(server, [&](letter what) {
		std::vector<letter> all;
		const auto asked = wire::parse(what.bytes);
		for (std::uint8_t kind = 2; what.to_server && kind <= 6; ++kind) {
			for (std::uint8_t why = 0; why < 22; ++why) {
				wire::packet forged{.kind = static_cast<wire::kind>(kind),
						    .reason = static_cast<reason>(why),
						    .count = 1,
						    .tag = asked->tag,
						    .data = asked->data};
				forged.check.fill(static_cast<std::byte>(why + 1));
				all.push_back({false, wire::build(forged, 0), what.from});
			}
		}
		all.push_back(std::move(what));
		return all;
	});
	client.expect_agreed(server);
}

TEST(attacks, datagrams_turned_around_stop_nobody)
{
	service server;
	talk client;
	client.run(server, [&](const letter &what) {
		return std::vector{letter{!what.to_server, what.bytes, what.from}, what};
	});
	client.expect_agreed(server);
}

TEST(attacks, a_handshake_that_is_repeated_makes_no_session)
{
	service server;
	talk client;
	std::vector<datagram> seen;
	client.run(server, [&](letter what) {
		if (what.to_server) {
			seen.push_back(what.bytes);
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	service second;
	for (int round = 0; round < 3; ++round) {
		for (const datagram &each : seen) {
			for (const address &from : {client_udp, elsewhere}) {
				for (service *one : {&server, &second}) {
					static_cast<void>(
						one->core.take(each, from, server_sdp, client.now));
				}
			}
		}
		client.now += 8s; // Forgotten, the third time.
	}
	EXPECT_EQ(server.installed.size(), 1U);
	EXPECT_TRUE(second.installed.empty());
	EXPECT_GT(second.core.counts().dropped, 0U);
}

// Copies of all that the client sends arrive from another address, and before its own.
TEST(attacks, copies_from_elsewhere_lead_no_session_away)
{
	service server;
	talk client;
	client.run(server, [&](letter what) {
		if (!what.to_server) {
			what.from = client_udp; // The attacker hands on what it gets.
			return std::vector{std::move(what)};
		}
		return std::vector{letter{true, what.bytes, elsewhere}, what};
	});
	client.expect_agreed(server);
	ASSERT_EQ(server.installed.size(), 1U);
	EXPECT_EQ(server.installed[0].parameters.peer, client_udp.with_port(client_port));
}

TEST(attacks, addresses_may_be_translated)
{
	service server;
	talk client;
	client.run(server, [&](letter what) {
		what.from = elsewhere;
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(server.installed[0].parameters.peer, elsewhere.with_port(client_port));
}

TEST(attacks, a_client_is_not_led_to_its_own_host)
{
	service own(server_settings(), {}, 1); // Of the client's host.
	talk around;
	around.run(own, [&](letter what) {
		what.from = server_sdp.with_port(client_udp.port());
		return std::vector{std::move(what)};
	});
	EXPECT_EQ(around.outcome(), reason::itself);
	EXPECT_TRUE(own.installed.empty());
	// One that means its own host reaches it.
	talk straight;
	straight.run(own);
	straight.expect_agreed(own);
}

TEST(attacks, a_client_is_not_led_to_another_port)
{
	std::vector<agreement> installed;
	server_handshakes other(ready(server_settings()), {}, 4001, {},
				{.new_nonce = [] { return sdp::nonce(); },
				 .install =
					 [&](const agreement &made) {
						 installed.push_back({made.parameters,
								      made.keyed.clone(), made.id,
								      made.peer});
					 }});
	service unused;
	talk client;
	client.run(unused, [&](letter what) {
		if (what.to_server) {
			client.core->take(other.take(what.bytes, what.from, server_sdp, client.now),
					  client.now);
		}
		return std::vector<letter>();
	});
	EXPECT_EQ(client.outcome(), reason::other_peer);
	EXPECT_TRUE(installed.empty());
}

TEST(attacks, a_loaded_server_asks_for_a_cookie_first)
{
	service server(server_settings(), {.limits = {.cookies_above = 0}});
	talk client;
	datagram hello;
	client.run(server, [&](letter what) {
		if (hello.empty()) {
			hello = what.bytes;
			// From wherever, as often as they like: nothing is kept.
			for (std::uint16_t i = 0; i < 1000; ++i) {
				const auto answer = server.core.take(hello, elsewhere.with_port(i),
								     server_sdp, client.now);
				EXPECT_EQ(kind_of(answer), wire::kind::cookie);
			}
			EXPECT_EQ(server.core.counts().half_open, 0U);
			EXPECT_EQ(server.core.counts().hellos, 0U);
		} else if (what.to_server && kind_of(what.bytes) == wire::kind::hello &&
			   server.core.counts().hellos == 0) {
			// The cookie is good for one address and port, and one hello.
			for (const auto &from :
			     {elsewhere, client_udp.with_port(client_udp.port() + 1)}) {
				EXPECT_EQ(kind_of(server.core.take(what.bytes, from, server_sdp,
								   client.now)),
					  wire::kind::cookie);
			}
			EXPECT_EQ(kind_of(server.core.take(what.bytes, client_udp, server_sdp,
							   client.now + 30s)),
				  wire::kind::cookie);
		}
		return std::vector{std::move(what)};
	});
	client.expect_agreed(server);
	EXPECT_EQ(server.core.counts().hellos, 1U);
}

namespace {

/** A hello of somebody's who goes no further. */
datagram some_hello(const std::shared_ptr<const credentials> &who)
{
	talk made(who);
	return *made.core->send(made.now);
}

/** The answer to @p hello from elsewhere, once that has shown that it is there. */
datagram with_cookie(service &server, const datagram &hello, sdp::tls::clock::time_point now)
{
	const datagram asked = server.core.take(hello, elsewhere, server_sdp, now);
	wire::packet again = *wire::parse(hello);
	again.check = wire::parse(asked)->check;
	return server.core.take(wire::build(again, sdp::tls::datagram_length), elsewhere,
				server_sdp, now);
}

} // namespace

TEST(attacks, strangers_shut_nobody_out)
{
	service server(server_settings(),
		       {.limits = {.half_open = 64, .cookies_above = 1000, .burst = 100000}});
	const auto who = ready(client_settings());
	talk client;
	// One source has a share and no more.
	for (int i = 0; i < 100; ++i) {
		static_cast<void>(
			server.core.take(some_hello(who), elsewhere, server_sdp, client.now));
	}
	EXPECT_EQ(server.core.counts().half_open, 8U);
	// Many sources fill the table, and a newcomer takes the place of one who has more.
	for (int i = 0; i < 100; ++i) {
		const auto from = address::parse("10.1.0." + std::to_string(i % 10) + ":9");
		static_cast<void>(server.core.take(some_hello(who), from, server_sdp, client.now));
	}
	EXPECT_LE(server.core.counts().half_open, 64U);
	EXPECT_GE(server.core.counts().half_open, 60U);
	client.run(server);
	client.expect_agreed(server);
	// All of them go with time.
	static_cast<void>(
		server.core.take(some_hello(who), elsewhere, server_sdp, client.now + 11s));
	EXPECT_EQ(server.core.counts().half_open, 1U);
}

TEST(attacks, one_source_has_a_rate)
{
	service server(server_settings(),
		       {.limits = {.cookies_above = 0, .burst = 4, .each_second = 1}});
	const auto who = ready(client_settings());
	const auto now = talk(who).now;
	for (int i = 0; i < 10; ++i) {
		const auto answer = with_cookie(server, some_hello(who), now);
		EXPECT_EQ(kind_of(answer), i < 4 ? wire::kind::flight : wire::kind::refusal);
	}
	EXPECT_EQ(server.core.counts().busy, 6U);
	// Others are served meanwhile, and it is again, later.
	talk client;
	client.run(server);
	client.expect_agreed(server);
	EXPECT_EQ(kind_of(with_cookie(server, some_hello(who), now + 2s)), wire::kind::flight);
}

TEST(attacks, another_version_is_said)
{
	service server;
	talk client(client_settings(), {.server_name = "server.lab", .timeout = 1s});
	client.run(server, [&](letter what) {
		if (what.to_server) {
			what.bytes[7] = std::byte{9};
			EXPECT_EQ(kind_of(server.core.take(what.bytes, what.from, server_sdp,
							   client.now)),
				  wire::kind::refusal);
			return std::vector{letter{false, what.bytes, what.from}};
		}
		return std::vector<letter>();
	});
	EXPECT_EQ(client.outcome(), reason::version);
	EXPECT_EQ(client.core->details(), "of the handshake: 9");
}

// Bytes are changed everywhere, with checksums and hashes left as they are or made to fit.
TEST(attacks, fuzzed_datagrams_lead_to_agreement_or_nothing)
{
	unsigned agreed = 0;
	for (unsigned seed = 0; seed < 100; ++seed) {
		std::mt19937 random(seed);
		service server;
		talk client(client_settings(), {.server_name = "server.lab", .timeout = 5s});
		client.run(server, [&](letter what) {
			std::vector<letter> all;
			for (auto n = random() % 3; n-- > 0;) {
				letter bad = what;
				for (auto flips = 1 + random() % 8; flips-- > 0;) {
					bad.bytes[random() % bad.bytes.size()] =
						static_cast<std::byte>(random());
				}
				auto inside = wire::parse(bad.bytes);
				if (inside && random() % 2 == 0 &&
				    inside->kind == wire::kind::flight && inside->count == 1) {
					// A flight of TLS that was changed, with hashes that fit.
					const std::vector<std::byte> flight(
						inside->data.begin() + 32, inside->data.end());
					const wire::pieces fitting{flight};
					inside->check = fitting.head();
					const auto data = fitting.at(0);
					inside->data = data;
					bad.bytes = wire::build(*inside, 0);
				} else if (inside && inside->kind == wire::kind::hello) {
					inside->tag = wire::tag_of(inside->data);
					bad.bytes = wire::build(*inside, sdp::tls::datagram_length);
				}
				if (random() % 10 == 0) {
					bad.bytes.resize(random() % bad.bytes.size());
				}
				all.push_back(std::move(bad));
			}
			if (random() % 4 != 0) {
				all.push_back(std::move(what));
			}
			return all;
		});
		if (client.core->agreed()) {
			client.expect_agreed(server);
			++agreed;
		}
		EXPECT_LE(server.installed.size(), 3U);
	}
	EXPECT_GT(agreed, 90U);
}
