// SPDX-License-Identifier: Apache-2.0
#include <sdp/address.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <stdexcept>
#include <sys/un.h>
#include <system_error>

namespace {

using sdp::address;
using sdp::ip;

struct text_case {
	const char *in;
	std::uint16_t default_port;
	const char *out;
};

class address_text : public testing::TestWithParam<text_case> {};

TEST_P(address_text, is_read_and_written)
{
	const text_case &each = GetParam();
	EXPECT_EQ(address::parse(each.in, each.default_port).text(), each.out);
}

INSTANTIATE_TEST_SUITE_P(good, address_text,
			 testing::Values(text_case{"10.0.0.1", 0, "10.0.0.1:0"},
					 text_case{"10.0.0.1", 7, "10.0.0.1:7"},
					 text_case{"10.0.0.1:4000", 7, "10.0.0.1:4000"},
					 text_case{"[10.0.0.1]:1", 7, "10.0.0.1:1"},
					 text_case{"::", 0, "[::]:0"},
					 text_case{"fd00::1", 9, "[fd00::1]:9"},
					 text_case{"[fd00::1]", 9, "[fd00::1]:9"},
					 text_case{"[fd00::1]:65535", 9, "[fd00::1]:65535"},
					 text_case{"FD00:0::1", 9, "[fd00::1]:9"},
					 text_case{"fe80::1%lo", 9, "[fe80::1%lo]:9"},
					 text_case{"[fe80::1%1]:2", 9, "[fe80::1%lo]:2"},
					 text_case{"fe80::1%987654", 9, "[fe80::1%987654]:9"},
					 text_case{"::ffff:10.0.0.1", 5, "[::ffff:10.0.0.1]:5"}));

class address_junk : public testing::TestWithParam<const char *> {};

TEST_P(address_junk, is_refused)
{
	EXPECT_THROW(address::parse(GetParam()), std::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(bad, address_junk,
			 testing::Values("", ":", "10.0.0", "10.0.0.1:", "10.0.0.1:x",
					 "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:1 ", "[::1",
					 "[::1]1", "[::1]:", ":::", "fe80::1%", "fe80::1%nosuch0",
					 "host", "host:1", "[]", "::1]:3"));

TEST(address, any)
{
	EXPECT_EQ(address().text(), "0.0.0.0:0");
	EXPECT_EQ(address::any(ip::v6, 80).text(), "[::]:80");
	EXPECT_TRUE(address().is_any());
	EXPECT_TRUE(address::parse("::").is_any());
	EXPECT_TRUE(address::parse("::ffff:0.0.0.0").is_any());
	EXPECT_FALSE(address::parse("::1").is_any());
	EXPECT_FALSE(address::parse("127.0.0.1").is_any());
}

TEST(address, v4_mapped_is_v4)
{
	const address plain = address::parse("192.0.2.7:99");
	const address mapped = address::parse("[::ffff:192.0.2.7]:99");
	EXPECT_EQ(plain, mapped);
	EXPECT_TRUE(mapped.is_mapped());
	EXPECT_FALSE(plain.is_mapped());
	EXPECT_EQ(plain.mapped().text(), mapped.text());
	EXPECT_EQ(mapped.unmapped().text(), plain.text());
	EXPECT_EQ(plain.unmapped().version(), ip::v4);
	EXPECT_EQ(address::parse("fd00::1").unmapped().version(), ip::v6);
}

TEST(address, order_and_port)
{
	const address a = address::parse("10.0.0.1:1");
	EXPECT_NE(a, a.with_port(2));
	EXPECT_LT(a, a.with_port(2));
	EXPECT_LT(a, address::parse("10.0.0.2:1"));
	EXPECT_NE(address::parse("fe80::1%1"), address::parse("fe80::1%2"));
	EXPECT_EQ(a.with_port(2).port(), 2);
	EXPECT_EQ(address::parse("[::1]:3").with_port(4).text(), "[::1]:4");
}

TEST(address, raw_round_trip)
{
	for (const char *text : {"10.1.2.3:4", "[fd00::7]:8", "[fe80::1%lo]:9"}) {
		const address one = address::parse(text);
		EXPECT_EQ(address::from(one.data(), one.size()), one);
	}
	EXPECT_EQ(address::parse("1.2.3.4").size(), sizeof(sockaddr_in));
	EXPECT_EQ(address::parse("::1").size(), sizeof(sockaddr_in6));
}

TEST(address, raw_refuses)
{
	const address v6 = address::parse("::1");
	sockaddr_un other{};
	other.sun_family = AF_UNIX;
	EXPECT_THROW(address::from(v6.data(), sizeof(sockaddr_in)), std::system_error);
	EXPECT_THROW(address::from(v6.data(), 1), std::system_error);
	EXPECT_THROW(address::from(reinterpret_cast<sockaddr *>(&other), sizeof(other)),
		     std::system_error);
}

} // namespace
