// SPDX-License-Identifier: Apache-2.0
// Listeners with a channel at the other end of a pair of sockets.
#include <sdp/listener.hpp>

#include "fake_link.hpp"

#include <sdp/channel.hpp>
#include <sdp/task.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::call_options;
using sdp::executed;
using sdp::listener;
using sdp::request;
using sdp::status;

class listeners : public testing::Test {
protected:
	explicit listeners(const sdp::listener_options &options = {})
		: ends_(fake::make_pair()),
		  from(fake::make_listener(ends_.second, options)),
		  to(fake::make_channel(ends_.first, std::make_shared<fake::sessions>()))
	{
	}

	std::pair<std::shared_ptr<fake::end>, std::shared_ptr<fake::end>> ends_;
	listener from;
	sdp::channel to;
};

TEST_F(listeners, next_and_an_answer)
{
	sdp::pending_call call = to.call("get", "body", call_options().with("k", "v"));
	auto got = from.next();
	ASSERT_TRUE(got);
	EXPECT_EQ(got->method(), sdp::method("get"));
	EXPECT_EQ(got->text(), "body");
	EXPECT_EQ(got->metadata().get("k"), "v");
	EXPECT_TRUE(got->deadline());
	EXPECT_EQ(from.counts().outstanding, 1U);
	got->answer("back", {{"a", "b"}});
	EXPECT_TRUE(got->is_answered());
	EXPECT_THROW(got->answer("again"), std::logic_error);
	const auto said = call.get();
	ASSERT_TRUE(said);
	EXPECT_EQ(said->text(), "back");
	EXPECT_EQ(said->metadata().get("a"), "b");
	EXPECT_EQ(from.counts().outstanding, 0U);
}

TEST_F(listeners, unanswered)
{
	sdp::pending_call call = to.call("m", "x");
	from.next().reset();
	const auto said = call.get();
	ASSERT_FALSE(said);
	EXPECT_EQ(said.error().code, make_error_code(status::not_answered));
	EXPECT_EQ(said.error().executed, executed::unknown);
}

TEST_F(listeners, refused)
{
	sdp::pending_call call = to.call("m", "x");
	from.next()->refuse(status::no_such_method, "m");
	const auto said = call.get();
	ASSERT_FALSE(said);
	EXPECT_EQ(said.error().code, make_error_code(status::no_such_method));
	EXPECT_EQ(said.error().text, "m");
	sdp::pending_call other = to.call("m", "x");
	auto got = from.next();
	EXPECT_THROW(got->refuse(status::ok), std::invalid_argument);
	EXPECT_THROW(got->refuse(status::busy, std::string(2000, 't')), std::invalid_argument);
	EXPECT_FALSE(got->is_answered());
}

TEST_F(listeners, deadlines_and_stops_of_next)
{
	const auto start = listener::clock::now();
	EXPECT_FALSE(from.next(start + 20ms));
	EXPECT_GE(listener::clock::now() - start, 20ms);
	std::stop_source stop;
	std::vector<std::jthread> all;
	for (int i = 0; i < 4; ++i) {
		all.emplace_back([&] { EXPECT_FALSE(from.next(std::nullopt, stop.get_token())); });
	}
	std::this_thread::sleep_for(10ms);
	stop.request_stop();
}

TEST_F(listeners, malformed)
{
	fake::outgoing bad;
	bad.cookie = 1;
	bad.bytes = std::make_shared<std::vector<std::byte>>(3, std::byte{9});
	sdp::detail::send_now(*ends_.first, bad);
	EXPECT_FALSE(from.next(listener::clock::now() + 50ms));
	EXPECT_EQ(from.counts().malformed, 1U);
}

TEST_F(listeners, expired)
{
	const auto late = to.call("m", "x", call_options().timeout(1ms)).get();
	EXPECT_FALSE(late);
	std::this_thread::sleep_for(5ms);
	// It counts from when it is read: read it, and let it lie behind another one.
	sdp::pending_call first = to.call("m", "first");
	sdp::pending_call second = to.call("m", "second", call_options().timeout(100ms));
	std::this_thread::sleep_for(20ms);
	std::vector<request> got;
	while (auto one = from.next(listener::clock::now() + 10ms)) {
		got.push_back(std::move(*one));
		std::this_thread::sleep_for(200ms);
	}
	for (request &each : got) {
		EXPECT_NE(each.text(), "second");
	}
	EXPECT_GE(from.counts().expired, 1U);
}

TEST_F(listeners, serve_on_many_threads)
{
	std::stop_source stop;
	std::mutex lock;
	std::set<std::thread::id> threads;
	std::jthread server([&] {
		from.serve(
			[&](request what) {
				{
					const std::scoped_lock held(lock);
					threads.insert(std::this_thread::get_id());
				}
				if (what.text() == "throw") {
					throw std::runtime_error("on purpose");
				}
				if (what.text() == "throw a number") {
					throw 1;
				}
				std::this_thread::sleep_for(1ms);
				what.answer(what.text());
			},
			3, stop.get_token());
	});
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 100; ++i) {
		all.push_back(to.call("m", std::to_string(i)));
	}
	for (int i = 0; i < 100; ++i) {
		const auto got = all.at(static_cast<std::size_t>(i)).get();
		ASSERT_TRUE(got) << got.error().describe();
		EXPECT_EQ(got->text(), std::to_string(i));
	}
	for (const char *what : {"throw", "throw a number"}) {
		EXPECT_EQ(to.call("m", what).get().error().code,
			  make_error_code(status::not_answered));
	}
	stop.request_stop();
	server.join();
	EXPECT_EQ(threads.size(), 3U);
	EXPECT_EQ(from.counts().failed, 2U);
}

TEST_F(listeners, serve_with_coroutines)
{
	std::stop_source stop;
	sdp::engine timer;
	std::atomic<int> ended = 0;
	std::jthread server([&] {
		from.serve_async(
			[&](request what) -> sdp::task<void> {
				co_await timer.sleep_for(20ms);
				what.answer(what.text());
				++ended;
			},
			2, stop.get_token());
	});
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 200; ++i) {
		all.push_back(to.call("m", std::to_string(i)));
	}
	for (int i = 0; i < 200; ++i) {
		const auto got = all.at(static_cast<std::size_t>(i)).get();
		ASSERT_TRUE(got) << got.error().describe();
		EXPECT_EQ(got->text(), std::to_string(i));
	}
	stop.request_stop();
	server.join();
	EXPECT_EQ(ended, 200);
}

void serve_on_an_engine(listener &from, sdp::channel &to, sdp::engine_kind which)
{
	const auto on = fake::engine_if_any(which);
	if (!on) {
		GTEST_SKIP() << "no io_uring";
	}
	for (int round = 0; round < 2; ++round) {
		std::stop_source stop;
		std::atomic<int> elsewhere = 0;
		// One that was there before.
		sdp::pending_call early = to.call("m", "early");
		std::jthread server([&] {
			from.serve_on(
				*on,
				[&](request what) -> sdp::task<void> {
					elsewhere += on->on_thread() ? 0 : 1;
					co_await on->sleep_for(1ms);
					what.answer(what.text());
				},
				stop.get_token());
		});
		std::vector<sdp::pending_call> all;
		for (int i = 0; i < 200; ++i) {
			all.push_back(to.call("m", std::string(5000, 'b') + std::to_string(i)));
		}
		for (int i = 0; i < 200; ++i) {
			const auto got = all.at(static_cast<std::size_t>(i)).get();
			ASSERT_TRUE(got) << got.error().describe();
			EXPECT_EQ(got->text(), std::string(5000, 'b') + std::to_string(i));
		}
		EXPECT_TRUE(early.get());
		stop.request_stop();
		server.join();
		EXPECT_EQ(elsewhere, 0);
		// And then by hand again.
		sdp::pending_call late = to.call("m", "late");
		from.next()->answer("by hand");
		EXPECT_EQ(late.get()->text(), "by hand");
	}
}

TEST_F(listeners, serve_on_epoll)
{
	serve_on_an_engine(from, to, sdp::engine_kind::epoll);
}

TEST_F(listeners, serve_on_io_uring)
{
	serve_on_an_engine(from, to, sdp::engine_kind::io_uring);
}

TEST_F(listeners, in_a_foreign_loop)
{
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 100; ++i) {
		all.push_back(to.call("m", std::to_string(i)));
	}
	// One request each time that it is readable: none is overlooked.
	for (int left = 100; left > 0;) {
		pollfd wait{from.fd(), POLLIN, 0};
		ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
		if (auto got = from.poll()) {
			got->answer(got->text());
			--left;
		}
	}
	for (auto &each : all) {
		EXPECT_TRUE(each.get());
	}
	EXPECT_FALSE(from.poll());
}

// Those that are there are taken at once; whoever stops before keeps it readable, and who
// has all leaves nothing that would wake it in vain.
TEST_F(listeners, in_a_foreign_loop_all_that_are_ready)
{
	std::vector<sdp::pending_call> all;
	for (int i = 0; i < 100; ++i) {
		all.push_back(to.call("m", std::to_string(i)));
	}
	bool has_stopped_early = false;
	pollfd wait{from.fd(), POLLIN, 0};
	for (int left = 100; left > 0;) {
		ASSERT_EQ(::poll(&wait, 1, 20'000), 1);
		for (int most = 3; most > 0; --most) {
			if (auto got = from.poll()) {
				got->answer(got->text());
				--left;
			}
			if (!from.has_ready()) {
				break;
			}
		}
		if (from.has_ready()) {
			has_stopped_early = true;
			EXPECT_EQ(::poll(&wait, 1, 0), 1);
		}
	}
	for (auto &each : all) {
		EXPECT_TRUE(each.get());
	}
	EXPECT_TRUE(has_stopped_early);
	EXPECT_FALSE(from.has_ready());
	EXPECT_EQ(::poll(&wait, 1, 0), 0);
}

// What poll() has left is for next() as well, which a stop still reaches.
TEST_F(listeners, a_foreign_loop_and_next)
{
	sdp::pending_call first = to.call("m", "1");
	sdp::pending_call second = to.call("m", "2");
	std::this_thread::sleep_for(50ms);
	auto one = from.poll();
	ASSERT_TRUE(one);
	EXPECT_TRUE(from.has_ready());
	auto other = from.next();
	ASSERT_TRUE(other);
	one->answer("");
	other->answer("");
	EXPECT_TRUE(first.get());
	EXPECT_TRUE(second.get());
	std::stop_source stop;
	std::jthread stops([&] {
		std::this_thread::sleep_for(50ms);
		stop.request_stop();
	});
	EXPECT_FALSE(from.next(std::nullopt, stop.get_token()));
}

TEST_F(listeners, closing_says_so)
{
	std::optional<listener> mine(std::move(from));
	sdp::pending_call kept = to.call("m", "kept");
	auto got = mine->next();
	sdp::pending_call first = to.call("m", "1", call_options().retry(false));
	sdp::pending_call left = to.call("m", "2", call_options().retry(false));
	std::this_thread::sleep_for(50ms);
	got.emplace(std::move(*mine->next()));
	mine.reset();
	const auto said = left.get();
	ASSERT_FALSE(said);
	EXPECT_EQ(said.error().code, make_error_code(status::closing));
	EXPECT_EQ(said.error().executed, executed::not_executed);
	// Who was handed out is answered still.
	got->answer("late");
	EXPECT_EQ(first.get()->text(), "late");
}

class small_listener : public listeners {
protected:
	small_listener() : listeners({.most_requests = 2}) {}
};

TEST_F(small_listener, says_that_it_is_busy)
{
	sdp::pending_call first = to.call("m", "1");
	sdp::pending_call second = to.call("m", "2");
	auto one = from.next();
	auto two = from.next();
	ASSERT_TRUE(one && two);
	sdp::pending_call third = to.call("m", "3", call_options().retry(false));
	sdp::pending_call patient = to.call("m", "4");
	EXPECT_FALSE(from.next(listener::clock::now() + 50ms));
	const auto said = third.get();
	ASSERT_FALSE(said);
	EXPECT_EQ(said.error().code, make_error_code(status::busy));
	EXPECT_EQ(said.error().executed, executed::not_executed);
	one->answer("1");
	two->answer("2");
	EXPECT_TRUE(first.get());
	auto four = from.next();
	ASSERT_TRUE(four);
	four->answer("4");
	EXPECT_EQ(patient.get()->text(), "4");
	EXPECT_GE(from.counts().busy, 2U);
}

TEST(listener, takes_a_descriptor_in_any_case)
{
	const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_ANY_THROW(listener(fd, nullptr));
	EXPECT_EQ(::close(fd), -1);
}

TEST(listener, wants_credentials_and_a_port)
{
	EXPECT_THROW(listener(sdp::address::parse("127.0.0.1:4000"), nullptr),
		     std::invalid_argument);
	EXPECT_THROW(listener(sdp::address::parse("127.0.0.1"), sdp::clear_for_tests()),
		     std::invalid_argument);
}

} // namespace
