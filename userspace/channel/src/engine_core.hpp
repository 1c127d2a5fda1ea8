// SPDX-License-Identifier: Apache-2.0
/** @file An engine's thread: what others leave for it, its deadlines, its poller. */
#ifndef SDP_CHANNEL_ENGINE_CORE_HPP
#define SDP_CHANNEL_ENGINE_CORE_HPP

#include "poller.hpp"
#include "timers.hpp"

#include <sdp/engine.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace sdp::inline v0::detail {

/**
 * Functions are safe from any thread; actions run on the engine's, in the order in which they
 * were left, and without a lock. What finds no memory there is run again, behind others.
 */
class engine_core : public std::enable_shared_from_this<engine_core> {
public:
	using action = std::function<void()>;
	using clock = timers::clock;

	explicit engine_core(std::unique_ptr<poller> on) : on_(std::move(on)) {}

	/** Begins the thread, which keeps this until stop(). */
	void start();
	/** Waits for the thread's end, unless this is it: then it ends by itself. */
	void stop() noexcept;

	[[nodiscard]] engine_kind kind() const noexcept { return on_->kind(); }
	[[nodiscard]] bool on_thread() const noexcept
	{
		return thread_id_.load(std::memory_order_relaxed) == std::this_thread::get_id();
	}

	void post(action what);
	[[nodiscard]] timers::key arm(clock::time_point when, action what);
	void disarm(const timers::key &which) noexcept;

	/**
	 * From now on @p user is told what @p by receives; broken() where that cannot be, but not
	 * for lack of memory: then a little later.
	 */
	[[nodiscard]] std::shared_ptr<attached> attach(std::shared_ptr<transport> by,
						       std::weak_ptr<transport_user> user);
	/** Nothing is told any more, once what goes on has ended. */
	void detach(const std::shared_ptr<attached> &what);
	/**
	 * Sends without waiting: here and now, or on the engine's own thread in a batch.
	 * @return 0 or an errno value; empty: transport_user::sent() will tell.
	 */
	std::optional<int> send(const std::shared_ptr<attached> &by,
				const std::shared_ptr<outgoing> &what);
	/** Has transport_user::writable() called once when there may be memory. */
	void want_write(const std::shared_ptr<attached> &what);

private:
	void run() noexcept;
	/** Has the poller tell of it, as soon as there is memory for that. */
	void add(const std::shared_ptr<attached> &what);
	/**
	 * Adds to @p due what is due now, and says until when nothing else is. Without any, it
	 * counts as asleep.
	 */
	void take_due(std::vector<action> &due, std::optional<clock::time_point> &until) noexcept;

	const std::unique_ptr<poller> on_;
	std::atomic<std::thread::id> thread_id_{};
	std::thread thread_;

	std::mutex lock_; /**< of all below; the innermost lock of the library */
	std::vector<action> posted_;
	timers timers_;
	bool is_asleep_ = false;                 /**< or about to be: has to be woken */
	std::optional<clock::time_point> until_; /**< when it is asleep */
	clock::time_point look_{}; /**< it does not sleep beyond that, if it is to come */
	bool is_used_ = false;     /**< there is a new deadline since it last looked */
	bool is_stopping_ = false;
	std::uint64_t last_key_ = 0;
};

/** @throws std::system_error */
std::unique_ptr<poller> make_poller(engine_kind which);

} // namespace sdp::inline v0::detail

#endif
