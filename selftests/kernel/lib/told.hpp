// SPDX-License-Identifier: Apache-2.0
// Messages with all their control messages.
#pragma once

#include <map>
#include <net/if.h>

#include "net.hpp"
#include "plain_socket.hpp"
#include "test.hpp"

/// Control messages by level and type.
using Control = std::map<std::pair<int, int>, Bytes>;

struct Told {
	Control control;
	PlainMessage message;
};

/// Receives a message with all its control messages, as far as @a room holds them.
inline Told receive(const PlainSocket &socket, size_t room = 512)
{
	Told told;
	told.message.bytes.resize(1 << 20);
	alignas(cmsghdr) char control[512];
	iovec vector{told.message.bytes.data(), told.message.bytes.size()};
	msghdr header{};
	header.msg_name = told.message.from.raw();
	header.msg_namelen = sizeof(sockaddr_in6);
	header.msg_iov = &vector;
	header.msg_iovlen = 1;
	header.msg_control = control;
	header.msg_controllen = room;
	const ssize_t length = OK(recvmsg(socket.fd(), &header, 0));
	told.message.bytes.resize(static_cast<size_t>(length));
	told.message.from.length = header.msg_namelen;
	told.message.flags = header.msg_flags;
	told.message.rpc = find_rpc_cmsg(header);
	for (cmsghdr *c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
		const uint8_t *data = CMSG_DATA(c);
		told.control[{c->cmsg_level, c->cmsg_type}] =
			Bytes(data, data + (c->cmsg_len - CMSG_LEN(0)));
	}
	return told;
}

template <typename T>
T value_of(const Control &control, int level, int type)
{
	const auto found = control.find({level, type});
	CHECK(found != control.end());
	EQ(found->second.size(), sizeof(T));
	T value;
	memcpy(&value, found->second.data(), sizeof(value));
	return value;
}

inline int index_of(const net::Host &host)
{
	int index = 0;
	host.ns.in([&] { index = static_cast<int>(if_nametoindex(host.device.c_str())); });
	return index;
}
