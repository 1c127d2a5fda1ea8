// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A handshake for two ends that share 32 secret bytes. One RPC in the clear on
 * a mixed socket carries both nonces; then both ends install a session.
 *
 * Both messages are 80 bytes, big-endian: "SDP-PSK", version u8 = 1, kind u8
 * (1 hello, 2 reply), status u8, cipher u16, record size u16, zero u16,
 * client's time u64 (ns since 1970), client's nonce 16, server's nonce 16
 * (zero in the hello), and the first 24 bytes of HMAC-SHA256 over all before.
 * Its key is HMAC-SHA256(secret, "sdp psk 1 mac"); what is installed is
 * HMAC-SHA256(secret, "sdp psk 1 session").
 *
 * The kernel salts the keys with both nonces and binds them to cipher and
 * record size: whoever changes a byte of the handshake gets ends that do not
 * understand each other, even without the code, which only makes the failure
 * immediate. A hello is taken once: its time must be later than that of the
 * last one from the same address and port, and it must not have come from any
 * other, so that a repeated hello does not replace a working session. There is no forward secrecy:
 * who learns the secret later reads what was recorded.
 */
#ifndef SDP_PSK_HPP
#define SDP_PSK_HPP

#include <sdp/export.hpp>
#include <sdp/secret.hpp>
#include <sdp/session.hpp>
#include <sdp/socket.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace sdp {

/** What a client asks for. */
struct psk_options {
	sdp::cipher cipher = cipher::aes_128_gcm;
	std::uint16_t record_size = record_size_default;
	std::chrono::milliseconds timeout{5000}; /**< for each of 3 tries */
};

/**
 * Makes a session with @p server; @p on is set to the mixed policy for it and
 * to the secure policy when done. If it fails, a socket that was secure is so
 * again, and any other stays mixed, which sends nothing in the clear unasked.
 * @throws std::system_error EKEYREJECTED (the secrets differ, or the reply was
 *         forged), ECONNREFUSED (the server declines), EPROTO, ETIMEDOUT, EINVAL (an
 *         empty secret).
 */
SDP_EXPORT void psk_connect(socket &on, const address &server, const secret &shared,
			    const psk_options &options = {});

namespace psk_wire {
struct handshake;
} // namespace psk_wire

/**
 * The server's side. Remembers the last hello of up to 65,536 peers, and as many hellos.
 *
 * Clients go without a word, and their sessions stay. Where this user may have no more
 * (net.sdp.user_sessions), a new one takes the place of one that has been silent for a
 * minute or more; if its client is still there, its next request times out.
 */
class SDP_EXPORT psk_acceptor {
public:
	/**
	 * @param allowed ciphers that a client may choose; empty: all.
	 * @throws std::system_error EINVAL for an empty secret.
	 */
	explicit psk_acceptor(secret shared, std::vector<cipher> allowed = {});

	/**
	 * Answers @p request if it came in the clear on the mixed socket @p on: a
	 * good hello gets a session, anything else is refused.
	 * @return false if it came encrypted, or is no request: the application's.
	 */
	bool handle(socket &on, const message &request);

private:
	bool fresh(const address &peer, const psk_wire::handshake &hello);
	nonce install_with_room(socket &on, session_parameters session);
	bool make_room(socket &on, const address &peer);

	secret shared_;
	std::vector<cipher> allowed_;
	std::map<address, std::uint64_t> last_;
	std::set<std::pair<std::uint64_t, nonce>> hellos_;
	address looked_at_;
};

/** The bytes of the handshake, for tests and other implementations. */
namespace psk_wire {

inline constexpr std::size_t size = 80;
enum class kind : std::uint8_t { hello = 1, reply = 2 };
enum class status : std::uint8_t { ok = 0, refused = 1 };

struct handshake {
	psk_wire::kind kind{};
	psk_wire::status status{};
	sdp::cipher cipher{};
	std::uint16_t record_size = 0;
	std::uint64_t time = 0;
	nonce client{};
	nonce server{};
};

using packet = std::array<std::byte, size>;

[[nodiscard]] SDP_EXPORT packet seal(const handshake &what, const secret &shared);
/** @throws std::system_error EPROTO (not a handshake of this version), EKEYREJECTED (wrong code).
 */
[[nodiscard]] SDP_EXPORT handshake open(bytes_view bytes, const secret &shared);
/** What both ends install. */
[[nodiscard]] SDP_EXPORT secret session_secret(const secret &shared);

} // namespace psk_wire

} // namespace sdp

#endif
