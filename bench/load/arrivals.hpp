// SPDX-License-Identifier: Apache-2.0
/** @file Answers on their way from an engine's thread to who waits for them. */
#ifndef BENCH_ARRIVALS_HPP
#define BENCH_ARRIVALS_HPP

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace bench {

template <typename T>
class arrivals {
public:
	void put(T what)
	{
		const std::lock_guard hold(lock_);
		here_.push_back(std::move(what));
		some_.notify_one();
	}
	void fail(std::string why)
	{
		const std::lock_guard hold(lock_);
		failure_ = std::move(why);
		some_.notify_one();
	}
	/** The first one; none before @p until. @throws std::runtime_error after fail(). */
	std::optional<T> take(std::optional<std::chrono::steady_clock::time_point> until)
	{
		std::unique_lock hold(lock_);
		const auto any = [&] { return !here_.empty() || !failure_.empty(); };
		if (until) {
			some_.wait_until(hold, *until, any);
		} else {
			some_.wait(hold, any);
		}
		if (!failure_.empty()) {
			throw std::runtime_error(failure_);
		}
		if (here_.empty()) {
			return {};
		}
		T first = std::move(here_.front());
		here_.pop_front();
		return first;
	}

private:
	std::mutex lock_;
	std::condition_variable some_;
	std::deque<T> here_;
	std::string failure_;
};

} // namespace bench

#endif
