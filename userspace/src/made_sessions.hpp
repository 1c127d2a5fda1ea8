// SPDX-License-Identifier: Apache-2.0
/** @file With whom a server has made sessions, so that an idle one can make room. */
#ifndef SDP_SRC_MADE_SESSIONS_HPP
#define SDP_SRC_MADE_SESSIONS_HPP

#include <sdp/socket.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <system_error>

namespace sdp::inline v0::detail {

class made_sessions {
public:
	/** At most 65,536 peers are remembered. */
	void remember(const address &peer)
	{
		if (peers_.size() >= most && !peers_.contains(peer)) {
			peers_.erase(peers_.begin());
		}
		peers_.insert(peer);
	}

	/**
	 * Removes the session that was silent longest, of the next 64; false if none was for a
	 * minute.
	 * @throws std::system_error as socket::remove_session().
	 */
	bool remove_idle(socket &on)
	{
		std::optional<address> longest;
		std::chrono::nanoseconds silent = long_silent;
		for (std::size_t left = std::min(looked_at_once, peers_.size()); left > 0; --left) {
			const auto next = peers_.upper_bound(looked_at_);
			looked_at_ = next == peers_.end() ? *peers_.begin() : *next;
			try {
				const session_info info = on.info(looked_at_);
				if (info.silent >= silent) {
					longest = looked_at_;
					silent = info.silent;
				}
			} catch (const std::system_error &) {
				continue; // Removed before.
			}
		}
		if (longest) {
			on.remove_session(*longest);
			peers_.erase(*longest);
		}
		return longest.has_value();
	}

private:
	static constexpr std::size_t most = 65536;
	static constexpr std::size_t looked_at_once = 64;
	static constexpr std::chrono::minutes long_silent{1};

	std::set<address> peers_;
	address looked_at_; /**< the last of them that room was looked for at */
};

} // namespace sdp::inline v0::detail

#endif
