// SPDX-License-Identifier: Apache-2.0
#include "histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

namespace {

using bench::histogram;
using std::chrono::nanoseconds;

TEST(histogram, nothing)
{
	const histogram none;
	EXPECT_EQ(none.count(), 0U);
	EXPECT_EQ(none.percentile(0.5), 0U);
	EXPECT_EQ(none.mean(), 0);
	EXPECT_EQ(none.least(), 0U);
	EXPECT_EQ(none.most(), 0U);
}

TEST(histogram, small_values_are_exact)
{
	histogram times;
	for (int i = 1; i <= 100; ++i) {
		times.add(nanoseconds(i));
	}
	EXPECT_EQ(times.percentile(0), 1U);
	EXPECT_EQ(times.percentile(0.01), 1U);
	EXPECT_EQ(times.percentile(0.5), 50U);
	EXPECT_EQ(times.percentile(1), 100U);
	EXPECT_EQ(times.least(), 1U);
	EXPECT_EQ(times.most(), 100U);
	EXPECT_DOUBLE_EQ(times.mean(), 50.5);
}

TEST(histogram, one_value_is_all_percentiles)
{
	for (const std::int64_t value : {63LL, 64LL, 65LL, 127LL, 128LL, 1'000'003LL, 1LL << 40}) {
		histogram times;
		times.add(nanoseconds(value));
		for (const double share : {0.0, 0.5, 0.999, 1.0}) {
			EXPECT_EQ(times.percentile(share), static_cast<std::uint64_t>(value));
		}
	}
}

TEST(histogram, percentiles_of_any_values_within_a_step)
{
	std::mt19937_64 random(1);
	std::vector<std::uint64_t> values;
	histogram times;
	for (int i = 0; i < 20'000; ++i) {
		const std::uint64_t value = (random() >> 20) >> (random() % 40);
		values.push_back(value);
		times.add(nanoseconds(value));
	}
	std::sort(values.begin(), values.end());
	for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
		const auto rank = static_cast<std::size_t>(
			std::ceil(share * static_cast<double>(values.size())));
		const auto exact = static_cast<double>(values[rank - 1]);
		const auto told = static_cast<double>(times.percentile(share));
		EXPECT_GE(told, exact) << share;
		EXPECT_LE(told, exact * (1 + 1.0 / 64) + 1) << share;
	}
}

TEST(histogram, sums)
{
	histogram low;
	histogram high;
	low.add(nanoseconds(10));
	high.add(nanoseconds(1'000'000));
	high.add(nanoseconds(20));
	low.add(high);
	EXPECT_EQ(low.count(), 3U);
	EXPECT_EQ(low.least(), 10U);
	EXPECT_EQ(low.most(), 1'000'000U);
	EXPECT_EQ(low.percentile(0.6), 20U);
}

TEST(histogram, a_clock_that_went_back_counts_as_nothing)
{
	histogram times;
	times.add(nanoseconds(-5));
	EXPECT_EQ(times.percentile(1), 0U);
}

TEST(histogram, shares_out_of_range)
{
	const histogram none;
	EXPECT_THROW((void)none.percentile(-0.1), std::invalid_argument);
	EXPECT_THROW((void)none.percentile(1.1), std::invalid_argument);
	EXPECT_THROW((void)none.percentile(std::nan("")), std::invalid_argument);
}

} // namespace
