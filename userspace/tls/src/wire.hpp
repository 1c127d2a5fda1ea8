// SPDX-License-Identifier: Apache-2.0
/** @file Bytes of the handshake's datagrams, and of what the two ends say inside TLS. */
#ifndef SDP_TLS_WIRE_HPP
#define SDP_TLS_WIRE_HPP

#include "openssl.hpp"

#include <sdp/tls_core.hpp>

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sdp::inline v0::tls::wire {

inline constexpr std::string_view alpn = "sdp/1";
inline constexpr std::string_view session_label = "EXPERIMENTAL sdp/1 session";
inline constexpr std::string_view flight_label = "EXPERIMENTAL sdp/1 flights";

inline constexpr std::uint8_t our_version = 1;
inline constexpr std::size_t head_length = 64;
inline constexpr std::size_t room = datagram_length - head_length;
/** Pieces of a flight: a chain of certificates has to fit. */
inline constexpr std::size_t most_pieces = 24;
inline constexpr std::size_t longest_flight = 16384;

enum class kind : std::uint8_t {
	hello = 1,   /**< client: ClientHello, asks for a piece of the server's flight */
	flight = 2,  /**< server: a piece of its flight */
	final = 3,   /**< client: a piece of its second flight */
	answer = 4,  /**< server: its last flight */
	cookie = 5,  /**< server: show first that you are there */
	refusal = 6, /**< server, or anybody */
};

using tag = std::array<std::byte, 16>;

struct packet {
	wire::kind kind{};
	tls::reason reason{};    /**< of a refusal */
	std::uint16_t index = 0; /**< of the piece that is here, or (hello) asked for */
	std::uint16_t count = 0; /**< pieces */
	wire::tag tag{};         /**< begins the hello's hash */
	digest check{};          /**< cookie, hash of the list of pieces, or code */
	bytes_view data{};       /**< in what was parsed */
};

/** Empty: not of this handshake, or of another version, or with lengths that do not fit. */
std::optional<packet> parse(bytes_view bytes);
/** Whether it begins as one of another version, and which. */
std::optional<std::uint8_t> other_version(bytes_view bytes);
/** @param length of the datagram, filled up with zeros; 0: as long as it has to be. */
datagram build(const packet &what, std::size_t length);

wire::tag tag_of(bytes_view hello);
/**
 * Bytes of the early data in a hello, 0 if there are none. Empty: it is not one record with a part
 * of TLS's handshake, and perhaps another one with early data, and no byte more.
 */
std::optional<std::size_t> early_in(bytes_view hello);
/** Whether this end's hello, in one record, shows a ticket or names an external key. */
bool shows_ticket(bytes_view hello);
/**
 * Whether a server's flight is written in the one way that there is: ServerHello in a record of its
 * own, and encrypted ones behind it. TLS takes others for the same; the hash does not.
 */
bool is_flight(bytes_view flight);
/** Of a final or an answer: its code under @p key. */
digest code_of(bytes_view key, const packet &what);

/** A flight in pieces: the first begins with the list of the hashes of all. */
class pieces {
public:
	explicit pieces(bytes_view flight);

	[[nodiscard]] std::size_t count() const noexcept { return parts_.size(); }
	[[nodiscard]] const digest &head() const noexcept { return head_; }
	[[nodiscard]] bytes_view at(std::size_t index) const { return parts_.at(index); }

private:
	std::vector<std::vector<std::byte>> parts_;
	digest head_{};
};

/**
 * A flight that is put together again. What does not belong to it is told at once: the
 * list of hashes came first, and is the one that the head is the hash of.
 */
class gathering {
public:
	/** Empty: @p first, the piece with index 0 of @p count, is not what @p head says. */
	static std::optional<gathering> begin(const digest &head, std::size_t count,
					      bytes_view first);

	/** False: not a piece of this flight. */
	bool add(std::size_t index, bytes_view data);
	[[nodiscard]] bool complete() const noexcept { return missing_ == 0; }
	[[nodiscard]] std::size_t count() const noexcept { return parts_.size(); }
	[[nodiscard]] bool has(std::size_t index) const { return parts_.at(index).has_value(); }
	[[nodiscard]] const digest &head() const noexcept { return head_; }
	[[nodiscard]] std::vector<std::byte> flight() const;

private:
	gathering() = default;

	digest head_{};
	std::vector<digest> hashes_;
	std::vector<std::optional<std::vector<std::byte>>> parts_;
	std::size_t missing_ = 0;
};

/** An address as bytes: IPv4 is v4-mapped; no scope. */
struct place {
	std::array<std::byte, 16> ip{};
	std::uint16_t port = 0;

	friend bool operator==(const place &, const place &) = default;
	friend auto operator<=>(const place &, const place &) = default;
};
place place_of(const address &from);

/** What the client says inside TLS, once the server has shown who it is. */
struct offer {
	std::uint16_t client_port = 0, server_port = 0;
	std::uint16_t cipher = 0, record_size = 0;
	sdp::nonce nonce{};
	host_id host{};
	place own{};    /**< the client, as it sees itself */
	place called{}; /**< the server, as the client calls it */
};

/** And what the server says to that. */
struct response {
	tls::reason status{};
	/** For so long it has been there, at most: no server before it has had what came since. */
	std::chrono::duration<std::uint16_t> age{};
	sdp::nonce nonce{};
};

/** Early data. */
struct early {
	std::uint16_t client_port = 0;
	early_token token{};
	bytes_view request{}; /**< in what was parsed */
};
std::vector<std::byte> build(const early &what);
std::optional<early> parse_early(bytes_view bytes);

std::vector<std::byte> build(const offer &what);
std::vector<std::byte> build(const response &what);
std::optional<offer> parse_offer(bytes_view bytes);
std::optional<response> parse_response(bytes_view bytes);

inline constexpr std::size_t offer_length = 80;
inline constexpr std::size_t response_length = 20;

/** What both ends have said, all of it: the context of the session. */
struct transcript {
	digest client_hello{}, server_flight{}, client_flight{};
	offer offered{};
	sdp::nonce server_nonce{};
	digest client{}, server{}; /**< identities */
};
digest context_of(const transcript &all);

/** The id that the kernel derives of an agreement whose parameters have both nonces. */
std::uint32_t session_id(const session_parameters &of, const secret &keyed);

} // namespace sdp::inline v0::tls::wire

#endif
