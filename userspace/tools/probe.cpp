// SPDX-License-Identifier: Apache-2.0
#include "probe.hpp"

namespace tool {

namespace {

constexpr std::uint8_t type_data = 0x10;
constexpr std::uint8_t type_resend = 0x12;
constexpr std::uint8_t type_rpc_unknown = 0x13;

void put(std::span<std::byte> to, std::size_t at, std::size_t length, std::uint64_t value)
{
	for (std::size_t i = 0; i < length; ++i) {
		to[at + i] = static_cast<std::byte>(value >> (8 * (length - 1 - i)));
	}
}

std::uint64_t get(std::span<const std::byte> from, std::size_t at, std::size_t length)
{
	std::uint64_t value = 0;
	for (std::size_t i = 0; i < length; ++i) {
		value = value << 8 | std::to_integer<std::uint64_t>(from[at + i]);
	}
	return value;
}

void put_common(std::span<std::byte> to, const probe &of, std::uint8_t type)
{
	put(to, 0, 2, of.from);
	put(to, 2, 2, of.to);
	put(to, 11, 1, type);
	put(to, 12, 1, 0x50);
	put(to, 13, 1, 0x06);
	put(to, 18, 2, 0xb97d);
	put(to, 20, 8, of.id);
}

} // namespace

std::array<std::byte, question_length> make_question(const probe &of)
{
	std::array<std::byte, question_length> packet{};
	put_common(packet, of, type_resend);
	// Nothing of the response has come; control packets travel at priority 7.
	put(packet, 32, 4, 0xffffffff);
	put(packet, 36, 1, 7);
	return packet;
}

std::array<std::byte, knock_length> make_knock(const probe &of)
{
	std::array<std::byte, knock_length> packet{};
	put_common(packet, of, type_data);
	return packet;
}

bool is_answer(std::span<const std::byte> packet, const probe &of)
{
	return packet.size() >= knock_length && get(packet, 0, 2) == of.to &&
	       get(packet, 2, 2) == of.from && get(packet, 11, 1) == type_rpc_unknown &&
	       get(packet, 20, 8) == (of.id | 1);
}

bool is_about(std::span<const std::byte> packet, const probe &of)
{
	return packet.size() >= 4 && get(packet, 0, 2) == of.from && get(packet, 2, 2) == of.to;
}

std::span<const std::byte> after_ipv4(std::span<const std::byte> packet)
{
	if (packet.size() < 20 || get(packet, 0, 1) >> 4 != 4) {
		return {};
	}
	const std::size_t header = (get(packet, 0, 1) & 15) * 4;
	if (header < 20 || header > packet.size()) {
		return {};
	}
	return packet.subspan(header);
}

} // namespace tool
