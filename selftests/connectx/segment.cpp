// SPDX-License-Identifier: Apache-2.0
#include "segment.hpp"

#include <algorithm>

namespace cx {

namespace {

constexpr size_t ethernet = 14;
constexpr size_t vlan_tag = 4;
constexpr uint16_t ethertype_vlan = 0x8100;
constexpr uint16_t ethertype_qinq = 0x88a8;
constexpr uint16_t ethertype_v4 = 0x0800;
constexpr uint16_t ethertype_v6 = 0x86dd;
constexpr size_t v6_header = 40;
constexpr uint8_t tcp = 6;
constexpr uint8_t udp = 17;
constexpr size_t tcp_header = 20;
constexpr size_t udp_header = 8;

constexpr uint64_t fin = 0x01;
constexpr uint64_t psh = 0x08;
constexpr uint64_t cwr = 0x80;

/// Extension headers of IPv6 that may stand before the transport's.
bool is_extension(uint64_t next)
{
	return next == 0 || next == 43 || next == 60;
}

Layers v4(View frame, Layers out)
{
	if (frame.size() < out.l3 + 20)
		return out;
	const size_t length = 4 * (get(frame, out.l3, 1) & 0xf);
	out.protocol = static_cast<uint8_t>(get(frame, out.l3 + 9, 1));
	out.fragment = (get(frame, out.l3 + 6, 2) & 0x3fff) != 0;
	if (length >= 20 && frame.size() >= out.l3 + length && !out.fragment)
		out.l4 = out.l3 + length;
	return out;
}

Layers v6(View frame, Layers out)
{
	size_t at = out.l3 + v6_header;
	uint64_t next = get(frame, out.l3 + 6, 1);

	if (frame.size() < at)
		return out;
	while (is_extension(next) && frame.size() >= at + 8) {
		next = get(frame, at, 1);
		at += 8 * (get(frame, at + 1, 1) + 1);
	}
	out.protocol = static_cast<uint8_t>(next);
	out.fragment = next == 44;
	if (!out.fragment && at <= frame.size())
		out.l4 = at;
	return out;
}

/// Of the pseudo header, not inverted.
uint32_t pseudo_sum(View frame, const Layers &at, size_t length)
{
	const bool six = at.ethertype == ethertype_v6;
	const size_t addresses = at.l3 + (six ? 8 : 12);
	const uint32_t sum = ones_sum(frame.subspan(addresses, six ? 32 : 8));

	return sum + at.protocol + static_cast<uint32_t>(length & 0xffff) +
	       static_cast<uint32_t>(length >> 16);
}

void l4_checksum(Bytes &frame, const Layers &at, size_t place)
{
	const size_t length = frame.size() - at.l4;

	if (length < place + 2)
		return;
	set(frame, at.l4 + place, 0, 2);
	uint16_t sum = static_cast<uint16_t>(
		~ones_sum(View(frame).subspan(at.l4), pseudo_sum(frame, at, length)));
	if (at.protocol == udp && sum == 0)
		sum = 0xffff;
	set(frame, at.l4 + place, sum, 2);
}

/// Where a transport's checksum is; zero: hardware does not know.
size_t checksum_place(uint8_t protocol, const SegmentOptions &options)
{
	if (protocol == tcp)
		return 16;
	if (protocol == udp)
		return 6;
	return options.unknown_checksum ? 16 : 0;
}

/// How far a packet of a segment is from its first, and whether it is the last.
struct Part {
	size_t index = 0;
	size_t offset = 0;
	bool last = false;
};

void fix_ip(Bytes &frame, const Layers &at, const Part &part, const SegmentOptions &options)
{
	if (at.ethertype == ethertype_v4 && frame.size() >= at.l3 + 20) {
		set(frame, at.l3 + 2, frame.size() - at.l3, 2);
		if (options.ident_counts)
			set(frame, at.l3 + 4, get(frame, at.l3 + 4, 2) + part.index, 2);
	} else if (at.ethertype == ethertype_v6 && frame.size() >= at.l3 + v6_header) {
		set(frame, at.l3 + 4, frame.size() - at.l3 - v6_header, 2);
	}
}

void fix_transport(Bytes &frame, const Layers &at, const Part &part, const SegmentOptions &options)
{
	if (at.l4 == 0)
		return;
	if (at.protocol == tcp && frame.size() >= at.l4 + tcp_header) {
		uint64_t flags = get(frame, at.l4 + 13, 1);
		flags &= part.last ? 0xff : ~(fin | psh);
		flags &= part.index == 0 ? 0xff : ~cwr;
		set(frame, at.l4 + 13, flags, 1);
		set(frame, at.l4 + 4, get(frame, at.l4 + 4, 4) + part.offset, 4);
	} else if (at.protocol == udp && frame.size() >= at.l4 + udp_header) {
		set(frame, at.l4 + 4, frame.size() - at.l4, 2);
	} else if (at.protocol != tcp && at.protocol != udp && options.unknown_sequence &&
		   frame.size() >= at.l4 + 8) {
		set(frame, at.l4 + 4, get(frame, at.l4 + 4, 4) + part.offset, 4);
	}
}

} // namespace

uint16_t ones_sum(View bytes, uint32_t sum)
{
	uint64_t total = sum;

	for (size_t i = 0; i < bytes.size(); i += 2)
		total += get(bytes, i, 2);
	// An odd byte at the end is a high one: get() gives zero behind it.
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return static_cast<uint16_t>(total);
}

Layers layers(View frame)
{
	Layers out;
	size_t at = ethernet;

	if (frame.size() < ethernet)
		return out;
	out.ethertype = static_cast<uint16_t>(get(frame, 12, 2));
	while ((out.ethertype == ethertype_vlan || out.ethertype == ethertype_qinq) &&
	       frame.size() >= at + vlan_tag) {
		out.ethertype = static_cast<uint16_t>(get(frame, at + 2, 2));
		at += vlan_tag;
	}
	if (out.ethertype != ethertype_v4 && out.ethertype != ethertype_v6)
		return out;
	out.l3 = at;
	return out.ethertype == ethertype_v4 ? v4(frame, out) : v6(frame, out);
}

void finish(Bytes &frame, const Offloads &asked, const SegmentOptions &options)
{
	const Layers at = layers(frame);

	if (asked.l4_checksum && at.l4 > 0) {
		const size_t place = checksum_place(at.protocol, options);
		if (place > 0)
			l4_checksum(frame, at, place);
	}
	if (asked.l3_checksum && at.ethertype == ethertype_v4) {
		const size_t length = 4 * (get(frame, at.l3, 1) & 0xf);
		if (length < 20 || frame.size() < at.l3 + length)
			return;
		set(frame, at.l3 + 10, 0, 2);
		const uint16_t sum = ones_sum(View(frame).subspan(at.l3, length));
		set(frame, at.l3 + 10, static_cast<uint16_t>(~sum), 2);
	}
}

std::vector<Bytes> cut(View headers, View payload, size_t mss, const Offloads &asked,
		       const SegmentOptions &options)
{
	const size_t step = mss > 0 ? mss : std::max<size_t>(payload.size(), 1);
	const Layers at = layers(headers);
	std::vector<Bytes> out;

	for (size_t offset = 0; offset == 0 || offset < payload.size(); offset += step) {
		const View piece = payload.subspan(offset, std::min(step, payload.size() - offset));
		const Part part = {out.size(), offset, offset + step >= payload.size()};
		Bytes frame(headers.begin(), headers.end());
		frame.insert(frame.end(), piece.begin(), piece.end());
		fix_ip(frame, at, part, options);
		fix_transport(frame, at, part, options);
		finish(frame, asked, options);
		out.push_back(std::move(frame));
	}
	return out;
}

} // namespace cx
