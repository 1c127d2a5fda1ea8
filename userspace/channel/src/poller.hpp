// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What an engine runs on: epoll or io_uring behind one interface. All functions but wake() are
 * for the engine's thread.
 */
#ifndef SDP_CHANNEL_POLLER_HPP
#define SDP_CHANNEL_POLLER_HPP

#include "transport.hpp"

#include <sdp/engine.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

namespace sdp::inline v0::detail {

/** Who uses a transport. Told on the engine's thread, without locks of the engine's. */
class transport_user {
public:
	transport_user() = default;
	virtual ~transport_user() = default;
	transport_user(const transport_user &) = delete;
	transport_user &operator=(const transport_user &) = delete;
	transport_user(transport_user &&) = delete;
	transport_user &operator=(transport_user &&) = delete;

	virtual void arrived(arrival &&what) = 0;
	/** What became of a send that was queued: 0 or an errno value. */
	virtual void sent(const std::shared_ptr<outgoing> &what, int error) = 0;
	/** There may be memory again, after poller::want_write(). */
	virtual void writable() = 0;
	/** Nothing comes any more: @p error is an errno value. */
	virtual void broken(int error) = 0;
};

/** A transport on an engine. */
struct attached {
	std::shared_ptr<transport> by;
	std::weak_ptr<transport_user> user;
	std::uint64_t key = 0;    /**< the engine's */
	bool is_detached = false; /**< on the engine's thread */
};

class poller {
public:
	using clock = std::chrono::steady_clock;

	poller() = default;
	virtual ~poller() = default;
	poller(const poller &) = delete;
	poller &operator=(const poller &) = delete;
	poller(poller &&) = delete;
	poller &operator=(poller &&) = delete;

	[[nodiscard]] virtual engine_kind kind() const noexcept = 0;
	/** Before all else that the engine's thread asks for. */
	virtual void begin() noexcept {}
	/** Behind all that: the kernel uses no memory of ours any more. */
	virtual void end() noexcept {}
	/** From now on what arrives is told. @throws std::system_error */
	virtual void add(const std::shared_ptr<attached> &what) = 0;
	/** What was taken from the kernel before is told still; nothing else. */
	virtual void remove(const std::shared_ptr<attached> &what) noexcept = 0;
	virtual void want_write(const std::shared_ptr<attached> &what) = 0;
	/** Queues a send for the next turn(); false: this one does not queue, send_now() does. */
	virtual bool send(const std::shared_ptr<attached> &what,
			  const std::shared_ptr<outgoing> &message) = 0;
	/**
	 * Sends what is queued, waits until something happens, @p until, or wake(), and tells.
	 * @throws std::system_error
	 */
	virtual void turn(std::optional<clock::time_point> until) = 0;
	/** Whether there are sends that go with the next turn(), or whose end it tells. */
	[[nodiscard]] virtual bool has_sends() const noexcept { return false; }
	/** Ends a turn(), or the next. Any thread. */
	virtual void wake() noexcept = 0;
};

/** @throws std::system_error */
std::unique_ptr<poller> make_epoll_poller();
std::unique_ptr<poller> make_uring_poller();

} // namespace sdp::inline v0::detail

#endif
