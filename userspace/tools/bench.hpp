// SPDX-License-Identifier: Apache-2.0
/** @file What the quick benchmark measures. */
#ifndef SDP_TOOLS_BENCH_HPP
#define SDP_TOOLS_BENCH_HPP

#include "output.hpp"

#include <cstdint>
#include <vector>

namespace tool {

/** The value that @p share (0 to 1) of the sorted @p values do not exceed; 0 without values. */
double quantile(const std::vector<double> &values, double share);

/** Of round trips, in microseconds, in any order. */
record describe_times(std::vector<double> microseconds);

/** Of @p messages of @p size bytes that went and came back in @p seconds. */
record describe_rate(std::uint64_t messages, std::uint64_t size, double seconds);

} // namespace tool

#endif
