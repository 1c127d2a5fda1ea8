// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include "command_reader.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace sdp::redis;

TEST(client, commands_are_read_as_they_were_made)
{
	std::string text;
	append_command(text, {"SET", "k", std::string_view("a\r\n\0b", 5)});
	append_command(text, {"GET", ""});
	command_reader reader;
	reader.give(text);
	ASSERT_EQ(reader.next(), command_reader::found::command);
	EXPECT_EQ(reader.arguments().at(2), std::string_view("a\r\n\0b", 5));
	ASSERT_EQ(reader.next(), command_reader::found::command);
	EXPECT_EQ(reader.arguments().at(1), "");
	EXPECT_EQ(reader.next(), command_reader::found::nothing);
}

class replies : public testing::TestWithParam<std::string_view> {};

TEST_P(replies, have_an_end)
{
	const std::string two = std::string(GetParam()) + "+OK\r\n";
	EXPECT_EQ(reply_length(two), GetParam().size());
	for (std::size_t i = 0; i < GetParam().size(); ++i) {
		EXPECT_EQ(reply_length(GetParam().substr(0, i)), std::nullopt) << i;
	}
}

INSTANTIATE_TEST_SUITE_P(kinds, replies,
			 testing::Values("+OK\r\n", "-ERR x\r\n", ":-1\r\n", "$-1\r\n",
					 "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*-1\r\n", "*0\r\n",
					 "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "_\r\n", "#t\r\n",
					 ",1.5\r\n", "(12345678901234567890\r\n", "=5\r\ntxt:a\r\n",
					 "!3\r\nERR\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n",
					 "%2\r\n+a\r\n:1\r\n+b\r\n*0\r\n",
					 "|1\r\n+a\r\n+b\r\n:7\r\n"));

TEST(client, what_is_no_reply)
{
	for (const std::string_view text :
	     {"x\r\n", "\r\n", "$x\r\n", "$-2\r\n", "$1x\r\n", "*9999999999999\r\n", "$\r\n"}) {
		EXPECT_THROW(static_cast<void>(reply_length(text)), std::invalid_argument) << text;
	}
}

TEST(client, a_connection_that_has_failed_has_another_number_then)
{
	// Nobody is there, or there is no SDP.
	client nowhere("127.0.0.1:4000", sdp::clear_for_tests(),
		       {.timeout = std::chrono::milliseconds(100)});
	client_connection one = nowhere.connect();
	client_connection other = nowhere.connect();
	for (int i = 0; i < 2; ++i) {
		const std::uint32_t before = one.number();
		EXPECT_FALSE(one.execute("PING\r\n"));
		EXPECT_NE(one.number(), before);
		EXPECT_NE(one.number(), other.number());
		EXPECT_FALSE(one.is_open());
	}
}

} // namespace
