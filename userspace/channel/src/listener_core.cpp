// SPDX-License-Identifier: Apache-2.0
#include "listener_core.hpp"

#include "insist.hpp"
#include "timeout.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <span>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** Messages that are taken before those who wait are told. */
constexpr int burst = 32;
return_path back_to(const arrival &what)
{
	return {.peer = what.peer, .id = what.id, .early = what.early};
}

/** Early data say where they are from, and nobody has proven it: they share one share. */
address share_of(const arrival &what)
{
	return what.early ? address() : what.peer;
}

/** Of the bytes that there may be, those of answers to early data that nobody has asked for. */
constexpr std::size_t early_part = 4;

/** Answers that lack memory though the socket has some are tried again so soon, then less often. */
constexpr std::chrono::milliseconds first_pause{2};
constexpr std::chrono::milliseconds longest_pause{32};

} // namespace

listener_core::listener_core(listener_parts parts, const listener_options &options)
	: parts_(std::move(parts)),
	  options_(options),
	  epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
	  wake_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
	  retry_(check(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd")),
	  buffer_(parts_.by->room()),
	  early_answers_(options.most_bytes / early_part, options.most_bytes_of_one / early_part),
	  shares_(options.most_requests_of_one, options.most_bytes_of_one)
{
	watch(EPOLL_CTL_ADD, parts_.by->fd(), EPOLLIN, source::socket);
	watch(EPOLL_CTL_ADD, wake_.get(), EPOLLIN, source::wake);
	watch(EPOLL_CTL_ADD, retry_.get(), EPOLLIN, source::retry);
	if (parts_.handshakes) {
		// One thread at a time: who is told of it says when it is done.
		watch(EPOLL_CTL_ADD, parts_.handshakes->fd(), EPOLLIN | EPOLLONESHOT,
		      source::handshakes);
		parts_.handshakes->on_early([this](early_arrival &&what, principal who) {
			return take_early(std::move(what), std::move(who));
		});
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
		turn_away(back_to(each->message), status::closing, {});
		ended(*each);
	}
}

std::optional<request> listener_core::take(std::unique_lock<std::mutex> &held)
{
	while (!ready_.empty()) {
		contents first = std::move(ready_.front());
		ready_.pop_front();
		if (first->deadline && *first->deadline <= clock::now()) {
			held.unlock();
			turn_away(back_to(first->message), status::expired, {});
			++expired_;
			ended(*first);
			held.lock();
			continue;
		}
		first->of = shared_from_this();
		++handed_out_;
		early_ += first->message.early ? 1 : 0;
		return request(std::move(first));
	}
	return std::nullopt;
}

void listener_core::look_alone(std::unique_lock<std::mutex> &held,
			       const std::function<bool()> &look)
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
		has_handshakes = look();
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
				look_alone(held, [&] { return look(until); });
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

void listener_core::serve(const std::function<void(request)> &start, const std::stop_token &stop)
{
	insist([&] {
		while (auto got = next(std::nullopt, stop)) {
			start(std::move(*got));
		}
	});
}

std::optional<request> listener_core::poll()
{
	std::unique_lock held(lock_);
	auto got = take(held);
	if (!got && !is_looked_at_) {
		try {
			look_alone(held, [this] { return look_at_once(); });
			got = take(held);
		} catch (...) {
			changed_.notify_one();
			throw;
		}
		changed_.notify_one(); // Who waits in next() looks from now on.
	}
	keep_readable(!ready_.empty());
	return got;
}

bool listener_core::has_ready() const
{
	const std::scoped_lock held(lock_);
	return !ready_.empty();
}

void listener_core::keep_readable(bool yes) noexcept
{
	// Who looks would miss what wakes it.
	if (yes == is_kept_readable_ || (!yes && is_looked_at_)) {
		return;
	}
	std::uint64_t value = 0;
	is_kept_readable_ = yes;
	if (yes) {
		wake();
	} else {
		static_cast<void>(::eventfd_read(wake_.get(), &value));
	}
}

bool listener_core::look_at_once()
{
	// Handshakes, and answers that wait, have their turn too.
	if (++looks_ % burst != 0 && receive()) {
		return false;
	}
	return look(clock::time_point());
}

bool listener_core::look(std::optional<clock::time_point> until)
{
	std::array<epoll_event, 4> events{};
	const int count =
		::epoll_wait(epoll_.get(), events.data(), events.size(), milliseconds_until(until));
	if (count < 0) {
		if (errno != EINTR) {
			fail(errno, "epoll");
		}
		return false;
	}
	const auto there = std::span(events).first(static_cast<std::size_t>(count));
	const bool has_handshakes = std::ranges::any_of(there, [](const epoll_event &event) {
		return static_cast<source>(event.data.u64) == source::handshakes;
	});
	try {
		std::ranges::for_each(there, [this](const epoll_event &each) { handle(each); });
	} catch (...) {
		if (has_handshakes) {
			await_handshakes(); // Somebody else does them.
		}
		throw;
	}
	return has_handshakes;
}

void listener_core::handle(const epoll_event &event)
{
	std::uint64_t value = 0;
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
		break;
	case source::wake: {
		const std::scoped_lock held(lock_);
		is_kept_readable_ = false;
		static_cast<void>(::eventfd_read(wake_.get(), &value));
		break;
	}
	case source::retry:
		// Nothing to be read: it was set again meanwhile.
		static_cast<void>(::eventfd_read(retry_.get(), &value));
		send_waiting();
		break;
	}
}

void listener_core::shake_hands()
{
	parts_.handshakes->handle();
	await_handshakes();
}

void listener_core::await_handshakes()
{
	watch(EPOLL_CTL_MOD, parts_.handshakes->fd(), EPOLLIN | EPOLLONESHOT, source::handshakes);
}

bool listener_core::receive()
{
	bool any = false;
	for (int left = burst; left > 0; --left) {
		arrival what;
		int error = 0;
		try {
			error = receive_now(*parts_.by, buffer_.bytes(), what);
		} catch (const std::bad_alloc &) {
			++busy_;
			turn_away(back_to(what), status::busy, {});
			continue;
		}
		if (lacks_memory(error)) {
			break;
		}
		any = true;
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
	return any;
}

void listener_core::admit(arrival &&what)
{
	const return_path back = back_to(what);
	if (what.error) {
		++malformed_;
		turn_away(back, status::malformed, "it is too long");
		return;
	}
	bool is_taken = false;
	try {
		auto said = parse_request(what.bytes);
		if (said.error != header_error::none || (said.header.collects && back.early)) {
			++malformed_;
			turn_away(back, status::malformed, describe(said.error));
			return;
		}
		if (said.header.collects) {
			collect(back, bytes_view(what.bytes).subspan(said.length));
			return;
		}
		if (has_room(share_of(what))) {
			hold(std::move(what), std::move(said));
			is_taken = true;
		}
	} catch (const std::bad_alloc &) {
		is_taken = false;
	}
	if (!is_taken) {
		++busy_;
		turn_away(back, status::busy, {});
	}
}

bool listener_core::has_room(const address &whose)
{
	if (outstanding_ + waiting_ >= options_.most_requests ||
	    bytes_ + early_answers_.size(clock::now()) >= options_.most_bytes) {
		return false;
	}
	if (shares_.has_room(whose)) {
		return true;
	}
	++greedy_;
	return false;
}

void listener_core::hold(arrival &&what, parsed<request_header> &&said)
{
	auto made = std::make_unique<request::contents>();
	made->body = said.length;
	if (said.header.patience.count() > 0) {
		made->deadline = clock::now() + said.header.patience;
	}
	made->header = std::move(said.header);
	made->message = std::move(what);
	const std::size_t size = made->message.bytes.size();
	const address whose = share_of(made->message);
	shares_.add(whose, size);
	// Before it can be found: whoever takes it may be done with it at once.
	++outstanding_;
	bytes_ += size;
	try {
		const std::scoped_lock held(lock_);
		ready_.push_back(std::move(made));
	} catch (const std::bad_alloc &) {
		--outstanding_;
		bytes_ -= size;
		shares_.remove(whose, size);
		throw;
	}
}

void listener_core::ended(const request::contents &what) noexcept
{
	--outstanding_;
	bytes_ -= what.message.bytes.size();
	shares_.remove(share_of(what.message), what.message.bytes.size());
}

void listener_core::turn_away(const return_path &to, status why, std::string_view text) noexcept
{
	try {
		const auto message = std::make_shared<outgoing>();
		message->to = to.peer;
		message->id = to.id;
		message->early = to.early;
		message->is_refusal = true;
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

void listener_core::try_later() noexcept
{
	pause_ = std::clamp(2 * pause_, first_pause, longest_pause);
	itimerspec when{};
	when.it_value.tv_nsec = std::chrono::nanoseconds(pause_).count();
	// Cannot fail: it is one, and the time is right.
	static_cast<void>(::timerfd_settime(retry_.get(), 0, &when, nullptr));
}

void listener_core::keep(const std::shared_ptr<outgoing> &what)
{
	if (unsent_.empty()) {
		want_write(true);
		// A client to whom nothing is on its way may have room when the socket has none.
		try_later();
	} else if (what->is_refusal) {
		return; // Its client asks again.
	}
	shares_.add(what->to, what->bytes->size());
	try {
		unsent_.push_back(what);
	} catch (const std::bad_alloc &) {
		shares_.remove(what->to, what->bytes->size());
		throw;
	}
	waiting_ = unsent_.size();
	bytes_ += what->bytes->size();
}

void listener_core::send(const std::shared_ptr<outgoing> &what)
{
	if (what->early) {
		send_early(*what->early, what->bytes);
		return;
	}
	const std::scoped_lock held(send_lock_);
	const std::optional<int> error =
		engine_ == nullptr ? send_now(*parts_.by, *what) : engine_->send(attached_, what);
	if (error && lacks_memory(*error)) {
		keep(what);
	} else if (error && *error != 0) {
		fail(*error, "answer");
	}
}

/** All of them: none stands before those of other clients. */
void listener_core::send_waiting()
{
	const std::scoped_lock held(send_lock_);
	const auto gone = std::erase_if(unsent_, [this](const std::shared_ptr<outgoing> &each) {
		if (lacks_memory(send_now(*parts_.by, *each))) {
			return false;
		}
		// Any other error says that its client is gone, or cannot be reached.
		bytes_ -= each->bytes->size();
		shares_.remove(each->to, each->bytes->size());
		return true;
	});
	waiting_ = unsent_.size();
	if (gone != 0) {
		pause_ = {};
	}
	try {
		// If none went, it is their clients that have no room, and the socket has.
		want_write(gone != 0 && !unsent_.empty());
		if (unsent_.empty()) {
			return;
		}
	} catch (const std::bad_alloc &) {
		pause_ = {};
	}
	try_later();
}

std::optional<principal> listener_core::who(const address &peer, std::uint32_t id) const
{
	return parts_.handshakes ? parts_.handshakes->peer_of(peer, id) : std::nullopt;
}

listener_counts listener_core::counts() const
{
	return {.requests = handed_out_,
		.early = early_,
		.busy = busy_,
		.greedy = greedy_,
		.malformed = malformed_,
		.expired = expired_,
		.failed = failed_,
		.outstanding = outstanding_};
}

} // namespace sdp::inline v0::detail
