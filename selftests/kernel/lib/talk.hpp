// SPDX-License-Identifier: Apache-2.0
// Two hosts, a client on one and a server on the other: what most cases begin
// with.
#pragma once

#include <memory>

#include "homa_socket.hpp"
#include "leaks.hpp"
#include "mlx5.hpp"
#include "plain_socket.hpp"
#include "session.hpp"

/// Of the program; made by two_hosts().
inline std::unique_ptr<net::Pair> hosts;

/// Joined by veth.
inline void make_hosts(unsigned mtu = 1500)
{
	hosts = std::make_unique<net::Pair>(mtu);
	leaks::watch(hosts->a.ns);
	leaks::watch(hosts->b.ns);
}

/// For SETUP. Where the modelled ConnectX is there, it joins them.
inline void two_hosts(unsigned mtu = 1500)
{
	make_hosts(mtu);
	if (mlx5::present())
		mlx5::adopt(mtu, {"eth0", "eth0"});
}

constexpr uint16_t server_port = 4000;

/// A client on host a and a server on host b.
template <class Socket>
struct TalkOf {
	template <class... More>
	explicit TalkOf(net::Family family = net::Family::v4, More... of_client)
		: server(hosts->b.ns, net::domain(family), server_port),
		  client(hosts->a.ns, net::domain(family), 0, of_client...),
		  to(hosts->b.at(family, server_port))
	{
	}

	Socket server;
	Socket client;
	net::Address to;
};

/// Joins the two of a talk by a session.
template <class Socket>
session::Keys make_secure(const TalkOf<Socket> &talk, net::Family family = net::Family::v4,
			  uint16_t cipher = SDP_CIPHER_AES_128_GCM, uint16_t record_size = 0)
{
	return session::join(talk.client.fd(), hosts->a.at(family, talk.client.port()),
			     talk.server.fd(), talk.to, cipher, record_size);
}

using HomaTalk = TalkOf<HomaSocket>;
using PlainTalk = TalkOf<PlainSocket>;
