// SPDX-License-Identifier: Apache-2.0
#include <sdp/rpc.hpp>

#include <mutex>
#include <utility>

namespace sdp {

client::client(const address &server, const socket_options &options)
	: server_(server), socket_(server.version(), options)
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

struct server::handshakes {
	std::mutex lock;
	psk_acceptor acceptor;
};

server::server(const address &local) : socket_(local.version())
{
	socket_.bind(local);
}

server::server(const address &local, secret shared)
	: socket_(local.version()),
	  handshakes_(new handshakes{.lock = {}, .acceptor = psk_acceptor(std::move(shared))})
{
	// Before the port is there: nothing may come in under another policy.
	socket_.set_policy(policy::mixed);
	socket_.bind(local);
}

server::~server() = default;
server::server(server &&other) noexcept = default;
server &server::operator=(server &&other) noexcept = default;

message server::receive()
{
	for (;;) {
		message request = socket_.receive();
		if (!request.is_request()) {
			continue;
		}
		if (handshakes_) {
			const std::scoped_lock held(handshakes_->lock);
			if (handshakes_->acceptor.handle(socket_, request)) {
				continue;
			}
		}
		return request;
	}
}

} // namespace sdp
