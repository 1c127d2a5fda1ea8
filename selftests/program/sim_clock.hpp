// SPDX-License-Identifier: Apache-2.0
// The simulator's time: a heap of what is due, in order of time and then of
// entry, so that runs repeat to the bit.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "../../module/program/types.h"

namespace sim {

constexpr u64 us = 1000;
constexpr u64 ms = 1000 * us;
constexpr u64 second = 1000 * ms;

class Clock {
public:
	u64 now() const { return now_; }
	u64 steps() const { return order_; }

	void at(u64 when, std::function<void()> what)
	{
		due_.push_back({std::max(when, now_), order_++, std::move(what)});
		std::push_heap(due_.begin(), due_.end(), later);
	}

	// When the next thing is due; ~0: never.
	u64 next() const { return due_.empty() ? ~0ULL : due_.front().when; }

	// Do the next thing.
	void step()
	{
		std::pop_heap(due_.begin(), due_.end(), later);
		const Due due = std::move(due_.back());
		due_.pop_back();
		now_ = due.when;
		due.what();
	}

	// Nothing is due before @when: it is that time now.
	void skip(u64 when) { now_ = std::max(now_, when); }

private:
	struct Due {
		u64 when;
		u64 order;
		std::function<void()> what;
	};

	static bool later(const Due &a, const Due &b)
	{
		return a.when != b.when ? a.when > b.when : a.order > b.order;
	}

	std::vector<Due> due_;
	u64 now_ = 1000 * ms;
	u64 order_ = 0;
};

} // namespace sim
