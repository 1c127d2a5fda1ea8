// SPDX-License-Identifier: Apache-2.0
// A socket with the plain API of <linux/sdp.h>.
#pragma once

#include <linux/sdp.h>
#include <optional>

#include "bytes.hpp"
#include "net.hpp"

/// What recvmsg() gave: all of it, also on failure.
struct PlainMessage {
	ssize_t result = -1;
	int error = 0;
	std::optional<sdp_rpc_cmsg> rpc;
	net::Address from;
	int flags = 0;
	Bytes bytes;

	[[nodiscard]] bool is_request() const { return rpc && rpc->flags & SDP_RPC_REQUEST; }
	[[nodiscard]] bool failed() const { return rpc && rpc->flags & SDP_RPC_FAILED; }
};

class PlainSocket {
public:
	PlainSocket(const net::Netns &ns, int domain, uint16_t port = 0);
	/// Cuts off what it is sending; close() does not.
	~PlainSocket();
	PlainSocket(PlainSocket &&other) noexcept = default;
	PlainSocket &operator=(PlainSocket &&other) noexcept = default;

	/// sendmsg() with the control message @a rpc, or with none.
	ssize_t send(const net::Address *to, View bytes, const sdp_rpc_cmsg *rpc,
		     int flags = 0) const;
	/// Sends a request; throws.
	void request(const net::Address &to, View bytes, uint64_t cookie = 0,
		     uint32_t flags = 0) const;
	void reply(const PlainMessage &request, View bytes) const;
	/// recvmsg() into at most @a room bytes.
	PlainMessage receive(int flags = 0, size_t room = 1 << 20) const;
	/// Like receive(), but throws on failure, and if the RPC failed.
	PlainMessage expect() const;
	/// Throws unless the next message says that an RPC failed with @a error;
	/// returns it.
	PlainMessage expect_failure(int error) const;
	void echo() const;
	bool ready(short events, int milliseconds = 0) const;
	[[nodiscard]] short events(int milliseconds = 0) const;
	int abort(uint64_t id, uint64_t cookie, uint32_t error) const;

	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] uint16_t port() const;
	void set_timeout(unsigned milliseconds) const;
	void set(int option, int value) const;
	/// SO_LINGER.
	void linger(int seconds) const;
	void close() { fd_.reset(); }

private:
	Fd fd_;
};

/// A control message for sendmsg().
sdp_rpc_cmsg rpc_cmsg(uint64_t id, uint64_t cookie = 0, uint32_t flags = 0);

/// The SDP_CMSG_RPC of a received header, if there is one.
std::optional<sdp_rpc_cmsg> find_rpc_cmsg(msghdr &header);
