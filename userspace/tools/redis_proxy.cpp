// SPDX-License-Identifier: Apache-2.0
#include "redis_proxy.hpp"

#include "protocol.hpp"

#include <sdp/address.hpp>
#include <sdp/tls_plugin.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <iostream>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace tool {

using sdp::detail::check;
using sdp::detail::file;

namespace {

/** Bytes of a client's that are read ahead, and go in one call. */
constexpr std::size_t most_in = 262'144;
/** How long nobody is accepted where there is no descriptor for another. */
constexpr int accept_pause_ms = 200;
/** What events are about: a client's number, or one of these, or a listener. */
constexpr std::uint64_t of_wake = std::uint64_t{1} << 32;
constexpr std::uint64_t of_signals = of_wake + 1;
constexpr std::uint64_t of_listener = of_wake + 2;

sigset_t ending_signals()
{
	sigset_t all;
	sigemptyset(&all);
	sigaddset(&all, SIGINT);
	sigaddset(&all, SIGTERM);
	return all;
}

bool is_loopback(const sdp::address &where)
{
	const sdp::address plain = where.unmapped();
	if (plain.version() == sdp::ip::v4) {
		sockaddr_in raw{};
		std::memcpy(&raw, plain.data(), sizeof(raw));
		return ntohl(raw.sin_addr.s_addr) >> 24 == 127;
	}
	sockaddr_in6 raw{};
	std::memcpy(&raw, plain.data(), sizeof(raw));
	return IN6_IS_ADDR_LOOPBACK(&raw.sin6_addr);
}

/** A coroutine's parameters are copied into it, and a lambda's captures are not. */
sdp::task<void> exchange(sdp::channel &to, std::uint32_t method, std::string body,
			 std::function<void(sdp::result<sdp::reply> &&)> then)
{
	auto got = co_await to.call(method, body);
	if (then) {
		then(std::move(got));
	}
}

std::string error_line(const sdp::failure &why)
{
	std::string text = why.code == make_error_code(sdp::redis::no_user) ||
					   why.code == make_error_code(sdp::redis::no_connection) ||
					   why.code == make_error_code(sdp::redis::too_many)
				   ? why.text
				   : "ERR sdp redis-proxy: " + why.describe();
	std::ranges::replace(text, '\n', ' ');
	std::ranges::replace(text, '\r', ' ');
	return '-' + text + "\r\n";
}

} // namespace

file listen_on_loopback(const std::string &where)
{
	sdp::address at;
	try {
		at = sdp::address::parse(where);
	} catch (const std::invalid_argument &) {
		throw usage_error("not an address with a port: " + where);
	}
	if (at.port() == 0 || !is_loopback(at)) {
		throw usage_error("not a loopback address with a port, such as 127.0.0.1:6379: " +
				  where);
	}
	file made(
		check(::socket(at.data()->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
		      "socket"));
	const int on = 1;
	check(::setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), where.c_str());
	check(::bind(made.get(), at.data(), at.size()), where.c_str());
	check(::listen(made.get(), SOMAXCONN), where.c_str());
	return made;
}

file listen_on_path(const std::string &path)
{
	if (path.empty()) { // It would be a socket without a path, which is everybody's.
		throw usage_error("a Unix socket has a path");
	}
	sockaddr_un at{};
	at.sun_family = AF_UNIX;
	if (path.size() >= sizeof(at.sun_path)) {
		throw usage_error("too long for a socket: " + path);
	}
	std::memcpy(at.sun_path, path.data(), path.size());
	const auto *const raw = reinterpret_cast<const sockaddr *>(&at);
	struct stat is {};
	if (::lstat(path.c_str(), &is) == 0 && S_ISSOCK(is.st_mode)) {
		const file try_it(
			check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
		if (::connect(try_it.get(), raw, sizeof(at)) == 0 || errno != ECONNREFUSED) {
			throw std::system_error(EADDRINUSE, std::generic_category(), path);
		}
		check(::unlink(path.c_str()), path.c_str());
	}
	file made(
		check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
	const mode_t before = ::umask(0177);
	const int bound = ::bind(made.get(), raw, sizeof(at));
	const int error = errno;
	::umask(before);
	errno = error;
	check(bound, path.c_str());
	check(::listen(made.get(), SOMAXCONN), path.c_str());
	return made;
}

redis_forwarder::redis_forwarder(std::vector<file> on, const redis_proxy_options &options)
	: listeners_(std::move(on)),
	  most_(options.connections),
	  epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
	  wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
	  to_(options.target, sdp::tls::from_folder(options.credentials),
	      {.timeout =
		       std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout * 1000)),
	       .server_name = options.name})
{
	const sigset_t ending = ending_signals();
	signals_ = file(check(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
	watch(wake_.get(), EPOLLIN, of_wake, true);
	watch(signals_.get(), EPOLLIN, of_signals, true);
	for (std::size_t i = 0; i < listeners_.size(); ++i) {
		watch(listeners_[i].get(), EPOLLIN, of_listener + i, true);
	}
}

void redis_forwarder::watch(int fd, std::uint32_t events, std::uint64_t what, bool is_new)
{
	epoll_event event{};
	event.events = events;
	event.data.u64 = what;
	check(::epoll_ctl(epoll_.get(), is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event),
	      "epoll");
}

void redis_forwarder::run()
{
	for (;;) {
		std::array<epoll_event, 64> events{};
		// Others may close descriptors, which nobody tells of.
		const int pause = is_listening_ ? -1 : accept_pause_ms;
		const int count = ::epoll_wait(epoll_.get(), events.data(), events.size(), pause);
		if (count < 0 && errno != EINTR) {
			check(count, "epoll");
		}
		if (count == 0) {
			listen_again(true);
		}
		for (int i = 0; i < count; ++i) {
			const epoll_event &event = events.at(static_cast<std::size_t>(i));
			const std::uint64_t what = event.data.u64;
			if (what == of_signals) {
				return;
			}
			if (what == of_wake) {
				take_answers();
				continue;
			}
			if (what >= of_listener) {
				accept_from(listeners_.at(what - of_listener).get());
				continue;
			}
			const auto number = static_cast<std::uint32_t>(what);
			const auto at = clients_.find(number);
			if (at == clients_.end()) {
				continue; // Gone since.
			}
			if ((event.events & EPOLLIN) != 0) {
				read_from(at->second);
			} else if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) {
				drop(number);
				continue;
			}
			go_on(number);
		}
	}
}

void redis_forwarder::listen_again(bool yes)
{
	if (yes != std::exchange(is_listening_, yes)) {
		for (std::size_t i = 0; i < listeners_.size(); ++i) {
			watch(listeners_[i].get(), yes ? std::uint32_t{EPOLLIN} : 0U,
			      of_listener + i, false);
		}
	}
}

void redis_forwarder::accept_from(int listener)
{
	file fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
	if (fd.get() < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			std::cerr << "sdp redis-proxy: " << std::strerror(errno)
				  << "; no more clients for now\n";
			listen_again(false);
		}
		return;
	}
	if (clients_.size() >= most_) {
		constexpr std::string_view full = "-ERR max number of clients reached\r\n";
		static_cast<void>(::send(fd.get(), full.data(), full.size(), MSG_NOSIGNAL));
		return;
	}
	const int on = 1; // Of a Unix socket it fails, which does not matter.
	::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	do {
		next_ = (next_ + 1) & sdp::redis::most_connection;
	} while (clients_.contains(next_));
	watch(fd.get(), EPOLLIN, next_, true);
	clients_.emplace(next_, local{.fd = std::move(fd), .number = next_, .events = EPOLLIN});
}

void redis_forwarder::read_from(local &which)
{
	const std::size_t before = which.in.size();
	if (before >= most_in || which.is_read) {
		return;
	}
	std::array<char, 65'536> room; // NOLINT: what is read fills it
	const ssize_t length =
		::recv(which.fd.get(), room.data(), std::min(room.size(), most_in - before), 0);
	if (length > 0) {
		which.in.append(room.data(), static_cast<std::size_t>(length));
	} else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
		which.is_read = true;
	}
}

void redis_forwarder::write_to(local &which)
{
	while (which.written < which.out.size()) {
		const ssize_t length = ::send(which.fd.get(), which.out.data() + which.written,
					      which.out.size() - which.written, MSG_NOSIGNAL);
		if (length >= 0) {
			which.written += static_cast<std::size_t>(length);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			which.is_over = which.is_read = true; // It is gone.
			break;
		}
	}
	which.out.clear();
	which.written = 0;
}

bool redis_forwarder::go_on(std::uint32_t number)
{
	local &which = clients_.at(number);
	write_to(which);
	const bool is_written = which.out.empty();
	if (is_written && !which.is_called) {
		if (which.is_over || (which.is_read && which.in.empty() && !which.has_more)) {
			drop(number);
			return false;
		}
		if (which.has_more) {
			call(which, {});
		} else if (!which.in.empty()) {
			call(which, std::exchange(which.in, {}));
		}
	}
	const std::uint32_t wanted =
		(which.in.size() < most_in && !which.is_read ? std::uint32_t{EPOLLIN} : 0U) |
		(is_written ? 0U : std::uint32_t{EPOLLOUT});
	if (wanted != which.events) {
		which.events = wanted;
		watch(which.fd.get(), wanted, number, false);
	}
	return true;
}

void redis_forwarder::call(local &which, std::string_view body)
{
	const std::uint32_t number = which.number;
	const std::uint32_t method = number | (which.is_open ? 0U : sdp::redis::begins);
	which.is_called = true;
	which.is_open = true;
	calls_.start(exchange(to_, method, std::string(body),
			      [this, number](sdp::result<sdp::reply> &&got) {
				      {
					      const std::scoped_lock held(lock_);
					      answers_.push_back({number, std::move(got)});
				      }
				      static_cast<void>(::eventfd_write(wake_.get(), 1));
			      }));
}

void redis_forwarder::take_answers()
{
	std::uint64_t value = 0;
	static_cast<void>(::eventfd_read(wake_.get(), &value));
	std::vector<answer> now;
	{
		const std::scoped_lock held(lock_);
		now.swap(answers_);
	}
	for (answer &each : now) {
		const auto at = clients_.find(each.number);
		if (at != clients_.end()) {
			at->second.is_called = false;
			if (at->second.fd.get() < 0) {
				drop(each.number);
			} else {
				answered(at->second, std::move(each.got));
				go_on(each.number);
			}
		}
	}
}

void redis_forwarder::answered(local &which, sdp::result<sdp::reply> &&got)
{
	if (!got) {
		which.out += error_line(got.error());
		which.is_over = true;
		which.has_more = false;
		return;
	}
	which.out += got->text();
	which.has_more = got->metadata().get(sdp::redis::more).has_value();
	if (got->metadata().get(sdp::redis::ended)) {
		which.is_over = true;
		which.is_open = false;
	}
}

void redis_forwarder::drop(std::uint32_t number)
{
	const auto at = clients_.find(number);
	local &which = at->second;
	if (which.is_called) {
		const file gone = std::move(which.fd);
		return; // Its number is free once the server has answered.
	}
	if (which.is_open) {
		calls_.start(exchange(to_, number | sdp::redis::ends, {}, {}));
	}
	clients_.erase(at);
	listen_again(true);
}

int redis_proxy(const redis_proxy_options &options)
{
	// Before there are threads, which inherit it.
	const sigset_t ending = ending_signals();
	check(::sigprocmask(SIG_BLOCK, &ending, nullptr), "signals");
	std::vector<file> on;
	for (const std::string &each : options.addresses) {
		on.push_back(listen_on_loopback(each));
	}
	for (const std::string &each : options.paths) {
		on.push_back(listen_on_path(each));
	}
	if (on.empty()) {
		throw usage_error("redis-proxy needs --listen or --unix");
	}
	{
		redis_forwarder all(std::move(on), options);
		std::cout << "ready" << std::endl;
		all.run();
	}
	for (const std::string &each : options.paths) {
		::unlink(each.c_str());
	}
	return success;
}

} // namespace tool
