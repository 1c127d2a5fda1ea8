// SPDX-License-Identifier: Apache-2.0
/** @file Sessions: keys shared with one peer. Installed with socket::add_session(). */
#ifndef SDP_SESSION_HPP
#define SDP_SESSION_HPP

#include <sdp/address.hpp>
#include <sdp/export.hpp>
#include <sdp/secret.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sdp::inline v0 {

/** Values are TLS 1.3 code points (RFC 8446, B.4). */
enum class cipher : std::uint16_t {
	aes_128_gcm = 0x1301,
	aes_256_gcm = 0x1302,
	chacha20_poly1305 = 0x1303,
};

/** "aes-128-gcm", "aes-256-gcm", "chacha20-poly1305". */
[[nodiscard]] SDP_EXPORT std::string_view name(cipher which) noexcept;
/** @throws std::invalid_argument for any other name. */
[[nodiscard]] SDP_EXPORT cipher cipher_named(std::string_view name);

/** Who opened the handshake is the client; either end may send requests. */
enum class role : std::uint16_t { client = 0, server = 1 };

/** Bytes of plaintext of a full record, with the type byte: limits and default. */
inline constexpr std::uint16_t record_size_min = 256;
inline constexpr std::uint16_t record_size_max = 16385;
inline constexpr std::uint16_t record_size_default = 16256;

/** What both ends have to agree on before a session is installed. */
struct session_parameters {
	address peer;     /**< address and port of the other end */
	sdp::role role{}; /**< the two ends differ */
	sdp::cipher cipher = cipher::aes_128_gcm;
	std::uint16_t record_size = record_size_default; /**< bytes */
	nonce own_nonce{};                               /**< from socket::new_nonce() */
	nonce peer_nonce{};                              /**< from the peer's */
	/** Own address; any: the one from which the peer is first known to have heard this end. */
	address local;
	/**
	 * A hash of what both ends know of each other: identities, ports, roles, the transcript
	 * of their handshake. Keys of ends that name another have nothing in common.
	 */
	std::array<std::byte, 32> context{};
};

/** State of a session. There are no key bytes in it. */
struct session_info {
	std::uint32_t id = 0;
	address peer;
	address local; /**< any, until the peer is known to have heard it */
	sdp::role role{};
	sdp::cipher cipher{};
	std::uint16_t record_size = 0;
	bool offloaded = false; /**< whether a NIC encrypts */
	std::uint64_t tx_epoch = 0, rx_epoch = 0;
	std::uint64_t tx_messages = 0, tx_messages_left = 0; /**< of this epoch */
	std::uint64_t tx_blocks = 0, tx_blocks_left = 0;     /**< AES blocks of this epoch */
	std::uint64_t rx_messages = 0, rx_failed = 0;
	std::chrono::nanoseconds silent{}; /**< since the last authenticated packet */
	std::string driver;                /**< AEAD implementation of the kernel */
};

} // namespace sdp::inline v0

#endif
