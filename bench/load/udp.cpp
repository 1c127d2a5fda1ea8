// SPDX-License-Identifier: Apache-2.0
// UDP: what a message costs without reliability, flow control or secrecy: the floor.
#include "datagrams.hpp"

#include <array>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

class udp_end final : public datagram_end {
public:
	udp_end(const plan &what, std::uint32_t lane)
		: bytes_(what.longest),
		  fd_(check(::socket(what.server.version() == sdp::ip::v4 ? AF_INET : AF_INET6,
				     SOCK_DGRAM | SOCK_CLOEXEC, 0),
			    "socket"))
	{
		if (what.peers) {
			const auto from = client_address(what.clients, lane);
			check(::bind(fd_, from.data(), from.size()), "bind");
		}
		check(::connect(fd_, what.server.data(), what.server.size()), "connect");
	}
	~udp_end() override { ::close(fd_); }

	[[nodiscard]] int fd() const override { return fd_; }

	bool send(std::span<const std::byte> message, bool) override
	{
		check(::send(fd_, message.data(), message.size(), 0), "send");
		return true;
	}

	std::optional<header> receive(bool block) override
	{
		const ssize_t got =
			::recv(fd_, bytes_.data(), bytes_.size(), block ? 0 : MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN) {
			return {};
		}
		return whole(std::span(bytes_).first(static_cast<std::size_t>(check(got, "recv"))));
	}

private:
	std::vector<std::byte> bytes_;
	int fd_;
};

void serve(const plan &what, const pipe_pair &setup)
{
	const int domain = what.server.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
	const int fd = check(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	check(::bind(fd, what.server.data(), what.server.size()), "bind");
	setup.put_sign();
	setup.finished();
	std::vector<std::byte> bytes(what.longest);
	outgoing from(what.longest);
	for (;;) {
		sockaddr_storage peer{};
		auto *name = reinterpret_cast<sockaddr *>(&peer);
		socklen_t length = sizeof(peer);
		const ssize_t got =
			check(::recvfrom(fd, bytes.data(), bytes.size(), 0, name, &length), "recv");
		const auto message = from.message(
			answer_to(whole(std::span(bytes).first(static_cast<std::size_t>(got))),
				  what.longest));
		check(::sendto(fd, message.data(), message.size(), 0, name, length), "send");
	}
}

std::unique_ptr<client> connect(const plan &what, const pipe_pair &setup)
{
	setup.wait_sign();
	std::vector<std::unique_ptr<datagram_end>> ends;
	for (std::uint32_t i = 0; i < (what.peers ? what.lanes : 1); ++i) {
		ends.push_back(std::make_unique<udp_end>(what, i));
	}
	return std::make_unique<datagram_client>(what, std::move(ends));
}

/** Of a datagram, 65,535 with headers of IP and UDP; those beyond the MTU go as fragments. */
constexpr std::size_t udp_longest = 65'507;

constexpr std::array all{transport{"udp", udp_longest, false, true, serve, connect}};

} // namespace

std::span<const transport> udp_transports()
{
	return all;
}

} // namespace bench
