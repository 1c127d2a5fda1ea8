// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Channels: calls to one server, by name, that heal by themselves. docs/rpc.md says how they are
 * used, and what each failure means.
 */
#ifndef SDP_CHANNEL_HPP
#define SDP_CHANNEL_HPP

#include <sdp/credentials.hpp>
#include <sdp/engine.hpp>
#include <sdp/export.hpp>
#include <sdp/header.hpp>
#include <sdp/message.hpp>
#include <sdp/result.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sdp::inline v0 {

namespace detail {
class call_state;
class channel_core;
} // namespace detail

/** A server's answer. Its status was ok: any other is a failure. */
class SDP_EXPORT reply {
public:
	reply(reply_header header, std::vector<std::byte> message, std::size_t body) noexcept;
	~reply();
	reply(reply &&other) noexcept;
	reply &operator=(reply &&other) noexcept;
	reply(const reply &) = delete;
	reply &operator=(const reply &) = delete;

	[[nodiscard]] bytes_view body() const noexcept
	{
		return bytes_view(message_).subspan(body_);
	}
	/** The body as text. */
	[[nodiscard]] std::string_view text() const noexcept;
	[[nodiscard]] const sdp::metadata &metadata() const noexcept { return header_.metadata; }

private:
	reply_header header_;
	std::vector<std::byte> message_;
	std::size_t body_;
};

/**
 * How one call is made: call_options().timeout(2s).idempotent(). Not a structure for braces:
 * GCC 12 destroys such twice where they are made within a co_await.
 */
class call_options {
public:
	call_options() noexcept = default;

	/** For all of it, tries and waits for a session included; otherwise the channel's. */
	call_options &timeout(std::chrono::milliseconds time) noexcept
	{
		timeout_ = time;
		return *this;
	}
	/** It may be executed more than once: it is sent again where nothing is known of it. */
	call_options &idempotent(bool yes = true) noexcept
	{
		idempotent_ = yes;
		return *this;
	}
	/**
	 * It may go as early data, in a handshake's first datagram, if there is no session and the
	 * server takes them: at most longest_early bytes, header included. Executed once, but for
	 * an attacker who stops packets and has two servers of the name; without forward secrecy.
	 */
	call_options &early(bool yes = true) noexcept
	{
		early_ = yes;
		return *this;
	}
	/** Whether it is sent again at all; where it was certainly not executed, that is safe. */
	call_options &retry(bool yes) noexcept
	{
		retry_ = yes;
		return *this;
	}
	/** A pair of metadata. */
	call_options &with(std::string_view key, std::string_view value)
	{
		metadata_.set(key, value);
		return *this;
	}
	/** When it is asked to stop, the call ends with ECANCELED, and the RPC in the kernel. */
	call_options &stop(std::stop_token when) noexcept
	{
		stop_ = std::move(when);
		return *this;
	}

private:
	friend class detail::channel_core;

	std::optional<std::chrono::milliseconds> timeout_{};
	bool idempotent_ = false;
	bool early_ = false;
	bool retry_ = true;
	sdp::metadata metadata_{};
	std::stop_token stop_{};
};

/** When a new session is made in the place of the present one. */
struct session_rules {
	std::chrono::milliseconds age{600'000};            /**< of one that is in use */
	std::uint64_t volume = std::uint64_t{1} << 36;     /**< bytes sent under it */
	std::chrono::milliseconds silence{1'500};          /**< of a server that is asked */
	std::chrono::milliseconds between{1'000};          /**< two handshakes, at least */
	std::chrono::milliseconds between_at_most{30'000}; /**< after many in vain */
};

struct channel_options {
	std::chrono::milliseconds timeout{30'000}; /**< of calls that name none */
	std::chrono::milliseconds handshake_timeout{10'000};
	session_rules sessions{};
	/** The first session is made at once; otherwise with the first call, which may be early. */
	bool at_once = true;
	/** How the server has to call itself; empty: as the channel's target does. */
	std::string server_name{};
	std::size_t most_calls = 65'536;       /**< that have not ended; more fail with EAGAIN */
	std::size_t most_reply = 1'000'000;    /**< bytes, header included; longer: EMSGSIZE */
	std::shared_ptr<sdp::engine> engine{}; /**< none: the process's */
};

/**
 * A call that was begun. Ask for its result once: wait in get(), or co_await it. Destroying it
 * before cancels the call. Any one thread at a time; cancel() from any.
 */
class SDP_EXPORT pending_call {
public:
	explicit pending_call(std::shared_ptr<detail::call_state> is) noexcept;
	~pending_call();
	pending_call(pending_call &&other) noexcept;
	pending_call &operator=(pending_call &&other) noexcept;
	pending_call(const pending_call &) = delete;
	pending_call &operator=(const pending_call &) = delete;

	/**
	 * Waits until it has ended: at its deadline at the latest. On the thread of the
	 * channel's engine nobody would wake it up: EDEADLK, and the call is cancelled.
	 */
	[[nodiscard]] result<reply> get();
	/** Whether get() would not wait. */
	[[nodiscard]] bool is_ready() const noexcept;
	/** Ends it with ECANCELED, if it has not ended, and the RPC in the kernel. */
	void cancel();

	/** co_await: goes on on the engine's thread, unless the call has ended before. */
	[[nodiscard]] bool await_ready() const noexcept { return is_ready(); }
	[[nodiscard]] bool await_suspend(std::coroutine_handle<> next) noexcept;
	[[nodiscard]] result<reply> await_resume();

private:
	std::shared_ptr<detail::call_state> is_;
};

/** Counts, from the beginning. */
struct channel_counts {
	std::uint64_t sessions = 0; /**< made */
	std::uint64_t failed = 0;   /**< handshakes */
	std::uint64_t sent = 0;     /**< requests, each try */
	std::uint64_t retried = 0;  /**< of them, tries but the first */
	std::uint64_t early = 0;    /**< of them, that servers have taken as early data */
	std::size_t under_way = 0;  /**< calls, now */
};

/**
 * Calls to one server. Safe from any number of threads; nobody waits for another one's answer.
 *
 * A thread of its own makes sessions: the first at once, later ones by age and volume while
 * calls go on under the one before, and when the server was started anew or its name has moved.
 * Calls wait for a session until their deadline; if it certainly cannot be (such as a wrong
 * certificate), they fail at once.
 */
class SDP_EXPORT channel {
public:
	/**
	 * @param target "HOST:PORT": a name, looked up again whenever a session is made anew, or
	 *               an address. The name is what the server's certificate has to have.
	 * @param who not null: what is sent in the clear is sent by clear_for_tests().
	 * @throws std::invalid_argument if @p who is null or @p target has no port; what making an
	 *         engine or a thread throws. Not if nobody is there: calls say that.
	 */
	channel(std::string target, std::shared_ptr<const credentials> who,
		const channel_options &options = {});
	/**
	 * Ends all its calls with ECANCELED. May wait a second for a handshake, and for the
	 * resolver as long as that takes.
	 */
	~channel();
	channel(channel &&other) noexcept;
	channel &operator=(channel &&other) noexcept;
	channel(const channel &) = delete;
	channel &operator=(const channel &) = delete;

	/**
	 * Begins a call; @p body is copied. Never throws for what becomes of it: see failure.
	 * Wait with .get(), or co_await it.
	 */
	[[nodiscard]] pending_call call(const method &which, bytes_view body,
					const call_options &options = {});
	[[nodiscard]] pending_call call(const method &which, std::string_view body,
					const call_options &options = {})
	{
		return call(which, as_bytes(body), options);
	}

	/** Who the server is; absent before there was a session. */
	[[nodiscard]] std::optional<principal> peer() const;
	[[nodiscard]] channel_counts counts() const;
	[[nodiscard]] const std::shared_ptr<sdp::engine> &engine() const noexcept;

	explicit channel(std::shared_ptr<detail::channel_core> core);

private:
	std::shared_ptr<detail::channel_core> core_;
};

} // namespace sdp::inline v0

#endif
