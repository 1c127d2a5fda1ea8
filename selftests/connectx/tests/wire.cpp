// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "selftests/connectx/wire.hpp"

namespace {

using cx::Nanoseconds;
using cx::Wire;

struct Came {
	int end;
	Bytes frame;
};

struct Cable {
	explicit Cable(const cx::WireOptions &options = {})
		: wire(options, [this](int end, View frame) {
			  came.push_back({end, Bytes(frame.begin(), frame.end())});
		  })
	{
	}

	std::vector<Came> came;
	Wire wire;
};

TEST(Wire, DeliversToTheOtherEnd)
{
	Cable cable;
	cable.wire.send(0, pattern(100, 1), 5);
	cable.wire.send(1, pattern(60, 2), 5);
	EXPECT_TRUE(cable.came.empty());
	cable.wire.run(5);
	ASSERT_EQ(cable.came.size(), 2U);
	EXPECT_EQ(cable.came[0].end, 1);
	EXPECT_EQ(cable.came[0].frame, pattern(100, 1));
	EXPECT_EQ(cable.came[1].end, 0);
	EXPECT_FALSE(cable.wire.next());
}

TEST(Wire, RateAndDelay)
{
	Cable cable({.bits_per_second = 1'000'000'000, .delay = 1000});
	cable.wire.send(0, Bytes(976), 0);
	cable.wire.send(0, Bytes(976), 0);
	EXPECT_EQ(cable.wire.next(), 9000);
	EXPECT_EQ(cable.wire.free_at(0), 16000);
	EXPECT_EQ(cable.wire.free_at(1), 0);
	cable.wire.run(8999);
	EXPECT_TRUE(cable.came.empty());
	cable.wire.run(9000);
	EXPECT_EQ(cable.came.size(), 1U);
	cable.wire.run(17000);
	EXPECT_EQ(cable.came.size(), 2U);
}

TEST(Wire, KeepsTheOrder)
{
	Cable cable({.delay = 10});
	for (size_t i = 0; i < 50; i++)
		cable.wire.send(0, Bytes(20, static_cast<uint8_t>(i)), static_cast<long>(i / 10));
	cable.wire.run(1000);
	ASSERT_EQ(cable.came.size(), 50U);
	for (size_t i = 0; i < 50; i++)
		EXPECT_EQ(cable.came[i].frame[0], i);
}

TEST(Wire, LosesReordersAndRepeatsByTheSeed)
{
	const cx::WireOptions options = {
		.loss = 100'000, .reorder = 100'000, .duplicate = 100'000, .seed = 7};
	Cable one(options);
	Cable two(options);
	for (Cable *cable : {&one, &two}) {
		for (size_t i = 0; i < 1000; i++)
			cable->wire.send(0, pattern(20, i), static_cast<long>(i));
		cable->wire.run(1'000'000'000);
	}
	const auto &counters = one.wire.counters(0);
	EXPECT_NEAR(static_cast<double>(counters.lost), 100, 40);
	EXPECT_NEAR(static_cast<double>(counters.duplicated), 90, 40);
	EXPECT_NEAR(static_cast<double>(counters.reordered), 100, 40);
	EXPECT_EQ(counters.delivered, 1000 - counters.lost + counters.duplicated);
	ASSERT_EQ(one.came.size(), two.came.size());
	for (size_t i = 0; i < one.came.size(); i++)
		EXPECT_EQ(one.came[i].frame, two.came[i].frame);
}

TEST(Wire, Down)
{
	Cable cable({.delay = 10});
	cable.wire.send(0, Bytes(20), 0);
	cable.wire.link(false);
	cable.wire.send(0, Bytes(20), 1);
	cable.wire.run(100);
	EXPECT_TRUE(cable.came.empty());
	EXPECT_EQ(cable.wire.counters(0).while_down, 2U);
	cable.wire.link(true);
	cable.wire.send(0, Bytes(20), 200);
	cable.wire.run(300);
	EXPECT_EQ(cable.came.size(), 1U);
}

TEST(Wire, ReceiverMaySend)
{
	Wire *back = nullptr;
	int turns = 0;
	Wire wire({}, [&](int end, View frame) {
		if (++turns < 10)
			back->send(end, frame, 0);
	});
	back = &wire;
	wire.send(0, Bytes(20), 0);
	for (int i = 0; i < 20; i++)
		wire.run(0);
	EXPECT_EQ(turns, 10);
}

TEST(Wire, TapsSeeWhatIsLost)
{
	Cable cable({.loss = 1'000'000});
	int seen = 0;
	cable.wire.tap([&seen](int from, View, Nanoseconds now) { seen += from == 1 && now == 4; });
	cable.wire.send(1, Bytes(20), 4);
	cable.wire.run(10);
	EXPECT_EQ(seen, 1);
	EXPECT_TRUE(cable.came.empty());
}

TEST(Wire, Changes)
{
	Cable cable({.loss = 1'000'000});
	cable.wire.send(0, Bytes(20), 0);
	cable.wire.change({});
	cable.wire.send(0, Bytes(20), 0);
	cable.wire.run(0);
	EXPECT_EQ(cable.came.size(), 1U);
}

TEST(Wire, Captures)
{
	const std::string file = testing::TempDir() + "wire.pcap";
	{
		Cable cable({.loss = 1'000'000, .pcap = file});
		cable.wire.send(0, pattern(100), 3'000'000'007);
		cable.wire.flush();
	}
	std::ifstream in(file, std::ios::binary);
	const Bytes bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
	ASSERT_EQ(bytes.size(), 24 + 16 + 100U);
	EXPECT_EQ(get(bytes, 0, 4), 0x4d3cb2a1U);
	EXPECT_EQ(get(bytes, 24, 4), 0x03000000U);
	EXPECT_EQ(get(bytes, 28, 4), 0x07000000U);
	EXPECT_EQ(Bytes(bytes.begin() + 40, bytes.end()), pattern(100));
	EXPECT_THROW(Wire({.pcap = "/nowhere/at all"}, [](int, View) {}), std::system_error);
}

TEST(Wire, Reports)
{
	Cable cable;
	cable.wire.send(0, Bytes(20), 0);
	EXPECT_NE(cable.wire.report().find("wire0_sent 1\n"), std::string::npos);
	EXPECT_NE(cable.wire.report().find("wire1_sent 0\n"), std::string::npos);
}

} // namespace
