// SPDX-License-Identifier: Apache-2.0
#include "plain_socket.hpp"

#include <poll.h>

#include "test.hpp"

sdp_rpc_cmsg rpc_cmsg(uint64_t id, uint64_t cookie, uint32_t flags)
{
	sdp_rpc_cmsg rpc{};
	rpc.size = sizeof(rpc);
	rpc.id = id;
	rpc.cookie = cookie;
	rpc.flags = flags;
	return rpc;
}

std::optional<sdp_rpc_cmsg> find_rpc_cmsg(msghdr &header)
{
	for (cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != IPPROTO_HOMA || c->cmsg_type != SDP_CMSG_RPC)
			continue;
		sdp_rpc_cmsg rpc;
		EQ(c->cmsg_len, CMSG_LEN(sizeof(rpc)));
		memcpy(&rpc, CMSG_DATA(c), sizeof(rpc));
		EQ(rpc.size, sizeof(rpc));
		return rpc;
	}
	return {};
}

PlainSocket::PlainSocket(const net::Netns &ns, int domain, uint16_t port)
	: fd_(ns.socket(domain, SOCK_DGRAM, IPPROTO_HOMA))
{
	set_timeout(30000);
	if (port) {
		net::Address any = net::Address::any(domain, port);
		OK(bind(fd_, any.raw(), any.length));
	}
}

PlainSocket::~PlainSocket()
{
	abort_at_close(fd_);
}

void PlainSocket::linger(int seconds) const
{
	const ::linger value{1, seconds};
	OK(setsockopt(fd_, SOL_SOCKET, SO_LINGER, &value, sizeof(value)));
}

void PlainSocket::set_timeout(unsigned milliseconds) const
{
	milliseconds = test::slow(milliseconds);
	timeval limit{milliseconds / 1000, static_cast<suseconds_t>(milliseconds % 1000) * 1000};
	OK(setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	OK(setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)));
}

void PlainSocket::set(int option, int value) const
{
	OK(setsockopt(fd_, IPPROTO_HOMA, option, &value, sizeof(value)));
}

ssize_t PlainSocket::send(const net::Address *to, View bytes, const sdp_rpc_cmsg *rpc,
			  int flags) const
{
	iovec vector{const_cast<uint8_t *>(bytes.data()), bytes.size()};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(*rpc))] = {};
	msghdr message{};
	if (to) {
		message.msg_name = const_cast<sockaddr *>(to->raw());
		message.msg_namelen = to->length;
	}
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	if (rpc) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = IPPROTO_HOMA;
		c->cmsg_type = SDP_CMSG_RPC;
		c->cmsg_len = CMSG_LEN(sizeof(*rpc));
		memcpy(CMSG_DATA(c), rpc, sizeof(*rpc));
	}
	return sendmsg(fd_, &message, flags);
}

void PlainSocket::request(const net::Address &to, View bytes, uint64_t cookie, uint32_t flags) const
{
	sdp_rpc_cmsg rpc = rpc_cmsg(0, cookie, flags);
	EQ(OK(send(&to, bytes, &rpc)), bytes.size());
}

void PlainSocket::reply(const PlainMessage &request, View bytes) const
{
	CHECK(request.rpc.has_value());
	sdp_rpc_cmsg rpc = rpc_cmsg(request.rpc->id);
	EQ(OK(send(&request.from, bytes, &rpc)), bytes.size());
}

PlainMessage PlainSocket::receive(int flags, size_t room) const
{
	PlainMessage message;
	message.bytes.resize(room);
	iovec vector{message.bytes.data(), room};
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(sdp_rpc_cmsg)) + 256] = {};
	msghdr header{};
	header.msg_name = message.from.raw();
	header.msg_namelen = sizeof(message.from.storage);
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	message.result = recvmsg(fd_, &header, flags);
	message.error = message.result < 0 ? errno : 0;
	message.from.length = header.msg_namelen;
	message.flags = header.msg_flags;
	message.bytes.resize(
		std::min(room, static_cast<size_t>(std::max<ssize_t>(0, message.result))));
	// Thousands may be kept.
	message.bytes.shrink_to_fit();
	if (message.result >= 0)
		message.rpc = find_rpc_cmsg(header);
	errno = message.error;
	return message;
}

PlainMessage PlainSocket::expect() const
{
	PlainMessage message = receive();
	OK(message.result);
	CHECK(message.rpc.has_value());
	if (message.failed())
		throw test::Failure("an RPC failed with " + test::errno_name(message.rpc->error));
	return message;
}

PlainMessage PlainSocket::expect_failure(int error) const
{
	PlainMessage message = receive();
	OK(message.result);
	CHECK(message.failed());
	EQ(test::errno_name(static_cast<int>(message.rpc->error)), test::errno_name(error));
	EQ(message.result, 0);
	return message;
}

void PlainSocket::echo() const
{
	PlainMessage request = expect();
	CHECK(request.is_request());
	reply(request, request.bytes);
}

bool PlainSocket::ready(short events, int milliseconds) const
{
	pollfd waiting{fd_, events, 0};
	int count = OK(poll(&waiting, 1, milliseconds));
	return count == 1 && (waiting.revents & events);
}

short PlainSocket::events(int milliseconds) const
{
	pollfd waiting{fd_, POLLIN | POLLOUT | POLLRDHUP, 0};
	OK(poll(&waiting, 1, milliseconds));
	return waiting.revents;
}

int PlainSocket::abort(uint64_t id, uint64_t cookie, uint32_t error) const
{
	sdp_abort_args args{};
	args.size = sizeof(args);
	args.id = id;
	args.cookie = cookie;
	args.error = error;
	return ioctl(fd_, SDPIOCABORT, &args);
}

uint16_t PlainSocket::port() const
{
	net::Address own;
	OK(getsockname(fd_, own.raw(), &own.length));
	return own.port();
}
