// SPDX-License-Identifier: Apache-2.0
// A listener on an engine: its thread receives, starts coroutines and sends.
#include "listener_core.hpp"

#include "insist.hpp"

#include <cerrno>
#include <exception>
#include <future>
#include <sys/epoll.h>
#include <utility>

namespace sdp::inline v0::detail {

void listener_core::serve_on(engine_core &on, const std::function<void(request)> &start,
			     const std::stop_token &stop)
{
	broken_ = 0;
	ending_ = std::stop_source();
	const std::stop_callback ends(stop, [this] { ending_.request_stop(); });
	try {
		{
			const std::scoped_lock held(send_lock_);
			check(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, parts_.by->fd(), nullptr),
			      "epoll");
			engine_ = &on;
			on.post([this, &start] { start_ = &start; });
			attached_ = on.attach(parts_.by, weak_from_this());
			if (!unsent_.empty()) {
				on.want_write(attached_);
			}
		}
		// Without the socket, this looks at handshakes, and finds what had come before.
		const auto there = [&](request got) {
			on.post([this, left = std::make_shared<request>(std::move(got))] {
				begin(std::move(*left));
			});
		};
		serve(there, ending_.get_token());
	} catch (...) {
		leave(on);
		throw;
	}
	leave(on);
	if (broken_ != 0) {
		fail(broken_, "receive");
	}
}

/** Nothing of the engine's is left behind, whatever memory there is. */
void listener_core::leave(engine_core &on)
{
	if (engine_ == nullptr) {
		return;
	}
	if (attached_) {
		insist([&] { on.detach(attached_); });
	}
	insist([&] {
		std::promise<void> ended;
		on.post([&] {
			start_ = nullptr;
			// Behind a turn: what was queued has gone by our socket then.
			on.post([&] { ended.set_value(); });
		});
		ended.get_future().wait();
	});
	const std::scoped_lock held(send_lock_);
	engine_ = nullptr;
	attached_.reset();
	watch(EPOLL_CTL_ADD, parts_.by->fd(),
	      unsent_.empty() ? std::uint32_t{EPOLLIN} : std::uint32_t{EPOLLIN | EPOLLOUT},
	      source::socket);
}

void listener_core::arrived(arrival &&what)
{
	if (!what.is_request) {
		return;
	}
	admit(std::move(what));
	// What the ring had taken when serve_on() ended is left to next().
	while (start_ != nullptr) {
		std::unique_lock held(lock_);
		auto got = take(held);
		held.unlock();
		if (!got) {
			return;
		}
		begin(std::move(*got));
	}
	wake();
}

void listener_core::begin(request what) noexcept
{
	try {
		(*start_)(std::move(what));
	} catch (const std::exception &) {
		handler_failed(); // Its client was told.
	}
}

void listener_core::sent(const std::shared_ptr<outgoing> &what, int error)
{
	if (lacks_memory(error)) {
		const std::scoped_lock held(send_lock_);
		keep(what);
	} else if (error != 0 && !what->is_refusal) {
		// Nobody is there to be told but its client, if that can be reached.
		turn_away({.peer = what->to, .id = what->id}, status::not_answered, {});
	}
}

void listener_core::broken(int error)
{
	broken_ = error;
	ending_.request_stop();
}

} // namespace sdp::inline v0::detail
