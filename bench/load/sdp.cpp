// SPDX-License-Identifier: Apache-2.0
// SDP: one socket at each end, by the plain API (messages are copied out) or by
// Homa's (messages are placed in a region); clear, or secure with one of three ciphers.
// Only setting up uses the library: the figures are the kernel's.
#include "datagrams.hpp"

#include <sdp/socket.hpp>

#include <linux/homa.h>
#include <linux/sdp.h>

#include <algorithm>
#include <array>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace bench {
namespace {

struct variant {
	bool secure = false;
	bool region = false;
	sdp::cipher cipher = sdp::cipher::aes_128_gcm;
};

sdp::socket make_socket(const plan &what)
{
	return sdp::socket(what.server.version(), {.region = 0, .max_message = 1});
}

/** What an end tells the other of itself, by the pipe. */
struct hello {
	sdp::nonce nonce;
	std::array<char, 64> address; /**< text, zero at the end */
};

hello make_hello(sdp::socket &on, const sdp::address &at)
{
	hello own{on.new_nonce(), {}};
	const std::string text = at.text();
	std::copy_n(text.begin(), std::min(text.size(), own.address.size() - 1),
		    own.address.begin());
	return own;
}

void add_session(sdp::socket &on, const hello &own, const hello &other, sdp::role role,
		 variant kind)
{
	sdp::session_parameters session;
	session.peer = sdp::address::parse(other.address.data());
	session.role = role;
	session.cipher = kind.cipher;
	session.own_nonce = own.nonce;
	session.peer_nonce = other.nonce;
	on.add_session(session, sdp::secret::from_hex(std::string(64, '7')));
}

int flags_for(bool block)
{
	return block ? 0 : MSG_DONTWAIT;
}

/** By the plain API, as a program without need for ids would. */
class plain_end final : public datagram_end {
public:
	plain_end(sdp::socket on, std::size_t most) : on_(std::move(on)), bytes_(most) {}

	[[nodiscard]] int fd() const override { return on_.fd(); }

	bool send(std::span<const std::byte> message, bool block) override
	{
		const ssize_t done =
			::send(on_.fd(), message.data(), message.size(), flags_for(block));
		if (done < 0 && errno == EAGAIN) {
			return false;
		}
		check(done, "request");
		return true;
	}

	std::optional<header> receive(bool block) override
	{
		const ssize_t got =
			::recv(on_.fd(), bytes_.data(), bytes_.size(), flags_for(block));
		if (got < 0 && errno == EAGAIN) {
			return {};
		}
		const auto length = static_cast<std::size_t>(check(got, "receive"));
		return whole(std::span(bytes_).first(length));
	}

private:
	sdp::socket on_;
	std::vector<std::byte> bytes_;
};

/** Memory that the kernel places a socket's messages in. */
class region {
public:
	explicit region(const sdp::socket &on)
		: start_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))
	{
		check(start_ == MAP_FAILED ? -1 : 0, "mmap");
		homa_rcvbuf_args args{};
		args.start = reinterpret_cast<std::uintptr_t>(start_);
		args.length = bytes;
		check(::setsockopt(on.fd(), IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)),
		      "receive region");
	}
	~region() { ::munmap(start_, bytes); }
	region(const region &) = delete;
	region &operator=(const region &) = delete;

	[[nodiscard]] header header_at(std::uint32_t offset) const
	{
		return header_of({static_cast<const std::byte *>(start_) + offset, sizeof(header)});
	}

private:
	static constexpr std::size_t bytes = 256UL * HOMA_BPAGE_SIZE;

	void *start_;
};

/** By Homa's API. */
class region_end final : public datagram_end {
public:
	region_end(sdp::socket on, const sdp::address &server)
		: on_(std::move(on)), region_(on_), server_(server)
	{
	}

	[[nodiscard]] int fd() const override { return on_.fd(); }

	bool send(std::span<const std::byte> message, bool block) override
	{
		return send_to(message, server_.data(), server_.size(), 0, block);
	}

	/** Hands back the pages of the message before. */
	std::optional<header> receive(bool block) override
	{
		args_.id = 0;
		msghdr head{};
		head.msg_name = &peer_;
		head.msg_namelen = sizeof(peer_);
		head.msg_control = &args_;
		head.msg_controllen = sizeof(args_);
		const ssize_t got = ::recvmsg(on_.fd(), &head, flags_for(block));
		if (got < 0 && errno == EAGAIN) {
			args_.num_bpages = 0;
			return {};
		}
		check(got, "receive");
		peer_length_ = head.msg_namelen;
		if (args_.num_bpages == 0) {
			throw std::runtime_error("an empty message");
		}
		const header what = region_.header_at(args_.bpage_offsets[0]);
		if (what.length != static_cast<std::size_t>(got)) {
			throw std::runtime_error("a message of another length");
		}
		return what;
	}

	/** Answers what was received last. */
	void respond(std::span<const std::byte> message)
	{
		send_to(message, reinterpret_cast<const sockaddr *>(&peer_), peer_length_, args_.id,
			true);
	}

private:
	bool send_to(std::span<const std::byte> message, const sockaddr *name, socklen_t length,
		     std::uint64_t id, bool block) const
	{
		homa_sendmsg_args args{};
		args.id = id;
		iovec piece{const_cast<std::byte *>(message.data()), message.size()};
		msghdr head{};
		head.msg_name = const_cast<sockaddr *>(name);
		head.msg_namelen = length;
		head.msg_iov = &piece;
		head.msg_iovlen = 1;
		head.msg_control = &args;
		const ssize_t done = ::sendmsg(on_.fd(), &head, flags_for(block));
		if (done < 0 && errno == EAGAIN) {
			return false;
		}
		check(done, "send");
		return true;
	}

	sdp::socket on_;
	region region_;
	sdp::address server_;
	homa_recvmsg_args args_{};
	sockaddr_storage peer_{};
	socklen_t peer_length_ = 0;
};

/** A server's plain recvmsg and sendmsg: the RPC is in a control message. */
class plain_service {
public:
	plain_service(const sdp::socket &on, std::size_t most) : on_(on), bytes_(most) {}

	header receive()
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
		const ssize_t got = check(::recvmsg(on_.fd(), &head, 0), "receive");
		sdp_rpc_cmsg fields{};
		if (const cmsghdr *rpc = CMSG_FIRSTHDR(&head); rpc != nullptr) {
			std::memcpy(&fields, CMSG_DATA(rpc), sizeof(fields));
		}
		if (fields.error != 0) {
			throw std::system_error(static_cast<int>(fields.error),
						std::generic_category(), "RPC");
		}
		id_ = fields.id;
		peer_length_ = head.msg_namelen;
		return whole(std::span(bytes_).first(static_cast<std::size_t>(got)));
	}

	void respond(std::span<const std::byte> message)
	{
		alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(SDP_RPC_CMSG_SHORT)> control{};
		iovec piece{const_cast<std::byte *>(message.data()), message.size()};
		msghdr head{};
		head.msg_name = &peer_;
		head.msg_namelen = peer_length_;
		head.msg_iov = &piece;
		head.msg_iovlen = 1;
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
		check(::sendmsg(on_.fd(), &head, 0), "response");
	}

private:
	const sdp::socket &on_;
	std::vector<std::byte> bytes_;
	std::uint64_t id_ = 0;
	sockaddr_storage peer_{};
	socklen_t peer_length_ = 0;
};

void serve(const plan &what, const pipe_pair &setup, variant kind)
{
	sdp::socket socket = make_socket(what);
	socket.bind(what.server);
	setup.put_sign();
	for (std::uint32_t i = 0; kind.secure && i < (what.peers ? what.lanes : 1); ++i) {
		const hello own = make_hello(socket, what.server);
		const auto other = setup.get_value<hello>();
		add_session(socket, own, other, sdp::role::server, kind);
		setup.put_value(own);
	}
	setup.finished();
	outgoing from(what.longest);
	if (kind.region) {
		region_end service(std::move(socket), what.server);
		for (;;) {
			const auto request = service.receive(true);
			service.respond(from.message(answer_to(*request, what.longest)));
		}
	}
	plain_service service(socket, what.longest);
	for (;;) {
		const header request = service.receive();
		service.respond(from.message(answer_to(request, what.longest)));
	}
}

std::unique_ptr<datagram_end> connect_one(const plan &what, std::uint32_t lane,
					  const pipe_pair &setup, variant kind)
{
	sdp::socket socket = make_socket(what);
	if (what.peers) {
		socket.bind(client_address(what.clients, lane));
	}
	// Gives the socket its port, which a session names, and its peer.
	socket.connect(what.server);
	if (kind.secure) {
		const hello own = make_hello(socket, local_address(socket.fd(), what.server));
		setup.put_value(own);
		const auto other = setup.get_value<hello>();
		add_session(socket, own, other, sdp::role::client, kind);
	}
	if (kind.region) {
		return std::make_unique<region_end>(std::move(socket), what.server);
	}
	return std::make_unique<plain_end>(std::move(socket), what.longest);
}

template <variant Kind>
void serve_as(const plan &what, const pipe_pair &setup)
{
	serve(what, setup, Kind);
}

template <variant Kind>
std::unique_ptr<client> connect_as(const plan &what, const pipe_pair &setup)
{
	setup.wait_sign();
	std::vector<std::unique_ptr<datagram_end>> ends;
	for (std::uint32_t i = 0; i < (what.peers ? what.lanes : 1); ++i) {
		ends.push_back(connect_one(what, i, setup, Kind));
	}
	return std::make_unique<datagram_client>(what, std::move(ends));
}

template <variant Kind>
constexpr transport make(std::string_view name)
{
	return {name, longest, true, !Kind.region, serve_as<Kind>, connect_as<Kind>};
}

constexpr std::array all{
	make<variant{}>("sdp-clear"),
	make<variant{.secure = true}>("sdp"),
	make<variant{.secure = true, .cipher = sdp::cipher::aes_256_gcm}>("sdp-aes256"),
	make<variant{.secure = true, .cipher = sdp::cipher::chacha20_poly1305}>("sdp-chacha"),
	make<variant{.region = true}>("sdp-clear-homa"),
	make<variant{.secure = true, .region = true}>("sdp-homa"),
};

} // namespace

std::span<const transport> sdp_transports()
{
	return all;
}

} // namespace bench
