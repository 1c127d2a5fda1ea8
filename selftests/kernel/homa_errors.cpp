// SPDX-License-Identifier: Apache-2.0
// Homa's socket API by <linux/homa.h> alone: every way to call it wrongly.
#include <linux/homa.h>

#include <algorithm>
#include <poll.h>
#include <sys/mman.h>

#include "lib/talk.hpp"
#include "lib/test.hpp"

SETUP
{
	two_hosts();
}

TEST(socket_types)
{
	hosts->a.ns.in([] {
		FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_HOMA), EPROTONOSUPPORT);
		FAILS(socket(AF_INET6, SOCK_STREAM, IPPROTO_HOMA), EPROTONOSUPPORT);
		Fd four(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
		Fd six(OK(socket(AF_INET6, SOCK_DGRAM, IPPROTO_HOMA)));
		int protocol = 0;
		socklen_t size = sizeof(protocol);
		OK(getsockopt(four, SOL_SOCKET, SO_PROTOCOL, &protocol, &size));
		EQ(protocol, 146);
	});
}

TEST(unprivileged_socket)
{
	test::Child child([] {
		hosts->a.ns.in([] {
			OK(setuid(65534));
			Fd fd(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
			net::Address any = net::Address::any(AF_INET, server_port);
			OK(bind(fd, any.raw(), any.length));
		});
	});
	child.join();
}

TEST(ports_assigned)
{
	HomaSocket one(hosts->a.ns, AF_INET);
	HomaSocket two(hosts->a.ns, AF_INET6);
	OK(net::bind_to(one.fd(), net::Address::any(AF_INET, 0)));
	OK(net::bind_to(two.fd(), net::Address::any(AF_INET6, 0)));
	CHECK(one.port() >= HOMA_MIN_DEFAULT_PORT);
	CHECK(two.port() >= HOMA_MIN_DEFAULT_PORT);
	CHECK(one.port() != two.port());
}

TEST(ports_bound)
{
	HomaSocket one(hosts->a.ns, AF_INET);
	HomaSocket two(hosts->a.ns, AF_INET6);
	HomaSocket elsewhere(hosts->b.ns, AF_INET);
	OK(net::bind_to(one.fd(), net::Address::any(AF_INET, 1)));
	EQ(one.port(), 1);
	FAILS(net::bind_to(two.fd(), net::Address::any(AF_INET6, 1)), EADDRINUSE);
	OK(net::bind_to(elsewhere.fd(), net::Address::any(AF_INET, 1)));
	OK(net::bind_to(two.fd(), net::Address::any(AF_INET6, HOMA_MIN_DEFAULT_PORT - 1)));
	FAILS(net::bind_to(elsewhere.fd(), net::Address::any(AF_INET, HOMA_MIN_DEFAULT_PORT)),
	      EINVAL);
	FAILS(net::bind_to(elsewhere.fd(), net::Address::any(AF_INET, 0xffff)), EINVAL);
	one.close();
	HomaSocket three(hosts->a.ns, AF_INET, 1);
}

TEST(bind_errors)
{
	HomaSocket four(hosts->a.ns, AF_INET);
	HomaSocket six(hosts->a.ns, AF_INET6);
	net::Address in4 = net::Address::any(AF_INET, server_port);
	net::Address in6 = net::Address::any(AF_INET6, server_port);
	FAILS(net::bind_to(four.fd(), in6), EAFNOSUPPORT);
	FAILS(net::bind_to(six.fd(), in4), EAFNOSUPPORT);
	in4.length = sizeof(sockaddr_in) - 1;
	FAILS(net::bind_to(four.fd(), in4), EINVAL);
	in6.length = sizeof(sockaddr_in6) - 1;
	FAILS(net::bind_to(six.fd(), in6), EINVAL);
	in4.length = 0;
	FAILS(net::bind_to(four.fd(), in4), EINVAL);
	FAILS(net::bind_to(four.fd(), net::Address::of("10.9.9.9", server_port)), EADDRNOTAVAIL);
	FAILS(net::bind_to(six.fd(), net::Address::of("fd99::9", server_port)), EADDRNOTAVAIL);
	FAILS(net::bind_to(six.fd(), net::Address::of("10.9.9.9", server_port).mapped()),
	      EADDRNOTAVAIL);
	OK(net::bind_to(four.fd(), net::Address::of("10.0.0.1", server_port)));
}

TEST(region_errors)
{
	HomaSocket socket(hosts->a.ns, AF_INET, 0, 0);
	Bytes memory(3 * HOMA_BPAGE_SIZE);
	uint64_t start = (reinterpret_cast<uint64_t>(memory.data()) + 4095) & ~4095ULL;
	homa_rcvbuf_args good{start, HOMA_BPAGE_SIZE};
	homa_rcvbuf_args odd{start + 1, HOMA_BPAGE_SIZE};
	homa_rcvbuf_args small{start, HOMA_BPAGE_SIZE - 1};
	homa_rcvbuf_args empty{start, 0};
	homa_rcvbuf_args kernel{0xffff888000000000, HOMA_BPAGE_SIZE};
	homa_rcvbuf_args wraps{start, UINT64_MAX};
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &good, sizeof(good) - 1),
	      EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &good, sizeof(good) + 1),
	      EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, nowhere, sizeof(good)), EFAULT);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &odd, sizeof(odd)), EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &small, sizeof(small)), EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &empty, sizeof(empty)), EINVAL);
	CHECK(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &kernel, sizeof(kernel)) < 0);
	CHECK(errno == EFAULT || errno == EINVAL);
	CHECK(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &wraps, sizeof(wraps)) < 0);
	CHECK(errno == EFAULT || errno == EINVAL);
	OK(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &good, sizeof(good)));
}

TEST(unknown_options)
{
	HomaSocket socket(hosts->a.ns, AF_INET);
	int value = 1;
	socklen_t size = sizeof(value);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, 9, &value, sizeof(value)), ENOPROTOOPT);
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, 9, &value, &size), ENOPROTOOPT);
	FAILS(setsockopt(socket.fd(), 9999, 1, &value, sizeof(value)), ENOPROTOOPT);
	FAILS(getsockopt(socket.fd(), 9999, 1, &value, &size), EOPNOTSUPP);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_SERVER, &value, sizeof(value) - 1),
	      EINVAL);
	FAILS(setsockopt(socket.fd(), IPPROTO_HOMA, SO_HOMA_SERVER, nowhere, sizeof(value)),
	      EFAULT);
	int tos = 0x20;
	OK(setsockopt(socket.fd(), IPPROTO_IP, IP_TTL, &(value = 9), sizeof(value)));
	OK(setsockopt(socket.fd(), IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
}

TEST(wrong_lengths)
{
	HomaTalk talk;
	homa_sendmsg_args args{};
	Bytes longer(HOMA_MAX_MESSAGE_LENGTH + 1);
	FAILS(talk.client.send(talk.to, {}, args), EINVAL);
	FAILS(talk.client.send(talk.to, longer, args), EMSGSIZE);
	EQ(args.id, 0);
	talk.client.request(talk.to, pattern(1));
	HomaMessage request = talk.server.expect();
	args.id = request.args.id;
	FAILS(talk.server.send(request.from, {}, args), EINVAL);
	FAILS(talk.server.send(request.from, longer, args), EMSGSIZE);
	talk.server.reply(request, pattern(1));
	talk.client.expect();
}

TEST(huge_iovec)
{
	HomaTalk talk;
	Bytes bytes(8);
	homa_sendmsg_args args{};
	msghdr message{};
	iovec vectors[2] = {{bytes.data(), 8}, {bytes.data(), SIZE_MAX - 4}};
	message.msg_name = talk.to.raw();
	message.msg_namelen = talk.to.length;
	message.msg_iov = vectors;
	message.msg_iovlen = 2;
	message.msg_control = &args;
	CHECK(sendmsg(talk.client.fd(), &message, 0) < 0);
	CHECK(errno == EINVAL || errno == EMSGSIZE || errno == EFAULT);
	vectors[1].iov_len = 0x80000000;
	CHECK(sendmsg(talk.client.fd(), &message, 0) < 0);
	CHECK(errno == EINVAL || errno == EMSGSIZE || errno == EFAULT);
}

TEST(send_argument_errors)
{
	HomaTalk talk;
	Bytes bytes = pattern(10);
	auto with = [&](homa_sendmsg_args args) { return talk.client.send(talk.to, bytes, args); };
	FAILS(with({0, 0, 0, 1}), EINVAL);
	FAILS(with({0, 0, 0x2, 0}), EINVAL);
	FAILS(with({0, 0, 0x40000000, 0}), EINVAL);
	iovec vector{bytes.data(), bytes.size()};
	homa_sendmsg_args args{};
	msghdr message{};
	message.msg_iov = &vector;
	message.msg_iovlen = 1;
	message.msg_control = &args;
	FAILS(sendmsg(talk.client.fd(), &message, 0), EINVAL);
	message.msg_name = talk.to.raw();
	message.msg_namelen = sizeof(sockaddr_in) - 1;
	FAILS(sendmsg(talk.client.fd(), &message, 0), EINVAL);
	message.msg_namelen = talk.to.length;
	message.msg_control = nowhere;
	FAILS(sendmsg(talk.client.fd(), &message, 0), EFAULT);
	message.msg_control = &args;
	vector.iov_base = nowhere;
	FAILS(sendmsg(talk.client.fd(), &message, 0), EFAULT);
	EQ(talk.client.info().num_rpcs, 0);
	net::Address unix_address = talk.to;
	unix_address.storage.ss_family = AF_UNIX;
	FAILS(talk.client.send(unix_address, bytes, args), EAFNOSUPPORT);
	FAILS(talk.client.send(hosts->b.at(net::Family::v6, server_port), bytes, args),
	      EAFNOSUPPORT);
}

TEST(no_route)
{
	net::Netns lonely;
	HomaSocket client(lonely, AF_INET);
	HomaSocket client6(lonely, AF_INET6);
	homa_sendmsg_args args{};
	FAILS(client.send(net::Address::of("10.1.2.3", 1), pattern(1), args), ENETUNREACH);
	FAILS(client6.send(net::Address::of("fd01::1", 1), pattern(1), args), ENETUNREACH);
	EQ(args.id, 0);
}

TEST(response_errors)
{
	HomaTalk talk;
	uint64_t id = talk.client.request(talk.to, pattern(10));
	HomaMessage request = talk.server.expect();
	auto respond = [&](homa_sendmsg_args args) {
		return talk.server.send(request.from, pattern(3), args);
	};
	FAILS(respond({id + 1, 5, 0, 0}), EINVAL);
	FAILS(respond({id + 1, 0, 0, 7}), EINVAL);
	// A client has no request to answer under its own id.
	homa_sendmsg_args own{id, 0, 0, 0};
	FAILS(talk.client.send(talk.to, pattern(3), own), EINVAL);
	EQ(respond({id + 1001, 0, 0, 0}), 0);
	talk.server.reply(request, pattern(3));
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(response_to_somebody_else)
{
	HomaTalk talk;
	talk.client.request(talk.to, pattern(10));
	HomaMessage request = talk.server.expect();
	homa_sendmsg_args args{request.args.id, 0, 0, 0};
	net::Address other = hosts->a.at(net::Family::v4, 12345);
	EQ(talk.server.send(other, pattern(3), args), 0);
	CHECK(!talk.client.ready(POLLIN, 50));
	talk.server.reply(request, pattern(3));
	talk.client.expect();
}

TEST(second_response)
{
	// The client's one buffer page is held, so the first cannot complete.
	HomaTalk talk(net::Family::v4, 1);
	talk.client.request(talk.to, pattern(10));
	talk.server.echo();
	HomaMessage held = talk.client.receive_raw({});
	EQ(held.result, 10);
	talk.client.request(talk.to, pattern(10));
	HomaMessage request = talk.server.expect();
	talk.server.reply(request, pattern(300000));
	homa_sendmsg_args args{request.args.id, 0, 0, 0};
	// Once the client has acknowledged the first, the RPC is gone: no effect.
	const auto second = talk.server.send(request.from, pattern(5), args);
	CHECK(second == 0 || (second == -1 && errno == EINVAL));
}

TEST(receive_argument_errors)
{
	HomaTalk talk;
	auto with = [&](homa_recvmsg_args args) {
		HomaMessage message = talk.client.receive_raw(args, MSG_DONTWAIT);
		errno = message.error;
		return message.result;
	};
	homa_recvmsg_args args{};
	FAILS(with(args), EAGAIN);
	// An id with a failure is that of an RPC that has failed: this one has not.
	args.id = talk.client.request(talk.to, pattern(1), 0, HOMA_SENDMSG_PRIVATE);
	const HomaMessage later = talk.client.receive_raw(args, MSG_DONTWAIT);
	EQ(later.error, EAGAIN);
	EQ(later.args.id, 0);
	OK(talk.client.abort(args.id, 0));
	args = {};
	args.reserved = 1;
	FAILS(with(args), EINVAL);
	args = {};
	args.num_bpages = HOMA_MAX_BPAGES + 1;
	FAILS(with(args), EINVAL);
	args.num_bpages = UINT32_MAX;
	FAILS(with(args), EINVAL);
	args = {};
	args.id = 1000;
	FAILS(with(args), EINVAL);
	args.id = 1001;
	FAILS(with(args), EINVAL);
}

TEST(receive_control_sizes)
{
	HomaTalk talk;
	homa_recvmsg_args args{};
	msghdr message{};
	message.msg_control = &args;
	message.msg_controllen = sizeof(args) - 1;
	FAILS(recvmsg(talk.client.fd(), &message, MSG_DONTWAIT), EINVAL);
	message.msg_controllen = sizeof(args) + 1;
	FAILS(recvmsg(talk.client.fd(), &message, MSG_DONTWAIT), EINVAL);
	message.msg_controllen = 0;
	FAILS(recvmsg(talk.client.fd(), &message, MSG_DONTWAIT), EINVAL);
	message.msg_control = nowhere;
	message.msg_controllen = sizeof(args);
	FAILS(recvmsg(talk.client.fd(), &message, MSG_DONTWAIT), EFAULT);
	message.msg_control = nullptr;
	message.msg_controllen = 0;
	FAILS(recvmsg(talk.client.fd(), &message, MSG_DONTWAIT), EINVAL);
}

TEST(abort_wakes_who_waits)
{
	// By id: what is forgotten will never come.
	HomaTalk talk;
	for (bool all : {false, true}) {
		uint64_t id = talk.client.request(talk.to, pattern(10), 0, HOMA_SENDMSG_PRIVATE);
		HomaMessage got;
		test::Thread waiting([&] { got = talk.client.receive(id); });
		usleep(50000);
		OK(talk.client.abort(all ? 0 : id, 0));
		waiting.join();
		EQ(got.error, EINVAL);
		talk.server.expect();
	}
}

TEST(abort_errors)
{
	HomaTalk talk;
	talk.client.request(talk.to, pattern(10));
	HomaMessage request = talk.server.expect();
	FAILS(talk.server.abort(request.args.id, EIO), EINVAL);
	FAILS(talk.client.abort(123456, EIO), EINVAL);
	homa_abort_args args{};
	args._pad1 = 1;
	FAILS(ioctl(talk.client.fd(), HOMAIOCABORT, &args), EINVAL);
	args = {};
	args._pad2[1] = 1;
	FAILS(ioctl(talk.client.fd(), HOMAIOCABORT, &args), EINVAL);
	FAILS(ioctl(talk.client.fd(), HOMAIOCABORT, nowhere), EFAULT);
	FAILS(ioctl(talk.client.fd(), _IO('h', 0x7f), 0), ENOTTY);
	talk.server.reply(request, pattern(10));
	talk.client.expect();
	ioctl(talk.client.fd(), HOMAIOCFREEZE, 0);
}
