// SPDX-License-Identifier: Apache-2.0
/** @file Sockets: requests, responses, sessions. See sdp(7) for what lies below. */
#ifndef SDP_SOCKET_HPP
#define SDP_SOCKET_HPP

#include <sdp/address.hpp>
#include <sdp/error.hpp>
#include <sdp/export.hpp>
#include <sdp/message.hpp>
#include <sdp/session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>

namespace sdp::inline v0 {

namespace detail {
class handshake_turn;
} // namespace detail

/** Which messages a socket sends and takes. */
enum class policy : std::uint8_t {
	clear,  /**< in the clear only */
	secure, /**< encrypted only */
	mixed,  /**< encrypted, unless a request is sent with send_options::clear */
};

/** How a socket receives. */
struct socket_options {
	/**
	 * Bytes of receive region, in units of 64 KB: messages are placed there by
	 * the kernel and read in place (Homa's API). 0: each message is copied
	 * into a buffer (the plain API), which also tells its session.
	 */
	std::size_t region = 0;
	/** Longest message taken without a region, bytes. */
	std::size_t max_message = 1'000'000;
};

/** How a request is sent. */
struct send_options {
	std::uint64_t cookie = 0; /**< comes back with the response */
	bool clear = false;       /**< in the clear; on mixed sockets only */
};

/**
 * An SDP socket. Sending and receiving are safe from several threads at once;
 * call() expects to be the only receiver, unless there is a receive region.
 *
 * All calls throw std::system_error; what the codes mean: describe().
 */
class SDP_EXPORT socket {
public:
	/**
	 * @throws EPROTONOSUPPORT where the module is not loaded; EOPNOTSUPP where it is older
	 *         than this library needs (version.hpp).
	 */
	explicit socket(ip version, const socket_options &options = {});
	/**
	 * Of a descriptor that this process was given, such as a bound one by systemd. Takes it,
	 * whatever comes of it, and does not leave it to programs that this one runs.
	 * @throws likewise; EPROTOTYPE if it is none of SDP; EINVAL for a receive region.
	 */
	[[nodiscard]] static socket adopt(int descriptor, const socket_options &options = {});
	~socket();
	socket(socket &&other) noexcept;
	socket &operator=(socket &&other) noexcept;
	socket(const socket &) = delete;
	socket &operator=(const socket &) = delete;

	/**
	 * The file descriptor, for poll(): readable when a message waits. With a
	 * receive region: and has room. What messages gave back is the kernel's again
	 * only with the next call that receives: before one polls, or after a message
	 * was released while another thread does, call try_receive() until it is empty.
	 */
	[[nodiscard]] int fd() const noexcept;
	[[nodiscard]] address local() const;

	/** Port 1..32767 makes a server; port 0 has one assigned. @throws EINVAL for others. */
	void bind(const address &local);
	/** Names the peer of requests that name none. */
	void connect(const address &peer);
	/** Takes requests without a server's port too, or no longer. */
	void accept_requests(bool yes);
	void set_policy(policy which);
	[[nodiscard]] policy get_policy() const;
	/**
	 * Fills secure messages, with their header, up to a multiple of @p bytes, at
	 * most 65536; 0: not.
	 * @throws EINVAL for more.
	 */
	void set_padding(std::uint32_t bytes);
	[[nodiscard]] std::uint32_t get_padding() const;
	/** Ends all waiting here, for good: ESHUTDOWN. */
	void shutdown();

	/** Sends a request; blocks while there is no memory for it. */
	void send_request(const address &to, bytes_view body, const send_options &options = {});
	/** Likewise, of several pieces. */
	void send_request(const address &to, std::span<const bytes_view> body,
			  const send_options &options = {});
	/** Answers @p request. If its sender is gone, this has no effect. */
	void respond(const message &request, bytes_view body);
	void respond(const message &request, std::span<const bytes_view> body);
	/** Answers the request that came with @p id from @p peer. */
	void respond(const address &peer, std::uint64_t id, std::span<const bytes_view> body);

	/** Waits for a request, a response or the failure of a request. */
	[[nodiscard]] message receive();
	/** Likewise, at most @p timeout; empty when that has passed. */
	[[nodiscard]] std::optional<message> receive_for(std::chrono::milliseconds timeout);
	/** Likewise, without waiting. */
	[[nodiscard]] std::optional<message> try_receive();

	/**
	 * Sends a request and waits for its response. With a receive region other messages
	 * stay in the kernel meanwhile; its room is only taken by messages that were received
	 * and not yet released. Sets the socket's SO_RCVTIMEO, for nobody else here. Without a
	 * region, other messages that arrive before the response are kept for receive(): until
	 * they are 16,384, or have 64,000,000 bytes or more; then all others stay in the kernel.
	 * @param timeout give up then; zero: when SDP does. Either way, and with any other
	 * exception, the request is aborted: it may have been executed.
	 * @throws ETIMEDOUT after @p timeout.
	 * @throws ENOBUFS the response is there, and the region has had no room for it until
	 * the end of @p timeout or, if that is zero, for 5 seconds; or, without a region, no more
	 * messages can be kept: receive() has to be called first.
	 */
	[[nodiscard]] message call(const address &to, bytes_view body,
				   const send_options &options = {},
				   std::chrono::milliseconds timeout = {});

	/** Aborts requests with @p cookie: forgotten, or completed with errno @p error if not 0. */
	void abort(std::uint64_t cookie, int error = 0);

	/**
	 * 16 random bytes for one add_session() here; to be sent to the peer.
	 * @throws ENOBUFS where 1,024 have not been used: they do not expire.
	 */
	[[nodiscard]] nonce new_nonce();
	/** Takes back a nonce that has made no session: new_nonce() gives it again. */
	void return_nonce(const nonce &unused);
	/**
	 * Derives keys from @p shared and the nonces and installs them. Replaces
	 * the session with that peer, whose RPCs end with ECONNRESET.
	 */
	void add_session(const session_parameters &parameters, const secret &shared);
	void remove_session(const address &peer);
	/** Starts the next epoch of what is sent to @p peer. */
	void rekey(const address &peer);
	/** @throws ENOENT if there is no session with @p peer. */
	[[nodiscard]] session_info info(const address &peer) const;

private:
	friend class detail::handshake_turn;
	struct state;
	explicit socket(std::unique_ptr<state> of) noexcept;
	std::unique_ptr<state> state_;
};

} // namespace sdp::inline v0

#endif
