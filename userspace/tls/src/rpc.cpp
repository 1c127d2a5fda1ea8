// SPDX-License-Identifier: Apache-2.0
// A client whose session renews itself, and a server with a thread for handshakes.
#include <sdp/tls.hpp>

#include "check.hpp"
#include "quiet_thread.hpp"
#include "session_watch.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <poll.h>
#include <stop_token>
#include <sys/eventfd.h>
#include <thread>
#include <utility>

namespace sdp::inline v0::tls {

namespace {

constexpr std::chrono::milliseconds look_every{100};
constexpr std::chrono::minutes least_age{2};
constexpr std::chrono::hours most_age{1};

renewal sane(renewal when)
{
	if (!when.any_age) {
		when.age = std::clamp<std::chrono::seconds>(when.age, least_age, most_age);
	}
	return when;
}

sdp::detail::session_watch::rules rules_of(const renewal &when)
{
	return {.age = when.age,
		.volume = when.volume,
		.silence = when.silence,
		.between = when.between,
		.at_most = when.between_at_most};
}

} // namespace

struct client::state {
	state(const address &to, std::shared_ptr<const credentials> who, client_options wish,
	      const renewal &when, const socket_options &how)
		: server(to),
		  with(std::move(who)),
		  options(std::move(wish)),
		  on(to.version(), how),
		  watch(rules_of(sane(when)))
	{
		renew(0);
		keeper = detail::quiet_thread([this] { keep(); });
	}
	~state()
	{
		// Of a handshake that goes on, too.
		ending.request_stop();
		{
			const std::scoped_lock held(lock);
			stopping = true;
		}
		wake.notify_all();
		keeper.join();
	}
	state(const state &) = delete;
	state &operator=(const state &) = delete;
	state(state &&) = delete;
	state &operator=(state &&) = delete;

	void renew(std::uint64_t instead_of);
	void keep() noexcept;
	/** Old, much used, gone, or with a server that does not answer. */
	bool is_due();
	message call(bytes_view body, const call_options &how);
	std::optional<message> attempt(bytes_view body, const call_options &how, bool last);

	const address server;
	const std::shared_ptr<const credentials> with;
	const client_options options;
	socket on;

	std::mutex one_at_a_time; /**< held for a whole handshake */
	std::mutex lock;          /**< of what follows, as far as it is not atomic */
	std::condition_variable wake;
	std::stop_source ending;
	bool stopping = false;
	identity peer;
	sdp::detail::session_watch watch;
	std::atomic<std::uint64_t> count = 0; /**< of sessions */
	sdp::detail::waiting_calls waiting;
	std::thread keeper;
};

/** A new session, unless another thread has made one since session number @p instead_of. */
void client::state::renew(std::uint64_t instead_of)
{
	const std::scoped_lock one(one_at_a_time);
	if (count != instead_of) {
		return;
	}
	established fresh = connect(on, server, with, options, ending.get_token());
	const std::scoped_lock held(lock);
	peer = std::move(fresh.peer);
	watch.made(clock::now());
	++count;
}

bool client::state::is_due()
{
	return watch.look(sdp::detail::use_of(on, server), waiting.since(), clock::now()) !=
	       sdp::detail::session_watch::state::fine;
}

void client::state::keep() noexcept
{
	clock::time_point next{};
	std::unique_lock held(lock);
	while (!wake.wait_for(held, look_every, [&] { return stopping; })) {
		if (clock::now() < next || !is_due()) {
			continue;
		}
		held.unlock();
		try {
			renew(count);
			held.lock();
			next = watch.next(clock::now());
		} catch (const std::exception &) {
			// Who calls is told.
			held.lock();
			next = watch.failed(clock::now());
		}
	}
}

message client::state::call(bytes_view body, const call_options &how)
{
	struct counted {
		explicit counted(state &of) : of_(of) { of_.waiting.begins(); }
		~counted() { of_.waiting.ends(); }
		counted(const counted &) = delete;
		counted &operator=(const counted &) = delete;
		counted(counted &&) = delete;
		counted &operator=(counted &&) = delete;
		state &of_;
	} const waits(*this);
	for (unsigned left = std::max(1U, how.tries); left-- > 0;) {
		const std::uint64_t under = count;
		if (auto response = attempt(body, how, left == 0)) {
			return std::move(*response);
		}
		renew(under);
	}
	sdp::detail::fail(ETIMEDOUT, "call");
}

/** Empty: it failed, and may be tried again under a new session. */
std::optional<message> client::state::attempt(bytes_view body, const call_options &how, bool last)
{
	try {
		return on.call(server, body, {}, how.timeout);
	} catch (const std::system_error &failed) {
		// ENOKEY: it was not sent.
		const bool unsent = failed.code() == make_code(ENOKEY);
		if (last || !(unsent || (how.repeat && is_transient(failed.code())))) {
			throw;
		}
		return std::nullopt;
	}
}

client::client(const address &server, std::shared_ptr<const credentials> with,
	       const client_options &options, const renewal &when, const socket_options &socket)
	: state_(std::make_unique<state>(detail::with_a_port(server), std::move(with), options,
					 when, socket))
{
}

client::~client() = default;
client::client(client &&other) noexcept = default;
client &client::operator=(client &&other) noexcept = default;

message client::call(bytes_view body, const call_options &options)
{
	return state_->call(body, options);
}

void client::start(bytes_view body, std::uint64_t cookie)
{
	state_->on.send_request(state_->server, body, {.cookie = cookie});
}

void client::renew()
{
	state_->renew(state_->count);
}

std::uint64_t client::sessions() const noexcept
{
	return state_->count;
}

identity client::peer() const
{
	const std::scoped_lock held(state_->lock);
	return state_->peer;
}

socket &client::underlying() noexcept
{
	return state_->on;
}

const address &client::server() const noexcept
{
	return state_->server;
}

struct server::state {
	state(const address &local, std::shared_ptr<const credentials> with,
	      const server_options &options)
		: on(make_socket(local)),
		  accepting(on, std::move(with), options),
		  stop(sdp::detail::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "handshakes")),
		  thread(detail::quiet_thread([this] { run(); }))
	{
	}
	~state()
	{
		// Cannot fail: the counter is far from its end.
		static_cast<void>(::eventfd_write(stop.get(), 1));
		thread.join();
	}
	state(const state &) = delete;
	state &operator=(const state &) = delete;
	state(state &&) = delete;
	state &operator=(state &&) = delete;

	static socket make_socket(const address &local)
	{
		socket made(local.version());
		// Before the port is there: nothing may come in under another policy.
		made.set_policy(policy::secure);
		made.bind(local);
		return made;
	}
	void run() noexcept
	{
		constexpr std::chrono::milliseconds while_no_memory{100};
		std::array<pollfd, 2> wait{{{accepting.fd(), POLLIN, 0}, {stop.get(), POLLIN, 0}}};
		while (wait[1].revents == 0) {
			if (::poll(wait.data(), wait.size(), -1) < 0) {
				std::this_thread::sleep_for(while_no_memory);
				continue;
			}
			accepting.handle();
		}
	}

	socket on;
	acceptor accepting;
	sdp::detail::file stop;
	std::thread thread;
};

server::server(const address &local, std::shared_ptr<const credentials> with,
	       const server_options &options)
	: state_(std::make_unique<state>(detail::with_a_port(local), std::move(with), options))
{
}

server::~server() = default;
server::server(server &&other) noexcept = default;
server &server::operator=(server &&other) noexcept = default;

message server::receive()
{
	for (;;) {
		message request = state_->on.receive();
		if (request.is_request()) {
			return request;
		}
	}
}

void server::respond(const message &request, bytes_view body)
{
	state_->on.respond(request, body);
}

std::optional<identity> server::peer_of(const message &request) const
{
	return state_->accepting.peer_of(request.peer(), request.session());
}

void server::use(std::shared_ptr<const credentials> with)
{
	state_->accepting.use(std::move(with));
}

server_counts server::counts() const
{
	return state_->accepting.counts();
}

socket &server::underlying() noexcept
{
	return state_->on;
}

} // namespace sdp::inline v0::tls
