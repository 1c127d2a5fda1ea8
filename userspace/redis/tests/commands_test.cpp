// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "during.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <utility>
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
}

TEST(commands, those_that_would_block)
{
	const auto blocks = [](std::string name, const words &arguments) {
		const command_facts can{.name = std::move(name), .arity = -2, .blocks = true};
		return would_block(can, arguments);
	};
	EXPECT_FALSE(would_block({.name = "get", .arity = -2}, words{"get", "block"}));
	EXPECT_TRUE(blocks("blpop", {"BLPOP", "a", "0"}));
	EXPECT_TRUE(blocks("xread", {"XREAD", "BLOCK", "0", "STREAMS", "a", "$"}));
	EXPECT_TRUE(blocks("xread", {"xread", "count", "1", "block", "0", "streams", "a", "$"}));
	EXPECT_FALSE(blocks("xread", {"XREAD", "STREAMS", "block", "0"}));
	EXPECT_FALSE(blocks("xread", {"renamed", "STREAMS", "block", "0"}));
	EXPECT_TRUE(blocks("blpop", {"xread", "0"}));
	EXPECT_FALSE(blocks("xreadgroup",
			    {"XREADGROUP", "GROUP", "block", "block", "STREAMS", "a", ">"}));
	EXPECT_TRUE(blocks("xreadgroup",
			   {"XREADGROUP", "GROUP", "g", "c", "BLOCK", "1", "STREAMS", "a", ">"}));
	EXPECT_FALSE(blocks("xreadgroup", {"XREADGROUP", "GROUP"}));
}

TEST(commands, those_that_restore)
{
	EXPECT_TRUE(restores("restore"));
	EXPECT_TRUE(restores("restore-asking"));
	EXPECT_TRUE(restores("function|restore"));
	EXPECT_FALSE(restores("function"));
	EXPECT_FALSE(restores("function|dump"));
	EXPECT_FALSE(restores("dump"));
}

TEST(commands, those_that_end_a_script)
{
	const auto ends = [](std::string name, const words &arguments) {
		return ends_scripts({.name = std::move(name)}, arguments);
	};
	EXPECT_TRUE(ends("script|kill", {"SCRIPT", "KILL"}));
	EXPECT_TRUE(ends("script|kill", {"renamed", "KILL"}));
	EXPECT_TRUE(ends("function|kill", {"function", "kill"}));
	EXPECT_TRUE(ends("shutdown", {"Shutdown", "NoSave"}));
	EXPECT_TRUE(ends("function|stats", {"FUNCTION", "STATS"}));
	EXPECT_FALSE(ends("script|kill", {"SCRIPT", "KILL", "more"}));
	EXPECT_FALSE(ends("shutdown", {"SHUTDOWN"}));
	EXPECT_FALSE(ends("shutdown", {"SHUTDOWN", "SAVE"}));
	EXPECT_FALSE(ends("script|flush", {"SCRIPT", "FLUSH"}));
	EXPECT_FALSE(ends("get", {"SCRIPT", "KILL"}));
}

TEST(commands, those_that_a_script_does_not_hold_up)
{
	for (const char *const each : {"multi", "discard", "unwatch", "reset", "quit"}) {
		EXPECT_TRUE(is_taken_when_busy(kind_of(each))) << each;
	}
	for (const char *const each : {"exec", "get", "watch", "auth", "hello", ""}) {
		EXPECT_FALSE(is_taken_when_busy(kind_of(each))) << each;
	}
}

TEST(commands, names_that_may_be_looked_up)
{
	EXPECT_TRUE(is_name("get"));
	EXPECT_TRUE(is_name("a.b-c_1"));
	EXPECT_FALSE(is_name("a|b"));
	EXPECT_FALSE(is_name("a b"));
	EXPECT_FALSE(is_name(std::string_view("restore\0x", 9)));
	EXPECT_FALSE(is_name("\xc4"));
}

TEST(commands, those_that_are_unknown)
{
	EXPECT_EQ(unknown_command(words{"nonsense"}, false),
		  "ERR unknown command 'nonsense', with args beginning with: ");
	EXPECT_EQ(unknown_command(words{"Nonsense", "a", "b c"}, false),
		  "ERR unknown command 'Nonsense', with args beginning with: 'a' 'b c' ");
	EXPECT_EQ(unknown_command(words{"client", "what"}, true),
		  "ERR unknown subcommand 'what'. Try CLIENT HELP.");
	const std::string wide(300, 'x');
	EXPECT_EQ(unknown_command(words{wide, "a", wide, "b"}, false),
		  "ERR unknown command '" + std::string(128, 'x') +
			  "', with args beginning with: 'a' '" + std::string(124, 'x') + "' ");
}

TEST(commands, what_a_server_does_not_take_now)
{
	EXPECT_TRUE(is_of_server("READONLY You can't write"));
	EXPECT_TRUE(is_of_server("NOREPLICAS Not enough"));
	EXPECT_TRUE(is_of_server("MISCONF Errors"));
	EXPECT_TRUE(is_of_server("MASTERDOWN Link"));
	EXPECT_FALSE(is_of_server("WRONGTYPE Operation"));
	EXPECT_FALSE(is_of_server("ERR READONLY x"));
	EXPECT_FALSE(is_of_server(""));
}

TEST(commands, a_limit_for_a_moment)
{
	for (const std::uint64_t each : {1ULL, 2ULL, 64ULL, 65ULL, 1ULL << 30, ~0ULL}) {
		EXPECT_NE(lower_limit(each), 0U) << each;
		EXPECT_NE(lower_limit(each), each);
	}
	EXPECT_EQ(lower_limit(6400), 6300U);
}

TEST(commands, what_holds_while_a_block_runs)
{
	int depth = 1;
	bool runs = false;
	try {
		const during deeper(depth, depth + 1);
		const during now(runs, true);
		EXPECT_EQ(depth, 2);
		EXPECT_TRUE(runs);
		throw std::bad_alloc();
	} catch (const std::bad_alloc &) {
		EXPECT_EQ(depth, 1);
	}
	EXPECT_FALSE(runs);
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
