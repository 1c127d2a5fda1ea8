// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * A handshake for two ends that share 32 secret bytes: it makes a session between a socket
 * of the client and one of the server, both of which take encrypted messages alone, before,
 * during and after it.
 *
 * It goes over UDP, to the UDP port with the number of the server's SDP port, and so never
 * through a socket that is for messages. Four datagrams: hello, challenge, confirm, accept;
 * docs/wire.md has their bytes and keys, docs/threat-model.md what they are good for. In
 * short: both ends prove that they have the secret, for this handshake alone; the keys depend
 * on all that they said, on both ports, roles and hosts; whoever can send packets, but not
 * stop them, cannot stop it. There is no forward secrecy: who learns the secret later reads
 * what was recorded. All who have a secret can be each other: use one for each pair, or,
 * against outsiders who redirect packets, name servers.
 */
#ifndef SDP_PSK_HPP
#define SDP_PSK_HPP

#include <sdp/export.hpp>
#include <sdp/secret.hpp>
#include <sdp/session.hpp>
#include <sdp/socket.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace sdp::inline v0 {

/** What a client asks for. */
struct psk_options {
	sdp::cipher cipher = cipher::aes_128_gcm;
	std::uint16_t record_size = record_size_default; /**< bytes */
	std::chrono::milliseconds timeout{10'000};       /**< for all of it */
	std::string server_name{};                       /**< as the server calls itself */
	std::stop_token stop{}; /**< given up when asked for, within a second: ECANCELED */
};

/**
 * Makes a session with @p server, in the place of one that there may be. @p on has the secure
 * policy from the beginning, and keeps it whatever comes of this.
 *
 * Answers that do not verify are ignored until the time is over. Several threads may do this
 * on one socket; with the same server, one after another.
 *
 * @throws std::system_error when the server, verifiably, declines: ECONNREFUSED (cipher or
 *         record size), ENOBUFS (it has no room). When the time is over: ETIMEDOUT, or what
 *         the last answer said or seemed to say, which anybody may have sent: ECONNREFUSED
 *         (nobody answers at that UDP port), EKEYREJECTED (another secret, or another name),
 *         EPROTO (another version of the handshake; another port), ELOOP (what was sent to
 *         the server came back to this host), or what routing says. At once: EINVAL (an
 *         empty secret), EPERM (the secure policy is forbidden), EXDEV (the socket is of
 *         another network namespace than this thread), ENOBUFS (sessions of this user), and
 *         what else making a UDP socket or a session may throw.
 */
SDP_EXPORT void psk_connect(socket &on, const address &server, const secret &shared,
			    const psk_options &options = {});

/** How a server answers. */
struct psk_acceptor_options {
	std::vector<cipher> allowed{}; /**< that a client may choose; empty: all */
	std::string name{};            /**< what clients have to call it */
};

/**
 * The server's side, for a program that has a loop of its own; sdp::server has a thread for
 * it. One thread at a time.
 *
 * It keeps nothing for those who only send hellos. Handshakes that succeeded are remembered
 * for ten seconds, at most 16,384; more clients in that time are told ENOBUFS.
 *
 * Clients go without a word, and their sessions stay. Where this user may have no more
 * (net.sdp.user_sessions), a new one takes the place of one that has been silent for a
 * minute or more; if its client is still there, its next request times out.
 */
class SDP_EXPORT psk_acceptor {
public:
	/**
	 * @param on bound to a port; given the secure policy. Neither moved nor destroyed
	 *           before this.
	 * @throws std::system_error EINVAL (an empty secret, no port), EADDRINUSE (somebody has
	 *         the UDP port of that number), EPERM (the secure policy is forbidden), EXDEV (as
	 *         psk_connect()).
	 */
	psk_acceptor(socket &on, const secret &shared, const psk_acceptor_options &options = {});
	~psk_acceptor();
	psk_acceptor(psk_acceptor &&other) noexcept;
	psk_acceptor &operator=(psk_acceptor &&other) noexcept;
	psk_acceptor(const psk_acceptor &) = delete;
	psk_acceptor &operator=(const psk_acceptor &) = delete;

	/** For poll(): readable when handle() has something to do. */
	[[nodiscard]] int fd() const noexcept;
	/**
	 * Answers what has come, at most 64 datagrams, and none after 20 ms. Waits for nobody, but
	 * up to 0.2 s where a session has to go before another can be made.
	 */
	void handle() noexcept;

private:
	struct state;
	std::unique_ptr<state> state_;
};

} // namespace sdp::inline v0

#endif
