// SPDX-License-Identifier: Apache-2.0
/** @file Ways to a Redis server. */
#ifndef BENCH_LINK_HPP
#define BENCH_LINK_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace bench {

struct reply {
	std::uint32_t lane;
	std::string text; /**< RESP, one reply */
};

/** Of one thread. All throw std::exception's children when the connection fails. */
class link {
public:
	link() = default;
	virtual ~link() = default;
	link(const link &) = delete;
	link &operator=(const link &) = delete;

	/** Sends a command, in RESP, on a lane that waits for none. */
	virtual void send(std::uint32_t lane, std::string_view command) = 0;
	/** The next reply; none before @p until. */
	virtual std::optional<reply> next(
		std::optional<std::chrono::steady_clock::time_point> until) = 0;
};

/** A connection to "ADDRESS:PORT" for each lane, by TCP or by OpenSSL's TLS. */
std::unique_ptr<link> connect_streams(const std::string &to, std::uint32_t lanes, bool tls);
/** A channel for all; lanes are calls. @param credentials a folder that `sdp cert` made. */
std::unique_ptr<link> connect_channel(const std::string &to, const std::string &credentials);

} // namespace bench

#endif
