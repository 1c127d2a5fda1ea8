// SPDX-License-Identifier: Apache-2.0
// When a session is replaced, and how often that is tried.
#include "session_watch.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace {

using namespace std::chrono_literals;
using sdp::detail::session_use;
using sdp::detail::session_watch;
using state = session_watch::state;

constexpr session_watch::rules rules{
	.age = 600s, .volume = 1600, .silence = 2s, .between = 1s, .at_most = 5s};
constexpr session_watch::clock::time_point start{1h};

TEST(session_watch, age)
{
	session_watch watch(rules);
	watch.made(start);
	EXPECT_EQ(watch.look(session_use{}, {}, start + 599s), state::fine);
	EXPECT_EQ(watch.look(session_use{}, {}, start + 600s), state::old);
	watch.made(start + 600s);
	EXPECT_EQ(watch.look(session_use{}, {}, start + 601s), state::fine);
}

TEST(waiting_calls, since_the_first_of_those_that_overlap)
{
	sdp::detail::waiting_calls all;
	EXPECT_EQ(all.since(), std::nullopt);
	all.begins();
	const auto first = all.since();
	ASSERT_TRUE(first);
	while (session_watch::clock::now() == *first) {
	}
	all.begins();
	all.ends();
	EXPECT_EQ(all.since(), first);
	all.ends();
	EXPECT_EQ(all.since(), std::nullopt);
	all.begins();
	EXPECT_GT(all.since(), first);
}

TEST(session_watch, volume_of_all_epochs)
{
	session_watch watch(rules);
	watch.made(start);
	EXPECT_EQ(watch.look(session_use{.epoch = 0, .blocks = 60}, {}, start), state::fine);
	EXPECT_EQ(watch.look(session_use{.epoch = 1, .blocks = 39}, {}, start), state::fine);
	EXPECT_EQ(watch.look(session_use{.epoch = 1, .blocks = 40}, {}, start), state::old);
	watch.made(start);
	EXPECT_EQ(watch.look(session_use{.epoch = 0, .blocks = 99}, {}, start), state::fine);
}

TEST(session_watch, gone)
{
	session_watch watch(rules);
	watch.made(start);
	EXPECT_EQ(watch.look(std::nullopt, {}, start), state::dead);
}

// Only who was asked, and could have answered under this session, is silent.
TEST(session_watch, silence)
{
	session_watch watch(rules);
	watch.made(start);
	const session_use silent{.silent = 3s};
	EXPECT_EQ(watch.look(silent, {}, start + 10s), state::fine);
	EXPECT_EQ(watch.look(silent, start + 9s, start + 10s), state::fine);
	EXPECT_EQ(watch.look(silent, start + 8s, start + 10s), state::dead);
	EXPECT_EQ(watch.look(session_use{.silent = 1s}, start + 8s, start + 10s), state::fine);
	watch.made(start + 9s);
	EXPECT_EQ(watch.look(silent, start + 8s, start + 10s), state::fine);
}

TEST(session_watch, tries)
{
	session_watch watch(rules);
	EXPECT_EQ(watch.next(start), start + 1s);
	EXPECT_EQ(watch.failed(start), start + 2s);
	EXPECT_EQ(watch.failed(start), start + 4s);
	EXPECT_EQ(watch.failed(start), start + 5s);
	watch.made(start);
	EXPECT_EQ(watch.next(start), start + 1s);
}

} // namespace
