// SPDX-License-Identifier: Apache-2.0
#include "service.hpp"

#include "during.hpp"
#include "protocol.hpp"

#include <sdp/header.hpp>
#include <sdp/tls_plugin.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <exception>
#include <functional>
#include <string_view>
#include <sys/timerfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace sdp::redis {

namespace {

using api::redis;

/** Calls that are taken before Redis looks at its other clients. */
constexpr int burst = 32;
/** The socket is looked at again after that if it has failed. */
constexpr std::chrono::milliseconds before_again{100};
/** Peers that are remembered, connections of theirs or not. */
constexpr std::size_t most_peers = 65'536;
/** An answer's memory is kept for the next, up to so many bytes. */
constexpr std::size_t most_room = 65'536;

constexpr const char *no_descriptors = "Redis takes no more descriptors: maxclients";

std::shared_ptr<tls::plugin> credentials_of(const arguments &said)
{
	return std::make_shared<tls::plugin>(
		std::make_shared<tls::credentials>(tls::load({.chain = said.chain,
							      .key = said.key,
							      .authorities = said.authorities,
							      .revoked = said.revoked})));
}

} // namespace

std::size_t service::hash::operator()(const address &of) const noexcept
{
	return std::hash<std::string_view>()(
		{reinterpret_cast<const char *>(of.data()), of.size()});
}

service *service::the_one_;

service::service(RedisModuleCtx *loader, arguments said)
	: said_(std::move(said)),
	  limits_{.most_command = said_.most_command},
	  silence_(silence_rule_of(said_.idle)),
	  listener_(said_.local, credentials_of(said_)),
	  executor_(loader)
{
	using detail::check;
	timer_ = detail::file(
		check(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timer"));
	set_timer(silence_.tick);
	watch(true);
	if (redis.EventLoopAdd(timer_.get(), api::readable, tick, this) != api::ok) {
		watch(false);
		throw std::runtime_error(no_descriptors);
	}
	the_one_ = this;
	if (redis.SubscribeToServerEvent(loader, api::loop_turn, before_sleep) != api::ok) {
		leave_loop();
		throw std::runtime_error("Redis does not tell of turns of its loop");
	}
}

service::~service()
{
	redis.SubscribeToServerEvent(executor_.context(), api::loop_turn, nullptr);
	the_one_ = nullptr;
	leave_loop();
}

/** The next tick after @p first, the others as they are due. */
void service::set_timer(std::chrono::milliseconds first)
{
	const auto of = [](std::chrono::milliseconds time) {
		const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
		timespec made{};
		made.tv_sec = seconds.count();
		made.tv_nsec = std::chrono::nanoseconds(time - seconds).count();
		return made;
	};
	itimerspec when{};
	when.it_value = of(first);
	when.it_interval = of(silence_.tick);
	detail::check(::timerfd_settime(timer_.get(), 0, &when, nullptr), "timer");
}

void service::leave_loop()
{
	watch(false);
	redis.EventLoopDel(timer_.get(), api::readable);
}

service_counts service::counts() const noexcept
{
	service_counts now = counts_;
	now.peers = peers_.size();
	return now;
}

void service::watch(bool yes)
{
	if (yes == is_watched_) {
		return;
	}
	if (!yes) {
		redis.EventLoopDel(listener_.fd(), api::readable);
	} else if (redis.EventLoopAdd(listener_.fd(), api::readable, readable, this) != api::ok) {
		throw std::runtime_error(no_descriptors);
	}
	is_watched_ = yes;
}

void service::readable(int /*fd*/, void *self, int /*mask*/) noexcept
{
	// Redis writes what a module's calls have changed to the append-only file and to replicas
	// when a callback with a context ends. This is none; that of an event is, and one comes
	// before Redis waits again.
	auto &me = *static_cast<service *>(self);
	me.executor_.look_at_server();
	if (me.executor_.is_busy()) {
		me.take(); // There are no timers while a script runs, and nothing is changed.
	} else {
		me.is_due_ = true;
	}
}

void service::before_sleep(RedisModuleCtx * /*on*/, api::server_event /*what*/, std::uint64_t which,
			   void * /*more*/) noexcept
{
	if (which == api::before_sleep && std::exchange(the_one_->is_due_, false)) {
		the_one_->take();
	}
}

void service::take() noexcept
{
	try {
		executor_.look_after_timers();
		for (int left = burst; left > 0; --left) {
			auto what = listener_.poll();
			if (!what) {
				return;
			}
			try {
				handle(std::move(*what));
			} catch (const std::exception &error) {
				// This client's alone, who is told that there is no answer.
				redis.Log(executor_.context(), "warning", "a call: %s",
					  error.what());
			}
			if (!listener_.has_ready()) {
				return; // What has come since makes the descriptor readable.
			}
		}
	} catch (const std::exception &error) {
		redis.Log(executor_.context(), "warning", "%s; trying again soon", error.what());
		watch(false);
		try {
			set_timer(before_again);
		} catch (const std::exception &) {
			return; // At the next tick.
		}
	}
}

void service::tick(int fd, void *self, int /*mask*/) noexcept
{
	auto &me = *static_cast<service *>(self);
	std::uint64_t times = 0;
	if (::read(fd, &times, sizeof(times)) != sizeof(times)) {
		return; // Not yet: it does not block.
	}
	// Not their number: after a failure there is one earlier.
	me.ticks_ = static_cast<std::uint64_t>((std::chrono::steady_clock::now() - me.began_) /
					       me.silence_.tick);
	me.forget_silent();
	try {
		me.watch(true);
	} catch (const std::exception &error) {
		redis.Log(me.executor_.context(), "warning", "%s", error.what());
	}
}

void service::forget(peer &of, std::map<std::uint32_t, connection>::iterator which)
{
	counts_.held -= which->second.counted;
	--counts_.connections;
	of.connections.erase(which);
}

/** False: one of them runs a command, from within which this is called. */
bool service::forget_all(peer &of)
{
	if (std::ranges::any_of(of.connections, [](auto &each) { return each.second.runs; })) {
		return false;
	}
	while (!of.connections.empty()) {
		forget(of, of.connections.begin());
	}
	return true;
}

void service::forget_silent()
{
	if (runs()) {
		return;
	}
	const auto is_old = [this](std::uint64_t last) { return ticks_ - last > silence_.ticks; };
	for (auto at = peers_.begin(); at != peers_.end();) {
		peer &who = at->second;
		for (auto each = who.connections.begin(); each != who.connections.end();) {
			const auto old = each++;
			if (is_old(old->second.last)) {
				forget(who, old);
				++counts_.forgotten;
			}
		}
		at = who.connections.empty() && is_old(who.last) ? peers_.erase(at) : ++at;
	}
}

/**
 * False: the kernel does not take the answer. It is this client's own affair, which is gone, or
 * asks for more than a message may have; the others have nothing to do with it.
 */
bool service::is_sent(const std::function<void()> &answer)
{
	try {
		answer();
		return true;
	} catch (const std::system_error &) {
		++counts_.unanswered;
		return false;
	}
}

void service::refuse(request &what, status why, std::string_view text)
{
	++counts_.refused;
	// There are names in it, which may be long.
	is_sent([&] { what.refuse(why, text.substr(0, most_text)); });
}

bool service::identify(peer &who, request &what)
{
	const auto shown = what.who();
	redis_string user(said_.user_of(shown ? shown->name : std::string()));
	if (!shown || shown->name.empty() || !executor_.can_log_in(user)) {
		refuse(what, no_user,
		       "NOAUTH no user that is on for the certificate of '" +
			       (shown ? shown->name : "?") + "'");
		return false;
	}
	// Whoever has another certificate is another, also where both are the same user:
	// connections may have become another's by AUTH, and have transactions.
	if (user.view() != who.user.view() || shown->key != who.is.key ||
	    shown->name != who.is.name) {
		if (!forget_all(who)) {
			refuse(what, status::busy, {});
			return false;
		}
		who.user = std::move(user);
		who.is = *shown;
	}
	who.session = what.session();
	who.looked = ticks_;
	who.is_known = true;
	return true;
}

service::peer *service::find_peer(request &what)
{
	auto at = peers_.find(what.peer());
	if (at == peers_.end()) {
		if (peers_.size() >= most_peers) {
			refuse(what, too_many, "ERR max number of peers reached");
			return nullptr;
		}
		at = peers_.try_emplace(what.peer()).first;
	}
	peer &who = at->second;
	who.last = ticks_;
	if (!who.is_known || who.session != what.session()) {
		who.is_known = false;
		if (!identify(who, what)) {
			if (who.connections.empty() && !runs()) {
				peers_.erase(at);
			}
			return nullptr;
		}
	} else if (who.looked != ticks_) {
		// It may have been turned off since; whose the session is does not change.
		if (!executor_.can_log_in(who.user)) {
			refuse(what, no_user,
			       "NOAUTH the user '" + std::string(who.user.view()) +
				       "' is off, or there is none any more");
			return nullptr;
		}
		who.looked = ticks_;
	}
	return &who;
}

connection *service::find_connection(peer &who, request &what, std::uint32_t number, bool begin)
{
	auto at = who.connections.find(number);
	if (at != who.connections.end() && at->second.runs) {
		refuse(what, status::busy, {});
		return nullptr;
	}
	if (begin) {
		if (at != who.connections.end()) {
			forget(who, at);
		}
		if (executor_.room_for_clients(counts_.connections) == 0) {
			refuse(what, too_many, "ERR max number of clients reached");
			return nullptr;
		}
		at = who.connections.try_emplace(number, limits_).first;
		at->second.id = next_id_++;
		at->second.user = who.user;
		++counts_.connections;
	} else if (at == who.connections.end()) {
		refuse(what, no_connection, "ERR the server does not know this connection");
		return nullptr;
	}
	at->second.last = ticks_;
	return &at->second;
}

void service::run(peer &who, connection &of, std::string_view body, std::string &out)
{
	// Without memory for more, what was said and what was done are not known.
	struct ends_else {
		connection &of;
		int before;
		~ends_else()
		{
			if (std::uncaught_exceptions() > before) {
				of.ended = true;
				of.reader.clear();
				of.queue.reset();
				of.watched.reset();
			}
		}
	} const whatever{of, std::uncaught_exceptions()};
	const during now(of.runs, true);
	of.reader.give(body);
	while (!of.ended) {
		const auto found = of.reader.next();
		if (found == command_reader::found::nothing) {
			break;
		}
		if (found == command_reader::found::error) {
			append_error(out, "ERR " + of.reader.error());
			of.ended = true;
			break;
		}
		const std::size_t before = out.size();
		++counts_.commands;
		executor_.run(of, who.user, of.reader.arguments(), out);
		if (out.size() > said_.most_reply) {
			out.resize(before);
			out.shrink_to_fit();
			append_error(out, "ERR the replies to one message are longer than "
					  "max-reply of the module sdp");
			of.ended = true;
		}
	}
}

void service::handle(request &&what)
{
	++counts_.calls;
	const std::uint32_t flags = what.method().number();
	if (!what.method().is_number() || !what.secure()) {
		refuse(what, status::no_such_method, {});
		return;
	}
	peer *const who = find_peer(what);
	if (who == nullptr) {
		return;
	}
	const during now(depth_, depth_ + 1);
	std::string own;
	std::string &out = depth_ == 1 ? out_ : own;
	out.clear();
	const bool is_short = (flags & begins) != 0 && (flags & ends) != 0;
	if (is_short) {
		connection once(limits_);
		once.id = next_id_++;
		once.user = who->user;
		run(*who, once, what.text(), out);
		if (!once.ended && once.reader.unread() != 0) {
			append_error(out, "ERR Protocol error: the message ends within a command");
		}
		if (out.size() > most_body) {
			out.clear();
			append_error(out, "ERR the replies are longer than a message; ask for them "
					  "within a connection");
		}
		once.ended = false; // It is nobody's.
		answer(once, what, false, out);
		return;
	}
	const std::uint32_t number = flags & most_connection;
	connection *const of = find_connection(*who, what, number, (flags & begins) != 0);
	if (of == nullptr) {
		return;
	}
	if (of->told < of->rest.size()) {
		if (!what.body().empty()) {
			of->ended = true;
			append_error(out, "ERR a command before the reply to the one before was "
					  "fetched");
			std::string().swap(of->rest);
			of->told = 0;
		}
	} else {
		run(*who, *of, what.text(), out);
		if (!of->ended) {
			of->reader.keep();
		}
	}
	of->ended |= (flags & ends) != 0;
	limit(*of, out);
	answer(*of, what, true, out);
	counts_.held = counts_.held - of->counted + of->held();
	of->counted = of->held();
	if ((of->ended && of->told == of->rest.size()) || (flags & ends) != 0) {
		forget(*who, who->connections.find(number));
	}
}

/** Ends a connection that would have more kept than is left for all. */
void service::limit(connection &of, std::string &out)
{
	const std::size_t wanted = of.held() + (out.size() > most_body ? out.size() : 0);
	if (wanted <= of.counted || counts_.held - of.counted + wanted <= said_.most_held) {
		return;
	}
	out.clear();
	append_error(out, "ERR no room for this: max-held of the module sdp");
	of.ended = true;
	of.reader.clear();
	of.queue.reset();
	of.watched.reset();
}

void service::answer(connection &of, request &what, bool is_kept, std::string &out)
{
	metadata with;
	std::string_view body = out;
	if (is_kept) {
		if (of.rest.empty() && out.size() > most_body) {
			of.rest = std::exchange(out, {});
			of.told = 0;
		}
		if (!of.rest.empty()) {
			body = std::string_view(of.rest).substr(of.told, most_body);
			of.told += body.size();
			if (of.told < of.rest.size()) {
				with.set(more, "1");
			}
		}
	}
	if (of.ended && of.told == of.rest.size()) {
		with.set(ended, "1");
	}
	if (!is_sent([&] { what.answer(body, with); })) {
		// What it has not heard is lost, and so is what would follow.
		of.ended = true;
		of.told = of.rest.size();
	}
	if (of.told == of.rest.size() && !of.rest.empty()) {
		std::string().swap(of.rest);
		of.told = 0;
	}
	if (out.capacity() > most_room) {
		std::string().swap(out);
	}
}

} // namespace sdp::redis
