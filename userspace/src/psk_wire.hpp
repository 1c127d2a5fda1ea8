// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The bytes and keys of the handshake with a shared secret (docs/wire.md). Nothing here
 * knows of sockets or clocks.
 */
#ifndef SDP_SRC_PSK_WIRE_HPP
#define SDP_SRC_PSK_WIRE_HPP

#include <sdp/address.hpp>
#include <sdp/message.hpp>
#include <sdp/secret.hpp>
#include <sdp/session.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sdp::inline v0::psk {

inline constexpr std::uint8_t our_version = 2;
inline constexpr std::size_t length = 204;
/** What all versions have in common; a refusal without a code ends here. */
inline constexpr std::size_t head_length = 32;

enum class kind : std::uint8_t { hello = 1, challenge = 2, confirm = 3, accept = 4, refusal = 5 };

/** Why a server does not go on. Only the last three may come with a code. */
enum class reason : std::uint8_t {
	none = 0,
	version = 1, /**< of the handshake: that of the refusal is the server's */
	secret = 2,  /**< the code is wrong */
	itself = 3,  /**< the client is of this very host, and called another */
	port = 4,    /**< the port that was called is not this one */
	declined = 5,
	busy = 6,
};

using ip_bytes = std::array<std::byte, 16>; /**< IPv4 as v4-mapped */
using host_id = std::array<std::byte, 16>;
using attempt_id = std::array<std::byte, 12>;
using packet = std::array<std::byte, length>;
using head = std::array<std::byte, head_length>;
using digest = std::array<std::byte, 32>;

/** Address and UDP port of an end. */
struct place {
	ip_bytes ip{};
	std::uint16_t port = 0;

	friend bool operator==(const place &, const place &) = default;
};

[[nodiscard]] ip_bytes ip_of(const address &of);
[[nodiscard]] place place_of(const address &of);

/** What the client wants: the same in all packets of one handshake. */
struct wish {
	std::uint16_t client_port = 0; /**< of the client's SDP socket */
	std::uint16_t server_port = 0; /**< of the server's, as the client called it */
	sdp::cipher cipher{};
	std::uint16_t record_size = 0;
	attempt_id attempt{};
	nonce client{};
	host_id host{}; /**< of the client */

	friend bool operator==(const wish &, const wish &) = default;
};

struct cookie {
	std::uint64_t time = 0; /**< milliseconds of the server's clock */
	std::array<std::byte, 16> code{};

	friend bool operator==(const cookie &, const cookie &) = default;
};

struct fields {
	psk::kind kind{};
	psk::reason reason{};
	psk::wish wish;
	place client;      /**< as the client sees itself */
	place seen;        /**< the client, as the server sees it */
	host_id host{};    /**< of the server */
	ip_bytes server{}; /**< the server's address, as it sees itself */
	nonce server_nonce{};
	psk::cookie cookie;
};

/** What both ends make of the secret, and of the name of the server. */
class keys {
public:
	/** @throws std::system_error EINVAL for an empty secret. */
	keys(const secret &shared, std::string_view name);

	[[nodiscard]] const secret &client_code() const noexcept { return client_; }
	[[nodiscard]] const secret &server_code() const noexcept { return server_; }
	/** An id for the host of which @p bytes tell. */
	[[nodiscard]] host_id host(bytes_view bytes) const;
	/** What the kernel gets. */
	[[nodiscard]] secret session(const digest &context) const;

private:
	secret client_;
	secret server_;
	secret host_;
	secret session_;
};

/** HMAC-SHA256. */
[[nodiscard]] secret hmac(const secret &key, bytes_view data);

[[nodiscard]] packet seal(const fields &what, const secret &code_key);
/** Empty: of another length, version or key. */
[[nodiscard]] std::optional<fields> open(bytes_view bytes, const secret &code_key);

/** The beginning of any version's packet. */
struct beginning {
	std::uint8_t version = 0;
	psk::kind kind{};
	psk::reason reason{};
	attempt_id attempt{};
};
[[nodiscard]] std::optional<beginning> beginning_of(bytes_view bytes);
/** A refusal without a code, in answer to a packet that began with @p asked. */
[[nodiscard]] head refuse(const beginning &asked, reason why);

/** Hash of what both ends have said: 32 bytes for the kernel's key schedule. */
[[nodiscard]] digest context(const fields &accepted);
/** Hash of what the client wants, and from where. */
[[nodiscard]] digest fingerprint(const wish &wish, const ip_bytes &from);

} // namespace sdp::inline v0::psk

#endif
