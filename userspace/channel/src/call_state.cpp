// SPDX-License-Identifier: Apache-2.0
#include "call_state.hpp"

#include "channel_core.hpp"
#include "insist.hpp"

#include <sdp/error.hpp>

#include <cerrno>
#include <utility>

namespace sdp::inline v0 {

namespace detail {

void call_state::complete(result<reply> with) noexcept
{
	outcome_.emplace(std::move(with));
	if (waiter_.exchange(done()) == nullptr) {
		waiter_.notify_all();
	} else if (on_->on_thread()) {
		resume();
	} else {
		insist([this] { on_->post([self = shared_from_this()] { self->resume(); }); });
	}
}

void call_state::resume() noexcept
{
	if (void *who = resumes_.exchange(nullptr)) {
		std::coroutine_handle<>::from_address(who).resume();
	}
}

void call_state::wait() const noexcept
{
	while (!has_ended()) {
		waiter_.wait(nullptr);
	}
}

void call_state::forget_waiter() noexcept
{
	resumes_ = nullptr;
	void *who = waiter_.load();
	if (who != done()) {
		waiter_.compare_exchange_strong(who, nullptr);
	}
}

bool call_state::resume_later(std::coroutine_handle<> next) noexcept
{
	resumes_ = next.address();
	void *nobody = nullptr;
	return waiter_.compare_exchange_strong(nobody, next.address());
}

} // namespace detail

pending_call::pending_call(std::shared_ptr<detail::call_state> is) noexcept : is_(std::move(is)) {}

pending_call::~pending_call()
{
	if (!is_) {
		return;
	}
	is_->forget_waiter();
	if (!is_->has_ended()) {
		cancel();
	}
}

pending_call::pending_call(pending_call &&other) noexcept = default;

pending_call &pending_call::operator=(pending_call &&other) noexcept
{
	if (this != &other) {
		const pending_call before = std::move(*this);
		is_ = std::move(other.is_);
	}
	return *this;
}

result<reply> pending_call::get()
{
	if (!is_->has_ended() && !is_->may_wait_here()) {
		cancel();
		return failure{executed::unknown, make_code(EDEADLK),
			       "the engine's thread must not wait: co_await the call"};
	}
	is_->wait();
	return is_->take();
}

bool pending_call::is_ready() const noexcept
{
	return is_->has_ended();
}

void pending_call::cancel()
{
	if (const auto owner = is_->owner.lock()) {
		owner->cancel(is_);
	}
}

bool pending_call::await_suspend(std::coroutine_handle<> next) noexcept
{
	return is_->resume_later(next);
}

result<reply> pending_call::await_resume()
{
	return is_->take();
}

} // namespace sdp::inline v0
