// SPDX-License-Identifier: Apache-2.0
// Whose route a packet takes, and what its IP header says: all that a socket's
// options have to do with either.
#include <functional>
#include <linux/xfrm.h>
#include <net/if.h>
#include <poll.h>

#include "lib/packet.hpp"
#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

template <class T>
void set(const PlainSocket &socket, int level, int name, T value)
{
	OK(setsockopt(socket.fd(), level, name, &value, sizeof(value)));
}

/// An IPsec policy of the socket's own that lets nothing through one way.
bool block(const PlainSocket &socket, net::Family family, uint8_t direction,
	   uint8_t action = XFRM_POLICY_BLOCK)
{
	bool v6 = net::domain(family) == AF_INET6;
	xfrm_userpolicy_info policy{};
	policy.sel.family = family == net::Family::v6 ? AF_INET6 : AF_INET;
	policy.dir = direction;
	policy.action = action;
	policy.lft.soft_byte_limit = policy.lft.hard_byte_limit = XFRM_INF;
	policy.lft.soft_packet_limit = policy.lft.hard_packet_limit = XFRM_INF;
	return !setsockopt(socket.fd(), v6 ? SOL_IPV6 : SOL_IP,
			   v6 ? IPV6_XFRM_POLICY : IP_XFRM_POLICY, &policy, sizeof(policy));
}

void needs_ipsec(const PlainSocket &socket)
{
	if (!block(socket, net::Family::v4, XFRM_POLICY_OUT, XFRM_POLICY_ALLOW))
		throw test::Skip("this kernel has no IPsec");
}

void echo(const PlainSocket &client, const PlainSocket &server, const net::Address &to)
{
	client.request(to, pattern(100), 1);
	server.echo();
	EQ(client.expect().bytes.size(), 100);
}

constexpr net::Family families[] = {net::Family::v4, net::Family::v6};

/// The first packet of a request that a socket with these options sends.
struct Packet {
	packet::Datagram ip;
	uint8_t hops = 0;
	uint32_t label = 0;
	int priority = 0;
};

/// A host in the hands of the test, where each request goes to another peer.
class Sender {
public:
	Sender() { CHECK(place.host.ns.sysctl("resend_us", "30000000")); }

	Packet send(net::Family family, const std::function<void(const PlainSocket &)> &prepare,
		    uint32_t label = 0)
	{
		bool v6 = family == net::Family::v6;
		PlainSocket socket(place.host.ns, net::domain(family));
		prepare(socket);
		net::Address to = net::Address::of(
			(v6 ? "fd00::1:" : "10.0.1.") + std::to_string(++peers_), 9);
		if (family == net::Family::mapped)
			to = to.mapped();
		if (v6)
			reinterpret_cast<sockaddr_in6 *>(&to.storage)->sin6_flowinfo = htonl(label);
		socket.request(to, pattern(10), 1);
		for (;;) {
			auto raw = place.wire.receive();
			CHECK(!raw.empty());
			Packet sent{.ip = packet::parse_ip(raw)};
			if (sent.ip.next != packet::protocol)
				continue;
			sent.hops = raw[v6 ? 7 : 8];
			sent.label = v6 ? static_cast<uint32_t>(get(raw, 0, 4)) & 0xfffff : 0;
			OK(socket.abort(0, 1, 0));
			return sent;
		}
	}

	net::Alone place;

private:
	unsigned peers_ = 0;
};

void nothing(const PlainSocket &) {}

} // namespace

SETUP
{
	// Without it no socket can have a policy. Where it cannot be had: needs_ipsec().
	(void)!system("modprobe -a xfrm_user 2>/dev/null");
}

TEST(ipsec_policy_of_a_socket_is_not_bypassed)
{
	two_hosts();
	for (net::Family family : families)
		for (bool other_first : {false, true}) {
			PlainTalk talk(family);
			PlainSocket blocked(hosts->a.ns, net::domain(family));
			needs_ipsec(PlainSocket(hosts->a.ns, AF_INET));
			CHECK(block(blocked, family, XFRM_POLICY_OUT));
			if (other_first)
				echo(talk.client, talk.server, talk.to);
			FAILS(blocked.send(&talk.to, pattern(10), nullptr), EPERM);
			// Nor does its policy bother the others.
			echo(talk.client, talk.server, talk.to);
			FAILS(blocked.send(&talk.to, pattern(10), nullptr), EPERM);
			CHECK(block(blocked, family, XFRM_POLICY_OUT, XFRM_POLICY_ALLOW));
			echo(blocked, talk.server, talk.to);
		}
}

TEST(ipsec_policy_that_comes_while_an_rpc_runs)
{
	two_hosts();
	PlainTalk talk;
	needs_ipsec(PlainSocket(hosts->a.ns, AF_INET));
	talk.client.request(talk.to, pattern(100), 1);
	PlainMessage request = talk.server.expect();
	proc::Counters at_a(hosts->a.ns), at_b(hosts->b.ns);
	CHECK(block(talk.client, net::Family::v4, XFRM_POLICY_OUT));
	uint64_t before = at_b.moved("rx_resend");
	EVENTUALLY(at_a.moved("tx_errors") >= 3);
	CHECK(at_b.moved("rx_resend") <= before + 1);
	CHECK(block(talk.client, net::Family::v4, XFRM_POLICY_OUT, XFRM_POLICY_ALLOW));
	talk.server.reply(request, pattern(100));
	EQ(talk.client.expect().bytes.size(), 100);
}

TEST(ipsec_policy_of_a_receiver)
{
	two_hosts();
	for (net::Family family : net::all_families) {
		PlainTalk talk(family);
		needs_ipsec(PlainSocket(hosts->a.ns, AF_INET));
		PlainSocket other(hosts->b.ns, net::domain(family), server_port + 1);
		CHECK(block(talk.server, family, XFRM_POLICY_IN));
		proc::Counters at_b(hosts->b.ns);
		talk.client.request(talk.to, pattern(100), 1);
		EVENTUALLY(at_b.moved("drop_ipsec") >= 1);
		EQ(at_b.moved("server_rpcs"), 0);
		PlainSocket client(hosts->a.ns, net::domain(family));
		echo(client, other, hosts->b.at(family, server_port + 1));
		CHECK(block(talk.server, family, XFRM_POLICY_IN, XFRM_POLICY_ALLOW));
		talk.server.echo();
		talk.client.expect();
	}
}

TEST(ipsec_policy_of_the_receiving_host)
{
	two_hosts();
	for (net::Family family : families)
		for (const char *policy : {"action block", "tmpl proto esp mode transport"}) {
			bool v6 = family == net::Family::v6;
			PlainTalk talk(family);
			needs_ipsec(PlainSocket(hosts->a.ns, AF_INET));
			hosts->b.ns.sh("ip xfrm policy add dir in src " +
				       (v6 ? hosts->a.v6 : hosts->a.v4) + " dst " +
				       (v6 ? hosts->b.v6 : hosts->b.v4) + " " + policy);
			proc::Counters at_a(hosts->a.ns), at_b(hosts->b.ns);
			talk.client.request(talk.to, pattern(100), 1);
			EVENTUALLY(at_b.moved("drop_ipsec") >= 1);
			// Nor does it tell that there is no socket at a port.
			net::Address closed = hosts->b.at(family, server_port + 1);
			uint64_t dropped = at_b.moved("drop_ipsec");
			talk.client.request(closed, pattern(100), 2);
			EVENTUALLY(at_b.moved("drop_ipsec") > dropped);
			EQ(at_b.moved("drop_no_socket"), 0);
			EQ(at_b.moved("server_rpcs"), 0);
			EQ(at_a.moved("icmp_errors"), 0);
			OK(talk.client.abort(0, 2, 0));
			// The socket's own goes before the host's.
			CHECK(block(talk.server, family, XFRM_POLICY_IN, XFRM_POLICY_ALLOW));
			talk.server.echo();
			talk.client.expect();
			hosts->b.ns.sh("ip xfrm policy flush");
			echo(talk.client, talk.server, talk.to);
		}
}

TEST(route_by_tos)
{
	two_hosts();
	hosts->a.ns.sh("ip rule add tos 0x10 table 7; ip route add prohibit default table 7; "
		       "ip -6 rule add tos 0x10 table 7; ip -6 route add prohibit default table 7");
	for (net::Family family : families) {
		bool v6 = family == net::Family::v6;
		PlainTalk talk(family);
		PlainSocket other(hosts->a.ns, net::domain(family));
		echo(talk.client, talk.server, talk.to);
		set(other, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TCLASS : IP_TOS, 0x10);
		FAILS(other.send(&talk.to, pattern(10), nullptr), EACCES);
		echo(talk.client, talk.server, talk.to);
	}
}

TEST(no_gateway_with_dontroute)
{
	two_hosts();
	hosts->a.ns.sh("ip route add 10.9.0.0/16 via 10.0.0.2; ip route add fd09::/64 via fd00::2");
	for (net::Family family : families) {
		PlainTalk talk(family);
		PlainSocket local(hosts->a.ns, net::domain(family));
		net::Address far = net::Address::of(
			family == net::Family::v6 ? "fd09::1" : "10.9.0.1", server_port);
		OK(talk.client.send(&far, pattern(10), nullptr));
		set(local, SOL_SOCKET, SO_DONTROUTE, 1);
		FAILS(local.send(&far, pattern(10), nullptr), ENETUNREACH);
		echo(local, talk.server, talk.to);
		// Of one message: the next is not held to it, nor this one to what the socket has.
		set(local, SOL_SOCKET, SO_DONTROUTE, 0);
		FAILS(local.send(&far, pattern(10), nullptr, MSG_DONTROUTE), ENETUNREACH);
		OK(local.send(&talk.to, pattern(10), nullptr, MSG_DONTROUTE));
		talk.server.echo();
		local.expect();
		OK(local.send(&far, pattern(10), nullptr));
		OK(talk.client.abort(0, 1, 0));
	}
}

TEST(unicast_interface)
{
	two_hosts();
	hosts->a.ns.sh("ip link add other type dummy; ip link set other up; "
		       "ip addr add 10.7.0.1/24 dev other; ip addr add fd07::1/64 dev other nodad");
	for (net::Family family : families) {
		bool v6 = family == net::Family::v6;
		PlainTalk talk(family);
		unsigned index = 0;
		hosts->a.ns.in([&] { index = if_nametoindex("other"); });
		proc::Counters at_b(hosts->b.ns);
		set(talk.client, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_UNICAST_IF : IP_UNICAST_IF,
		    htonl(index));
		// It leaves by a device that nobody is behind, or has no route there.
		(void)talk.client.send(&talk.to, pattern(10), nullptr);
		CHECK(!talk.server.ready(POLLIN, 200));
		EQ(at_b.moved("rx_data"), 0);
		OK(talk.client.abort(0, 1, 0));
		// Likewise what is answered; where our address is given, IPv6 does not insist.
		if (v6)
			continue;
		PlainSocket server(hosts->a.ns, net::domain(family), server_port);
		set(server, SOL_IP, IP_UNICAST_IF, htonl(index));
		PlainSocket client(hosts->b.ns, net::domain(family));
		client.request(hosts->a.at(family, server_port), pattern(10), 1);
		server.reply(server.expect(), pattern(10));
		CHECK(!client.ready(POLLIN, 200));
	}
}

TEST(ttl_and_hop_limit)
{
	Sender sender;
	EQ(sender.send(net::Family::v4, nothing).hops, 64);
	EQ(sender.send(net::Family::v4, [](auto &socket) { set(socket, SOL_IP, IP_TTL, 9); }).hops,
	   9);
	EQ(sender.send(net::Family::mapped,
		       [](auto &socket) {
			       set(socket, SOL_IP, IP_TTL, 9);
			       set(socket, SOL_IPV6, IPV6_UNICAST_HOPS, 7);
		       })
		   .hops,
	   9);
	EQ(sender.send(net::Family::v6, nothing).hops, 64);
	EQ(sender.send(net::Family::v6,
		       [](auto &socket) { set(socket, SOL_IPV6, IPV6_UNICAST_HOPS, 9); })
		   .hops,
	   9);
	EQ(sender.send(net::Family::v6,
		       [](auto &socket) { set(socket, SOL_IPV6, IPV6_UNICAST_HOPS, -1); })
		   .hops,
	   64);
}

TEST(traffic_class_of_the_application)
{
	Sender sender;
	// The protocol's priorities, unless the socket says otherwise; never ECN.
	CHECK(!(sender.send(net::Family::v4, nothing).ip.traffic_class & 0x1f));
	CHECK(!(sender.send(net::Family::v6, nothing).ip.traffic_class & 0x8f));
	for (int tos : {0x28, 0x2b, 0xb8, 0x04}) {
		EQ(sender.send(net::Family::v4,
			       [&](auto &socket) { set(socket, SOL_IP, IP_TOS, tos); })
			   .ip.traffic_class,
		   tos & 0xfc);
		EQ(sender.send(net::Family::mapped,
			       [&](auto &socket) {
				       set(socket, SOL_IP, IP_TOS, tos);
				       set(socket, SOL_IPV6, IPV6_TCLASS, 0x60);
			       })
			   .ip.traffic_class,
		   tos & 0xfc);
		EQ(sender.send(net::Family::v6,
			       [&](auto &socket) { set(socket, SOL_IPV6, IPV6_TCLASS, tos); })
			   .ip.traffic_class,
		   tos & 0xfc);
	}
}

TEST(flow_labels)
{
	Sender sender;
	// One for each RPC, where the namespace or the socket does not say otherwise.
	CHECK(sender.send(net::Family::v6, nothing).label !=
	      sender.send(net::Family::v6, nothing).label);
	EQ(sender.send(net::Family::v6,
		       [](auto &socket) { set(socket, SOL_IPV6, IPV6_AUTOFLOWLABEL, 0); })
		   .label,
	   0);
	sender.place.host.ns.sh("sysctl -qw net.ipv6.auto_flowlabels=0");
	EQ(sender.send(net::Family::v6, nothing).label, 0);
	sender.place.host.ns.sh("sysctl -qw net.ipv6.auto_flowlabels=2");
	CHECK(sender.send(net::Family::v6, [](auto &socket) {
			    set(socket, SOL_IPV6, IPV6_AUTOFLOWLABEL, 1);
		    }).label);
	auto asks = [](auto &socket) { set(socket, SOL_IPV6, IPV6_FLOWINFO_SEND, 1); };
	EQ(sender.send(net::Family::v6, asks, 0x12345).label, 0x12345);
	// Not asked for: what is there may be anything.
	CHECK(sender.send(net::Family::v6, nothing, 0x12345).label != 0x12345);
}

/// Their routes stay.
TEST(own_addresses_while_lo_is_down)
{
	two_hosts();
	PlainTalk talk;
	net::Address self = hosts->b.at(net::Family::v4, server_port);
	talk.server.request(self, pattern(10), 1);
	EQ(talk.server.expect().bytes.size(), 10);
	hosts->b.ns.sh("ip link set lo down");
	FAILS(talk.server.send(&self, pattern(10), nullptr), ENETDOWN);
	PlainSocket v6(hosts->b.ns, AF_INET6);
	self = hosts->b.at(net::Family::v6, server_port);
	FAILS(v6.send(&self, pattern(10), nullptr), ENETDOWN);
	// Others are reached as before.
	talk.client.request(talk.to, pattern(10), 2);
	EQ(talk.server.expect().bytes.size(), 10);
}

/// Its ICMP comes, though there is no checksum that could tell that the packet is whole.
TEST(rejected_by_the_firewall_of_the_host)
{
	two_hosts();
	std::string output;
	if (!hosts->a.ns.try_sh(
		    "nft add table inet t && "
		    "nft add chain inet t out '{ type filter hook output priority 0; }' && "
		    "nft add rule inet t out meta l4proto 146 reject",
		    &output))
		throw test::Skip("no nftables: " + output);
	for (net::Family family : families) {
		PlainTalk talk(family);
		talk.client.request(talk.to, pattern(10), 1);
		talk.client.expect_failure(ENOTCONN);
	}
}

TEST(options_without_effect)
{
	two_hosts();
	PlainSocket v4(hosts->a.ns, AF_INET), v6(hosts->a.ns, AF_INET6);
	uint8_t bytes[64] = {};
	for (int name :
	     {IP_OPTIONS, IP_MULTICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MINTTL})
		FAILS(setsockopt(v4.fd(), SOL_IP, name, bytes, 4), ENOPROTOOPT);
	for (int name : {IPV6_HOPOPTS, IPV6_RTHDRDSTOPTS, IPV6_RTHDR, IPV6_DSTOPTS, IPV6_PKTINFO,
			 IPV6_2292PKTOPTIONS, IPV6_MULTICAST_IF, IPV6_MULTICAST_HOPS,
			 IPV6_MULTICAST_LOOP, IPV6_MINHOPCOUNT})
		FAILS(setsockopt(v6.fd(), SOL_IPV6, name, bytes, 24), ENOPROTOOPT);
}
