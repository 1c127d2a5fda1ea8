// SPDX-License-Identifier: Apache-2.0
// What two ends agree on, over good and bad networks.
#include "talk.hpp"

#include "context.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <set>

using namespace lab;
namespace wire = sdp::tls::wire;

TEST(handshake, both_ends_agree)
{
	service server;
	talk client;
	client.run(server);
	client.expect_agreed(server);
	EXPECT_EQ(server.installed.size(), 1U);
	const auto &there = client.core->agreed()->peer;
	EXPECT_EQ(there.name, "server.lab");
	EXPECT_EQ(there.names, std::vector<std::string>{"server.lab"});
	EXPECT_EQ(there.key, people::all().server.pin());
	EXPECT_TRUE(there.certificate);
	EXPECT_FALSE(there.resumed);
	EXPECT_EQ(server.installed[0].peer.name, "client.lab");
	EXPECT_EQ(server.installed[0].peer.key, people::all().client.pin());
	EXPECT_EQ(server.installed[0].parameters.peer, client_udp.with_port(client_port));
	EXPECT_EQ(server.core.counts().half_open, 0U);
}

TEST(handshake, no_two_have_anything_in_common)
{
	service server;
	std::set<std::uint32_t> ids;
	for (int i = 0; i < 20; ++i) {
		talk client;
		client.run(server);
		client.expect_agreed(server);
		ids.insert(client.core->agreed()->id);
	}
	EXPECT_EQ(ids.size(), 20U);
}

TEST(handshake, cipher_and_record_size_are_the_clients)
{
	service server;
	for (const auto which : {sdp::cipher::aes_256_gcm, sdp::cipher::chacha20_poly1305}) {
		talk client(client_settings(), {.server_name = "server.lab",
						.cipher = which,
						.record_size = sdp::record_size_min});
		client.run(server);
		client.expect_agreed(server);
		EXPECT_EQ(server.installed.back().parameters.cipher, which);
		EXPECT_EQ(server.installed.back().parameters.record_size, sdp::record_size_min);
	}
}

TEST(handshake, a_cipher_or_record_size_is_declined)
{
	service server(server_settings(), {.allowed = {sdp::cipher::aes_256_gcm}});
	talk cipher;
	cipher.run(server);
	EXPECT_EQ(cipher.outcome(), reason::declined);
	talk size(client_settings(), {.server_name = "server.lab",
				      .cipher = sdp::cipher::aes_256_gcm,
				      .record_size = sdp::record_size_min - 1});
	size.run(server);
	EXPECT_EQ(size.outcome(), reason::declined);
	talk unknown(client_settings(),
		     {.server_name = "server.lab", .cipher = static_cast<sdp::cipher>(0x1304)});
	unknown.run(server);
	EXPECT_EQ(unknown.outcome(), reason::declined);
	EXPECT_TRUE(server.installed.empty());
}

TEST(handshake, a_server_without_room_says_so)
{
	service server;
	server.error = ENOBUFS;
	talk client;
	client.run(server);
	EXPECT_EQ(client.outcome(), reason::busy);
}

TEST(handshake, nobody_there_is_said_when_the_time_is_over)
{
	service server;
	talk client(client_settings(), {.server_name = "server.lab", .timeout = 3s});
	const auto begun = client.now;
	client.run(server, [](const letter &) { return std::vector<letter>(); });
	EXPECT_EQ(client.outcome(), reason::no_answer);
	EXPECT_EQ(client.now - begun, 3s);
}

TEST(handshake, lost_repeated_and_reordered_datagrams_are_made_good)
{
	for (unsigned seed = 0; seed < 40; ++seed) {
		std::mt19937 random(seed);
		service server;
		talk client(client_settings(), {.server_name = "server.lab", .timeout = 60s});
		std::vector<letter> late;
		client.run(server, [&](letter what) {
			std::vector<letter> out;
			if (random() % 100 < 15) {
				late.push_back(what);
			} else if (random() % 100 >= 30) {
				out.push_back(what);
				if (random() % 100 < 20) {
					out.push_back(what);
				}
			}
			if (!late.empty() && random() % 2 == 0) {
				out.push_back(late.front());
				late.erase(late.begin());
			}
			return out;
		});
		client.expect_agreed(server);
		// Another one only where all answers were lost for two seconds.
		EXPECT_LE(server.installed.size(), 2U) << "seed " << seed;
	}
}

TEST(handshake, a_server_that_forgets_in_the_midst_is_asked_anew)
{
	auto server = std::make_unique<service>();
	service second;
	talk client;
	bool forgot = false;
	client.run(second, [&](letter what) {
		if (!what.to_server || forgot) {
			return std::vector{what};
		}
		// The first one gets the hello only.
		if (what.bytes[8] != std::byte{1}) {
			forgot = client.now.time_since_epoch() > std::chrono::hours(1) + 1s;
			return std::vector<letter>();
		}
		const auto answer =
			server->core.take(what.bytes, what.from, server_sdp, client.now);
		client.core->take(answer, client.now);
		return std::vector<letter>();
	});
	client.expect_agreed(second);
}

// All hellos first, then all that follows: most are asked for a cookie.
TEST(handshake, a_thousand_clients_at_once)
{
	constexpr std::uint32_t count = 1000;
	service server;
	const auto who = ready(client_settings());
	std::vector<std::unique_ptr<talk>> all;
	for (std::uint32_t i = 0; i < count; ++i) {
		all.push_back(std::make_unique<talk>(who));
	}
	const auto from = [](std::uint32_t i) {
		return address::parse("10.2." + std::to_string(i / 250) + "." +
				      std::to_string(i % 250 + 1) + ":50000");
	};
	std::size_t agreed = 0;
	std::size_t most = 0;
	for (auto now = all[0]->now; agreed < count && now < all[0]->now + 10s; now += 50ms) {
		std::vector<std::pair<std::uint32_t, datagram>> sent;
		for (std::uint32_t i = 0; i < count; ++i) {
			while (auto bytes = all[i]->core->send(now)) {
				sent.emplace_back(i, std::move(*bytes));
			}
		}
		for (const auto &[i, bytes] : sent) {
			all[i]->core->take(server.core.take(bytes, from(i), server_sdp, now), now);
			most = std::max(most, server.core.counts().half_open);
		}
		agreed = static_cast<std::size_t>(std::ranges::count_if(
			all, [](const auto &each) { return each->core->agreed().has_value(); }));
	}
	EXPECT_EQ(agreed, count);
	EXPECT_EQ(server.installed.size(), count);
	EXPECT_GT(server.core.counts().cookies, 0U);
	EXPECT_LE(most, 1024U);
}

TEST(handshake, a_session_is_resumed)
{
	service server;
	const auto who = ready(client_settings());
	std::size_t sum = 0;
	const auto measure = [&](letter what) {
		sum += what.to_server ? 0 : what.bytes.size();
		return std::vector{std::move(what)};
	};
	talk first(who);
	first.run(server, measure);
	first.expect_agreed(server);
	const std::size_t whole = std::exchange(sum, 0);
	for (int i = 0; i < 3; ++i) {
		talk again(who);
		again.run(server, measure);
		again.expect_agreed(server);
		EXPECT_TRUE(again.core->agreed()->peer.resumed);
		EXPECT_TRUE(server.installed.back().peer.resumed);
		EXPECT_EQ(server.installed.back().peer.name, "client.lab");
		EXPECT_FALSE(again.core->agreed()->keyed == first.core->agreed()->keyed);
	}
	EXPECT_LT(sum, 3 * whole);
	EXPECT_EQ(server.core.counts().resumed, 3U);
}

TEST(handshake, a_new_server_knows_no_session_and_takes_the_client_all_the_same)
{
	const auto who = ready(client_settings());
	service before;
	talk first(who);
	first.run(before);
	first.expect_agreed(before);
	service after;
	talk second(who);
	second.run(after);
	second.expect_agreed(after);
	EXPECT_FALSE(second.core->agreed()->peer.resumed);
}

TEST(handshake, resumption_can_be_turned_off)
{
	settings no = server_settings();
	no.resumption = false;
	service server(std::move(no));
	const auto who = ready(client_settings());
	for (int i = 0; i < 2; ++i) {
		talk client(who);
		client.run(server);
		client.expect_agreed(server);
		EXPECT_FALSE(client.core->agreed()->peer.resumed);
	}
}

namespace {

settings with_key(const std::string &id, char digit)
{
	settings made;
	made.keys.push_back({id, sdp::secret::from_hex(std::string(64, digit))});
	return made;
}

} // namespace

TEST(handshake, an_external_key_is_enough)
{
	service server(with_key("one", '1'));
	talk client(with_key("one", '1'), {});
	client.run(server);
	client.expect_agreed(server);
	EXPECT_EQ(server.installed[0].peer.name, "one");
	EXPECT_FALSE(server.installed[0].peer.certificate);
	EXPECT_EQ(client.core->agreed()->peer.name, "one");
	// Each time with a Diffie-Hellman of its own.
	talk again(with_key("one", '1'), {});
	again.run(server);
	again.expect_agreed(server);
	EXPECT_FALSE(again.core->agreed()->keyed == client.core->agreed()->keyed);
}

TEST(handshake, another_external_key_is_refused)
{
	service server(with_key("one", '1'));
	for (const auto &[id, digit] : {std::pair{"one", '2'}, std::pair{"two", '1'}}) {
		talk client(with_key(id, digit), {});
		client.run(server);
		EXPECT_EQ(client.outcome(), reason::refused) << id << digit;
	}
	EXPECT_TRUE(server.installed.empty());
}

TEST(handshake, a_server_may_have_certificates_and_keys)
{
	settings both = server_settings();
	both.keys.push_back({"one", sdp::secret::from_hex(std::string(64, '1'))});
	service server(std::move(both));
	talk by_key(with_key("one", '1'), {});
	by_key.run(server);
	by_key.expect_agreed(server);
	talk by_certificate;
	by_certificate.run(server);
	by_certificate.expect_agreed(server);
	// A key that it does not know is not made good by a certificate.
	talk unknown(with_key("two", '1'), {});
	unknown.run(server);
	EXPECT_NE(unknown.outcome(), reason::none);
}

TEST(handshake, a_hello_is_made_again_bit_by_bit)
{
	const sdp::tls::tape tape;
	const auto who = ready(client_settings());
	const auto hello = [&](const sdp::tls::tape &from) {
		sdp::tls::connection made(who->inside(), true, "server.lab");
		const sdp::tls::tape::playing now(from);
		EXPECT_EQ(made.shake(), sdp::tls::connection::progress::wants_more);
		return made.drain();
	};
	EXPECT_EQ(hello(tape), hello(tape));
	EXPECT_NE(hello(tape), hello(sdp::tls::tape()));
}

// The vector in docs/wire.md.
TEST(handshake, the_id_is_the_kernels)
{
	std::array<std::byte, 32> bytes{};
	sdp::session_parameters of{.role = sdp::role::client};
	for (std::uint8_t i = 0; i < 32; ++i) {
		bytes[i] = std::byte{i};
		of.context[i] = static_cast<std::byte>(0x40 + i);
	}
	for (std::uint8_t i = 0; i < 16; ++i) {
		of.own_nonce[i] = static_cast<std::byte>(0x20 + i);
		of.peer_nonce[i] = static_cast<std::byte>(0x30 + i);
	}
	EXPECT_EQ(wire::session_id(of, sdp::secret(bytes)), 0x5de81b79U);
	std::swap(of.own_nonce, of.peer_nonce);
	of.role = sdp::role::server;
	EXPECT_EQ(wire::session_id(of, sdp::secret(bytes)), 0x5de81b79U);
}
