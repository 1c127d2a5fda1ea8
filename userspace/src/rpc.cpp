// SPDX-License-Identifier: Apache-2.0
#include <sdp/rpc.hpp>

#include "check.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <utility>

namespace sdp::inline v0 {

client::client(const address &server, const socket_options &options)
	: server_(detail::with_a_port(server)), socket_(server.version(), options)
{
}

client::client(const address &server, const secret &shared, const psk_options &psk,
	       const socket_options &options)
	: client(server, options)
{
	psk_connect(socket_, server_, shared, psk);
}

message client::call(bytes_view body)
{
	return socket_.call(server_, body);
}

void client::start(bytes_view body, std::uint64_t cookie)
{
	socket_.send_request(server_, body, {.cookie = cookie});
}

/** The thread that answers handshakes. */
class server::handshakes {
public:
	handshakes(socket &on, const secret &shared, const psk_acceptor_options &options)
		: acceptor_(on, shared, options),
		  stop_(detail::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "handshakes"))
	{
		// Signals are for the program's own threads.
		sigset_t all{};
		sigset_t before{};
		::sigfillset(&all);
		::pthread_sigmask(SIG_SETMASK, &all, &before);
		try {
			thread_ = std::thread([this] { run(); });
		} catch (...) {
			::pthread_sigmask(SIG_SETMASK, &before, nullptr);
			throw;
		}
		::pthread_sigmask(SIG_SETMASK, &before, nullptr);
	}
	~handshakes()
	{
		// Cannot fail: the counter is far from its end.
		static_cast<void>(::eventfd_write(stop_.get(), 1));
		thread_.join();
	}
	handshakes(const handshakes &) = delete;
	handshakes &operator=(const handshakes &) = delete;
	handshakes(handshakes &&) = delete;
	handshakes &operator=(handshakes &&) = delete;

private:
	void run() noexcept
	{
		constexpr std::chrono::milliseconds while_no_memory{100};
		std::array<pollfd, 2> wait{{{acceptor_.fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
		while (wait[1].revents == 0) {
			if (::poll(wait.data(), wait.size(), -1) < 0) {
				std::this_thread::sleep_for(while_no_memory);
				continue;
			}
			acceptor_.handle();
		}
	}

	psk_acceptor acceptor_;
	detail::file stop_;
	std::thread thread_;
};

server::server(const address &local) : socket_(std::make_unique<socket>(local.version()))
{
	socket_->bind(detail::with_a_port(local));
}

server::server(const address &local, const secret &shared, const psk_acceptor_options &psk)
	: socket_(std::make_unique<socket>(local.version()))
{
	// Before the port is there: nothing may come in under another policy.
	socket_->set_policy(policy::secure);
	socket_->bind(detail::with_a_port(local));
	handshakes_ = std::make_unique<handshakes>(*socket_, shared, psk);
}

server::~server() = default;
server::server(server &&other) noexcept = default;

server &server::operator=(server &&other) noexcept
{
	if (this != &other) {
		handshakes_ = std::move(other.handshakes_);
		socket_ = std::move(other.socket_);
	}
	return *this;
}

message server::receive()
{
	for (;;) {
		message request = socket_->receive();
		if (request.is_request()) {
			return request;
		}
	}
}

} // namespace sdp::inline v0
