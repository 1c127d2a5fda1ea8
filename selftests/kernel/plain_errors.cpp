// SPDX-License-Identifier: Apache-2.0
// The plain API: every way to call it wrongly, and failures as messages.
#include <algorithm>
#include <csignal>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

SETUP
{
	two_hosts();
}

TEST(no_room_for_control)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	char byte;
	alignas(cmsghdr) char control[CMSG_SPACE(4)];
	iovec vector{&byte, 1};
	msghdr header{};
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	EQ(OK(recvmsg(talk.server.fd(), &header, 0)), 1);
	CHECK(header.msg_flags & MSG_CTRUNC);
	CHECK(header.msg_flags & MSG_TRUNC);
}

/// recvmsg() leaves the pointer in the header, with no length, where nothing was told.
TEST(control_pointer_without_length)
{
	PlainTalk talk;
	Bytes bytes = pattern(10);
	Bytes memory(64, 0xa5);
	iovec vector{bytes.data(), bytes.size()};
	msghdr header{};
	header.msg_name = talk.to.raw();
	header.msg_namelen = talk.to.length;
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = memory.data();
	EQ(OK(sendmsg(talk.client.fd(), &header, 0)), 10);
	EQ(memory, Bytes(64, 0xa5));
	header.msg_control = reinterpret_cast<void *>(8);
	EQ(OK(sendmsg(talk.client.fd(), &header, 0)), 10);
	EQ(talk.server.expect().bytes.size(), 10);
	EQ(talk.server.expect().bytes.size(), 10);
}

TEST(send_errors)
{
	PlainTalk talk;
	Bytes bytes = pattern(10);
	auto with = [&](const sdp_rpc_cmsg &rpc) {
		return talk.client.send(&talk.to, bytes, &rpc);
	};
	FAILS(talk.client.send(nullptr, bytes, nullptr), EDESTADDRREQ);
	FAILS(talk.client.send(&talk.to, {}, nullptr), EINVAL);
	FAILS(talk.client.send(&talk.to, Bytes(HOMA_MAX_MESSAGE_LENGTH + 1), nullptr), EMSGSIZE);
	FAILS(with(rpc_cmsg(0, 0, SDP_RPC_REQUEST)), EINVAL);
	FAILS(with(rpc_cmsg(0, 0, SDP_RPC_SECURE)), EINVAL);
	FAILS(with(rpc_cmsg(0, 0, SDP_RPC_FAILED)), EINVAL);
	FAILS(with(rpc_cmsg(0, 0, 0x100)), EINVAL);
	FAILS(with(rpc_cmsg(0, 0, SDP_RPC_PRIVATE)), EINVAL);
	FAILS(with(rpc_cmsg(2, 0, 0)), EINVAL);
	sdp_rpc_cmsg rpc = rpc_cmsg(0);
	rpc.error = 1;
	FAILS(with(rpc), EINVAL);
	rpc = rpc_cmsg(0);
	rpc.session = 1;
	FAILS(with(rpc), EINVAL);
	rpc = rpc_cmsg(0);
	rpc.size = 3;
	FAILS(with(rpc), EINVAL);
	FAILS(sendto(talk.client.fd(), bytes.data(), 10, MSG_OOB, talk.to.raw(), talk.to.length),
	      EOPNOTSUPP);
	FAILS(sendto(talk.client.fd(), nowhere, 10, 0, talk.to.raw(), talk.to.length), EFAULT);
	net::Address six = hosts->b.at(net::Family::v6, server_port);
	FAILS(talk.client.send(&six, bytes, nullptr), EAFNOSUPPORT);
	net::Address zero = hosts->b.at(net::Family::v4, 0);
	FAILS(talk.client.send(&zero, bytes, nullptr), EINVAL);
	CHECK(proc::lines(hosts->a.ns, "rpcs").empty());
}

TEST(control_message_sizes)
{
	PlainTalk talk;
	Bytes bytes = pattern(10);
	iovec vector{bytes.data(), bytes.size()};
	alignas(cmsghdr) char control[256];
	auto with = [&](size_t length, uint32_t size, uint8_t tail) {
		msghdr message{};
		memset(control, 0, sizeof(control));
		message.msg_name = talk.to.raw();
		message.msg_namelen = talk.to.length;
		message.msg_iov = &vector;
		message.msg_iovlen = 1;
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(length);
		cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = IPPROTO_HOMA;
		c->cmsg_type = SDP_CMSG_RPC;
		c->cmsg_len = CMSG_LEN(length);
		memset(CMSG_DATA(c), 0, length);
		memcpy(CMSG_DATA(c), &size, std::min<size_t>(4, length));
		if (length > sizeof(sdp_rpc_cmsg))
			CMSG_DATA(c)[length - 1] = tail;
		return sendmsg(talk.client.fd(), &message, 0);
	};
	constexpr unsigned full = sizeof(sdp_rpc_cmsg);
	EQ(with(full, full, 0), 10);
	EQ(with(full + 8, full + 8, 0), 10);
	FAILS(with(full + 8, full + 8, 1), E2BIG);
	FAILS(with(3, 3, 0), EINVAL);
	FAILS(with(full, full + 8, 0), EINVAL);
	FAILS(with(full, 0, 0), EINVAL);
}

TEST(unknown_control_message)
{
	PlainTalk talk;
	Bytes bytes = pattern(10);
	iovec vector{bytes.data(), bytes.size()};
	alignas(cmsghdr) char control[CMSG_SPACE(4)] = {};
	msghdr message{};
	message.msg_name = talk.to.raw();
	message.msg_namelen = talk.to.length;
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	message.msg_control = control;
	message.msg_controllen = sizeof(control);
	cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = IPPROTO_HOMA;
	c->cmsg_type = SDP_CMSG_RPC + 1;
	c->cmsg_len = CMSG_LEN(4);
	FAILS(sendmsg(talk.client.fd(), &message, 0), EINVAL);
	c->cmsg_len = 1;
	FAILS(sendmsg(talk.client.fd(), &message, 0), EINVAL);
}

TEST(response_errors)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	PlainMessage request = talk.server.expect();
	sdp_rpc_cmsg rpc = rpc_cmsg(request.rpc->id, 5);
	FAILS(talk.server.send(&request.from, pattern(3), &rpc), EINVAL);
	rpc = rpc_cmsg(request.rpc->id + 1000);
	EQ(talk.server.send(&request.from, pattern(3), &rpc), 3);
	rpc = rpc_cmsg(request.rpc->id - 1);
	FAILS(talk.client.send(&talk.to, pattern(3), &rpc), EINVAL);
	talk.server.reply(request, pattern(3));
	talk.client.expect();
}

TEST(bad_buffer)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	CHECK(talk.server.ready(POLLIN, 10000));
	FAILS(recv(talk.server.fd(), nowhere, 10, 0), EFAULT);
	EQ(pattern_error(talk.server.expect().bytes), "");
}

TEST(connect_errors)
{
	PlainTalk talk;
	net::Address address = talk.to;
	address.length = sizeof(sockaddr_in) - 1;
	FAILS(net::connect_to(talk.client.fd(), address), EINVAL);
	FAILS(net::connect_to(talk.client.fd(), hosts->b.at(net::Family::v6, server_port)),
	      EAFNOSUPPORT);
	FAILS(listen(talk.client.fd(), 1), EOPNOTSUPP);
	FAILS(accept(talk.client.fd(), nullptr, nullptr), EOPNOTSUPP);
}

TEST(failure_is_a_message)
{
	PlainSocket client(hosts->a.ns, AF_INET);
	client.request(hosts->b.at(net::Family::v4, 777), pattern(10), 88);
	PlainMessage failed = client.expect_failure(ENOTCONN);
	EQ(failed.rpc->cookie, 88);
	EQ(failed.rpc->flags, SDP_RPC_FAILED);
	EQ(failed.rpc->id % 2, 0);
	EQ(failed.from, hosts->b.at(net::Family::v4, 777));
	int error = 1;
	socklen_t size = sizeof(error);
	OK(getsockopt(client.fd(), SOL_SOCKET, SO_ERROR, &error, &size));
	EQ(error, 0);
}

TEST(abort_by_cookie)
{
	PlainTalk talk;
	for (uint64_t i = 0; i < 6; i++)
		talk.client.request(talk.to, pattern(10), i % 2 + 1);
	OK(talk.client.abort(0, 2, ECANCELED));
	for (int i = 0; i < 3; i++)
		EQ(talk.client.expect_failure(ECANCELED).rpc->cookie, 2);
	for (int i = 0; i < 6; i++)
		talk.server.echo();
	for (int i = 0; i < 3; i++)
		EQ(talk.client.expect().rpc->cookie, 1);
	FAILS(talk.client.receive(MSG_DONTWAIT).result, EAGAIN);
}

TEST(abort_by_id)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10), 3);
	PlainMessage request = talk.server.expect();
	FAILS(talk.server.abort(request.rpc->id, 0, EIO), EINVAL);
	FAILS(talk.client.abort(request.rpc->id + 1, 0, EIO), EINVAL);
	OK(talk.client.abort(request.rpc->id - 1, 0, 0));
	FAILS(talk.client.receive(MSG_DONTWAIT).result, EAGAIN);
	// The server learns nothing of it: its response goes nowhere.
	talk.server.reply(request, pattern(3));
	CHECK(!talk.client.ready(POLLIN, 100));
	sdp_abort_args args{};
	args.size = 3;
	FAILS(ioctl(talk.client.fd(), SDPIOCABORT, &args), EINVAL);
	FAILS(ioctl(talk.client.fd(), SDPIOCABORT, nowhere), EFAULT);
}

TEST(private_needs_homa_api)
{
	PlainTalk talk;
	sdp_rpc_cmsg rpc = rpc_cmsg(0, 0, SDP_RPC_PRIVATE);
	FAILS(talk.client.send(&talk.to, pattern(1), &rpc), EINVAL);
}

TEST(policy_of_a_clear_socket)
{
	PlainTalk talk;
	sdp_rpc_cmsg rpc = rpc_cmsg(0, 0, SDP_MSG_CLEAR);
	CHECK(talk.client.send(&talk.to, pattern(1), &rpc) == 1 || errno == EPERM ||
	      errno == EINVAL);
	talk.client.set(SDP_POLICY, SDP_POLICY_SECURE);
	FAILS(talk.client.send(&talk.to, pattern(1), nullptr), ENOKEY);
	int value = 3;
	FAILS(setsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_POLICY, &value, sizeof(value)),
	      EINVAL);
	value = -1;
	FAILS(setsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_POLICY, &value, sizeof(value)),
	      EINVAL);
}
