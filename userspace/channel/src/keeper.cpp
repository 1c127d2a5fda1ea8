// SPDX-License-Identifier: Apache-2.0
#include "keeper.hpp"

#include "quiet_thread.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** While calls wait, so often it is looked how the session does. */
constexpr std::chrono::milliseconds look_every{100};

} // namespace

void keeper::start(keeper_user &whom)
{
	whom_ = &whom;
	pause_ = rules_.between;
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
	if (waiting_++ == 0) {
		since_ = clock::now();
	}
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
	--waiting_;
}

/** The server should have been heard, and was not. */
bool keeper::is_silent(const session_use &use) const
{
	const auto now = clock::now();
	return waiting_ != 0 && use.silent >= rules_.silence && now - made_ >= rules_.silence &&
	       now - since_.load() >= rules_.silence;
}

/** Old, much used, gone, or with a server that does not answer. */
bool keeper::is_due()
{
	constexpr std::uint64_t block = 16;
	if (!has_session_ || !link_->has_sessions()) {
		return false;
	}
	const auto use = link_->use();
	if (!use || is_silent(*use)) {
		is_dead_ = true;
		return waiting_ != 0;
	}
	is_dead_ = false; // It was heard again.
	if (use->epoch != last_.epoch) {
		blocks_ += last_.blocks;
	}
	last_ = *use;
	return is_used_ && (clock::now() - made_ >= rules_.age ||
			    (blocks_ + last_.blocks) * block >= rules_.volume);
}

void keeper::make(std::unique_lock<std::mutex> &held, const std::stop_token &stop)
{
	const bool replaces_dead = has_session_ && (is_wanted_ || is_dead_);
	is_wanted_ = false;
	held.unlock();
	bool again = false;
	try {
		const link::made made = link_->renew(stop);
		has_session_ = true;
		is_dead_ = false;
		is_used_ = false;
		blocks_ = 0;
		last_ = {};
		made_ = clock::now();
		pause_ = rules_.between;
		whom_->session_made(made, replaces_dead);
	} catch (const std::system_error &failed) {
		// A server that is not there is not to be flooded.
		pause_ = std::min<clock::duration>(2 * pause_, rules_.between_at_most);
		again = whom_->session_failed(failed);
	} catch (const std::exception &failed) {
		pause_ = std::min<clock::duration>(2 * pause_, rules_.between_at_most);
		again = whom_->session_failed(std::system_error(
			std::make_error_code(std::errc::not_enough_memory), failed.what()));
	}
	next_ = clock::now() + pause_;
	held.lock();
	is_wanted_ = is_wanted_ || again;
}

/** Until it is to be looked again: soon where there are calls, otherwise when the next begins. */
void keeper::sleep(std::unique_lock<std::mutex> &held, const std::stop_token &stop)
{
	const bool was_active = is_active_.exchange(false);
	sleeps_long_ = !was_active && waiting_ == 0;
	// A call looks at that after it has said that it is there: one of the two sees the other.
	if (sleeps_long_ && waiting_ == 0 && !is_active_) {
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
