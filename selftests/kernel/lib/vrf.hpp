// SPDX-License-Identifier: Apache-2.0
// Two hosts, and a third one that has the addresses of the first, but is met in a VRF: where
// sockets can have one port.
#pragma once

#include <memory>
#include <net/if.h>
#include <poll.h>

#include "talk.hpp"
#include "test.hpp"

namespace vrf {

/// Beside hosts a and b: another one, whose addresses are those of a, behind the device
/// eth1 of b. That is in the VRF red, with the addresses that b has in the other network.
inline std::unique_ptr<net::Host> other;

/// What a socket is bound to.
struct Spec {
	int domain;
	std::string address;
	bool v6_only = false;
	std::string device{};
	/// Of a link-local address.
	std::string scope{};

	[[nodiscard]] std::string text() const
	{
		return (domain == AF_INET ? "v4 "
			: v6_only         ? "v6 only "
					  : "v6 ") +
		       address + (scope.empty() ? "" : "%" + scope) +
		       (device.empty() ? "" : " " + device);
	}
	[[nodiscard]] net::Address at(const net::Netns &ns, uint16_t port) const
	{
		net::Address to = net::Address::of(address, port);
		if (!scope.empty())
			ns.in([&] {
				reinterpret_cast<sockaddr_in6 *>(&to.storage)->sin6_scope_id =
					if_nametoindex(scope.c_str());
			});
		return to;
	}
};

inline int to_device(int fd, const std::string &device)
{
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device.data(),
			  static_cast<socklen_t>(device.size()));
}

inline void prepare(int fd, const Spec &spec)
{
	int on = spec.v6_only;
	if (spec.domain == AF_INET6)
		OK(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	if (!spec.device.empty())
		OK(to_device(fd, spec.device));
}

inline int bind_as(int fd, const Spec &spec, uint16_t port = server_port)
{
	return net::bind_to(fd, spec.at(hosts->b.ns, port));
}

/// A socket of host b.
inline PlainSocket bound(const Spec &spec, uint16_t port = server_port)
{
	PlainSocket socket(hosts->b.ns, spec.domain);
	prepare(socket.fd(), spec);
	OK(bind_as(socket.fd(), spec, port));
	return socket;
}

inline void echo(const PlainSocket &client, const net::Address &to, const PlainSocket &server,
		 size_t length = 3000)
{
	client.request(to, pattern(length), 5);
	PlainMessage request = server.expect();
	EQ(pattern_error(request.bytes), "");
	server.reply(request, pattern(length + 1));
	EQ(client.expect().bytes.size(), length + 1);
}

inline bool silent(const PlainSocket &socket)
{
	return !socket.ready(POLLIN, 0);
}

/// For SETUP.
inline void three_hosts()
{
	two_hosts();
	other = std::make_unique<net::Host>();
	other->v4 = hosts->a.v4;
	other->v6 = hosts->a.v6;
	leaks::watch(other->ns);
	other->ns.patient(true);
	hosts->b.ns.sh("ip link add red type vrf table 10; ip link set red up; "
		       "ip link add eth1 type veth peer name eth0 netns " +
		       other->ns.path() +
		       "; ip link set eth1 master red; ip link set eth1 up; "
		       "sysctl -qw net.ipv6.conf.eth1.accept_dad=0; "
		       "for d in eth0 eth1; do for n in 2 22; do "
		       "ip addr replace 10.0.0.$n/24 dev $d; "
		       "ip addr replace fd00::$n/64 dev $d nodad; "
		       "ip addr replace fe80::$n/64 dev $d nodad; done; done");
	other->ns.sh(
		"ip link set lo up; ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0; "
		"ip addr add fd00::1/64 dev eth0 nodad; ip addr add fe80::1/64 dev eth0 nodad");
	hosts->a.ns.sh("ip addr add fe80::1/64 dev eth0 nodad; ip addr add 10.0.0.11/24 dev eth0; "
		       "ip addr add fd00::11/64 dev eth0 nodad preferred_lft 0");
}

} // namespace vrf
