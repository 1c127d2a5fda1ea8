// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/layout.hpp"

namespace cx {

uint64_t field_of(View bytes, Field field)
{
	uint64_t value = 0;
	for (size_t i = field.at; i < field.at + field.width; i++) {
		const bool bit = i / 8 < bytes.size() && (bytes[i / 8] >> (7 - i % 8) & 1);
		value = value << 1 | (bit ? 1 : 0);
	}
	return value;
}

void set_field(Area bytes, Field field, uint64_t value)
{
	for (size_t i = field.at + field.width; i-- > field.at; value >>= 1) {
		if (i / 8 >= bytes.size())
			continue;
		const auto mask = static_cast<uint8_t>(0x80 >> i % 8);
		auto &byte = bytes[i / 8];
		byte = static_cast<uint8_t>(value & 1 ? byte | mask : byte & ~mask);
	}
}

} // namespace cx
