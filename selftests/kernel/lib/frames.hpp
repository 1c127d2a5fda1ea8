// SPDX-License-Identifier: Apache-2.0
// Frames as packet sockets see them, taken apart layer by layer: what each layer says of
// lengths and checksums, and whether it is true.
#pragma once

#include <string>
#include <vector>

#include "bytes.hpp"

namespace frames {

struct Frame {
	View bytes;
	/// Begins with an Ethernet header; otherwise with that of IP.
	bool ethernet = true;
	/// It has a VLAN tag, which lies beside it.
	bool tagged = false;
	/// Payload per packet of a segment that nobody has cut yet, or of what was merged; 0: one
	/// packet.
	size_t gso_size = 0;
	/// The device is to sum from @a sum_start on, and to write that to @a sum_at.
	bool partial = false;
	size_t sum_start = 0;
	size_t sum_at = 0;
};

struct Told {
	/// "vlan/ip4/udp/vxlan/eth/ip6/homa": the layers, outermost first. Ethernet is named
	/// inside of others only, extension headers of IPv6 are not.
	std::string chain;
	std::vector<std::string> wrong;
	/// Bytes of the outermost IP packet; of a segment those of its longest packet.
	size_t length = 0;
	/// Of Homa's packets.
	uint8_t type = 0;

	/// Is @a layer the innermost that can be read?
	[[nodiscard]] bool ends_in(const std::string &layer) const;
};

/// Sums of what is not cut yet are not looked at: they are made when it is.
Told look(const Frame &frame);

} // namespace frames
