// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Redis's clients over SDP: one socket in Redis's event loop, peers as their certificates name
 * them, and the connections of each. Everything happens on Redis's thread; while Redis runs a long
 * script it looks at its events from within a command, and this is entered again.
 */
#ifndef SDP_REDIS_SERVICE_HPP
#define SDP_REDIS_SERVICE_HPP

#include "arguments.hpp"
#include "check.hpp"
#include "executor.hpp"

#include <sdp/listener.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace sdp::redis {

/** Counts, from the beginning but for those that say otherwise. */
struct service_counts {
	std::uint64_t calls = 0;
	std::uint64_t commands = 0;
	std::uint64_t refused = 0;    /**< calls, for want of a user, a connection or room */
	std::uint64_t unanswered = 0; /**< calls whose reply could not be sent */
	std::uint64_t forgotten = 0;  /**< connections that were silent for too long */
	std::size_t peers = 0;        /**< now */
	std::size_t connections = 0;  /**< now */
	std::size_t held = 0;         /**< bytes, now */
};

class service {
public:
	/** Listens, and is in Redis's loop from now on. @throws std::exception why not. */
	service(RedisModuleCtx *loader, arguments said);
	~service();
	service(const service &) = delete;
	service &operator=(const service &) = delete;
	service(service &&) = delete;
	service &operator=(service &&) = delete;

	/** A command that came over it is running: it cannot be taken away. */
	[[nodiscard]] bool runs() const noexcept { return depth_ > 0; }
	[[nodiscard]] service_counts counts() const noexcept;
	[[nodiscard]] address local() const { return listener_.local(); }

private:
	struct peer {
		std::uint32_t session = 0; /**< the last that was looked up */
		bool is_known = false;     /**< it may be anybody otherwise */
		principal is{};            /**< whose its connections are */
		redis_string user{};
		std::map<std::uint32_t, connection> connections{};
		std::uint64_t last = 0;   /**< tick */
		std::uint64_t looked = 0; /**< tick in which its user was on */
	};
	struct hash {
		std::size_t operator()(const address &of) const noexcept;
	};

	static void readable(int fd, void *self, int mask) noexcept;
	static void before_sleep(RedisModuleCtx *on, api::server_event what, std::uint64_t which,
				 void *more) noexcept;
	static void tick(int fd, void *self, int mask) noexcept;
	void watch(bool yes);
	void set_timer(std::chrono::milliseconds first);
	void leave_loop();

	void take() noexcept;
	void handle(request &&what);
	/** Who asks. Null: @p what was refused. */
	peer *find_peer(request &what);
	bool identify(peer &who, request &what);
	connection *find_connection(peer &who, request &what, std::uint32_t number, bool begin);
	/** Runs the commands of @p body; what came out is in @p out. */
	void run(peer &who, connection &of, std::string_view body, std::string &out);
	void limit(connection &of, std::string &out);
	void answer(connection &of, request &what, bool is_kept, std::string &out);
	bool is_sent(const std::function<void()> &answer);
	void refuse(request &what, status why, std::string_view text);
	void forget_silent();
	void forget(peer &of, std::map<std::uint32_t, connection>::iterator which);
	bool forget_all(peer &of);

	const arguments said_;
	const reader_limits limits_;
	const silence_rule silence_;
	listener listener_;
	executor executor_;
	std::unordered_map<address, peer, hash> peers_;
	std::string out_; /**< of who is not within another */
	int depth_ = 0;
	bool is_watched_ = false;
	detail::file timer_;      /**< not Redis's, which would not let the module go */
	bool is_due_ = false;     /**< something waits for the end of this turn of Redis's loop */
	static service *the_one_; /**< events of the server carry no data of a module's */
	const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
	std::uint64_t ticks_ = 0;                        /**< since then, when it was last looked */
	std::uint64_t next_id_ = std::uint64_t{1} << 32; /**< far from those of Redis's own */
	service_counts counts_;
};

} // namespace sdp::redis

#endif
