// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Who one is and whom one believes, as channels and listeners are told: a plug-in that makes
 * sessions. TLS is in sdp/tls_plugin.hpp, and needs libsdprpc-tls.
 */
#ifndef SDP_CREDENTIALS_HPP
#define SDP_CREDENTIALS_HPP

#include <sdp/address.hpp>
#include <sdp/early.hpp>
#include <sdp/export.hpp>
#include <sdp/psk.hpp>
#include <sdp/secret.hpp>
#include <sdp/socket.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sdp::inline v0 {

/** Who the other end is, as its handshake has shown. */
struct principal {
	std::string name{};               /**< empty: nothing is known */
	std::vector<std::string> names{}; /**< further ones, of a certificate */
	/** SHA-256 of its public key, or of an external key's id; zeros: nothing is known. */
	std::array<std::byte, 32> key{};
};

/** What a client asks for. */
struct connect_request {
	address server{};
	/** How the server has to call itself; empty: as the plug-in has it. */
	std::string server_name{};
	std::chrono::milliseconds timeout{10'000};
	/** Given up when it is asked for, within about a second: ECANCELED. */
	std::stop_token stop{};
	/** A request to take along as early data, by plug-ins that do; null: none. */
	early_exchange *early = nullptr;
};

/** The server's side of handshakes on one socket. handle() is for one thread at a time. */
class SDP_EXPORT handshake_acceptor {
public:
	handshake_acceptor() = default;
	virtual ~handshake_acceptor();
	handshake_acceptor(const handshake_acceptor &) = delete;
	handshake_acceptor &operator=(const handshake_acceptor &) = delete;
	handshake_acceptor(handshake_acceptor &&) = delete;
	handshake_acceptor &operator=(handshake_acceptor &&) = delete;

	/** Readable when handle() has something to do. */
	[[nodiscard]] virtual int fd() const noexcept = 0;
	/**
	 * Has @p taker take early data, within handle(); plug-ins without them do not call it.
	 * Before the first handle().
	 */
	virtual void on_early(std::function<early_answer(early_arrival &&, principal)> taker);
	/** Answers what has come, without waiting for a peer. */
	virtual void handle() noexcept = 0;
	/** Who has session @p id with @p peer, if that is known. Any thread. */
	[[nodiscard]] virtual std::optional<principal> peer_of(const address &peer,
							       std::uint32_t id) const = 0;
};

/** A plug-in. All functions may be called by several threads at once. */
class SDP_EXPORT credentials {
public:
	credentials() = default;
	virtual ~credentials();
	credentials(const credentials &) = delete;
	credentials &operator=(const credentials &) = delete;
	credentials(credentials &&) = delete;
	credentials &operator=(credentials &&) = delete;

	/** What sockets are set to before anything else; clear for tests alone. */
	[[nodiscard]] virtual sdp::policy policy() const noexcept { return sdp::policy::secure; }
	/**
	 * Makes a session of @p on, in the place of one that there may be. Blocks.
	 * @throws std::system_error why there is none.
	 */
	virtual principal connect(socket &on, const connect_request &what) const = 0;
	/**
	 * For a server on @p on, which is bound and outlives what is returned.
	 * @return null in the clear. @throws std::system_error
	 */
	[[nodiscard]] virtual std::unique_ptr<handshake_acceptor> accept(socket &on) const = 0;
};

/** How the handshake for a shared secret is made; see psk.hpp. */
struct psk_settings {
	sdp::cipher cipher = cipher::aes_128_gcm;
	/** How the server calls itself. Who has the secret is one peer to another. */
	std::string server_name{};
};

/**
 * A secret that both ends have; no forward secrecy: psk.hpp says what it is good for.
 * @throws std::system_error EINVAL for an empty secret.
 */
[[nodiscard]] SDP_EXPORT std::shared_ptr<const credentials> psk_credentials(
	const secret &shared, psk_settings settings = {});

/**
 * None: messages go in the clear, for everybody to read and to forge. For tests on one machine;
 * the name is to be found by who searches a program for it.
 */
[[nodiscard]] SDP_EXPORT std::shared_ptr<const credentials> clear_for_tests();

} // namespace sdp::inline v0

#endif
