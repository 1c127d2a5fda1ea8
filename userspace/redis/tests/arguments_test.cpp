// SPDX-License-Identifier: Apache-2.0
#include "arguments.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using sdp::redis::arguments;

arguments parse(std::string_view line)
{
	static std::vector<std::string> kept;
	kept.clear();
	std::istringstream in{std::string(line)};
	for (std::string word; in >> word;) {
		kept.push_back(word);
	}
	const std::vector<std::string_view> words(kept.begin(), kept.end());
	return sdp::redis::parse_arguments(words);
}

constexpr std::string_view shortest = "port 6380 cert c key k ca a ";

TEST(arguments, what_is_not_said)
{
	const arguments said = parse(shortest);
	EXPECT_EQ(said.local.text(), "[::]:6380");
	EXPECT_EQ(said.chain, "c");
	EXPECT_EQ(said.key, "k");
	EXPECT_EQ(said.authorities, "a");
	EXPECT_TRUE(said.revoked.empty());
	EXPECT_EQ(said.user_of("alice"), "alice");
}

TEST(arguments, all_of_them)
{
	const arguments said =
		parse("bind 10.0.0.2 port 1 cert c key k ca a revoked r idle 5 max-command 2048 "
		      "max-reply 4096 max-held 8192 user-map a.example=app user-map x=y=z");
	EXPECT_EQ(said.local.text(), "10.0.0.2:1");
	EXPECT_EQ(said.revoked, "r");
	EXPECT_EQ(said.idle.count(), 5);
	EXPECT_EQ(said.most_command, 2048U);
	EXPECT_EQ(said.most_reply, 4096U);
	EXPECT_EQ(said.most_held, 8192U);
	EXPECT_EQ(said.user_of("a.example"), "app");
	EXPECT_EQ(said.user_of("x=y"), "z");
	EXPECT_EQ(said.user_of("b.example"), "b.example");
}

TEST(arguments, a_user_for_all_others)
{
	const arguments said = parse(std::string(shortest) + "user-map *=default user-map a=app");
	EXPECT_EQ(said.user_of("a"), "app");
	EXPECT_EQ(said.user_of("b"), "default");
}

struct bad_argument {
	std::string_view line, says;
};

class bad_arguments : public testing::TestWithParam<bad_argument> {};

TEST_P(bad_arguments, are_refused_with_a_sentence)
{
	try {
		parse(GetParam().line);
		FAIL() << "taken";
	} catch (const std::invalid_argument &error) {
		EXPECT_NE(std::string_view(error.what()).find(GetParam().says),
			  std::string_view::npos)
			<< error.what();
	}
}

INSTANTIATE_TEST_SUITE_P(
	words, bad_arguments,
	testing::Values(bad_argument{"", "'port' is missing"},
			bad_argument{"port", "'port' has no value"},
			bad_argument{"port 0", "port is a number from 1 to 32767, not '0'"},
			bad_argument{"port 32768", "not '32768'"},
			bad_argument{"port 6380x", "not '6380x'"},
			bad_argument{"port -1", "not '-1'"},
			bad_argument{"port 99999999999999999999999", "port is a number"},
			bad_argument{"port 1 port 2", "'port' is there twice"},
			bad_argument{"port 1 cert c key k", "'ca' is missing"},
			bad_argument{"port 1 cert c ca k", "'key' is missing"},
			bad_argument{"port 1 key c ca k", "'cert' is missing"},
			bad_argument{"bind nowhere", "bind is an address, not 'nowhere'"},
			bad_argument{"bind 10.0.0.1:4", "without a port"},
			bad_argument{"user-map a", "user-map is NAME=USER"},
			bad_argument{"user-map =a", "user-map is NAME=USER"},
			bad_argument{"user-map a=", "user-map is NAME=USER"},
			bad_argument{"user-map a=b user-map a=c", "says twice who 'a' is"},
			bad_argument{"idle 0", "idle is a number"},
			bad_argument{"max-command 1", "max-command"},
			bad_argument{"max-reply 99999999999", "max-reply"},
			bad_argument{"prot 1", "nobody knows 'prot'"}));

TEST(arguments, who_is_silent_is_forgotten_after_the_time_that_was_said)
{
	using namespace std::chrono_literals;
	for (const std::chrono::seconds idle : {1s, 8s, 480s, 481s, 3600s, 86'400s, 31'536'000s}) {
		const auto rule = sdp::redis::silence_rule_of(idle);
		const auto least = rule.tick * rule.ticks;
		EXPECT_GE(least, idle) << idle.count();
		// Its last word may have come right behind a tick.
		EXPECT_LE(least + rule.tick,
			  idle + std::max<std::chrono::milliseconds>(2 * rule.tick, idle / 8 + 1ms))
			<< idle.count();
		EXPECT_LE(rule.tick, 60s);
	}
	EXPECT_EQ(sdp::redis::silence_rule_of(3600s).ticks, 60U);
}

} // namespace
