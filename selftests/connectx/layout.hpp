// SPDX-License-Identifier: Apache-2.0
// Fields of commands, contexts and registers. Where each lies is taken from the
// kernel's own description of the interface (mlx5_ifc.h, made fit for C++ by the
// Makefile): a table of our own could only repeat it, with errors of its own.
#pragma once

#include "selftests/kernel/lib/bytes.hpp"
#include <cstddef>
#include <cstdint>
#include <span>

#define BIT(n) (1ull << (n))
#define BIT_ULL(n) (1ull << (n))
#define DECLARE_FLEX_ARRAY(type, name) type name[0]
#define __packed __attribute__((packed))
namespace cx::ifc {
using u8 = uint8_t;
#include "mlx5_ifc.h"
} // namespace cx::ifc
#undef BIT
#undef BIT_ULL
#undef DECLARE_FLEX_ARRAY
#undef __packed

namespace cx {

using Bytes = ::Bytes;
using View = ::View;
using Area = std::span<uint8_t>;

/// A field of up to 64 bits, or where a structure begins; both in bits.
struct Field {
	size_t at;
	size_t width;
};

/// The big-endian bit field at @a field; bits past the end are zero.
uint64_t field_of(View bytes, Field field);

/// Sets it; bits past the end are left out.
void set_field(Area bytes, Field field, uint64_t value);

/// Big-endian numbers at a place that is known to be there.
inline uint16_t be16(const uint8_t *p)
{
	return static_cast<uint16_t>(p[0] << 8 | p[1]);
}
inline uint32_t be32(const uint8_t *p)
{
	return static_cast<uint32_t>(be16(p)) << 16 | be16(p + 2);
}
inline uint64_t be64(const uint8_t *p)
{
	return static_cast<uint64_t>(be32(p)) << 32 | be32(p + 4);
}
inline void put_be16(uint8_t *p, uint16_t value)
{
	p[0] = static_cast<uint8_t>(value >> 8);
	p[1] = static_cast<uint8_t>(value);
}
inline void put_be32(uint8_t *p, uint32_t value)
{
	put_be16(p, static_cast<uint16_t>(value >> 16));
	put_be16(p + 2, static_cast<uint16_t>(value));
}
inline void put_be64(uint8_t *p, uint64_t value)
{
	put_be32(p, static_cast<uint32_t>(value >> 32));
	put_be32(p + 4, static_cast<uint32_t>(value));
}

} // namespace cx

/// FIELD(create_eq_in, eq_context_entry.intr): a Field by the kernel's names.
#define FIELD(type, field)                                               \
	(::cx::Field{offsetof(::cx::ifc::mlx5_ifc_##type##_bits, field), \
		     sizeof(::cx::ifc::mlx5_ifc_##type##_bits::field)})
/// BYTE(create_eq_in, pas): the byte at which a field, or an array, begins.
#define BYTE(type, field) (offsetof(::cx::ifc::mlx5_ifc_##type##_bits, field) / 8)
/// LENGTH(eqc): the bytes of a structure.
#define LENGTH(type) (sizeof(::cx::ifc::mlx5_ifc_##type##_bits) / 8)
