// SPDX-License-Identifier: Apache-2.0
// A kernel that is played: its functions stand before the C library's in the test program.
#ifndef SDP_TESTS_FAKE_KERNEL_HPP
#define SDP_TESTS_FAKE_KERNEL_HPP

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <map>
#include <netinet/in.h>
#include <set>
#include <span>
#include <string>
#include <vector>

/** One recvmsg() of Homa's API: what is left in the arguments is written back. */
using receiver = std::function<int(homa_recvmsg_args &args)>;

/** One recvmsg() of the plain API. */
struct arrival {
	int error = 0;
	std::uint64_t id = 0;
	std::uint64_t cookie = 0;
	std::string body;
};

/** What the kernel is about to do, and what it was told. */
struct kernel {
	std::deque<receiver> receives; /**< then EAGAIN, with all buffers taken back */
	std::vector<std::uint32_t> returned;
	/** Requests that were sent by Homa's API. */
	std::vector<homa_sendmsg_args> requests;
	std::vector<std::uint64_t> awaited; /**< ids that recvmsg() named, or 0 */
	std::vector<sdp_abort_args> aborted;
	std::function<arrival()> plain;             /**< what comes by the plain API */
	std::vector<sdp_rpc_cmsg> plainly;          /**< what was sent by it */
	bool stalled = false;                       /**< responses to such requests lack room */
	std::uint32_t interface = SDP_UAPI_VERSION; /**< 0: none to be asked for */
	int policy = SDP_POLICY_CLEAR;
	int nonces = 0;        /**< given; of such bytes */
	int session_error = 0; /**< of installing one */
	std::map<std::uint16_t, std::chrono::nanoseconds>
		sessions; /**< by the peer's port: silent */
	std::size_t most_sessions = 4096;
	std::vector<int> policies; /**< that were set */
	std::vector<sdp_session_add> added;
	std::set<int> sockets; /**< SDP's; all others are the real kernel's */

	int add_session(const sdp_session_add &add)
	{
		const std::uint16_t port = ntohs(add.peer.sin6_port);
		if (session_error != 0) {
			return session_error;
		}
		if (sessions.size() >= most_sessions) {
			return ENOBUFS;
		}
		sessions[port] = {};
		added.push_back(add);
		policy = policy == SDP_POLICY_CLEAR ? SDP_POLICY_SECURE : policy;
		return 0;
	}
	/** All RPCs of the socket, of which there are always many others before. */
	void tell(homa_info &info) const
	{
		constexpr std::size_t others = 1000;
		const std::span room(reinterpret_cast<homa_rpc_info *>(info.rpc_info), // NOLINT
				     info.rpc_info_length / sizeof(homa_rpc_info));
		const std::size_t all = others + requests.size();
		const std::size_t told = std::min(all, room.size());
		for (std::size_t i = 0; i < told; ++i) {
			room[i] = {};
			room[i].id = i < others ? 1 : requests[i - others].id;
			room[i].flags = stalled ? HOMA_RPC_BUF_STALL : 0;
		}
		info.rpc_info_length = told * sizeof(homa_rpc_info);
		info.num_rpcs = static_cast<std::uint32_t>(all);
	}
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

extern kernel *played; /**< while there is a fake_kernel */

constexpr std::uint32_t page = 65536;

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

#endif
