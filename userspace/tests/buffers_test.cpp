// SPDX-License-Identifier: Apache-2.0
#include "buffers.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <poll.h>
#include <system_error>
#include <thread>

namespace {

using sdp::bytes_view;
using sdp::detail::pool;
using sdp::detail::region;

constexpr std::uint32_t page = region::page_size;

bool readable(int fd)
{
	pollfd one{fd, POLLIN, 0};
	return ::poll(&one, 1, 0) == 1;
}

TEST(region, is_rounded_up_to_pages)
{
	EXPECT_EQ(region(1).bytes().size(), page);
	EXPECT_EQ(region(page + 1).bytes().size(), 2 * page);
}

TEST(region, pieces_of_a_message)
{
	const region memory(std::size_t{4} * page);
	const std::array<std::uint32_t, 3> offsets{2 * page, 0, 3 * page + 1000};
	std::array<bytes_view, 3> chunks;
	memory.locate(offsets, 2 * page + 7, chunks);
	EXPECT_EQ(chunks[0].data(), &memory.bytes()[2UL * page]);
	EXPECT_EQ(chunks[0].size(), page);
	EXPECT_EQ(chunks[1].size(), page);
	EXPECT_EQ(chunks[2].size(), 7);
	EXPECT_EQ(chunks[2].data(), &memory.bytes()[3UL * page + 1000]);
	// A message in a shared page ends with the page at the latest.
	const std::array<std::uint32_t, 1> shared{page - 10};
	memory.locate(shared, 10, chunks);
	EXPECT_EQ(chunks[0].size(), 10);
	EXPECT_THROW(memory.locate(shared, 11, chunks), std::system_error);
}

TEST(region, places_outside_are_refused)
{
	const region memory(page);
	std::array<bytes_view, 1> chunks;
	const std::array<std::uint32_t, 1> outside{page};
	EXPECT_THROW(memory.locate(outside, 1, chunks), std::system_error);
	EXPECT_THROW(memory.locate({}, 1, chunks), std::system_error);
	EXPECT_NO_THROW(memory.locate({}, 0, chunks));
}

TEST(region, what_comes_back_is_handed_over_once)
{
	region memory(std::size_t{20} * page);
	std::array<std::uint32_t, 16> taken{};
	EXPECT_EQ(memory.take_returned(taken), 0);
	for (std::size_t i = 0; i < 20; ++i) {
		const bytes_view chunk = memory.bytes().subspan(i * page, 100);
		memory.give_back({&chunk, 1});
	}
	std::array<int, 20> seen{};
	EXPECT_EQ(memory.take_returned(taken), 16);
	for (const std::uint32_t offset : taken) {
		++seen.at(offset / page);
	}
	memory.put_returned(std::span(taken).first(2));
	--seen.at(taken[0] / page);
	--seen.at(taken[1] / page);
	const std::size_t rest = memory.take_returned(taken);
	EXPECT_EQ(rest, 6);
	for (const std::uint32_t offset : std::span(taken).first(rest)) {
		++seen.at(offset / page);
	}
	EXPECT_EQ(std::ranges::count(seen, 1), 20);
	EXPECT_EQ(memory.take_returned(taken), 0);
}

TEST(region, wakes_only_who_sleeps)
{
	region memory(page);
	const bytes_view chunk = memory.bytes().first(1);
	memory.give_back({&chunk, 1});
	EXPECT_FALSE(readable(memory.wake_fd()));
	{
		const region::sleeper one(memory);
		memory.give_back({&chunk, 1});
		EXPECT_TRUE(readable(memory.wake_fd()));
		memory.clear_wake();
		EXPECT_FALSE(readable(memory.wake_fd()));
		memory.clear_wake();
	}
	memory.give_back({&chunk, 1});
	EXPECT_FALSE(readable(memory.wake_fd()));
}

TEST(region, gives_back_from_many_threads)
{
	region memory(std::size_t{64} * page);
	{
		std::vector<std::jthread> threads;
		for (std::size_t t = 0; t < 4; ++t) {
			threads.emplace_back([&memory, t] {
				for (std::size_t i = 0; i < 16; ++i) {
					const bytes_view chunk =
						memory.bytes().subspan((t * 16 + i) * page, 1);
					memory.give_back({&chunk, 1});
				}
			});
		}
	}
	std::array<std::uint32_t, 64> taken{};
	EXPECT_EQ(memory.take_returned(taken), 64);
	std::ranges::sort(taken);
	EXPECT_EQ(std::ranges::adjacent_find(taken), taken.end());
}

TEST(pool, buffers_of_no_size_are_refused)
{
	EXPECT_THROW(pool(0), std::system_error);
}

TEST(pool, buffers_are_reused)
{
	pool buffers(5000);
	const auto first = buffers.take();
	const auto second = buffers.take();
	EXPECT_EQ(first.size(), 5000);
	EXPECT_NE(first.data(), second.data());
	first[4999] = std::byte{1};
	// A message is shorter than its buffer, perhaps empty.
	const bytes_view used = first.first(0);
	buffers.give_back({&used, 1});
	EXPECT_EQ(buffers.take().data(), first.data());
}

TEST(pool, strangers_and_repeats_are_ignored)
{
	pool buffers(100);
	const auto mine = buffers.take();
	const std::array<std::byte, 4> other{};
	const std::array<bytes_view, 3> chunks{bytes_view(other), bytes_view(mine),
					       bytes_view(mine)};
	buffers.give_back(chunks);
	const auto again = buffers.take();
	EXPECT_EQ(again.data(), mine.data());
	EXPECT_NE(buffers.take().data(), mine.data());
}

} // namespace
