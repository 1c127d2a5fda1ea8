// SPDX-License-Identifier: Apache-2.0
/** @file A client and a server in a few lines: a socket, and the handshake if there is a secret. */
#ifndef SDP_RPC_HPP
#define SDP_RPC_HPP

#include <sdp/export.hpp>
#include <sdp/psk.hpp>
#include <sdp/socket.hpp>

#include <memory>
#include <string_view>

namespace sdp::inline v0 {

/** Sends requests to one server. One thread at a time. */
class SDP_EXPORT client {
public:
	/** In the clear. @throws std::invalid_argument for port 0, here and below. */
	explicit client(const address &server, const socket_options &options = {});
	/** Encrypted, with a secret that the server has too. */
	client(const address &server, const secret &shared, const psk_options &psk = {},
	       const socket_options &options = {});

	/** Sends a request and waits for the response. @throws std::system_error if the RPC failed.
	 */
	[[nodiscard]] message call(bytes_view body);
	[[nodiscard]] message call(std::string_view body) { return call(as_bytes(body)); }

	/** Starts a request; receive() gives its response, or failure, with @p cookie (not 0). */
	void start(bytes_view body, std::uint64_t cookie);
	[[nodiscard]] message receive() { return socket_.receive(); }

	[[nodiscard]] socket &underlying() noexcept { return socket_; }
	[[nodiscard]] const address &server() const noexcept { return server_; }

private:
	address server_;
	socket socket_;
};

/**
 * Receives requests on one port. Several threads may share it; moving and destroying it is
 * for when none uses it.
 */
class SDP_EXPORT server {
public:
	/** In the clear. */
	explicit server(const address &local);
	/**
	 * Encrypted, and nothing else at any time. A thread of its own answers handshakes at
	 * the UDP port of the same number (psk_acceptor); it is not there in a child after
	 * fork().
	 * @throws std::system_error as socket, socket::bind() and psk_acceptor.
	 */
	server(const address &local, const secret &shared, const psk_acceptor_options &psk = {});
	~server();
	server(server &&other) noexcept;
	server &operator=(server &&other) noexcept;
	server(const server &) = delete;
	server &operator=(const server &) = delete;

	/** Waits for the next request. */
	[[nodiscard]] message receive();
	void respond(const message &request, bytes_view body) { socket_->respond(request, body); }
	void respond(const message &request, std::string_view body)
	{
		socket_->respond(request, as_bytes(body));
	}

	[[nodiscard]] socket &underlying() noexcept { return *socket_; }

private:
	class handshakes;
	std::unique_ptr<socket> socket_;
	std::unique_ptr<handshakes> handshakes_; /**< uses socket_, so goes first */
};

} // namespace sdp::inline v0

#endif
