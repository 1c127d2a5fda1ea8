// SPDX-License-Identifier: Apache-2.0
#include <sdp/error.hpp>
#include <sdp/result.hpp>
#include <sdp/status.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <string>

namespace {

using sdp::executed;
using sdp::failure;
using sdp::result;
using sdp::status;

const failure late{executed::unknown, sdp::make_code(ETIMEDOUT), "why"};

TEST(result, a_value)
{
	result<std::unique_ptr<int>> one = std::make_unique<int>(3);
	ASSERT_TRUE(one);
	EXPECT_EQ(**one, 3);
	EXPECT_EQ(*one.value(), 3);
	const std::unique_ptr<int> moved = *std::move(one);
	EXPECT_EQ(*moved, 3);
}

TEST(result, a_failure)
{
	result<std::string> none = late;
	EXPECT_FALSE(none);
	EXPECT_EQ(none.error().executed, executed::unknown);
	EXPECT_EQ(none.error().code, std::errc::timed_out);
}

TEST(result, the_throwing_form)
{
	result<int> none = late;
	try {
		static_cast<void>(none.value());
		FAIL();
	} catch (const sdp::call_error &error) {
		EXPECT_EQ(error.why().executed, executed::unknown);
		EXPECT_EQ(error.code(), std::errc::timed_out);
		EXPECT_NE(std::string(error.what()).find("why (perhaps executed)"),
			  std::string::npos);
	}
}

TEST(status, says_what_was_executed)
{
	EXPECT_EQ(executed_if(status::busy), executed::not_executed);
	EXPECT_EQ(executed_if(status::no_such_method), executed::not_executed);
	EXPECT_EQ(executed_if(status::not_answered), executed::unknown);
	EXPECT_EQ(executed_if(sdp::application_status(0)), executed::executed);
	EXPECT_EQ(executed_if(static_cast<status>(99)), executed::unknown);
}

TEST(status, is_an_error_code)
{
	const std::error_code code = status::busy;
	EXPECT_EQ(code.category(), sdp::status_category());
	EXPECT_EQ(code, make_error_code(status::busy));
	EXPECT_NE(code, make_error_code(status::closing));
}

} // namespace
