// SPDX-License-Identifier: Apache-2.0
// SDP: one socket at each end, by the plain API (messages are copied out) or by
// Homa's (messages are placed in a region); clear, or secure with AES-128-GCM.
// Only setting up uses the library: the figures are the kernel's.
#include "transport.hpp"

#include <sdp/socket.hpp>

#include <linux/homa.h>
#include <linux/sdp.h>

#include <array>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>
#include <vector>

namespace bench {
namespace {

struct variant {
	bool secure = false;
	bool region = false;
};

constexpr std::size_t region_bytes = 64UL * HOMA_BPAGE_SIZE;

sdp::socket make_socket(const plan &what, variant kind)
{
	return sdp::socket(what.server.version(),
			   {.region = kind.region ? region_bytes : 0, .max_message = 1});
}

/** Installs a session: nonces and addresses cross by the pipe. */
void make_session(sdp::socket &on, sdp::role role, const sdp::address &peer, const channel &setup)
{
	sdp::session_parameters session;
	session.peer = peer;
	session.role = role;
	session.own_nonce = on.new_nonce();
	setup.put(session.own_nonce);
	setup.get(session.peer_nonce);
	on.add_session(session, sdp::secret::from_hex(std::string(64, '7')));
}

/** A message and its RPC, by one API or the other. */
class end {
public:
	end(int fd, bool region, std::size_t size) : fd_(fd), region_(region), bytes_(size) {}

	/** On a connected socket, as a program without need for ids would. */
	void request_plain() { check(::send(fd_, bytes_.data(), bytes_.size(), 0), "request"); }

	void receive_plain()
	{
		const ssize_t length =
			check(::recv(fd_, bytes_.data(), bytes_.size(), 0), "receive");
		if (static_cast<std::size_t>(length) != bytes_.size()) {
			throw std::runtime_error("a message of another length");
		}
	}

	void request(const sdp::address &to)
	{
		if (!region_) {
			request_plain();
			return;
		}
		homa_sendmsg_args args{};
		iovec piece{bytes_.data(), bytes_.size()};
		msghdr head{};
		head.msg_name = const_cast<sockaddr *>(to.data());
		head.msg_namelen = to.size();
		head.msg_iov = &piece;
		head.msg_iovlen = 1;
		head.msg_control = &args;
		check(::sendmsg(fd_, &head, 0), "request");
	}

	/** Waits for a message; respond() answers it. */
	void receive()
	{
		if (region_) {
			receive_in_region();
		} else {
			receive_copy();
		}
	}

	void respond()
	{
		homa_sendmsg_args args{};
		args.id = id_;
		iovec piece{bytes_.data(), bytes_.size()};
		msghdr head{};
		head.msg_name = &peer_;
		head.msg_namelen = peer_length_;
		head.msg_iov = &piece;
		head.msg_iovlen = 1;
		alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(SDP_RPC_CMSG_SHORT)> control{};
		if (region_) {
			head.msg_control = &args;
		} else {
			head.msg_control = control.data();
			head.msg_controllen = control.size();
			cmsghdr *rpc = CMSG_FIRSTHDR(&head);
			rpc->cmsg_level = IPPROTO_HOMA;
			rpc->cmsg_type = SDP_CMSG_RPC;
			rpc->cmsg_len = CMSG_LEN(SDP_RPC_CMSG_SHORT);
			const sdp_rpc_cmsg fields{.size = SDP_RPC_CMSG_SHORT,
						  .flags = 0,
						  .id = id_,
						  .cookie = 0,
						  .error = 0,
						  .session = 0};
			std::memcpy(CMSG_DATA(rpc), &fields, SDP_RPC_CMSG_SHORT);
		}
		check(::sendmsg(fd_, &head, 0), "response");
	}

private:
	void receive_copy()
	{
		alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(sdp_rpc_cmsg))> control{};
		iovec piece{bytes_.data(), bytes_.size()};
		msghdr head{};
		head.msg_name = &peer_;
		head.msg_namelen = sizeof(peer_);
		head.msg_iov = &piece;
		head.msg_iovlen = 1;
		head.msg_control = control.data();
		head.msg_controllen = control.size();
		const ssize_t length = check(::recvmsg(fd_, &head, 0), "receive");
		sdp_rpc_cmsg fields{};
		if (const cmsghdr *rpc = CMSG_FIRSTHDR(&head); rpc != nullptr) {
			std::memcpy(&fields, CMSG_DATA(rpc), sizeof(fields));
		}
		received(fields.id, static_cast<int>(fields.error), length, head.msg_namelen);
	}

	void receive_in_region()
	{
		args_.id = 0;
		msghdr head{};
		head.msg_name = &peer_;
		head.msg_namelen = sizeof(peer_);
		head.msg_control = &args_;
		head.msg_controllen = sizeof(args_);
		// Hands back the pages of the message before.
		const ssize_t length = check(::recvmsg(fd_, &head, 0), "receive");
		received(args_.id, 0, length, head.msg_namelen);
	}

	void received(std::uint64_t id, int error, ssize_t length, socklen_t peer_length)
	{
		if (error != 0) {
			throw std::system_error(error, std::generic_category(), "RPC");
		}
		if (static_cast<std::size_t>(length) != bytes_.size()) {
			throw std::runtime_error("a message of another length");
		}
		id_ = id;
		peer_length_ = peer_length;
	}

	int fd_;
	bool region_;
	std::vector<std::byte> bytes_;
	homa_recvmsg_args args_{};
	std::uint64_t id_ = 0;
	sockaddr_storage peer_{};
	socklen_t peer_length_ = 0;
};

void serve(const plan &what, const channel &setup, variant kind)
{
	sdp::socket socket = make_socket(what, kind);
	socket.bind(what.server);
	setup.put_sign();
	if (kind.secure) {
		std::array<std::byte, 128> text{};
		setup.get(text);
		const std::string peer(reinterpret_cast<const char *>(text.data()));
		make_session(socket, sdp::role::server, sdp::address::parse(peer), setup);
	}
	setup.put_sign();
	end service(socket.fd(), kind.region, what.size);
	for (;;) {
		service.receive();
		service.respond();
	}
}

class sdp_client final : public client {
public:
	sdp_client(const plan &what, const channel &setup, variant kind)
		: plan_(what),
		  plain_(!kind.region),
		  socket_(make_socket(what, kind)),
		  end_(socket_.fd(), kind.region, what.size)
	{
		setup.wait_sign();
		// Gives the socket its port, which a session names, and its peer.
		socket_.connect(what.server);
		if (kind.secure) {
			std::array<std::byte, 128> text{};
			const std::string local = local_address().text();
			std::memcpy(text.data(), local.data(), local.size());
			setup.put(text);
			make_session(socket_, sdp::role::client, what.server, setup);
		}
		setup.wait_sign();
	}

	void run(std::size_t count) override
	{
		std::size_t sent = 0;
		for (; sent < std::min(count, plan_.outstanding); ++sent) {
			end_.request(plan_.server);
		}
		for (std::size_t received = 0; received < count; ++received) {
			plain_ ? end_.receive_plain() : end_.receive();
			if (sent < count) {
				end_.request(plan_.server);
				++sent;
			}
		}
	}

private:
	/** Our port, with the address that a UDP socket would use for the same peer. */
	[[nodiscard]] sdp::address local_address() const
	{
		const int domain = plan_.server.version() == sdp::ip::v4 ? AF_INET : AF_INET6;
		const int probe = check(::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
		check(::connect(probe, plan_.server.data(), plan_.server.size()), "connect");
		sockaddr_storage raw{};
		socklen_t length = sizeof(raw);
		auto *where = reinterpret_cast<sockaddr *>(&raw);
		check(::getsockname(probe, where, &length), "getsockname");
		::close(probe);
		return sdp::address::from(where, length).with_port(socket_.local().port());
	}

	plan plan_;
	bool plain_;
	sdp::socket socket_;
	end end_;
};

template <variant Kind>
void serve_as(const plan &what, const channel &setup)
{
	serve(what, setup, Kind);
}

template <variant Kind>
std::unique_ptr<client> connect_as(const plan &what, const channel &setup)
{
	return std::make_unique<sdp_client>(what, setup, Kind);
}

template <variant Kind>
constexpr transport make(std::string_view name)
{
	return {name, serve_as<Kind>, connect_as<Kind>};
}

constexpr std::array all{
	make<variant{.secure = false, .region = false}>("clear"),
	make<variant{.secure = true, .region = false}>("secure"),
	make<variant{.secure = false, .region = true}>("clear-region"),
	make<variant{.secure = true, .region = true}>("secure-region"),
};

} // namespace

std::span<const transport> sdp_transports()
{
	return all;
}

} // namespace bench
