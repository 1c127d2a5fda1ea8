// SPDX-License-Identifier: Apache-2.0
/** @file Deadlines, in their order. Not safe from several threads. */
#ifndef SDP_CHANNEL_TIMERS_HPP
#define SDP_CHANNEL_TIMERS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace sdp::inline v0::detail {

class timers {
public:
	using clock = std::chrono::steady_clock;
	/** When, and which of those then. */
	using key = std::pair<clock::time_point, std::uint64_t>;
	using action = std::function<void()>;

	key add(clock::time_point when, action what)
	{
		return all_.emplace(key{when, ++last_}, std::move(what)).first->first;
	}
	/** False: it was taken, or removed, before. */
	bool remove(const key &which) { return all_.erase(which) != 0; }

	[[nodiscard]] std::optional<clock::time_point> first() const
	{
		return all_.empty() ? std::nullopt : std::optional(all_.begin()->first.first);
	}
	/** All that are due at @p now, in their order, behind what @p due has. */
	void take(clock::time_point now, std::vector<action> &due)
	{
		while (!all_.empty() && all_.begin()->first.first <= now) {
			due.push_back(std::move(all_.begin()->second));
			all_.erase(all_.begin());
		}
	}
	[[nodiscard]] std::size_t size() const noexcept { return all_.size(); }

private:
	std::map<key, action> all_;
	std::uint64_t last_ = 0;
};

} // namespace sdp::inline v0::detail

#endif
