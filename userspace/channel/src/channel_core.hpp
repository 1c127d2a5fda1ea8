// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A channel: its calls, from the first try to the result. Callers' threads send, the engine's
 * thread receives and counts time, the keeper's makes sessions; the lock is held by none of them
 * while it sends, waits or tells.
 */
#ifndef SDP_CHANNEL_CHANNEL_CORE_HPP
#define SDP_CHANNEL_CHANNEL_CORE_HPP

#include "call_state.hpp"
#include "engine_core.hpp"
#include "keeper.hpp"
#include "link.hpp"
#include "poller.hpp"

#include <sdp/channel.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace sdp::inline v0::detail {

class channel_core final : public transport_user,
			   public keeper_user,
			   public std::enable_shared_from_this<channel_core> {
public:
	channel_core(std::unique_ptr<link> with, const channel_options &options);

	void start() { keeper_.start(*this); }
	/** Ends all calls, and waits for the keeper's thread. */
	void close() noexcept;

	[[nodiscard]] std::shared_ptr<call_state> begin(const method &which, bytes_view body,
							const call_options &options);
	void cancel(const std::shared_ptr<call_state> &call);
	[[nodiscard]] std::optional<principal> peer() const;
	[[nodiscard]] channel_counts counts() const;
	[[nodiscard]] const std::shared_ptr<sdp::engine> &engine() const noexcept
	{
		return engine_;
	}

	void arrived(arrival &&what) override;
	void sent(const std::shared_ptr<outgoing> &what, int error) override;
	void writable() override;
	void broken(int error) override;
	void session_made(const link::made &what, bool replaces_dead) override;
	bool session_failed(const std::system_error &why) override;
	std::shared_ptr<early_exchange> take_early() override;
	void session_doubted() override;

private:
	using clock = call_state::clock;
	using call = std::shared_ptr<call_state>;

	// channel_core.cpp: a call from its beginning to its end.
	[[nodiscard]] std::optional<failure> admit(const call &what);
	void watch(const call &what);
	/** Takes it out, if it has not ended. Who gets it completes it. By the lock. */
	[[nodiscard]] bool claim(call_state &what) noexcept;
	/** Ends it with @p why, or with more than that if an earlier try may have been executed. */
	void fail(const call &what, failure why);
	void end(const call &what, result<reply> with);
	void expire(const call &what);
	[[nodiscard]] bool drop(const call &what) noexcept;
	void give_up(const call &what, int error, std::string text);
	[[nodiscard]] static bool withdraw(call_state &what);

	// channel_tries.cpp: its tries.
	[[nodiscard]] std::shared_ptr<outgoing> prepare(const call &what);
	/** Sends it, or has it wait for what it lacks. */
	void attempt(const call &what);
	/** A try has failed: another one, or the end. */
	void settle(const call &what, failure why, bool may_heal);
	/** Has it wait in @p line. By the lock. */
	void enqueue(std::deque<call> &line, const call &what);
	[[nodiscard]] call find(std::uint64_t cookie) const;
	void replied(const call &what, std::vector<std::byte> &&message);

	// channel_early.cpp: those that went with a handshake.
	/** The bytes of its next try. */
	[[nodiscard]] std::shared_ptr<const std::vector<std::byte>> next_bytes(
		call_state &what) const;
	/** What the last handshake's call does now. By the lock. @return true: it fails. */
	[[nodiscard]] bool place_early(const call &what);
	/** The other end's answer to one that asked for an answer. */
	void collected(const call &what, arrival &&got);

	const channel_options options_;
	const std::shared_ptr<sdp::engine> engine_;
	engine_core &on_;
	keeper keeper_;

	mutable std::mutex lock_; /**< of all below; before an engine's and the keeper's */
	std::unordered_map<std::uint64_t, call> by_cookie_;
	std::size_t under_way_ = 0;    /**< calls that have not ended, by_cookie_ or not */
	std::deque<call> for_session_; /**< wait for one, or have ended */
	std::deque<call> for_memory_;  /**< wait for memory of the kernel's, or have ended */
	bool is_blocked_ = false;      /**< writable() is to come */
	std::shared_ptr<attached> attached_{};
	address server_{};
	std::optional<principal> peer_{};
	bool is_ready_ = false; /**< there is a session */
	bool is_closed_ = false;
	std::uint64_t session_ = 0; /**< number of the present one */
	std::string trouble_{};     /**< why there is no session */
	call early_{};              /**< that the handshake has which goes on */
	std::uint64_t next_cookie_ = 1;
	channel_counts counts_{};
};

/** What is known of a request whose RPC has failed with @p error, of category(). */
[[nodiscard]] executed executed_if_failed(const std::error_code &error) noexcept;

} // namespace sdp::inline v0::detail

#endif
