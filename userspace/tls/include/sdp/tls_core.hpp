// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The TLS handshake without sockets and clocks: both ends are handed datagrams and the time,
 * and say what to send. docs/handshake.md has the bytes, and why it is like this.
 */
#ifndef SDP_TLS_CORE_HPP
#define SDP_TLS_CORE_HPP

#include <sdp/address.hpp>
#include <sdp/early.hpp>
#include <sdp/export.hpp>
#include <sdp/message.hpp>
#include <sdp/session.hpp>
#include <sdp/tls_credentials.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sdp::inline v0::tls {

using clock = std::chrono::steady_clock;

/** Bytes of a datagram: a client's have all of them, a server's are not longer. */
inline constexpr std::size_t datagram_length = 1200;
using datagram = std::vector<std::byte>;

/** What tells a network namespace, of this boot of this machine, from all others. */
using host_id = std::array<std::byte, 16>;

/** Bytes of early data, at most: they have to fit the hello's datagram. */
inline constexpr std::size_t longest_early_data = longest_early + 20;

/** A session that can be installed. */
struct agreement {
	session_parameters parameters{}; /**< of a server, without its own nonce */
	secret keyed = secret::random(); /**< for socket::add_session() */
	std::uint32_t id = 0;            /**< that the kernel will derive */
	identity peer{};
};

/** What a client asks for. */
struct client_options {
	std::string server_name{}; /**< that its certificate must have: DNS name or address */
	sdp::cipher cipher = cipher::aes_128_gcm;
	std::uint16_t record_size = record_size_default; /**< bytes */
	std::chrono::milliseconds timeout{10'000};       /**< for all of it */
	/**
	 * What to send as early data, if the server has said that it takes that: at most
	 * longest_early_data bytes. Without forward secrecy, and to be replayed by whoever stops
	 * packets: docs/handshake.md.
	 */
	std::vector<std::byte> early{};
};

/** What a client knows of itself. */
struct client_place {
	std::uint16_t port = 0; /**< of its SDP socket */
	address own{};          /**< of its UDP socket, with the port */
	address server{};       /**< SDP address and port of the server */
	host_id host{};
	sdp::nonce nonce{}; /**< from its SDP socket */
};

/** One handshake of a client. */
class SDP_EXPORT client_handshake {
public:
	/** @throws error if @p with cannot say hello to anybody. */
	client_handshake(std::shared_ptr<const credentials> with, const client_options &options,
			 const client_place &place, clock::time_point now);
	~client_handshake();
	client_handshake(const client_handshake &) = delete;
	client_handshake &operator=(const client_handshake &) = delete;
	client_handshake(client_handshake &&) = delete;
	client_handshake &operator=(client_handshake &&) = delete;

	/** When send() has something again, or the time is over. */
	[[nodiscard]] clock::time_point next() const;
	/** A datagram to send at @p now; to be called until there is none. */
	[[nodiscard]] std::optional<datagram> send(clock::time_point now);
	/** What has come. Nothing that does not verify changes what comes of this. */
	void take(bytes_view bytes, clock::time_point now);

	/** Set once the server has installed the session. */
	[[nodiscard]] const std::optional<agreement> &agreed() const noexcept;
	/** Set once it is certain that there will be none, or the time is over. */
	[[nodiscard]] reason failed() const noexcept;
	/** Whether the server itself has said so, or it is this end's own; see error. */
	[[nodiscard]] bool is_certain() const noexcept;
	/** What has become of the early data, as far as it is certain by now. */
	[[nodiscard]] early_fate early() const noexcept;
	/** What the server has answered to them, once agreed(); empty: nothing yet. */
	[[nodiscard]] const std::vector<std::byte> &early_reply() const noexcept;
	/** What there is to say of failed(), or of what looked like an answer so far. */
	[[nodiscard]] const std::string &details() const noexcept;

private:
	struct state;
	std::unique_ptr<state> state_;
};

/** Bounds of a server. */
struct server_limits {
	std::size_t half_open = 1024; /**< handshakes that go on */
	/** So many that go on, or were begun in ten seconds by who did not show its address first:
	 * a newcomer has to. */
	std::size_t cookies_above = 64;
	std::size_t remembered = 16384; /**< that are over, for ten seconds */
	std::uint32_t burst = 256;      /**< of one source that has shown its address, and */
	std::uint32_t each_second = 64; /**< so many a second afterwards */
};

/** What a server takes as early data. */
struct early_limits {
	std::size_t most = 0; /**< bytes, at most longest_early_data; 0: none are taken */
	/** Of whom it is remembered, for a minute, that it was taken; with more, none are. */
	std::size_t remembered = 4096;
};

struct server_options {
	std::vector<cipher> allowed{}; /**< that a client may choose; empty: all */
	server_limits limits{};
	early_limits early{};
};

/** Early data that have come: once each, whatever is sent again. */
struct early_data {
	std::vector<std::byte> bytes{};
	identity peer{};
	address from{}; /**< where the datagram seems to come from, which nobody has proven */
};

/** What a server asks its surroundings. */
struct server_hooks {
	/** A nonce of its SDP socket. @throws std::system_error */
	std::function<nonce()> new_nonce{};
	/** Installs a session. @throws std::system_error: the client is told that there is no room.
	 */
	std::function<void(const agreement &)> install{};
};

/** Counts, from the beginning. */
struct server_counts {
	std::uint64_t hellos = 0;    /**< handshakes that were begun */
	std::uint64_t cookies = 0;   /**< asked for */
	std::uint64_t installed = 0; /**< sessions */
	std::uint64_t resumed = 0;   /**< of them */
	std::uint64_t early = 0;     /**< hellos whose early data were taken */
	std::uint64_t no_early = 0;  /**< and were not */
	std::uint64_t refused = 0;   /**< by a certificate, or its absence */
	std::uint64_t busy = 0;      /**< that were told to come again */
	std::uint64_t dropped = 0;   /**< datagrams that do not verify */
	std::size_t half_open = 0;   /**< now */
};

/** The server's side of all handshakes at one port. */
class SDP_EXPORT server_handshakes {
public:
	/**
	 * @param port of the SDP socket.
	 * @param since when it began to listen; empty: when it is first asked.
	 * @throws std::system_error EINVAL: early data that fit no hello.
	 */
	server_handshakes(std::shared_ptr<const credentials> with, const server_options &options,
			  std::uint16_t port, const host_id &host, server_hooks hooks,
			  std::optional<clock::time_point> since = {});
	~server_handshakes();
	server_handshakes(const server_handshakes &) = delete;
	server_handshakes &operator=(const server_handshakes &) = delete;
	server_handshakes(server_handshakes &&) = delete;
	server_handshakes &operator=(server_handshakes &&) = delete;

	/** Other credentials for handshakes that begin from now on. Tickets are good no more. */
	void use(std::shared_ptr<const credentials> with);
	/**
	 * Has @p taker take early data: those of each hello once. What it returns, which may be
	 * empty, is asked for an answer at the handshake's end. Without it none are taken.
	 */
	void on_early(std::function<early_answer(early_data &&)> taker);
	/**
	 * What to answer to @p bytes, which came from @p from to @p to, an address here; empty:
	 * nothing. Never longer than @p bytes.
	 */
	[[nodiscard]] datagram take(bytes_view bytes, const address &from, const address &to,
				    clock::time_point now);
	[[nodiscard]] const server_counts &counts() const noexcept;

private:
	struct state;
	std::unique_ptr<state> state_;
};

} // namespace sdp::inline v0::tls

#endif
