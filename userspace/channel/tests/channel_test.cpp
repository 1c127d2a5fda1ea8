// SPDX-License-Identifier: Apache-2.0
// Channels on both engines, with a server and sessions that are played.
#include <sdp/channel.hpp>

#include "fake_link.hpp"

#include <sdp/task.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::call_options;
using sdp::engine_kind;
using sdp::executed;
using sdp::status;

/** Waits, for as long as a slow machine needs. */
template <typename P>
bool soon(P until)
{
	for (int tries = 0; tries < 20'000; ++tries) {
		if (until()) {
			return true;
		}
		std::this_thread::sleep_for(1ms);
	}
	return false;
}

const fake::peer::answer echo = [](fake::end &by, const fake::arrival &what) {
	fake::reply(by, what);
};
const fake::peer::answer silence = [](fake::end &, const fake::arrival &) {};

class channels : public testing::TestWithParam<engine_kind> {
protected:
	void SetUp() override
	{
		options_.engine = fake::engine_if_any(GetParam());
		if (!options_.engine) {
			GTEST_SKIP() << "no io_uring";
		}
		options_.sessions.between = 1ms;
		options_.sessions.between_at_most = 10ms;
	}
	/** A channel, and a server that does as @p how says. */
	sdp::channel begin(fake::peer::answer how)
	{
		auto [here, other] = fake::make_pair();
		here_ = here;
		server_.emplace(other, std::move(how));
		return fake::make_channel(here, sessions_, options_);
	}

	sdp::channel_options options_;
	std::shared_ptr<fake::sessions> sessions_ = std::make_shared<fake::sessions>();
	std::shared_ptr<fake::end> here_;
	std::optional<fake::peer> server_;
};

TEST_P(channels, an_answer)
{
	sdp::channel to = begin([](fake::end &by, const fake::arrival &what) {
		const auto asked = sdp::parse_request(what.bytes);
		EXPECT_EQ(asked.header.method, sdp::method("get"));
		EXPECT_EQ(asked.header.metadata.get("key"), "value");
		EXPECT_GT(asked.header.patience, 0ms);
		fake::reply(by, what, {.metadata = {{"back", "1"}}});
	});
	const auto got = to.call("get", "body", call_options().with("key", "value")).get();
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(got->text(), "body");
	EXPECT_EQ(got->metadata().get("back"), "1");
	EXPECT_EQ(to.peer()->name, "fake");
	EXPECT_EQ(to.counts().under_way, 0U);
}

TEST_P(channels, many_threads)
{
	sdp::channel to = begin(echo);
	std::vector<std::jthread> all;
	for (int i = 0; i < 8; ++i) {
		all.emplace_back([&, i] {
			for (int round = 0; round < 100; ++round) {
				const std::string text = std::to_string(i * 1000 + round);
				const auto got = to.call(1U, text).get();
				ASSERT_TRUE(got) << got.error().describe();
				EXPECT_EQ(got->text(), text);
			}
		});
	}
}

TEST_P(channels, many_coroutines)
{
	sdp::channel to = begin(echo);
	const auto one = [&](int i) -> sdp::task<bool> {
		for (int round = 0; round < 3; ++round) {
			const std::string text = std::to_string(i);
			const auto got = co_await to.call("m", text);
			if (!got || got->text() != text) {
				co_return false;
			}
		}
		co_return true;
	};
	const auto all = [&]() -> sdp::task<std::vector<bool>> {
		co_await to.engine()->schedule();
		std::vector<sdp::task<bool>> each;
		for (int i = 0; i < 2000; ++i) {
			each.push_back(one(i));
		}
		co_return co_await sdp::when_all(std::move(each));
	};
	for (const bool right : sdp::sync_wait(all())) {
		EXPECT_TRUE(right);
	}
}

TEST_P(channels, statuses_are_failures)
{
	sdp::channel to = begin([](fake::end &by, const fake::arrival &what) {
		fake::reply(by, what,
			    {.status = sdp::application_status(7), .text = "no such key"});
	});
	const auto got = to.call("get", "x").get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, make_error_code(sdp::application_status(7)));
	EXPECT_EQ(got.error().text, "no such key");
	EXPECT_EQ(got.error().executed, executed::executed);
}

TEST_P(channels, busy_is_tried_again_and_otherwise_said)
{
	std::atomic<int> left = 3;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		fake::reply(by, what, {.status = left-- > 0 ? status::busy : status::ok});
	});
	const auto first = to.call("m", "x", call_options().retry(false)).get();
	ASSERT_FALSE(first);
	EXPECT_EQ(first.error().code, make_error_code(status::busy));
	EXPECT_EQ(first.error().executed, executed::not_executed);
	EXPECT_TRUE(to.call("m", "x").get());
	EXPECT_EQ(server_->requests(), 4);
	EXPECT_EQ(to.counts().retried, 2U);
}

TEST_P(channels, unknown_is_tried_again_only_if_it_may_be)
{
	std::atomic<int> left = 1;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		if (left-- > 0) {
			fake::fail(by, what, ECONNRESET);
		} else {
			fake::reply(by, what);
		}
	});
	const auto once = to.call("m", "x").get();
	ASSERT_FALSE(once);
	EXPECT_EQ(once.error().code, std::errc::connection_reset);
	EXPECT_EQ(once.error().executed, executed::unknown);
	left = 1;
	EXPECT_TRUE(to.call("m", "x", call_options().idempotent()).get());
}

TEST_P(channels, what_was_unknown_once_stays_so)
{
	std::atomic<bool> is_first = true;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		if (is_first.exchange(false)) {
			fake::fail(by, what, ECONNRESET);
		} else {
			fake::reply(by, what, {.status = status::busy});
		}
	});
	const auto got = to.call("m", "x", call_options().timeout(100ms).idempotent()).get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::timed_out);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_NE(got.error().text.find("before: "), std::string::npos) << got.error().text;
}

TEST_P(channels, what_failures_say)
{
	std::atomic<int> error = 0;
	sdp::channel to = begin(
		[&](fake::end &by, const fake::arrival &what) { fake::fail(by, what, error); });
	for (const auto &[number, what] :
	     std::initializer_list<std::pair<int, executed>>{{ETIMEDOUT, executed::unknown},
							     {EBADMSG, executed::executed},
							     {ENOBUFS, executed::executed},
							     {ENOTCONN, executed::unknown},
							     {EKEYEXPIRED, executed::unknown}}) {
		error = number;
		const auto got = to.call("m", "x").get();
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().code.value(), number);
		EXPECT_EQ(got.error().executed, what) << number;
	}
}

TEST_P(channels, a_reply_that_makes_no_sense)
{
	sdp::channel to = begin([](fake::end &by, const fake::arrival &what) {
		fake::reply(by, what, {.text = std::string(1, '\0')});
	});
	EXPECT_TRUE(to.call("m", "x").get());
	sdp::channel other = begin([](fake::end &by, const fake::arrival &what) {
		auto back = std::make_shared<fake::outgoing>();
		back->id = what.cookie;
		back->bytes = std::make_shared<std::vector<std::byte>>(3);
		sdp::detail::send_now(by, *back);
	});
	const auto got = other.call("m", "x").get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code.value(), EPROTO);
	EXPECT_EQ(got.error().executed, executed::executed);
}

TEST_P(channels, deadlines)
{
	sdp::channel to = begin(silence);
	ASSERT_TRUE(soon([&] { return to.counts().sessions == 1; }));
	const auto got = to.call("m", "x", call_options().timeout(30ms)).get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::timed_out);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_TRUE(soon([&] { return here_->aborted().size() == 1; }));
	EXPECT_EQ(to.counts().under_way, 0U);
}

TEST_P(channels, cancellation_reaches_the_kernel)
{
	sdp::channel to = begin(silence);
	std::stop_source stop;
	sdp::pending_call one = to.call("m", "x", call_options().stop(stop.get_token()));
	ASSERT_TRUE(soon([&] { return server_->requests() == 1; }));
	EXPECT_FALSE(one.is_ready());
	stop.request_stop();
	const auto got = one.get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::operation_canceled);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_EQ(here_->aborted().size(), 1U);
	// Before it begins, too; and by the call's end.
	EXPECT_FALSE(to.call("m", "x", call_options().stop(stop.get_token())).get());
	{
		const sdp::pending_call dropped = to.call("m", "x");
		ASSERT_TRUE(soon([&] { return server_->requests() >= 2; }));
	}
	EXPECT_EQ(to.counts().under_way, 0U);
	EXPECT_GE(here_->aborted().size(), 2U);
}

TEST_P(channels, cancelled_coroutines_go_on_on_the_engines_thread)
{
	sdp::channel to = begin(silence);
	std::stop_source stop;
	const auto there = [&]() -> sdp::task<bool> {
		const auto got = co_await to.call("m", "x", call_options().stop(stop.get_token()));
		co_return !got && to.engine()->on_thread();
	};
	std::jthread later([&] {
		soon([&] { return server_->requests() == 1; });
		stop.request_stop();
	});
	EXPECT_TRUE(sdp::sync_wait(there()));
}

// Suspended, and destroyed: it is not resumed, and its call is no more.
TEST_P(channels, destroyed_coroutines_cancel_their_calls)
{
	sdp::channel to = begin(silence);
	ASSERT_TRUE(soon([&] { return to.counts().sessions == 1; }));
	const auto waits = [&]() -> sdp::task<int> {
		static_cast<void>(co_await to.call("m", "x"));
		ADD_FAILURE();
		co_return 0;
	};
	{
		sdp::task<int> one = waits();
		auto begun = std::move(one).operator co_await();
		begun.await_suspend(std::noop_coroutine()).resume();
		ASSERT_TRUE(soon([&] { return server_->requests() == 1; }));
	}
	EXPECT_EQ(to.counts().under_way, 0U);
	EXPECT_EQ(here_->aborted().size(), 1U);
}

// By the engine's thread, before that gets to resume it.
TEST_P(channels, destroyed_coroutines_are_not_resumed)
{
	sdp::channel to = begin(silence);
	ASSERT_TRUE(soon([&] { return to.counts().sessions == 1; }));
	std::stop_source stop;
	const auto waits = [&]() -> sdp::task<int> {
		static_cast<void>(
			co_await to.call("m", "x", call_options().stop(stop.get_token())));
		ADD_FAILURE();
		co_return 0;
	};
	std::optional<sdp::task<int>> one(waits());
	auto begun = std::move(*one).operator co_await();
	begun.await_suspend(std::noop_coroutine()).resume();
	ASSERT_TRUE(soon([&] { return server_->requests() == 1; }));
	std::atomic<bool> is_there = false;
	std::atomic<bool> is_stopped = false;
	std::atomic<bool> is_behind = false;
	auto &core = to.engine()->inside();
	core.post([&] {
		is_there = true;
		soon([&] { return is_stopped.load(); });
		one.reset();
	});
	ASSERT_TRUE(soon([&] { return is_there.load(); }));
	stop.request_stop();
	is_stopped = true;
	core.post([&] { is_behind = true; });
	EXPECT_TRUE(soon([&] { return is_behind.load(); }));
}

// Those that have ended are not kept, however long a handshake takes.
TEST_P(channels, what_has_ended_takes_no_memory)
{
	sessions_->hangs = true;
	auto [here, other] = fake::make_pair();
	const auto to = std::make_shared<sdp::detail::channel_core>(
		std::make_unique<fake::link>(here, sessions_), options_);
	to->start();
	std::vector<std::weak_ptr<sdp::detail::call_state>> all;
	const std::vector<std::byte> body(1000);
	for (int i = 0; i < 500; ++i) {
		const auto one =
			to->begin("m", body, call_options().timeout(std::chrono::hours(1)));
		to->cancel(one);
		EXPECT_TRUE(one->has_ended());
		EXPECT_TRUE(one->bytes.empty());
		all.push_back(one);
	}
	EXPECT_LT(std::ranges::count_if(all, [](const auto &each) { return !each.expired(); }),
		  100);
	to->close();
}

TEST_P(channels, waiting_on_the_engines_thread_is_refused)
{
	sdp::channel to = begin(silence);
	const auto there = [&]() -> sdp::task<int> {
		co_await to.engine()->schedule();
		co_return to.call("m", "x").get().error().code.value();
	};
	EXPECT_EQ(sdp::sync_wait(there()), EDEADLK);
}

TEST_P(channels, calls_wait_for_a_session)
{
	sessions_->error = ETIMEDOUT;
	sdp::channel to = begin(echo);
	ASSERT_TRUE(soon([&] { return to.counts().failed > 0; }));
	const auto late = to.call("m", "x", call_options().timeout(30ms)).get();
	ASSERT_FALSE(late);
	EXPECT_EQ(late.error().executed, executed::not_executed);
	EXPECT_NE(late.error().text.find("no session: handshake"), std::string::npos)
		<< late.error().text;
	sdp::pending_call patient = to.call("m", "x");
	sessions_->error = 0;
	EXPECT_TRUE(patient.get());
	EXPECT_EQ(sessions_->most_at_once, 1);
}

// After 20, 40, 80... ms, however many want one.
TEST_P(channels, handshakes_are_few)
{
	options_.sessions.between = 20ms;
	options_.sessions.between_at_most = 1h;
	sessions_->error = ETIMEDOUT;
	const auto start = std::chrono::steady_clock::now();
	sdp::channel to = begin(echo);
	for (int i = 0; i < 100; ++i) {
		EXPECT_FALSE(to.call("m", "x", call_options().timeout(3ms)).get());
	}
	const auto took = std::chrono::steady_clock::now() - start;
	const std::uint64_t failed = to.counts().failed;
	EXPECT_GE(failed, 1U);
	ASSERT_LT(failed, 20U);
	EXPECT_LE(40ms * ((1U << (failed - 1)) - 1), took);
}

TEST_P(channels, what_does_not_heal_is_said_at_once)
{
	sessions_->error = EKEYREJECTED;
	sdp::channel to = begin(echo);
	const auto got = to.call("m", "x").get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code.value(), EKEYREJECTED);
	EXPECT_EQ(got.error().executed, executed::not_executed);
}

TEST_P(channels, sessions_are_renewed_under_load_by_age_and_volume)
{
	options_.sessions.age = 20ms;
	sdp::channel to = begin(echo);
	while (sessions_->made < 4) {
		ASSERT_TRUE(to.call("m", "x").get());
	}
	EXPECT_EQ(sessions_->most_at_once, 1);
	// Not where nobody asks: the last calls' use is one more at most.
	std::this_thread::sleep_for(300ms);
	const int before = sessions_->made;
	std::this_thread::sleep_for(300ms);
	EXPECT_EQ(sessions_->made, before);

	options_.sessions.age = 1h;
	options_.sessions.volume = 1600;
	sdp::channel other = begin(echo);
	const int then = sessions_->made;
	while (sessions_->made < then + 3) {
		ASSERT_TRUE(other.call("m", "x").get());
		sessions_->blocks = 100;
	}
}

TEST_P(channels, a_restarted_server_is_found_again)
{
	options_.sessions.silence = 50ms;
	std::atomic<bool> answers = false;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		if (answers) {
			fake::reply(by, what);
		}
	});
	sdp::pending_call lost = to.call("m", "x");
	sdp::pending_call again = to.call("m", "x", call_options().idempotent());
	ASSERT_TRUE(soon([&] { return server_->requests() == 2; }));
	answers = true;
	sessions_->silent = 1h;
	// A new session; what may be sent again is, and the other one is left to the kernel.
	ASSERT_TRUE(again.get());
	EXPECT_GE(sessions_->made, 2);
	EXPECT_FALSE(lost.is_ready());
	EXPECT_TRUE(to.call("m", "x").get());
}

TEST_P(channels, closing_ends_calls_and_handshakes)
{
	std::optional<sdp::channel> to(begin(silence));
	sdp::pending_call one = to->call("m", "x");
	ASSERT_TRUE(soon([&] { return server_->requests() == 1; }));
	to.reset();
	const auto got = one.get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, std::errc::operation_canceled);

	sessions_->hangs = true;
	to.emplace(begin(silence));
	sdp::pending_call other = to->call("m", "x");
	to.reset();
	EXPECT_EQ(other.get().error().executed, executed::not_executed);
}

TEST_P(channels, limits)
{
	options_.most_calls = 1;
	sdp::channel to = begin(silence);
	const sdp::pending_call one = to.call("m", "x");
	const auto more = to.call("m", "x").get();
	ASSERT_FALSE(more);
	EXPECT_EQ(more.error().code.value(), EAGAIN);
	EXPECT_EQ(more.error().executed, executed::not_executed);
	const auto none = to.call("", "x").get();
	EXPECT_EQ(none.error().code, std::errc::invalid_argument);
}

TEST_P(channels, no_memory_is_waited_for)
{
	std::atomic<bool> reads = false;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		reads.wait(false);
		fake::reply(by, what);
	});
	const std::string body(50'000, 'b');
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 50; ++i) {
		all.push_back(to.call("m", body));
	}
	reads = true;
	reads.notify_all();
	for (auto &each : all) {
		const auto got = each.get();
		ASSERT_TRUE(got) << got.error().describe();
		EXPECT_EQ(got->text().size(), body.size());
	}
}

TEST_P(channels, one_that_is_not_to_be_repeated_has_a_lost_session_made_anew)
{
	std::atomic<std::uint64_t> cookie = 0;
	auto [here, other] = fake::make_pair();
	server_.emplace(other, [&](fake::end &by, const fake::arrival &what) {
		if (cookie == 0) {
			cookie = what.cookie;
		} else {
			fake::reply(by, what);
		}
	});
	const auto core = std::make_shared<sdp::detail::channel_core>(
		std::make_unique<fake::link>(here, sessions_), options_);
	sdp::channel to(core);
	sdp::pending_call lost = to.call("m", "x", call_options().retry(false));
	ASSERT_TRUE(soon([&] { return cookie != 0; }));
	const auto unsent = std::make_shared<sdp::detail::outgoing>();
	unsent->cookie = cookie;
	core->sent(unsent, ENOKEY);
	EXPECT_EQ(lost.get().error().code, sdp::make_code(ENOKEY));
	EXPECT_TRUE(soon([&] { return sessions_->made == 2; }));
	EXPECT_TRUE(to.call("m", "x", call_options().retry(false)).get());
}

TEST_P(channels, an_rpc_whose_keys_are_gone_is_tried_with_others)
{
	std::atomic<int> failed = 0;
	sdp::channel to = begin([&](fake::end &by, const fake::arrival &what) {
		if (failed++ == 0) {
			fake::fail(by, what, EKEYEXPIRED);
		} else {
			fake::reply(by, what);
		}
	});
	EXPECT_TRUE(to.call("m", "x", call_options().idempotent()).get());
	EXPECT_EQ(sessions_->made, 2);
}

INSTANTIATE_TEST_SUITE_P(all, channels, testing::Values(engine_kind::epoll, engine_kind::io_uring),
			 [](const auto &each) { return std::string(name(each.param)); });

TEST(channel, wants_credentials_and_a_port)
{
	EXPECT_THROW(sdp::channel("localhost:4000", nullptr), std::invalid_argument);
	for (const char *wrong :
	     {"localhost", ":1", "a:b", "1.2.3:4", "localhost:", "[::1]", "a:1:2"}) {
		EXPECT_THROW(sdp::channel(wrong, sdp::clear_for_tests()), std::invalid_argument)
			<< wrong;
	}
}

} // namespace
