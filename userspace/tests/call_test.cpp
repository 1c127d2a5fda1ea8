// SPDX-License-Identifier: Apache-2.0
// socket::call() over a kernel that is played.
#include "fake_kernel.hpp"

#include <sdp/socket.hpp>

#include <optional>
#include <system_error>
#include <thread>

namespace {

using sdp::ip;

/** Calls over Homa's API, of which the kernel gives every request an id. */
class region_call : public fake_kernel {
protected:
	sdp::message call(std::chrono::milliseconds timeout = {})
	{
		return socket_.call(server_, sdp::as_bytes("x"), {.cookie = 7}, timeout);
	}
	int error(std::chrono::milliseconds timeout = {})
	{
		try {
			static_cast<void>(call(timeout));
			return 0;
		} catch (const std::system_error &failed) {
			return failed.code().value();
		}
	}

	const sdp::address server_ = sdp::address::parse("127.0.0.1:1");
	sdp::socket socket_{ip::v4, {.region = page}};
};

TEST_F(region_call, nobody_else_gets_the_response_and_it_takes_no_other_message)
{
	kernel_.receives = {kernel_.message({0}, 10)};
	const sdp::message got = call();
	EXPECT_EQ(got.size(), 10);
	EXPECT_EQ(got.cookie(), 7);
	ASSERT_EQ(kernel_.requests.size(), 1);
	EXPECT_EQ(kernel_.requests[0].flags, HOMA_SENDMSG_PRIVATE);
	EXPECT_EQ(kernel_.awaited, std::vector<std::uint64_t>{kernel_.requests[0].id});
	EXPECT_TRUE(kernel_.aborted.empty());
}

TEST_F(region_call, one_that_fails_is_aborted_by_its_id)
{
	using std::chrono::milliseconds;
	EXPECT_EQ(error(milliseconds(30)), ETIMEDOUT);
	kernel_.stalled = true;
	EXPECT_EQ(error(milliseconds(30)), ENOBUFS);
	kernel_.receives = {[this](homa_recvmsg_args &args) {
		kernel_.take_back(args);
		return -ESHUTDOWN;
	}};
	EXPECT_EQ(error(), ESHUTDOWN);
	ASSERT_EQ(kernel_.requests.size(), 3);
	ASSERT_EQ(kernel_.aborted.size(), 3);
	for (std::size_t i = 0; i < 3; ++i) {
		EXPECT_EQ(kernel_.aborted[i].id, kernel_.requests[i].id);
		EXPECT_EQ(kernel_.aborted[i].cookie, 0);
		EXPECT_EQ(kernel_.aborted[i].error, 0);
	}
}

TEST_F(region_call, a_response_without_room_is_not_waited_for_for_ever)
{
	kernel_.stalled = true;
	EXPECT_EQ(error(), ENOBUFS);
}

TEST_F(region_call, what_comes_back_meanwhile_is_handed_over)
{
	kernel_.receives = {kernel_.message({64}, 10)};
	std::optional<sdp::message> held = call();
	kernel_.receives = {[&](homa_recvmsg_args &args) {
				    kernel_.take_back(args);
				    held.reset();
				    return -EAGAIN;
			    },
			    kernel_.message({0}, 1)};
	EXPECT_EQ(call().size(), 1);
	EXPECT_EQ(kernel_.returned, std::vector<std::uint32_t>{64});
}

/** Calls over the plain API. */
class plain_call : public fake_kernel {
protected:
	plain_call()
	{
		kernel_.plain = [this] { return request(); };
	}

	/** A request like no other. */
	arrival request()
	{
		return {.id = 2 * ++came_ + 1, .cookie = 0, .body = std::to_string(came_)};
	}
	int error(std::chrono::milliseconds timeout)
	{
		try {
			static_cast<void>(
				socket_.call(server_, sdp::as_bytes("x"), {.cookie = 7}, timeout));
			return 0;
		} catch (const std::system_error &failed) {
			return failed.code().value();
		}
	}
	/** All that was kept is there, once, and in order. */
	void expect_all()
	{
		for (std::uint64_t i = 1, all = came_; i <= all; ++i) {
			ASSERT_EQ(socket_.receive().text(), std::to_string(i));
		}
		const std::string next = socket_.receive().text();
		EXPECT_EQ(next, std::to_string(came_));
	}
	/** The only request, by its cookie. */
	void expect_aborted()
	{
		ASSERT_EQ(kernel_.plainly.size(), 1);
		ASSERT_EQ(kernel_.aborted.size(), 1);
		EXPECT_EQ(kernel_.aborted[0].id, 0);
		EXPECT_EQ(kernel_.aborted[0].cookie, kernel_.plainly[0].cookie);
	}

	const sdp::address server_ = sdp::address::parse("127.0.0.1:1");
	sdp::socket socket_{ip::v4};
	std::uint64_t came_ = 0;
};

TEST_F(plain_call, ends_in_time_while_requests_arrive)
{
	kernel_.plain = [this] {
		if (came_ % 2 == 0) {
			std::this_thread::sleep_for(std::chrono::milliseconds(1));
		}
		return request();
	};
	EXPECT_EQ(error(std::chrono::milliseconds(30)), ETIMEDOUT);
	expect_aborted();
	EXPECT_GT(came_, 2);
	expect_all();
}

TEST_F(plain_call, does_not_keep_more_than_so_many)
{
	EXPECT_EQ(error({}), ENOBUFS);
	expect_aborted();
	EXPECT_EQ(came_, 16384);
	// Nor is another sent, before something has been received.
	EXPECT_EQ(error({}), ENOBUFS);
	EXPECT_EQ(kernel_.plainly.size(), 1);
	EXPECT_EQ(came_, 16384);
	expect_all();
	kernel_.plain = [this] {
		return arrival{.id = 2, .cookie = kernel_.plainly.back().cookie, .body = "y"};
	};
	EXPECT_EQ(error({}), 0);
	EXPECT_EQ(kernel_.aborted.size(), 1);
}

TEST_F(plain_call, does_not_keep_more_than_so_many_bytes)
{
	kernel_.plain = [this] {
		return arrival{
			.id = 2 * ++came_ + 1, .cookie = 0, .body = std::string(999'999, 'x')};
	};
	EXPECT_EQ(error({}), ENOBUFS);
	EXPECT_EQ(came_, 65);
	EXPECT_EQ(socket_.receive().size(), 999'999);
	EXPECT_EQ(socket_.receive().size(), 999'999);
	EXPECT_EQ(error({}), ENOBUFS);
	EXPECT_EQ(came_, 67);
}

TEST_F(plain_call, is_aborted_where_receiving_fails)
{
	kernel_.plain = [] { return arrival{.error = ESHUTDOWN}; };
	EXPECT_EQ(error({}), ESHUTDOWN);
	expect_aborted();
}

} // namespace
