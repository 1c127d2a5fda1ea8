// SPDX-License-Identifier: Apache-2.0
#include "net.hpp"

#include <arpa/inet.h>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "test.hpp"

namespace net {

const char *name(Family family)
{
	switch (family) {
	case Family::v4:
		return "v4";
	case Family::v6:
		return "v6";
	default:
		return "v4-mapped";
	}
}

int domain(Family family)
{
	return family == Family::v4 ? AF_INET : AF_INET6;
}

Address Address::of(const std::string &text, uint16_t port)
{
	Address address;
	auto *in4 = reinterpret_cast<sockaddr_in *>(&address.storage);
	auto *in6 = reinterpret_cast<sockaddr_in6 *>(&address.storage);
	if (inet_pton(AF_INET, text.c_str(), &in4->sin_addr) == 1) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(port);
		address.length = sizeof(*in4);
	} else {
		address.storage = {};
		if (inet_pton(AF_INET6, text.c_str(), &in6->sin6_addr) != 1)
			throw test::Failure("no address: " + text);
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		address.length = sizeof(*in6);
	}
	return address;
}

Address Address::any(int domain, uint16_t port)
{
	return of(domain == AF_INET ? "0.0.0.0" : "::", port);
}

sockaddr_in6 Address::in6() const
{
	sockaddr_in6 result{};
	if (storage.ss_family == AF_INET6) {
		memcpy(&result, &storage, sizeof(result));
		return result;
	}
	const auto *in4 = reinterpret_cast<const sockaddr_in *>(&storage);
	result.sin6_family = AF_INET6;
	result.sin6_port = in4->sin_port;
	result.sin6_addr.s6_addr[10] = 0xff;
	result.sin6_addr.s6_addr[11] = 0xff;
	memcpy(&result.sin6_addr.s6_addr[12], &in4->sin_addr, 4);
	return result;
}

Address Address::mapped() const
{
	Address result;
	sockaddr_in6 in6 = this->in6();
	memcpy(&result.storage, &in6, sizeof(in6));
	result.length = sizeof(in6);
	return result;
}

uint16_t Address::port() const
{
	return ntohs(in6().sin6_port);
}

std::string Address::text() const
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (storage.ss_family == AF_INET)
		inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in *>(&storage)->sin_addr, host,
			  sizeof(host));
	else if (storage.ss_family == AF_INET6)
		inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6 *>(&storage)->sin6_addr,
			  host, sizeof(host));
	return std::string(host) + "#" + std::to_string(port());
}

int bind_to(int fd, const Address &address)
{
	return bind(fd, address.raw(), address.length);
}

int connect_to(int fd, const Address &address)
{
	return connect(fd, address.raw(), address.length);
}

namespace {

// With a smaller MTU a device has no IPv6.
constexpr unsigned min_mtu_v6 = 1280;

class Entered {
public:
	explicit Entered(int fd) : back_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
	{
		if (setns(fd, CLONE_NEWNET) < 0)
			throw test::Failure("setns: " + test::errno_name(errno));
	}
	Entered(const Entered &) = delete;
	Entered &operator=(const Entered &) = delete;
	~Entered() { setns(back_, CLONE_NEWNET); }

private:
	Fd back_;
};

} // namespace

Netns::Netns()
{
	Fd back(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	OK(unshare(CLONE_NEWNET));
	fd_.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	OK(setns(back, CLONE_NEWNET));
	ifreq request{};
	strcpy(request.ifr_name, "lo");
	request.ifr_flags = IFF_UP;
	OK(ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &request));
	patient(true);
}

void Netns::patient(bool wait) const
{
	if (!sysctl("dead_us", wait ? "30000000" : "100000"))
		throw test::Failure("cannot set net.sdp.dead_us: is the module loaded?");
}

std::string Netns::path() const
{
	return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

bool Netns::try_sh(const std::string &commands, std::string *output) const
{
	int ends[2];
	OK(pipe2(ends, O_CLOEXEC));
	Fd from(ends[0]);
	Fd into(ends[1]);
	int pid = OK(fork());
	if (pid == 0) {
		setns(fd_, CLONE_NEWNET);
		dup2(into, 1);
		dup2(into, 2);
		execl("/bin/sh", "sh", "-ec", commands.c_str(), nullptr);
		_exit(127);
	}
	into.reset();
	char buffer[4096];
	ssize_t count;
	while ((count = ::read(from, buffer, sizeof(buffer))) > 0)
		if (output)
			output->append(buffer, static_cast<size_t>(count));
	int status = 0;
	waitpid(pid, &status, 0);
	return status == 0;
}

void Netns::sh(const std::string &commands) const
{
	std::string output;
	if (!try_sh(commands, &output))
		throw test::Failure("failed: " + commands + "\n" + output);
}

void Netns::ip(const std::string &lines) const
{
	sh("ip -batch - <<'END'\n" + lines + "\nEND");
}

void Netns::in(const std::function<void()> &run) const
{
	Entered entered(fd_);
	run();
}

Fd Netns::socket(int domain, int type, int protocol) const
{
	Entered entered(fd_);
	return Fd(OK(::socket(domain, type | SOCK_CLOEXEC, protocol)));
}

std::string Netns::read(const std::string &file) const
{
	Entered entered(fd_);
	std::ifstream in(file);
	if (!in)
		throw test::Failure("cannot read " + file);
	std::stringstream text;
	text << in.rdbuf();
	return text.str();
}

bool Netns::sysctl(const std::string &name, const std::string &value) const
{
	Entered entered(fd_);
	Fd file(open(("/proc/sys/net/sdp/" + name).c_str(), O_WRONLY | O_CLOEXEC));
	return file >= 0 && write(file, value.data(), value.size()) > 0;
}

Address Host::at(Family family, uint16_t port) const
{
	switch (family) {
	case Family::v4:
		return Address::of(v4, port);
	case Family::v6:
		return Address::of(v6, port);
	default:
		return Address::of(v4, port).mapped();
	}
}

namespace {

std::string addresses(const Host &host, unsigned mtu)
{
	std::string lines = "addr add " + host.v4 + "/24 dev " + host.device + "\n";
	if (mtu >= min_mtu_v6)
		lines += "addr add " + host.v6 + "/64 dev " + host.device + " nodad\n";
	return lines + "link set " + host.device + " up\n";
}

// What makes device @a device of @a host, whose other end is @a far in @a other.
std::string veth(const Host &host, const Netns &other, const std::string &far, unsigned mtu)
{
	std::string size = " mtu " + std::to_string(mtu);
	return "link add " + host.device + size + " type veth peer name " + far + size + " netns " +
	       other.path() + "\n";
}

} // namespace

Pair::Pair(unsigned mtu) : a{{}, "10.0.0.1", "fd00::1"}, b{{}, "10.0.0.2", "fd00::2"}
{
	a.ns.ip(veth(a, b.ns, b.device, mtu) + addresses(a, mtu));
	b.ns.ip(addresses(b, mtu));
}

Routed::Routed(unsigned mtu) : a{{}, "10.0.1.1", "fd00:1::1"}, b{{}, "10.0.2.2", "fd00:2::2"}
{
	a.ns.ip(veth(a, router, "to_a", mtu) + addresses(a, mtu));
	b.ns.ip(veth(b, router, "to_b", mtu) + addresses(b, mtu));
	router.sh("echo 1 >/proc/sys/net/ipv4/ip_forward;"
		  "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	router.ip("addr add 10.0.1.254/24 dev to_a\naddr add 10.0.2.254/24 dev to_b\n"
		  "addr add fd00:1::fe/64 dev to_a nodad\n"
		  "addr add fd00:2::fe/64 dev to_b nodad\n"
		  "link set to_a up\nlink set to_b up");
	a.ns.ip("route add default via 10.0.1.254\nroute add default via fd00:1::fe");
	b.ns.ip("route add default via 10.0.2.254\nroute add default via fd00:2::fe");
}

Wire::Wire(Host &host, const std::string &network4, const std::string &network6, unsigned mtu)
{
	host.device = "wire0";
	host.ns.in([&] {
		fd_.reset(OK(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)));
		ifreq request{};
		request.ifr_flags = IFF_TUN | IFF_NO_PI;
		strcpy(request.ifr_name, "wire0");
		OK(ioctl(fd_, TUNSETIFF, &request));
	});
	std::string lines = "link set wire0 addrgenmode none mtu " + std::to_string(mtu) +
			    " txqueuelen 20000 up\naddr add " + host.v4 +
			    "/32 dev wire0\nroute add " + network4 + " dev wire0 src " + host.v4;
	if (mtu >= min_mtu_v6)
		lines += "\naddr add " + host.v6 + "/128 dev wire0 nodad\nroute add " + network6 +
			 " dev wire0 src " + host.v6;
	// Nobody there is a router.
	host.ns.sh("echo 0 >/proc/sys/net/ipv6/conf/wire0/router_solicitations");
	host.ns.ip(lines);
}

void Wire::send(const Packet &packet) const
{
	OK(write(fd_, packet.data(), packet.size()));
}

Wire::Packet Wire::receive(int milliseconds) const
{
	Packet packet(65536);
	for (;;) {
		struct pollfd waiting = {fd_, POLLIN, 0};
		if (OK(poll(&waiting, 1, milliseconds)) == 0)
			return {};
		ssize_t count = read(fd_, packet.data(), packet.size());
		if (count < 0 && errno == EAGAIN)
			continue;
		packet.resize(static_cast<size_t>(OK(count)));
		return packet;
	}
}

Alone::Alone(unsigned mtu)
	: host{{}, "10.0.0.2", "fd00::2"}, wire(host, "10.0.0.0/16", "fd00::/64", mtu)
{
}

} // namespace net
