// SPDX-License-Identifier: Apache-2.0
// A socket with Homa's API, written against <linux/homa.h> alone.
#pragma once

#include <linux/homa.h>

#include "bytes.hpp"
#include "net.hpp"

/// What recvmsg() gave: all of it, also on failure.
struct HomaMessage {
	ssize_t result = -1;
	int error = 0;
	homa_recvmsg_args args{};
	net::Address from;
	int flags = 0;
	Bytes bytes;
};

class HomaSocket {
public:
	/// In @a ns, of AF_INET or AF_INET6, bound to @a port unless that is 0,
	/// with a receive region of @a pages (none if 0). Calls that wait give
	/// up after half a minute, with EAGAIN.
	HomaSocket(const net::Netns &ns, int domain, uint16_t port = 0, unsigned pages = 64);
	~HomaSocket();
	HomaSocket(HomaSocket &&other) noexcept;
	HomaSocket(const HomaSocket &) = delete;

	/// sendmsg() with everything in the caller's hands.
	[[nodiscard]] ssize_t send(const net::Address &to, View bytes,
				   homa_sendmsg_args &args) const;
	/// Sends a request, throws if that fails; returns its id.
	uint64_t request(const net::Address &to, View bytes, uint64_t cookie = 0,
			 uint32_t flags = 0) const;
	/// Sends the response to a request.
	void reply(const HomaMessage &request, View bytes) const;
	/// recvmsg() for any message or, with @a id, for that private response;
	/// buffer pages of the message before are given back.
	HomaMessage receive(uint64_t id = 0, int flags = 0);
	/// Like receive(); keeps the pages, gives back what @a args names.
	HomaMessage receive_raw(homa_recvmsg_args args, int flags = 0) const;
	/// Like receive(), but throws on failure.
	HomaMessage expect(uint64_t id = 0);
	/// Answers the next request with what it held.
	void echo();
	/// The bytes that @a args names in the region.
	[[nodiscard]] Bytes gather(const homa_recvmsg_args &args, size_t length) const;
	/// Does poll() report any of @a events within @a milliseconds?
	[[nodiscard]] bool ready(short events, int milliseconds = 0) const;
	homa_info info(std::vector<homa_rpc_info> *rpcs = nullptr) const;
	int abort(uint64_t id, uint32_t error) const;

	[[nodiscard]] int fd() const { return fd_; }
	[[nodiscard]] uint16_t port() const;
	[[nodiscard]] uint8_t *region() const { return region_; }
	[[nodiscard]] size_t region_size() const { return size_; }
	void set_timeout(unsigned milliseconds) const;
	void close() { fd_.reset(); }

private:
	Fd fd_;
	uint8_t *region_ = nullptr;
	size_t size_ = 0;
	homa_recvmsg_args back_{};
};
