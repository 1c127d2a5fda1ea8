// SPDX-License-Identifier: Apache-2.0
#include <sdp/engine.hpp>

#include "engine_core.hpp"
#include "threads.hpp"

#include <cerrno>
#include <mutex>
#include <system_error>
#include <utility>

namespace sdp::inline v0 {

namespace detail {

std::unique_ptr<poller> make_poller(engine_kind which)
{
	if (which == engine_kind::epoll) {
		return make_epoll_poller();
	}
	try {
		return make_uring_poller();
	} catch (const std::system_error &failed) {
		const int why = failed.code().value();
		// ENOMEM: its locked memory is bounded where the kernel is old.
		const bool missing =
			why == ENOSYS || why == EPERM || why == EACCES || why == ENOMEM;
		if (which == engine_kind::io_uring || !missing) {
			throw;
		}
		return make_epoll_poller();
	}
}

void engine_core::start()
{
	thread_ = quiet_thread([self = shared_from_this()] { self->run(); });
}

void engine_core::stop() noexcept
{
	{
		const std::scoped_lock held(lock_);
		is_stopping_ = true;
	}
	on_->wake();
	if (on_thread()) {
		thread_.detach();
	} else {
		thread_.join();
	}
}

void engine_core::post(action what)
{
	bool wakes = false;
	{
		const std::scoped_lock held(lock_);
		posted_.push_back(std::move(what));
		wakes = std::exchange(is_asleep_, false);
	}
	if (wakes) {
		on_->wake();
	}
}

timers::key engine_core::arm(clock::time_point when, action what)
{
	bool wakes = false;
	timers::key made;
	{
		const std::scoped_lock held(lock_);
		const auto first = timers_.first();
		made = timers_.add(when, std::move(what));
		wakes = is_asleep_ && (!first || when < *first);
		is_asleep_ = is_asleep_ && !wakes;
	}
	if (wakes) {
		on_->wake();
	}
	return made;
}

void engine_core::disarm(const timers::key &which) noexcept
{
	const std::scoped_lock held(lock_);
	timers_.remove(which);
}

std::shared_ptr<attached> engine_core::attach(std::shared_ptr<transport> by,
					      std::weak_ptr<transport_user> user)
{
	auto made = std::make_shared<attached>();
	made->by = std::move(by);
	made->user = std::move(user);
	{
		const std::scoped_lock held(lock_);
		made->key = ++last_key_;
	}
	post([this, made] {
		try {
			on_->add(made);
		} catch (const std::system_error &failed) {
			if (const auto told = made->user.lock()) {
				told->broken(failed.code().value());
			}
		}
	});
	return made;
}

void engine_core::detach(const std::shared_ptr<attached> &what)
{
	post([this, what] { on_->remove(what); });
}

std::optional<int> engine_core::send(const std::shared_ptr<attached> &by,
				     const std::shared_ptr<outgoing> &what)
{
	if (on_thread() && on_->send(by, what)) {
		return std::nullopt;
	}
	return send_now(*by->by, *what);
}

void engine_core::want_write(const std::shared_ptr<attached> &what)
{
	// Behind attach(), which may have been a moment ago.
	post([this, what] { on_->want_write(what); });
}

std::vector<engine_core::action> engine_core::take_due(std::optional<clock::time_point> &until)
{
	const std::scoped_lock held(lock_);
	std::vector<action> due = std::exchange(posted_, {});
	for (action &each : timers_.take(clock::now())) {
		due.push_back(std::move(each));
	}
	is_asleep_ = due.empty();
	until = is_asleep_ ? timers_.first() : clock::time_point();
	return due;
}

void engine_core::run() noexcept
{
	constexpr std::chrono::milliseconds while_no_memory{10};
	thread_id_ = std::this_thread::get_id();
	for (;;) {
		std::optional<clock::time_point> until;
		for (const action &each : take_due(until)) {
			each();
		}
		{
			const std::scoped_lock held(lock_);
			if (is_stopping_ && posted_.empty()) {
				return;
			}
			if (!is_asleep_) {
				until = clock::time_point(); // Only a look: there is more to do.
			}
		}
		try {
			on_->turn(until);
		} catch (const std::exception &) {
			std::this_thread::sleep_for(while_no_memory);
		}
		const std::scoped_lock held(lock_);
		is_asleep_ = false;
	}
}

} // namespace detail

std::string_view name(engine_kind which) noexcept
{
	switch (which) {
	case engine_kind::io_uring:
		return "io_uring";
	case engine_kind::epoll:
		return "epoll";
	default:
		return "automatic";
	}
}

engine::engine(engine_kind which)
	: core_(std::make_shared<detail::engine_core>(detail::make_poller(which)))
{
	core_->start();
}

engine::~engine()
{
	core_->stop();
}

std::shared_ptr<engine> engine::shared()
{
	static std::mutex lock;
	static std::weak_ptr<engine> only;
	const std::scoped_lock held(lock);
	auto one = only.lock();
	if (!one) {
		one = std::make_shared<engine>();
		only = one;
	}
	return one;
}

engine_kind engine::kind() const noexcept
{
	return core_->kind();
}

bool engine::on_thread() const noexcept
{
	return core_->on_thread();
}

engine::scheduled engine::schedule() const noexcept
{
	return {*core_, std::chrono::nanoseconds(0)};
}

engine::scheduled engine::sleep_for(std::chrono::nanoseconds time) const noexcept
{
	return {*core_, time};
}

void engine::scheduled::await_suspend(std::coroutine_handle<> next) const
{
	if (after_.count() <= 0) {
		on_.post([next] { next.resume(); });
		return;
	}
	// It fires once, and is not disarmed: there is nothing to keep its key for.
	static_cast<void>(
		on_.arm(detail::timers::clock::now() + after_, [next] { next.resume(); }));
}

} // namespace sdp::inline v0
