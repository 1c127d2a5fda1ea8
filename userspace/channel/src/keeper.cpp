// SPDX-License-Identifier: Apache-2.0
#include "keeper.hpp"

#include "quiet_thread.hpp"

#include <exception>
#include <optional>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** While calls wait, so often it is looked how the session does. */
constexpr std::chrono::milliseconds look_every{100};

} // namespace

void keeper::start(keeper_user &whom)
{
	whom_ = &whom;
	thread_ = quiet_thread([this] { run(stop_.get_token()); });
}

void keeper::stop() noexcept
{
	stop_.request_stop();
	if (thread_.joinable()) {
		thread_.join();
	}
}

void keeper::want()
{
	{
		const std::scoped_lock held(lock_);
		is_wanted_ = true;
	}
	wake_.notify_all();
}

void keeper::has_made()
{
	const std::scoped_lock held(lock_);
	is_wanted_ = false;
}

void keeper::call_begins()
{
	waiting_.begins();
	// Seldom written: all threads share them.
	if (!is_used_) {
		is_used_ = true;
	}
	if (!is_active_) {
		is_active_ = true;
	}
	if (sleeps_long_ && sleeps_long_.exchange(false)) {
		{
			// Not between its look and its sleep.
			const std::scoped_lock held(lock_);
		}
		wake_.notify_all();
	}
}

void keeper::call_ends() noexcept
{
	waiting_.ends();
}

/** Old, or gone, and in use; or dead and asked for. */
bool keeper::is_due()
{
	if (!has_session_ || !link_->has_sessions()) {
		return false;
	}
	const auto use = link_->use();
	const auto how = watch_.look(use, waiting_.since(), clock::now());
	is_dead_ = how == session_watch::state::dead; // Or was heard again.
	if (is_dead_) {
		return waiting_.any() || (is_used_ && !use);
	}
	return is_used_ && how == session_watch::state::old;
}

void keeper::make(std::unique_lock<std::mutex> &held, const std::stop_token &stop)
{
	const bool replaces_dead = has_session_ && (is_wanted_ || is_dead_);
	is_wanted_ = false;
	held.unlock();
	bool again = false;
	try {
		const auto early = whom_->take_early();
		const link::made made = link_->renew(stop, early.get());
		has_session_ = true;
		is_dead_ = false;
		is_used_ = false;
		watch_.made(clock::now());
		whom_->session_made(made, replaces_dead);
		next_ = watch_.next(clock::now());
	} catch (const std::system_error &failed) {
		if (is_dead_) {
			is_used_ = waiting_.any(); // Who does not call wants no other try.
		}
		again = whom_->session_failed(failed);
		next_ = watch_.failed(clock::now());
	} catch (const std::exception &failed) {
		again = whom_->session_failed(std::system_error(
			std::make_error_code(std::errc::not_enough_memory), failed.what()));
		next_ = watch_.failed(clock::now());
	}
	held.lock();
	is_wanted_ = is_wanted_ || again;
}

/** Until it is to be looked again: soon where there are calls, otherwise when the next begins. */
void keeper::sleep(std::unique_lock<std::mutex> &held, const std::stop_token &stop)
{
	const bool was_active = is_active_.exchange(false);
	sleeps_long_ = !was_active && !waiting_.any();
	// A call looks at that after it has said that it is there: one of the two sees the other.
	if (sleeps_long_ && !waiting_.any() && !is_active_) {
		wake_.wait(held, stop, [&] { return is_wanted_ || !sleeps_long_; });
		sleeps_long_ = false;
		return;
	}
	sleeps_long_ = false;
	wake_.wait_for(held, stop, look_every, [&] { return is_wanted_; });
}

void keeper::run(const std::stop_token &stop) noexcept
{
	std::unique_lock held(lock_);
	while (!stop.stop_requested()) {
		if (!is_wanted_) {
			held.unlock();
			const bool due = is_due();
			if (due && is_dead_) {
				whom_->session_doubted();
			}
			held.lock();
			// Also if it is heard again before the rules let another one be made.
			is_wanted_ = is_wanted_ || (due && is_dead_);
			if (!due && !is_wanted_) {
				sleep(held, stop);
				continue;
			}
		}
		if (clock::now() < next_) {
			// Others may want it as much as they like.
			wake_.wait_until(held, stop, next_, [] { return false; });
			continue;
		}
		make(held, stop);
	}
}

} // namespace sdp::inline v0::detail
