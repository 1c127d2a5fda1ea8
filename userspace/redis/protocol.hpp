// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Redis over SDP, as both ends have it: calls of sdp::channel whose bodies are RESP. docs/redis.md
 * says what they mean.
 *
 * A call's method is a number: a connection's, which its client chooses, and two flags. A client
 * has at most one call of a connection under way: calls overtake each other.
 */
#ifndef SDP_REDIS_PROTOCOL_HPP
#define SDP_REDIS_PROTOCOL_HPP

#include <cstddef>
#include <cstdint>
#include <sdp/status.hpp>
#include <string_view>

namespace sdp::redis {

/** The connection begins with this call; one of this number that there was has ended. */
inline constexpr std::uint32_t begins = std::uint32_t{1} << 31;
/** It ends with this call. With both the server remembers nothing. */
inline constexpr std::uint32_t ends = std::uint32_t{1} << 30;
/** The largest number of a connection. */
inline constexpr std::uint32_t most_connection = ends - 1;

/** Metadata of a reply: there is more of it, which an empty call of the connection asks for. */
inline constexpr std::string_view more = "more";
/** Likewise: the server has ended the connection, and forgotten it. */
inline constexpr std::string_view ended = "ended";

/** Bytes of RESP in one call or reply, at most; with its header a message has 1,000,000. */
inline constexpr std::size_t most_body = 983'040;

/** Statuses: why a call was not executed. */
inline constexpr status no_connection = application_status(0); /**< it has ended, or is another's */
inline constexpr status no_user = application_status(1);       /**< none for that certificate */
inline constexpr status too_many = application_status(2);      /**< connections: maxclients */

} // namespace sdp::redis

#endif
