// SPDX-License-Identifier: Apache-2.0
#include "workload.hpp"

#include <gtest/gtest.h>

namespace {

using bench::chance;
using bench::workload;
using bench::workloads;

TEST(workload, tables_rise_from_none_to_all)
{
	ASSERT_EQ(workloads().size(), 5U);
	for (const workload &one : workloads()) {
		EXPECT_EQ(one.table.front().share, 0) << one.name;
		EXPECT_EQ(one.table.back().share, 1) << one.name;
		EXPECT_GE(one.table.front().size, bench::shortest) << one.name;
		for (std::size_t i = 1; i < one.table.size(); ++i) {
			EXPECT_LT(one.table[i - 1].size, one.table[i].size) << one.name;
			EXPECT_LT(one.table[i - 1].share, one.table[i].share) << one.name;
		}
	}
}

TEST(workload, means_are_those_of_the_paper)
{
	const double means[] = {189, 442, 2928, 127'797, 2'560'000};
	for (std::size_t i = 0; i < workloads().size(); ++i) {
		const workload &one = workloads()[i];
		EXPECT_EQ(one.mean, means[i]) << one.name;
		EXPECT_NEAR(one.mean_of(1e9) / one.mean, 1, 1e-4) << one.name;
	}
}

TEST(workload, what_is_drawn_has_the_mean_that_is_said)
{
	constexpr int draws = 400'000;
	for (const workload &one : workloads()) {
		for (const std::size_t most : {std::size_t{1} << 30, bench::longest}) {
			chance from(7);
			double sum = 0;
			for (int i = 0; i < draws; ++i) {
				sum += one.draw(from, most);
			}
			const double mean = one.mean_of(static_cast<double>(most));
			EXPECT_NEAR(sum / draws / mean, 1, 0.03) << one.name << ' ' << most;
		}
	}
}

TEST(workload, what_is_drawn_is_neither_too_short_nor_too_long)
{
	for (const workload &one : workloads()) {
		chance from(3);
		for (int i = 0; i < 100'000; ++i) {
			const std::uint32_t size = one.draw(from);
			EXPECT_GE(size, bench::shortest);
			EXPECT_LE(size, bench::longest);
		}
	}
}

TEST(workload, a_seed_repeats)
{
	chance first(5);
	chance second(5);
	chance other(6);
	bool same = true;
	for (int i = 0; i < 100; ++i) {
		const std::uint32_t size = workloads()[2].draw(first);
		EXPECT_EQ(size, workloads()[2].draw(second));
		same = same && size == workloads()[2].draw(other);
	}
	EXPECT_FALSE(same);
}

TEST(workload, names)
{
	EXPECT_EQ(bench::workload_named("w3"), &workloads()[2]);
	EXPECT_EQ(bench::workload_named("w6"), nullptr);
	EXPECT_EQ(bench::workload_named(""), nullptr);
}

TEST(chance, times_have_their_mean)
{
	chance from(1);
	double sum = 0;
	double uniform = 0;
	constexpr int draws = 400'000;
	for (int i = 0; i < draws; ++i) {
		const double time = from.exponential(250);
		EXPECT_GE(time, 0);
		sum += time;
		uniform += from.uniform();
	}
	EXPECT_NEAR(sum / draws, 250, 2);
	EXPECT_NEAR(uniform / draws, 0.5, 0.005);
}

} // namespace
