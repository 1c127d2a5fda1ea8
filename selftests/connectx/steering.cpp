// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/steering.hpp"

#include <algorithm>
#include <cstring>

namespace cx {

namespace {

#define OUTER(field) FIELD(fte_match_param, outer_headers.field)

constexpr uint16_t ipv4_type = 0x0800, ipv6_type = 0x86dd, vlan_type = 0x8100,
		   provider_vlan_type = 0x88a8;
constexpr uint8_t tcp = 6, udp = 17;

// Every field that match_of() fills.
const std::vector<Field> &matched_fields()
{
	static const std::vector<Field> fields = {
		OUTER(smac_47_16),
		OUTER(smac_15_0),
		OUTER(ethertype),
		OUTER(dmac_47_16),
		OUTER(dmac_15_0),
		OUTER(first_prio),
		OUTER(first_cfi),
		OUTER(first_vid),
		OUTER(ip_protocol),
		OUTER(ip_dscp),
		OUTER(ip_ecn),
		OUTER(cvlan_tag),
		OUTER(svlan_tag),
		OUTER(frag),
		OUTER(ip_version),
		OUTER(tcp_flags),
		OUTER(tcp_sport),
		OUTER(tcp_dport),
		OUTER(udp_sport),
		OUTER(udp_dport),
		OUTER(ttl_hoplimit),
		OUTER(src_ipv4_src_ipv6),
		OUTER(dst_ipv4_dst_ipv6),
	};
	return fields;
}

size_t byte_of(Field field)
{
	return field.at / 8;
}

void match_addresses(Match &match, View frame, const Layers &at)
{
	const bool v6 = at.ethertype == ipv6_type;
	const size_t length = v6 ? 16 : 4, source = at.l3 + (v6 ? 8 : 12);
	if (source + 2 * length > frame.size())
		return;
	// IPv4 addresses are the last four of sixteen bytes.
	std::copy_n(&frame[source], length,
		    &match[byte_of(OUTER(src_ipv4_src_ipv6)) + 16 - length]);
	std::copy_n(&frame[source + length], length,
		    &match[byte_of(OUTER(dst_ipv4_dst_ipv6)) + 16 - length]);
}

void match_ip(Match &match, View frame, const Layers &at)
{
	const bool v6 = at.ethertype == ipv6_type;
	const auto first = be16(&frame[at.l3]);
	const auto traffic_class = v6 ? first >> 4 & 0xff : first & 0xff;
	set_field(match, OUTER(ip_version), first >> 12);
	set_field(match, OUTER(ip_protocol), at.protocol);
	set_field(match, OUTER(ip_dscp), static_cast<uint64_t>(traffic_class >> 2));
	set_field(match, OUTER(ip_ecn), static_cast<uint64_t>(traffic_class & 3));
	set_field(match, OUTER(frag), at.fragment ? 1 : 0);
	set_field(match, OUTER(ttl_hoplimit), frame[at.l3 + (v6 ? 7 : 8)]);
	match_addresses(match, frame, at);
	if (at.fragment || at.l4 == 0 || at.l4 + 4 > frame.size())
		return;
	if (at.protocol == tcp) {
		set_field(match, OUTER(tcp_sport), be16(&frame[at.l4]));
		set_field(match, OUTER(tcp_dport), be16(&frame[at.l4 + 2]));
		if (at.l4 + 14 <= frame.size())
			set_field(match, OUTER(tcp_flags), be16(&frame[at.l4 + 12]) & 0x1ff);
	} else if (at.protocol == udp) {
		set_field(match, OUTER(udp_sport), be16(&frame[at.l4]));
		set_field(match, OUTER(udp_dport), be16(&frame[at.l4 + 2]));
	}
}

} // namespace

Match match_of(View frame)
{
	Match match{};
	if (frame.size() < 14)
		return match;
	set_field(match, OUTER(dmac_47_16), be32(&frame[0]));
	set_field(match, OUTER(dmac_15_0), be16(&frame[4]));
	set_field(match, OUTER(smac_47_16), be32(&frame[6]));
	set_field(match, OUTER(smac_15_0), be16(&frame[10]));
	const auto type = be16(&frame[12]);
	const auto at = layers(frame);
	if ((type == vlan_type || type == provider_vlan_type) && frame.size() >= 18) {
		const auto tag = be16(&frame[14]);
		set_field(match, type == vlan_type ? OUTER(cvlan_tag) : OUTER(svlan_tag), 1);
		set_field(match, OUTER(first_prio), static_cast<uint64_t>(tag >> 13));
		set_field(match, OUTER(first_cfi), tag >> 12 & 1);
		set_field(match, OUTER(first_vid), tag & 0xfff);
	}
	set_field(match, OUTER(ethertype), at.ethertype);
	const size_t header = at.ethertype == ipv6_type ? 40 : 20;
	if ((at.ethertype == ipv4_type || at.ethertype == ipv6_type) && at.l3 != 0 &&
	    at.l3 + header <= frame.size())
		match_ip(match, frame, at);
	return match;
}

std::string Steering::unsupported(const Match &mask)
{
	static const Match all = [] {
		Match bits{};
		for (const auto field : matched_fields())
			for (size_t i = field.at; i < field.at + field.width; i++)
				bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | 0x80 >> i % 8);
		return bits;
	}();
	for (size_t i = 0; i < mask.size(); i++)
		if (mask[i] & ~all[i])
			return "a match of the bits " + hex(mask[i]) + " at byte " + hex(i);
	return {};
}

const FlowEntry *Steering::find(const FlowTable &table, const Match &frame) const
{
	// The lowest index that matches, as a device that searches in order would.
	const FlowEntry *best = nullptr;
	uint32_t best_index = UINT32_MAX;
	for (const auto &[number, group] : table.groups)
		for (const auto &[index, entry] : group.entries) {
			bool equal = index < best_index;
			for (size_t i = 0; equal && i < match_bytes; i++)
				equal = ((frame[i] ^ entry.value[i]) & group.mask[i]) == 0;
			if (equal) {
				best = &entry;
				best_index = index;
			}
		}
	return best;
}

void Steering::follow(uint32_t table, const Match &frame, unsigned depth, std::vector<uint32_t> &to)
{
	const auto found = tables.find(table);
	if (found == tables.end() || depth > 64) {
		report_.misuse("flow tables",
			       found == tables.end()
				       ? "a way leads to " + hex(table) + ", which is none"
				       : "a way without end");
		return;
	}
	const auto *entry = find(found->second, frame);
	if (!entry) {
		if (found->second.on_miss)
			follow(found->second.on_miss, frame, depth + 1, to);
		return;
	}
	if (entry->drop)
		return;
	for (const auto &destination : entry->to)
		if (destination.to == FlowDestination::To::table)
			follow(destination.number, frame, depth + 1, to);
		else if (std::find(to.begin(), to.end(), destination.number) == to.end())
			to.push_back(destination.number);
}

std::vector<uint32_t> Steering::receivers(View frame)
{
	std::vector<uint32_t> to;
	if (root)
		follow(root, match_of(frame), 0, to);
	return to;
}

void Steering::clear()
{
	tables.clear();
	root = 0;
}

uint32_t toeplitz(View key, View input)
{
	uint32_t window = be32(&key[0]), hash = 0;
	size_t next = 32;
	for (const auto byte : input)
		for (int bit = 7; bit >= 0; bit--, next++) {
			if (byte >> bit & 1)
				hash ^= window;
			window = window << 1 | (key[next / 8] >> (7 - next % 8) & 1U);
		}
	return hash;
}

std::optional<uint32_t> flow_hash(const Tir &tir, View frame)
{
	const auto at = layers(frame);
	const bool v6 = at.ethertype == ipv6_type;
	if ((!v6 && at.ethertype != ipv4_type) || v6 != tir.ipv6)
		return {};
	const size_t length = v6 ? 16 : 4, source = at.l3 + (v6 ? 8 : 12);
	if (source + 2 * length > frame.size())
		return {};
	Bytes input;
	const auto add = [&](size_t from, size_t bytes) {
		const auto part = frame.subspan(from, bytes);
		input.insert(input.end(), part.begin(), part.end());
	};
	if (tir.fields & 1)
		add(source, length);
	if (tir.fields & 2)
		add(source + length, length);
	if (tir.fields & 12) {
		if (at.fragment || at.protocol != (tir.udp ? udp : tcp) || at.l4 + 4 > frame.size())
			return {};
		if (tir.fields & 4)
			add(at.l4, 2);
		if (tir.fields & 8)
			add(at.l4 + 2, 2);
	}
	if (tir.fields & 16) {
		// IPsec's SPI
		const size_t spi = at.l4 + (at.protocol == 51 ? 4 : 0);
		if (at.fragment || (at.protocol != 50 && at.protocol != 51) ||
		    spi + 4 > frame.size())
			return {};
		add(spi, 4);
	}
	if (input.empty())
		return {};
	if (tir.toeplitz)
		return toeplitz(tir.key, input);
	uint32_t sum = 0;
	for (size_t i = 0; i < input.size(); i++)
		sum ^= static_cast<uint32_t>(input[i]) << 8 * (i % 4);
	return sum;
}

} // namespace cx
