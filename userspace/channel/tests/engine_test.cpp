// SPDX-License-Identifier: Apache-2.0
// Both pollers, with a pair of sockets in the place of SDP's.
#include <sdp/engine.hpp>

#include "engine_core.hpp"
#include "fake_link.hpp"
#include "timers.hpp"

#include <sdp/task.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::engine_kind;
using sdp::detail::arrival;
using sdp::detail::outgoing;
using clock_type = sdp::detail::timers::clock;

/** What an engine tells. */
class told : public sdp::detail::transport_user {
public:
	void arrived(arrival &&what) override
	{
		add([&] { arrivals.push_back(std::move(what)); });
	}
	void sent(const std::shared_ptr<outgoing> &, int error) override
	{
		add([&] { sends.push_back(error); });
	}
	void writable() override
	{
		add([&] { ++writables; });
	}
	void broken(int error) override
	{
		add([&] { breaks.push_back(error); });
	}
	template <typename P>
	bool wait(P until)
	{
		std::unique_lock held(lock_);
		return changed_.wait_for(held, 20s, until);
	}

	std::vector<arrival> arrivals;
	std::vector<int> sends, breaks;
	int writables = 0;

private:
	void add(const std::function<void()> &what)
	{
		{
			const std::scoped_lock held(lock_);
			what();
		}
		changed_.notify_all();
	}
	std::mutex lock_;
	std::condition_variable changed_;
};

std::shared_ptr<outgoing> message(std::uint64_t cookie, std::size_t size)
{
	auto made = std::make_shared<outgoing>();
	made->cookie = cookie;
	made->bytes =
		std::make_shared<std::vector<std::byte>>(size, static_cast<std::byte>(cookie));
	return made;
}

class engines : public testing::TestWithParam<engine_kind> {
protected:
	void SetUp() override
	{
		if (!on_) {
			GTEST_SKIP() << "no io_uring";
		}
	}
	sdp::detail::engine_core &core() { return on_->inside(); }
	/** Runs @p what on the engine's thread, and waits for its end. */
	void there(const std::function<void()> &what)
	{
		std::atomic<bool> ended = false;
		core().post([&] {
			what();
			ended = true;
			ended.notify_all();
		});
		ended.wait(false);
	}

	std::shared_ptr<sdp::engine> on_ = fake::engine_if_any(GetParam());
};

TEST_P(engines, is_what_was_asked_for)
{
	EXPECT_EQ(on_->kind(), GetParam());
}

TEST_P(engines, receives_more_than_it_has_buffers)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	const auto attached = core().attach(here, user);
	for (std::uint64_t i = 1; i <= 500; ++i) {
		// An empty one among them ends a multishot receive.
		const auto what = message(i, i % 7 == 0 ? 0 : i);
		while (sdp::detail::send_now(*other, *what) == EAGAIN) {
			std::this_thread::sleep_for(1ms);
		}
	}
	ASSERT_TRUE(user->wait([&] { return user->arrivals.size() == 500; }));
	for (std::uint64_t i = 1; i <= 500; ++i) {
		const arrival &got = user->arrivals.at(i - 1);
		EXPECT_EQ(got.cookie, i);
		EXPECT_EQ(got.bytes, *message(i, i % 7 == 0 ? 0 : i)->bytes);
	}
	core().detach(attached);
}

TEST_P(engines, what_its_last_action_sends_goes_out)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	const auto attached = core().attach(here, user);
	core().post([&on = core(), attached] {
		std::this_thread::sleep_for(50ms); // It is asked to end meanwhile.
		static_cast<void>(on.send(attached, message(5, 9)));
	});
	on_.reset();
	std::vector<std::byte> room(other->room());
	arrival got;
	ASSERT_EQ(sdp::detail::receive_now(*other, room, got), 0);
	EXPECT_EQ(got.cookie, 5U);
}

TEST_P(engines, says_that_a_message_was_cut)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	const auto attached = core().attach(here, user);
	EXPECT_EQ(sdp::detail::send_now(*other, *message(1, fake::end::most + 10)), 0);
	EXPECT_EQ(sdp::detail::send_now(*other, *message(2, 10)), 0);
	ASSERT_TRUE(user->wait([&] { return user->arrivals.size() == 2; }));
	EXPECT_EQ(user->arrivals[0].error, std::errc::message_size);
	EXPECT_FALSE(user->arrivals[1].error);
}

TEST_P(engines, sends_from_its_own_thread_and_others)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	const auto there_too = std::make_shared<told>();
	const auto attached = core().attach(here, user);
	const auto receiver = core().attach(other, there_too);
	const auto send = [&](std::uint64_t first) {
		for (std::uint64_t i = first; i < first + 20; ++i) {
			const auto said = core().send(attached, message(i, 10));
			EXPECT_EQ(said.value_or(0), 0);
		}
	};
	send(1);
	there([&] { send(100); });
	ASSERT_TRUE(there_too->wait([&] { return there_too->arrivals.size() == 40; }));
	for (const int error : user->sends) {
		EXPECT_EQ(error, 0);
	}
}

TEST_P(engines, says_when_there_is_memory_again)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	const auto attached = core().attach(here, user);
	const auto what = message(1, 50'000);
	int sent = 0;
	while (sdp::detail::send_now(*here, *what) == 0) {
		++sent;
	}
	EXPECT_GT(sent, 0);
	core().want_write(attached);
	std::this_thread::sleep_for(20ms);
	EXPECT_EQ(user->writables, 0);
	const auto reader = std::make_shared<told>();
	const auto reading = core().attach(other, reader);
	EXPECT_TRUE(user->wait([&] { return user->writables > 0; }));
}

TEST_P(engines, tells_nothing_after_it_was_detached)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	// Many times: buffers and their numbers come back.
	for (int i = 0; i < 100; ++i) {
		core().detach(core().attach(here, user));
	}
	// Behind the turn in which the ring is told.
	there([] {});
	there([] {});
	EXPECT_EQ(sdp::detail::send_now(*other, *message(1, 10)), 0);
	there([] {});
	EXPECT_TRUE(user->arrivals.empty());
	const auto last = core().attach(here, user);
	ASSERT_TRUE(user->wait([&] { return user->arrivals.size() == 1; }));
}

TEST_P(engines, a_broken_transport_is_told)
{
	const auto user = std::make_shared<told>();
	// A stream that has not been connected: nothing can be received there.
	const auto attached =
		core().attach(std::make_shared<fake::end>(::socket(AF_UNIX, SOCK_STREAM, 0)), user);
	EXPECT_TRUE(user->wait([&] { return !user->breaks.empty(); }));
}

// More messages than a transport has buffers.
TEST_P(engines, goes_on_after_a_lack_of_memory)
{
	const auto [here, other] = fake::make_pair();
	const auto user = std::make_shared<told>();
	here->no_memory = 100;
	const auto attached = core().attach(here, user);
	for (std::uint64_t i = 1; i <= 101; ++i) {
		while (sdp::detail::send_now(*other, *message(i, 10)) == EAGAIN) {
			std::this_thread::sleep_for(1ms);
		}
	}
	ASSERT_TRUE(user->wait([&] { return user->arrivals.size() == 1; }));
	EXPECT_EQ(user->arrivals[0].cookie, 101U);
}

TEST_P(engines, actions_that_throw_are_their_own_affair)
{
	std::atomic<int> tries = 0;
	std::atomic<int> threw = 0;
	there([&] {
		// All in one turn.
		static_cast<void>(core().arm(clock_type::now(), [&] {
			++threw;
			throw std::runtime_error("on purpose");
		}));
		core().post([&] {
			if (++tries < 3) {
				throw std::bad_alloc();
			}
			tries.notify_all();
		});
	});
	for (int now = tries; now < 3; now = tries) {
		tries.wait(now);
	}
	there([] {});
	EXPECT_EQ(tries, 3);
	EXPECT_EQ(threw, 1);
}

// Of the engine, or of its thread: what goes with it is not resumed.
TEST_P(engines, destroyed_coroutines_do_not_wake_up)
{
	const auto sleeps = [&](std::chrono::milliseconds time) -> sdp::task<void> {
		co_await on_->sleep_for(time);
		ADD_FAILURE();
	};
	there([&] {
		for (const auto time : {0ms, 10ms, 3'600'000ms}) {
			sdp::task<void> one = sleeps(time);
			auto begun = std::move(one).operator co_await();
			begun.await_suspend(std::noop_coroutine()).resume();
		}
	});
	std::this_thread::sleep_for(30ms);
	there([] {});
}

TEST_P(engines, deadlines_come_in_order_and_none_too_early)
{
	std::mutex lock;
	std::vector<int> came;
	std::atomic<int> left = 3;
	const auto start = clock_type::now();
	for (const int ms : {30, 10, 20}) {
		static_cast<void>(core().arm(start + std::chrono::milliseconds(ms), [&, ms] {
			EXPECT_GE(clock_type::now() - start, std::chrono::milliseconds(ms));
			const std::scoped_lock held(lock);
			came.push_back(ms);
			if (--left == 0) {
				left.notify_all();
			}
		}));
	}
	const auto never = core().arm(start + 15ms, [] { ADD_FAILURE(); });
	core().disarm(never);
	for (int now = left; now != 0; now = left) {
		left.wait(now);
	}
	// The last has ended, too, which has the lock until then.
	there([] {});
	EXPECT_EQ(came, (std::vector{10, 20, 30}));
}

TEST_P(engines, may_end_on_its_own_thread)
{
	std::atomic<bool> ended = false;
	core().post([&, mine = std::move(on_)]() mutable {
		mine.reset();
		ended = true;
		ended.notify_all();
	});
	ended.wait(false);
}

INSTANTIATE_TEST_SUITE_P(all, engines, testing::Values(engine_kind::epoll, engine_kind::io_uring),
			 [](const auto &each) { return std::string(name(each.param)); });

TEST(engine, one_for_the_process)
{
	const auto one = sdp::engine::shared();
	EXPECT_EQ(one, sdp::engine::shared());
	EXPECT_NE(one->kind(), engine_kind::automatic);
}

/** Waits for wake() and deadlines alone, and counts. */
class counting_poller : public sdp::detail::poller {
public:
	[[nodiscard]] engine_kind kind() const noexcept override { return engine_kind::epoll; }
	void add(const std::shared_ptr<sdp::detail::attached> &) override {}
	void remove(const std::shared_ptr<sdp::detail::attached> &) noexcept override {}
	void want_write(const std::shared_ptr<sdp::detail::attached> &) override {}
	bool send(const std::shared_ptr<sdp::detail::attached> &,
		  const std::shared_ptr<outgoing> &) override
	{
		return false;
	}
	void turn(std::optional<clock::time_point> until) override
	{
		std::unique_lock held(lock_);
		sleeps_for_ever_ = !until;
		changed_.notify_all();
		const auto is_woken = [&] { return is_woken_; };
		if (until) {
			changed_.wait_until(held, *until, is_woken);
		} else {
			changed_.wait(held, is_woken);
		}
		sleeps_for_ever_ = is_woken_ = false;
	}
	void wake() noexcept override
	{
		const std::scoped_lock held(lock_);
		++wakes_;
		is_woken_ = true;
		sleeps_for_ever_ = false;
		changed_.notify_all();
	}
	/** How often, once it sleeps until it is. */
	int was_woken()
	{
		std::unique_lock held(lock_);
		EXPECT_TRUE(changed_.wait_for(held, 60s, [&] { return sleeps_for_ever_; }));
		return wakes_;
	}

private:
	std::mutex lock_;
	std::condition_variable changed_;
	int wakes_ = 0;
	bool is_woken_ = false;
	bool sleeps_for_ever_ = false;
};

TEST(engine, is_woken_for_deadlines_that_are_near)
{
	auto on = std::make_unique<counting_poller>();
	counting_poller &seen = *on;
	const auto core = std::make_shared<sdp::detail::engine_core>(std::move(on));
	core->start();
	EXPECT_EQ(seen.was_woken(), 0);
	const auto run = [&](const std::function<void(const std::function<void()> &)> &how) {
		std::atomic<bool> came = false;
		how([&] {
			came = true;
			came.notify_all();
		});
		came.wait(false);
	};
	// As one call after another does, each of them the only one: an answer wakes it.
	constexpr int many = 1000;
	for (int i = 0; i < many; ++i) {
		run([&](const auto &then) { core->post(then); });
		core->disarm(core->arm(clock_type::now() + 1h, [] { ADD_FAILURE(); }));
	}
	// Again, if it is for a second that none came; and so it sleeps for ever in the end.
	const int woken = seen.was_woken();
	EXPECT_GE(woken, 1);
	EXPECT_LT(woken, many + many / 10);
	run([&](const auto &then) { static_cast<void>(core->arm(clock_type::now(), then)); });
	EXPECT_EQ(seen.was_woken(), woken + 1);
	core->stop();
}

TEST(timers, order_and_removal)
{
	sdp::detail::timers all;
	const auto now = clock_type::now();
	int sum = 0;
	all.add(now + 2s, [&] { sum += 100; });
	const auto gone = all.add(now, [&] { sum += 10; });
	all.add(now, [&] { sum += 1; });
	EXPECT_EQ(all.first(), now);
	EXPECT_TRUE(all.remove(gone));
	EXPECT_FALSE(all.remove(gone));
	std::vector<sdp::detail::timers::action> due;
	all.take(now + 1s, due);
	for (const auto &each : due) {
		each();
	}
	EXPECT_EQ(sum, 1);
	EXPECT_EQ(all.size(), 1U);
}

} // namespace
