// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/steering.hpp"
#include <gtest/gtest.h>

namespace {

using cx::be16;

Bytes from_hex(const std::string &text)
{
	Bytes bytes;
	for (size_t i = 0; i + 1 < text.size(); i += 2)
		bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
	return bytes;
}

// The key and values that Microsoft publishes for receive-side scaling.
const Bytes rss_key = from_hex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b4"
			       "77cb2da38030f20c6a42b73bbeac01fa");

Bytes ethernet(const std::string &to, uint16_t type)
{
	Bytes frame = from_hex(to + "02c0de000001");
	put(frame, type, 2);
	return frame;
}

Bytes ipv4(uint8_t protocol, uint32_t from, uint32_t to, uint16_t source, uint16_t port)
{
	auto frame = ethernet("02c0de000002", 0x0800);
	const auto header = from_hex("4500003000010000400000000000000000000000");
	frame.insert(frame.end(), header.begin(), header.end());
	frame[14 + 9] = protocol;
	set(frame, 14 + 12, from, 4);
	set(frame, 14 + 16, to, 4);
	put(frame, source, 2);
	put(frame, port, 2);
	frame.resize(14 + 0x30);
	frame[14 + 20 + 12] = 0x50;
	return frame;
}

TEST(Toeplitz, PublishedValues)
{
	struct {
		uint32_t to, from;
		uint16_t port, source;
		uint32_t addresses, all;
	} const cases[] = {
		{0xa18e6450, 0x420995bb, 1766, 2794, 0x323e8fc2, 0x51ccc178},
	};
	cx::Tir tir;
	tir.toeplitz = true;
	std::copy(rss_key.begin(), rss_key.end(), tir.key.begin());
	const auto &one = cases[0];
	// 66.9.149.187:2794 to 161.142.100.80:1766
	const auto frame = ipv4(6, one.from, one.to, one.source, one.port);
	tir.fields = 3;
	EXPECT_EQ(cx::flow_hash(tir, frame), one.addresses);
	tir.fields = 15;
	EXPECT_EQ(cx::flow_hash(tir, frame), one.all);
	tir.udp = true;
	EXPECT_FALSE(cx::flow_hash(tir, frame)) << "TCP is not UDP";
	tir.udp = false;
	tir.ipv6 = true;
	EXPECT_FALSE(cx::flow_hash(tir, frame)) << "IPv4 is not IPv6";
}

struct Tables : testing::Test {
	cx::Report report{"test"};
	cx::Steering steering{report};

	cx::FlowGroup &group(uint32_t table, uint32_t number)
	{
		auto &made = steering.tables[table].groups[number];
		made.last = 9;
		return made;
	}
	static void match(cx::FlowGroup &group, cx::Field field, uint64_t value, uint32_t index,
			  std::vector<cx::FlowDestination> to)
	{
		set_field(group.mask, field, ~0ull);
		set_field(group.entries[index].value, field, value);
		group.entries[index].to = std::move(to);
	}
};

#define OUTER(field) FIELD(fte_match_param, outer_headers.field)
constexpr auto to_tir = cx::FlowDestination::To::tir, to_table = cx::FlowDestination::To::table;

TEST_F(Tables, NothingWithoutARoot)
{
	EXPECT_TRUE(steering.receivers(ipv4(6, 1, 2, 3, 4)).empty());
}

TEST_F(Tables, AnotherAddressGoesNowhere)
{
	steering.root = 1;
	match(group(1, 1), OUTER(dmac_15_0), 0x0002, 0, {{to_tir, 7}});
	auto frame = ipv4(6, 1, 2, 3, 4);
	EXPECT_EQ(steering.receivers(frame), std::vector<uint32_t>{7});
	frame[5] = 3;
	EXPECT_TRUE(steering.receivers(frame).empty());
}

TEST_F(Tables, AMissGoesOnToTheNextTable)
{
	steering.root = 1;
	match(group(1, 1), OUTER(ethertype), 0x86dd, 0, {{to_tir, 7}});
	match(group(2, 2), OUTER(tcp_dport), 4, 0, {{to_tir, 8}});
	const auto frame = ipv4(6, 1, 2, 3, 4);
	EXPECT_TRUE(steering.receivers(frame).empty());
	steering.tables[1].on_miss = 2;
	EXPECT_EQ(steering.receivers(frame), std::vector<uint32_t>{8});
	EXPECT_TRUE(steering.receivers(ipv4(17, 1, 2, 3, 4)).empty()) << "UDP has no TCP port";
}

TEST_F(Tables, EachReceiverOnce)
{
	steering.root = 1;
	match(group(1, 1), OUTER(ip_version), 4, 0, {{to_tir, 7}, {to_tir, 8}, {to_table, 2}});
	match(group(2, 2), OUTER(ip_protocol), 146, 0, {{to_tir, 7}, {to_tir, 9}});
	EXPECT_EQ(steering.receivers(ipv4(146, 1, 2, 3, 4)), (std::vector<uint32_t>{7, 8, 9}));
}

TEST_F(Tables, TheLowestIndexWins)
{
	steering.root = 1;
	match(group(1, 1), OUTER(ip_version), 4, 5, {{to_tir, 7}});
	match(group(1, 2), OUTER(ip_protocol), 6, 3, {{to_tir, 8}});
	EXPECT_EQ(steering.receivers(ipv4(6, 1, 2, 3, 4)), std::vector<uint32_t>{8});
}

TEST_F(Tables, ATagIsMatched)
{
	steering.root = 1;
	auto &tagged = group(1, 1);
	match(tagged, OUTER(cvlan_tag), 1, 0, {{to_tir, 7}});
	match(tagged, OUTER(first_vid), 7, 0, {{to_tir, 7}});
	auto frame = ipv4(6, 1, 2, 3, 4);
	EXPECT_TRUE(steering.receivers(frame).empty());
	const auto tag = from_hex("81000007");
	frame.insert(frame.begin() + 12, tag.begin(), tag.end());
	EXPECT_EQ(steering.receivers(frame), std::vector<uint32_t>{7});
	frame[15] = 8;
	EXPECT_TRUE(steering.receivers(frame).empty());
}

TEST_F(Tables, AWayWithoutEndIsReported)
{
	steering.root = 1;
	steering.tables[1].on_miss = 2;
	steering.tables[2].on_miss = 1;
	EXPECT_TRUE(steering.receivers(ipv4(6, 1, 2, 3, 4)).empty());
	EXPECT_EQ(report.faults(), 1U);
}

TEST_F(Tables, MatchesOfOtherFieldsAreRefused)
{
	cx::Match mask{};
	set_field(mask, OUTER(dmac_47_16), ~0ull);
	EXPECT_EQ(cx::Steering::unsupported(mask), "");
	set_field(mask, FIELD(fte_match_param, inner_headers.ip_protocol), 255);
	EXPECT_NE(cx::Steering::unsupported(mask), "");
}

TEST_F(Tables, FramesOfAnyLengthAreSafe)
{
	steering.root = 1;
	match(group(1, 1), OUTER(ip_protocol), 6, 0, {{to_tir, 7}});
	cx::Tir tir;
	tir.fields = 15;
	for (auto frame : {ipv4(6, 1, 2, 3, 4), ipv4(17, 1, 2, 3, 4)})
		while (!frame.empty()) {
			frame.pop_back();
			(void)steering.receivers(frame);
			(void)cx::flow_hash(tir, frame);
		}
}

} // namespace
