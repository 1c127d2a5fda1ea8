// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Distributions of messages' sizes in the manner of the five workloads of Homa's paper
 * (SIGCOMM 2018): of its means, by tables of our own, since it does not print its tables.
 */
#ifndef BENCH_WORKLOAD_HPP
#define BENCH_WORKLOAD_HPP

#include "message.hpp"

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>

namespace bench {

/** Uniform and exponential numbers, the same with every compiler. */
class chance {
public:
	explicit chance(std::uint64_t seed) : bits_(seed) {}
	double uniform(); /**< 0 to below 1 */
	double exponential(double mean);

private:
	std::mt19937_64 bits_;
};

/** A share of all messages, as of a size; between two points sizes are equally likely. */
struct point {
	double size;  /**< bytes */
	double share; /**< of the messages that are at most so long; the last is 1 */
};

struct workload {
	std::string_view name;
	double mean; /**< bytes, as the paper has it */
	std::span<const point> table;

	/** Bytes of a message. Longer ones than @p most are cut to that. */
	[[nodiscard]] std::uint32_t draw(chance &from, std::size_t most = longest) const;
	/** Mean of what is drawn, bytes. */
	[[nodiscard]] double mean_of(double most) const;
};

/** w1 to w5. */
std::span<const workload> workloads();
/** Null if there is none of that name. */
const workload *workload_named(std::string_view name);

} // namespace bench

#endif
