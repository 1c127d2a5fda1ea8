// SPDX-License-Identifier: Apache-2.0
// Short and long messages over every kind of path (lib/paths.cpp), in the clear and
// encrypted, with devices that segment and merge, with such that do not, and with tunnels
// over such, while each device is watched (lib/hops.cpp). Cases are
// PATH_FAMILY_OFFLOADS_MODE; those that run have all pairs of these in them, all run with
// $SDP_TEST_ALL, each does when it is named.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <net/ethernet.h>
#include <poll.h>
#include <set>

#include "lib/hops.hpp"
#include "lib/packet.hpp"
#include "lib/paths.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"

namespace {

constexpr uint16_t server_port = 4000;
constexpr size_t brief = 100;
constexpr size_t large = 300000;
constexpr unsigned limit = 100;

struct Combination {
	size_t kind = 0;
	bool v6 = false;
	hops::Offloads offloads = hops::Offloads::off;
	bool secure = false;

	[[nodiscard]] std::array<size_t, 4> factors() const
	{
		return {kind, v6, static_cast<size_t>(offloads), secure};
	}
	[[nodiscard]] std::string name() const
	{
		return std::string(paths::kinds()[kind].name) + (v6 ? "_v6" : "_v4") +
		       (offloads == hops::Offloads::on    ? "_offloads_on"
			: offloads == hops::Offloads::off ? "_offloads_off"
							  : "_offloads_mixed") +
		       (secure ? "_secure" : "_clear");
	}
};

/// All that can be.
std::vector<Combination> combinations()
{
	std::vector<Combination> all;
	for (size_t kind = 0; kind < paths::kinds().size(); kind++)
		for (hops::Offloads offloads :
		     {hops::Offloads::on, hops::Offloads::off, hops::Offloads::mixed})
			for (unsigned rest = 0; rest < 4; rest++) {
				const paths::Kind &what = paths::kinds()[kind];
				Combination one{kind, (rest & 2) != 0, offloads, (rest & 1) != 0};
				if ((one.v6 ? what.v6 : what.v4) &&
				    (what.tunnel || offloads != hops::Offloads::mixed))
					all.push_back(one);
			}
	return all;
}

/// Which factor has which value, beside which other that has which.
using Pair = std::array<size_t, 4>;

std::vector<Pair> pairs(const Combination &one)
{
	std::vector<Pair> result;
	const auto factors = one.factors();
	for (size_t i = 0; i < factors.size(); i++)
		for (size_t j = i + 1; j < factors.size(); j++)
			result.push_back({i, factors[i], j, factors[j]});
	return result;
}

std::set<Pair> pairs(const std::vector<Combination> &some)
{
	std::set<Pair> result;
	for (const Combination &one : some)
		for (const Pair &pair : pairs(one))
			result.insert(pair);
	return result;
}

/// Few of them in which all pairs are: again and again the one with most new pairs.
std::vector<Combination> cover(const std::vector<Combination> &all)
{
	std::set<Pair> left = pairs(all);
	std::vector<Combination> chosen;
	while (!left.empty()) {
		const Combination *best = nullptr;
		size_t most = 0;
		for (const Combination &one : all) {
			size_t count = 0;
			for (const Pair &pair : pairs(one))
				count += left.count(pair);
			if (count > most) {
				most = count;
				best = &one;
			}
		}
		for (const Pair &pair : pairs(*best))
			left.erase(pair);
		chosen.push_back(*best);
	}
	return chosen;
}

bool chosen(const Combination &one)
{
	static const std::vector<Combination> some = cover(combinations());
	return getenv("SDP_TEST_ALL") || std::ranges::any_of(some, [&](const Combination &other) {
		       return other.factors() == one.factors();
	       });
}

/// What the kernel counts of IP, and of what carries it, that went wrong at a host.
std::map<std::string, uint64_t> troubles(const net::Netns &ns)
{
	std::map<std::string, uint64_t> result;
	const auto add = [&](const std::string &name, uint64_t value) {
		for (const char *part : {"Error", "Unreach", "Frag", "Reasm", "NoPorts", "Discards",
					 "Csum", "UnknownProtos", "Xfrm"})
			if (name.find(part) != std::string::npos)
				result[name] += value;
	};
	std::string titles;
	std::string values;
	for (const char *file : {"snmp", "netstat"}) {
		std::istringstream in(ns.read(std::string("/proc/thread-self/net/") + file));
		while (std::getline(in, titles) && std::getline(in, values)) {
			std::istringstream names(titles);
			std::istringstream numbers(values);
			std::string group;
			std::string name;
			long long value = 0;
			names >> group;
			numbers >> name;
			while (names >> name && numbers >> value)
				add(group + name, static_cast<uint64_t>(value));
		}
	}
	for (const char *file : {"snmp6", "xfrm_stat"}) {
		std::string path = std::string("/proc/thread-self/net/") + file;
		if (access(path.c_str(), R_OK) != 0)
			continue;
		std::istringstream in(ns.read(path));
		std::string name;
		uint64_t value = 0;
		while (in >> name >> value)
			add(name, value);
	}
	return result;
}

/// What devices could not take or send. QEMU's e1000e counts a short frame as an error, which
/// it fills up itself.
std::map<std::string, uint64_t> device_errors(const net::Netns &ns, bool counts_short)
{
	std::map<std::string, uint64_t> result;
	std::istringstream in(ns.read("/proc/thread-self/net/dev"));
	std::string line;
	while (std::getline(in, line)) {
		size_t colon = line.find(':');
		if (colon == std::string::npos)
			continue;
		std::istringstream numbers(line.substr(colon + 1));
		uint64_t column[16] = {};
		for (uint64_t &value : column)
			numbers >> value;
		size_t start = line.find_first_not_of(' ');
		std::string name = line.substr(start, colon - start);
		if (name != "nic0" || !counts_short)
			result[name + " rx errors"] = column[2] + column[4] + column[5];
		result[name + " rx drops"] = column[3];
		result[name + " tx errors"] = column[10] + column[12] + column[14];
		result[name + " tx drops"] = column[11];
	}
	return result;
}

/// All that is to stay as it is while the hosts talk.
class Books {
public:
	Books(const paths::Path &path, bool counts_short)
		: path_(path), counts_short_(counts_short), before_(read())
	{
	}

	[[nodiscard]] std::string moved() const
	{
		std::string text;
		for (const auto &[name, value] : read()) {
			auto was = before_.find(name);
			if (was != before_.end() && was->second != value)
				text += name + " +" + std::to_string(value - was->second) + "\n";
		}
		return text;
	}

private:
	[[nodiscard]] std::map<std::string, uint64_t> read() const
	{
		std::map<std::string, uint64_t> all;
		for (const auto &[host, ns] : path_.hosts()) {
			for (const auto &[name, value] : troubles(ns))
				all[host + ": " + name] = value;
			for (const auto &[name, value] : device_errors(ns, counts_short_))
				all[host + ": " + name] = value;
			for (const auto &[name, value] : proc::Counters::read(ns))
				if (name.starts_with("drop_") || name.starts_with("bad_") ||
				    name == "tx_errors" || name == "icmp_errors" ||
				    name == "rpcs_failed")
					all[host + ": " + name] = value;
		}
		return all;
	}

	const paths::Path &path_;
	bool counts_short_;
	std::map<std::string, uint64_t> before_;
};

void bind_to_device(const PlainSocket &socket, const std::string &device)
{
	if (!device.empty())
		OK(setsockopt(socket.fd(), SOL_SOCKET, SO_BINDTODEVICE, device.c_str(),
			      static_cast<socklen_t>(device.size())));
}

void exchange(const PlainSocket &client, const PlainSocket &server, const paths::Path &path,
	      size_t there, size_t back)
{
	client.request(net::Address::of(path.to, server_port), hops::marked(there, there), there);
	PlainMessage request = server.expect();
	EQ(request.from, net::Address::of(path.seen, client.port()));
	EQ(request.result, there);
	EQ(hops::marked_error(request.bytes, there), "");
	server.reply(request, hops::marked(back, back + 1));
	PlainMessage response = client.expect();
	EQ(response.rpc->cookie, there);
	EQ(response.result, back);
	EQ(hops::marked_error(response.bytes, back + 1), "");
}

void settings(const net::Netns &ns)
{
	// What is asked for again is lost: no machine is so slow.
	CHECK(ns.sysctl("resend_us", "30000000"));
	// A card of known speed would be given packet after packet, and no segment to cut.
	CHECK(ns.sysctl("pace_ns", "0"));
}

void run(const Combination &what)
{
	const paths::Kind &kind = paths::kinds()[what.kind];
	if (system((std::string("modprobe -a ") + kind.modules + " 2>/dev/null").c_str()) != 0)
		throw test::Skip(std::string("no ") + kind.modules);
	paths::Path path(what.v6);
	kind.build(path);
	path.make(what.offloads);
	for (const char *host : {"a", "b"})
		settings(path.host(host));

	const int domain = what.v6 ? AF_INET6 : AF_INET;
	PlainSocket client(path.host("a"), domain);
	PlainSocket server(path.host("b"), domain, server_port);
	bind_to_device(client, path.bound);
	bind_to_device(server, path.bound);
	if (what.secure)
		session::join(client.fd(), net::Address::of(path.seen, client.port()), server.fd(),
			      net::Address::of(path.to, server_port));

	hops::Judge judge(path.hosts(), path.hops, {what.secure, what.offloads});
	Books books(path, std::string_view(kind.name) == "e1000e");
	proc::Counters at_a(path.host("a"));
	proc::Counters at_b(path.host("b"));
	for (const auto &[there, back] : {std::pair{brief, large}, {large, brief}}) {
		try {
			exchange(client, server, path, there, back);
		} catch (...) {
			judge.look();
			test::note(judge.verdict() + books.moved());
			throw;
		}
		judge.look();
	}
	// What follows a message is looked at, too.
	CHECK(!client.ready(POLLIN, 100) && !server.ready(POLLIN, 100));
	judge.look();
	EQ(at_b.moved("requests_delivered"), 2);
	EQ(at_a.moved("responses_delivered"), 2);
	EQ(judge.verdict(), "");
	EQ(books.moved(), "");
	// At first contact in the clear the client shows that it has its address.
	EQ(at_a.moved("tx_retransmits"), what.secure ? 0 : 1);
	EQ(at_b.moved("tx_retransmits"), 0);
	if (path.segments)
		EQ(judge.segments(), what.offloads != hops::Offloads::off);
}

} // namespace

SETUP
{
	// Hosts without the tunnels that each kind of them would make there by itself.
	CHECK(system("echo 2 >/proc/sys/net/core/fb_tunnels_only_for_init_net") == 0);
}

namespace {

std::deque<test::Case> cases()
{
	static std::deque<std::string> names;
	std::deque<test::Case> all;
	for (const Combination &one : combinations())
		all.emplace_back(
			names.emplace_back(one.name()).c_str(), [one] { run(one); }, limit,
			!chosen(one));
	return all;
}

const std::deque<test::Case> every_combination = cases();

} // namespace

TEST(all_pairs_are_in_what_runs)
{
	const std::vector<Combination> all = combinations();
	const std::vector<Combination> some = cover(all);
	// Each kind of path with each of six values, some with a seventh, but for what it
	// cannot carry; and these with each other.
	size_t tunnels = 0;
	for (const paths::Kind &kind : paths::kinds())
		tunnels += kind.tunnel;
	EQ(pairs(all).size(), 6 * paths::kinds().size() + tunnels - 1 + 16);
	CHECK(pairs(some) == pairs(all));
	EQ(pairs({some[0]}).size(), 6);
	test::note(std::to_string(some.size()) + " of " + std::to_string(all.size()));
	CHECK(some.size() <= 2 * paths::kinds().size() + tunnels + 4);
}

namespace {

frames::Told told_of(const Bytes &bytes)
{
	frames::Frame frame;
	frame.bytes = bytes;
	frame.ethernet = false;
	return frames::look(frame);
}

/// DATA in a UDP datagram of a tunnel, in IPv4, with all sums right.
Bytes tunnelled()
{
	const net::Address a = net::Address::of("10.1.0.1", 0);
	const net::Address b = net::Address::of("10.2.0.2", 0);
	const net::Address inner_a = net::Address::of("fd00:9::1", 0);
	const net::Address inner_b = net::Address::of("fd00:9::2", 0);
	Bytes udp;
	put(udp, 50000, 2);
	put(udp, 4789, 2);
	put(udp, 0, 4);
	put(udp, 0x08000000, 4);
	put(udp, 0x00000700, 4);
	put(udp, 0, 12);
	put(udp, ETH_P_IPV6, 2);
	const Bytes inner = packet::ip(inner_a, inner_b,
				       packet::make_message({1000, server_port, 2}, pattern(201)));
	udp.insert(udp.end(), inner.begin(), inner.end());
	set(udp, 4, udp.size(), 2);
	uint64_t sum = IPPROTO_UDP + udp.size() + 0x0a01 + 0x0001 + 0x0a02 + 0x0002;
	for (size_t i = 0; i < udp.size(); i += 2)
		sum += get(udp, i, 2);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	set(udp, 6, ~sum & 0xffff, 2);
	return packet::ip(a, b, udp, IPPROTO_UDP);
}

} // namespace

TEST(what_is_wrong_with_a_frame_is_seen)
{
	constexpr size_t udp = 20;
	constexpr size_t inner = udp + 8 + 8 + 14;
	constexpr size_t homa = inner + 40;
	const Bytes good = tunnelled();
	EQ(told_of(good).chain, "ip4/udp/vxlan/eth/ip6/homa");
	EQ(told_of(good).wrong.size(), 0);
	EQ(told_of(good).length, good.size());
	struct {
		size_t at;
		const char *wrong;
	} const changes[] = {
		{8, "ip4: bad checksum of the header"},
		{3, "ip4: 1 bytes too many"},
		{udp + 5, "ip4/udp: length"},
		{udp + 7, "ip4/udp: bad checksum"},
		{good.size() - 1, "ip4/udp: bad checksum"},
		{inner + 5, "ip4/udp/vxlan/eth/ip6: 1 bytes too many"},
		{homa + 13, "ip4/udp/vxlan/eth/ip6/homa: flags"},
		{homa + 16, "ip4/udp/vxlan/eth/ip6/homa: something in window or checksum"},
		{homa + 6, "ip4/udp/vxlan/eth/ip6/homa: payload beyond the message's end"},
	};
	for (const auto &change : changes) {
		Bytes bad = good;
		// Of lengths one less, of what is zero one more.
		bad[change.at] = static_cast<uint8_t>(bad[change.at] ? bad[change.at] - 1 : 1);
		const std::vector<std::string> wrong = told_of(bad).wrong;
		const bool seen = std::ranges::any_of(wrong, [&](const std::string &text) {
			return text.starts_with(change.wrong);
		});
		if (!seen)
			throw test::Failure(std::string("not seen: ") + change.wrong);
	}
	Bytes fragment = good;
	set(fragment, 6, 0x2000, 2);
	set(fragment, 10, get(fragment, 10, 2) + 0x2000, 2);
	EQ(told_of(fragment).chain, "ip4/fragment");
	EQ(told_of(fragment).wrong.size(), 0);
}

// Clear messages over a cable, to those who expect others.
TEST_LIMIT(what_does_not_belong_there_is_seen, limit)
{
	paths::Path path(false);
	paths::kinds()[0].build(path);
	path.make(hops::Offloads::on);
	std::vector<hops::Hop> esp = path.hops;
	esp[0].out = esp[1].in = "ip4/esp";
	std::vector<hops::Hop> no_segments = path.hops;
	no_segments[0].segments = hops::Hop::never;
	hops::Judge secure(path.hosts(), path.hops, {true, hops::Offloads::on});
	hops::Judge off(path.hosts(), path.hops, {false, hops::Offloads::off});
	hops::Judge encrypted(path.hosts(), esp, {false, hops::Offloads::on});
	hops::Judge card(path.hosts(), no_segments, {false, hops::Offloads::on});
	hops::Judge right(path.hosts(), path.hops, {false, hops::Offloads::on});
	PlainSocket client(path.host("a"), AF_INET);
	PlainSocket server(path.host("b"), AF_INET, server_port);
	exchange(client, server, path, large, brief);
	for (hops::Judge *judge : {&secure, &off, &encrypted, &card, &right})
		judge->look();
	const auto says = [](const hops::Judge &judge, const std::string &text) {
		if (judge.verdict().find(text) == std::string::npos)
			throw test::Failure("not seen: " + text + ", but " + judge.verdict());
	};
	says(secure, "a:eth0 out: payload in the clear");
	says(secure, "b:eth0 in: type 16");
	says(off, "a:eth0 out: a segment, or merged");
	says(encrypted, "a:eth0 out: foreign: ip4/homa");
	says(encrypted, "b:eth0 in: never seen: ip4/esp");
	says(card, "a:eth0 out: a segment, or merged");
	EQ(right.verdict(), "");
}
