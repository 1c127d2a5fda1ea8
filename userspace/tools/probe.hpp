// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The two packets by which a host is asked whether it speaks SDP, and what may come back
 * (docs/wire.md). Neither begins an RPC, nor leaves anything behind at the other end.
 *
 * question: a RESEND for an RPC that nobody has; a socket that takes clear packets answers
 * RPC_UNKNOWN. knock: DATA that ends with its common header; a socket drops it, and where
 * there is none, an ICMP error says so.
 */
#ifndef SDP_TOOLS_PROBE_HPP
#define SDP_TOOLS_PROBE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tool {

inline constexpr std::size_t knock_length = 28;
inline constexpr std::size_t question_length = 37;

/** Who asks whom about which RPC: even, as its client counts, and below 2^63. */
struct probe {
	std::uint16_t from = 0;
	std::uint16_t to = 0;
	std::uint64_t id = 0;
};

std::array<std::byte, question_length> make_question(const probe &of);
std::array<std::byte, knock_length> make_knock(const probe &of);

/** Whether @p packet (without the IP header) is the answer to the question about @p of. */
bool is_answer(std::span<const std::byte> packet, const probe &of);

/** Whether an ICMP error that quotes @p packet, at least 4 bytes, is about @p of. */
bool is_about(std::span<const std::byte> packet, const probe &of);

/** What follows the IPv4 header of @p packet; nothing if that is malformed. */
std::span<const std::byte> after_ipv4(std::span<const std::byte> packet);

} // namespace tool

#endif
