// SPDX-License-Identifier: Apache-2.0
/** @file Answers of a channel on their way from its engine's thread to who waits for them. */
#ifndef BENCH_ARRIVALS_HPP
#define BENCH_ARRIVALS_HPP

#include <sdp/channel.hpp>
#include <sdp/task.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
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

/** When @p call ends: @p to gets what @p make makes of its reply, or why there is none. */
template <typename T, typename Make>
sdp::task<void> deliver(sdp::pending_call call, arrivals<T> &to, Make make)
{
	const auto got = co_await std::move(call);
	if (got) {
		to.put(make(*got));
	} else {
		to.fail(got.error().describe());
	}
}

/** Of a channel with an engine of its own, on io_uring. */
inline sdp::channel_options own_engine()
{
	sdp::channel_options made;
	made.engine = std::make_shared<sdp::engine>(sdp::engine_kind::io_uring);
	return made;
}

} // namespace bench

#endif
