// SPDX-License-Identifier: Apache-2.0
// analyse clear|secure CAPTURE TREE BYTES NAME
//
// Proves from a capture what crossed a link while files of TREE, BYTES in all,
// were fetched. In a secure capture
//   - every packet is one of SDP, or of the handshake over UDP, or ARP or ICMPv6 that
//     keep the link going;
//   - no SDP packet is a clear one;
//   - encrypted DATA makes up at least BYTES;
//   - none of many fragments of 16 bytes of the files is found at any offset.
// In a clear capture the same fragments have to be found: the search works.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using bytes = std::span<const unsigned char>;

constexpr std::size_t fragment_length = 16;
constexpr std::size_t fragments_per_file = 32;
constexpr std::uint8_t homa = 146;
constexpr std::uint8_t icmp = 1;
constexpr std::uint8_t udp = 17;
constexpr std::uint8_t secure_bit = 0x40;
constexpr std::uint8_t type_data = 0x10;
constexpr std::size_t clear_header = 56;
constexpr std::size_t secure_header = 60;
constexpr std::string_view handshake = "SDP-TLS";
constexpr std::size_t longest_handshake = 1200;
constexpr std::size_t udp_header = 8;

std::uint64_t big_endian(bytes from, std::size_t at, std::size_t length)
{
	std::uint64_t value = 0;
	for (const unsigned char each : from.subspan(at, length)) {
		value = value << 8 | each;
	}
	return value;
}

std::vector<unsigned char> read_file(const std::filesystem::path &path)
{
	std::ifstream in(path, std::ios::binary);
	std::vector<unsigned char> all(std::filesystem::file_size(path));
	in.read(reinterpret_cast<char *>(all.data()), static_cast<std::streamsize>(all.size()));
	if (!in) {
		throw std::runtime_error("cannot read " + path.string());
	}
	return all;
}

/** Fragments of files, found by their first 8 bytes. */
class fragments {
public:
	void add_tree(const std::filesystem::path &tree)
	{
		for (const auto &each : std::filesystem::recursive_directory_iterator(tree)) {
			if (each.is_regular_file()) {
				add_file(read_file(each.path()));
			}
		}
	}

	[[nodiscard]] std::size_t count() const { return by_start_.size(); }
	[[nodiscard]] std::size_t found() const { return found_.size(); }

	void search(bytes in)
	{
		if (in.size() < fragment_length) {
			return;
		}
		for (std::size_t at = 0; at + fragment_length <= in.size(); ++at) {
			const std::uint64_t start = start_of(&in[at]);
			if (!maybe_.at(slot(start))) {
				continue;
			}
			const auto known = by_start_.find(start);
			if (known != by_start_.end() &&
			    std::equal(known->second.begin(), known->second.end(), &in[at])) {
				found_.insert(start);
			}
		}
	}

private:
	using fragment = std::array<unsigned char, fragment_length>;

	static std::uint64_t start_of(const unsigned char *at)
	{
		std::uint64_t start = 0;
		std::memcpy(&start, at, sizeof(start));
		return start;
	}
	[[nodiscard]] std::size_t slot(std::uint64_t start) const
	{
		return (start * 0x9e3779b97f4a7c15U) >> 40;
	}

	/** Zeros and the like would be found by chance. */
	static bool is_telling(const fragment &what)
	{
		return std::set<unsigned char>(what.begin(), what.end()).size() >= 9;
	}

	void add_file(const std::vector<unsigned char> &content)
	{
		if (content.size() < fragment_length) {
			return;
		}
		const std::size_t last = content.size() - fragment_length;
		for (std::size_t i = 0; i < fragments_per_file; ++i) {
			fragment one{};
			const std::size_t at = last * i / fragments_per_file;
			std::copy_n(&content[at], one.size(), one.begin());
			if (is_telling(one)) {
				const std::uint64_t start = start_of(one.data());
				by_start_.emplace(start, one);
				maybe_.at(slot(start)) = true;
			}
		}
	}

	std::unordered_map<std::uint64_t, fragment> by_start_;
	std::vector<bool> maybe_ = std::vector<bool>(1UL << 24);
	std::set<std::uint64_t> found_;
};

/** What was seen. */
struct summary {
	std::size_t packets = 0;
	std::map<std::string, std::size_t> others; /**< packets that are not SDP's */
	std::size_t secure_packets = 0;
	std::uint64_t secure_bytes = 0;
	std::size_t clear_packets = 0;
	std::uint64_t clear_bytes = 0;
	std::size_t handshake_packets = 0;
};

void look_at_homa(bytes packet, summary &seen)
{
	if (packet.size() < 28) {
		++seen.others["short packet of protocol 146"];
		return;
	}
	const std::uint8_t type = packet[11];
	if ((type & secure_bit) != 0) {
		++seen.secure_packets;
		if (type == (type_data | secure_bit) && packet.size() > secure_header) {
			seen.secure_bytes += packet.size() - secure_header;
		}
		return;
	}
	++seen.clear_packets;
	if (type == type_data && packet.size() >= clear_header) {
		seen.clear_bytes += packet.size() - clear_header;
	}
}

bool is_handshake(bytes packet)
{
	return packet.size() >= udp_header + handshake.size() &&
	       packet.size() <= udp_header + longest_handshake &&
	       std::memcmp(&packet[udp_header], handshake.data(), handshake.size()) == 0;
}

/**
 * An ICMP error about a packet of the handshake: the answer to one that came again when its
 * caller's port was closed already. RFC 792: 8 bytes, then the packet's IP header and what fits.
 */
bool is_refused_handshake(bytes packet)
{
	constexpr std::size_t icmp_header = 8;
	constexpr std::uint8_t unreachable = 3;
	if (packet.size() < icmp_header + 20 || packet[0] != unreachable) {
		return false;
	}
	const bytes quoted = packet.subspan(icmp_header);
	const std::size_t header = (quoted[0] & 15U) * 4U;
	return quoted[9] == udp && header >= 20 && header <= quoted.size() &&
	       is_handshake(quoted.subspan(header));
}

/** What follows an Ethernet header. */
void look_at_ip(std::uint16_t protocol, bytes packet, summary &seen)
{
	if (protocol == 0x0806) {
		++seen.others["ARP"];
		return;
	}
	std::uint8_t next = 0;
	std::size_t header = 40;
	std::size_t length = 0;
	if (protocol == 0x0800 && packet.size() >= 20) {
		header = (packet[0] & 15U) * 4U;
		next = packet[9];
		length = big_endian(packet, 2, 2);
	} else if (protocol == 0x86dd && packet.size() >= header) {
		next = packet[6];
		length = header + big_endian(packet, 4, 2);
	} else {
		++seen.others["protocol unknown"];
		return;
	}
	const bool whole = length <= packet.size() && header <= length;
	const bytes payload = whole ? packet.subspan(header, length - header) : bytes();
	if (next == homa && whole) {
		look_at_homa(payload, seen);
	} else if ((next == udp && is_handshake(payload)) ||
		   (next == icmp && is_refused_handshake(payload))) {
		++seen.handshake_packets;
	} else {
		++seen.others[next == 58 ? "ICMPv6" : "IP protocol " + std::to_string(next)];
	}
}

/** Reads a capture as tcpdump writes it, calling @p each with every packet's bytes. */
template <typename F>
void each_packet(const std::string &path, F each)
{
	constexpr std::uint32_t magic = 0xa1b2c3d4;
	constexpr std::size_t file_header = 24;
	constexpr std::size_t packet_header = 16;
	const std::vector<unsigned char> all = read_file(path);
	const auto number = [&all](std::size_t at) {
		std::uint32_t value = 0;
		std::memcpy(&value, &all.at(at), sizeof(value));
		return value;
	};
	if (all.size() < file_header || number(0) != magic || number(20) != 1) {
		throw std::runtime_error(path + " is no capture of Ethernet");
	}
	for (std::size_t at = file_header; at + packet_header <= all.size();) {
		const std::size_t kept = number(at + 8);
		if (kept != number(at + 12) || kept > all.size() - at - packet_header) {
			throw std::runtime_error(path + ": a packet is cut short");
		}
		each(bytes(all).subspan(at + packet_header, kept));
		at += packet_header + kept;
	}
}

/** Why the capture does not show what it should; empty if it does. */
std::string judge_secure(const summary &seen, const fragments &known, std::uint64_t expected)
{
	for (const auto &[name, count] : seen.others) {
		if (name != "ARP" && name != "ICMPv6") {
			return std::to_string(count) + " packets of " + name;
		}
	}
	if (seen.clear_packets != 0) {
		return std::to_string(seen.clear_packets) + " clear SDP packets";
	}
	if (seen.handshake_packets == 0) {
		return "no handshake";
	}
	if (seen.secure_bytes < expected) {
		return "only " + std::to_string(seen.secure_bytes) + " encrypted bytes";
	}
	return known.found() == 0 ? ""
				  : std::to_string(known.found()) + " fragments of files found";
}

std::string judge_clear(const summary &seen, const fragments &known, std::uint64_t expected)
{
	if (seen.secure_packets != 0 || seen.clear_bytes < expected) {
		return "not a transfer in the clear";
	}
	// Fragments that two packets share, and those that files have in common, are missed.
	return known.found() * 10 >= known.count() * 9
		       ? ""
		       : "only " + std::to_string(known.found()) + " fragments found";
}

void describe(const std::string &name, const summary &seen, const fragments &known)
{
	std::cout << name << ": " << seen.packets << " packets; encrypted " << seen.secure_packets
		  << " (" << seen.secure_bytes << " bytes), clear " << seen.clear_packets
		  << ", of the handshake " << seen.handshake_packets;
	for (const auto &[other, count] : seen.others) {
		std::cout << ", " << count << ' ' << other;
	}
	std::cout << "; " << known.found() << " of " << known.count()
		  << " fragments of the files found\n";
}

int run(const std::vector<std::string> &words)
{
	if (words.size() != 5 || (words[0] != "clear" && words[0] != "secure")) {
		std::cerr << "usage: analyse clear|secure CAPTURE TREE BYTES NAME\n";
		return 2;
	}
	fragments known;
	known.add_tree(words[2]);
	summary seen;
	each_packet(words[1], [&](bytes frame) {
		++seen.packets;
		if (frame.size() >= 14) {
			const auto protocol = static_cast<std::uint16_t>(big_endian(frame, 12, 2));
			look_at_ip(protocol, frame.subspan(14), seen);
		}
		known.search(frame);
	});
	describe(words[4], seen, known);
	const std::uint64_t expected = std::stoull(words[3]);
	const std::string wrong = words[0] == "clear" ? judge_clear(seen, known, expected)
						      : judge_secure(seen, known, expected);
	if (!wrong.empty()) {
		std::cout << words[4] << ": WRONG: " << wrong << '\n';
	}
	return wrong.empty() ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return run({argv + 1, argv + argc});
	} catch (const std::exception &error) {
		std::cerr << "analyse: " << error.what() << '\n';
		return 2;
	}
}
