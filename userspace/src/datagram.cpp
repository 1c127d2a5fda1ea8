// SPDX-License-Identifier: Apache-2.0
#include "datagram.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace sdp::inline v0::detail {

namespace {

template <typename T>
T option_of(int fd, int option, const char *what)
{
	T value{};
	socklen_t length = sizeof(value);
	check(::getsockopt(fd, SOL_SOCKET, option, &value, &length), what);
	return value;
}

void set(int fd, int level, int option, int value, const char *what)
{
	check(::setsockopt(fd, level, option, &value, sizeof(value)), what);
}

/** What decides about a packet's way, unless it is as on any socket. */
void copy_option(int from, int to, int option, const char *what)
{
	if (const int value = option_of<int>(from, option, what); value != 0) {
		set(to, SOL_SOCKET, option, value, what);
	}
}

/** Room for a control message with an address of each version. */
struct alignas(cmsghdr) info {
	std::array<std::byte, CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(in_pktinfo))>
		bytes{};
};

template <typename T>
void put_info(msghdr &head, info &room, int level, int type, const T &value)
{
	head.msg_control = room.bytes.data();
	head.msg_controllen = CMSG_SPACE(sizeof(T));
	cmsghdr *first = CMSG_FIRSTHDR(&head);
	first->cmsg_level = level;
	first->cmsg_type = type;
	first->cmsg_len = CMSG_LEN(sizeof(T));
	std::memcpy(CMSG_DATA(first), &value, sizeof(T));
}

/** The address of @p raw, which the kernel wrote, without a port. */
address address_of(const in_addr &raw)
{
	sockaddr_in place{};
	place.sin_family = AF_INET;
	place.sin_addr = raw;
	return address::from(reinterpret_cast<const sockaddr *>(&place), sizeof(place));
}

address address_of(const in6_pktinfo &raw)
{
	sockaddr_in6 place{};
	place.sin6_family = AF_INET6;
	place.sin6_addr = raw.ipi6_addr;
	if (IN6_IS_ADDR_LINKLOCAL(&raw.ipi6_addr)) {
		place.sin6_scope_id = raw.ipi6_ifindex;
	}
	return address::from(reinterpret_cast<const sockaddr *>(&place), sizeof(place)).unmapped();
}

/** Where a datagram came to, if that is an address of this host. */
std::optional<address> destination(msghdr &head)
{
	std::optional<address> found_v6;
	for (cmsghdr *each = CMSG_FIRSTHDR(&head); each != nullptr;
	     each = CMSG_NXTHDR(&head, each)) {
		if (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_PKTINFO) {
			in_pktinfo found{};
			std::memcpy(&found, CMSG_DATA(each), sizeof(found));
			// Otherwise it was for many.
			return found.ipi_addr.s_addr == found.ipi_spec_dst.s_addr
				       ? std::optional(address_of(found.ipi_addr))
				       : std::nullopt;
		}
		if (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_PKTINFO) {
			in6_pktinfo found{};
			std::memcpy(&found, CMSG_DATA(each), sizeof(found));
			// Of an IPv4 datagram only IP_PKTINFO, which comes, too, says for whom it
			// was.
			if (!IN6_IS_ADDR_MULTICAST(&found.ipi6_addr) &&
			    !IN6_IS_ADDR_V4MAPPED(&found.ipi6_addr)) {
				found_v6 = address_of(found);
			}
		}
	}
	return found_v6;
}

} // namespace

datagrams::datagrams(const socket &beside, ip version)
	: file_(check(::socket(version == ip::v4 ? AF_INET : AF_INET6,
			       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP),
		      "handshake")),
	  version_(version)
{
	const int other = beside.fd();
	if (namespace_cookie() != option_of<std::uint64_t>(other, SO_NETNS_COOKIE, "handshake")) {
		fail(EXDEV, "handshake: the socket is of another network namespace");
	}
	copy_option(other, fd(), SO_BINDTOIFINDEX, "handshake: device");
	copy_option(other, fd(), SO_MARK, "handshake: mark");
}

datagrams datagrams::to(const socket &beside, const address &server)
{
	const address there = server.unmapped();
	datagrams made(beside, there.version());
	const address own = beside.local().unmapped();
	if (!own.is_any()) {
		const address here = own.with_port(0);
		check(::bind(made.fd(), here.data(), here.size()), "handshake: bind");
	}
	check(::connect(made.fd(), there.data(), there.size()), "handshake: connect");
	return made;
}

datagrams datagrams::at(const socket &beside)
{
	const address here = beside.local();
	datagrams made(beside, here.version());
	if (here.version() == ip::v4) {
		set(made.fd(), IPPROTO_IP, IP_PKTINFO, 1, "handshake");
	} else {
		set(made.fd(), IPPROTO_IPV6, IPV6_V6ONLY, 0, "handshake");
		set(made.fd(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "handshake");
		set(made.fd(), IPPROTO_IP, IP_PKTINFO, 1, "handshake");
	}
	check(::bind(made.fd(), here.data(), here.size()), "handshake: bind");
	return made;
}

address datagrams::local() const
{
	sockaddr_storage raw{};
	socklen_t length = sizeof(raw);
	auto *where = reinterpret_cast<sockaddr *>(&raw);
	check(::getsockname(fd(), where, &length), "handshake");
	return address::from(where, length);
}

std::uint64_t datagrams::namespace_cookie() const
{
	return option_of<std::uint64_t>(fd(), SO_NETNS_COOKIE, "handshake");
}

std::optional<datagrams::arrival> datagrams::receive(std::span<std::byte> into) const
{
	iovec piece{into.data(), into.size()};
	sockaddr_storage from{};
	info room;
	msghdr head{};
	head.msg_name = &from;
	head.msg_namelen = sizeof(from);
	head.msg_iov = &piece;
	head.msg_iovlen = 1;
	head.msg_control = room.bytes.data();
	head.msg_controllen = room.bytes.size();
	const ssize_t size = ::recvmsg(fd(), &head, 0);
	if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
		return std::nullopt;
	}
	check(size, "handshake");
	arrival got;
	got.size = static_cast<std::size_t>(size);
	got.from = address::from(reinterpret_cast<sockaddr *>(&from), head.msg_namelen).unmapped();
	if (head.msg_controllen != 0) {
		const auto to = destination(head);
		got.for_many = !to;
		got.to = to.value_or(address());
	}
	return got;
}

void datagrams::send(bytes_view bytes) const
{
	check(::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL), "handshake");
}

void datagrams::send(bytes_view bytes, const address &local, const address &to) const noexcept
{
	const address there = version_ == ip::v6 ? to.mapped() : to;
	iovec piece{const_cast<std::byte *>(bytes.data()), bytes.size()}; // not written
	msghdr head{};
	head.msg_name = const_cast<sockaddr *>(there.data()); // not written
	head.msg_namelen = there.size();
	head.msg_iov = &piece;
	head.msg_iovlen = 1;
	info room;
	if (version_ == ip::v4) {
		in_pktinfo from{};
		std::memcpy(&from.ipi_spec_dst,
			    &reinterpret_cast<const sockaddr_in *>(local.data())->sin_addr,
			    sizeof(from.ipi_spec_dst));
		put_info(head, room, IPPROTO_IP, IP_PKTINFO, from);
	} else {
		const address mapped = local.mapped();
		sockaddr_in6 raw{};
		std::memcpy(&raw, mapped.data(), sizeof(raw));
		in6_pktinfo from{};
		from.ipi6_addr = raw.sin6_addr;
		from.ipi6_ifindex = raw.sin6_scope_id;
		put_info(head, room, IPPROTO_IPV6, IPV6_PKTINFO, from);
	}
	while (::sendmsg(fd(), &head, MSG_NOSIGNAL) < 0 && errno == EINTR) {
	}
}

void datagrams::wait(std::chrono::nanoseconds timeout) const
{
	const auto left = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
	pollfd one{fd(), POLLIN, 0};
	const int got =
		::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
	if (got < 0 && errno != EINTR) {
		fail(errno, "handshake");
	}
}

} // namespace sdp::inline v0::detail
