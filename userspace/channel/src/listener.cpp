// SPDX-License-Identifier: Apache-2.0
#include <sdp/listener.hpp>

#include "listener_core.hpp"
#include "quiet_thread.hpp"
#include "socket_transport.hpp"

#include <algorithm>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace sdp::inline v0 {

namespace {

/** A socket, who makes sessions on it, and what carries messages. */
struct service {
	service(socket with, std::shared_ptr<const credentials> from, std::size_t room)
		: who(std::move(from)), on(std::move(with)), by(on, room)
	{
	}
	std::shared_ptr<const credentials> who;
	socket on;
	detail::socket_transport by;
};

const std::shared_ptr<const credentials> &checked(const std::shared_ptr<const credentials> &who)
{
	if (!who) {
		throw std::invalid_argument(
			"a listener without credentials; in the clear: clear_for_tests()");
	}
	return who;
}

std::shared_ptr<detail::listener_core> make_core(socket with,
						 std::shared_ptr<const credentials> who,
						 const listener_options &options)
{
	auto all = std::make_shared<service>(std::move(with), std::move(who), options.most_request);
	detail::listener_parts parts;
	// An engine that has an answer to send has the socket, too: otherwise it might go out by
	// another's, which has its descriptor by then.
	parts.by = std::shared_ptr<detail::transport>(all, &all->by);
	parts.handshakes = all->who->accept(all->on);
	parts.refuse = [all] { all->on.accept_requests(false); };
	parts.local = [all] { return all->on.local(); };
	parts.keeps = std::move(all);
	return std::make_shared<detail::listener_core>(std::move(parts), options);
}

socket bound(const address &local, const credentials &who)
{
	socket made(local.version(), {.max_message = 1});
	// Before the port is there: nothing may come in under another policy.
	made.set_policy(who.policy());
	made.bind(local);
	return made;
}

socket inherited_one(int descriptor, const std::shared_ptr<const credentials> &who)
{
	// First: whatever is wrong, it is closed.
	socket made = socket::adopt(descriptor, {.max_message = 1});
	made.set_policy(checked(who)->policy());
	return made;
}

/**
 * Runs @p work on @p threads threads, of which this is one, with what asks them to stop: @p stop,
 * or that there are not so many threads. The first exception, when all ended.
 */
void run_on(unsigned threads, const std::stop_token &stop,
	    const std::function<void(const std::stop_token &)> &work)
{
	std::stop_source ending;
	const std::stop_callback ends(stop, [&] { ending.request_stop(); });
	std::mutex lock;
	std::exception_ptr thrown;
	const auto guarded = [&] {
		try {
			work(ending.get_token());
		} catch (...) {
			const std::scoped_lock held(lock);
			if (!thrown) {
				thrown = std::current_exception();
			}
		}
	};
	{
		struct joined {
			std::vector<std::thread> all;
			~joined()
			{
				std::ranges::for_each(all, [](auto &each) { each.join(); });
			}
		} others;
		try {
			others.all.reserve(threads);
			for (unsigned left = threads; left > 1; --left) {
				others.all.push_back(detail::quiet_thread(guarded));
			}
		} catch (...) {
			ending.request_stop(); // Of those that there are: they would serve on.
			throw;
		}
		guarded();
	}
	if (thrown) {
		std::rethrow_exception(thrown);
	}
}

void handle(const std::function<void(request)> &handler, request what, detail::listener_core &of)
{
	try {
		handler(std::move(what));
	} catch (...) {
		of.handler_failed();
	}
}

task<void> handle_async(const std::function<task<void>(request)> &handler, request what,
			detail::listener_core &of)
{
	try {
		co_await handler(std::move(what));
	} catch (...) {
		of.handler_failed();
	}
}

} // namespace

listener::listener(const address &local, const std::shared_ptr<const credentials> &who,
		   const listener_options &options)
	: listener(make_core(bound(detail::with_a_port(local), *checked(who)), who, options))
{
}

listener::listener(int inherited, const std::shared_ptr<const credentials> &who,
		   const listener_options &options)
	: listener(make_core(inherited_one(inherited, who), who, options))
{
}

listener::listener(std::shared_ptr<detail::listener_core> core) noexcept : core_(std::move(core)) {}

listener::~listener()
{
	if (core_) {
		core_->close();
	}
}

listener::listener(listener &&other) noexcept = default;

listener &listener::operator=(listener &&other) noexcept
{
	if (this != &other) {
		const listener before = std::move(*this);
		core_ = std::move(other.core_);
	}
	return *this;
}

std::optional<request> listener::next(std::optional<clock::time_point> until,
				      const std::stop_token &stop)
{
	return core_->next(until, stop);
}

void listener::serve(const std::function<void(request)> &handler, unsigned threads,
		     const std::stop_token &stop)
{
	run_on(threads, stop, [&](const std::stop_token &ending) {
		core_->serve([&](request got) { handle(handler, std::move(got), *core_); }, ending);
	});
}

void listener::serve_async(const std::function<task<void>(request)> &handler, unsigned threads,
			   const std::stop_token &stop)
{
	task_group all;
	run_on(threads, stop, [&](const std::stop_token &ending) {
		core_->serve(
			[&](request got) {
				all.start(handle_async(handler, std::move(got), *core_));
			},
			ending);
	});
}

void listener::serve_on(engine &on, const std::function<task<void>(request)> &handler,
			const std::stop_token &stop)
{
	task_group all;
	core_->serve_on(
		on.inside(),
		[&](request what) { all.start(handle_async(handler, std::move(what), *core_)); },
		stop);
}

int listener::fd() const noexcept
{
	return core_->fd();
}

std::optional<request> listener::poll()
{
	return core_->poll();
}

bool listener::has_ready() const
{
	return core_->has_ready();
}

address listener::local() const
{
	return core_->local();
}

listener_counts listener::counts() const
{
	return core_->counts();
}

} // namespace sdp::inline v0
