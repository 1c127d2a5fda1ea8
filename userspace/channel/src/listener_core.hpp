// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A listener: one thread of those that wait looks at the kernel, the others wait for it. No lock
 * is held while it looks, and it makes room for another before it does a handshake.
 */
#ifndef SDP_CHANNEL_LISTENER_CORE_HPP
#define SDP_CHANNEL_LISTENER_CORE_HPP

#include "buffers.hpp"
#include "check.hpp"
#include "early_answers.hpp"
#include "engine_core.hpp"
#include "poller.hpp"
#include "shares.hpp"
#include "transport.hpp"

#include <sdp/credentials.hpp>
#include <sdp/listener.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <sys/epoll.h>
#include <vector>

namespace sdp::inline v0::detail {

/** What a listener listens to, as it is the real one's or a test's. */
struct listener_parts {
	std::shared_ptr<void> keeps{}; /**< what the others need; destroyed after them */
	std::shared_ptr<transport> by{};
	std::unique_ptr<handshake_acceptor> handshakes{}; /**< null: none */
	std::function<void()> refuse{}; /**< has the kernel take no more requests */
	std::function<address()> local{};
};

class listener_core final : public transport_user,
			    public std::enable_shared_from_this<listener_core> {
public:
	using clock = listener::clock;

	listener_core(listener_parts parts, const listener_options &options);

	[[nodiscard]] int fd() const noexcept { return epoll_.get(); }
	/** Waits; see listener::next(). */
	[[nodiscard]] std::optional<request> next(std::optional<clock::time_point> until,
						  const std::stop_token &stop);
	[[nodiscard]] std::optional<request> poll();
	[[nodiscard]] bool has_ready() const;
	/** Runs @p start with each request, until @p stop; whatever memory there is. */
	void serve(const std::function<void(request)> &start, const std::stop_token &stop);
	/** Has @p on receive and send, and run @p start with each request, until @p stop. */
	void serve_on(engine_core &on, const std::function<void(request)> &start,
		      const std::stop_token &stop);
	/** Takes no more; those that nobody has taken are told so. */
	void close() noexcept;

	/**
	 * Sends @p what now or, for lack of memory, later; a refusal only if nothing waits.
	 * @throws std::system_error
	 */
	void send(const std::shared_ptr<outgoing> &what);
	void handler_failed() noexcept { ++failed_; }
	void arrived(arrival &&what) override;
	void sent(const std::shared_ptr<outgoing> &what, int error) override;
	void writable() override { send_waiting(); }
	void broken(int error) override;

	/** A request that was counted is none any more. */
	void ended(const request::contents &what) noexcept;
	[[nodiscard]] std::optional<principal> who(const address &peer, std::uint32_t id) const;
	[[nodiscard]] listener_counts counts() const;
	[[nodiscard]] address local() const { return parts_.local(); }

private:
	using contents = std::unique_ptr<request::contents>;

	/** What an event of the kernel's is about. */
	enum class source : std::uint64_t { socket, handshakes, wake, retry };

	void watch(int operation, int fd, std::uint32_t events, source which);
	/** @param look as the only one who does; whether there are handshakes to be done. */
	void look_alone(std::unique_lock<std::mutex> &held, const std::function<bool()> &look);
	/** @return whether there are handshakes to be done, which waits for nobody else. */
	[[nodiscard]] bool look(std::optional<clock::time_point> until);
	/** Likewise; requests are looked for first, and mostly alone. */
	[[nodiscard]] bool look_at_once();
	/** Has fd() readable while requests wait for poll(), or no longer. By the lock. */
	void keep_readable(bool yes) noexcept;
	void handle(const epoll_event &event);
	/** @return whether anything came. */
	bool receive();
	void await_handshakes();
	void admit(arrival &&what);
	/** @param whose the share that it would be of. */
	[[nodiscard]] bool has_room(const address &whose);
	void hold(arrival &&what, parsed<request_header> &&said);
	void turn_away(const return_path &to, status why, std::string_view text) noexcept;
	// listener_early.cpp
	early_answer take_early(early_arrival &&what, principal who);
	void collect(const return_path &to, bytes_view token);
	void send_early(const early_token &token, const early_answers::bytes &answer);
	void send_collected(const return_path &to, bytes_view answer);
	void shake_hands();
	void send_waiting();
	/** Has it sent by send_waiting(). By send_lock_. */
	void keep(const std::shared_ptr<outgoing> &what);
	/** Has send_waiting() called when there is memory, or never. By send_lock_. */
	void want_write(bool yes);
	/** Likewise, after a while. */
	void try_later() noexcept;
	/** On the engine's thread. */
	void begin(request what) noexcept;
	/** Between the engine's looks and ours. */
	void leave(engine_core &on);
	/** A request that somebody still waits for. By the lock, which it gives up meanwhile. */
	[[nodiscard]] std::optional<request> take(std::unique_lock<std::mutex> &held);
	void wake() noexcept;

	listener_parts parts_;
	const listener_options options_;
	file epoll_;
	file wake_;
	file retry_;     /**< a timer */
	mapping buffer_; /**< of who looks */

	mutable std::mutex lock_; /**< of the next four; not held in system calls that wait */
	std::condition_variable_any changed_;
	std::deque<contents> ready_;
	bool is_looked_at_ = false; /**< a thread looks at the kernel: the only one */
	bool is_kept_readable_ = false;
	unsigned looks_ = 0; /**< of who looks at once */

	early_answers early_answers_;
	shares shares_;

	std::mutex send_lock_; /**< of answers that found no memory, and how they go */
	std::vector<std::shared_ptr<outgoing>> unsent_;
	std::chrono::milliseconds pause_{}; /**< before they are tried again */
	engine_core *engine_ = nullptr;     /**< that serves now */
	std::shared_ptr<attached> attached_{};

	// The engine's thread's, while it serves.
	const std::function<void(request)> *start_ = nullptr;
	std::stop_source ending_{std::nostopstate};
	std::atomic<int> broken_ = 0; /**< an errno value */

	std::atomic<std::size_t> outstanding_ = 0;
	std::atomic<std::size_t> waiting_ = 0; /**< answers: as many as unsent_ has */
	std::atomic<std::size_t> bytes_ = 0;   /**< of both */
	std::atomic<std::uint64_t> handed_out_ = 0, early_ = 0, busy_ = 0, greedy_ = 0,
				   malformed_ = 0, expired_ = 0, failed_ = 0;
};

/** The bytes of a reply. @throws std::invalid_argument for a header that breaks a limit. */
std::vector<std::byte> make_reply(const reply_header &header, bytes_view body);

} // namespace sdp::inline v0::detail

namespace sdp::inline v0 {

struct request::contents {
	detail::arrival message{};
	request_header header{};
	std::size_t body = 0; /**< where it begins */
	std::optional<listener::clock::time_point> deadline{};
	/** Set once it is handed out; before, its listener has it. */
	std::shared_ptr<detail::listener_core> of{};
	bool is_answered = false;
};

} // namespace sdp::inline v0

#endif
