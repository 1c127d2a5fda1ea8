// SPDX-License-Identifier: Apache-2.0
// Channels and listeners on a kernel that has the module: run in a guest, in the network namespace
// of the clients; servers run on threads that have gone to the namespace b.
#include <sdp/channel.hpp>
#include <sdp/listener.hpp>
#include <sdp/task.hpp>
#include <sdp/tls_plugin.hpp>

#include "lab.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <linux/homa.h>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::address;
using sdp::call_options;
using sdp::channel;
using sdp::engine_kind;
using sdp::executed;
using sdp::listener;
using sdp::request;
using sdp::status;

const address place = address::parse("10.0.0.2:4000");
const std::string target = "10.0.0.2:4000";
using credentials = std::shared_ptr<const sdp::credentials>;

struct people {
	lab::authority ca{"lab"};
	lab::certificate client = ca.issue({.name = "client.lab"});
	lab::certificate server = ca.issue({.name = "server.lab"});

	[[nodiscard]] credentials of(const lab::certificate &who,
				     const sdp::tls::plugin_options &options = {}) const
	{
		return std::make_shared<sdp::tls::plugin>(
			std::make_shared<sdp::tls::credentials>(
				sdp::tls::settings{.chain = who.chain(),
						   .key = who.private_key(),
						   .authorities = ca.pem()}),
			options);
	}
	static const people &all()
	{
		static const people only;
		return only;
	}
};

credentials client_credentials()
{
	return people::all().of(people::all().client);
}

credentials server_credentials()
{
	return people::all().of(people::all().server);
}

void go_to_b()
{
	const int there = ::open("/run/netns/b", O_RDONLY | O_CLOEXEC);
	ASSERT_GE(there, 0);
	ASSERT_EQ(::setns(there, CLONE_NEWNET), 0);
	::close(there);
}

void usual(request what)
{
	if (what.method() == "drop") {
		return;
	}
	if (what.method() == "slow") {
		std::this_thread::sleep_for(
			std::chrono::milliseconds(std::stoi(std::string(what.text()))));
	}
	if (what.method() == "who") {
		const auto who = what.who();
		what.answer(who ? who->name : "?");
		return;
	}
	what.answer(what.text());
}

/** A server in the other namespace, until it is destroyed. */
class service {
public:
	using body = std::function<void(listener &, const std::stop_token &)>;

	explicit service(
		body work = [](listener &on,
			       const std::stop_token &stop) { on.serve(usual, 2, stop); },
		credentials who = server_credentials(), const sdp::listener_options &options = {})
		: thread_([this, work = std::move(work), who = std::move(who),
			   options](const std::stop_token &stop) {
			  go_to_b();
			  {
				  listener on(place, who, options);
				  is_there_.count_down();
				  work(on, stop);
				  counts_ = on.counts();
			  }
		  })
	{
		is_there_.wait();
	}
	sdp::listener_counts end()
	{
		thread_.request_stop();
		thread_.join();
		return counts_;
	}

private:
	std::latch is_there_{1};
	sdp::listener_counts counts_;
	std::jthread thread_;
};

/** RPCs that the kernel of this namespace has. */
int rpcs_here()
{
	std::ifstream all("/proc/thread-self/net/sdp/rpcs");
	int lines = 0;
	for (std::string line; std::getline(all, line);) {
		++lines;
	}
	return lines - 1;
}

class live : public testing::TestWithParam<engine_kind> {
protected:
	/** An emulated processor may stop for a while. */
	live()
	{
		options_.engine = std::make_shared<sdp::engine>(GetParam());
		options_.timeout = 120s;
		options_.handshake_timeout = 30s;
		options_.server_name = "server.lab";
	}
	channel begin() { return channel(target, client_credentials(), options_); }

	sdp::channel_options options_;
};

#define EXPECT_ANSWER(call, text_)                            \
	do {                                                  \
		const auto said = (call).get();               \
		ASSERT_TRUE(said) << said.error().describe(); \
		EXPECT_EQ(said->text(), text_);               \
	} while (false)

TEST_P(live, each_end_knows_the_other)
{
	service on;
	channel to = begin();
	EXPECT_ANSWER(to.call("who", "x"), "client.lab");
	EXPECT_EQ(to.peer()->name, "server.lab");
	EXPECT_NE(to.peer()->key, sdp::principal().key);
	EXPECT_EQ(options_.engine->kind(), GetParam());
	const std::string large(900'000, 'l');
	EXPECT_ANSWER(to.call("echo", large), large);
}

TEST_P(live, many_threads_on_one_channel)
{
	service on;
	channel to = begin();
	std::vector<std::jthread> all;
	for (int i = 0; i < 8; ++i) {
		all.emplace_back([&, i] {
			for (int round = 0; round < 100; ++round) {
				const std::string text(
					static_cast<std::size_t>(1 + i * 997 + round),
					static_cast<char>('a' + i));
				EXPECT_ANSWER(to.call("echo", text), text);
			}
		});
	}
}

TEST_P(live, a_restarted_server)
{
	std::optional<service> on(std::in_place);
	channel to = begin();
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	on.reset();
	on.emplace();
	// What may be executed twice does not notice; what may not is told, and the next is served.
	EXPECT_ANSWER(to.call("echo", "y", call_options().idempotent()), "y");
	EXPECT_GE(to.counts().sessions, 2U);
	on.reset();
	on.emplace();
	const auto told = to.call("echo", "z").get();
	if (!told) {
		EXPECT_EQ(told.error().executed, executed::unknown);
	}
	EXPECT_ANSWER(to.call("echo", "z", call_options().idempotent()), "z");
	// While there is none, calls wait; nothing of them was executed.
	on.reset();
	static_cast<void>(to.call("echo", "y", call_options().timeout(4s).idempotent()).get());
	const auto late = to.call("echo", "y", call_options().timeout(1s)).get();
	ASSERT_FALSE(late);
	EXPECT_EQ(late.error().executed, executed::not_executed) << late.error().describe();
}

TEST_P(live, a_server_that_comes_later)
{
	options_.handshake_timeout = 2s;
	channel to = begin();
	sdp::pending_call early = to.call("echo", "x");
	std::this_thread::sleep_for(500ms);
	service on;
	EXPECT_ANSWER(early, "x");
}

TEST_P(live, a_restarted_client)
{
	service on;
	for (int i = 0; i < 3; ++i) {
		channel to = begin();
		EXPECT_ANSWER(to.call("echo", "x"), "x");
	}
}

// No message is lost or delayed: none may be sent twice here.
TEST_P(live, sessions_are_renewed_under_load)
{
	service on;
	options_.sessions.age = 500ms;
	options_.sessions.between = 100ms;
	channel to = begin();
	std::atomic<bool> stop = false;
	std::vector<std::jthread> all;
	for (int i = 0; i < 4; ++i) {
		all.emplace_back([&] {
			while (!stop) {
				EXPECT_ANSWER(to.call("echo", "x", call_options().retry(false)),
					      "x");
			}
		});
	}
	while (to.counts().sessions < 4 && !HasFailure()) {
		std::this_thread::sleep_for(50ms);
	}
	stop = true;
}

TEST_P(live, ten_thousand_at_once)
{
	constexpr std::size_t count = 10'000;
	// Answers nobody before all are there.
	service on(
		[](listener &from, const std::stop_token &stop) {
			std::vector<request> all;
			while (all.size() < count) {
				auto one = from.next(std::nullopt, stop);
				if (!one) {
					return;
				}
				all.push_back(std::move(*one));
			}
			for (request &each : all) {
				each.answer(each.text());
			}
			while (from.next(std::nullopt, stop)) {
			}
		},
		server_credentials(), {.most_requests = count, .most_requests_of_one = count});
	channel to = begin();
	const auto one = [&](std::size_t i) -> sdp::task<bool> {
		const std::string text = std::to_string(i);
		const auto got = co_await to.call("echo", text);
		EXPECT_TRUE(got) << got.error().describe();
		co_return got && got->text() == text;
	};
	const auto all = [&]() -> sdp::task<std::vector<bool>> {
		co_await to.engine()->schedule();
		std::vector<sdp::task<bool>> each;
		for (std::size_t i = 0; i < count; ++i) {
			each.push_back(one(i));
		}
		co_return co_await sdp::when_all(std::move(each));
	};
	std::size_t right = 0;
	for (const bool each : sdp::sync_wait(all())) {
		right += each ? 1 : 0;
	}
	EXPECT_EQ(right, count);
	EXPECT_EQ(on.end().requests, count);
}

TEST_P(live, cancellation_ends_the_rpc_in_the_kernel)
{
	service on;
	channel to = begin();
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	const int before = rpcs_here();
	std::stop_source stop;
	sdp::pending_call slow = to.call("slow", "1000", call_options().stop(stop.get_token()));
	EXPECT_GT(rpcs_here(), before);
	stop.request_stop();
	const auto got = slow.get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::operation_canceled);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_EQ(rpcs_here(), before);
}

TEST_P(live, deadlines)
{
	service on;
	channel to = begin();
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	const auto got = to.call("slow", "2000", call_options().timeout(200ms)).get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::timed_out);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_EQ(rpcs_here(), 0);
}

TEST_P(live, unanswered)
{
	service on;
	channel to = begin();
	const auto got = to.call("drop", "x").get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, make_error_code(status::not_answered));
	EXPECT_EQ(got.error().executed, executed::unknown);
}

TEST_P(live, push_back)
{
	service on([](listener &from, const std::stop_token &stop) { from.serve(usual, 1, stop); },
		   server_credentials(), {.most_requests = 2});
	channel to = begin();
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	std::vector<sdp::pending_call> held;
	for (int i = 0; i < 12; ++i) {
		held.push_back(to.call("slow", "300", call_options().retry(i % 2 == 0)));
	}
	for (int i = 0; i < 12; ++i) {
		const auto got = held.at(static_cast<std::size_t>(i)).get();
		// Who may try again is served in the end.
		EXPECT_TRUE(got || i % 2 == 1) << got.error().describe();
		if (!got) {
			EXPECT_EQ(got.error().code, make_error_code(status::busy));
			EXPECT_EQ(got.error().executed, executed::not_executed);
		}
	}
	EXPECT_GT(on.end().busy, 0U);
}

TEST_P(live, served_on_an_engine)
{
	sdp::engine serving(GetParam());
	service on([&](listener &from, const std::stop_token &stop) {
		from.serve_on(
			serving,
			[](request what) -> sdp::task<void> {
				usual(std::move(what));
				co_return;
			},
			stop);
	});
	channel to = begin();
	EXPECT_ANSWER(to.call("who", "x"), "client.lab");
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 1000; ++i) {
		all.push_back(to.call("echo", std::string(i % 50 == 0 ? 60'000 : 10, 'e') +
						      std::to_string(i)));
	}
	for (int i = 0; i < 1000; ++i) {
		EXPECT_ANSWER(all.at(static_cast<std::size_t>(i)),
			      std::string(i % 50 == 0 ? 60'000 : 10, 'e') + std::to_string(i));
	}
}

TEST_P(live, early_data)
{
	const sdp::tls::plugin_options takes{
		.server = {.early = {.most = sdp::tls::longest_early_data}}};
	std::atomic<int> executed_once = 0;
	const service::body work = [&](listener &on, const std::stop_token &stop) {
		on.serve(
			[&](request what) {
				++executed_once;
				EXPECT_EQ(what.who()->name, "client.lab");
				// Its answer comes with the handshake, or is asked for.
				std::this_thread::sleep_for(what.method() == "slow" ? 500ms : 0ms);
				what.answer(what.early() ? "early" : "late");
			},
			2, stop);
	};
	const credentials who = client_credentials();
	options_.at_once = false;
	const auto one = [&](std::string_view method, const call_options &how = {}) {
		channel to(target, who, options_);
		const auto got = to.call(method, "x", call_options(how).early()).get();
		EXPECT_TRUE(got) << got.error().describe();
		const bool was_early = to.counts().early == 1;
		return std::pair(got ? std::string(got->text()) : "", was_early);
	};
	{
		service on(work, people::all().of(people::all().server, takes));
		EXPECT_EQ(one("quick"), std::pair(std::string("late"), false)); // No ticket.
		EXPECT_EQ(one("quick"), std::pair(std::string("early"), true));
		EXPECT_EQ(one("slow"), std::pair(std::string("early"), true));
		EXPECT_EQ(executed_once, 3);
		EXPECT_EQ(on.end().early, 2U);
	}
	// Another server, which has been there before the request: it goes once, as any other.
	// Where the hello had to be repeated, nobody can be sure that it was not taken.
	service on(work, people::all().of(people::all().server, takes));
	std::this_thread::sleep_for(20s);
	EXPECT_EQ(one("quick", call_options().idempotent()), std::pair(std::string("late"), false));
	EXPECT_EQ(executed_once, 4);
	EXPECT_EQ(one("quick"), std::pair(std::string("early"), true));
}

TEST_P(live, coroutines_that_call_on)
{
	service on;
	channel to = begin();
	std::stop_source stop;
	listener middle(address::parse("127.0.0.1:4001"), server_credentials());
	std::jthread serving([&] {
		middle.serve_async(
			[&](request what) -> sdp::task<void> {
				const auto got = co_await to.call("echo", what.text());
				what.answer(got ? got->text() : "failed");
			},
			2, stop.get_token());
	});
	channel first("127.0.0.1:4001", client_credentials(), options_);
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 100; ++i) {
		all.push_back(first.call("m", std::to_string(i)));
	}
	for (int i = 0; i < 100; ++i) {
		EXPECT_ANSWER(all.at(static_cast<std::size_t>(i)), std::to_string(i));
	}
	stop.request_stop();
}

INSTANTIATE_TEST_SUITE_P(all, live, testing::Values(engine_kind::epoll, engine_kind::io_uring),
			 [](const auto &each) { return std::string(name(each.param)); });

sdp::channel_options patient()
{
	return {.timeout = 120s, .handshake_timeout = 30s, .server_name = "server.lab"};
}

TEST(live_listener, handshakes_in_a_foreign_loop)
{
	service on([](listener &from, const std::stop_token &stop) {
		while (!stop.stop_requested()) {
			pollfd wait{from.fd(), POLLIN, 0};
			::poll(&wait, 1, 100);
			if (auto got = from.poll()) {
				usual(std::move(*got));
			}
		}
	});
	channel to(target, client_credentials(), patient());
	for (int i = 0; i < 20; ++i) {
		EXPECT_ANSWER(to.call("who", "x"), "client.lab");
	}
}

TEST(live_listener, an_inherited_descriptor)
{
	const int inherited = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA);
	const address here = address::parse("127.0.0.1:4002");
	ASSERT_EQ(::bind(inherited, here.data(), here.size()), 0);
	listener on(inherited, server_credentials());
	EXPECT_EQ(on.local(), here);
	std::stop_source stop;
	std::jthread serving([&] { on.serve(usual, 1, stop.get_token()); });
	channel to("127.0.0.1:4002", client_credentials(), patient());
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	stop.request_stop();
	EXPECT_THROW(listener(::socket(AF_INET, SOCK_DGRAM, 0), server_credentials()),
		     std::system_error);
}

TEST(live_engine, epoll_where_io_uring_is_forbidden)
{
	const auto forbid = [](char how) {
		std::ofstream("/proc/sys/kernel/io_uring_disabled") << how;
	};
	forbid('2');
	EXPECT_EQ(sdp::engine().kind(), engine_kind::epoll);
	EXPECT_THROW(sdp::engine(engine_kind::io_uring), std::system_error);
	forbid('0');
	EXPECT_EQ(sdp::engine().kind(), engine_kind::io_uring);
}

TEST(live_credentials, a_shared_secret)
{
	const auto secret = sdp::secret::from_hex(std::string(64, '1'));
	service on([](listener &from, const std::stop_token &stop) { from.serve(usual, 1, stop); },
		   sdp::psk_credentials(secret));
	channel to(target, sdp::psk_credentials(secret), patient());
	EXPECT_ANSWER(to.call("echo", "x"), "x");
	sdp::channel_options brief = patient();
	brief.handshake_timeout = 2s;
	brief.timeout = 20s;
	channel other(target, sdp::psk_credentials(sdp::secret::from_hex(std::string(64, '2'))),
		      brief);
	const auto got = other.call("echo", "x").get();
	ASSERT_FALSE(got);
	// Nobody can know that it is for ever: somebody may play the server.
	EXPECT_EQ(got.error().code.value(), ETIMEDOUT) << got.error().describe();
	EXPECT_NE(got.error().text.find(sdp::describe(EKEYREJECTED)), std::string::npos)
		<< got.error().text;
	EXPECT_EQ(got.error().executed, executed::not_executed);
}

TEST(live_credentials, in_the_clear)
{
	service on(
		[](listener &from, const std::stop_token &stop) {
			from.serve(
				[](request what) {
					EXPECT_FALSE(what.secure());
					usual(std::move(what));
				},
				1, stop);
		},
		sdp::clear_for_tests());
	channel to(target, sdp::clear_for_tests(), patient());
	EXPECT_ANSWER(to.call("echo", "x"), "x");
}

TEST(live_credentials, another_name_is_refused)
{
	service on;
	sdp::channel_options brief = patient();
	brief.server_name = "other.lab";
	brief.handshake_timeout = 3s;
	channel to(target, client_credentials(), brief);
	const auto got = to.call("echo", "x").get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().executed, executed::not_executed);
	EXPECT_NE(got.error().text.find("name"), std::string::npos) << got.error().describe();
}

} // namespace
