// SPDX-License-Identifier: Apache-2.0
// A listener on an engine: its thread receives, starts coroutines and sends.
#include "listener_core.hpp"

#include <cerrno>
#include <future>
#include <sys/epoll.h>
#include <utility>

namespace sdp::inline v0::detail {

void listener_core::serve_on(engine_core &on, const std::function<void(request)> &start,
			     const std::stop_token &stop)
{
	broken_ = 0;
	start_ = start;
	ending_ = std::stop_source();
	const std::stop_callback ends(stop, [this] { ending_.request_stop(); });
	{
		const std::scoped_lock held(send_lock_);
		check(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, parts_.by->fd(), nullptr), "epoll");
		engine_ = &on;
		attached_ = on.attach(parts_.by, weak_from_this());
		if (!unsent_.empty()) {
			on.want_write(attached_);
		}
	}
	// Without the socket, this looks at handshakes, and finds what had come before.
	while (auto got = next(std::nullopt, ending_.get_token())) {
		on.post([this, left = std::make_shared<request>(std::move(*got))] {
			start_(std::move(*left));
		});
	}
	leave(on);
	if (broken_ != 0) {
		fail(broken_, "receive");
	}
}

void listener_core::leave(engine_core &on)
{
	on.detach(attached_);
	std::promise<void> ended;
	on.post([&] {
		start_ = nullptr;
		ended.set_value();
	});
	ended.get_future().wait();
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
	while (start_) {
		std::unique_lock held(lock_);
		auto got = take(held);
		held.unlock();
		if (!got) {
			return;
		}
		start_(std::move(*got));
	}
	wake();
}

void listener_core::sent(const std::shared_ptr<outgoing> &what, int error)
{
	if (error != EAGAIN && error != ENOMEM && error != ENOBUFS) {
		return; // It went, or its client is gone.
	}
	const std::scoped_lock held(send_lock_);
	unsent_.push_back(what);
	if (unsent_.size() == 1) {
		want_write(true);
	}
}

void listener_core::broken(int error)
{
	broken_ = error;
	ending_.request_stop();
}

} // namespace sdp::inline v0::detail
