// SPDX-License-Identifier: Apache-2.0
/** @file What a socket is made of, and how it waits. */
#ifndef SDP_SRC_SOCKET_STATE_HPP
#define SDP_SRC_SOCKET_STATE_HPP

#include "buffers.hpp"
#include "check.hpp"
#include "wire.hpp"

#include <sdp/socket.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>

namespace sdp::inline v0 {

namespace detail {

using clock = std::chrono::steady_clock;
using deadline = std::optional<clock::time_point>;

/** @p timeout from now on; none where the clock cannot count so far. */
inline deadline after(std::chrono::milliseconds timeout)
{
	const clock::time_point now = clock::now();
	if (timeout >=
	    std::chrono::floor<std::chrono::milliseconds>(clock::time_point::max() - now)) {
		return std::nullopt;
	}
	return now + std::max(timeout, std::chrono::milliseconds(0));
}

inline bool passed(const deadline &until)
{
	return until && clock::now() >= *until;
}

template <typename T>
void set_option(int fd, int option, const T &value, const char *what)
{
	check(::setsockopt(fd, IPPROTO_HOMA, option, &value, sizeof(value)), what);
}

template <typename T>
void get_option(int fd, int option, T &value, const char *what)
{
	socklen_t length = sizeof(value);
	check(::getsockopt(fd, IPPROTO_HOMA, option, &value, &length), what);
}

} // namespace detail

struct socket::state {
	detail::file file;
	ip version{};
	/**
	 * While the policy is secure: which time, counting from 1; otherwise 0. Not 0, and
	 * the same after a call as before it: nothing else was allowed in between.
	 */
	std::atomic<std::uint64_t> secure_time = 0;
	/** A request may have gone out in the clear. */
	std::atomic<bool> clear_sent = false;
	std::shared_ptr<detail::region> region;
	std::shared_ptr<detail::pool> pool;

	std::mutex lock;
	std::deque<message> kept;   /**< that call() received for others */
	std::size_t kept_bytes = 0; /**< in them */
	std::uint64_t next_cookie = std::uint64_t{1} << 63;
	std::vector<nonce> spares; /**< that handshakes did not use */

	std::mutex policy_lock; /**< one change of the policy at a time */
	std::uint64_t secure_times = 0;

	std::mutex turns_lock;
	std::condition_variable turn_ended;
	std::set<address> shaking; /**< peers with which a handshake of ours goes on */

	[[nodiscard]] int fd() const { return file.get(); }
	/** An address in the family of the socket. */
	[[nodiscard]] address fit(const address &peer) const
	{
		return version == ip::v6 ? peer.mapped() : peer.unmapped();
	}

	void send(const address &to, std::span<const bytes_view> body,
		  const sdp_rpc_cmsg &rpc) const;
	void begin_request();
	std::uint64_t send_private(const address &to, bytes_view body, const send_options &options);
	[[nodiscard]] policy get_policy() const;
	void set_policy(policy which);
	void look_at_policy();
	std::optional<message> take_kept();
	void keep(message got);
	void check_kept();
	std::optional<message> next(bool wait, const detail::deadline &until);
	void sleep(const detail::deadline &until) const;
	std::optional<message> read(bool wait);
	std::optional<message> read_region(std::uint64_t id, std::chrono::milliseconds wait);
	std::optional<message> read_region(std::span<const std::uint32_t> given, std::uint64_t id,
					   int flags);
	std::optional<message> read_copy(bool wait);
	message receive_response(std::uint64_t id, const detail::deadline &until);
	message receive_in_turn(std::uint64_t cookie, const detail::deadline &until);
};

} // namespace sdp::inline v0

#endif
