// SPDX-License-Identifier: Apache-2.0
// Whose a session is.
#include "known_peers.hpp"
#include "talk.hpp"

#include <gtest/gtest.h>

using namespace lab;
using sdp::tls::known_peers;

namespace {

sdp::tls::identity somebody(const std::string &name, std::uint8_t key)
{
	sdp::tls::identity who{.name = name};
	who.key.fill(std::byte{key});
	return who;
}

std::string name_of(const known_peers &all, const address &peer, std::uint32_t id)
{
	const auto who = all.find(peer, id);
	return who ? who->name : "";
}

const address one = address::parse("10.0.0.1:40000");
const address two = address::parse("10.0.0.1:40001");

} // namespace

// Anybody may wait until its id is somebody else's, too: there are 2^32.
TEST(peers, an_id_is_one_peers_only)
{
	known_peers all(64);
	all.remember(one, 7, somebody("one", 1));
	all.remember(two, 7, somebody("two", 2));
	EXPECT_EQ(name_of(all, one, 7), "one");
	EXPECT_EQ(name_of(all, two, 7), "two");
	EXPECT_EQ(name_of(all, one, 8), "");
	EXPECT_EQ(name_of(all, one.mapped(), 7), "one");
	all.remember(one, 7, somebody("three", 3));
	EXPECT_EQ(name_of(all, one, 7), "three");
	EXPECT_EQ(all.size(), 2U);
}

TEST(peers, one_with_many_sessions_pushes_out_nobody)
{
	known_peers all(64);
	all.remember(one, 7, somebody("one", 1));
	for (std::uint32_t id = 1; id <= 1000; ++id) {
		all.remember(two, id, somebody("two", 2));
	}
	EXPECT_EQ(name_of(all, one, 7), "one");
	EXPECT_EQ(name_of(all, two, 1000), "two");
	EXPECT_EQ(name_of(all, two, 993), "two");
	EXPECT_EQ(name_of(all, two, 992), "");
	EXPECT_EQ(all.size(), 9U);
}

TEST(peers, they_are_bounded)
{
	known_peers all(64);
	for (std::uint32_t id = 1; id <= 200; ++id) {
		all.remember(one, id, somebody("some", static_cast<std::uint8_t>(id)));
	}
	EXPECT_EQ(all.size(), 64U);
	EXPECT_EQ(name_of(all, one, 200), "some");
	EXPECT_EQ(name_of(all, one, 136), "");
}
