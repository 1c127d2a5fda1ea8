// SPDX-License-Identifier: Apache-2.0
#include "listener_core.hpp"
#include "timeout.hpp"

#include <array>
#include <cerrno>
#include <span>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** Messages that are taken before those who wait are told. */
constexpr int burst = 32;

bool lacks_memory(int error)
{
	return error == EAGAIN || error == ENOMEM || error == ENOBUFS;
}

} // namespace

listener_core::listener_core(listener_parts parts, const listener_options &options)
	: parts_(std::move(parts)),
	  options_(options),
	  epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
	  wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
	  buffer_(parts_.by->room())
{
	watch(EPOLL_CTL_ADD, parts_.by->fd(), EPOLLIN, source::socket);
	watch(EPOLL_CTL_ADD, wake_.get(), EPOLLIN, source::wake);
	if (parts_.handshakes) {
		// One thread at a time: who is told of it says when it is done.
		watch(EPOLL_CTL_ADD, parts_.handshakes->fd(), EPOLLIN | EPOLLONESHOT,
		      source::handshakes);
	}
}

void listener_core::watch(int operation, int fd, std::uint32_t events, source which)
{
	epoll_event event{};
	event.events = events;
	event.data.u64 = static_cast<std::uint64_t>(which);
	check(::epoll_ctl(epoll_.get(), operation, fd, &event), "epoll");
}

void listener_core::wake() noexcept
{
	// Cannot fail: the counter is far from its end.
	static_cast<void>(::eventfd_write(wake_.get(), 1));
}

void listener_core::close() noexcept
{
	parts_.refuse();
	std::deque<contents> left;
	{
		const std::scoped_lock held(lock_);
		left.swap(ready_);
	}
	for (const contents &each : left) {
		turn_away(each->message, status::closing, {});
		ended();
	}
}

std::optional<request> listener_core::take(std::unique_lock<std::mutex> &held)
{
	while (!ready_.empty()) {
		contents first = std::move(ready_.front());
		ready_.pop_front();
		if (first->deadline && *first->deadline <= clock::now()) {
			held.unlock();
			turn_away(first->message, status::expired, {});
			++expired_;
			ended();
			held.lock();
			continue;
		}
		first->of = shared_from_this();
		++handed_out_;
		return request(std::move(first));
	}
	return std::nullopt;
}

/** One look at the kernel, as the only one who does. */
void listener_core::look_alone(std::unique_lock<std::mutex> &held,
			       std::optional<clock::time_point> until)
{
	struct turn {
		turn(listener_core &of, std::unique_lock<std::mutex> &lock) : of_(of), lock_(lock)
		{
			of_.is_looked_at_ = true;
			lock_.unlock();
		}
		~turn()
		{
			lock_.lock();
			of_.is_looked_at_ = false;
		}
		turn(const turn &) = delete;
		turn &operator=(const turn &) = delete;
		turn(turn &&) = delete;
		turn &operator=(turn &&) = delete;

	private:
		listener_core &of_;
		std::unique_lock<std::mutex> &lock_;
	};
	bool has_handshakes = false;
	{
		const turn mine(*this, held);
		has_handshakes = look(until);
	}
	if (has_handshakes) {
		// Meanwhile another one looks, and takes what is there.
		changed_.notify_one();
		held.unlock();
		shake_hands();
		held.lock();
	}
}

std::optional<request> listener_core::next(std::optional<clock::time_point> until,
					   const std::stop_token &stop)
{
	const std::stop_callback woken(stop, [this] { wake(); });
	std::unique_lock held(lock_);
	std::optional<request> got;
	for (;;) {
		got = take(held);
		if (got || stop.stop_requested() || (until && clock::now() >= *until)) {
			break;
		}
		if (!is_looked_at_) {
			try {
				look_alone(held, until);
			} catch (...) {
				changed_.notify_one(); // It is told likewise.
				throw;
			}
			continue;
		}
		const auto changed = [&] { return !is_looked_at_ || !ready_.empty(); };
		if (until) {
			changed_.wait_until(held, stop, *until, changed);
		} else {
			changed_.wait(held, stop, changed);
		}
	}
	// Whoever goes has another one take its place.
	if (!is_looked_at_ || !ready_.empty()) {
		changed_.notify_one();
	}
	return got;
}

std::optional<request> listener_core::poll()
{
	std::unique_lock held(lock_);
	auto got = take(held);
	if (!got && !is_looked_at_) {
		look_alone(held, clock::time_point());
		got = take(held);
	}
	if (!ready_.empty()) {
		wake(); // fd() stays readable.
	}
	return got;
}

bool listener_core::look(std::optional<clock::time_point> until)
{
	std::array<epoll_event, 3> events{};
	const int count =
		::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_until(until));
	if (count < 0) {
		if (errno != EINTR) {
			fail(errno, "epoll");
		}
		return false;
	}
	bool has_handshakes = false;
	for (const epoll_event &event : std::span(events).first(static_cast<std::size_t>(count))) {
		switch (static_cast<source>(event.data.u64)) {
		case source::socket:
			if ((event.events & EPOLLOUT) != 0) {
				send_waiting();
			}
			if ((event.events & ~std::uint32_t{EPOLLOUT}) != 0) {
				receive();
			}
			break;
		case source::handshakes:
			has_handshakes = true;
			break;
		case source::wake: {
			eventfd_t value = 0;
			static_cast<void>(::eventfd_read(wake_.get(), &value));
			break;
		}
		}
	}
	return has_handshakes;
}

void listener_core::shake_hands()
{
	parts_.handshakes->handle();
	watch(EPOLL_CTL_MOD, parts_.handshakes->fd(), EPOLLIN | EPOLLONESHOT, source::handshakes);
}

void listener_core::receive()
{
	for (int left = burst; left > 0; --left) {
		arrival what;
		const int error = receive_now(*parts_.by, buffer_.bytes(), what);
		if (error == EAGAIN || error == EINTR || error == ENOMEM) {
			return;
		}
		if (error == EPROTO) {
			continue;
		}
		if (error != 0) {
			fail(error, "receive");
		}
		if (what.is_request) {
			admit(std::move(what));
		}
	}
}

void listener_core::admit(arrival &&what)
{
	if (what.error) {
		++malformed_;
		turn_away(what, status::malformed, "it is too long");
		return;
	}
	auto said = parse_request(what.bytes);
	if (said.error != header_error::none) {
		++malformed_;
		turn_away(what, status::malformed, describe(said.error));
		return;
	}
	if (outstanding_ >= options_.most_requests) {
		++busy_;
		turn_away(what, status::busy, {});
		return;
	}
	++outstanding_;
	auto made = std::make_unique<request::contents>();
	made->body = said.length;
	if (said.header.patience.count() > 0) {
		made->deadline = clock::now() + said.header.patience;
	}
	made->header = std::move(said.header);
	made->message = std::move(what);
	const std::scoped_lock held(lock_);
	ready_.push_back(std::move(made));
}

void listener_core::turn_away(const arrival &what, status why, std::string_view text) noexcept
{
	try {
		const auto message = std::make_shared<outgoing>();
		message->to = what.peer;
		message->id = what.id;
		message->bytes = std::make_shared<const std::vector<std::byte>>(
			make_reply({.status = why, .text = std::string(text)}, {}));
		send(message);
	} catch (const std::exception &) {
		return; // No memory, or no way to there: the client finds out by itself.
	}
}

void listener_core::want_write(bool yes)
{
	if (engine_ == nullptr) {
		watch(EPOLL_CTL_MOD, parts_.by->fd(),
		      yes ? std::uint32_t{EPOLLIN | EPOLLOUT} : std::uint32_t{EPOLLIN},
		      source::socket);
	} else if (yes) {
		engine_->want_write(attached_);
	}
}

void listener_core::send(const std::shared_ptr<outgoing> &what)
{
	const std::scoped_lock held(send_lock_);
	std::optional<int> error = EAGAIN;
	if (unsent_.empty()) {
		error = engine_ == nullptr ? send_now(*parts_.by, *what)
					   : engine_->send(attached_, what);
	}
	if (error && lacks_memory(*error)) {
		unsent_.push_back(what);
		if (unsent_.size() == 1) {
			want_write(true);
		}
	} else if (error && *error != 0) {
		fail(*error, "answer");
	}
}

void listener_core::send_waiting()
{
	const std::scoped_lock held(send_lock_);
	while (!unsent_.empty()) {
		if (lacks_memory(send_now(*parts_.by, *unsent_.front()))) {
			want_write(true);
			return;
		}
		// Any other error says that its client is gone, or cannot be reached.
		unsent_.pop_front();
	}
	want_write(false);
}

std::optional<principal> listener_core::who(const address &peer, std::uint32_t id) const
{
	return parts_.handshakes ? parts_.handshakes->peer_of(peer, id) : std::nullopt;
}

listener_counts listener_core::counts() const
{
	return {.requests = handed_out_,
		.busy = busy_,
		.malformed = malformed_,
		.expired = expired_,
		.failed = failed_,
		.outstanding = outstanding_};
}

} // namespace sdp::inline v0::detail
