// SPDX-License-Identifier: Apache-2.0
// The plain API: messages by ordinary sendmsg() and recvmsg(), and what other
// datagram sockets do too.
#include <algorithm>
#include <csignal>
#include <net/if.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

void disconnect(const PlainSocket &socket)
{
	sockaddr nobody{};
	nobody.sa_family = AF_UNSPEC;
	OK(connect(socket.fd(), &nobody, sizeof(nobody)));
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(echo)
{
	for (net::Family family : net::all_families) {
		PlainTalk talk(family);
		talk.client.request(talk.to, pattern(100), 77);
		PlainMessage request = talk.server.expect();
		EQ(request.result, 100);
		CHECK(request.is_request());
		EQ(request.rpc->flags, SDP_RPC_REQUEST);
		EQ(request.rpc->id % 2, 1);
		EQ(request.rpc->cookie, 0);
		EQ(request.rpc->error, 0);
		EQ(request.rpc->session, 0);
		EQ(request.from, hosts->a.at(family, talk.client.port()));
		EQ(pattern_error(request.bytes), "");
		talk.server.reply(request, pattern(55, 2));
		PlainMessage response = talk.client.expect();
		EQ(response.rpc->flags, 0);
		EQ(response.rpc->id, request.rpc->id - 1);
		EQ(response.rpc->cookie, 77);
		EQ(response.from, talk.to);
		EQ(pattern_error(response.bytes, 2), "");
		EQ(response.flags & ~MSG_CMSG_CLOEXEC, 0);
	}
}

TEST(sendto_without_control)
{
	PlainTalk talk;
	Bytes bytes = pattern(10);
	EQ(OK(sendto(talk.client.fd(), bytes.data(), 10, 0, talk.to.raw(), talk.to.length)), 10);
	talk.server.echo();
	// And a receiver that does not look at control messages.
	Bytes got(20);
	EQ(OK(recv(talk.client.fd(), got.data(), got.size(), 0)), 10);
	got.resize(10);
	EQ(pattern_error(got), "");
}

TEST(truncated)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(5000));
	PlainMessage request = talk.server.receive(0, 100);
	EQ(request.result, 100);
	CHECK(request.flags & MSG_TRUNC);
	EQ(pattern_error(request.bytes), "");
	talk.server.reply(request, pattern(3000));
	PlainMessage response = talk.client.receive(MSG_TRUNC, 10);
	EQ(response.result, 3000);
	CHECK(response.flags & MSG_TRUNC);
	EQ(response.bytes.size(), 10);
	EQ(pattern_error(response.bytes), "");
	FAILS(talk.client.receive(MSG_DONTWAIT).result, EAGAIN);
}

TEST(peek)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(5000));
	PlainMessage peeked = talk.server.receive(MSG_PEEK | MSG_TRUNC, 0);
	EQ(peeked.result, 5000);
	peeked = talk.server.receive(MSG_PEEK, 100);
	EQ(peeked.result, 100);
	EQ(pattern_error(peeked.bytes), "");
	CHECK(talk.server.ready(POLLIN));
	PlainMessage request = talk.server.expect();
	EQ(request.rpc->id, peeked.rpc->id);
	EQ(pattern_error(request.bytes), "");
	EQ(request.result, 5000);
	FAILS(talk.server.receive(MSG_PEEK | MSG_DONTWAIT).result, EAGAIN);
}

TEST(peek_keeps_the_order)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10, 1));
	EVENTUALLY(talk.server.ready(POLLIN));
	talk.client.request(talk.to, pattern(10, 2));
	EQ(pattern_error(talk.server.receive(MSG_PEEK).bytes, 1), "");
	EQ(pattern_error(talk.server.receive(MSG_PEEK).bytes, 1), "");
	EQ(pattern_error(talk.server.expect().bytes, 1), "");
	EQ(pattern_error(talk.server.expect().bytes, 2), "");
}

TEST(connected)
{
	for (net::Family family : net::all_families) {
		PlainTalk talk(family);
		OK(net::connect_to(talk.client.fd(), talk.to));
		net::Address peer;
		OK(getpeername(talk.client.fd(), peer.raw(), &peer.length));
		EQ(peer, talk.to);
		EQ(OK(send(talk.client.fd(), "hello", 5, 0)), 5);
		PlainMessage request = talk.server.expect();
		EQ(request.bytes, bytes_of("hello"));
		talk.server.reply(request, bytes_of("world"));
		char got[8];
		EQ(OK(read(talk.client.fd(), got, sizeof(got))), 5);
		disconnect(talk.client);
		FAILS(send(talk.client.fd(), "hello", 5, 0), EDESTADDRREQ);
		FAILS(getpeername(talk.client.fd(), peer.raw(), &peer.length), ENOTCONN);
	}
}

TEST(v6_only)
{
	PlainSocket client(hosts->a.ns, AF_INET6);
	PlainSocket server(hosts->b.ns, AF_INET6);
	int on = 1;
	OK(setsockopt(client.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	net::Address to = hosts->b.at(net::Family::mapped, server_port);
	FAILS(client.send(&to, pattern(3), nullptr), ENETUNREACH);
	OK(setsockopt(server.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	net::Address any = net::Address::any(AF_INET6, server_port);
	OK(bind(server.fd(), any.raw(), any.length));
	PlainSocket four(hosts->a.ns, AF_INET);
	four.request(hosts->b.at(net::Family::v4, server_port), pattern(3));
	four.expect_failure(ENOTCONN);
	client.request(hosts->b.at(net::Family::v6, server_port), pattern(3));
	server.echo();
	client.expect();
}

TEST(v6_only_after_connect)
{
	PlainSocket server(hosts->b.ns, AF_INET6, server_port);
	PlainSocket client(hosts->a.ns, AF_INET6);
	const net::Address to = hosts->b.at(net::Family::mapped, server_port);
	OK(connect(client.fd(), to.raw(), to.length));
	EQ(OK(send(client.fd(), "abc", 3, 0)), 3);
	server.echo();
	client.expect();
	int on = 1;
	OK(setsockopt(client.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	FAILS(send(client.fd(), "abc", 3, 0), ENETUNREACH);
	on = 0;
	OK(setsockopt(client.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	EQ(OK(send(client.fd(), "abc", 3, 0)), 3);
	server.echo();
	client.expect();
}

TEST(v4_client_v6_server)
{
	PlainSocket server(hosts->b.ns, AF_INET6, server_port);
	PlainSocket client(hosts->a.ns, AF_INET);
	client.request(hosts->b.at(net::Family::v4, server_port), pattern(3));
	PlainMessage request = server.expect();
	EQ(request.from, hosts->a.at(net::Family::mapped, client.port()));
	server.reply(request, pattern(4));
	EQ(client.expect().result, 4);
}

TEST(link_local)
{
	hosts->a.ns.sh("ip addr add fe80::1/64 dev eth0 nodad");
	hosts->b.ns.sh("ip addr add fe80::2/64 dev eth0 nodad");
	PlainSocket server(hosts->b.ns, AF_INET6, server_port);
	PlainSocket client(hosts->a.ns, AF_INET6);
	net::Address to = net::Address::of("fe80::2", server_port);
	CHECK(client.send(&to, pattern(3), nullptr) < 0);
	CHECK(errno == EINVAL || errno == ENETUNREACH);
	unsigned index = 0;
	hosts->a.ns.in([&] { index = if_nametoindex("eth0"); });
	reinterpret_cast<sockaddr_in6 *>(&to.storage)->sin6_scope_id = index;
	client.request(to, pattern(3));
	PlainMessage request = server.expect();
	CHECK(reinterpret_cast<sockaddr_in6 *>(&request.from.storage)->sin6_scope_id != 0);
	server.reply(request, pattern(5));
	EQ(client.expect().result, 5);
	// Over another device it would be another host's.
	OK(connect(client.fd(), to.raw(), to.length));
	const char other[] = "lo";
	PlainSocket bound(hosts->a.ns, AF_INET6);
	OK(connect(bound.fd(), to.raw(), to.length));
	OK(setsockopt(bound.fd(), SOL_SOCKET, SO_BINDTODEVICE, other, sizeof(other)));
	FAILS(bound.send(nullptr, pattern(3), nullptr), EINVAL);
	CHECK(client.send(nullptr, pattern(3), nullptr) == 3);
	server.expect();
}

TEST(buffer_options)
{
	PlainTalk talk;
	int value = 0;
	socklen_t size = sizeof(value);
	OK(getsockopt(talk.client.fd(), SOL_SOCKET, SO_TYPE, &value, &size));
	EQ(value, SOCK_DGRAM);
	OK(getsockopt(talk.client.fd(), SOL_SOCKET, SO_DOMAIN, &value, &size));
	EQ(value, AF_INET);
	OK(getsockopt(talk.client.fd(), SOL_SOCKET, SO_RCVBUF, &value, &size));
	CHECK(value > 0);
	value = 1;
	OK(setsockopt(talk.client.fd(), SOL_SOCKET, SO_PRIORITY, &value, sizeof(value)));
	OK(setsockopt(talk.client.fd(), SOL_SOCKET, SO_MARK, &value, sizeof(value)));
}

TEST(duplicated_descriptor)
{
	PlainTalk talk;
	Fd copy(OK(dup(talk.client.fd())));
	talk.client.request(talk.to, pattern(10));
	talk.client.close();
	talk.server.echo();
	Bytes got(20);
	EQ(OK(recv(copy, got.data(), got.size(), 0)), 10);
}

TEST(passed_descriptor)
{
	PlainTalk talk;
	int ends[2];
	OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
	Fd left(ends[0]);
	Fd right(ends[1]);
	test::Child child([&] {
		alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
		char byte;
		iovec vector{&byte, 1};
		msghdr header{};
		header.msg_iov = &vector;
		header.msg_iovlen = 1;
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		OK(recvmsg(right, &header, 0));
		int fd;
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(fd));
		Bytes got(20);
		EQ(OK(recv(fd, got.data(), got.size(), 0)), 10);
	});
	talk.client.request(talk.to, pattern(10));
	alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte = 0;
	iovec vector{&byte, 1};
	msghdr header{};
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = sizeof(control);
	cmsghdr *c = CMSG_FIRSTHDR(&header);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	int fd = talk.client.fd();
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	OK(sendmsg(left, &header, 0));
	talk.client.close();
	talk.server.echo();
	child.join();
}

TEST(forked_server)
{
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	test::Child one([&] { server.echo(); });
	test::Child two([&] { server.echo(); });
	client.request(hosts->b.at(net::Family::v4, server_port), pattern(10));
	client.request(hosts->b.at(net::Family::v4, server_port), pattern(10));
	client.expect();
	client.expect();
	one.join();
	two.join();
}

TEST(loopback)
{
	PlainSocket server(hosts->a.ns, AF_INET, server_port);
	PlainSocket client(hosts->a.ns, AF_INET);
	client.request(net::Address::of("127.0.0.1", server_port), pattern(100000));
	server.echo();
	EQ(pattern_error(client.expect().bytes), "");
	client.request(net::Address::of("10.0.0.1", server_port), pattern(100000));
	server.echo();
	EQ(pattern_error(client.expect().bytes), "");
}

TEST(itself)
{
	PlainSocket both(hosts->a.ns, AF_INET, server_port);
	both.request(net::Address::of("127.0.0.1", server_port), pattern(100), 5);
	both.echo();
	PlainMessage response = both.expect();
	CHECK(!response.is_request());
	EQ(response.rpc->cookie, 5);
}
