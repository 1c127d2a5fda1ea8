// SPDX-License-Identifier: Apache-2.0
// Addresses, network namespaces, and the topologies that tests run on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <netinet/in.h>
#include <ostream>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "fd.hpp"

namespace net {

/// How two programs speak: IPv4, IPv6, or IPv4 from an IPv6 socket.
enum class Family { v4, v6, mapped };

constexpr Family all_families[] = {Family::v4, Family::v6, Family::mapped};

const char *name(Family family);

/// AF_INET or AF_INET6: what a socket of that kind is opened with.
int domain(Family family);

/// An address with its port, as sendmsg() takes it.
struct Address {
	sockaddr_storage storage{};
	socklen_t length = sizeof(sockaddr_storage);

	/// @a text: an IPv4 or IPv6 address; @a port in host byte order.
	static Address of(const std::string &text, uint16_t port);
	/// The wildcard address of an address family.
	static Address any(int domain, uint16_t port);
	/// The same endpoint as an AF_INET6 socket names it.
	[[nodiscard]] Address mapped() const;

	[[nodiscard]] uint16_t port() const;
	[[nodiscard]] std::string text() const;
	[[nodiscard]] sockaddr *raw() { return reinterpret_cast<sockaddr *>(&storage); }
	[[nodiscard]] const sockaddr *raw() const
	{
		return reinterpret_cast<const sockaddr *>(&storage);
	}
	/// As the structures of <linux/sdp.h> want it.
	[[nodiscard]] sockaddr_in6 in6() const;
	bool operator==(const Address &other) const { return text() == other.text(); }
};

inline std::ostream &operator<<(std::ostream &out, const Address &address)
{
	return out << address.text();
}

int bind_to(int fd, const Address &address);
int connect_to(int fd, const Address &address);

/// A network namespace; it lives as long as this object or a socket in it.
class Netns {
public:
	Netns();

	/// Half a minute without a sign before a peer is taken for dead, as this
	/// machine may be slow; or the default of 100 ms. Patient at first.
	void patient(bool wait) const;
	/// Runs shell commands in it; throws with their output when one fails.
	void sh(const std::string &commands) const;
	/// Lines of commands for ip(8), run by one; throws.
	void ip(const std::string &lines) const;
	/// Like sh(), but tells whether they succeeded.
	[[nodiscard]] bool try_sh(const std::string &commands, std::string *output = nullptr) const;
	/// Calls @a run with this thread in the namespace.
	void in(const std::function<void()> &run) const;
	/// A socket of the namespace; throws.
	[[nodiscard]] Fd socket(int domain, int type, int protocol) const;
	/// A name that `ip link set ... netns` takes.
	[[nodiscard]] std::string path() const;
	/// Reads a file of /proc or /sys there.
	[[nodiscard]] std::string read(const std::string &file) const;
	/// Sets net.sdp.@a name, returns whether that worked.
	[[nodiscard]] bool sysctl(const std::string &name, const std::string &value) const;
	[[nodiscard]] int fd() const { return fd_; }

private:
	Fd fd_;
};

/// One end of a topology.
struct Host {
	Netns ns;
	std::string v4;
	std::string v6;
	std::string device = "eth0";

	[[nodiscard]] Address at(Family family, uint16_t port) const;
};

/// Two hosts joined by veth: 10.0.0.1 fd00::1 and 10.0.0.2 fd00::2.
struct Pair {
	explicit Pair(unsigned mtu = 1500);
	Host a;
	Host b;
};

/// Two hosts behind a router: 10.0.1.1 fd00:1::1, 10.0.2.2 fd00:2::2. The
/// router's devices are to_a and to_b.
struct Routed {
	explicit Routed(unsigned mtu = 1500);
	Host a;
	Netns router;
	Host b;
};

/// A host whose device is this program: what it sends comes out of read(), what
/// is written to it arrives there. Packets are whole IP packets; no device
/// segments for it, so none is longer than the MTU.
class Wire {
public:
	/// @a host gets a device "wire0" with its addresses; @a network is
	/// everything reached through it.
	Wire(Host &host, const std::string &network4, const std::string &network6,
	     unsigned mtu = 1500);

	using Packet = std::vector<uint8_t>;

	void send(const Packet &packet) const;
	/// The next packet, empty after @a milliseconds without one.
	[[nodiscard]] Packet receive(int milliseconds = 40000) const;
	[[nodiscard]] int fd() const { return fd_; }

private:
	Fd fd_;
};

/// A host at 10.0.0.2 fd00::2 and everyone else (10.0.0.0/24, fd00::/64) in
/// the hands of the test.
struct Alone {
	explicit Alone(unsigned mtu = 1500);
	Host host;
	Wire wire;
};

} // namespace net
