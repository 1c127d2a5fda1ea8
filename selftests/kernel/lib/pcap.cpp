// SPDX-License-Identifier: Apache-2.0
#include "pcap.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "test.hpp"

std::vector<Bytes> read_pcap(const std::string &file)
{
	constexpr size_t file_header = 24;
	constexpr size_t packet_header = 16;
	constexpr size_t ethernet_header = 14;
	std::ifstream in(file, std::ios::binary);
	Bytes bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
	CHECK(bytes.size() > file_header);
	std::vector<Bytes> packets;
	size_t at = file_header;
	while (at + packet_header <= bytes.size()) {
		Bytes little(bytes.begin() + static_cast<long>(at + 8),
			     bytes.begin() + static_cast<long>(at + 12));
		std::reverse(little.begin(), little.end());
		size_t length = get(little, 0, 4);
		at += packet_header;
		CHECK(at + length <= bytes.size() && length > ethernet_header);
		packets.emplace_back(bytes.begin() + static_cast<long>(at + ethernet_header),
				     bytes.begin() + static_cast<long>(at + length));
		at += length;
	}
	return packets;
}
