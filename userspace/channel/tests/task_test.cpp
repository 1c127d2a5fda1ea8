// SPDX-License-Identifier: Apache-2.0
#include <sdp/engine.hpp>
#include <sdp/task.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::task;

task<int> number(int value)
{
	co_return value;
}

task<int> sum(int depth)
{
	if (depth == 0) {
		co_return 0;
	}
	co_return 1 + co_await sum(depth - 1);
}

task<void> throws()
{
	throw std::runtime_error("on purpose");
	co_return;
}

TEST(task, does_nothing_by_itself)
{
	bool begun = false;
	const auto begin = [&]() -> task<void> {
		begun = true;
		co_return;
	};
	{
		const task<void> never = begin();
	}
	EXPECT_FALSE(begun);
	sdp::sync_wait(begin());
	EXPECT_TRUE(begun);
}

TEST(task, gives_what_it_returns)
{
	EXPECT_EQ(sdp::sync_wait(number(3)), 3);
	EXPECT_EQ(sdp::sync_wait(sum(1000)), 1000);
}

TEST(task, exceptions_arrive_where_it_is_awaited)
{
	EXPECT_THROW(sdp::sync_wait(throws()), std::runtime_error);
	const auto outer = []() -> task<int> {
		try {
			co_await throws();
		} catch (const std::runtime_error &) {
			co_return 1;
		}
		co_return 0;
	};
	EXPECT_EQ(sdp::sync_wait(outer()), 1);
}

TEST(task, frames_go_with_their_owner)
{
	const auto held = std::make_shared<int>(0);
	{
		const auto keeps = [](std::shared_ptr<int> what) -> task<int> { co_return *what; };
		task<int> one = keeps(held);
		EXPECT_EQ(held.use_count(), 2);
		task<int> other = std::move(one);
		EXPECT_EQ(held.use_count(), 2);
	}
	EXPECT_EQ(held.use_count(), 1);
}

TEST(task, all_at_once)
{
	sdp::engine on;
	const auto later = [&](int i) -> task<int> {
		co_await on.sleep_for(std::chrono::milliseconds(i % 5));
		co_return i;
	};
	const auto all = [&]() -> task<std::vector<int>> {
		std::vector<task<int>> each;
		for (int i = 0; i < 200; ++i) {
			each.push_back(later(i));
		}
		co_return co_await sdp::when_all(std::move(each));
	};
	const std::vector<int> got = sdp::sync_wait(all());
	for (int i = 0; i < 200; ++i) {
		EXPECT_EQ(got.at(static_cast<std::size_t>(i)), i);
	}
	const auto none = []() -> task<std::size_t> {
		co_return (co_await sdp::when_all(std::vector<task<int>>())).size();
	};
	EXPECT_EQ(sdp::sync_wait(none()), 0U);
}

/** Where a coroutine waits until it is let through, or destroyed. */
struct gate {
	std::coroutine_handle<> waits{};

	struct awaiter {
		gate &at;
		[[nodiscard]] bool await_ready() const noexcept { return false; }
		void await_suspend(std::coroutine_handle<> next) const noexcept { at.waits = next; }
		void await_resume() const noexcept {}
		explicit awaiter(gate &where) : at(where) {}
		~awaiter() { at.waits = nullptr; }
		awaiter(const awaiter &) = delete;
		awaiter &operator=(const awaiter &) = delete;
		awaiter(awaiter &&) = delete;
		awaiter &operator=(awaiter &&) = delete;
	};
	awaiter operator co_await() { return awaiter(*this); }
};

/** Runs @p what until it first waits. */
template <typename T>
void begin(task<T> &what)
{
	std::move(what).operator co_await().await_suspend(std::noop_coroutine()).resume();
}

TEST(task, who_waits_for_all_may_be_destroyed)
{
	const auto held = std::make_shared<int>(7);
	std::array<gate, 3> gates{};
	const auto waits = [](gate &at, std::shared_ptr<int> what) -> task<int> {
		co_await at;
		co_return *what;
	};
	const auto all_of = [&] {
		std::vector<task<int>> each;
		for (gate &at : gates) {
			each.push_back(waits(at, held));
		}
		return sdp::when_all(std::move(each));
	};
	{
		auto all = all_of();
		begin(all);
		gates[1].waits.resume();
		EXPECT_TRUE(gates[0].waits);
	}
	EXPECT_FALSE(gates[0].waits);
	EXPECT_FALSE(gates[2].waits);
	EXPECT_EQ(held.use_count(), 1);
	{
		auto all = all_of();
		begin(all);
		for (gate &at : gates) {
			at.waits.resume();
		}
	}
	EXPECT_EQ(held.use_count(), 1);
	{
		const auto never = all_of();
	}
	EXPECT_EQ(held.use_count(), 1);
}

TEST(task, a_group_waits_for_its_own)
{
	sdp::engine on;
	std::atomic<int> ended = 0;
	{
		sdp::task_group all;
		for (int i = 0; i < 50; ++i) {
			all.start([](sdp::engine &where, std::atomic<int> &count) -> task<void> {
				co_await where.sleep_for(1ms);
				++count;
			}(on, ended));
		}
	}
	EXPECT_EQ(ended, 50);
}

TEST(task, goes_on_on_the_engines_thread)
{
	sdp::engine on;
	EXPECT_FALSE(on.on_thread());
	const auto there = [&]() -> task<bool> {
		co_await on.schedule();
		co_return on.on_thread();
	};
	EXPECT_TRUE(sdp::sync_wait(there()));
}

} // namespace
