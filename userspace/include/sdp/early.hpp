// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Early data: a request that travels in the first datagram of a handshake, before there is a
 * session. docs/handshake.md says what it lacks: forward secrecy, and that whoever is in the
 * network cannot have it executed twice.
 */
#ifndef SDP_EARLY_HPP
#define SDP_EARLY_HPP

#include <sdp/address.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace sdp::inline v0 {

/** Bytes of a request that can be sent as early data, at most, its header included. */
inline constexpr std::size_t longest_early = 640;

/** What has become of a request that was to be sent as early data. */
enum class early_fate : std::uint8_t {
	not_sent,  /**< nothing of it has left this host */
	refused,   /**< the server has not executed it, and will not */
	accepted,  /**< the server has it, and executes it once */
	unknown,   /**< it was sent, and the server may have it or not */
	withdrawn, /**< set by who does not want it any more, in place of not_sent: it never is */
};

/** By which the client asks for the answer. Nobody else knows it. */
using early_token = std::array<std::byte, 16>;

/** At the client: a request for a handshake to take along, and what came of it. */
struct early_exchange {
	std::vector<std::byte> request{}; /**< at most longest_early bytes */
	early_token token{};              /**< random */
	/** Changed by the handshake's thread, before it sends anything and also where it fails. */
	std::atomic<early_fate> fate = early_fate::not_sent;
	/** The answer, if the server had it before the handshake's end. */
	std::optional<std::vector<std::byte>> reply{};
};

/** At the server: a request that came as early data. */
struct early_arrival {
	/** Its client, as far as is known: nothing has been sent there yet. */
	address peer{};
	early_token token{};
	std::vector<std::byte> request{};
};

/** Gives the answer away, if it is there and has at most so many bytes. */
using early_answer = std::function<std::optional<std::vector<std::byte>>(std::size_t most)>;

} // namespace sdp::inline v0

#endif
