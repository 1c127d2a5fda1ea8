// SPDX-License-Identifier: Apache-2.0
#include "channel_core.hpp"

#include <sdp/error.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>
#include <utility>

namespace sdp::inline v0 {

namespace detail {

namespace {

constexpr std::chrono::hours longest_timeout{24 * 365};

} // namespace

executed executed_if_failed(const std::error_code &error) noexcept
{
	switch (error.value()) {
	case EBADMSG: // The response did not verify.
	case ENOBUFS: // There was no memory for it.
	case ENOMEM:
	case EMSGSIZE: // It was longer than wanted.
		return executed::executed;
	default:
		// Silence, and what anybody in the network may say, does not tell.
		return executed::unknown;
	}
}

channel_core::channel_core(std::unique_ptr<link> with, const channel_options &options)
	: options_(options),
	  engine_(options.engine ? options.engine : engine::shared()),
	  on_(engine_->inside()),
	  keeper_(std::move(with), options.sessions, options.at_once)
{
}

void channel_core::close() noexcept
{
	std::vector<call> all;
	{
		const std::scoped_lock held(lock_);
		is_closed_ = true;
		for (const auto &[cookie, each] : by_cookie_) {
			all.push_back(each);
		}
		if (attached_) {
			on_.detach(attached_);
		}
	}
	for (const call &each : all) {
		give_up(each, ECANCELED, "the channel was closed");
	}
	keeper_.stop();
}

std::shared_ptr<call_state> channel_core::begin(const method &which, bytes_view body,
						const call_options &options)
{
	auto made = std::make_shared<call_state>(weak_from_this(),
						 std::shared_ptr<engine_core>(engine_, &on_));
	const auto timeout = std::clamp<std::chrono::milliseconds>(
		options.timeout_.value_or(options_.timeout), std::chrono::milliseconds(0),
		longest_timeout);
	made->deadline = clock::now() + timeout;
	made->idempotent = options.idempotent_;
	made->may_be_early = options.early_;
	made->retry = options.retry_;
	made->stop = options.stop_;
	const header_error wrong = append(made->bytes, request_header{.method = which,
								      .metadata = options.metadata_,
								      .patience = timeout});
	if (wrong != header_error::none) {
		made->complete(failure{executed::not_executed, make_code(EINVAL),
				       std::string(describe(wrong))});
		return made;
	}
	made->bytes.insert(made->bytes.end(), body.begin(), body.end());
	if (auto refused = admit(made)) {
		made->complete(std::move(*refused));
		return made;
	}
	try {
		watch(made);
		attempt(made);
	} catch (...) {
		if (drop(made)) {
			throw; // What it says is all that its caller has of it.
		}
	}
	return made;
}

/** Lets it in, under a number by which it is found until it ends. */
std::optional<failure> channel_core::admit(const call &what)
{
	const std::scoped_lock held(lock_);
	if (is_closed_) {
		return failure{executed::not_executed, make_code(ECANCELED),
			       "the channel is closed"};
	}
	if (under_way_ >= options_.most_calls) {
		return failure{executed::not_executed, make_code(EAGAIN),
			       "the channel has as many calls as it may"};
	}
	what->number = next_cookie_++;
	by_cookie_.emplace(what->number, what);
	++under_way_;
	keeper_.call_begins();
	return std::nullopt;
}

/** Sees to it that it ends at its deadline, and when that is asked for. */
void channel_core::watch(const call &what)
{
	const std::weak_ptr<call_state> weak = what;
	const auto key = on_.arm(what->deadline, [self = weak_from_this(), weak] {
		const auto channel = self.lock();
		if (const auto late = weak.lock(); channel && late) {
			channel->expire(late);
		}
	});
	{
		const std::scoped_lock held(lock_);
		if (what->phase == call_phase::ended) {
			on_.disarm(key);
			return;
		}
		what->timer = key;
	}
	if (what->stop.stop_possible()) {
		// May be called at once.
		what->stopper.emplace(what->stop, [self = weak_from_this(), weak] {
			const auto channel = self.lock();
			if (const auto unwanted = weak.lock(); channel && unwanted) {
				channel->cancel(unwanted);
			}
		});
	}
}

bool channel_core::claim(call_state &what) noexcept
{
	if (what.phase == call_phase::ended) {
		return false;
	}
	what.phase = call_phase::ended;
	by_cookie_.erase(what.number);
	// It may be known for long still.
	what.bytes = std::vector<std::byte>();
	what.message.reset();
	what.whole.reset();
	if (what.timer) {
		on_.disarm(*what.timer);
	}
	--under_way_;
	keeper_.call_ends();
	return true;
}

void channel_core::end(const call &what, result<reply> with)
{
	{
		const std::scoped_lock held(lock_);
		if (!claim(*what)) {
			return;
		}
	}
	what->complete(std::move(with));
}

void channel_core::fail(const call &what, failure why)
{
	bool perhaps = false;
	{
		const std::scoped_lock held(lock_);
		if (!claim(*what)) {
			return;
		}
		perhaps = what->perhaps_executed;
	}
	if (perhaps && why.executed == executed::not_executed) {
		why.executed = executed::unknown;
	}
	what->complete(std::move(why));
}

/** Whether a handshake has it that has not sent it, and never will. */
bool channel_core::withdraw(call_state &what)
{
	early_fate fate = early_fate::not_sent;
	return what.early && what.early->fate.compare_exchange_strong(fate, early_fate::withdrawn);
}

/** Ends one that its caller has nothing of. @return false: it has ended, and tells of itself. */
bool channel_core::drop(const call &what) noexcept
{
	std::shared_ptr<transport> by;
	std::uint64_t cookie = 0;
	{
		const std::scoped_lock held(lock_);
		const auto message = what->message;
		const bool is_sent = what->phase == call_phase::is_sent && !withdraw(*what);
		if (!claim(*what)) {
			return false;
		}
		if (is_sent && attached_) {
			message->is_unwanted = true;
			by = attached_->by;
			cookie = message->cookie;
		}
	}
	if (by) {
		by->abort(cookie);
	}
	return true;
}

/** Ends it here and in the kernel. */
void channel_core::give_up(const call &what, int error, std::string text)
{
	failure why{executed::not_executed, make_code(error), std::move(text)};
	std::shared_ptr<transport> by;
	std::uint64_t cookie = 0;
	{
		const std::scoped_lock held(lock_);
		const bool is_sent = what->phase == call_phase::is_sent && !withdraw(*what);
		if (is_sent || what->perhaps_executed) {
			why.executed = executed::unknown;
		}
		if (why.text.empty() && !what->trouble.empty()) {
			why.text = "before: " + what->trouble;
		} else if (why.text.empty() && !is_sent && !is_ready_) {
			why.text = trouble_.empty() ? "there is no session yet"
						    : "there is no session: " + trouble_;
		}
		const auto message = what->message;
		// Behind all that needs memory: who gets it completes it.
		if (!claim(*what)) {
			return;
		}
		if (is_sent && attached_) {
			// Whoever is just sending it sees this, or the kernel has it already.
			message->is_unwanted = true;
			by = attached_->by;
			cookie = message->cookie;
		}
	}
	if (by) {
		by->abort(cookie);
	}
	what->complete(std::move(why));
}

void channel_core::expire(const call &what)
{
	give_up(what, ETIMEDOUT, {});
}

void channel_core::cancel(const call &what)
{
	give_up(what, ECANCELED, {});
}

std::optional<principal> channel_core::peer() const
{
	const std::scoped_lock held(lock_);
	return peer_;
}

channel_counts channel_core::counts() const
{
	const std::scoped_lock held(lock_);
	channel_counts all = counts_;
	all.under_way = under_way_;
	return all;
}

} // namespace detail

reply::reply(reply_header header, std::vector<std::byte> message, std::size_t body) noexcept
	: header_(std::move(header)), message_(std::move(message)), body_(body)
{
}

reply::~reply() = default;
reply::reply(reply &&other) noexcept = default;
reply &reply::operator=(reply &&other) noexcept = default;

std::string_view reply::text() const noexcept
{
	const bytes_view bytes = body();
	return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

namespace {

std::shared_ptr<detail::channel_core> make_core(std::string target,
						std::shared_ptr<const credentials> who,
						const channel_options &options)
{
	if (!who) {
		throw std::invalid_argument(
			"a channel without credentials; in the clear: clear_for_tests()");
	}
	return std::make_shared<detail::channel_core>(
		std::make_unique<detail::socket_link>(std::move(target), std::move(who), options),
		options);
}

} // namespace

channel::channel(std::string target, std::shared_ptr<const credentials> who,
		 const channel_options &options)
	: channel(make_core(std::move(target), std::move(who), options))
{
}

channel::channel(std::shared_ptr<detail::channel_core> core) : core_(std::move(core))
{
	core_->start();
}

channel::~channel()
{
	if (core_) {
		core_->close();
	}
}

channel::channel(channel &&other) noexcept = default;

channel &channel::operator=(channel &&other) noexcept
{
	if (this != &other) {
		const channel before = std::move(*this);
		core_ = std::move(other.core_);
	}
	return *this;
}

pending_call channel::call(const method &which, bytes_view body, const call_options &options)
{
	return pending_call(core_->begin(which, body, options));
}

std::optional<principal> channel::peer() const
{
	return core_->peer();
}

channel_counts channel::counts() const
{
	return core_->counts();
}

const std::shared_ptr<engine> &channel::engine() const noexcept
{
	return core_->engine();
}

} // namespace sdp::inline v0
