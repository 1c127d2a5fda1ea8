// SPDX-License-Identifier: Apache-2.0
#include "talk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

namespace lab {

namespace {

sdp::tls::host_id host(std::uint8_t which)
{
	sdp::tls::host_id id{};
	id.fill(std::byte{which});
	return id;
}

} // namespace

sdp::tls::wire::kind kind_of(const datagram &bytes)
{
	return static_cast<sdp::tls::wire::kind>(bytes.at(8));
}

const people &people::all()
{
	static const people only;
	return only;
}

settings people::of(const certificate &who) const
{
	return {.chain = who.chain(), .key = who.private_key(), .authorities = ca.pem()};
}

std::shared_ptr<const credentials> ready(settings from)
{
	return std::make_shared<credentials>(std::move(from));
}

settings client_settings()
{
	return people::all().of(people::all().client);
}

settings server_settings()
{
	return people::all().of(people::all().server);
}

service::service(settings who, const sdp::tls::server_options &options, std::uint8_t which)
	: with(ready(std::move(who))),
	  core(with, options, server_sdp.port(), host(which),
	       {.new_nonce =
			[this] {
				sdp::nonce fresh{};
				fresh.fill(static_cast<std::byte>(++nonces));
				return fresh;
			},
		.install =
			[this](const agreement &made) {
				if (error != 0) {
					throw std::system_error(error, std::generic_category());
				}
				installed.push_back(
					{made.parameters, made.keyed.clone(), made.id, made.peer});
			}})
{
}

talk::talk(settings who, sdp::tls::client_options options)
	: talk(ready(std::move(who)), std::move(options))
{
}

talk::talk(std::shared_ptr<const credentials> who, sdp::tls::client_options options,
	   sdp::tls::clock::time_point when)
	: now(when)
{
	// None of the server's, each of which is one byte repeated.
	nonce.fill(std::byte{0xc1});
	nonce.front() = std::byte{0xee};
	core = std::make_unique<client_handshake>(std::move(who), options,
						  sdp::tls::client_place{.port = client_port,
									 .own = client_udp,
									 .server = server_sdp,
									 .host = host(1),
									 .nonce = nonce},
						  now);
}

void talk::deliver(service &with, const network &through, letter what, int depth)
{
	constexpr int deepest = 8; // Where the network sends on what it gets.
	const auto all = through ? through(std::move(what)) : std::vector{std::move(what)};
	for (const letter &each : all) {
		if (!each.to_server) {
			core->take(each.bytes, now);
			continue;
		}
		auto answer = with.core.take(each.bytes, each.from, each.to, now);
		EXPECT_LE(answer.size(), each.bytes.size()) << "amplified";
		if (!answer.empty() && depth < deepest) {
			deliver(with, through, {false, std::move(answer), each.from}, depth + 1);
		}
	}
}

void talk::run(service &with, const network &through)
{
	while (!core->agreed() && core->failed() == reason::none) {
		while (auto bytes = core->send(now)) {
			EXPECT_EQ(bytes->size(), sdp::tls::datagram_length);
			deliver(with, through, {true, std::move(*bytes), client_udp}, 0);
		}
		now = std::max(now, std::min(core->next(), now + 100ms));
	}
}

reason talk::outcome() const
{
	return core->agreed() ? reason::none : core->failed();
}

void talk::expect_agreed(const service &with) const
{
	ASSERT_TRUE(core->agreed()) << describe(core->failed()) << ": " << core->details();
	ASSERT_FALSE(with.installed.empty());
	const agreement &here = *core->agreed();
	const agreement &there = with.installed.back();
	EXPECT_TRUE(here.keyed == there.keyed);
	EXPECT_FALSE(here.keyed.is_empty());
	EXPECT_EQ(here.id, there.id);
	EXPECT_NE(here.id, 0U);
	EXPECT_EQ(here.parameters.context, there.parameters.context);
	EXPECT_EQ(here.parameters.own_nonce, there.parameters.peer_nonce);
	EXPECT_EQ(here.parameters.peer_nonce, there.parameters.own_nonce);
	EXPECT_EQ(here.parameters.cipher, there.parameters.cipher);
	EXPECT_EQ(here.parameters.record_size, there.parameters.record_size);
	EXPECT_EQ(here.parameters.role, sdp::role::client);
	EXPECT_EQ(there.parameters.role, sdp::role::server);
	EXPECT_EQ(here.parameters.peer, server_sdp);
	EXPECT_EQ(here.parameters.local.text(), client_udp.with_port(0).text());
	EXPECT_EQ(there.parameters.peer.port(), client_port);
}

} // namespace lab
