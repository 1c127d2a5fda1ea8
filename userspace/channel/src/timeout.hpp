// SPDX-License-Identifier: Apache-2.0
/** @file Deadlines as epoll_wait() wants them. */
#ifndef SDP_CHANNEL_TIMEOUT_HPP
#define SDP_CHANNEL_TIMEOUT_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>

namespace sdp::inline v0::detail {

/** Milliseconds, rounded up: a deadline is not looked at too early. -1 without one. */
inline int milliseconds_until(std::optional<std::chrono::steady_clock::time_point> until)
{
	if (!until) {
		return -1;
	}
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(
		*until - std::chrono::steady_clock::now());
	return static_cast<int>(
		std::clamp<std::int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

} // namespace sdp::inline v0::detail

#endif
