// SPDX-License-Identifier: Apache-2.0
// Sockets over a kernel that is played here: these functions stand before the C library's.
#include <sdp/socket.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <functional>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <sys/eventfd.h>
#include <vector>

namespace {

using sdp::ip;

/** One recvmsg() of Homa's API: what is left in the arguments is written back. */
using receiver = std::function<int(homa_recvmsg_args &args)>;

/** What the kernel is about to do, and what it was told. */
struct kernel {
	std::deque<receiver> receives; /**< then EAGAIN, with all buffers taken back */
	std::vector<std::uint32_t> returned;
	int policy = SDP_POLICY_CLEAR;

	/** Takes back what @p args holds; what there is to be received next is up to the caller. */
	void take_back(homa_recvmsg_args &args)
	{
		const std::span offsets = std::span(args.bpage_offsets).first(args.num_bpages);
		returned.insert(returned.end(), offsets.begin(), offsets.end());
		args = {};
	}
	/** A response of @p size bytes at @p offsets. */
	receiver message(std::vector<std::uint32_t> offsets, int size)
	{
		return [this, offsets, size](homa_recvmsg_args &args) {
			take_back(args);
			args.id = 2;
			args.num_bpages = static_cast<std::uint32_t>(offsets.size());
			std::ranges::copy(offsets, std::begin(args.bpage_offsets));
			return size;
		};
	}
	/** An RPC that failed with @p error. */
	receiver failure(int error)
	{
		return [this, error](homa_recvmsg_args &args) {
			take_back(args);
			args.id = 4;
			return -error;
		};
	}
};

kernel *played = nullptr;

class fake_kernel : public testing::Test {
protected:
	fake_kernel() { played = &kernel_; }
	~fake_kernel() override { played = nullptr; }
	fake_kernel(const fake_kernel &) = delete;
	fake_kernel &operator=(const fake_kernel &) = delete;
	fake_kernel(fake_kernel &&) = delete;
	fake_kernel &operator=(fake_kernel &&) = delete;

	kernel kernel_;
};

using region_socket = fake_kernel;

constexpr std::uint32_t page = 65536;

// An RPC may be aborted with any errno: the buffers are the kernel's even so.
TEST_F(region_socket, buffers_go_back_once_whatever_an_rpc_failed_with)
{
	sdp::socket socket(ip::v4, {.region = std::size_t{4} * page});
	for (const int error : {EINVAL, EFAULT, ECANCELED}) {
		kernel_.returned.clear();
		kernel_.receives = {kernel_.message({page}, 100), kernel_.failure(error)};
		EXPECT_EQ(socket.try_receive()->size(), 100);
		EXPECT_EQ(socket.try_receive()->error().value(), error);
		EXPECT_FALSE(socket.try_receive());
		EXPECT_EQ(kernel_.returned, std::vector{page}) << error;
	}
}

TEST_F(region_socket, buffers_that_the_kernel_did_not_look_at_go_back_later)
{
	sdp::socket socket(ip::v4, {.region = std::size_t{4} * page});
	kernel_.receives = {kernel_.message({page}, 100),
			    [](const homa_recvmsg_args &) { return -EFAULT; }};
	EXPECT_EQ(socket.try_receive()->size(), 100);
	EXPECT_THROW(static_cast<void>(socket.try_receive()), std::system_error);
	EXPECT_FALSE(socket.try_receive());
	EXPECT_EQ(kernel_.returned, std::vector{page});
}

// Ends of messages share pages: one message may wait for many buffers.
TEST_F(region_socket, all_that_came_back_is_handed_over_before_nothing_is_found)
{
	sdp::socket socket(ip::v4, {.region = page});
	std::vector<sdp::message> held;
	for (std::uint32_t i = 0; i < 100; ++i) {
		kernel_.receives = {kernel_.message({64 * i}, 60)};
		held.push_back(std::move(*socket.try_receive()));
	}
	held.clear();
	EXPECT_FALSE(socket.try_receive());
	EXPECT_EQ(kernel_.returned.size(), 100);
}

TEST_F(region_socket, waits_as_long_as_one_can_say)
{
	sdp::socket socket(ip::v4, {.region = page});
	using std::chrono::milliseconds;
	kernel_.receives = {[this](homa_recvmsg_args &args) {
				    kernel_.take_back(args);
				    return -EAGAIN;
			    },
			    kernel_.message({0}, 1)};
	EXPECT_TRUE(socket.receive_for(milliseconds::max()));
	EXPECT_FALSE(socket.receive_for(milliseconds::min()));
}

// The policy may be the namespace's, or come with a session.
TEST_F(region_socket, messages_are_secure_where_the_policy_is)
{
	sdp::socket socket(ip::v4, {.region = page});
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_FALSE(socket.try_receive()->secure());
	socket.add_session({}, sdp::secret::random());
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_TRUE(socket.try_receive()->secure());

	sdp::socket from_start(ip::v4, {.region = page});
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_TRUE(from_start.try_receive()->secure());
}

} // namespace

extern "C" {

int socket(int, int, int) noexcept
{
	return ::eventfd(0, EFD_CLOEXEC);
}

int setsockopt(int, int, int option, const void *value, socklen_t) noexcept
{
	if (option == SDP_POLICY) {
		played->policy = *static_cast<const int *>(value);
	} else if (option == SDP_SESSION_ADD && played->policy == SDP_POLICY_CLEAR) {
		played->policy = SDP_POLICY_SECURE;
	}
	return 0;
}

int getsockopt(int, int, int, void *value, socklen_t *) noexcept
{
	*static_cast<int *>(value) = played->policy;
	return 0;
}

ssize_t recvmsg(int, msghdr *head, int)
{
	auto &args = *static_cast<homa_recvmsg_args *>(head->msg_control);
	int result = -EAGAIN;
	if (played->receives.empty()) {
		played->take_back(args);
	} else {
		const receiver next = std::move(played->receives.front());
		played->receives.pop_front();
		result = next(args);
	}
	if (result < 0) {
		errno = -result;
		return -1;
	}
	const sockaddr_in peer{
		.sin_family = AF_INET, .sin_port = 1, .sin_addr = {}, .sin_zero = {}};
	*static_cast<sockaddr_in *>(head->msg_name) = peer;
	head->msg_namelen = sizeof(peer);
	return result;
}
}
