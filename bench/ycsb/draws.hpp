// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Operations in the manner of YCSB (Cooper et al., SoCC 2010): its workloads A, B, C, D and F,
 * keys by its scrambled Zipfian distribution, with a constant of 0.99, or its latest one.
 */
#ifndef BENCH_DRAWS_HPP
#define BENCH_DRAWS_HPP

#include "../load/workload.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace bench {

/**
 * Ranks from 0, the lower the likelier: that of rank r is drawn in proportion to
 * 1 / (r + 1)^0.99, by the method of Gray et al. (SIGMOD 1994).
 */
class zipfian {
public:
	/** @param count of ranks, at least 2. */
	explicit zipfian(std::uint64_t count) { grow(count); }
	/** From now on there are so many, not fewer than before. */
	void grow(std::uint64_t count);
	[[nodiscard]] std::uint64_t draw(chance &from) const;

private:
	std::uint64_t count_ = 0;
	double sum_ = 0; /**< of all ranks' weights */
	double eta_ = 0;
};

enum class verb { read, update, insert, modify /**< read, then update */ };

struct operation {
	verb what;
	std::uint64_t key; /**< its number */
};

/** The words that are drawn of a workload: which operations, on which keys. */
class operations {
public:
	/** @param workload one of names. @param records that are there, at least 2. */
	operations(char workload, std::uint64_t records, std::uint64_t seed);
	operation draw();
	/** An insert has ended: its key may be read once all before it may. */
	void inserted(std::uint64_t key);

	static constexpr std::string_view names = "abcdf";

private:
	char workload_;
	std::uint64_t records_;         /**< that are there */
	std::uint64_t next_;            /**< to be inserted */
	std::set<std::uint64_t> ended_; /**< inserts, out of turn */
	zipfian ranks_;
	chance from_;
};

/** A key's name, of 23 bytes, as "user" and 19 digits. */
std::string key_name(std::uint64_t number);

} // namespace bench

#endif
