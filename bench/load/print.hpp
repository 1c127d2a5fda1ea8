// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * How results are printed: lines of CSV, mode,transport,size,outstanding,case,metric,value.
 * Times are nanoseconds.
 */
#ifndef BENCH_PRINT_HPP
#define BENCH_PRINT_HPP

#include "histogram.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace bench {

/** One line of results. */
struct place {
	std::string_view mode;
	std::string_view transport;
	std::uint32_t size = 0;
	std::uint32_t outstanding = 0;
	std::string which;
};
void report(const place &where, std::string_view metric, double value);
/** p50, p90, p99, p999, most, mean and count. */
void report(const place &where, const histogram &times);

} // namespace bench

#endif
