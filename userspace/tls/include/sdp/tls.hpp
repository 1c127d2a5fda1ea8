// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Sessions by TLS 1.3: both ends have certificates (or an external key), and each session has
 * a Diffie-Hellman exchange of its own. It goes over UDP beside the SDP sockets, to the UDP
 * port with the number of the server's SDP port; the sockets have the secure policy before,
 * during and after it. docs/handshake.md has the bytes, and what an attacker gets.
 */
#ifndef SDP_TLS_HPP
#define SDP_TLS_HPP

#include <sdp/early.hpp>
#include <sdp/export.hpp>
#include <sdp/socket.hpp>
#include <sdp/tls_core.hpp>
#include <sdp/tls_credentials.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

namespace sdp::inline v0::tls {

/** A session that was installed. */
struct established {
	identity peer{};
	std::uint32_t id = 0; /**< as message::session() has it */
};

/**
 * Makes a session with @p server, in the place of one that there may be: requests that are
 * under way end under the one before. @p on gets the secure policy and keeps it.
 *
 * What does not verify is ignored until the time is over, or, within a second, until @p stop is
 * asked for: ECANCELED. A server that @p options does not name
 * is to have its address in its certificate.
 *
 * @p early, if it is there and the server has allowed it, goes along as early data: its fate is
 * set, also where this throws. Where they are not wanted any more it goes without. The fields early
 * of @p options are not for this.
 *
 * @throws error says why not. @throws std::system_error EPERM (the secure policy is
 *         forbidden), EXDEV (the socket is of another network namespace than this thread),
 *         ENOBUFS (sessions of this user), and what else making a UDP socket may throw.
 */
SDP_EXPORT established connect(socket &on, const address &server,
			       const std::shared_ptr<const credentials> &with,
			       const client_options &options, const std::stop_token &stop = {},
			       early_exchange *early = nullptr);

/**
 * The server's side, for a program that has a loop of its own; tls::server has a thread for
 * it. handle() is for one thread at a time, all others for any.
 *
 * Clients go without a word. Where this user may have no more sessions, a new one takes the
 * place of one that was silent for a minute or more.
 */
class SDP_EXPORT acceptor {
public:
	/**
	 * @param on bound to a port; given the secure policy. Neither moved nor destroyed
	 *           before this.
	 * @throws std::system_error EINVAL (no port), EADDRINUSE (somebody has the UDP port of
	 *         that number), EPERM (the secure policy is forbidden), EXDEV (as connect()).
	 */
	acceptor(socket &on, std::shared_ptr<const credentials> with,
		 const server_options &options = {});
	~acceptor();
	acceptor(acceptor &&other) noexcept;
	acceptor &operator=(acceptor &&other) noexcept;
	acceptor(const acceptor &) = delete;
	acceptor &operator=(const acceptor &) = delete;

	/**
	 * Has @p taker take early data, within handle(): server_options::early says how much.
	 * Before the first handle(). Without it there are none. It is called under the lock of
	 * this acceptor, so it neither waits nor calls use(), counts() or on_early(); peer_of() it
	 * may call.
	 */
	void on_early(std::function<early_answer(early_arrival &&, const identity &)> taker);
	/** For poll(): readable when handle() has something to do. */
	[[nodiscard]] int fd() const noexcept;
	/**
	 * Answers what has come, at most 64 datagrams, and none after 20 ms; one may take 0.2 s
	 * where a session has to go before another can be made.
	 */
	void handle() noexcept;
	/**
	 * Other credentials, for handshakes that begin from now on: certificates expire.
	 * @throws std::invalid_argument if @p with is null.
	 */
	void use(std::shared_ptr<const credentials> with);
	/**
	 * Who has the session @p id with @p peer, as message::session() and message::peer() say.
	 * Of the last 65,536 sessions; of one identity's, of the last 8,192.
	 */
	[[nodiscard]] std::optional<identity> peer_of(const address &peer, std::uint32_t id) const;
	[[nodiscard]] server_counts counts() const;

private:
	struct state;
	std::unique_ptr<state> state_;
};

/** When a client makes a new session in the place of the present one. */
struct renewal {
	std::chrono::seconds age{600};                     /**< 2 minutes to an hour */
	std::uint64_t volume = std::uint64_t{1} << 36;     /**< bytes sent under it */
	std::chrono::milliseconds silence{1500};           /**< of a server that is asked */
	std::chrono::milliseconds between{1000};           /**< two tries, at first */
	std::chrono::milliseconds between_at_most{30'000}; /**< after many in vain */
	/** For tests: an age of less than two minutes is taken as it is. */
	bool any_age = false;
};

/** How a call is made. */
struct call_options {
	std::chrono::milliseconds timeout{}; /**< of each try; zero: when SDP gives up */
	/**
	 * That the request may be executed more than once: it is sent again, under a new
	 * session, where the server was started anew or went silent.
	 */
	bool repeat = false;
	unsigned tries = 4;
};

/**
 * Sends requests to one server. Any number of threads may call at once. A thread of its own
 * renews the session, and makes a new one where the server has lost it.
 */
class SDP_EXPORT client {
public:
	/** A receive region, so that threads do not wait for each other's responses. */
	static constexpr socket_options many_threads{.region = std::size_t{4} << 20};

	/** @throws as connect(). */
	client(const address &server, std::shared_ptr<const credentials> with,
	       const client_options &options = {}, const renewal &when = {},
	       const socket_options &socket = many_threads);
	~client();
	client(client &&other) noexcept;
	client &operator=(client &&other) noexcept;
	client(const client &) = delete;
	client &operator=(const client &) = delete;

	/** @throws std::system_error if the RPC failed; error if no session could be made. */
	[[nodiscard]] message call(bytes_view body, const call_options &options = {});
	[[nodiscard]] message call(std::string_view body, const call_options &options = {})
	{
		return call(as_bytes(body), options);
	}
	/** Starts a request; receive() gives its response, or failure, with @p cookie (not 0). */
	void start(bytes_view body, std::uint64_t cookie);
	[[nodiscard]] message receive() { return underlying().receive(); }

	/** A new session now. @throws as connect(). */
	void renew();
	/** Sessions that were made so far. */
	[[nodiscard]] std::uint64_t sessions() const noexcept;
	/** Who the server is. */
	[[nodiscard]] identity peer() const;
	[[nodiscard]] socket &underlying() noexcept;
	[[nodiscard]] const address &server() const noexcept;

private:
	struct state;
	std::unique_ptr<state> state_;
};

/**
 * Receives requests on one port. Several threads may share it; moving and destroying it is
 * for when none uses it.
 */
class SDP_EXPORT server {
public:
	/** @throws std::system_error as socket, socket::bind() and acceptor. */
	server(const address &local, std::shared_ptr<const credentials> with,
	       const server_options &options = {});
	~server();
	server(server &&other) noexcept;
	server &operator=(server &&other) noexcept;
	server(const server &) = delete;
	server &operator=(const server &) = delete;

	/** Waits for the next request. */
	[[nodiscard]] message receive();
	void respond(const message &request, bytes_view body);
	void respond(const message &request, std::string_view body)
	{
		respond(request, as_bytes(body));
	}
	/** Who sent @p request. */
	[[nodiscard]] std::optional<identity> peer_of(const message &request) const;
	/** Other credentials, for handshakes that begin from now on. @throws likewise. */
	void use(std::shared_ptr<const credentials> with);
	[[nodiscard]] server_counts counts() const;
	[[nodiscard]] socket &underlying() noexcept;

private:
	struct state;
	std::unique_ptr<state> state_;
};

} // namespace sdp::inline v0::tls

#endif
