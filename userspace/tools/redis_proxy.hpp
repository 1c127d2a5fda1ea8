// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * sdp redis-proxy: takes RESP on local sockets and carries it to Redis over SDP. It does not look
 * into it: a connection's bytes go in calls, of which one at a time is under way, and what comes
 * back goes to the client, so that all stays in order. One thread, and that of the channel's
 * engine.
 */
#ifndef SDP_TOOLS_REDIS_PROXY_HPP
#define SDP_TOOLS_REDIS_PROXY_HPP

#include "check.hpp"
#include "commands.hpp"

#include <sdp/channel.hpp>
#include <sdp/task.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tool {

/** A listening TCP socket. @throws usage_error if @p where is not on this host's loopback. */
[[nodiscard]] sdp::detail::file listen_on_loopback(const std::string &where);
/** A listening Unix socket that its owner alone may use. One that nobody listens on is replaced. */
[[nodiscard]] sdp::detail::file listen_on_path(const std::string &path);

class redis_forwarder {
public:
	redis_forwarder(std::vector<sdp::detail::file> on, const redis_proxy_options &options);
	/** Until SIGINT or SIGTERM, which have to be blocked. */
	void run();

private:
	struct local {
		sdp::detail::file fd;
		std::uint32_t number = 0; /**< of the connection at the server */
		std::string in{};         /**< read, not sent */
		std::string out{};        /**< received, not written */
		std::size_t written = 0;  /**< of it */
		std::uint32_t events = 0; /**< that are waited for */
		bool is_open = false;     /**< the server remembers it */
		bool is_called = false;   /**< a call is under way */
		bool has_more = false;    /**< the server has more of the reply */
		bool is_read = false;     /**< to its end */
		bool is_over = false;     /**< nothing more goes to the server */
	};
	struct answer {
		std::uint32_t number;
		sdp::result<sdp::reply> got;
	};
	using locals = std::unordered_map<std::uint32_t, local>;

	void watch(int fd, std::uint32_t events, std::uint64_t what, bool is_new);
	void accept_from(int listener);
	void listen_again(bool yes);
	void read_from(local &which);
	void write_to(local &which);
	/** Does what can be done for it now. @return false if it is gone. */
	bool go_on(std::uint32_t number);
	void call(local &which, std::string_view body);
	void take_answers();
	void answered(local &which, sdp::result<sdp::reply> &&got);
	void drop(std::uint32_t number);

	std::vector<sdp::detail::file> listeners_;
	std::size_t most_;
	sdp::detail::file epoll_, wake_, signals_;
	std::mutex lock_; /**< of the next */
	std::vector<answer> answers_;
	locals clients_;
	std::uint32_t next_ = 0;
	bool is_listening_ = true;
	sdp::task_group calls_;
	sdp::channel to_; /**< destroyed first: it ends the calls */
};

} // namespace tool

#endif
