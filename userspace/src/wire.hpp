// SPDX-License-Identifier: Apache-2.0
/** @file The kernel's structures, filled from and read into the library's. */
#ifndef SDP_SRC_WIRE_HPP
#define SDP_SRC_WIRE_HPP

#include <sdp/address.hpp>
#include <sdp/message.hpp>
#include <sdp/secret.hpp>
#include <sdp/session.hpp>

#include <linux/homa.h>
#include <linux/sdp.h>

#include <array>
#include <cstring>
#include <span>
#include <sys/socket.h>
#include <sys/uio.h>
#include <type_traits>

namespace sdp::inline v0::detail {

/** A zeroed structure of the kernel's that begins with its size. */
template <typename T>
T sized()
{
	static_assert(std::is_trivially_copyable_v<T>);
	T value{};
	value.size = sizeof(T);
	return value;
}

inline sockaddr_in6 mapped_raw(const address &of)
{
	sockaddr_in6 raw{};
	const address mapped = of.mapped();
	std::memcpy(&raw, mapped.data(), sizeof(raw));
	return raw;
}

/** Control buffer for one structure, aligned as the kernel wants it. */
template <typename T>
struct control {
	alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(T))> bytes{};
};

/** Puts @p value, the only control message, into @p head. */
template <typename T>
void put_control(msghdr &head, control<T> &room, int type, const T &value)
{
	head.msg_control = room.bytes.data();
	head.msg_controllen = room.bytes.size();
	cmsghdr *first = CMSG_FIRSTHDR(&head);
	first->cmsg_level = IPPROTO_HOMA;
	first->cmsg_type = type;
	first->cmsg_len = CMSG_LEN(sizeof(T));
	std::memcpy(CMSG_DATA(first), &value, sizeof(T));
}

/** The control message of @p type in @p head, if there is one. */
template <typename T>
bool get_control(msghdr &head, int type, T &value)
{
	for (cmsghdr *each = CMSG_FIRSTHDR(&head); each != nullptr;
	     each = CMSG_NXTHDR(&head, each)) {
		if (each->cmsg_level == IPPROTO_HOMA && each->cmsg_type == type &&
		    each->cmsg_len >= CMSG_LEN(sizeof(T))) {
			std::memcpy(&value, CMSG_DATA(each), sizeof(T));
			return true;
		}
	}
	return false;
}

inline iovec to_iovec(bytes_view bytes)
{
	// writev's structure knows no const; sending does not write.
	return {const_cast<std::byte *>(bytes.data()), bytes.size()};
}

template <std::size_t N>
void copy_bytes(std::span<const std::byte, N> from, unsigned char (&to)[N])
{
	std::memcpy(to, from.data(), N);
}

inline session_info from_kernel(const sdp_session_info &raw)
{
	const auto at = [](const sockaddr_in6 &place) {
		sockaddr_storage room{};
		std::memcpy(&room, &place, sizeof(place));
		return address::from(reinterpret_cast<const sockaddr *>(&room), sizeof(place))
			.unmapped();
	};
	session_info info;
	info.id = raw.id;
	info.peer = at(raw.peer);
	info.local = at(raw.local);
	info.role = static_cast<role>(raw.role);
	info.cipher = static_cast<cipher>(raw.cipher);
	info.record_size = raw.record_size;
	info.offloaded = raw.offload != SDP_OFFLOAD_CPU;
	info.tx_epoch = raw.tx_epoch;
	info.rx_epoch = raw.rx_epoch;
	info.tx_messages = raw.tx_messages;
	info.tx_messages_left = raw.tx_messages_left;
	info.tx_blocks = raw.tx_blocks;
	info.tx_blocks_left = raw.tx_blocks_left;
	info.rx_messages = raw.rx_messages;
	info.rx_failed = raw.rx_failed;
	info.silent = std::chrono::nanoseconds(raw.silent_ns);
	info.driver.assign(raw.driver, strnlen(raw.driver, sizeof(raw.driver)));
	return info;
}

} // namespace sdp::inline v0::detail

#endif
