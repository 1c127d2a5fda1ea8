// SPDX-License-Identifier: Apache-2.0
// How hardware cuts a large segment, and fills checksums in. Of protocols that it does
// not know it copies everything above IP.
#pragma once

#include <vector>

#include "selftests/kernel/lib/bytes.hpp"

namespace cx {

/// What no document says of hardware. The defaults are what is thought to be true.
struct SegmentOptions {
	/// IPv4's identification counts up from packet to packet.
	bool ident_counts = true;
	/// The four bytes at offset 4 of an unknown transport header are advanced as
	/// TCP's sequence number is.
	bool unknown_sequence = false;
	/// Bytes 16 and 17 of an unknown transport header get TCP's checksum, where the
	/// work request asks for one.
	bool unknown_checksum = false;
};

/// What a work request says of a packet.
struct Offloads {
	bool l3_checksum = false; ///< IPv4's header
	bool l4_checksum = false; ///< TCP's or UDP's
};

/// Fills in the checksums of one whole Ethernet frame. What cannot be parsed stays.
void finish(Bytes &frame, const Offloads &asked, const SegmentOptions &options = {});

/// The frames that @a headers and @a payload become, @a mss bytes of it each. Lengths,
/// IPv4's id and checksum, TCP's sequence, flags and checksum, UDP's length and checksum
/// are made right. An @a mss of zero is everything in one.
std::vector<Bytes> cut(View headers, View payload, size_t mss, const Offloads &asked,
		       const SegmentOptions &options = {});

/// Where the headers of a frame are. Zero: there is none.
struct Layers {
	uint16_t ethertype = 0; ///< behind VLAN tags
	size_t l3 = 0;
	size_t l4 = 0;
	uint8_t protocol = 0;
	bool fragment = false;
};
Layers layers(View frame);

/// One's complement sum of @a bytes, not inverted, to go on from @a sum.
uint16_t ones_sum(View bytes, uint32_t sum = 0);

} // namespace cx
