// SPDX-License-Identifier: Apache-2.0
// Library and module of different versions; ports and names that make no sense.
#include "fake_kernel.hpp"

#include <sdp/sdp.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <system_error>

namespace {

class versions : public fake_kernel {};

TEST_F(versions, are_told)
{
	EXPECT_EQ(std::string(sdp::version()).find("0."), 0U);
	EXPECT_EQ(sdp::interface_version(), 2U);
	EXPECT_EQ(sdp::loaded_module().interface, 2U);
}

TEST_F(versions, a_newer_module_fits)
{
	kernel_.interface = 3;
	EXPECT_NO_THROW(sdp::socket{sdp::ip::v4});
}

TEST_F(versions, an_older_module_is_refused_with_both_versions)
{
	for (const std::uint32_t each : {0U, 1U}) {
		kernel_.interface = each;
		EXPECT_EQ(sdp::loaded_module().interface, each);
		try {
			const sdp::socket socket(sdp::ip::v4);
			FAIL() << each;
		} catch (const std::system_error &error) {
			const std::string text = error.what();
			EXPECT_EQ(error.code(), std::errc::operation_not_supported);
			EXPECT_NE(text.find("speaks version " + std::to_string(each)),
				  std::string::npos);
			EXPECT_NE(text.find("needs 2"), std::string::npos);
		}
	}
}

TEST_F(versions, ports_of_servers)
{
	sdp::socket socket(sdp::ip::v4);
	try {
		socket.bind(sdp::address::parse("127.0.0.1:40000"));
		FAIL();
	} catch (const std::system_error &error) {
		EXPECT_EQ(error.code(), std::errc::invalid_argument);
		EXPECT_NE(std::string(error.what()).find("1 to 32767"), std::string::npos);
	}
}

TEST_F(versions, a_missing_port_is_missed)
{
	const auto place = sdp::address::parse("127.0.0.1");
	EXPECT_THROW(sdp::client{place}, std::invalid_argument);
	EXPECT_THROW(sdp::server{place}, std::invalid_argument);
	const auto shared = sdp::secret::random();
	EXPECT_THROW((sdp::client{place, shared}), std::invalid_argument);
	EXPECT_THROW((sdp::server{place, shared}), std::invalid_argument);
}

TEST(names_of_hosts, are_resolved)
{
	const auto place = sdp::address::resolve("localhost:4000");
	EXPECT_EQ(place.port(), 4000);
	EXPECT_TRUE(place == sdp::address::parse("127.0.0.1:4000") ||
		    place == sdp::address::parse("[::1]:4000"));
	EXPECT_EQ(sdp::address::resolve("localhost", 7).port(), 7);
	EXPECT_EQ(sdp::address::resolve("[fd00::1]:4000").text(), "[fd00::1]:4000");
}

TEST(names_of_hosts, nonsense_is_no_name)
{
	for (const char *bad : {"", ":4000", "10.0.0.1:x", "10.0.0.1:99999", "[::1", "1.2.3",
				"name.invalid:1", "localhost:99999"}) {
		EXPECT_THROW(sdp::address::resolve(bad), std::invalid_argument) << bad;
	}
}

} // namespace
