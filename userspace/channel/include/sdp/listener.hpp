// SPDX-License-Identifier: Apache-2.0
/** @file Listeners: requests of many clients, by one thread or many, or in a foreign loop. */
#ifndef SDP_LISTENER_HPP
#define SDP_LISTENER_HPP

#include <sdp/credentials.hpp>
#include <sdp/engine.hpp>
#include <sdp/export.hpp>
#include <sdp/header.hpp>
#include <sdp/message.hpp>
#include <sdp/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

namespace sdp::inline v0 {

namespace detail {
class listener_core;
} // namespace detail

/**
 * What a client asks. To be answered once; if it is destroyed before, its client is told
 * status::not_answered. Any thread, one at a time; also when the listener is gone, which then
 * keeps its port until the last request is.
 */
class SDP_EXPORT request {
public:
	struct contents; /**< the library's */

	explicit request(std::unique_ptr<contents> is) noexcept;
	~request();
	request(request &&other) noexcept;
	request &operator=(request &&other) noexcept;
	request(const request &) = delete;
	request &operator=(const request &) = delete;

	[[nodiscard]] const sdp::method &method() const noexcept;
	[[nodiscard]] const sdp::metadata &metadata() const noexcept;
	[[nodiscard]] bytes_view body() const noexcept;
	/** The body as text. */
	[[nodiscard]] std::string_view text() const noexcept;
	/** Address and port of the client. */
	[[nodiscard]] const sdp::address &peer() const noexcept;
	/** Who the client is, if its handshake says and it is remembered. */
	[[nodiscard]] std::optional<principal> who() const;
	[[nodiscard]] bool secure() const noexcept;
	/**
	 * Whether it came as early data: who() is certain, peer() is not; it has no forward
	 * secrecy, and an attacker may bring the client to send it once more to another server of
	 * the name.
	 */
	[[nodiscard]] bool early() const noexcept;
	/** Number of the session that it came over: who() is the same as long as it is; 0: clear.
	 */
	[[nodiscard]] std::uint32_t session() const noexcept;
	/** After which its client does not wait any more; absent: it did not say. */
	[[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline()
		const noexcept;

	/**
	 * Answers it. Does not wait: what finds no memory is sent later, by who waits for requests.
	 * If its client is gone this has no effect.
	 * @throws std::system_error what the kernel says, such as EMSGSIZE; std::invalid_argument
	 *         for a header that breaks a limit. It is not answered then. In coroutines on an
	 *         engine with io_uring, what the kernel says comes too late to be thrown: the
	 * client is told status::not_answered.
	 */
	void answer(bytes_view body, const sdp::metadata &with = {});
	void answer(std::string_view body, const sdp::metadata &with = {})
	{
		answer(as_bytes(body), with);
	}
	/** Answers it with a status that is not ok: a failure to the client. @throws likewise. */
	void refuse(status why, std::string_view text = {}, const sdp::metadata &with = {});
	[[nodiscard]] bool is_answered() const noexcept;

private:
	std::unique_ptr<contents> is_;
};

struct listener_options {
	/**
	 * Requests that were handed out, or wait for that, unanswered, and answers that wait for
	 * memory; others: status::busy.
	 */
	std::size_t most_requests = 4096;
	std::size_t most_request = 1'000'000; /**< bytes, header included; longer: malformed */
	/**
	 * Of such requests, of answers that wait for memory, and of answers to early data that
	 * nobody has asked for yet, which have a quarter at most; with more, others: busy.
	 */
	std::size_t most_bytes = 64 << 20;
	/**
	 * Likewise, of one client's address, whatever its ports; all early data are one client's,
	 * and their answers are each name's.
	 */
	std::size_t most_requests_of_one = 1024;
	std::size_t most_bytes_of_one = 16 << 20;
};

/** Counts, from the beginning. */
struct listener_counts {
	std::uint64_t requests = 0;  /**< handed out */
	std::uint64_t early = 0;     /**< of them, that came as early data */
	std::uint64_t busy = 0;      /**< turned away: there were too many, */
	std::uint64_t greedy = 0;    /**< of them, of their client alone */
	std::uint64_t malformed = 0; /**< or too long */
	std::uint64_t expired = 0;   /**< whose deadline had passed */
	std::uint64_t failed = 0;    /**< handlers that threw */
	std::size_t outstanding = 0; /**< now */
};

/**
 * Requests to one port. next(), poll(), serve() and counts() are safe from any number of threads.
 * No thread waits for another's handshake, and handlers for none, where there are two or more.
 */
class SDP_EXPORT listener {
public:
	using clock = std::chrono::steady_clock;

	/**
	 * Listens at @p local, port 1 to 32767; the any-address of IPv6 takes IPv4 too.
	 * @throws std::invalid_argument if @p who is null; std::system_error as socket,
	 *         socket::bind() and credentials::accept().
	 */
	listener(const address &local, const std::shared_ptr<const credentials> &who,
		 const listener_options &options = {});
	/**
	 * On a bound socket that this process was given, such as by systemd; takes it in any case.
	 * @throws std::system_error EPROTOTYPE if it is no SDP socket.
	 */
	listener(int inherited, const std::shared_ptr<const credentials> &who,
		 const listener_options &options = {});
	explicit listener(std::shared_ptr<detail::listener_core> core) noexcept;
	~listener();
	listener(listener &&other) noexcept;
	listener &operator=(listener &&other) noexcept;
	listener(const listener &) = delete;
	listener &operator=(const listener &) = delete;

	/**
	 * The next request. Empty: @p until has passed (never, if absent), or @p stop was asked
	 * for.
	 * @throws std::system_error when the socket is broken.
	 */
	[[nodiscard]] std::optional<request> next(std::optional<clock::time_point> until = {},
						  const std::stop_token &stop = {});

	/**
	 * Has @p handler answer each request, on @p threads threads, of which this is one; until
	 * @p stop is asked for. An exception that leaves it is
	 * counted; its request, as all that are dropped, is answered with not_answered.
	 * @throws std::system_error as next(), after all threads have ended.
	 */
	void serve(const std::function<void(request)> &handler, unsigned threads = 1,
		   const std::stop_token &stop = {});
	/**
	 * Likewise, with a coroutine for each request: it begins on one of these threads, and goes
	 * on where what it awaits resumes it. Returns when all of them have ended.
	 */
	void serve_async(const std::function<task<void>(request)> &handler, unsigned threads = 1,
			 const std::stop_token &stop = {});

	/**
	 * Likewise, on an engine: requests come, coroutines run and answers go on its thread, in
	 * batches where that is on io_uring. This thread, which is not to be the engine's, does the
	 * handshakes. One at a time.
	 */
	void serve_on(engine &on, const std::function<task<void>(request)> &handler,
		      const std::stop_token &stop = {});

	/**
	 * For a loop of the program's own: readable when poll() has something to do, level
	 * triggered. Handshakes and answers that waited for memory are done in poll().
	 */
	[[nodiscard]] int fd() const noexcept;
	/**
	 * The next request, without waiting; empty: there is none, wait for fd(). A handshake
	 * may take some milliseconds. Calling it too often or too seldom does no harm.
	 */
	[[nodiscard]] std::optional<request> poll();
	/** Whether poll() has one without asking the kernel, so that it is cheap to call again. */
	[[nodiscard]] bool has_ready() const;

	[[nodiscard]] address local() const;
	[[nodiscard]] listener_counts counts() const;

private:
	std::shared_ptr<detail::listener_core> core_;
};

} // namespace sdp::inline v0

#endif
