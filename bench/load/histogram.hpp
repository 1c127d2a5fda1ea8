// SPDX-License-Identifier: Apache-2.0
/** @file Times, counted in steps of at most 1/64 of themselves. */
#ifndef BENCH_HISTOGRAM_HPP
#define BENCH_HISTOGRAM_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

class histogram {
public:
	void add(std::chrono::nanoseconds time);
	void add(const histogram &other);

	[[nodiscard]] std::uint64_t count() const { return count_; }
	[[nodiscard]] double mean() const; /**< nanoseconds; exact; 0 of nothing */
	[[nodiscard]] std::uint64_t least() const { return count_ == 0 ? 0 : least_; }
	[[nodiscard]] std::uint64_t most() const { return most_; }
	/**
	 * Nanoseconds that @p share (0 to 1) of all take at most, by rank: the top of the step in
	 * which that one is, and no more than the longest. 0 of nothing.
	 * @throws std::invalid_argument for another share.
	 */
	[[nodiscard]] std::uint64_t percentile(double share) const;

private:
	static std::size_t step_of(std::uint64_t time);
	static std::uint64_t top_of(std::size_t step);

	std::vector<std::uint64_t> counts_;
	std::uint64_t count_ = 0;
	std::uint64_t least_ = UINT64_MAX;
	std::uint64_t most_ = 0;
	double sum_ = 0;
};

} // namespace bench

#endif
