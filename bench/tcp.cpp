// SPDX-License-Identifier: Apache-2.0
// TCP and kernel TLS: a connection for each RPC that is outstanding, served by one
// thread at each end; with one connection it blocks in read, with more in epoll.
#include "transport.hpp"

#include <array>
#include <cstring>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

namespace bench {
namespace {

using buffer = std::vector<std::byte>;

/** Keys as after a TLS 1.3 handshake; the figures do not depend on them. */
void set_key(int fd, int direction, unsigned char fill)
{
	tls12_crypto_info_aes_gcm_128 info{};
	info.info.version = TLS_1_3_VERSION;
	info.info.cipher_type = TLS_CIPHER_AES_GCM_128;
	std::memset(info.key, fill, sizeof(info.key));
	std::memset(info.iv, fill, sizeof(info.iv));
	check(::setsockopt(fd, SOL_TLS, direction, &info, sizeof(info)), "kTLS key");
}

void start_tls(int fd, bool server)
{
	check(::setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")), "kTLS");
	set_key(fd, TLS_TX, server ? 1 : 2);
	set_key(fd, TLS_RX, server ? 2 : 1);
	const int yes = 1;
	check(::setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &yes, sizeof(yes)),
	      "kTLS no padding");
}

void prepare(int fd, bool tls, bool server)
{
	const int yes = 1;
	check(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)), "TCP_NODELAY");
	if (tls) {
		start_tls(fd, server);
	}
}

void write_all(int fd, std::span<const std::byte> bytes)
{
	while (!bytes.empty()) {
		const ssize_t done =
			check(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), "send");
		bytes = bytes.subspan(static_cast<std::size_t>(done));
	}
}

/** One connection's message on its way in. */
struct incoming {
	int fd = -1;
	buffer bytes;
	std::size_t have = 0;

	/** Reads once; true when the message is complete. False also when nothing was there. */
	bool read(int flags)
	{
		const ssize_t got = ::recv(fd, &bytes[have], bytes.size() - have, flags);
		if (got < 0 && errno == EAGAIN) {
			return false;
		}
		if (check(got, "recv") == 0) {
			throw std::runtime_error("connection closed");
		}
		have += static_cast<std::size_t>(got);
		if (have < bytes.size()) {
			return false;
		}
		have = 0;
		return true;
	}
};

/** Calls @p handle with a connection whenever a whole message is there; ends when that says so. */
template <typename F>
void each_message(int poller, std::vector<incoming> &all, F handle)
{
	if (all.size() == 1) {
		do {
			while (!all[0].read(0)) {
			}
		} while (handle(all[0]));
		return;
	}
	std::array<epoll_event, 16> events{};
	for (;;) {
		const int count = ::epoll_wait(poller, events.data(), events.size(), -1);
		for (const epoll_event &each :
		     std::span(events).first(check(count, "epoll_wait"))) {
			incoming &one = all[each.data.u64];
			if (one.read(MSG_DONTWAIT) && !handle(one)) {
				return;
			}
		}
	}
}

int make_poller(const std::vector<incoming> &all)
{
	const int poller = check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
	for (std::size_t i = 0; i < all.size(); ++i) {
		epoll_event event{};
		event.events = EPOLLIN;
		event.data.u64 = i;
		check(::epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event), "epoll_ctl");
	}
	return poller;
}

void serve(const plan &what, const channel &setup, bool tls)
{
	const int domain = what.server.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
	const int listener = check(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	const int yes = 1;
	::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	check(::bind(listener, what.server.data(), what.server.size()), "bind");
	check(::listen(listener, static_cast<int>(what.outstanding)), "listen");
	setup.put_sign();
	std::vector<incoming> all(what.outstanding);
	for (incoming &one : all) {
		one.fd = check(::accept(listener, nullptr, nullptr), "accept");
		one.bytes.resize(what.size);
		prepare(one.fd, tls, true);
	}
	const int poller = make_poller(all);
	setup.put_sign();
	each_message(poller, all, [](incoming &one) {
		write_all(one.fd, one.bytes);
		return true;
	});
}

class tcp_client final : public client {
public:
	tcp_client(const plan &what, const channel &setup, bool tls)
		: all_(connect_all(what, setup, tls)),
		  request_(what.size),
		  poller_(make_poller(all_))
	{
		setup.wait_sign();
	}
	~tcp_client() override
	{
		for (const incoming &one : all_) {
			::close(one.fd);
		}
		::close(poller_);
	}

	void run(std::size_t count) override
	{
		std::size_t sent = 0;
		std::size_t received = 0;
		for (; sent < std::min(count, all_.size()); ++sent) {
			write_all(all_[sent].fd, request_);
		}
		each_message(poller_, all_, [&](incoming &one) {
			if (sent < count) {
				write_all(one.fd, request_);
				++sent;
			}
			return ++received < count;
		});
	}

private:
	static std::vector<incoming> connect_all(const plan &what, const channel &setup, bool tls)
	{
		const int domain = what.server.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
		setup.wait_sign();
		std::vector<incoming> all(what.outstanding);
		for (incoming &one : all) {
			one.fd = check(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
			one.bytes.resize(what.size);
			check(::connect(one.fd, what.server.data(), what.server.size()), "connect");
			prepare(one.fd, tls, false);
		}
		return all;
	}

	std::vector<incoming> all_;
	buffer request_;
	int poller_;
};

template <bool Tls>
void serve_as(const plan &what, const channel &setup)
{
	serve(what, setup, Tls);
}

template <bool Tls>
std::unique_ptr<client> connect_as(const plan &what, const channel &setup)
{
	return std::make_unique<tcp_client>(what, setup, Tls);
}

constexpr std::array all{
	transport{"tcp", serve_as<false>, connect_as<false>},
	transport{"ktls", serve_as<true>, connect_as<true>},
};

} // namespace

std::span<const transport> tcp_transports()
{
	return all;
}

} // namespace bench
