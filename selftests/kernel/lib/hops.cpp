// SPDX-License-Identifier: Apache-2.0
#include "hops.hpp"

#include <algorithm>
#include <cstring>
#include <net/if.h>
#include <sstream>
#include <sys/ioctl.h>

#include "packet.hpp"
#include "test.hpp"

namespace hops {

const std::string marker = "not for others!!";

namespace {

constexpr size_t stride = 64;

std::string place(const std::string &host, const std::string &device, bool out)
{
	return host + ":" + device + (out ? " out" : " in");
}

std::vector<std::string> words(const std::string &text)
{
	std::istringstream in(text);
	std::vector<std::string> result;
	for (std::string word; in >> word;)
		result.push_back(word);
	return result;
}

// What hosts say about themselves at any time, and bridges, which snoop.
bool noise(const frames::Told &told)
{
	return told.ends_in("arp") || told.ends_in("nd") || told.ends_in("mld") ||
	       told.ends_in("igmp");
}

} // namespace

Bytes marked(size_t length, uint64_t seed)
{
	Bytes bytes = pattern(length, seed);
	for (size_t at = 0; at + marker.size() <= length; at += stride)
		memcpy(&bytes[at], marker.data(), marker.size());
	return bytes;
}

std::string marked_error(View bytes, uint64_t seed)
{
	Bytes expected = marked(bytes.size(), seed);
	auto [got, want] = std::ranges::mismatch(bytes, expected);
	if (got == bytes.end())
		return {};
	return "byte " + std::to_string(got - bytes.begin()) + " of " +
	       std::to_string(bytes.size()) + " differs";
}

bool told_to(Offloads offloads, const std::string &device)
{
	return offloads == Offloads::on || (offloads == Offloads::mixed && device == "inner");
}

Judge::Judge(const std::map<std::string, net::Netns> &hosts, const std::vector<Hop> &hops,
	     Rules rules)
	: hosts_(hosts), hops_(hops), rules_(rules)
{
	for (const auto &[name, ns] : hosts)
		watches_[name] = std::make_unique<Watch>(ns);
}

void Judge::look()
{
	for (auto &[name, watch] : watches_)
		if (watch->look([&](const Watch::Seen &seen) { see(name, seen); }))
			complain(name, "more than could be looked at");
}

const Judge::Device &Judge::device(const std::string &host, int index)
{
	Device &device = devices_[{host, index}];
	if (!device.name.empty())
		return device;
	const net::Netns &ns = hosts_.at(host);
	ifreq request{};
	ns.in([&] { CHECK(if_indextoname(static_cast<unsigned>(index), request.ifr_name)); });
	device.name = request.ifr_name;
	OK(ioctl(ns.socket(AF_INET, SOCK_DGRAM, 0), SIOCGIFMTU, &request));
	device.mtu = static_cast<size_t>(request.ifr_mtu);
	return device;
}

void Judge::complain(const std::string &where, const std::string &what)
{
	complaints_[where + ": " + what]++;
}

bool Judge::known(const Hop &hop, bool out, const std::string &chain) const
{
	return std::ranges::any_of(words(out ? hop.out : hop.in), [&](const std::string &word) {
		return word.substr(word[0] == '?') == chain;
	});
}

// Homa's packets are of the one kind, and show their payload if that is the clear one.
void Judge::content(const std::string &where, const frames::Told &told, View bytes, Count &count)
{
	bool open = std::ranges::search(bytes, marker).begin() != bytes.end();
	count.frames++;
	count.marked += open;
	if (told.ends_in("homa") && rules_.secure != !!(told.type & packet::secure_bit))
		complain(where, "type " + std::to_string(told.type));
	if (open && (rules_.secure || !told.ends_in("homa")))
		complain(where, "payload in the clear");
}

void Judge::see(const std::string &host, const Watch::Seen &seen)
{
	const Device &at = device(host, seen.device);
	std::string where = place(host, at.name, seen.out);
	frames::Told told = frames::look(seen.frame);
	frames_++;
	for (const std::string &what : told.wrong)
		complain(where, what);
	if (noise(told))
		return;
	auto hop = std::ranges::find_if(
		hops_, [&](const Hop &one) { return one.host == host && one.device == at.name; });
	if (hop == hops_.end() || !known(*hop, seen.out, told.chain))
		return complain(where, "foreign: " + told.chain);
	content(where, told, seen.frame.bytes, counts_[where + " " + told.chain]);
	segments_ |= seen.frame.gso_size && hop->segments != Hop::always;
	bool may = hop->segments == Hop::always || told_to(rules_.offloads, at.name);
	if (seen.frame.gso_size && (!may || (hop->segments == Hop::never && seen.out)))
		complain(where, "a segment, or merged");
	// Of a segment that is encrypted nobody can tell.
	if (told.length > at.mtu && (!seen.frame.gso_size || told.ends_in("homa")))
		complain(where, "packets of " + std::to_string(told.length) +
					" bytes, of at most " + std::to_string(at.mtu));
}

void Judge::missing(const Hop &hop, bool out, std::string &text) const
{
	std::string where = place(hop.host, hop.device, out);
	for (const std::string &chain : words(out ? hop.out : hop.in)) {
		if (chain[0] == '?')
			continue;
		auto count = counts_.find(where + " " + chain);
		if (count == counts_.end())
			text += where + ": never seen: " + chain + "\n";
		else if (!rules_.secure && chain.ends_with("homa") && !count->second.marked)
			text += where + ": no payload in the clear: " + chain + "\n";
	}
}

std::string Judge::verdict() const
{
	std::string text;
	for (const auto &[what, count] : complaints_)
		text += what + " (" + std::to_string(count) + ")\n";
	for (const Hop &hop : hops_) {
		missing(hop, true, text);
		missing(hop, false, text);
	}
	return text;
}

} // namespace hops
