// SPDX-License-Identifier: Apache-2.0
#include <sdp/engine.hpp>

#include "engine_core.hpp"
#include "insist.hpp"
#include "quiet_thread.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <system_error>
#include <utility>

namespace sdp::inline v0 {

namespace detail {

namespace {

/** How long an engine that is in use sleeps at most. */
constexpr std::chrono::seconds longest_sleep{1};
/** What its last actions have sent gets so many turns still, where the kernel takes nothing. */
constexpr int most_last_turns = 100;

} // namespace

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
		made = timers_.add(when, std::move(what));
		is_used_ = true;
		wakes = is_asleep_ && (!until_ || when < *until_);
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
	post([this, made] { add(made); });
	return made;
}

void engine_core::add(const std::shared_ptr<attached> &what)
{
	const auto user = what->user.lock();
	if (!user || what->is_detached) {
		return;
	}
	try {
		on_->add(what);
	} catch (const std::system_error &failed) {
		if (const int why = failed.code().value(); why != ENOMEM) {
			user->broken(why);
			return;
		}
		static_cast<void>(arm(clock::now() + while_no_memory, [this, what] { add(what); }));
	}
}

void engine_core::detach(const std::shared_ptr<attached> &what)
{
	post([this, what] {
		what->is_detached = true;
		on_->remove(what);
	});
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

void engine_core::take_due(std::vector<action> &due,
			   std::optional<clock::time_point> &until) noexcept
{
	const std::scoped_lock held(lock_);
	const auto now = clock::now();
	try {
		if (due.empty()) {
			due.swap(posted_);
		} else {
			due.insert(due.end(), posted_.begin(), posted_.end());
			posted_.clear();
		}
		timers_.take(now, due);
	} catch (const std::bad_alloc &) {
		until = clock::time_point(); // The others have their turn behind these.
		return;
	}
	if (std::exchange(is_used_, false)) {
		look_ = now + longest_sleep;
	}
	is_asleep_ = due.empty();
	if (!is_asleep_) {
		until = clock::time_point();
		return;
	}
	// While there are new deadlines now and then, most are further away than that, and
	// wake nobody. Who is not used sleeps for as long as there is nothing to do.
	until = timers_.first();
	if (now < look_) {
		until = until ? std::min(*until, look_) : look_;
	}
	until_ = until;
}

void engine_core::run() noexcept
{
	thread_id_ = std::this_thread::get_id();
	on_->begin();
	std::vector<action> due;
	int last_turns = 0;
	for (;;) {
		std::optional<clock::time_point> until;
		take_due(due, until);
		for (action &each : due) {
			try {
				each();
			} catch (const std::bad_alloc &) {
				continue;
			} catch (const std::exception &) {
				// Its own affair: the others go on.
			}
			each = nullptr;
		}
		std::erase(due, nullptr);
		{
			const std::scoped_lock held(lock_);
			if (is_stopping_ && posted_.empty() &&
			    (!on_->has_sends() || ++last_turns > most_last_turns)) {
				break;
			}
			if (!is_asleep_ || is_stopping_) {
				until = clock::time_point(); // Only a look: there is more to do.
			}
		}
		try {
			on_->turn(until);
			if (!due.empty()) {
				std::this_thread::sleep_for(while_no_memory);
			}
		} catch (const std::exception &) {
			std::this_thread::sleep_for(while_no_memory);
		}
		const std::scoped_lock held(lock_);
		is_asleep_ = false;
	}
	on_->end();
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

/** Who sleeps, until it is resumed or destroyed; both on the engine's thread. */
struct engine::scheduled::sleeper {
	std::coroutine_handle<> next{};
	std::weak_ptr<detail::engine_core> on{};
	std::optional<detail::timers::key> timer{};
};

engine::scheduled::~scheduled()
{
	if (!is_ || !std::exchange(is_->next, nullptr) || !is_->timer) {
		return;
	}
	if (const auto on = is_->on.lock()) {
		on->disarm(*is_->timer);
	}
}

void engine::scheduled::await_suspend(std::coroutine_handle<> next)
{
	const auto who = std::make_shared<sleeper>();
	who->next = next;
	is_ = who;
	const auto wakes = [who] {
		if (const auto sleeps = std::exchange(who->next, nullptr)) {
			sleeps.resume();
		}
	};
	if (after_.count() <= 0) {
		on_.post(wakes);
		return;
	}
	who->on = on_.weak_from_this();
	who->timer = on_.arm(detail::timers::clock::now() + after_, wakes);
}

} // namespace sdp::inline v0
