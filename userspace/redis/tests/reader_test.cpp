// SPDX-License-Identifier: Apache-2.0
#include "command_reader.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/** The sanitizer's; its header is not in all packages of the compiler. */
extern "C" std::size_t
__sanitizer_get_current_allocated_bytes(); // NOLINT(bugprone-reserved-identifier,cert-dcl*)

namespace {

using sdp::redis::command_reader;
using sdp::redis::reader_limits;
using found = command_reader::found;
using commands = std::vector<std::vector<std::string>>;

struct outcome {
	commands all;
	std::string error;
	std::size_t unread = 0;
	friend bool operator==(const outcome &, const outcome &) = default;
};

/** Reads @p text in pieces of @p size bytes; each lives as long as it has to and no longer. */
outcome read(std::string_view text, std::size_t size, const reader_limits &limits = {})
{
	command_reader reader(limits);
	outcome got;
	for (std::size_t at = 0; at < text.size() || at == 0; at += size) {
		const std::string_view part = text.substr(at, size);
		const auto piece = std::make_unique<char[]>(part.size());
		part.copy(piece.get(), part.size());
		reader.give({piece.get(), part.size()});
		for (;;) {
			const found what = reader.next();
			if (what == found::error) {
				got.error = reader.error();
				got.unread = 0;
				return got;
			}
			if (what == found::nothing) {
				break;
			}
			got.all.emplace_back(reader.arguments().begin(), reader.arguments().end());
		}
		got.unread = reader.unread();
		reader.keep();
	}
	return got;
}

outcome read(std::string_view text)
{
	return read(text, text.size() + 1);
}

std::string bulk(std::string_view text)
{
	return '$' + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

struct good_case {
	std::string_view text;
	commands wanted;
};

class good : public testing::TestWithParam<good_case> {};

TEST_P(good, is_read_whole_and_in_pieces)
{
	const good_case &c = GetParam();
	for (std::size_t size = 1; size <= c.text.size(); ++size) {
		const outcome got = read(c.text, size);
		EXPECT_EQ(got.all, c.wanted) << "pieces of " << size;
		EXPECT_EQ(got.error, "");
		EXPECT_EQ(got.unread, 0U);
	}
}

INSTANTIATE_TEST_SUITE_P(
	commands, good,
	testing::Values(good_case{"*1\r\n$4\r\nPING\r\n", {{"PING"}}},
			good_case{"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n",
				  {{"GET", "k"}, {"PING"}}},
			good_case{"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", {{"GET", ""}}},
			good_case{"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\r\n\r\n",
				  {{"SET", "k", "\r\n\r\n"}}},
			good_case{std::string_view("*1\r\n$3\r\na\0b\r\n", 13),
				  {{std::string("a\0b", 3)}}},
			good_case{"*0\r\n*-1\r\n*-10\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}}},
			good_case{"PING\r\n", {{"PING"}}}, good_case{"PING\n", {{"PING"}}},
			good_case{"\r\n\r\n PING \r\n", {{"PING"}}},
			good_case{"set a \"b c\\n\\x41\\\"\" 'd\\'\\n'\r\n",
				  {{"set", "a", "b c\nA\"", "d'\\n"}}},
			good_case{"set a \"\"\r\n", {{"set", "a", ""}}},
			good_case{"get \"\\xzz\\q\"\r\n", {{"get", "xzzq"}}},
			good_case{"PING\r\n*1\r\n$4\r\nPING\r\n", {{"PING"}, {"PING"}}}));

struct bad_command {
	std::string_view text, wanted;
};

class bad : public testing::TestWithParam<bad_command> {};

TEST_P(bad, is_refused_whole_and_in_pieces)
{
	const bad_command &c = GetParam();
	for (std::size_t size = 1; size <= c.text.size(); ++size) {
		EXPECT_EQ(read(c.text, size).error, "Protocol error: " + std::string(c.wanted))
			<< "pieces of " << size;
	}
}

INSTANTIATE_TEST_SUITE_P(
	bytes, bad,
	testing::Values(
		bad_command{"*x\r\n", "invalid multibulk length"},
		bad_command{"*\r\n", "invalid multibulk length"},
		bad_command{"*+1\r\n", "invalid multibulk length"},
		bad_command{"*01\r\n", "invalid multibulk length"},
		bad_command{"*1 \r\n", "invalid multibulk length"},
		bad_command{"*-0\r\n", "invalid multibulk length"},
		bad_command{"*--1\r\n", "invalid multibulk length"},
		bad_command{"*-02\r\n", "invalid multibulk length"},
		bad_command{"*-\r\n", "invalid multibulk length"},
		bad_command{"*1\r\n$-10\r\n", "invalid bulk length"},
		bad_command{"*1048577\r\n", "invalid multibulk length"},
		bad_command{"*99999999999999999\r\n", "invalid multibulk length"},
		bad_command{"*1111111111111111111111111111111111", "too big mbulk count string"},
		bad_command{"*1\n", "expected CRLF"},
		bad_command{"*1\r\nPING\r\n", "expected '$', got 'P'"},
		bad_command{"*1\r\n\x01", "expected '$', got '?'"},
		bad_command{"*1\r\n$-1\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$x\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$04\r\nPING\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$4294967295\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$18446744073709551615\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$67108865\r\n", "invalid bulk length"},
		bad_command{"*1\r\n$11111111111111111111111111111", "too big bulk count string"},
		bad_command{"*1\r\n$4\r\nPINGxx", "expected CRLF"},
		bad_command{"*1\r\n$4\r\nPING\nx", "expected CRLF"},
		bad_command{"get \"a\r\n", "unbalanced quotes in request"},
		bad_command{"get \"a\"b\r\n", "unbalanced quotes in request"},
		bad_command{"get 'a\r\n", "unbalanced quotes in request"},
		bad_command{"get \"a\\\r\n", "unbalanced quotes in request"}));

TEST(reader, an_error_is_the_end)
{
	command_reader reader;
	reader.give("*x\r\nPING\r\n");
	EXPECT_EQ(reader.next(), found::error);
	EXPECT_EQ(reader.next(), found::error);
}

TEST(reader, what_came_before_an_error_is_read)
{
	const outcome got = read("PING\r\n*x\r\n");
	EXPECT_EQ(got.all, (commands{{"PING"}}));
	EXPECT_EQ(got.error, "Protocol error: invalid multibulk length");
}

TEST(reader, an_inline_command_has_a_limit)
{
	const reader_limits limits{.most_inline = 8};
	EXPECT_EQ(read("123456 89\n", 100, limits).error, "Protocol error: too big inline request");
	EXPECT_EQ(read("123456 8x", 100, limits).error, "Protocol error: too big inline request");
	EXPECT_EQ(read("123456 8\n", 100, limits).all, (commands{{"123456", "8"}}));
}

TEST(reader, a_command_has_a_limit)
{
	const reader_limits limits{.most_arguments = 3, .most_command = 32};
	EXPECT_EQ(read("*4\r\n", 100, limits).error, "Protocol error: invalid multibulk length");
	EXPECT_EQ(read("*1\r\n$100\r\n", 100, limits).error, "Protocol error: invalid bulk length");
	EXPECT_EQ(read("*3\r\n" + bulk("1234567890") + bulk("1234567890") + "$9\r\n", 7, limits)
			  .error,
		  "Protocol error: invalid bulk length");
}

TEST(reader, an_unfinished_command_is_counted_and_nothing_else_is_kept)
{
	command_reader reader;
	reader.give("PING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab");
	EXPECT_EQ(reader.next(), found::command);
	EXPECT_EQ(reader.next(), found::nothing);
	EXPECT_EQ(reader.unread(), 19U);
	reader.keep();
	EXPECT_GE(reader.held(), 19U);
	reader.give("cde\r\n");
	EXPECT_EQ(reader.next(), found::command);
	EXPECT_EQ(reader.arguments().at(1), "abcde");
	reader.keep();
	EXPECT_LT(reader.held(), 16U);
	reader.give("*2\r\n");
	EXPECT_EQ(reader.next(), found::nothing);
	reader.clear();
	reader.give("PING\r\n");
	EXPECT_EQ(reader.next(), found::command);
}

/** A stream of commands that are mostly right, as the same pieces by different readers. */
TEST(reader, damaged_streams_are_read_alike_in_any_pieces)
{
	std::mt19937 random(7); // NOLINT: the same each time
	const auto below = [&](std::size_t most) { return random() % most; };
	const reader_limits limits{.most_arguments = 16, .most_inline = 64, .most_command = 256};
	for (int round = 0; round < 3000; ++round) {
		std::string text;
		for (std::size_t i = 0; i < 1 + below(4); ++i) {
			const std::size_t count = below(5);
			text += '*' + std::to_string(count) + "\r\n";
			for (std::size_t j = 0; j < count; ++j) {
				text += bulk(std::string(below(20), static_cast<char>(below(256))));
			}
		}
		for (std::size_t i = below(4); i > 0 && !text.empty(); --i) {
			const std::size_t at = below(text.size());
			switch (below(3)) {
			case 0:
				text[at] = static_cast<char>(below(256));
				break;
			case 1:
				text.erase(at, 1 + below(3));
				break;
			default:
				text.insert(at, 1, "*$\r\n0-9\"'\\"[below(10)]);
				break;
			}
		}
		const outcome whole = read(text, text.size() + 1, limits);
		for (const std::size_t size : {std::size_t{1}, std::size_t{2}, 1 + below(30)}) {
			ASSERT_EQ(read(text, size, limits), whole)
				<< "pieces of " << size << " of " << testing::PrintToString(text);
		}
	}
}

// What held() does not count is not kept: many connections may each have sent a long command once.
TEST(reader, keeps_nothing_of_a_command_that_was_read)
{
	std::string many = "*20000\r\n";
	for (int i = 0; i < 20000; ++i) {
		many += "$0\r\n\r\n";
	}
	const std::string padded = std::string(30000, ' ').replace(0, 4, "PING");
	std::string inline_one = padded;
	for (std::size_t i = 5; i < inline_one.size(); i += 2) {
		inline_one[i] = 'x';
	}
	inline_one += "\r\n";
	for (const std::string &text : {many, inline_one, many + "*2\r\n$4\r\nECHO"}) {
		command_reader reader;
		const std::size_t before = __sanitizer_get_current_allocated_bytes();
		reader.give(text);
		ASSERT_EQ(reader.next(), found::command);
		ASSERT_EQ(reader.next(), found::nothing);
		reader.keep();
		EXPECT_LE(__sanitizer_get_current_allocated_bytes() - before, reader.held() + 4096);
	}
}

} // namespace
