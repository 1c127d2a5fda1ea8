// SPDX-License-Identifier: Apache-2.0
// The tool's pure functions, on text as the kernel and other programs wrote it.
#include "bench.hpp"
#include "checks.hpp"
#include "output.hpp"
#include "ping.hpp"
#include "probe.hpp"
#include "proc.hpp"
#include "redis_proxy.hpp"
#include "show.hpp"
#include "stats.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>

namespace {

using tool::verdict;

const std::string sessions_text =
	"id local peer role cipher ... sealed-by driver\n"
	"1f00ba11 10.0.0.1:32770 10.0.0.2:4000 client 0x1301 record=16256 tx_epoch=3 rx_epoch=2 "
	"tx=17 left=16777199 rx=16 failed=1 silent_ms=40 state=present cpu generic-gcm-aesni\n"
	"00000007 [::]:4000 [fd00::1]:32771 server 0x1303 record=4000 tx_epoch=0 rx_epoch=0 tx=0 "
	"rx=0 failed=0 silent_ms=9 state=pending copy-unnoticed nic "
	"rfc7539(chacha20-simd,poly1305-simd)\n";

TEST(tool_proc, sessions)
{
	const auto sessions = tool::parse_sessions(sessions_text);
	ASSERT_EQ(sessions.size(), 2U);
	EXPECT_EQ(sessions[0].id, "1f00ba11");
	EXPECT_EQ(sessions[0].peer, "10.0.0.2:4000");
	EXPECT_EQ(sessions[0].cipher, 0x1301);
	EXPECT_EQ(sessions[0].tx_epoch, 3U);
	EXPECT_EQ(sessions[0].left, 16777199U);
	EXPECT_EQ(sessions[0].driver, "generic-gcm-aesni");
	EXPECT_FALSE(sessions[0].nic);
	EXPECT_FALSE(sessions[0].copy_unnoticed);
	// An older module does not say how many are left.
	EXPECT_FALSE(sessions[1].has_left);
	EXPECT_TRUE(sessions[1].nic);
	EXPECT_TRUE(sessions[1].copy_unnoticed);
	EXPECT_EQ(sessions[1].state, "pending");
	EXPECT_EQ(sessions[1].driver, "rfc7539(chacha20-simd,poly1305-simd)");
}

TEST(tool_proc, a_session_whose_cipher_has_no_driver_name)
{
	const auto sessions = tool::parse_sessions(
		"heading\n1 a:1 b:2 client 0x1302 state=present copy-unnoticed cpu \n");
	ASSERT_EQ(sessions.size(), 1U);
	EXPECT_EQ(sessions[0].driver, "");
}

TEST(tool_proc, sockets)
{
	const auto sockets = tool::parse_sockets(
		"uid inode local policy role ...\n"
		"1000 8123 0.0.0.0:4000 secure server rpcs=3 ready=1 rmem=4096/33554432 "
		"wmem=0/33554432\n"
		"0 8124 [::]:32768 clear client rpcs=0 ready=0 rmem=0/1 wmem=2/3 region=10/20 "
		"device=7 new=5\n"
		"0 8125 cut\n");
	ASSERT_EQ(sockets.size(), 2U);
	EXPECT_EQ(sockets[0].uid, 1000U);
	EXPECT_EQ(sockets[0].policy, "secure");
	EXPECT_EQ(sockets[0].receive.used, 4096U);
	EXPECT_EQ(sockets[0].receive.limit, 33554432U);
	EXPECT_EQ(sockets[0].region.limit, 0U);
	EXPECT_EQ(sockets[1].region.used, 10U);
	EXPECT_EQ(sockets[1].region.limit, 20U);
	EXPECT_EQ(sockets[0].device, 0U);
	EXPECT_EQ(sockets[1].device, 7U);
}

TEST(tool_proc, rpcs)
{
	const auto rpcs = tool::parse_rpcs(
		"id role port peer ...\n"
		"18446744073709551614 client 32768 10.0.0.2:4000 tx=100/200/300 prio=5 rx=0/0/-1 "
		"gaps=0/0 session=0000002a local=10.0.0.1:32768 private ready\n"
		"7 server 4000 [fd00::2]:5 tx=0/0/-1 prio=0 rx=1/1/1 gaps=0/0\n");
	ASSERT_EQ(rpcs.size(), 2U);
	EXPECT_EQ(rpcs[0].local, "10.0.0.1:32768");
	// As modules of before have it.
	EXPECT_EQ(rpcs[1].local, "");
	EXPECT_EQ(rpcs[0].id, 18446744073709551614U);
	EXPECT_EQ(rpcs[0].send.granted, 200);
	EXPECT_EQ(rpcs[0].receive.length, -1);
	EXPECT_EQ(rpcs[0].session, "0000002a");
	EXPECT_TRUE(rpcs[0].ready);
}

TEST(tool_proc, nothing_but_a_heading)
{
	EXPECT_TRUE(tool::parse_rpcs("").empty());
	EXPECT_TRUE(tool::parse_sockets("uid inode local policy role ...\n").empty());
}

TEST(tool_proc, numbers)
{
	EXPECT_EQ(tool::number("18446744073709551615"), 18446744073709551615U);
	for (const char *none : {"", "-1", "1x", " 1", "18446744073709551616"}) {
		EXPECT_EQ(tool::number(none, 7), 7U) << none;
	}
}

TEST(tool_proc, hosts)
{
	EXPECT_EQ(tool::host_of("10.0.0.1:4000"), "10.0.0.1");
	EXPECT_EQ(tool::host_of("[fd00::1]:4000"), "fd00::1");
}

TEST(tool_proc, sockets_of_all_users)
{
	EXPECT_EQ(tool::count_sockets("protocol  size sockets  memory press maxhdr\n"
				      "SDPv6     2240      1       0   no       0\n"
				      "SDP       2176     12       0   no       0\n"
				      "UDP       1344      5       2   NI       0\n"),
		  13U);
}

TEST(tool_show, hidden_entries_are_hinted_at)
{
	EXPECT_EQ(tool::hidden_hint(3, 3, "sockets"), "");
	EXPECT_EQ(tool::hidden_hint(2, 3, "sockets"), "");
	EXPECT_EQ(tool::hidden_hint(3, 1, "sockets").substr(0, 14), "2 more sockets");
}

TEST(tool_show, ciphers_have_names_and_seals_an_owner)
{
	const auto all = tool::sessions_table(tool::parse_sessions(sessions_text));
	const std::string text = tool::to_json(all);
	EXPECT_NE(text.find(R"("cipher": "aes-128-gcm", "sealed-by": "CPU")"), std::string::npos);
	EXPECT_NE(text.find(R"("cipher": "chacha20-poly1305", "sealed-by": "NIC")"),
		  std::string::npos);
	EXPECT_NE(text.find(R"("left": 16777199)"), std::string::npos);
	EXPECT_NE(text.find(R"("left": "")"), std::string::npos);
}

TEST(tool_show, rpcs_have_an_address_of_ours)
{
	const auto rpcs = tool::parse_rpcs("heading\n"
					   "2 client 32768 10.0.0.2:4000 tx=1/2/10 rx=0/0/-1 "
					   "local=10.0.0.1:32768\n");
	const std::string text = tool::to_json(tool::rpcs_table(rpcs));
	EXPECT_NE(text.find(R"("local": "10.0.0.1:32768")"), std::string::npos) << text;
}

TEST(tool_show, peers_are_summed_up)
{
	const auto rpcs = tool::parse_rpcs("heading\n"
					   "2 client 32768 10.0.0.2:4000 tx=1/2/10 rx=0/0/-1\n"
					   "4 client 32769 10.0.0.2:4001 tx=10/10/10 rx=5/9/25\n"
					   "7 server 4000 10.0.0.9:5 tx=0/0/-1 rx=1/1/1\n");
	const auto peers = tool::peers_table(tool::parse_sessions(sessions_text), rpcs);
	ASSERT_EQ(peers.rows.size(), 3U);
	EXPECT_EQ(
		tool::to_json(peers).find(
			R"([{"peer": "10.0.0.2", "sessions": 1, "requests-to": 2, )"
			R"("requests-from": 0, "bytes-to": 9, "bytes-from": 20, "silent-ms": 40},)"),
		0U);
}

TEST(tool_stats, growth)
{
	const auto grown = tool::growth({{"a", 5}, {"b", 9}}, {{"a", 7}, {"b", 2}, {"c", 1}});
	EXPECT_EQ(grown, (tool::counters{{"a", 2}, {"b", 2}, {"c", 1}}));
}

TEST(tool_stats, some_by_name)
{
	const tool::counters all{{"tx_data", 1}, {"tx_ack", 0}, {"rx_data", 2}};
	EXPECT_EQ(tool::chosen(all, {}, false), (tool::counters{{"tx_data", 1}, {"rx_data", 2}}));
	EXPECT_EQ(tool::chosen(all, {"tx_*"}, true),
		  (tool::counters{{"tx_data", 1}, {"tx_ack", 0}}));
	EXPECT_TRUE(tool::chosen(all, {"data"}, true).empty());
}

TEST(redis_proxy, paths_and_addresses_that_are_none)
{
	EXPECT_THROW(static_cast<void>(tool::listen_on_path("")), tool::usage_error);
	EXPECT_THROW(static_cast<void>(tool::listen_on_path(std::string(200, 'p'))),
		     tool::usage_error);
	for (const char *bad : {"", "127.0.0.1", "10.0.0.1:6379", "[::]:6379"}) {
		EXPECT_THROW(static_cast<void>(tool::listen_on_loopback(bad)), tool::usage_error)
			<< bad;
	}
}

TEST(tool_output, json_strings)
{
	EXPECT_EQ(tool::in_quotes("a\"\\\n\x01"), R"("a\"\\\u000a\u0001")");
	EXPECT_EQ(tool::in_quotes("\xc3\xa9"), "\"\xc3\xa9\"");
	// Cut, overlong, surrogate, and beyond the last code point.
	for (const char *bad : {"\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
		EXPECT_EQ(tool::in_quotes(bad).substr(0, 7), R"("\ufffd)") << bad;
	}
}

TEST(tool_output, json_values)
{
	EXPECT_EQ(tool::to_json(tool::record{{"a", std::uint64_t(18446744073709551615U)},
					     {"b", 1.5},
					     {"c", true},
					     {"d", std::string("x")}}),
		  R"({"a": 18446744073709551615, "b": 1.500, "c": true, "d": "x"})");
	EXPECT_EQ(tool::to_json(tool::cell(std::numeric_limits<double>::infinity())), "null");
}

TEST(tool_output, columns_line_up)
{
	std::ostringstream out;
	tool::print(out, {},
		    tool::table{.columns = {"name", "n"},
				.rows = {{std::string("a"), std::uint64_t(100)},
					 {std::string("longer"), std::uint64_t(7)}}});
	EXPECT_EQ(out.str(), "name      n\na       100\nlonger    7\n");
}

TEST(tool_output, what_a_terminal_would_obey_is_not_printed)
{
	std::ostringstream out;
	tool::print(out, {}, tool::table{.columns = {"name"}, .rows = {{std::string("\033[2J")}}});
	EXPECT_EQ(out.str(), "name\n?[2J\n");
}

TEST(tool_output, colour_is_for_terminals)
{
	EXPECT_TRUE(tool::wants_colour(true, nullptr, "xterm"));
	EXPECT_TRUE(tool::wants_colour(true, "", "xterm"));
	EXPECT_FALSE(tool::wants_colour(true, "1", "xterm"));
	EXPECT_FALSE(tool::wants_colour(false, nullptr, "xterm"));
	EXPECT_FALSE(tool::wants_colour(true, nullptr, "dumb"));
	EXPECT_FALSE(tool::wants_colour(true, nullptr, nullptr));
	EXPECT_EQ(tool::paint({}, tool::hue::bad, "x"), "x");
	EXPECT_EQ(tool::paint({.json = false, .colour = true}, tool::hue::bad, "x"),
		  "\033[31mx\033[0m");
}

const tool::probe some{.from = 0x8001, .to = 4000, .id = 0x0102030405060708};

std::vector<std::byte> answer_to(const tool::probe &of)
{
	const auto knock = tool::make_knock({.from = of.to, .to = of.from, .id = of.id | 1});
	std::vector<std::byte> answer(knock.begin(), knock.end());
	answer[11] = std::byte{0x13};
	return answer;
}

TEST(tool_probe, the_question_is_a_resend_of_everything)
{
	const auto packet = tool::make_question(some);
	const std::vector<int> wanted{0x80, 0x01, 0x0f, 0xa0, 0,    0,    0, 0, 0,    0,
				      0,    0x12, 0x50, 6,    0,    0,    0, 0, 0xb9, 0x7d,
				      1,    2,    3,    4,    5,    6,    7, 8, 0,    0,
				      0,    0,    0xff, 0xff, 0xff, 0xff, 7};
	ASSERT_EQ(packet.size(), wanted.size());
	for (std::size_t i = 0; i < packet.size(); ++i) {
		EXPECT_EQ(std::to_integer<int>(packet.at(i)), wanted[i]) << i;
	}
}

TEST(tool_probe, only_its_answer_is_one)
{
	const auto answer = answer_to(some);
	EXPECT_TRUE(tool::is_answer(answer, some));
	for (const std::size_t at : {0U, 2U, 11U, 20U, 27U}) {
		auto other = answer;
		other[at] ^= std::byte{0x40};
		EXPECT_FALSE(tool::is_answer(other, some)) << at;
	}
	for (std::size_t length = 0; length < answer.size(); ++length) {
		EXPECT_FALSE(tool::is_answer(std::span(answer).first(length), some));
	}
	// What was sent is no answer, though loopback brings it here.
	EXPECT_FALSE(tool::is_answer(tool::make_question(some), some));
}

TEST(tool_probe, errors_are_told_apart_by_ports)
{
	const auto knock = tool::make_knock(some);
	EXPECT_TRUE(tool::is_about(knock, some));
	EXPECT_FALSE(tool::is_about(knock, {.from = 0x8002, .to = 4000, .id = some.id}));
	EXPECT_FALSE(tool::is_about(std::span(knock).first(3), some));
}

TEST(tool_probe, headers_of_ipv4)
{
	std::vector<std::byte> packet(24);
	packet[0] = std::byte{0x46};
	EXPECT_EQ(tool::after_ipv4(packet).size(), 0U);
	packet.resize(30);
	EXPECT_EQ(tool::after_ipv4(packet).size(), 6U);
	for (const int bad : {0x44, 0x4f, 0x65, 0}) {
		packet[0] = static_cast<std::byte>(bad);
		EXPECT_TRUE(tool::after_ipv4(packet).empty()) << bad;
	}
	EXPECT_TRUE(tool::after_ipv4(std::span(packet).first(19)).empty());
}

TEST(tool_ping, counts)
{
	tool::tally counted;
	EXPECT_EQ(counted.text(), "0 sent, 0 answered, 0 % lost");
	for (const double time : {3.0, 1.0, 2.0}) {
		counted.add({.milliseconds = time, .said = {}});
	}
	counted.add({.milliseconds = {}, .said = "no socket"});
	EXPECT_EQ(counted.text(),
		  "4 sent, 3 answered, 25 % lost, min/avg/max 1.000/2.000/3.000 ms");
	EXPECT_EQ(counted.answered(), 3U);
}

TEST(tool_ping, refusals_have_sentences)
{
	EXPECT_EQ(tool::refusal(ECONNREFUSED, 4000), "no socket at port 4000");
	EXPECT_NE(tool::refusal(ENOPROTOOPT, 1).find("module"), std::string::npos);
}

TEST(tool_bench, quantiles)
{
	EXPECT_EQ(tool::quantile({}, 0.5), 0);
	const std::vector<double> values{1, 2, 3, 4};
	EXPECT_EQ(tool::quantile(values, 0), 1);
	EXPECT_EQ(tool::quantile(values, 0.5), 2);
	EXPECT_EQ(tool::quantile(values, 0.99), 4);
	EXPECT_EQ(tool::to_json(tool::describe_rate(1000, 500, 2)),
		  R"({"rpcs": 1000, "rpcs_per_s": 500.000, "mbyte_per_s_each_way": 0.250})");
}

} // namespace
