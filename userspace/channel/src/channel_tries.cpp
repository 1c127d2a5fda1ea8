// SPDX-License-Identifier: Apache-2.0
// The tries of calls: what is sent, what comes of it, and whether it is sent again.
#include "channel_core.hpp"

#include <sdp/error.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sdp::inline v0::detail {

namespace {

/** Between two tries, at first, and at most. */
constexpr std::chrono::milliseconds first_pause{10};
constexpr std::chrono::milliseconds longest_pause{1000};
/** After the kernel had said that there is memory, and there was none. */
constexpr std::chrono::milliseconds memory_pause{2};

/** What it fails with without a session that may be used: a new one helps. */
bool lacks_session(int error)
{
	return error == ENOKEY || error == EKEYEXPIRED || error == ECONNRESET || error == EBUSY;
}

/** An RPC that fails so had a session whose keys are gone: the next has none either. */
bool lost_keys(const std::error_code &error)
{
	return error.value() == ENOKEY || error.value() == EKEYEXPIRED;
}

/** Statuses of requests that another try may find a server for. */
bool may_pass(status what)
{
	return what == status::busy || what == status::closing || what == status::not_answered;
}

failure perhaps_early()
{
	return {executed::unknown, make_code(ECONNRESET),
		"it went as early data, and the server may have taken them or not"};
}

/** Handshakes that fail for another reason do so again, until a human mends it. */
bool heals(const std::error_code &why)
{
	switch (why.value()) {
	case EINVAL: // The kernel has forgotten a nonce, as while the machine was suspended;
	case EEXIST: // or has it still.
	case ECONNREFUSED:
	case EADDRNOTAVAIL:
	case ENETDOWN:
	case EAGAIN:
	case EBUSY:
	case ENOMEM:
	case ENOBUFS:
	case EMFILE:
	case ENFILE:
		return true;
	default:
		return is_transient(why);
	}
}

} // namespace

channel_core::call channel_core::find(std::uint64_t cookie) const
{
	const auto found = by_cookie_.find(cookie);
	return found == by_cookie_.end() ? nullptr : found->second;
}

void channel_core::enqueue(std::deque<call> &line, const call &what)
{
	constexpr std::size_t some = 64;
	if (line.size() > 2 * under_way_ + some) {
		std::erase_if(line,
			      [](const call &each) { return each->phase == call_phase::ended; });
	}
	line.push_back(what);
}

/** What is to be sent of @p what now; null: it has ended, or waits for what it lacks. */
std::shared_ptr<outgoing> channel_core::prepare(const call &what)
{
	const std::scoped_lock held(lock_);
	if (what->phase != call_phase::waits) {
		return nullptr;
	}
	if (!is_ready_) {
		enqueue(for_session_, what);
		keeper_.want();
		return nullptr;
	}
	if (is_blocked_) {
		enqueue(for_memory_, what);
		return nullptr;
	}
	auto message = std::make_shared<outgoing>();
	message->bytes = next_bytes(*what);
	if (what->message) {
		// Each try has a number of its own: what still comes of another is nobody's.
		auto node = by_cookie_.extract(what->number);
		what->number = node.key() = next_cookie_++;
		by_cookie_.insert(std::move(node));
		++counts_.retried;
	}
	++what->tries;
	++counts_.sent;
	message->to = server_;
	message->cookie = what->number;
	what->message = message;
	what->session = session_;
	what->phase = call_phase::is_sent;
	return message;
}

void channel_core::attempt(const call &what)
{
	const auto message = prepare(what);
	if (!message) {
		return;
	}
	// attached_ never changes once there was a session.
	if (const auto error = on_.send(attached_, message)) {
		sent(message, *error);
	}
}

void channel_core::sent(const std::shared_ptr<outgoing> &message, int error)
{
	if (error == 0) {
		if (message->is_unwanted) {
			attached_->by->abort(message->cookie);
		}
		return;
	}
	call what;
	{
		const std::scoped_lock held(lock_);
		what = find(message->cookie);
		if (!what) {
			return;
		}
		if (lacks_memory(error)) {
			what->phase = call_phase::waits;
			enqueue(for_memory_, what);
			if (!std::exchange(is_blocked_, true)) {
				on_.want_write(attached_);
			}
			return;
		}
		if (lacks_session(error)) {
			if (what->session == session_) {
				is_ready_ = false;
				keeper_.want(); // Also if this one does not wait for it.
			}
			if (what->retry) {
				what->phase = call_phase::waits;
			}
		}
	}
	if (lacks_session(error) && what->retry) {
		attempt(what); // Has it wait for a session, if there is no newer one.
		return;
	}
	fail(what, {executed::not_executed, make_code(error), "it was not sent"});
}

/** Those that wait for memory, in their order, until one finds none. */
void channel_core::writable()
{
	std::unique_lock held(lock_);
	is_blocked_ = false;
	for (bool first = true; !is_blocked_ && !for_memory_.empty(); first = false) {
		const call next = for_memory_.front();
		for_memory_.pop_front();
		held.unlock();
		const auto message = prepare(next);
		const int error = message ? send_now(*attached_->by, *message) : 0;
		if (!message || !lacks_memory(error)) {
			if (message) {
				sent(message, error);
			}
			held.lock();
			continue;
		}
		held.lock();
		if (find(message->cookie)) {
			next->phase = call_phase::waits;
			for_memory_.push_front(next);
		}
		if (std::exchange(is_blocked_, true)) {
			return;
		}
		if (first) {
			static_cast<void>(
				on_.arm(clock::now() + memory_pause, [self = weak_from_this()] {
					if (const auto here = self.lock()) {
						here->writable();
					}
				}));
		} else {
			on_.want_write(attached_);
		}
		return;
	}
}

void channel_core::arrived(arrival &&got)
{
	call what;
	{
		const std::scoped_lock held(lock_);
		what = got.is_request ? nullptr : find(got.cookie);
		if (!what) {
			return; // Of a try that was given up.
		}
		if ((got.error.value() == ETIMEDOUT || lost_keys(got.error)) &&
		    what->session == session_) {
			is_ready_ = false; // Perhaps the server is another one now.
			keeper_.want();
		}
	}
	if (got.error) {
		// Of a question for the answer to early data it does not say what became of those.
		settle(what,
		       {what->collects ? executed::unknown : executed_if_failed(got.error),
			got.error,
			{}},
		       is_transient(got.error) || lost_keys(got.error));
		return;
	}
	if (what->collects) {
		collected(what, std::move(got));
		return;
	}
	replied(what, std::move(got.bytes));
}

void channel_core::replied(const call &what, std::vector<std::byte> &&message)
{
	parsed<reply_header> said = parse_reply(message);
	if (said.error != header_error::none) {
		fail(what, {executed::executed, make_code(EPROTO),
			    "the reply: " + std::string(describe(said.error))});
		return;
	}
	const status what_it_says = said.header.status;
	if (what_it_says == status::ok) {
		end(what, reply(std::move(said.header), std::move(message), said.length));
		return;
	}
	settle(what,
	       {executed_if(what_it_says), make_error_code(what_it_says),
		std::move(said.header.text)},
	       may_pass(what_it_says));
}

void channel_core::settle(const call &what, failure why, bool may_heal)
{
	const bool is_allowed = why.executed == executed::not_executed || what->idempotent;
	if (!what->retry || !may_heal || !is_allowed) {
		fail(what, std::move(why));
		return;
	}
	clock::time_point when;
	{
		const std::scoped_lock held(lock_);
		if (what->phase != call_phase::is_sent) {
			return;
		}
		what->phase = call_phase::waits;
		what->collects.reset();
		what->perhaps_executed =
			what->perhaps_executed || why.executed != executed::not_executed;
		what->trouble = why.describe();
		constexpr unsigned most_doubled = 7;
		const auto pause = std::min(
			first_pause * (1U << std::min(what->tries, most_doubled)), longest_pause);
		when = clock::now() + pause;
	}
	static_cast<void>(on_.arm(when, [self = weak_from_this(), again = std::weak_ptr(what)] {
		const auto here = self.lock();
		if (const auto one = again.lock(); here && one) {
			here->attempt(one);
		}
	}));
}

void channel_core::broken(int error)
{
	std::vector<call> all;
	{
		const std::scoped_lock held(lock_);
		is_closed_ = true;
		for (const auto &[cookie, each] : by_cookie_) {
			all.push_back(each);
		}
	}
	for (const call &each : all) {
		give_up(each, error, "the socket is broken");
	}
}

void channel_core::session_made(const link::made &what, bool replaces_dead)
{
	std::vector<std::uint64_t> lost;
	std::unique_lock held(lock_);
	if (is_closed_) {
		return;
	}
	if (!attached_) {
		attached_ = on_.attach(what.by, weak_from_this());
	}
	lost.reserve(replaces_dead ? by_cookie_.size() : 0);
	server_ = what.server;
	peer_ = what.peer;
	is_ready_ = true;
	keeper_.has_made(); // Who wants one from now on wants another.
	trouble_.clear();
	++session_;
	++counts_.sessions;
	const call early = std::exchange(early_, nullptr);
	std::optional<std::vector<std::byte>> answer;
	bool is_lost = false;
	if (early && early->phase != call_phase::ended) {
		answer = std::move(early->early->reply);
		is_lost = place_early(early);
	}
	for (const auto &[cookie, each] : by_cookie_) {
		// Their server is gone, and they may be executed twice.
		if (replaces_dead && each->phase == call_phase::is_sent && each->idempotent &&
		    each->retry && each != early) {
			for_session_.push_back(each);
			each->phase = call_phase::waits;
			each->perhaps_executed = true;
			each->message->is_unwanted = true;
			lost.push_back(cookie);
		}
	}
	held.unlock();
	if (is_lost) {
		fail(early, perhaps_early());
	} else if (answer) {
		replied(early, std::move(*answer));
	}
	for (const std::uint64_t cookie : lost) {
		attached_->by->abort(cookie);
	}
	held.lock();
	while (is_ready_ && !for_session_.empty()) {
		const call next = for_session_.front();
		for_session_.pop_front();
		held.unlock();
		attempt(next);
		held.lock();
	}
}

bool channel_core::session_failed(const std::system_error &why)
{
	std::deque<call> hopeless;
	call lost;
	bool is_wanted = false;
	{
		const std::scoped_lock held(lock_);
		const call early = std::exchange(early_, nullptr);
		if (early && early->phase != call_phase::ended && place_early(early)) {
			lost = early;
		}
		++counts_.failed;
		trouble_ = why.what();
		if (!heals(why.code())) {
			hopeless.swap(for_session_);
		}
		std::erase_if(for_session_,
			      [](const call &each) { return each->phase == call_phase::ended; });
		is_wanted = !for_session_.empty();
	}
	if (lost) {
		fail(lost, perhaps_early());
	}
	for (const call &each : hopeless) {
		fail(each, {executed::not_executed, why.code(), why.what()});
	}
	return is_wanted;
}

void channel_core::session_doubted()
{
	const std::scoped_lock held(lock_);
	is_ready_ = false;
}

} // namespace sdp::inline v0::detail
