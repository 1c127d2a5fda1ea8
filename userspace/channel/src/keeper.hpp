// SPDX-License-Identifier: Apache-2.0
/** @file The thread that makes a channel's sessions, one handshake at a time, and not too often. */
#ifndef SDP_CHANNEL_KEEPER_HPP
#define SDP_CHANNEL_KEEPER_HPP

#include "link.hpp"

#include <sdp/channel.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

namespace sdp::inline v0::detail {

/** Whom a keeper tells; on its thread, without a lock of its. */
class keeper_user {
public:
	keeper_user() = default;
	virtual ~keeper_user() = default;
	keeper_user(const keeper_user &) = delete;
	keeper_user &operator=(const keeper_user &) = delete;
	keeper_user(keeper_user &&) = delete;
	keeper_user &operator=(keeper_user &&) = delete;

	/** @param replaces_dead the one before is of no use: its server was silent, or has it not.
	 */
	virtual void session_made(const link::made &what, bool replaces_dead) = 0;
	/** @return whether somebody waits for another try. */
	virtual bool session_failed(const std::system_error &why) = 0;
	/** A request for the handshake that begins, whose fate it is told; null: none. */
	[[nodiscard]] virtual std::shared_ptr<early_exchange> take_early() = 0;
	/** The present session is of no use, it seems: nothing is to be sent under it. */
	virtual void session_doubted() = 0;
};

class keeper {
public:
	using clock = std::chrono::steady_clock;

	/** @param at_once whether the first session is made before somebody wants it. */
	keeper(std::unique_ptr<link> with, const session_rules &rules, bool at_once)
		: link_(std::move(with)),
		  watch_({.age = rules.age,
			  .volume = rules.volume,
			  .silence = rules.silence,
			  .between = rules.between,
			  .at_most = rules.between_at_most}),
		  is_wanted_(at_once)
	{
	}

	/** @p whom outlives stop(). */
	void start(keeper_user &whom);
	/** Waits for its thread, which gives a handshake up. */
	void stop() noexcept;

	/** A new session is needed, as soon as the rules let it. */
	void want();
	/** Within keeper_user::session_made(): who has wanted one until now has it. */
	void has_made();
	/** Calls that wait for answers: one more, or one less. */
	void call_begins();
	void call_ends() noexcept;

private:
	void run(const std::stop_token &stop) noexcept;
	void sleep(std::unique_lock<std::mutex> &held, const std::stop_token &stop);
	void make(std::unique_lock<std::mutex> &held, const std::stop_token &stop);
	[[nodiscard]] bool is_due();

	const std::unique_ptr<link> link_;
	session_watch watch_; /**< the thread's own */
	keeper_user *whom_ = nullptr;
	std::stop_source stop_;
	std::thread thread_;

	waiting_calls waiting_;
	std::atomic<bool> is_used_ = false;     /**< since the session was made */
	std::atomic<bool> is_active_ = false;   /**< there were calls since it was looked */
	std::atomic<bool> sleeps_long_ = false; /**< has to be woken by the next call */

	std::mutex lock_; /**< of is_wanted_, and for the wait */
	std::condition_variable_any wake_;
	bool is_wanted_;

	// The thread's own.
	bool has_session_ = false;
	bool is_dead_ = false;     /**< the present one, it seems */
	clock::time_point next_{}; /**< no handshake before */
};

} // namespace sdp::inline v0::detail

#endif
