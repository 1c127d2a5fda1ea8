// SPDX-License-Identifier: Apache-2.0
// Receive merging (GRO) at the receiver: what is merged is worth what its packets are
// alone, also where they came through a tunnel.
#include <cstring>
#include <linux/if_packet.h>
#include <memory>
#include <net/ethernet.h>
#include <net/if.h>

#include "lib/bpf.hpp"
#include "lib/leaks.hpp"
#include "lib/packet.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

constexpr const char *inside_a = "10.9.0.1";
constexpr const char *inside_b = "10.9.0.2";

/// A tunnel of a kind between the hosts, whose link cuts and merges packets.
struct Tunnel {
	explicit Tunnel(const std::string &kind)
	{
		hosts->a.ns.sh("ethtool -K eth0 tso off");
		hosts->b.ns.sh("ethtool -K eth0 gro on");
		make(hosts->a, hosts->b, kind, inside_a);
		make(hosts->b, hosts->a, kind, inside_b);
	}
	Tunnel(const Tunnel &) = delete;
	Tunnel &operator=(const Tunnel &) = delete;
	~Tunnel()
	{
		std::string output;
		for (const net::Host *host : {&hosts->a, &hosts->b})
			if (!host->ns.try_sh("ip link del inner", &output))
				test::note(output);
	}

	static void make(const net::Host &here, const net::Host &there, const std::string &kind,
			 const std::string &inside)
	{
		std::string output;
		std::string local = " local " + here.v4 + " remote " + there.v4;
		if (kind == "vxlan")
			local += " id 7 dstport 4789 dev eth0";
		if (!here.ns.try_sh("ip link add inner type " + kind + local, &output))
			throw test::Skip("no " + kind + ": " + output);
		here.ns.sh("ip addr add " + inside +
			   "/24 brd 10.9.0.255 dev inner;"
			   "ip link set inner mtu 1400 up");
	}
};

void echo_through(const std::string &kind, bool secure)
{
	Tunnel tunnel(kind);
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = net::Address::of(inside_b, server_port);
	OK(net::bind_to(client.fd(), net::Address::of(inside_a, 0)));
	if (secure)
		session::join(client.fd(), net::Address::of(inside_a, client.port()), server.fd(),
			      to);
	proc::Counters counters(hosts->b.ns);
	for (unsigned i = 0; i < 10; i++) {
		client.request(to, pattern(150000));
		PlainMessage request = server.expect();
		EQ(request.from, net::Address::of(inside_a, client.port()));
		EQ(pattern_error(request.bytes), "");
		server.reply(request, pattern(10));
		client.expect();
	}
	EQ(counters.moved("server_rpcs"), 10);
	EQ(counters.moved("drop_no_session"), 0);
	EQ(counters.moved("drop_no_socket"), 0);
}

/// Of a device of host b.
std::string link_address(const std::string &device)
{
	std::string text;
	CHECK(hosts->b.ns.try_sh("ip -o link show " + device + " | sed 's/.*ether //'", &text));
	return text.substr(0, 17);
}

} // namespace

SETUP
{
	two_hosts();
	system("modprobe -a ipip ip_gre vxlan macvlan 2>/dev/null");
}

TEST(ipip_clear)
{
	echo_through("ipip", false);
}
TEST(ipip_secure)
{
	echo_through("ipip", true);
}
TEST(gre_clear)
{
	echo_through("gre", false);
}
TEST(vxlan_secure)
{
	echo_through("vxlan", true);
}

// Some make what was merged linear: generic XDP does, on a device above the one that
// merges.
TEST(merged_and_made_linear)
{
	hosts->a.ns.sh("ethtool -K eth0 tso off; ip addr add 10.9.1.1/24 dev eth0");
	hosts->b.ns.sh("ethtool -K eth0 gro on");
	std::string output;
	if (!hosts->b.ns.try_sh("ip link add link eth0 name upper type macvlan mode private",
				&output))
		throw test::Skip("no macvlan: " + output);
	hosts->b.ns.sh("ip addr add 10.9.1.2/24 dev upper; ip link set upper up");
	hosts->a.ns.sh("ip neigh replace 10.9.1.2 dev eth0 lladdr " + link_address("upper"));
	{
		PlainSocket client(hosts->a.ns, AF_INET);
		PlainSocket server(hosts->b.ns, AF_INET, server_port);
		net::Address to = net::Address::of("10.9.1.2", server_port);
		Fd pass = bpf::returning(XDP_PASS, BPF_PROG_TYPE_XDP, BPF_XDP);
		Fd link;
		hosts->b.ns.in([&] { link = bpf::attach_generic_xdp(pass, "upper"); });
		for (bool secure : {false, true}) {
			if (secure)
				session::join(client.fd(),
					      net::Address::of("10.9.1.1", client.port()),
					      server.fd(), to);
			for (size_t length : {3000, 30000, 65500, 300000}) {
				client.request(to, pattern(length));
				PlainMessage request = server.expect();
				EQ(request.result, length);
				EQ(pattern_error(request.bytes), "");
				server.reply(request, pattern(10));
				client.expect();
			}
		}
	}
	hosts->b.ns.sh("ip link del upper");
	hosts->a.ns.sh("ip addr del 10.9.1.1/24 dev eth0");
}

// Whoever takes a group's address for a host's: all of a train is dropped.
TEST(a_train_to_a_group)
{
	hosts->a.ns.sh("ethtool -K eth0 tso off");
	hosts->b.ns.sh("ethtool -K eth0 gro on");
	hosts->a.ns.sh("ip addr add 10.9.0.1/32 dev eth0; ip route add 10.9.0.0/24 dev eth0 "
		       "src 10.9.0.1; ip neigh add 10.9.0.255 lladdr " +
		       link_address("eth0") + " dev eth0");
	hosts->b.ns.sh("ip addr add 10.9.0.2/24 brd 10.9.0.255 dev eth0");
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	proc::Counters counters(hosts->b.ns);
	for (unsigned i = 0; i < 5; i++)
		client.request(net::Address::of("10.9.0.255", server_port), pattern(20000));
	EVENTUALLY(counters.moved("drop_address") >= 5);
	EQ(counters.moved("rx_data"), 0);
	EQ(counters.moved("server_rpcs"), 0);
	OK(client.abort(0, 0, 0));
	hosts->a.ns.sh("ip addr del 10.9.0.1/32 dev eth0; ip neigh del 10.9.0.255 dev eth0; "
		       "ip route flush 10.9.0.0/24");
	hosts->b.ns.sh("ip addr del 10.9.0.2/24 dev eth0");
}

// What a guest, or who has a packet socket, says is a segment.
TEST(segments_that_are_none)
{
	// struct virtio_net_hdr, which <linux/virtio_net.h> has for C only.
	struct VnetHeader {
		uint8_t flags = 1; // a checksum is wanted
		uint8_t gso_type;  // 1 TCP over IPv4, 4 over IPv6, 5 UDP
		uint16_t header_length = 0;
		uint16_t gso_size;
		uint16_t sum_start;
		uint16_t sum_offset;
	};
	Fd fd = hosts->a.ns.socket(AF_PACKET, SOCK_RAW, 0);
	int on = 1;
	OK(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)));
	sockaddr_ll at{};
	at.sll_family = AF_PACKET;
	hosts->a.ns.in([&] { at.sll_ifindex = static_cast<int>(if_nametoindex("lo")); });
	unsigned taken = 0;
	auto send = [&](bool v6, uint8_t type, uint16_t size, size_t behind) {
		net::Address own = hosts->a.at(v6 ? net::Family::v6 : net::Family::v4, 0);
		Bytes homa = pattern(60 + behind);
		homa[12] = 0xf0;
		Bytes ip = packet::ip(own, own, homa);
		VnetHeader vnet = {
			.gso_type = type,
			.gso_size = size,
			.sum_start = static_cast<uint16_t>(ETH_HLEN + ip.size() - homa.size()),
			.sum_offset = static_cast<uint16_t>(type == 5 ? 6 : 16),
		};
		Bytes frame(sizeof(vnet) + ETH_HLEN);
		memcpy(frame.data(), &vnet, sizeof(vnet));
		set(frame, sizeof(vnet) + 12, v6 ? ETH_P_IPV6 : ETH_P_IP, 2);
		frame.insert(frame.end(), ip.begin(), ip.end());
		taken += sendto(fd, frame.data(), frame.size(), 0,
				reinterpret_cast<sockaddr *>(&at), sizeof(at)) >= 0;
	};
	for (bool v6 : {false, true})
		for (unsigned type : {1, 4, 5})
			for (unsigned size : {1, 8, 36})
				for (size_t behind : {0, 1, 8, 9, 40})
					send(v6, static_cast<uint8_t>(type),
					     static_cast<uint16_t>(size), behind);
	CHECK(taken > 0);
}
