// SPDX-License-Identifier: Apache-2.0
// Segments and merged packets on their way: through routers that translate addresses,
// through tunnels with checksums, over devices without scatter-gather, through IPsec.
#include <functional>
#include <linux/if_packet.h>
#include <memory>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>

#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"
#include "lib/trace.hpp"

namespace {

constexpr uint16_t server_port = 4000;
constexpr size_t longest_frame = 1 << 17;

/// Sees what comes in and goes out at one device.
class Watch {
public:
	Watch(const net::Netns &ns, const std::string &device)
		: fd_(ns.socket(AF_PACKET, SOCK_RAW, 0))
	{
		const int room = 1 << 26;
		OK(setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
		sockaddr_ll at{};
		at.sll_family = AF_PACKET;
		at.sll_protocol = htons(ETH_P_ALL);
		ns.in([&] { at.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str())); });
		OK(bind(fd_, reinterpret_cast<sockaddr *>(&at), sizeof(at)));
	}

	/// Length of the longest frame so far that came in, or went out.
	size_t longest(bool in)
	{
		Bytes frame(longest_frame);
		sockaddr_ll from{};
		for (;;) {
			socklen_t size = sizeof(from);
			ssize_t got = recvfrom(fd_, frame.data(), frame.size(), MSG_DONTWAIT,
					       reinterpret_cast<sockaddr *>(&from), &size);
			if (got < 0)
				break;
			size_t &most = from.sll_pkttype == PACKET_OUTGOING ? out_ : in_;
			most = std::max(most, static_cast<size_t>(got));
		}
		return in ? in_ : out_;
	}

private:
	Fd fd_;
	size_t in_ = 0;
	size_t out_ = 0;
};

/// Two hosts whose packets are cut before the router, and merged there.
std::unique_ptr<net::Routed> merging_router()
{
	auto net = std::make_unique<net::Routed>();
	for (const net::Host *host : {&net->a, &net->b})
		host->ns.patient(true);
	for (const net::Host *host : {&net->a, &net->b})
		host->ns.sh("ethtool -K eth0 tso off gro on");
	net->router.sh("ethtool -K to_a tso off gro on; ethtool -K to_b tso off gro on");
	return net;
}

/// Requests of lengths that take a part of a segment, one, and several.
void talk(const net::Host &a, const net::Host &b, const net::Address &to, const std::string &seen,
	  bool secure, const std::string &local)
{
	int domain = to.storage.ss_family;
	PlainSocket client(a.ns, domain);
	PlainSocket server(b.ns, domain, server_port);
	if (!local.empty())
		OK(net::bind_to(client.fd(), net::Address::of(local, 0)));
	if (secure)
		session::join(client.fd(), net::Address::of(local, client.port()), server.fd(), to);
	client.set_timeout(60000);
	server.set_timeout(60000);
	proc::Counters at_a(a.ns), at_b(b.ns);
	unsigned requests = 0;
	for (size_t length : {100, 5000, 30000, 200000}) {
		client.request(to, pattern(length));
		PlainMessage request = server.expect();
		EQ(request.from.text(), net::Address::of(seen, request.from.port()).text());
		EQ(request.result, length);
		EQ(pattern_error(request.bytes), "");
		server.reply(request, pattern(length));
		PlainMessage response = client.expect();
		EQ(response.result, length);
		EQ(pattern_error(response.bytes), "");
		requests++;
	}
	EQ(at_b.moved("server_rpcs"), requests);
	// What is late, as copies are on a slow machine, may be dropped; this is not late.
	for (const char *reason : {"drop_no_socket", "drop_header_tag", "drop_no_session",
				   "drop_address", "bad_records"})
		EQ(std::string(reason) + " " +
			   std::to_string(at_a.moved(reason) + at_b.moved(reason)),
		   std::string(reason) + " 0");
}

bool have(const std::string &modules)
{
	return system(("modprobe -a " + modules + " 2>/dev/null").c_str()) == 0;
}

/// A tunnel between the hosts, around the router.
void tunnel(const net::Host &here, const net::Host &there, const std::string &kind,
	    const std::string &inside)
{
	std::string link =
		"ip link add inner type " + kind + " local " + here.v4 + " remote " + there.v4;
	if (kind == "vxlan")
		link += " id 7 dstport 4789 dev eth0 udpcsum";
	if (kind == "gre")
		link += " csum";
	here.ns.sh(link + "; ip addr add " + inside +
		   "/24 dev inner; ip link set inner mtu 1400 up");
}

size_t number_after(const std::string &line, const std::string &name)
{
	size_t at = line.find(name);
	CHECK(at != std::string::npos);
	return std::stoul(line.substr(at + name.size()));
}

/// No packet of @a device has fragments, some are as long as packets of a segment.
void all_linear(const std::string &device)
{
	unsigned full = 0;
	Trace::lines("dev=" + device + " ", [&](const std::string &line) {
		EQ(number_after(line, " data_len="), 0);
		full += number_after(line, " len=") >= 1500;
	});
	CHECK(full >= 20);
}

} // namespace

SETUP
{
	have("vxlan ip_gre ipip sch_netem");
}

namespace {

/// What a router sends to host b has its own address.
void masquerade(const net::Netns &router)
{
	router.sh("nft add table ip nat; nft 'add chain ip nat post { type nat hook postrouting"
		  " priority 100 ; }'; nft add rule ip nat post oifname to_b masquerade");
}

} // namespace

TEST_LIMIT(merged_packets_are_cut_back, 200)
{
	auto net = merging_router();
	for (net::Family family : {net::Family::v4, net::Family::v6}) {
		for (bool secure : {false, true}) {
			Watch in(net->router, "to_a"), out(net->router, "to_b");
			const std::string &from = family == net::Family::v4 ? net->a.v4 : net->a.v6;
			talk(net->a, net->b, net->b.at(family, server_port), from, secure, from);
			CHECK(in.longest(true) > 3000);
			CHECK(out.longest(false) <= 1514);
		}
	}
}

// All packets of what was merged have the new address: the server sees one client.
TEST_LIMIT(masquerading_a_merged_packet, 200)
{
	if (!have("nf_tables nft_masq nft_chain_nat nf_nat"))
		throw test::Skip("no nftables");
	auto net = merging_router();
	masquerade(net->router);
	Watch in(net->router, "to_a");
	talk(net->a, net->b, net->b.at(net::Family::v4, server_port), "10.0.2.254", false,
	     net->a.v4);
	CHECK(in.longest(true) > 3000);
}

// The protocol has no ports that a router knows: of two hosts behind one address it can tell
// the answers to one server's apart for neither, and lets the second not through. Who has
// to wait is told, and comes through when the router has forgotten the first.
TEST_LIMIT(two_hosts_behind_one_address, 200)
{
	if (!have("nf_tables nft_masq nft_chain_nat nf_nat"))
		throw test::Skip("no nftables");
	net::Routed net;
	net.a.ns.sh("ip addr add 10.0.1.11/24 dev eth0");
	masquerade(net.router);
	PlainSocket server(net.b.ns, AF_INET, server_port);
	PlainSocket first(net.a.ns, AF_INET), second(net.a.ns, AF_INET);
	for (const auto &[client, address] :
	     {std::pair{&first, "10.0.1.1"}, std::pair{&second, "10.0.1.11"}}) {
		const net::Address at = net::Address::of(address, 0);
		OK(bind(client->fd(), at.raw(), at.length));
	}
	const net::Address to = net.b.at(net::Family::v4, server_port);
	const auto talks = [&](const PlainSocket &client) {
		client.request(to, pattern(3000));
		const PlainMessage request = server.expect();
		EQ(request.from, net::Address::of("10.0.2.254", client.port()));
		server.reply(request, pattern(3000));
		EQ(pattern_error(client.expect().bytes), "");
	};
	talks(first);
	net.a.ns.patient(false);
	second.request(to, pattern(3000), 7);
	EQ(second.expect_failure(ETIMEDOUT).rpc->cookie, 7U);
	net.a.ns.patient(true);
	net.router.sh("echo 5 >/proc/sys/net/netfilter/nf_conntrack_generic_timeout");
	talks(first);
	// It forgets after five seconds without packets. A server that asks for acknowledgement
	// would remind it, and has it taken for one that began by itself if that is late.
	CHECK(test::eventually([&] { return proc::lines(net.b.ns, "rpcs").empty(); }, 60));
	talks(second);
}

// A router merges what is in a tunnel that it only forwards.
TEST_LIMIT(tunnels_through_a_merging_router, 400)
{
	for (const char *kind : {"ipip", "gre", "vxlan"}) {
		auto net = merging_router();
		if (std::string(kind) == "vxlan")
			net->router.sh("ip link add own type vxlan id 9 dstport 4789 dev to_a;"
				       "ip link set own up");
		tunnel(net->a, net->b, kind, "10.9.0.1");
		tunnel(net->b, net->a, kind, "10.9.0.2");
		Watch in(net->router, "to_a"), out(net->router, "to_b");
		net::Address to = net::Address::of("10.9.0.2", server_port);
		for (bool secure : {false, true})
			talk(net->a, net->b, to, "10.9.0.1", secure, "10.9.0.1");
		test::note(std::string(kind) + ": longest in " + std::to_string(in.longest(true)));
		CHECK(out.longest(false) <= 1514);
	}
}

// Whole segments and merged packets that leave a tunnel at a router, and go on.
TEST_LIMIT(decapsulated_and_forwarded, 400)
{
	for (bool whole : {false, true}) {
		auto net = merging_router();
		std::string vxlan = "ip link add inner type vxlan id 7 dstport 4789 udpcsum ";
		if (whole)
			net->a.ns.sh("ethtool -K eth0 tso on");
		net->a.ns.sh(vxlan +
			     "local 10.0.1.1 remote 10.0.1.254 dev eth0;"
			     "ip addr add 10.9.0.1/24 dev inner; ip link set inner mtu 1400 up;"
			     "ip route add 10.0.2.2/32 via 10.9.0.254 src 10.9.0.1");
		net->router.sh(
			vxlan +
			"local 10.0.1.254 remote 10.0.1.1 dev to_a;"
			"ip addr add 10.9.0.254/24 dev inner; ip link set inner mtu 1400 up");
		for (bool secure : {false, true})
			talk(net->a, net->b, net->b.at(net::Family::v4, server_port), "10.9.0.1",
			     secure, "10.9.0.1");
	}
}

// The outer checksum is computed in software: each packet has the right one.
TEST_LIMIT(outer_checksums, 400)
{
	net::Pair hosts;
	for (const char *kind : {"vxlan", "gre"}) {
		hosts.a.ns.sh("ethtool -K eth0 tx off");
		tunnel(hosts.a, hosts.b, kind, "10.9.0.1");
		tunnel(hosts.b, hosts.a, kind, "10.9.0.2");
		net::Address to = net::Address::of("10.9.0.2", server_port);
		for (bool secure : {false, true})
			talk(hosts.a, hosts.b, to, "10.9.0.1", secure, "10.9.0.1");
		hosts.b.ns.sh("nstat -az UdpInCsumErrors | grep -qE 'UdpInCsumErrors +0 '");
		for (const net::Host *host : {&hosts.a, &hosts.b})
			host->ns.sh("ip link del inner");
		hosts.a.ns.sh("ethtool -K eth0 tx on");
	}
}

TEST_LIMIT(no_scatter_gather_at_the_sender, 200)
{
	net::Pair hosts;
	// Of both: their devices have one name.
	for (const net::Host *host : {&hosts.a, &hosts.b})
		host->ns.sh("ethtool -K eth0 tx-scatter-gather off");
	{
		Trace trace("net/net_dev_start_xmit");
		for (bool secure : {false, true}) {
			talk(hosts.a, hosts.b, hosts.b.at(net::Family::v4, server_port), hosts.a.v4,
			     secure, hosts.a.v4);
			talk(hosts.a, hosts.b, hosts.b.at(net::Family::v6, server_port), hosts.a.v6,
			     secure, hosts.a.v6);
		}
		unsigned full = 0;
		Trace::lines("dev=eth0 ", [&](const std::string &line) {
			// Only what is no segment any more.
			uint64_t length = number_after(line, " len=");
			if (length > 1514)
				return;
			EQ(number_after(line, " data_len="), 0);
			full += length > 1400;
		});
		CHECK(full > 4 * 200000 / 1500);
	}
}

TEST_LIMIT(no_scatter_gather_at_a_router, 200)
{
	auto net = merging_router();
	net->router.sh("ethtool -K to_b tx-scatter-gather off");
	Trace trace("net/net_dev_start_xmit");
	Watch in(net->router, "to_a");
	talk(net->a, net->b, net->b.at(net::Family::v4, server_port), net->a.v4, false, net->a.v4);
	CHECK(in.longest(true) > 3000);
	all_linear("to_b");
}

namespace {

void esp(const net::Host &here, const net::Host &there, const std::string &mode)
{
	std::string key =
		" aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128";
	std::string out = "src " + here.v4 + " dst " + there.v4;
	std::string in = "src " + there.v4 + " dst " + here.v4;
	std::string spi_out = here.v4 < there.v4 ? "1" : "2";
	std::string spi_in = here.v4 < there.v4 ? "2" : "1";
	here.ns.sh("ip xfrm state add " + out + " proto esp spi " + spi_out + " mode " + mode +
		   key + "; ip xfrm state add " + in + " proto esp spi " + spi_in + " mode " +
		   mode + key + "; ip xfrm policy add " + out + " dir out tmpl " + out +
		   " proto esp mode " + mode + "; ip xfrm policy add " + in + " dir in tmpl " + in +
		   " proto esp mode " + mode);
}

long users_of(const std::string &module)
{
	std::ifstream file("/proc/modules");
	std::string name;
	long size = 0, users = 0;
	for (std::string rest; file >> name >> size >> users; std::getline(file, rest))
		if (name == module)
			return users;
	return -1;
}

} // namespace

// Decrypted packets are merged, and what nobody has read yet holds no state of IPsec.
TEST_LIMIT(ipsec, 400)
{
	if (!have("esp4 xfrm_user"))
		throw test::Skip("no IPsec");
	for (const char *mode : {"transport", "tunnel"}) {
		net::Pair hosts;
		hosts.a.ns.sh("ethtool -K eth0 tso off");
		hosts.b.ns.sh("ethtool -K eth0 gro on");
		long before = users_of("esp4");
		esp(hosts.a, hosts.b, mode);
		esp(hosts.b, hosts.a, mode);
		CHECK(users_of("esp4") > before);
		net::Address to = hosts.b.at(net::Family::v4, server_port);
		for (bool secure : {false, true})
			talk(hosts.a, hosts.b, to, hosts.a.v4, secure, hosts.a.v4);
		PlainSocket client(hosts.a.ns, AF_INET);
		PlainSocket server(hosts.b.ns, AF_INET, server_port);
		client.request(to, pattern(50000));
		CHECK(server.ready(POLLIN, 20000));
		for (const net::Host *host : {&hosts.a, &hosts.b})
			host->ns.sh("ip xfrm policy flush; ip xfrm state flush");
		// A route is looked up again when it is next used, as a TCP socket's is.
		PlainSocket other(hosts.b.ns, AF_INET, server_port + 1);
		client.request(hosts.b.at(net::Family::v4, server_port + 1), pattern(10));
		other.echo();
		EQ(client.expect().bytes.size(), 10);
		EVENTUALLY(users_of("esp4") == before);
		EQ(server.expect().result, 50000);
	}
}
