// SPDX-License-Identifier: Apache-2.0
#include <sdp/error.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace {

TEST(error, is_comparable_with_the_standard_ones)
{
	EXPECT_EQ(sdp::make_code(ETIMEDOUT), std::errc::timed_out);
	EXPECT_EQ(sdp::make_code(EBADMSG), std::errc::bad_message);
	EXPECT_NE(sdp::make_code(EBADMSG), std::errc::timed_out);
	EXPECT_STREQ(sdp::category().name(), "sdp");
}

TEST(error, says_when_a_request_may_have_been_executed)
{
	for (const int each : {ETIMEDOUT, ECONNRESET}) {
		EXPECT_NE(sdp::describe(each).find("may have been executed"), std::string::npos);
	}
}

TEST(error, texts_differ)
{
	std::set<std::string> texts;
	const auto errors = {ENOKEY,          EKEYEXPIRED,  EKEYREJECTED, EBADMSG,  ETIMEDOUT,
			     ECONNRESET,      ECONNREFUSED, ECANCELED,    ENOTCONN, ENOPROTOOPT,
			     EPROTONOSUPPORT, EPROTO,       EPERM,        EMSGSIZE, EEXIST,
			     ENOBUFS,         ESHUTDOWN,    EAGAIN,       EINVAL,   ENOMEM};
	for (const int each : errors) {
		EXPECT_TRUE(texts.insert(sdp::make_code(each).message()).second) << each;
		EXPECT_FALSE(sdp::describe(each).empty());
	}
	EXPECT_EQ(sdp::describe(ENOENT), std::generic_category().message(ENOENT));
}

TEST(error, transient)
{
	EXPECT_TRUE(sdp::is_transient(sdp::make_code(ETIMEDOUT)));
	EXPECT_TRUE(sdp::is_transient(std::make_error_code(std::errc::connection_reset)));
	EXPECT_FALSE(sdp::is_transient(sdp::make_code(ENOKEY)));
	EXPECT_FALSE(sdp::is_transient({}));
	EXPECT_FALSE(sdp::is_transient(std::error_code(ETIMEDOUT, std::iostream_category())));
}

} // namespace
