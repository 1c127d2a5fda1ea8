// SPDX-License-Identifier: Apache-2.0
#include "draws.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace bench {
namespace {

constexpr int draws = 200'000;

TEST(zipfian, draws_as_its_weights_are)
{
	constexpr std::uint64_t count = 1000;
	const zipfian ranks(count);
	chance from(1);
	std::vector<int> seen(count);
	for (int i = 0; i < draws; ++i) {
		++seen.at(ranks.draw(from));
	}
	double sum = 0;
	for (std::uint64_t rank = 1; rank <= count; ++rank) {
		sum += 1 / std::pow(static_cast<double>(rank), 0.99);
	}
	// The method is exact for the first two.
	EXPECT_NEAR(seen[0], draws / sum, draws * 0.005);
	EXPECT_NEAR(seen[1], draws / sum / std::pow(2, 0.99), draws * 0.005);
	int first = 0;
	double wanted = 0;
	for (std::size_t rank = 0; rank < 100; ++rank) {
		first += seen[rank];
		wanted += 1 / std::pow(static_cast<double>(rank + 1), 0.99);
	}
	EXPECT_NEAR(first, draws * wanted / sum, draws * 0.02);
}

TEST(zipfian, grows_as_if_it_had_been_so)
{
	zipfian grown(10);
	grown.grow(500);
	const zipfian made(500);
	chance one(7);
	chance other(7);
	for (int i = 0; i < 1000; ++i) {
		EXPECT_EQ(grown.draw(one), made.draw(other));
	}
}

TEST(operations, have_the_shares_of_their_workload)
{
	struct share {
		verb what;
		double of;
	};
	const std::map<char, share> others{{'a', {verb::update, 0.5}},
					   {'b', {verb::update, 0.05}},
					   {'c', {verb::update, 0}},
					   {'d', {verb::insert, 0.05}},
					   {'f', {verb::modify, 0.5}}};
	for (const char name : operations::names) {
		operations from(name, 1000, 3);
		std::map<verb, int> seen;
		for (int i = 0; i < 20'000; ++i) {
			++seen[from.draw().what];
		}
		const share wanted = others.at(name);
		EXPECT_NEAR(seen[wanted.what], 20'000 * wanted.of, 300) << name;
		EXPECT_EQ(seen[verb::read] + seen[wanted.what], 20'000) << name;
	}
}

TEST(operations, read_only_what_is_there)
{
	operations from('d', 2, 5);
	std::uint64_t records = 2;
	for (int i = 0; i < 20'000; ++i) {
		const operation one = from.draw();
		if (one.what == verb::insert) {
			EXPECT_EQ(one.key, records++);
			from.inserted(one.key);
		} else {
			EXPECT_LT(one.key, records);
		}
	}
	EXPECT_GT(records, 500U);
}

// Several inserts are under way, and end in another order.
TEST(operations, read_nothing_that_is_on_its_way)
{
	operations from('d', 2, 5);
	std::vector<std::uint64_t> inserts;
	const auto draw_until = [&](std::size_t count, std::uint64_t there) {
		for (bool is_latest_read = false; inserts.size() < count || !is_latest_read;) {
			const operation one = from.draw();
			if (one.what == verb::insert) {
				inserts.push_back(one.key);
			} else {
				ASSERT_LT(one.key, there);
				is_latest_read |= one.key == there - 1;
			}
		}
	};
	draw_until(3, 2);
	from.inserted(inserts[1]);
	draw_until(4, 2);
	from.inserted(inserts[0]);
	draw_until(5, 4);
	from.inserted(inserts[2]);
	draw_until(6, 5);
}

TEST(operations, are_the_same_with_the_same_seed)
{
	operations one('a', 100, 9);
	operations other('a', 100, 9);
	for (int i = 0; i < 1000; ++i) {
		const operation a = one.draw();
		const operation b = other.draw();
		EXPECT_EQ(a.key, b.key);
		EXPECT_EQ(a.what, b.what);
	}
}

TEST(key_name, is_one_for_each)
{
	std::set<std::string> names;
	for (std::uint64_t i = 0; i < 10'000; ++i) {
		const std::string name = key_name(i);
		EXPECT_EQ(name.size(), 23U);
		names.insert(name);
	}
	EXPECT_EQ(names.size(), 10'000U);
}

} // namespace
} // namespace bench
