// SPDX-License-Identifier: Apache-2.0
#include "paths.hpp"

#include <algorithm>
#include <filesystem>

#include "features.hpp"
#include "test.hpp"

namespace paths {

Path::Path(bool v6) : v6(v6)
{
	host("a");
	host("b");
}

net::Netns &Path::host(const std::string &name)
{
	return hosts_[name];
}

void Path::link(const std::string &left, const std::string &near, const std::string &right,
		const std::string &far)
{
	outside_ += "link add name " + near + " netns " + host(left).path() +
		    " type veth peer name " + far + " netns " + host(right).path() + "\n";
	ip(left, "link set " + near + " up");
	ip(right, "link set " + far + " up");
}

void Path::card(const std::string &name, const std::string &host, const std::string &device)
{
	outside_ += "link set " + name + " down\nlink set " + name + " netns " +
		    this->host(host).path() + " name " + device + "\n";
}

void Path::ip(const std::string &host, const std::string &lines)
{
	const std::string end = "END\n";
	std::string &script = scripts_[host];
	if (script.ends_with(end))
		script.resize(script.size() - end.size());
	else
		script += "ip -batch - <<END\n";
	script += lines + "\n" + end;
}

void Path::sh(const std::string &host, const std::string &commands)
{
	scripts_[host] += commands + "\n";
}

void Path::make(hops::Offloads offloads)
{
	// Where the machine's cards are.
	if (system(("ip -batch - <<END\n" + outside_ + "END").c_str()) != 0)
		throw test::Failure("failed: " + outside_);
	for (auto script = scripts_.rbegin(); script != scripts_.rend(); script++)
		host(script->first).sh(script->second);
	for (const auto &[name, ns] : hosts_)
		set_features(
			ns,
			{"rx-checksum",
			 "tx-checksum-ip-generic",
			 "tx-checksum-ipv4",
			 "tx-checksum-ipv6",
			 "tx-scatter-gather",
			 "tx-tcp-segmentation",
			 "tx-tcp-ecn-segmentation",
			 "tx-tcp6-segmentation",
			 "tx-generic-segmentation",
			 "tx-gso-list",
			 "tx-udp-segmentation",
			 "tx-udp_tnl-segmentation",
			 "tx-udp_tnl-csum-segmentation",
			 "tx-gre-segmentation",
			 "tx-gre-csum-segmentation",
			 "tx-ipxip4-segmentation",
			 "tx-ipxip6-segmentation",
			 "tx-esp-segmentation",
			 "tx-vlan-hw-insert",
			 "rx-vlan-hw-parse",
			 "tx-vlan-stag-hw-insert",
			 "rx-vlan-stag-hw-parse",
			 "rx-gro",
			 "rx-gro-hw",
			 "rx-lro"},
			[&](const std::string &device) { return hops::told_to(offloads, device); });
	// A card starts anew for it, and loses its link.
	if (!cards)
		return;
	for (const auto &[name, ns] : hosts_) {
		const net::Netns &one = ns;
		EVENTUALLY(one.try_sh("ip link show nic0 | grep -q 'state UP'"));
	}
}

namespace {

// "ip4/udp" of "IP/udp", and so on.
std::string layers(const std::string &text, bool v6)
{
	std::string result = text;
	for (size_t at; (at = result.find("IP")) != std::string::npos;)
		result.replace(at, 2, v6 ? "ip6" : "ip4");
	return result;
}

/// A device where packets look the same both ways.
void hop(Path &path, const std::string &host, const std::string &device,
	 const std::string &chain = "IP/homa")
{
	path.hops.push_back({host, device, layers(chain, path.v6), layers(chain, path.v6)});
}

std::string address(bool v6, unsigned network, const std::string &number)
{
	std::string net = std::to_string(network);
	return v6 ? "fd00:" + net + "::" + number : "10." + net + ".0." + number;
}

/// Gives a device its address in a network, and returns that.
std::string give(Path &path, const std::string &host, const std::string &device, bool v6,
		 unsigned network, const std::string &number)
{
	std::string own = address(v6, network, number);
	path.ip(host,
		"addr add " + own + (v6 ? "/64" : "/24") + " dev " + device + (v6 ? " nodad" : ""));
	return own;
}

constexpr unsigned outer = 9;

/// The addresses that the hosts speak with.
void speak(Path &path, const std::string &device, unsigned network = outer)
{
	path.seen = give(path, "a", device, path.v6, network, "1");
	path.to = give(path, "b", device, path.v6, network, "2");
}

void veth(Path &path)
{
	path.link("a", "eth0", "b", "eth0");
	speak(path, "eth0");
	for (const char *host : {"a", "b"})
		hop(path, host, "eth0");
}

struct Ends {
	std::string a;
	std::string b;
};

/// a and b behind a router r, with @a chain between them.
Ends routed(Path &path, bool v6, const std::string &chain)
{
	path.link("a", "eth0", "r", "to_a");
	path.link("b", "eth0", "r", "to_b");
	Ends ends{give(path, "a", "eth0", v6, 1, "1"), give(path, "b", "eth0", v6, 2, "2")};
	path.sh("r", "echo 1 >/proc/sys/net/ipv4/ip_forward;"
		     "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	std::string flag = v6 ? "-6 " : "";
	path.sh("a",
		"ip " + flag + "route add default via " + give(path, "r", "to_a", v6, 1, "254"));
	path.sh("b",
		"ip " + flag + "route add default via " + give(path, "r", "to_b", v6, 2, "254"));
	hop(path, "a", "eth0", chain);
	hop(path, "r", "to_a", chain);
	hop(path, "r", "to_b", chain);
	hop(path, "b", "eth0", chain);
	return ends;
}

void router(Path &path)
{
	Ends ends = routed(path, path.v6, "IP/homa");
	path.seen = ends.a;
	path.to = ends.b;
}

void vlans(Path &path, const std::vector<std::string> &tags, const std::string &chain)
{
	path.link("a", "eth0", "b", "eth0");
	for (const char *host : {"a", "b"}) {
		std::string below = "eth0";
		std::string inside = chain;
		for (const std::string &tag : tags) {
			hop(path, host, below, inside);
			std::string own = "tagged" + std::to_string(&tag - tags.data());
			path.ip(host, "link add link " + below + " name " + own + " type vlan " +
					      tag + "\nlink set " + own + " up");
			below = own;
			inside = inside.substr(inside.find('/') + 1);
		}
		hop(path, host, below, inside);
	}
	speak(path, "tagged" + std::to_string(tags.size() - 1));
}

void vlan(Path &path)
{
	vlans(path, {"id 5"}, "vlan/IP/homa");
}

void qinq(Path &path)
{
	vlans(path, {"proto 802.1ad id 10", "proto 802.1q id 20"}, "vlan/vlan/IP/homa");
	// A device forgives one tag, not two.
	for (const char *host : {"a", "b"})
		path.ip(host, "link set tagged1 mtu 1496");
}

/// a's device is one of those on a port of a switch.
void on_port(Path &path, const std::string &type)
{
	path.link("sw", "port", "b", "eth0");
	path.ip("sw", "link add link port name own type " + type + "\nlink set own netns " +
			      path.host("a").path() + " name eth0");
	path.ip("a", "link set eth0 up");
	speak(path, "eth0");
	hop(path, "a", "eth0");
	path.hops.back().segments = hops::Hop::always;
	hop(path, "sw", "port");
	hop(path, "b", "eth0");
}

void macvlan(Path &path)
{
	on_port(path, "macvlan mode bridge");
}

void ipvlan(Path &path)
{
	on_port(path, "ipvlan mode l2");
}

/// A switch that tracks connections, and lets through what is none of a bad one.
void bridge(Path &path)
{
	path.ip("sw", "link add br0 type bridge\nlink set br0 up");
	path.link("a", "eth0", "sw", "to_a");
	path.link("b", "eth0", "sw", "to_b");
	path.ip("sw", "link set to_a master br0\nlink set to_b master br0");
	path.sh("sw",
		"nft 'add table bridge f;"
		"add chain bridge f forward { type filter hook forward priority 0 ; };"
		"add rule bridge f forward ct state invalid drop;"
		"add rule bridge f forward meta l4proto 146 ct state new,established accept'");
	speak(path, "eth0");
	hop(path, "a", "eth0");
	hop(path, "sw", "to_a");
	hop(path, "sw", "to_b");
	hop(path, "b", "eth0");
	// What is sent to a group, or to nobody known yet, it hears too.
	hop(path, "sw", "br0", "?IP/homa");
}

/// Packets take turns on two links.
void bond(Path &path)
{
	for (const char *host : {"a", "b"})
		path.ip(host, "link add bond0 type bond mode balance-rr miimon 100");
	for (const char *device : {"eth0", "eth1"}) {
		path.link("a", device, "b", device);
		for (const char *host : {"a", "b"}) {
			path.ip(host, std::string("link set ") + device + " down\nlink set " +
					      device + " master bond0");
			hop(path, host, device);
		}
	}
	for (const char *host : {"a", "b"}) {
		path.ip(host, "link set bond0 up");
		hop(path, host, "bond0");
	}
	speak(path, "bond0");
}

void tunnel(Path &path, bool v6, const std::string &type, const std::string &more,
	    const std::string &chain)
{
	Ends ends = routed(path, v6, chain);
	bool both = type != "geneve";
	const auto make = [&](const char *host, const std::string &local,
			      const std::string &remote) {
		path.ip(host, "link add inner type " + type + (both ? " local " + local : "") +
				      " remote " + remote + " " + more + "\nlink set inner up");
		hop(path, host, "inner");
	};
	make("a", ends.a, ends.b);
	make("b", ends.b, ends.a);
	speak(path, "inner");
}

void vxlan(Path &path)
{
	tunnel(path, path.v6, "vxlan", "id 7 dstport 4789 dev eth0 udpcsum",
	       "IP/udp/vxlan/eth/IP/homa");
}

void geneve(Path &path)
{
	tunnel(path, path.v6, "geneve", "id 7 dstport 6081 udpcsum", "IP/udp/geneve/eth/IP/homa");
}

void gre(Path &path)
{
	tunnel(path, path.v6, path.v6 ? "ip6gre" : "gre", "csum", "IP/gre/IP/homa");
}

void ipip(Path &path)
{
	tunnel(path, false, "ipip", "", "ip4/ip4/homa");
}

void sit(Path &path)
{
	tunnel(path, false, "sit", "mode any", "ip4/IP/homa");
}

void ip6tnl(Path &path)
{
	tunnel(path, true, "ip6tnl", "mode any", "ip6/IP/homa");
}

/// What comes out of IPsec comes in at the device once more.
void esp(Path &path, const std::string &mode)
{
	Ends ends = routed(path, path.v6, "IP/esp");
	for (hops::Hop &one : path.hops)
		if (one.device == "eth0")
			one.in += layers(" ?IP/homa", path.v6);
	const std::string key =
		" aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f1011121314 128 ";
	const std::string there = "src " + ends.a + " dst " + ends.b;
	const std::string back = "src " + ends.b + " dst " + ends.a;
	const auto policy = [&](const std::string &flow, const std::string &direction) {
		return "ip xfrm policy add " + flow + " dir " + direction + " tmpl " + flow +
		       " proto esp mode " + mode + ";";
	};
	for (const char *host : {"a", "b"}) {
		bool a = *host == 'a';
		path.sh(host, "ip xfrm state add " + there + " proto esp spi 1 mode " + mode + key +
				      "; ip xfrm state add " + back + " proto esp spi 2 mode " +
				      mode + key + ";" + policy(a ? there : back, "out") +
				      policy(a ? back : there, "in"));
	}
	path.seen = ends.a;
	path.to = ends.b;
	// They are cut before they are encrypted.
	path.segments = false;
}

void esp_transport(Path &path)
{
	esp(path, "transport");
}

void esp_tunnel(Path &path)
{
	esp(path, "tunnel");
}

void wireguard(Path &path)
{
	Ends ends = routed(path, path.v6, "IP/udp/wireguard");
	std::string keys;
	if (!path.host("a").try_sh("for i in 1 2; do k=$(wg genkey); echo $k; echo $k | wg pubkey; "
				   "done",
				   &keys))
		throw test::Failure("wg: " + keys);
	std::istringstream in(keys);
	std::string secret[2];
	std::string open[2];
	in >> secret[0] >> open[0] >> secret[1] >> open[1];
	for (int i : {0, 1}) {
		const char *host = i ? "b" : "a";
		std::string other = i ? ends.a : ends.b;
		if (path.v6)
			other = "[" + other + "]";
		path.sh(host, "key=$(mktemp); echo " + secret[i] +
				      " >$key; ip link add inner type wireguard;"
				      "wg set inner listen-port 51820 private-key $key peer " +
				      open[!i] + " allowed-ips 0.0.0.0/0,::/0 endpoint " + other +
				      ":51820; rm $key; ip link set inner up");
		hop(path, host, "inner");
	}
	speak(path, "inner");
}

/// b sees its router's address.
void masquerade(Path &path)
{
	router(path);
	std::string table = path.v6 ? "ip6 nat" : "ip nat";
	path.sh("r", "nft 'add table " + table + "; add chain " + table +
			     " post { type nat hook postrouting priority 100 ; }; add rule " +
			     table + " post oifname to_b masquerade'");
	path.seen = address(path.v6, 2, "254");
}

/// a calls its router, and gets b.
void dnat(Path &path)
{
	router(path);
	std::string table = path.v6 ? "ip6 nat" : "ip nat";
	path.sh("r", "nft 'add table " + table + "; add chain " + table +
			     " pre { type nat hook prerouting priority -100 ; }; add rule " +
			     table + " pre iifname to_a meta l4proto 146 dnat to " + path.to + "'");
	path.to = address(path.v6, 1, "254");
}

/// Hosts and router have their devices in a VRF each.
void vrf(Path &path)
{
	const char *const ports[][2] = {{"a", "eth0"}, {"b", "eth0"}, {"r", "to_a"}, {"r", "to_b"}};
	for (const char *host : {"a", "b", "r"}) {
		path.ip(host, "link add red type vrf table 10\nlink set red up");
		hop(path, host, "red", "?IP/homa");
	}
	path.link("a", "eth0", "r", "to_a");
	path.link("b", "eth0", "r", "to_b");
	for (const auto &[host, device] : ports) {
		path.ip(host, std::string("link set ") + device + " master red");
		hop(path, host, device);
	}
	path.sh("r", "echo 1 >/proc/sys/net/ipv4/ip_forward;"
		     "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	path.seen = give(path, "a", "eth0", path.v6, 1, "1");
	path.to = give(path, "b", "eth0", path.v6, 2, "2");
	std::string flag = path.v6 ? "-6 " : "";
	path.sh("a", "ip " + flag + "route add table 10 default via " +
			     give(path, "r", "to_a", path.v6, 1, "254"));
	path.sh("b", "ip " + flag + "route add table 10 default via " +
			     give(path, "r", "to_b", path.v6, 2, "254"));
	path.bound = "red";
}

/// The machine's devices of a driver, in order of their names.
std::vector<std::string> cards_of(const std::string &driver)
{
	std::vector<std::string> names;
	std::error_code none;
	for (const auto &entry : std::filesystem::directory_iterator("/sys/class/net")) {
		auto link = std::filesystem::read_symlink(entry.path() / "device/driver", none);
		if (link.filename() == driver)
			names.push_back(entry.path().filename());
	}
	std::ranges::sort(names);
	return names;
}

/// Two cards of the machine, joined outside of it (vm -n): each in one of its hosts.
void two_cards(Path &path, const std::string &driver)
{
	// Those of the case before come back when its hosts are gone.
	if (!test::eventually([&] { return cards_of(driver).size() == 2; }, 5))
		throw test::Skip("needs two cards: selftests/vm/vm -n");
	std::vector<std::string> names = cards_of(driver);
	for (int i : {0, 1}) {
		const char *host = i ? "b" : "a";
		path.card(names[static_cast<size_t>(i)], host, "nic0");
		path.ip(host, "link set nic0 up");
		hop(path, host, "nic0");
		path.hops.back().segments = hops::Hop::never;
	}
	path.segments = false;
	path.cards = true;
	speak(path, "nic0");
}

void e1000e(Path &path)
{
	two_cards(path, "e1000e");
}

void virtio_net(Path &path)
{
	two_cards(path, "virtio_net");
}

void vmxnet3(Path &path)
{
	two_cards(path, "vmxnet3");
}

} // namespace

const std::vector<Kind> &kinds()
{
	static const std::vector<Kind> all = {
		// Name, modules, IPv4, IPv6, tunnel.
		{"veth", "veth", true, true, false, veth},
		{"router", "veth", true, true, false, router},
		{"vlan", "8021q", true, true, false, vlan},
		{"qinq", "8021q", true, true, false, qinq},
		{"macvlan", "macvlan", true, true, false, macvlan},
		{"ipvlan", "ipvlan", true, true, false, ipvlan},
		{"bridge", "bridge nf_tables nf_conntrack_bridge nft_ct", true, true, false,
		 bridge},
		{"bond", "bonding", true, true, false, bond},
		{"vxlan", "vxlan", true, true, true, vxlan},
		{"geneve", "geneve", true, true, true, geneve},
		{"gre", "ip_gre ip6_gre", true, true, true, gre},
		// Its packets are IPv4's in IPv4's.
		{"ipip", "ipip", true, false, true, ipip},
		{"sit", "sit", true, true, true, sit},
		{"ip6tnl", "ip6_tunnel", true, true, true, ip6tnl},
		{"esp_transport", "esp4 esp6 xfrm_user", true, true, false, esp_transport},
		{"esp_tunnel", "esp4 esp6 xfrm_user", true, true, false, esp_tunnel},
		{"wireguard", "wireguard", true, true, true, wireguard},
		{"masquerade", "nf_tables nft_masq nft_chain_nat nf_nat", true, true, false,
		 masquerade},
		{"dnat", "nf_tables nft_nat nft_chain_nat nf_nat", true, true, false, dnat},
		{"vrf", "vrf", true, true, false, vrf},
		{"e1000e", "e1000e", true, true, false, e1000e},
		{"virtio_net", "virtio_net", true, true, false, virtio_net},
		{"vmxnet3", "vmxnet3", true, true, false, vmxnet3},
	};
	return all;
}

} // namespace paths
