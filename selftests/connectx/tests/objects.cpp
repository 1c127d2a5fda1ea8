// SPDX-License-Identifier: Apache-2.0
#include "selftests/connectx/objects.hpp"
#include <gtest/gtest.h>

namespace {

using cx::Kind;

struct Objects : testing::Test {
	cx::Report report{"test"};
	cx::Objects objects{report};
};

TEST_F(Objects, WhatIsUsedStays)
{
	const auto eq = objects.create(Kind::eq);
	const auto cq = objects.create(Kind::cq, {{Kind::eq, eq}});
	ASSERT_NE(cq, 0U);
	EXPECT_FALSE(objects.destroy({Kind::eq, eq}));
	EXPECT_EQ(report.misuses().count("destroyed in use"), 1U);
	EXPECT_TRUE(objects.destroy({Kind::cq, cq}));
	EXPECT_TRUE(objects.destroy({Kind::eq, eq}));
	EXPECT_EQ(objects.left(), "");
}

TEST_F(Objects, NumbersAreOfOneKind)
{
	const auto cq = objects.create(Kind::cq);
	EXPECT_FALSE(objects.destroy({Kind::sq, cq}));
	EXPECT_EQ(objects.create(Kind::sq, {{Kind::eq, cq}}), 0U);
	EXPECT_EQ(report.faults(), 2U);
}

TEST_F(Objects, LimitsAreNoFault)
{
	objects.limit(Kind::tis, 2);
	EXPECT_NE(objects.create(Kind::tis), 0U);
	EXPECT_NE(objects.create(Kind::tis), 0U);
	EXPECT_EQ(objects.create(Kind::tis), 0U);
	EXPECT_EQ(report.faults(), 0U);
}

TEST_F(Objects, ANumberIsNotTakenAgainAtOnce)
{
	const auto first = objects.create(Kind::tis);
	objects.destroy({Kind::tis, first});
	EXPECT_NE(objects.create(Kind::tis), first);
}

TEST_F(Objects, EventQueueNumbersHaveEightBits)
{
	for (int i = 0; i < 1000; i++) {
		const auto eq = objects.create(Kind::eq);
		ASSERT_GT(eq, 0U);
		ASSERT_LT(eq, 256U);
		ASSERT_TRUE(objects.destroy({Kind::eq, eq}));
	}
}

TEST_F(Objects, RangesAreInARow)
{
	const auto one = objects.create_range(Kind::key, 1),
		   many = objects.create_range(Kind::key, 256);
	ASSERT_NE(one, 0U);
	ASSERT_NE(many, 0U);
	EXPECT_TRUE(objects.exists({Kind::key, many + 255}));
	EXPECT_FALSE(objects.exists({Kind::key, many + 256}));
	EXPECT_EQ(objects.count(Kind::key), 257U);
}

TEST_F(Objects, UsesChange)
{
	const auto one = objects.create(Kind::rq), other = objects.create(Kind::rq);
	const auto table = objects.create(Kind::rqt, {{Kind::rq, one}});
	EXPECT_TRUE(objects.use({Kind::rqt, table}, {{Kind::rq, other}}));
	EXPECT_TRUE(objects.destroy({Kind::rq, one}));
	EXPECT_FALSE(objects.destroy({Kind::rq, other}));
}

} // namespace
