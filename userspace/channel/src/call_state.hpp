// SPDX-License-Identifier: Apache-2.0
/** @file One call: what is sent, what has become of it, and who waits. */
#ifndef SDP_CHANNEL_CALL_STATE_HPP
#define SDP_CHANNEL_CALL_STATE_HPP

#include "engine_core.hpp"
#include "transport.hpp"

#include <sdp/channel.hpp>
#include <sdp/result.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sdp::inline v0::detail {

/** Where a call is; changed under its channel's lock. */
enum class call_phase : std::uint8_t {
	waits, /**< for a session, for memory, or for the next try: the kernel has nothing of it */
	is_sent, /**< or is being sent */
	ended,
};

class call_state : public std::enable_shared_from_this<call_state> {
public:
	using clock = std::chrono::steady_clock;

	call_state(std::weak_ptr<channel_core> of, std::shared_ptr<engine_core> on) noexcept
		: owner(std::move(of)), on_(std::move(on))
	{
	}

	/** Tells who waits. Once; with no lock held. */
	void complete(result<reply> with) noexcept;

	/** Any thread; once one of them says that it has ended, take() gives what came of it. */
	[[nodiscard]] bool has_ended() const noexcept { return waiter_.load() == done(); }
	void wait() const noexcept;
	/** False: it has ended before. */
	bool resume_later(std::coroutine_handle<> next) noexcept;
	/** Who was to be resumed is no more, or has been; on the engine's thread, if there is one.
	 */
	void forget_waiter() noexcept;
	result<reply> take() { return std::move(*outcome_); }
	[[nodiscard]] bool may_wait_here() const noexcept { return !on_->on_thread(); }

	const std::weak_ptr<channel_core> owner;

	// Set before it is known to others.
	std::vector<std::byte> bytes{}; /**< until the first try, which takes them */
	clock::time_point deadline{};
	bool idempotent = false;
	bool may_be_early = false;
	bool retry = true;
	std::stop_token stop{};

	// By the channel's lock.
	call_phase phase = call_phase::waits;
	std::uint64_t number = 0; /**< of its present try, the cookie; another for each */
	std::shared_ptr<outgoing> message{};
	std::shared_ptr<const std::vector<std::byte>> whole{}; /**< the request, from then on */
	std::shared_ptr<early_exchange> early{};               /**< while a handshake has it */
	std::optional<early_token>
		collects{}; /**< the server has it: its tries ask for the answer */
	unsigned tries = 0;
	std::uint64_t session = 0;     /**< number of the one that it was sent under */
	bool perhaps_executed = false; /**< an earlier try of it */
	std::string trouble{};         /**< why the try before has failed */
	std::optional<timers::key> timer{};

	/** Ends it where that is asked for; goes with the call, not with the answer. */
	std::optional<std::stop_callback<std::function<void()>>> stopper{};

private:
	/** Stands for "it has ended" where a waiter's address would be. */
	void *done() const noexcept { return const_cast<call_state *>(this); }

	void resume() noexcept;

	const std::shared_ptr<engine_core> on_;
	std::optional<result<reply>> outcome_{};
	std::atomic<void *> waiter_{nullptr};  /**< null, a coroutine's frame, or done() */
	std::atomic<void *> resumes_{nullptr}; /**< that frame, until it is resumed or gone */
};

} // namespace sdp::inline v0::detail

#endif
