// SPDX-License-Identifier: Apache-2.0
// The plain API: waiting, waking, and the bounds of buffers.
#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

// A signal for this thread, without effect but to interrupt.
void interruptible(int flags)
{
	struct sigaction action {};
	action.sa_handler = [](int) {};
	action.sa_flags = flags;
	OK(sigaction(SIGUSR1, &action, nullptr));
}

/// Seconds since then.
double since(std::chrono::steady_clock::time_point start)
{
	return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(nonblocking)
{
	PlainTalk talk;
	FAILS(talk.client.receive(MSG_DONTWAIT).result, EAGAIN);
	int on = 1;
	OK(ioctl(talk.client.fd(), FIONBIO, &on));
	FAILS(talk.client.receive().result, EAGAIN);
	talk.client.request(talk.to, pattern(10));
	talk.server.echo();
	CHECK(talk.client.ready(POLLIN, 10000));
	talk.client.expect();
}

TEST(receive_timeout)
{
	PlainTalk talk;
	talk.client.set_timeout(50);
	FAILS(talk.client.receive().result, EAGAIN);
}

TEST(poll_and_epoll)
{
	PlainTalk talk;
	EQ(talk.client.events(), POLLOUT);
	Fd level(OK(epoll_create1(0)));
	Fd edge(OK(epoll_create1(0)));
	epoll_event event{EPOLLIN, {}};
	OK(epoll_ctl(level, EPOLL_CTL_ADD, talk.server.fd(), &event));
	event.events = EPOLLIN | EPOLLET;
	OK(epoll_ctl(edge, EPOLL_CTL_ADD, talk.server.fd(), &event));
	EQ(OK(epoll_wait(level, &event, 1, 0)), 0);
	EQ(OK(epoll_wait(edge, &event, 1, 0)), 0);
	talk.client.request(talk.to, pattern(10));
	EQ(OK(epoll_wait(level, &event, 1, 10000)), 1);
	EQ(OK(epoll_wait(level, &event, 1, 0)), 1);
	EQ(OK(epoll_wait(edge, &event, 1, 10000)), 1);
	EQ(OK(epoll_wait(edge, &event, 1, 0)), 0);
	// Each message is an edge of its own.
	talk.client.request(talk.to, pattern(10));
	EQ(OK(epoll_wait(edge, &event, 1, 10000)), 1);
	CHECK(event.events & EPOLLIN);
	talk.server.echo();
	EQ(OK(epoll_wait(level, &event, 1, 0)), 1);
	talk.server.echo();
	EQ(OK(epoll_wait(level, &event, 1, 0)), 0);
}

// recvmmsg() leaves the error behind a message for the next call, whatever that is: poll() would
// tell of it for ever.
TEST(error_behind_a_message)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10), 1);
	talk.server.echo();
	CHECK(talk.client.ready(POLLIN, 10000));
	talk.client.request(talk.to, pattern(10), 2);
	OK(talk.client.abort(0, 2, ECANCELED));
	std::array<std::array<char, 100>, 2> rooms{};
	std::array<iovec, 2> pieces{};
	std::array<mmsghdr, 2> all{};
	for (size_t i = 0; i < all.size(); i++) {
		pieces[i] = {rooms[i].data(), rooms[i].size()};
		all[i].msg_hdr.msg_iov = &pieces[i];
		all[i].msg_hdr.msg_iovlen = 1;
	}
	EQ(OK(recvmmsg(talk.client.fd(), all.data(), 2, MSG_DONTWAIT, nullptr)), 1);
	EQ(all[0].msg_len, 10);
	CHECK(talk.client.events() & POLLERR);
	FAILS(recv(talk.client.fd(), rooms[0].data(), rooms[0].size(), MSG_DONTWAIT), ECANCELED);
	EQ(talk.client.events(), POLLOUT);
}

TEST(signal_interrupts)
{
	PlainTalk talk;
	interruptible(0);
	test::Thread waiter([&] { FAILS(talk.client.receive().result, EINTR); });
	waiter.interrupt(SIGUSR1);
}

TEST(signal_restarts)
{
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	PlainSocket client(hosts->a.ns, AF_INET);
	// With a time limit recvmsg() is not restarted, as signal(7) says.
	timeval none{};
	OK(setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)));
	interruptible(SA_RESTART);
	test::Thread waiter([&] { EQ(client.expect().result, 10); });
	usleep(100000);
	OK(-pthread_kill(waiter.handle(), SIGUSR1));
	usleep(100000);
	client.request(hosts->b.at(net::Family::v4, server_port), pattern(10));
	server.echo();
	waiter.join();
}

TEST(shutdown)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	talk.server.expect();
	test::Thread waiter([&] { FAILS(talk.client.receive().result, ESHUTDOWN); });
	usleep(100000);
	OK(shutdown(talk.client.fd(), SHUT_RDWR));
	waiter.join();
	FAILS(talk.client.receive(MSG_DONTWAIT).result, ESHUTDOWN);
	FAILS(talk.client.send(&talk.to, pattern(1), nullptr), ESHUTDOWN);
	CHECK(talk.client.events() & POLLHUP);
	CHECK(talk.client.events() & POLLRDHUP);
	CHECK(talk.client.events() & POLLIN);
	EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
}

TEST(send_buffer_bounds)
{
	net::Alone far;
	PlainSocket client(far.host.ns, AF_INET);
	int bytes = 100000;
	OK(setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	net::Address to = net::Address::of("10.0.0.9", 5);
	Bytes message = pattern(50000);
	int sent = 0;
	while (client.send(&to, message, nullptr, MSG_DONTWAIT) > 0)
		CHECK(++sent < 100);
	EQ(errno, EAGAIN);
	CHECK(sent >= 1);
	CHECK(!client.ready(POLLOUT));
	client.set_timeout(50);
	FAILS(client.send(&to, message, nullptr), EAGAIN);
	client.set_timeout(20000);
	test::Thread sender([&] { EQ(client.send(&to, message, nullptr), 50000); });
	usleep(50000);
	OK(client.abort(0, 0, 0));
	sender.join();
}

TEST(send_wakes_on_shutdown)
{
	net::Alone far;
	PlainSocket client(far.host.ns, AF_INET);
	int bytes = 4096;
	OK(setsockopt(client.fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)));
	net::Address to = net::Address::of("10.0.0.9", 5);
	while (client.send(&to, pattern(50000), nullptr, MSG_DONTWAIT) > 0)
		;
	test::Thread sender([&] { FAILS(client.send(&to, pattern(50000), nullptr), ESHUTDOWN); });
	usleep(100000);
	OK(shutdown(client.fd(), SHUT_RDWR));
	sender.join();
}

TEST(receive_buffer_bounds)
{
	PlainTalk talk;
	int bytes = 65536;
	OK(setsockopt(talk.server.fd(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
	// Nobody receives: the rest is dropped, and sent again when there is room.
	constexpr unsigned count = 300;
	for (unsigned i = 0; i < count; i++)
		talk.client.request(talk.to, pattern(1000, i), i);
	EVENTUALLY(proc::Counters::read(hosts->b.ns)["mem_refused"] > 0);
	unsigned answered = 0;
	unsigned failed = 0;
	while (answered + failed < count) {
		pollfd waiting[2] = {{talk.server.fd(), POLLIN, 0}, {talk.client.fd(), POLLIN, 0}};
		CHECK(OK(poll(waiting, 2, 20000)) > 0);
		if (waiting[0].revents)
			talk.server.echo();
		if (!waiting[1].revents)
			continue;
		PlainMessage response = talk.client.receive();
		OK(response.result);
		if (response.failed())
			failed++;
		else
			EQ(pattern_error(response.bytes, response.rpc->cookie), "");
		answered += !response.failed();
	}
	CHECK(answered > 40);
}

// What the receiver's own books of a message take is no reason to wait for it to be gone.
TEST(least_receive_buffer)
{
	for (const bool secure : {false, true}) {
		PlainTalk talk;
		const int bytes = 1;
		for (const int fd : {talk.client.fd(), talk.server.fd()})
			OK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)));
		if (secure)
			make_secure(talk);
		for (const size_t length : {1U, 20'000U, 100'000U, 900'000U}) {
			talk.client.request(talk.to, pattern(length), length);
			talk.server.set_timeout(60000);
			talk.server.echo();
			talk.client.set_timeout(60000);
			const PlainMessage response = talk.client.expect();
			EQ(pattern_error(response.bytes), "");
			EQ(response.bytes.size(), length);
		}
	}
}

TEST(close_with_rpcs_open)
{
	PlainTalk talk;
	for (int i = 0; i < 50; i++)
		talk.client.request(talk.to, pattern(20000));
	for (int i = 0; i < 10; i++)
		talk.server.expect();
	talk.client.close();
	EVENTUALLY(proc::lines(hosts->a.ns, "rpcs").empty());
	talk.server.close();
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	CHECK(proc::lines(hosts->b.ns, "sockets").empty());
}

TEST(server_closes)
{
	PlainTalk talk;
	hosts->a.ns.patient(false);
	for (int i = 0; i < 10; i++)
		talk.client.request(talk.to, pattern(10));
	// One that comes later would be told that nobody listens.
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").size() == 10);
	talk.server.expect();
	talk.server.close();
	for (int i = 0; i < 10; i++)
		talk.client.expect_failure(ETIMEDOUT);
}

TEST(close_waits_for_responses)
{
	// Clients acknowledge when they are asked, and have read it.
	CHECK(hosts->b.ns.sysctl("need_ack_us", "1000"));
	hosts->a.ns.sh("tc qdisc replace dev eth0 root netem delay 5ms");
	for (bool secure : {false, true}) {
		for (size_t length : {1000, 60000, 400000}) {
			PlainTalk talk;
			if (secure)
				make_secure(talk);
			talk.client.request(talk.to, pattern(10));
			PlainMessage request = talk.server.expect();
			talk.server.linger(30);
			talk.server.reply(request, pattern(length));
			test::Thread closing([&] { talk.server.close(); });
			EQ(talk.client.receive().bytes, pattern(length));
			closing.join();
		}
	}
	hosts->a.ns.sh("tc qdisc del dev eth0 root");
}

TEST(close_waits_for_nothing_else)
{
	PlainTalk talk;
	talk.server.linger(30);
	talk.client.linger(30);
	for (int i = 0; i < 3; i++)
		talk.client.request(talk.to, pattern(100000));
	talk.server.expect();
	auto start = std::chrono::steady_clock::now();
	talk.client.close();
	talk.server.close();
	CHECK(since(start) < 20);
}

TEST(close_waits_as_long_as_told)
{
	for (int seconds : {0, 1}) {
		PlainTalk talk;
		talk.client.request(talk.to, pattern(10));
		PlainMessage request = talk.server.expect();
		hosts->a.ns.sh("ip link set eth0 down");
		talk.server.linger(seconds);
		talk.server.reply(request, pattern(400000));
		auto start = std::chrono::steady_clock::now();
		talk.server.close();
		CHECK(since(start) >= seconds);
		CHECK(since(start) < 20);
		// 0 ends it, and what else is left after the time goes on by itself.
		EQ(proc::lines(hosts->b.ns, "rpcs").size(), seconds ? 1 : 0);
		hosts->a.ns.sh("ip link set eth0 up");
		if (seconds)
			EQ(talk.client.expect().bytes, pattern(400000));
	}
}

TEST(answered_requests_take_no_memory)
{
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		// Short, and one that takes more than a packet.
		for (size_t length : {100, 200000}) {
			talk.client.request(talk.to, pattern(900000), 1);
			PlainMessage request = talk.server.expect();
			int held = 0;
			OK(ioctl(talk.client.fd(), SIOCOUTQ, &held));
			CHECK(held > 900000);
			talk.server.reply(request, pattern(length));
			EVENTUALLY(talk.client.ready(POLLIN));
			// Nobody has read it.
			EVENTUALLY(ioctl(talk.client.fd(), SIOCOUTQ, &held) == 0 && held == 0);
			EQ(talk.client.expect().bytes, pattern(length));
		}
	}
}
