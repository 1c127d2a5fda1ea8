// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What the generator asks of a transport: a server that answers as headers say, and a
 * client with which requests are sent and answers waited for.
 */
#ifndef BENCH_TRANSPORT_HPP
#define BENCH_TRANSPORT_HPP

#include "message.hpp"
#include "pipe.hpp"

#include <sdp/address.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace bench {

using clock = std::chrono::steady_clock;

/** What is measured, as both ends are told. */
struct plan {
	sdp::address server;
	/** Where clients of many lanes are, an address each from this one on; any: nowhere else. */
	sdp::address clients;
	std::uint32_t longest = 0; /**< bytes of the longest message, either way */
	/** Streams have a connection each; requests of one may wait for each other. */
	std::uint32_t lanes = 1;
	/** Each lane is a peer of its own: a socket, an address, a session. */
	bool peers = false;
	/** One lane with one RPC at a time: both ends may block in sending. */
	bool alone = false;
};

/** An end that sends requests. Not for several threads. */
class client {
public:
	client() = default;
	virtual ~client() = default;
	client(const client &) = delete;
	client &operator=(const client &) = delete;

	/**
	 * Sends a request of @p length bytes for an answer of @p answer. Does not wait for the
	 * other end, unless the plan is for a client that is alone.
	 */
	virtual void request(std::uint32_t lane, std::uint64_t tag, std::uint32_t length,
			     std::uint32_t answer) = 0;
	/**
	 * Waits for an answer; its tag. Empty when @p until has passed; forever without.
	 * @throws std::system_error EINTR when a signal came.
	 */
	virtual std::optional<std::uint64_t> next(std::optional<clock::time_point> until) = 0;
};

struct transport {
	std::string_view name;
	/** Bytes of its longest message. */
	std::size_t longest;
	/** Whether lost packets are sent again. */
	bool reliable;
	/** Whether lanes may be peers of their own. */
	bool many;
	/** Serves until the process is killed; the sign by the pipe says that it is ready. */
	void (*serve)(const plan &, const pipe_pair &);
	std::unique_ptr<client> (*connect)(const plan &, const pipe_pair &);
};

std::span<const transport> udp_transports();
std::span<const transport> stream_transports();
std::span<const transport> sdp_transports();
std::span<const transport> channel_transports();

/** Null if there is none of that name. */
const transport *transport_named(std::string_view name);

/** Address @p index of @p many's; with port 0. */
sdp::address client_address(const sdp::address &first, std::uint32_t index);

} // namespace bench

#endif
