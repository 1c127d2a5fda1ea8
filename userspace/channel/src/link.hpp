// SPDX-License-Identifier: Apache-2.0
/** @file What a channel has of its server: sessions, and what carries messages. */
#ifndef SDP_CHANNEL_LINK_HPP
#define SDP_CHANNEL_LINK_HPP

#include "session_watch.hpp"
#include "transport.hpp"

#include <sdp/channel.hpp>
#include <sdp/credentials.hpp>
#include <sdp/socket.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace sdp::inline v0::detail {

/** renew() and use() are for one thread. */
class link {
public:
	link() = default;
	virtual ~link() = default;
	link(const link &) = delete;
	link &operator=(const link &) = delete;
	link(link &&) = delete;
	link &operator=(link &&) = delete;

	/** Where the server is, and who; from the last renew(). */
	struct made {
		std::shared_ptr<transport> by{}; /**< the same every time */
		address server{};
		principal peer{};
	};
	/**
	 * A new session, in the place of the present one. Blocks. @throws std::system_error
	 * @param early a request to take along, if that can be; or null.
	 */
	virtual made renew(const std::stop_token &stop, early_exchange *early) = 0;
	/** Whether there are any: not in the clear. */
	[[nodiscard]] virtual bool has_sessions() const noexcept = 0;
	/** Absent: it is gone. */
	[[nodiscard]] virtual std::optional<session_use> use() const = 0;
};

/** By a socket, a resolver and credentials. */
class socket_link final : public link {
public:
	/** @throws std::invalid_argument for a target without a port. */
	socket_link(std::string target, std::shared_ptr<const credentials> who,
		    const channel_options &options);

	made renew(const std::stop_token &stop, early_exchange *early) override;
	[[nodiscard]] bool has_sessions() const noexcept override;
	[[nodiscard]] std::optional<session_use> use() const override;

private:
	void open(ip version);

	const std::string target_;
	const std::shared_ptr<const credentials> who_;
	std::string server_name_;
	const std::chrono::milliseconds timeout_;
	const std::size_t most_reply_;
	address server_{};
	std::optional<ip> version_{};
	std::shared_ptr<socket> on_{};
	std::shared_ptr<transport> by_{};
};

} // namespace sdp::inline v0::detail

#endif
