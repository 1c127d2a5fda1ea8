// SPDX-License-Identifier: Apache-2.0
// Who may have a port beside whom: as UDP has it, but for what follows a bind().
#include <algorithm>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/bpf.hpp"
#include "lib/proc.hpp"
#include "lib/vrf.hpp"

using namespace vrf;

namespace {

/// Sockets of one protocol in host b, bound to one port, in turn.
class Trial {
public:
	explicit Trial(int protocol) : protocol_(protocol) {}
	/// 0 or an errno.
	int add(const Spec &spec)
	{
		Fd fd(OK(socket(spec.domain, SOCK_DGRAM, protocol_)));
		prepare(fd, spec);
		int err = bind_as(fd, spec) < 0 ? errno : 0;
		fds_.push_back(std::move(fd));
		return err;
	}
	void drop_last() { fds_.pop_back(); }

private:
	int protocol_;
	std::vector<Fd> fds_;
};

/// Addresses of all kinds, at each device and at none.
std::vector<Spec> all_specs()
{
	const std::vector<Spec> addresses = {
		{AF_INET, "0.0.0.0"},
		{AF_INET, "10.0.0.2"},
		{AF_INET, "10.0.0.22"},
		{AF_INET, "127.0.0.1"},
		{AF_INET, "127.8.8.8"},
		{AF_INET6, "::"},
		{AF_INET6, "::", true},
		{AF_INET6, "::ffff:0.0.0.0"},
		{AF_INET6, "::ffff:10.0.0.2"},
		{AF_INET6, "::ffff:10.0.0.2", true},
		{AF_INET6, "::ffff:127.0.0.1"},
		{AF_INET6, "::1"},
		{AF_INET6, "fd00::2"},
		{AF_INET6, "fd00::22", true},
		{AF_INET6, "fe80::2", false, "", "eth0"},
		{AF_INET6, "fe80::2", false, "", "eth1"},
		// Of nobody here.
		{AF_INET, "10.9.9.9"},
		{AF_INET6, "fd09::9"},
	};
	std::vector<Spec> all;
	for (const char *device : {"", "eth0", "eth1", "red", "lo"})
		for (Spec spec : addresses) {
			spec.device = device;
			all.push_back(spec);
		}
	return all;
}

/// Those that can be bound at all.
std::vector<Spec> good_specs()
{
	std::vector<Spec> good;
	for (const Spec &spec : all_specs()) {
		Trial udp(IPPROTO_UDP), ours(IPPROTO_HOMA);
		int wanted = udp.add(spec);
		EQ(spec.text() + ": " + test::errno_name(ours.add(spec)),
		   spec.text() + ": " + test::errno_name(wanted));
		if (!wanted)
			good.push_back(spec);
	}
	return good;
}

} // namespace

SETUP
{
	three_hosts();
}

// Each two of all kinds of sockets, one after the other: what UDP says to the second one.
TEST_LIMIT(two_sockets_as_udp, 300)
{
	hosts->b.ns.in([] {
		const std::vector<Spec> good = good_specs();
		unsigned beside = 0, refused = 0;
		CHECK(good.size() > 30);
		for (const Spec &first : good) {
			Trial udp(IPPROTO_UDP), ours(IPPROTO_HOMA);
			EQ(udp.add(first), 0);
			EQ(ours.add(first), 0);
			for (const Spec &second : good) {
				int wanted = udp.add(second);
				std::string text = first.text() + ", then " + second.text() + ": ";
				EQ(text + test::errno_name(ours.add(second)),
				   text + test::errno_name(wanted));
				(wanted ? refused : beside)++;
				udp.drop_last();
				ours.drop_last();
			}
		}
		test::note(std::to_string(beside) + " pairs beside each other, " +
			   std::to_string(refused) + " not");
		CHECK(beside > 100);
		CHECK(refused > 100);
	});
}

// Any number of them: each one more, in an order that nobody has chosen.
TEST_LIMIT(many_sockets_as_udp, 300)
{
	hosts->b.ns.in([] {
		const std::vector<Spec> good = good_specs();
		Random random(1);
		for (unsigned turn = 0; turn < 50; turn++) {
			Trial udp(IPPROTO_UDP), ours(IPPROTO_HOMA);
			for (unsigned i = 0; i < 30; i++) {
				const Spec &spec = good[random.below(good.size())];
				EQ(spec.text() + test::errno_name(ours.add(spec)),
				   spec.text() + test::errno_name(udp.add(spec)));
			}
		}
	});
}

// UDP lets a bound socket be given any device, and then two are for one packet. Here it is
// refused, and nothing has changed.
TEST(device_of_a_bound_socket)
{
	PlainSocket zero = bound({AF_INET, "0.0.0.0", false, "eth0"});
	PlainSocket one = bound({AF_INET, "0.0.0.0", false, "red"});
	auto device = [](const PlainSocket &socket) {
		char name[IFNAMSIZ] = {};
		socklen_t length = sizeof(name);
		OK(getsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, name, &length));
		return std::string(name);
	};
	PlainSocket at_a(hosts->a.ns, AF_INET), at_other(other->ns, AF_INET);
	net::Address to = net::Address::of("10.0.0.2", server_port);
	for (unsigned i = 0; i < 3; i++) {
		FAILS(to_device(one.fd(), "eth0"), EADDRINUSE);
		FAILS(to_device(one.fd(), ""), EADDRINUSE);
		FAILS(to_device(one.fd(), "nowhere"), ENODEV);
		int index = 0;
		FAILS(setsockopt(one.fd(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)),
		      EADDRINUSE);
		FAILS(setsockopt(one.fd(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, 2), EINVAL);
		index = -1;
		FAILS(setsockopt(one.fd(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)),
		      EINVAL);
		EQ(device(one), "red");
		echo(at_a, to, zero);
		echo(at_other, to, one);
	}
	// As for other sockets, who has one may not change it.
	test::Child([&] {
		OK(setresuid(1000, 1000, 1000));
		FAILS(to_device(one.fd(), "lo"), EPERM);
	}).join();
	// Nothing else tells them apart.
	const std::vector<std::string> shown = proc::lines(hosts->b.ns, "sockets");
	EQ(shown.size(), 2);
	for (const PlainSocket *socket : {&zero, &one}) {
		unsigned index = 0;
		hosts->b.ns.in([&] { index = if_nametoindex(device(*socket).c_str()); });
		std::string end = " device=" + std::to_string(index);
		CHECK(std::ranges::count_if(shown, [&](const std::string &line) {
			      return line.find(" 0.0.0.0:4000 ") != std::string::npos &&
				     line.ends_with(end);
		      }) == 1);
	}
	// Where there is room, it moves, and what came to it before does not any more.
	OK(to_device(one.fd(), "eth1"));
	echo(at_other, to, one);
	OK(to_device(one.fd(), "lo"));
	at_other.request(to, pattern(10), 3);
	at_other.expect_failure(ENOTCONN);
	int index = 0;
	hosts->b.ns.in([&] { index = static_cast<int>(if_nametoindex("red")); });
	OK(setsockopt(one.fd(), SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index)));
	echo(at_other, to, one);
	zero.close();
	OK(to_device(one.fd(), "eth0"));
	echo(at_a, to, one);
	OK(to_device(one.fd(), ""));
	echo(at_a, to, one);
}

// A socket that has been assigned a port may still be bound to an address, a device, and to
// IPv6 alone.
TEST(what_changes_after_a_port_was_assigned)
{
	PlainSocket socket(hosts->b.ns, AF_INET6);
	socket.set(SO_HOMA_SERVER, 1);
	uint16_t port = socket.port();
	CHECK(port >= 0x8000);
	PlainSocket client(hosts->a.ns, AF_INET), client6(hosts->a.ns, AF_INET6);
	net::Address v4 = net::Address::of("10.0.0.2", port);
	net::Address v6 = net::Address::of("fd00::2", port);
	echo(client, v4, socket);
	int on = 1, off = 0;
	OK(setsockopt(socket.fd(), SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	client.request(v4, pattern(10), 1);
	client.expect_failure(ENOTCONN);
	echo(client6, v6, socket);
	OK(setsockopt(socket.fd(), SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	echo(client, v4, socket);
	OK(to_device(socket.fd(), "lo"));
	client6.request(v6, pattern(10), 1);
	client6.expect_failure(ENOTCONN);
	OK(to_device(socket.fd(), "eth0"));
	echo(client6, v6, socket);
	OK(net::bind_to(socket.fd(), net::Address::of("fd00::22", 0)));
	client6.request(v6, pattern(10), 1);
	client6.expect_failure(ENOTCONN);
	echo(client6, net::Address::of("fd00::22", port), socket);
	EQ(socket.port(), port);
}

// Who is bound to a device goes before who is bound to its VRF: unlike for UDP, no user takes
// another one's port so, nor is told that its own has been taken.
TEST(device_and_vrf_of_two_users)
{
	net::Address to = net::Address::of("10.0.0.2", server_port);
	for (bool device_first : {false, true}) {
		const std::string devices[2] = {device_first ? "eth1" : "red",
						device_first ? "red" : "eth1"};
		PlainSocket client(other->ns, AF_INET);
		PlainSocket first = bound({AF_INET, "0.0.0.0", false, devices[0]});
		for (const char *address : {"0.0.0.0", "10.0.0.2"}) {
			PlainSocket second(hosts->b.ns, AF_INET);
			OK(fchown(second.fd(), 1000, -1u));
			Spec spec{AF_INET, address, false, devices[1]};
			prepare(second.fd(), spec);
			FAILS(bind_as(second.fd(), spec), EADDRINUSE);
			// By way of another device.
			OK(to_device(second.fd(), "eth0"));
			OK(bind_as(second.fd(), {AF_INET, "10.0.0.2"}));
			FAILS(to_device(second.fd(), devices[1]), EADDRINUSE);
		}
		echo(client, to, first);
		PlainSocket same = bound({AF_INET, "0.0.0.0", false, devices[1]});
		echo(client, to, device_first ? first : same);
	}
}

// Until bind() names a port: then IP says the same.
TEST(ipv6_alone_with_an_address_of_ipv4)
{
	for (const char *name : {"::ffff:10.0.0.2", "::ffff:0.0.0.0"})
		for (bool has_port : {false, true}) {
			PlainSocket socket(hosts->b.ns, AF_INET6);
			if (has_port)
				socket.set(SO_HOMA_SERVER, 1);
			OK(net::bind_to(socket.fd(), net::Address::of(name, 0)));
			int on = 1;
			FAILS(setsockopt(socket.fd(), SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on)),
			      EINVAL);
			socklen_t length = sizeof(on);
			OK(getsockopt(socket.fd(), SOL_IPV6, IPV6_V6ONLY, &on, &length));
			EQ(on, 0);
			socket.set(SO_HOMA_SERVER, 1);
			PlainSocket client(hosts->a.ns, AF_INET);
			echo(client, net::Address::of("10.0.0.2", socket.port()), socket);
		}
}

namespace {

std::string name_of(const PlainSocket &socket)
{
	net::Address own;
	OK(getsockname(socket.fd(), own.raw(), &own.length));
	std::string text = own.text();
	return text.substr(0, text.find('#'));
}

} // namespace

// A program of connect() may bind the socket: where its requests leave from is where it is.
TEST(program_binds_in_connect)
{
	constexpr uint32_t two = 0x0a000002, twenty_two = 0x0a000016;
	hosts->b.ns.sh("sysctl -qw net.ipv4.icmp_ratelimit=0");
	bpf::Group group("sdp-connecting");
	group.in([&] {
		PlainSocket far(hosts->a.ns, AF_INET, server_port);
		PlainSocket client(hosts->a.ns, AF_INET);
		net::Address to = net::Address::of("10.0.0.1", server_port);
		PlainSocket socket(hosts->b.ns, AF_INET);
		OK(net::bind_to(socket.fd(), net::Address::of("10.0.0.2", 0)));
		socket.set(SO_HOMA_SERVER, 1);
		auto is_at = [&](const std::string &name) {
			EQ(name_of(socket), name);
			for (const char *at : {"10.0.0.2", "10.0.0.22"}) {
				net::Address own = net::Address::of(at, socket.port());
				if (at == name) {
					echo(client, own, socket);
					continue;
				}
				client.request(own, pattern(10), 1);
				client.expect_failure(ENOTCONN);
			}
			socket.request(to, pattern(10), 2);
			PlainMessage request = far.expect();
			EQ(request.from, net::Address::of(name, socket.port()));
			far.reply(request, pattern(20));
			EQ(socket.expect().bytes.size(), 20);
		};
		is_at("10.0.0.2");
		for (bool refused : {false, true})
			for (uint32_t address : {twenty_two, two, twenty_two}) {
				Fd program = bpf::binding_ip4(address, BPF_CGROUP_INET4_CONNECT,
							      !refused);
				group.attach(program, BPF_CGROUP_INET4_CONNECT);
				if (refused)
					FAILS(net::connect_to(socket.fd(), to), EPERM);
				else
					OK(net::connect_to(socket.fd(), to));
				is_at(refused || address == twenty_two ? "10.0.0.22" : "10.0.0.2");
			}
		// Its IPv4 address is part of what it is bound to.
		Fd program = bpf::binding_ip4(twenty_two, BPF_CGROUP_INET6_CONNECT);
		group.attach(program, BPF_CGROUP_INET6_CONNECT);
		PlainSocket mapped(hosts->b.ns, AF_INET6);
		OK(net::bind_to(mapped.fd(), net::Address::of("::ffff:10.0.0.2", 0)));
		FAILS(net::connect_to(mapped.fd(), to.mapped()), EADDRNOTAVAIL);
		mapped.request(to.mapped(), pattern(10), 3);
		PlainMessage request = far.expect();
		EQ(request.from, net::Address::of("10.0.0.2", mapped.port()));
		far.reply(request, pattern(20));
		EQ(mapped.expect().bytes.size(), 20);
	});
}

// A user binds to as many addresses as there are: no look-up gets longer than so much, and
// nobody else is told more than that the port is taken.
TEST_LIMIT(too_many_of_one_port, 200)
{
	rlimit limit{20000, 20000};
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	std::vector<Fd> sockets;
	unsigned refused = 0;
	hosts->b.ns.in([&] {
		for (unsigned i = 1; i <= 3000; i++) {
			Fd fd(OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA)));
			std::string name = "127.1." + std::to_string(i / 250) + "." +
					   std::to_string(1 + i % 250);
			if (net::bind_to(fd, net::Address::of(name, server_port)) < 0) {
				EQ(errno, ENOBUFS);
				refused++;
			}
			sockets.push_back(std::move(fd));
		}
	});
	EQ(refused, 3000 - 64);
	PlainSocket late(hosts->b.ns, AF_INET);
	FAILS(net::bind_to(late.fd(), net::Address::of("10.0.0.2", server_port)), ENOBUFS);
	FAILS(net::bind_to(late.fd(), net::Address::any(AF_INET, server_port)), EADDRINUSE);
	// Another port has its own.
	PlainSocket beside = bound({AF_INET, "10.0.0.2"}, server_port + 1);
	// Each of them is found, the last one, too, and may move.
	PlainSocket client(hosts->b.ns, AF_INET);
	client.request(net::Address::of("127.1.0.65", server_port), pattern(10), 1);
	client.request(net::Address::of("127.1.0.2", server_port), pattern(10), 2);
	for (size_t at : {63, 0}) {
		char bytes[16];
		pollfd ready{sockets[at], POLLIN, 0};
		EQ(poll(&ready, 1, 20000), 1);
		EQ(recv(sockets[at], bytes, sizeof(bytes), 0), 10);
	}
	OK(client.abort(0, 1, 0));
	OK(client.abort(0, 2, 0));
	OK(net::bind_to(sockets[7], net::Address::of("127.2.0.1", server_port)));
	sockets[9].reset();
	OK(net::bind_to(late.fd(), net::Address::of("10.0.0.2", server_port)));
	PlainSocket far(hosts->a.ns, AF_INET);
	echo(far, net::Address::of("10.0.0.2", server_port), late);
}
