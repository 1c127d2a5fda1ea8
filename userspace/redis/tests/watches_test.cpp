// SPDX-License-Identifier: Apache-2.0
#include "watches.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using sdp::redis::watches;

struct watching : testing::Test {
	watches all;
	watches::list one{all}, other{all};
};

TEST_F(watching, a_key_that_changes_touches_those_that_watch_it)
{
	one.add(0, "a", true);
	other.add(0, "b", true);
	all.touch(0, "c");
	all.touch(1, "a");
	EXPECT_FALSE(one.is_touched());
	all.touch(0, "a");
	EXPECT_TRUE(one.is_touched());
	EXPECT_FALSE(other.is_touched());
}

TEST_F(watching, two_may_watch_one_key)
{
	one.add(0, "a", false);
	other.add(0, "a", false);
	one.clear();
	all.touch(0, "a");
	EXPECT_FALSE(one.is_touched());
	EXPECT_TRUE(other.is_touched());
}

TEST_F(watching, what_is_cleared_is_forgotten)
{
	one.add(0, "a", true);
	one.add(3, "b", true);
	EXPECT_GT(one.bytes(), 0U);
	all.touch(3, "b");
	one.clear();
	EXPECT_TRUE(one.is_empty());
	EXPECT_FALSE(one.is_touched());
	EXPECT_EQ(one.bytes(), 0U);
	all.touch(0, "a");
	all.flush(-1);
	EXPECT_FALSE(one.is_touched());
}

TEST_F(watching, what_is_forgiven_may_change_again)
{
	one.add(0, "a", false);
	all.touch(0, "a");
	one.forgive();
	EXPECT_FALSE(one.is_touched());
	all.touch(0, "a");
	EXPECT_TRUE(one.is_touched());
}

TEST_F(watching, twice_is_once)
{
	one.add(0, "a", true);
	const auto bytes = one.bytes();
	one.add(0, "a", false);
	EXPECT_EQ(one.bytes(), bytes);
	EXPECT_EQ(one.keys().size(), 1U);
	EXPECT_TRUE(one.keys().front().existed);
}

TEST_F(watching, what_it_takes_is_counted)
{
	std::size_t before = 0;
	for (int i = 0; i < 100; ++i) {
		one.add(0, std::to_string(i), true);
		// Its place, its string in the map, and a vector on the heap are more than this.
		EXPECT_GE(one.bytes() - before, sizeof(watches::list::place) + 64 + 48);
		before = one.bytes();
	}
}

TEST_F(watching, flushing_touches_what_was_there)
{
	one.add(0, "there", true);
	other.add(0, "nowhere", false);
	all.flush(1);
	EXPECT_FALSE(one.is_touched());
	all.flush(0);
	EXPECT_TRUE(one.is_touched());
	EXPECT_FALSE(other.is_touched());
	one.clear();
	one.add(5, "there", true);
	all.flush(-1);
	EXPECT_TRUE(one.is_touched());
	EXPECT_FALSE(other.is_touched());
}

TEST_F(watching, one_that_ends_is_touched_no_more)
{
	{
		watches::list gone(all);
		gone.add(0, "a", true);
		one.add(0, "a", true);
	}
	all.touch(0, "a"); // Of the one that is gone nothing is left.
	EXPECT_TRUE(one.is_touched());
}

} // namespace
