// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace sdp::redis;
using words = std::vector<std::string_view>;

TEST(commands, those_that_are_not_redis_alone)
{
	EXPECT_EQ(kind_of("get"), command_kind::ordinary);
	EXPECT_EQ(kind_of("subscribe"), command_kind::refused);
	EXPECT_EQ(kind_of("monitor"), command_kind::refused);
	EXPECT_EQ(kind_of("watch"), command_kind::watch);
	EXPECT_EQ(kind_of("wait"), command_kind::refused);
	EXPECT_EQ(kind_of("multi"), command_kind::multi);
	EXPECT_EQ(kind_of(""), command_kind::ordinary);
}

TEST(commands, how_many_arguments_fit)
{
	const command_facts exact{.arity = 2};
	const command_facts least{.arity = -2};
	EXPECT_FALSE(exact.fits(1));
	EXPECT_TRUE(exact.fits(2));
	EXPECT_FALSE(exact.fits(3));
	EXPECT_FALSE(least.fits(1));
	EXPECT_TRUE(least.fits(2));
	EXPECT_TRUE(least.fits(9));
	EXPECT_FALSE(command_facts{}.is_known());
}

TEST(commands, those_that_would_block)
{
	const command_facts can{.arity = -2, .blocks = true};
	const command_facts cannot{.arity = -2};
	const auto blocks = [](const command_facts &what, const words &arguments) {
		return would_block(what, arguments);
	};
	EXPECT_FALSE(blocks(cannot, {"get", "block"}));
	EXPECT_TRUE(blocks(can, {"BLPOP", "a", "0"}));
	EXPECT_TRUE(blocks(can, {"XREAD", "BLOCK", "0", "STREAMS", "a", "$"}));
	EXPECT_TRUE(blocks(can, {"xread", "count", "1", "block", "0", "streams", "a", "$"}));
	EXPECT_FALSE(blocks(can, {"XREAD", "STREAMS", "block", "0"}));
	EXPECT_FALSE(blocks(can, {"XREADGROUP", "GROUP", "block", "block", "STREAMS", "a", ">"}));
	EXPECT_TRUE(
		blocks(can, {"XREADGROUP", "GROUP", "g", "c", "BLOCK", "1", "STREAMS", "a", ">"}));
	EXPECT_FALSE(blocks(can, {"XREADGROUP", "GROUP"}));
}

TEST(commands, those_that_restore)
{
	EXPECT_TRUE(restores(words{"RESTORE", "k", "0", "x"}));
	EXPECT_TRUE(restores(words{"restore-asking"}));
	EXPECT_TRUE(restores(words{"Function", "Restore", "x"}));
	EXPECT_FALSE(restores(words{"FUNCTION"}));
	EXPECT_FALSE(restores(words{"FUNCTION", "DUMP"}));
	EXPECT_FALSE(restores(words{"DUMP", "RESTORE"}));
}

TEST(commands, those_that_end_a_script)
{
	EXPECT_TRUE(ends_scripts(words{"SCRIPT", "KILL"}));
	EXPECT_TRUE(ends_scripts(words{"function", "kill"}));
	EXPECT_TRUE(ends_scripts(words{"Shutdown", "NoSave"}));
	EXPECT_TRUE(ends_scripts(words{"FUNCTION", "STATS"}));
	EXPECT_FALSE(ends_scripts(words{"SCRIPT", "STATS"}));
	EXPECT_FALSE(ends_scripts(words{"SHUTDOWN"}));
	EXPECT_FALSE(ends_scripts(words{"SCRIPT", "FLUSH"}));
	EXPECT_FALSE(ends_scripts(words{"GET", "KILL"}));
}

TEST(commands, those_that_a_script_does_not_hold_up)
{
	EXPECT_TRUE(is_taken_when_busy("MULTI"));
	EXPECT_TRUE(is_taken_when_busy("discard"));
	EXPECT_TRUE(is_taken_when_busy("RESET"));
	EXPECT_TRUE(is_taken_when_busy("quit"));
	EXPECT_FALSE(is_taken_when_busy("exec"));
	EXPECT_FALSE(is_taken_when_busy("get"));
	EXPECT_FALSE(is_taken_when_busy(""));
}

TEST(commands, formats_are_what_their_flags_say)
{
	std::set<std::string> seen;
	for (int i = 0; i < 16; ++i) {
		const call_format format{.resp3 = (i & 1) != 0,
					 .as_user = (i & 2) != 0,
					 .for_script = (i & 4) != 0,
					 .when_full = (i & 8) != 0};
		const std::string text = format.text();
		const auto has = [&](char which) { return text.find(which) != std::string::npos; };
		EXPECT_EQ(has('3'), format.resp3);
		EXPECT_EQ(has('C'), format.as_user);
		EXPECT_EQ(has('S'), format.for_script);
		EXPECT_EQ(has('M'), !format.when_full);
		EXPECT_TRUE(has('!') && has('E') && text.size() <= 6);
		EXPECT_TRUE(seen.insert(text).second);
	}
}

TEST(commands, an_error_is_one_line)
{
	std::string out = "+OK\r\n";
	append_error(out, "ERR a\r\nb");
	EXPECT_EQ(out, "+OK\r\n-ERR a  b\r\n");
	EXPECT_TRUE(same("GeT", "gEt"));
	EXPECT_FALSE(same("get", "gett"));
	EXPECT_EQ(lower("GET1\xc4"), "get1\xc4");
}

} // namespace
