// SPDX-License-Identifier: Apache-2.0
// Byte strings: patterns whose every position can be checked, big-endian fields,
// and random numbers with a fixed seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;
using View = std::span<const uint8_t>;

/// @a length bytes that depend on position and @a seed.
Bytes pattern(size_t length, uint64_t seed = 1);

/// Empty if @a bytes are pattern(bytes.size(), seed), otherwise what differs.
std::string pattern_error(View bytes, uint64_t seed = 1);

inline Bytes bytes_of(const std::string &text)
{
	return {text.begin(), text.end()};
}

/// An address that no system call can use.
inline void *const nowhere = reinterpret_cast<void *>(8);

bool all_zero(const void *start, size_t length);

/// Appends big-endian numbers.
inline void put(Bytes &to, uint64_t value, unsigned size)
{
	while (size--)
		to.push_back(static_cast<uint8_t>(value >> (8 * size)));
}

/// Overwrites the @a size bytes at @a offset.
inline void set(Bytes &in, size_t offset, uint64_t value, unsigned size)
{
	while (size--)
		in.at(offset++) = static_cast<uint8_t>(value >> (8 * size));
}

/// The big-endian number of @a size bytes at @a offset; zero past the end.
inline uint64_t get(View from, size_t offset, unsigned size)
{
	uint64_t value = 0;
	for (; size--; offset++)
		value = value << 8 | (offset < from.size() ? from[offset] : 0);
	return value;
}

/// The same sequence for the same seed, everywhere (splitmix64).
class Random {
public:
	explicit Random(uint64_t seed) : state_(seed) {}
	uint64_t next()
	{
		uint64_t z = state_ += 0x9e3779b97f4a7c15;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		return z ^ z >> 31;
	}
	/// 0 to @a limit - 1.
	uint64_t below(uint64_t limit) { return next() % limit; }
	bool percent(unsigned chance) { return below(100) < chance; }
	Bytes bytes(size_t length);

private:
	uint64_t state_;
};
