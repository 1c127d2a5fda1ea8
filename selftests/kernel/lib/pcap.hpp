// SPDX-License-Identifier: Apache-2.0
// Reads a capture file: its Ethernet frames, as IP packets.
#pragma once

#include <string>
#include <vector>

#include "bytes.hpp"

/// The IP packets of a little-endian pcap file of Ethernet frames; throws.
std::vector<Bytes> read_pcap(const std::string &file);
