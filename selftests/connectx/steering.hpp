// SPDX-License-Identifier: Apache-2.0
// Which receivers a frame gets to: flow tables of groups of entries. A group says which
// fields count, an entry which values they have; no match leads to the table that was
// named for that, or nowhere.
#pragma once

#include "selftests/connectx/layout.hpp"
#include "selftests/connectx/report.hpp"
#include "selftests/connectx/segment.hpp"
#include <array>
#include <map>
#include <optional>
#include <vector>

namespace cx {

/// What an entry's bytes of match parameters are, for a frame.
constexpr size_t match_bytes = LENGTH(fte_match_param);
using Match = std::array<uint8_t, match_bytes>;

struct FlowDestination {
	enum class To : uint8_t { table, tir } to;
	uint32_t number;
};

struct FlowEntry {
	Match value{};
	bool drop = false;
	std::vector<FlowDestination> to;
};

struct FlowGroup {
	uint32_t first = 0, last = 0;
	Match mask{};
	std::map<uint32_t, FlowEntry> entries;
};

struct FlowTable {
	uint8_t type = 0, level = 0;
	uint64_t size = 1;
	uint32_t on_miss = 0; ///< a table; 0: the frame is dropped
	std::map<uint32_t, FlowGroup> groups;
};

/// How a receiver spreads what it gets.
struct Tir {
	bool indirect = false;
	uint32_t rq = 0;  ///< direct
	uint32_t rqt = 0; ///< indirect
	bool toeplitz = false;
	std::array<uint8_t, 40> key{};
	uint32_t fields = 0; ///< of the hash: 1 and 2 addresses, 4 and 8 ports, 16 SPI
	bool ipv6 = false, udp = false;
};

/// The hash of a frame's fields that @a tir selects; nothing if it has none of them.
std::optional<uint32_t> flow_hash(const Tir &tir, View frame);
/// Toeplitz's function. @a key is at least 4 bytes longer than @a input.
uint32_t toeplitz(View key, View input);

class Steering {
public:
	explicit Steering(Report &report) : report_(report) {}

	std::map<uint32_t, FlowTable> tables;
	uint32_t root = 0;

	/// Why @a mask cannot be matched by this device; empty if it can.
	static std::string unsupported(const Match &mask);
	/// The receivers of @a frame, each once.
	[[nodiscard]] std::vector<uint32_t> receivers(View frame);
	void clear();

private:
	const FlowEntry *find(const FlowTable &table, const Match &frame) const;
	void follow(uint32_t table, const Match &frame, unsigned depth, std::vector<uint32_t> &to);

	Report &report_;
};

/// What can be matched of @a frame.
Match match_of(View frame);

} // namespace cx
