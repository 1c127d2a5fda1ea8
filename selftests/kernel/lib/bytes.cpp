// SPDX-License-Identifier: Apache-2.0
#include "bytes.hpp"

#include <algorithm>
#include <cstring>

namespace {

uint64_t word(uint64_t seed, size_t index)
{
	uint64_t z = (seed << 40) + index * 0x9e3779b97f4a7c15;
	return z ^ z >> 29;
}

} // namespace

Bytes pattern(size_t length, uint64_t seed)
{
	Bytes bytes(length);
	size_t whole = length / 8;
	for (size_t i = 0; i < whole; i++) {
		uint64_t value = word(seed, i);
		memcpy(&bytes[i * 8], &value, 8);
	}
	uint64_t value = word(seed, whole);
	memcpy(bytes.data() + whole * 8, &value, length % 8);
	return bytes;
}

std::string pattern_error(View bytes, uint64_t seed)
{
	Bytes expected = pattern(bytes.size(), seed);
	if (bytes.empty() || memcmp(bytes.data(), expected.data(), bytes.size()) == 0)
		return {};
	size_t first = 0;
	size_t wrong = 0;
	for (size_t i = bytes.size(); i-- > 0;)
		if (bytes[i] != expected[i]) {
			first = i;
			wrong++;
		}
	return std::to_string(wrong) + " of " + std::to_string(bytes.size()) +
	       " bytes differ, the first at " + std::to_string(first);
}

Bytes Random::bytes(size_t length)
{
	Bytes result(length);
	for (auto &byte : result)
		byte = static_cast<uint8_t>(next());
	return result;
}

bool all_zero(const void *start, size_t length)
{
	const auto *bytes = static_cast<const uint8_t *>(start);
	return std::all_of(bytes, bytes + length, [](uint8_t byte) { return byte == 0; });
}
