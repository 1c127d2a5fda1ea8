// SPDX-License-Identifier: Apache-2.0
/** @file The rule by which a client's sessions are replaced, and how often that is tried. */
#ifndef SDP_SESSION_WATCH_HPP
#define SDP_SESSION_WATCH_HPP

#include <sdp/socket.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>

namespace sdp::inline v0::detail {

/** How a session does, as the kernel says. */
struct session_use {
	std::uint64_t epoch = 0;  /**< of what is sent */
	std::uint64_t blocks = 0; /**< of 16 bytes, sent in it */
	std::chrono::nanoseconds silent{};
};

/** Of the session of @p on with @p server. Empty: it is gone, such as after the machine slept. */
inline std::optional<session_use> use_of(const socket &on, const address &server)
{
	try {
		const session_info info = on.info(server);
		return session_use{
			.epoch = info.tx_epoch, .blocks = info.tx_blocks, .silent = info.silent};
	} catch (const std::system_error &) {
		return std::nullopt;
	}
}

/** Calls that wait for answers, and since when there was always one. Any thread. */
class waiting_calls {
public:
	using clock = std::chrono::steady_clock;

	void begins() noexcept
	{
		// Written before it counts: who looks meanwhile would take the beginning of an
		// earlier time, and a server that nobody has asked since for a silent one.
		const bool is_first = count_ == 0;
		if (is_first) {
			since_ = clock::now();
		}
		if (count_++ == 0 && !is_first) {
			since_ = clock::now(); // The last one has ended just now.
		}
	}
	void ends() noexcept { --count_; }
	[[nodiscard]] bool any() const noexcept { return count_ != 0; }
	/** Empty: there are none. */
	[[nodiscard]] std::optional<clock::time_point> since() const noexcept
	{
		return any() ? std::optional(since_.load()) : std::nullopt;
	}

private:
	std::atomic<std::uint64_t> count_ = 0;
	std::atomic<clock::time_point> since_{clock::time_point()};
};

/** Of one client with one server; for one thread at a time. */
class session_watch {
public:
	using clock = std::chrono::steady_clock;

	/** When another session is made. */
	struct rules {
		clock::duration age{};
		std::uint64_t volume = 0;  /**< bytes sent */
		clock::duration silence{}; /**< of a server that should have answered */
		clock::duration between{}; /**< two tries, at least */
		clock::duration at_most{}; /**< likewise, after many in vain */
	};
	enum class state : std::uint8_t {
		fine,
		old,  /**< by time or volume: it serves until there is another */
		dead, /**< gone, or its server is silent though it was asked */
	};

	explicit session_watch(const rules &by) : rules_(by), pause_(by.between) {}

	/** There is a new session. */
	void made(clock::time_point now)
	{
		made_ = now;
		blocks_ = 0;
		last_ = {};
		pause_ = rules_.between;
	}
	/** When another one may be tried after one at @p now. */
	[[nodiscard]] clock::time_point next(clock::time_point now) const { return now + pause_; }
	/** There is none: a server that is not there is not to be flooded. @return likewise. */
	[[nodiscard]] clock::time_point failed(clock::time_point now)
	{
		pause_ = std::min(2 * pause_, rules_.at_most);
		return next(now);
	}
	/**
	 * @param use empty: the kernel has it no more.
	 * @param asked since when calls wait, without a pause; empty: none does.
	 */
	[[nodiscard]] state look(const std::optional<session_use> &use,
				 std::optional<clock::time_point> asked, clock::time_point now)
	{
		constexpr std::uint64_t block = 16;
		if (!use || (asked && use->silent >= rules_.silence &&
			     now - *asked >= rules_.silence && now - made_ >= rules_.silence)) {
			return state::dead;
		}
		if (use->epoch != last_.epoch) {
			blocks_ += last_.blocks;
		}
		last_ = *use;
		return now - made_ >= rules_.age ||
				       (blocks_ + last_.blocks) * block >= rules_.volume
			       ? state::old
			       : state::fine;
	}

private:
	const rules rules_;
	clock::time_point made_{};
	clock::duration pause_;
	std::uint64_t blocks_ = 0; /**< of earlier epochs of the session */
	session_use last_{};
};

} // namespace sdp::inline v0::detail

#endif
