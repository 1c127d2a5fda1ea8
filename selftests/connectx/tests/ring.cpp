// SPDX-License-Identifier: Apache-2.0
// Rings as a hostile guest would write them.
#include "selftests/connectx/vhost.hpp"
#include <cstring>
#include <gtest/gtest.h>

namespace {

constexpr uint64_t base = 0x1000;
constexpr uint64_t descriptors = base, available = base + 0x100, used = base + 0x200,
		   buffers = base + 0x400;
constexpr uint32_t size = 8;

struct Ring : testing::Test {
	cx::Report report{"test"};
	cx::Memory memory{report};
	Bytes bytes = Bytes(0x1000);
	cx::Ring ring;
	cx::Ring::Chain chain;
	std::string error;

	Ring()
	{
		memory.lend(base, bytes);
		EXPECT_TRUE(ring.resize(size));
		EXPECT_TRUE(ring.place(memory, descriptors, available, used));
	}
	template <typename T>
	void at(uint64_t address, T value)
	{
		memcpy(&bytes[address - base], &value, sizeof(value));
	}
	void descriptor(uint32_t index, uint64_t address, uint32_t length, uint16_t flags,
			uint16_t next)
	{
		at(descriptors + 16 * index, address);
		at(descriptors + 16 * index + 8, length);
		at(descriptors + 16 * index + 12, flags);
		at(descriptors + 16 * index + 14, next);
	}
	void offer(uint16_t head, uint16_t count = 1)
	{
		at(available + 4, head);
		at(available + 2, count);
	}
};

TEST_F(Ring, AChainIsTakenAndGivenBack)
{
	at(buffers, uint32_t{0x64636261});
	descriptor(3, buffers, 4, 1, 5);
	descriptor(5, buffers + 8, 16, 2, 0);
	offer(3);
	ASSERT_TRUE(ring.take(memory, chain, error));
	EXPECT_EQ(chain.out, bytes_of("abcd"));
	ASSERT_EQ(chain.in.size(), 1U);
	EXPECT_EQ(chain.in[0].size(), 16U);
	ring.give(chain, 7);
	EXPECT_EQ(bytes[used - base + 2], 1);
	EXPECT_EQ(bytes[used - base + 4], 3);
	EXPECT_EQ(bytes[used - base + 8], 7);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_EQ(error, "");
}

TEST_F(Ring, AChainWithoutEnd)
{
	descriptor(0, buffers, 4, 1, 1);
	descriptor(1, buffers, 4, 1, 0);
	offer(0);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
	EXPECT_FALSE(ring.ready());
}

TEST_F(Ring, AHeadOutsideTheRing)
{
	offer(size);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
}

TEST_F(Ring, ABufferOutsideMemory)
{
	descriptor(0, base + bytes.size() - 2, 4, 0, 0);
	offer(0);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
}

TEST_F(Ring, ABufferThatWrapsAround)
{
	descriptor(0, ~0ull - 1, 4, 0, 0);
	offer(0);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
}

TEST_F(Ring, MoreThanThereIsRoomFor)
{
	offer(0, size + 1);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
}

TEST_F(Ring, AnIndirectTable)
{
	descriptor(0, buffers, 16, 4, 0);
	offer(0);
	EXPECT_FALSE(ring.take(memory, chain, error));
	EXPECT_NE(error, "");
}

TEST_F(Ring, SizesAndPlaces)
{
	for (const uint32_t wrong : {0U, 3U, 65536U, ~0U})
		EXPECT_FALSE(ring.resize(wrong));
	EXPECT_TRUE(ring.resize(size));
	EXPECT_FALSE(ring.place(memory, descriptors + 1, available, used));
	EXPECT_FALSE(ring.place(memory, base + 0xff0, available, used));
	EXPECT_FALSE(ring.place(memory, descriptors, ~1ull, used));
	EXPECT_TRUE(ring.resize(32768));
	EXPECT_FALSE(ring.place(memory, descriptors, available, used));
}

} // namespace
