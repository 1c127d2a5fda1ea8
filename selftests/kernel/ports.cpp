// SPDX-License-Identifier: Apache-2.0
// Ports: who has one and since when, when there are none left, and that a bind() that
// is refused changes nothing.
#include <atomic>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

Fd open_socket(const net::Netns &ns)
{
	return ns.socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);
}

/// What /proc tells of the only socket of @a ns.
uint16_t port_shown(const net::Netns &ns)
{
	std::istringstream line(proc::lines(ns, "sockets").at(0));
	std::string uid, inode, local;
	line >> uid >> inode >> local;
	return static_cast<uint16_t>(std::stoi(local.substr(local.rfind(':') + 1)));
}

int ask_port(int fd)
{
	net::Address own;
	int err = getsockname(fd, own.raw(), &own.length);
	return err ? err : own.port();
}

/// Opens a socket in host a, has it do @a use, and expects an assigned port then.
void gets_a_port_by(const std::function<void(int)> &use)
{
	Fd fd = open_socket(hosts->a.ns);
	EQ(port_shown(hosts->a.ns), 0);
	use(fd);
	CHECK(port_shown(hosts->a.ns) >= 0x8000);
	EQ(ask_port(fd), port_shown(hosts->a.ns));
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(assigned_when_needed)
{
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	gets_a_port_by([](int fd) { CHECK(ask_port(fd) >= 0x8000); });
	gets_a_port_by([&](int fd) {
		EQ(sendto(fd, "hello", 5, 0, to.raw(), to.length), 5);
		server.echo();
	});
	gets_a_port_by([](int fd) {
		int on = 1;
		OK(setsockopt(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on)));
	});
	gets_a_port_by([&](int fd) {
		OK(session::add(fd, session::make(SDP_ROLE_CLIENT, to, SDP_CIPHER_AES_128_GCM,
						  session::nonce(fd), session::Nonce{1})));
	});
	gets_a_port_by([](int fd) {
		homa_info info{};
		OK(ioctl(fd, HOMAIOCINFO, &info));
		EQ(info.port, ask_port(fd));
	});
	// What does without one.
	Fd fd = open_socket(hosts->a.ns);
	OK(net::bind_to(fd, hosts->a.at(net::Family::v4, 0)));
	OK(net::connect_to(fd, to));
	int off = 0;
	OK(setsockopt(fd, IPPROTO_HOMA, SO_HOMA_SERVER, &off, sizeof(off)));
	session::nonce(fd);
	pollfd poll_fd = {.fd = fd, .events = POLLIN | POLLOUT};
	EQ(poll(&poll_fd, 1, 0), 1);
	char byte;
	FAILS(recv(fd, &byte, 1, MSG_DONTWAIT), EAGAIN);
	EQ(port_shown(hosts->a.ns), 0);
	// Both at once want the first one.
	test::Thread one([&] { OK(ask_port(fd)); });
	test::Thread other([&] { OK(ask_port(fd)); });
	one.join();
	other.join();
	EQ(ask_port(fd), port_shown(hosts->a.ns));
}

// A namespace has 32,768 ports to assign. Sockets without one take none; who wants one
// too many is told so; others are not concerned.
TEST_LIMIT(none_left, 400)
{
	rlimit limit{80000, 80000};
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	PlainTalk talk;
	std::vector<Fd> sockets;
	hosts->a.ns.in([&] {
		for (int i = 0; i < 0x8000; i++)
			sockets.emplace_back(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
	});
	// The client has one, too.
	CHECK(talk.client.port() >= 0x8000);
	for (size_t i = 0; i < 0x8000 - 1; i++)
		CHECK(ask_port(sockets[i]) >= 0x8000);
	Fd &last = sockets.back();
	FAILS(ask_port(last), EADDRINUSE);
	FAILS(sendto(last, "x", 1, 0, talk.to.raw(), talk.to.length), EADDRINUSE);
	int on = 1;
	FAILS(setsockopt(last, IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on)), EADDRINUSE);
	FAILS(session::add(last, session::make(SDP_ROLE_CLIENT, talk.to, SDP_CIPHER_AES_128_GCM,
					       session::nonce(last), session::Nonce{1})),
	      EADDRINUSE);
	OK(net::bind_to(last, net::Address::any(AF_INET, 5000)));
	Fd elsewhere = open_socket(hosts->b.ns);
	CHECK(ask_port(elsewhere) >= 0x8000);
	talk.client.request(talk.to, pattern(10));
	talk.server.echo();
	talk.client.expect();
	int free = ask_port(sockets[1234]);
	sockets[1234].reset();
	Fd next = open_socket(hosts->a.ns);
	EQ(ask_port(next), free);
}

// The address and the port are those of before all the time, and requests arrive.
TEST(refused_bind_beside_requests)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	PlainMessage open = talk.server.expect();
	PlainSocket other(hosts->b.ns, AF_INET, server_port + 1);
	proc::Counters counters(hosts->b.ns);
	std::atomic<bool> stop = false;
	test::Thread binder([&] {
		net::Address free = net::Address::any(AF_INET, server_port + 2);
		net::Address used = net::Address::of("127.0.0.1", server_port + 1);
		net::Address away = net::Address::of("127.0.0.1", server_port + 2);
		while (!stop) {
			FAILS(net::bind_to(talk.server.fd(), free), EINVAL);
			FAILS(net::bind_to(talk.server.fd(), used), EADDRINUSE);
			FAILS(net::bind_to(talk.server.fd(), away), EINVAL);
		}
	});
	for (int i = 0; i < 500; i++) {
		talk.client.request(talk.to, pattern(100));
		talk.server.echo();
		talk.client.expect();
	}
	stop = true;
	binder.join();
	EQ(counters.moved("drop_no_socket"), 0);
	talk.server.reply(open, pattern(10));
	talk.client.expect();
}
