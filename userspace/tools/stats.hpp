// SPDX-License-Identifier: Apache-2.0
/** @file Counters and their differences. */
#ifndef SDP_TOOLS_STATS_HPP
#define SDP_TOOLS_STATS_HPP

#include "output.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tool {

using counters = std::vector<std::pair<std::string, std::uint64_t>>;

/**
 * How much each counter of @p now has grown since @p before. One that is smaller began
 * anew with its module: all of it is growth.
 */
counters growth(const counters &before, const counters &now);

/** Those that match one of @p patterns (as the shell's; none: all), without zeros unless @p zeros.
 */
counters chosen(const counters &of, const std::vector<std::string> &patterns, bool zeros);

} // namespace tool

#endif
