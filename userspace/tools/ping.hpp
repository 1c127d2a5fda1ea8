// SPDX-License-Identifier: Apache-2.0
/** @file What several probes together say. */
#ifndef SDP_TOOLS_PING_HPP
#define SDP_TOOLS_PING_HPP

#include "output.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace tool {

/** What became of one probe. */
struct outcome {
	std::optional<double> milliseconds; /**< until its answer */
	std::string said;                   /**< why there is none */
};

/** Counts outcomes. */
class tally {
public:
	void add(const outcome &of);
	[[nodiscard]] std::uint64_t answered() const { return answered_; }
	/** "4 sent, 3 answered, 25 % lost, min/avg/max 0.1/0.2/0.3 ms". */
	[[nodiscard]] std::string text() const;
	[[nodiscard]] record values() const;

private:
	[[nodiscard]] double lost() const;
	[[nodiscard]] double average() const;

	std::uint64_t sent_ = 0, answered_ = 0;
	double least_ = 0, most_ = 0, sum_ = 0;
};

/** What ICMP's @p error (an errno value) says of @p port. */
std::string refusal(int error, std::uint16_t port);

} // namespace tool

#endif
