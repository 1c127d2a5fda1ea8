// SPDX-License-Identifier: Apache-2.0
// Calls that go as early data: a channel whose handshakes are played, and a listener likewise.
#include "fake_link.hpp"

#include <sdp/channel.hpp>
#include <sdp/listener.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::call_options;
using sdp::early_exchange;
using sdp::early_fate;
using sdp::executed;
using sdp::status;

using bytes = std::vector<std::byte>;

bytes reply_of(status what, const std::string &body)
{
	return sdp::detail::make_reply({.status = what}, sdp::as_bytes(body));
}

/** A channel without a session, and what its server gets. */
class early_calls : public testing::Test {
protected:
	early_calls()
	{
		options_.at_once = false;
		options_.sessions.between = 1ms;
		options_.sessions.between_at_most = 10ms;
		sessions_->early = [this](early_exchange &what) {
			++offered_;
			request_ = what.request;
			token_ = what.token;
			how_(what);
		};
	}
	sdp::channel begin()
	{
		auto [here, other] = fake::make_pair();
		here_ = here;
		server_.emplace(other, [this](fake::end &by, const fake::arrival &what) {
			const auto said = sdp::parse_request(what.bytes);
			if (!said.header.collects) {
				++ordinary_;
				fake::reply(by, what);
				return;
			}
			const auto token = sdp::bytes_view(what.bytes).subspan(said.length);
			EXPECT_TRUE(std::ranges::equal(token, token_));
			++collected_;
			const std::scoped_lock held(collect_lock_);
			collect_(by, what);
		});
		return fake::make_channel(here, sessions_, options_);
	}
	/** A request that may go as early data. */
	static sdp::result<sdp::reply> ask(sdp::channel &to, const call_options &how = {})
	{
		return to.call("get", "body", call_options(how).early()).get();
	}
	/** Has @p how answer who asks for the answer, from now on. */
	void collects(std::function<void(fake::end &, const fake::arrival &)> how)
	{
		const std::scoped_lock held(collect_lock_);
		collect_ = std::move(how);
	}
	/** Answers who asks for the answer with @p inner, in a reply with @p outer. */
	void answers(bytes inner, status outer = status::ok)
	{
		collects([=](fake::end &by, const fake::arrival &what) {
			// What a listener sends has the reply as its body.
			fake::arrival to = what;
			const auto said = sdp::parse_request(to.bytes);
			to.bytes.resize(said.length);
			to.bytes.insert(to.bytes.end(), inner.begin(), inner.end());
			fake::reply(by, to, {.status = outer});
		});
	}
	static std::function<void(early_exchange &)> fate(early_fate what)
	{
		return [what](early_exchange &of) { of.fate = what; };
	}

	sdp::channel_options options_;
	std::shared_ptr<fake::sessions> sessions_ = std::make_shared<fake::sessions>();
	std::shared_ptr<fake::end> here_;
	std::function<void(early_exchange &)> how_ = fate(early_fate::accepted);
	std::mutex collect_lock_;
	std::function<void(fake::end &, const fake::arrival &)> collect_; /**< by it */
	std::atomic<int> offered_ = 0, ordinary_ = 0, collected_ = 0;
	bytes request_;
	sdp::early_token token_{};
	std::optional<fake::peer> server_;
};

TEST_F(early_calls, an_answer_that_comes_with_the_handshake)
{
	how_ = [](early_exchange &what) {
		what.fate = early_fate::accepted;
		what.reply = reply_of(status::ok, "soon");
	};
	sdp::channel to = begin();
	const auto got = to.call("get", "body", call_options().early().with("k", "v")).get();
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(got->text(), "soon");
	EXPECT_EQ(ordinary_, 0);
	EXPECT_EQ(collected_, 0);
	const auto said = sdp::parse_request(request_);
	EXPECT_EQ(said.header.method, sdp::method("get"));
	EXPECT_EQ(said.header.metadata.get("k"), "v");
	EXPECT_GT(said.header.patience, 0ms);
	EXPECT_EQ(to.counts().early, 1U);
	EXPECT_EQ(to.counts().sent, 1U);
	// There is a session now.
	EXPECT_TRUE(to.call("get", "x", call_options().early()).get());
	EXPECT_EQ(ordinary_, 1);
	EXPECT_EQ(offered_, 1);
}

TEST_F(early_calls, an_answer_that_is_asked_for)
{
	answers(reply_of(status::ok, "late"));
	sdp::channel to = begin();
	const auto got = ask(to);
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(got->text(), "late");
	EXPECT_EQ(ordinary_, 0);
	EXPECT_EQ(collected_, 1);
}

TEST_F(early_calls, a_failure_that_is_asked_for)
{
	answers(reply_of(status::no_such_method, ""));
	sdp::channel to = begin();
	const auto got = ask(to);
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code, make_error_code(status::no_such_method));
	EXPECT_EQ(got.error().executed, executed::not_executed);
	EXPECT_EQ(ordinary_, 0);
}

// The server had no room for it, and says so: it was not executed.
TEST_F(early_calls, a_request_that_the_server_was_too_busy_for)
{
	answers(reply_of(status::busy, ""));
	sdp::channel to = begin();
	const auto got = ask(to);
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(got->text(), "body");
	EXPECT_EQ(ordinary_, 1);
}

// It is the question that was turned away: nothing is known of the request.
TEST_F(early_calls, a_question_that_the_server_was_too_busy_for)
{
	for (const status what : {status::busy, status::closing, status::not_answered}) {
		answers({}, what);
		sdp::channel to = begin();
		const auto got = ask(to);
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().executed, executed::unknown);
		EXPECT_EQ(ordinary_, 0);
	}
	sdp::channel to = begin();
	const auto got = ask(to, call_options().idempotent());
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, a_question_that_finds_no_session_is_not_the_request)
{
	answers(reply_of(status::ok, "late"));
	std::atomic<bool> failed = false;
	const auto answer = collect_;
	collects([&](fake::end &by, const fake::arrival &what) {
		if (!failed.exchange(true)) {
			fake::fail(by, what, ETIMEDOUT);
			return;
		}
		answer(by, what);
	});
	sdp::channel to = begin();
	const auto got = ask(to);
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_EQ(ordinary_, 0);
}

// It says that the answer to the question did not come, and nothing of the request.
TEST_F(early_calls, the_question_fails_and_the_request_is_not_sent_again)
{
	for (const int error : {EBADMSG, ENOBUFS, ENOMEM, EMSGSIZE, ETIMEDOUT}) {
		collects([error](fake::end &by, const fake::arrival &what) {
			fake::fail(by, what, error);
		});
		sdp::channel to = begin();
		const auto got = ask(to);
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().code.value(), error);
		EXPECT_EQ(got.error().executed, executed::unknown);
	}
	EXPECT_EQ(collected_, 5);
	EXPECT_EQ(ordinary_, 0);
}

TEST_F(early_calls, refused_or_not_sent_they_go_as_any_other)
{
	for (const early_fate what : {early_fate::refused, early_fate::not_sent}) {
		how_ = fate(what);
		ordinary_ = 0;
		sdp::channel to = begin();
		const auto got = ask(to);
		ASSERT_TRUE(got) << got.error().describe();
		EXPECT_EQ(got->text(), "body");
		EXPECT_EQ(ordinary_, 1);
		EXPECT_EQ(collected_, 0);
		EXPECT_EQ(to.counts().early, 0U);
		EXPECT_EQ(to.counts().retried, what == early_fate::refused ? 1U : 0U);
	}
}

TEST_F(early_calls, of_unknown_fate_are_sent_again_if_they_are_idempotent)
{
	how_ = fate(early_fate::unknown);
	{
		sdp::channel to = begin();
		const auto got = ask(to);
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().executed, executed::unknown);
		EXPECT_EQ(ordinary_, 0);
	}
	sdp::channel to = begin();
	EXPECT_TRUE(ask(to, call_options().idempotent()));
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, when_the_handshake_fails)
{
	for (const early_fate what : {early_fate::unknown, early_fate::accepted}) {
		how_ = [&](early_exchange &of) { of.fate = what; };
		sessions_->error = ETIMEDOUT;
		sdp::channel to = begin();
		const auto got = ask(to);
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().executed, executed::unknown);
	}
	how_ = fate(early_fate::not_sent);
	sdp::channel to = begin();
	auto call = to.call("get", "body", call_options().early());
	while (offered_ < 4) {
		std::this_thread::sleep_for(1ms);
	}
	sessions_->error = 0;
	EXPECT_TRUE(call.get());
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, given_up_while_the_handshake_has_them)
{
	std::atomic<bool> has = false;
	how_ = [&](early_exchange &of) {
		of.fate = early_fate::unknown;
		has = true;
		has.notify_all();
		std::this_thread::sleep_for(20ms);
		of.fate = early_fate::accepted;
	};
	sdp::channel to = begin();
	auto call = to.call("get", "body", call_options().early());
	has.wait(false);
	call.cancel();
	const auto got = call.get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().code.value(), ECANCELED);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_TRUE(to.call("get", "other").get());
	EXPECT_EQ(collected_, 0);
}

// Before the handshake has sent it: it is certain that nobody executes it.
TEST_F(early_calls, given_up_before_they_are_sent)
{
	std::atomic<bool> has = false, goes_on = false;
	how_ = [&](early_exchange &of) {
		has = true;
		has.notify_all();
		goes_on.wait(false);
		early_fate sent = early_fate::not_sent;
		EXPECT_FALSE(of.fate.compare_exchange_strong(sent, early_fate::unknown));
		EXPECT_EQ(sent, early_fate::withdrawn);
	};
	sdp::channel to = begin();
	auto call = to.call("get", "body", call_options().early());
	has.wait(false);
	call.cancel();
	const auto got = call.get();
	goes_on = true;
	goes_on.notify_all();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().executed, executed::not_executed);
	EXPECT_TRUE(to.call("get", "other").get());
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, only_those_that_may_and_fit)
{
	sdp::channel to = begin();
	EXPECT_TRUE(to.call("get", "body").get());
	EXPECT_EQ(offered_, 0);
	sdp::channel other = begin();
	EXPECT_TRUE(other.call("get", std::string(sdp::longest_early, 'x'), call_options().early())
			    .get());
	EXPECT_EQ(offered_, 0);
	EXPECT_EQ(ordinary_, 2);
}

/** A listener that is brought early data. */
class early_requests : public testing::Test {
protected:
	explicit early_requests(const sdp::listener_options &options = {})
		: ends_(fake::make_pair()),
		  from(fake::make_listener(ends_.second, options,
					   std::make_unique<fake::handshakes>(is))),
		  to(fake::make_channel(ends_.first, std::make_shared<fake::sessions>()))
	{
	}

	static sdp::early_arrival one(std::uint8_t token, const std::string &body = "body")
	{
		bytes all;
		EXPECT_EQ(append(all, sdp::request_header{.method = "early"}),
			  sdp::header_error::none);
		const auto tail = sdp::as_bytes(body);
		all.insert(all.end(), tail.begin(), tail.end());
		return {.peer = sdp::address::parse("10.0.0.1:40000"),
			.token = {std::byte{token}},
			.request = std::move(all)};
	}

	std::shared_ptr<fake::handshakes::inside> is = std::make_shared<fake::handshakes::inside>();
	std::pair<std::shared_ptr<fake::end>, std::shared_ptr<fake::end>> ends_;
	sdp::listener from;
	sdp::channel to;
};

TEST_F(early_requests, are_told_and_their_answer_goes_with_the_handshake)
{
	is->bring(one(1));
	auto got = from.next();
	ASSERT_TRUE(got);
	EXPECT_TRUE(got->early());
	EXPECT_TRUE(got->secure());
	EXPECT_EQ(got->method(), sdp::method("early"));
	EXPECT_EQ(got->text(), "body");
	ASSERT_TRUE(got->who());
	EXPECT_EQ(got->who()->name, "early.lab");
	EXPECT_EQ(got->peer(), sdp::address::parse("10.0.0.1:40000"));
	EXPECT_FALSE(is->answer(0, 1000));
	got->answer("back");
	EXPECT_FALSE(is->answer(0, 10)); // Too long for what there is room for.
	const auto said = is->answer(0, 1000);
	ASSERT_TRUE(said);
	EXPECT_EQ(*said, reply_of(status::ok, "back"));
	EXPECT_FALSE(is->answer(0, 1000)); // Once.
	EXPECT_EQ(from.counts().early, 1U);
	EXPECT_EQ(from.counts().outstanding, 0U);
	auto call = to.call("m", "x");
	EXPECT_FALSE(from.next()->early());
}

// A channel whose handshake hands its request to the listener itself.
TEST(early_data, from_a_channel_to_a_listener)
{
	for (const bool is_late : {false, true}) {
		auto ends = fake::make_pair();
		const auto is = std::make_shared<fake::handshakes::inside>();
		sdp::listener from = fake::make_listener(ends.second, {},
							 std::make_unique<fake::handshakes>(is));
		const auto sessions = std::make_shared<fake::sessions>();
		sessions->early = [&](early_exchange &what) {
			is->bring({.peer = sdp::address::parse("10.0.0.1:40000"),
				   .token = what.token,
				   .request = what.request});
			is->wait(); // A server has them before it answers.
			what.fate = early_fate::accepted;
		};
		sdp::channel to = fake::make_channel(ends.first, sessions, {.at_once = false});
		auto call = to.call("get", "body", call_options().early());
		auto got = from.next();
		ASSERT_TRUE(got);
		EXPECT_TRUE(got->early());
		if (is_late) {
			// The question is there, and waits.
			EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
		}
		got->answer("back");
		if (!is_late) {
			EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
		}
		const auto said = call.get();
		ASSERT_TRUE(said) << said.error().describe();
		EXPECT_EQ(said->text(), "back");
		EXPECT_EQ(from.counts().requests, 1U);
	}
}

// What the socket does not take: its client is told, and the listener goes on.
TEST(early_data, whose_answer_is_too_long)
{
	for (const bool is_late : {false, true}) {
		auto ends = fake::make_pair();
		const auto is = std::make_shared<fake::handshakes::inside>();
		sdp::listener from = fake::make_listener(ends.second, {},
							 std::make_unique<fake::handshakes>(is));
		const auto sessions = std::make_shared<fake::sessions>();
		sessions->early = [&](early_exchange &what) {
			is->bring({.token = what.token, .request = what.request});
			is->wait();
			what.fate = early_fate::accepted;
		};
		sdp::channel to = fake::make_channel(ends.first, sessions, {.at_once = false});
		auto call = to.call("get", "body", call_options().early());
		auto got = from.next();
		ASSERT_TRUE(got);
		const std::string answer(1 << 20, 'x');
		if (is_late) {
			EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
			EXPECT_THROW(got->answer(answer), std::system_error);
		} else {
			got->answer(answer);
			EXPECT_NO_THROW(
				EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms)));
		}
		const auto said = call.get();
		ASSERT_FALSE(said);
		EXPECT_EQ(said.error().code, make_error_code(status::not_answered));
		EXPECT_EQ(said.error().executed, executed::unknown);
		auto other = to.call("get", "body");
		from.next()->answer("back");
		EXPECT_TRUE(other.get());
	}
}

TEST_F(early_requests, that_come_twice_are_one)
{
	is->bring(one(1));
	is->bring(one(1));
	from.next()->answer("back");
	EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
	EXPECT_EQ(from.counts().requests, 1U);
}

TEST_F(early_requests, that_are_no_requests)
{
	auto wrong = one(1);
	wrong.request.resize(3);
	is->bring(std::move(wrong));
	bytes asks;
	EXPECT_EQ(append(asks, sdp::request_header{.collects = true}), sdp::header_error::none);
	is->bring({.token = {std::byte{2}}, .request = asks});
	EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
	EXPECT_EQ(from.counts().malformed, 2U);
	const auto said = is->answer(0, 1000);
	ASSERT_TRUE(said);
	EXPECT_EQ(sdp::parse_reply(*said).header.status, status::malformed);
}

class full_listener : public early_requests {
protected:
	full_listener() : early_requests({.most_requests = 1}) {}
};

TEST_F(full_listener, says_so_to_early_data_too)
{
	is->bring(one(1));
	auto got = from.next();
	ASSERT_TRUE(got);
	is->bring(one(2));
	EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
	const auto said = is->answer(1, 1000);
	ASSERT_TRUE(said);
	EXPECT_EQ(sdp::parse_reply(*said).header.status, status::busy);
	got->answer("x");
}

class greedy_client : public early_requests {
protected:
	greedy_client() : early_requests({.most_requests_of_one = 1}) {}
};

// Where they seem to come from is nobody's share.
TEST_F(greedy_client, has_one_share_whatever_its_early_data_say)
{
	is->bring(one(1));
	auto got = from.next();
	ASSERT_TRUE(got);
	auto other = one(2);
	other.peer = sdp::address::parse("10.0.0.2:40000");
	is->bring(std::move(other));
	EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
	EXPECT_EQ(from.counts().greedy, 1U);
	got->answer("x");
	is->bring(one(3));
	EXPECT_TRUE(from.next());
}

class forgetful_client : public early_requests {
protected:
	forgetful_client() : early_requests({.most_bytes = 400}) {}
};

TEST_F(forgetful_client, is_busy_before_its_requests_are_executed)
{
	is->bring(one(1));
	from.next()->answer(std::string(90, 'x'));
	is->bring(one(2));
	from.next()->answer(""); // No room for that, and the one before goes.
	is->bring(one(3));
	from.next()->answer(std::string(100 - reply_of(status::ok, "").size(), 'x'));
	is->bring(one(4));
	EXPECT_FALSE(from.next(sdp::listener::clock::now() + 50ms));
	const auto said = is->answer(3, 1000);
	ASSERT_TRUE(said);
	EXPECT_EQ(sdp::parse_reply(*said).header.status, status::busy);
	EXPECT_EQ(from.counts().busy, 1U);
	EXPECT_TRUE(is->answer(2, 1000));
	is->bring(one(5));
	EXPECT_TRUE(from.next());
}

TEST(early_answers, wait_for_who_asks)
{
	using sdp::detail::early_answers;
	using sdp::detail::return_path;
	early_answers all(100, 100);
	const early_answers::clock::time_point now{};
	const auto begin = [&](const sdp::early_token &token, auto when) {
		return all.begin(token, "who", when) == early_answers::begun::yes;
	};
	const auto text = std::make_shared<const bytes>(3);
	const sdp::early_token one{std::byte{1}}, two{std::byte{2}};
	EXPECT_FALSE(all.collect(one, {}, now).is_known);
	// Asked for before it is there; the last who asks has it.
	EXPECT_TRUE(begin(one, now));
	EXPECT_FALSE(begin(one, now));
	EXPECT_TRUE(all.collect(one, {.id = 1}, now).is_known);
	const auto second = all.collect(one, {.id = 2}, now);
	EXPECT_FALSE(second.answer);
	ASSERT_TRUE(second.before);
	EXPECT_EQ(second.before->id, 1U);
	const auto waits = all.answer(one, text, now);
	ASSERT_TRUE(waits);
	EXPECT_EQ(waits->id, 2U);
	EXPECT_FALSE(all.collect(one, {}, now).is_known);
	// And after.
	EXPECT_TRUE(begin(one, now));
	EXPECT_FALSE(all.answer(one, text, now));
	EXPECT_EQ(all.collect(one, {}, now).answer, text);
	EXPECT_FALSE(all.collect(one, {}, now).is_known);
	// Nobody asks.
	EXPECT_TRUE(begin(one, now));
	EXPECT_TRUE(begin(two, now));
	EXPECT_FALSE(all.answer(one, text, now));
	EXPECT_FALSE(all.answer(two, text, now + 1s));
	const auto later = now + early_answers::lifetime;
	EXPECT_FALSE(all.take(one, 100, later));
	EXPECT_EQ(all.size(later), 3U);
	EXPECT_TRUE(all.collect(two, {}, later).is_known);
	EXPECT_EQ(all.size(later), 0U);
}

// Without anything else that comes.
TEST(early_answers, expire)
{
	using sdp::detail::early_answers;
	const early_answers::clock::time_point now{};
	const auto later = now + early_answers::lifetime;
	const auto text = std::make_shared<const bytes>(3);
	for (const int which : {0, 1, 2, 3}) {
		early_answers all(3, 3);
		EXPECT_EQ(all.begin({}, "who", now), early_answers::begun::yes);
		EXPECT_FALSE(all.answer({}, text, now));
		EXPECT_EQ(all.begin({}, "who", now), early_answers::begun::again);
		EXPECT_EQ(all.begin({std::byte{1}}, "who", now), early_answers::begun::full);
		if (which == 0) {
			EXPECT_FALSE(all.take({}, 100, later));
		} else if (which == 1) {
			EXPECT_FALSE(all.collect({}, {}, later).is_known);
		} else if (which == 2) {
			EXPECT_EQ(all.size(later), 0U);
		}
		EXPECT_EQ(all.begin({}, "who", later), early_answers::begun::yes);
	}
}

class kept_answers : public testing::Test {
protected:
	using early_answers = sdp::detail::early_answers;

	/** Whether it could begin; it is answered at once. */
	bool keep(std::size_t which, const std::string &who, std::size_t length)
	{
		const bool has_begun =
			all.begin(token(which), who, {}) == early_answers::begun::yes;
		EXPECT_FALSE(all.answer(token(which), std::make_shared<const bytes>(length), {}));
		return has_begun;
	}
	bool has(std::size_t which) { return !!all.take(token(which), 1000, {}); }
	static sdp::early_token token(std::size_t i)
	{
		return {static_cast<std::byte>(i), static_cast<std::byte>(i >> 8)};
	}

	early_answers all{100, 40};
};

TEST_F(kept_answers, are_so_many_of_one_client_and_of_all)
{
	for (std::size_t i = 0; i <= early_answers::most_of_one; ++i) {
		EXPECT_TRUE(keep(i, "one", 0));
	}
	EXPECT_FALSE(has(0));
	EXPECT_TRUE(has(1));
	for (std::size_t i = 0; i < 4 * early_answers::most_of_one; ++i) {
		EXPECT_TRUE(keep(1000 + i, i % 2 == 0 ? "two" : std::to_string(i), 0));
	}
	EXPECT_TRUE(keep(3000, "last", 0));
	EXPECT_FALSE(keep(3001, "no more", 0));
	EXPECT_TRUE(has(2));
	EXPECT_TRUE(has(1001));
}

TEST_F(kept_answers, have_so_many_bytes_of_one_client_and_of_all)
{
	EXPECT_TRUE(keep(1, "one", 30));
	EXPECT_TRUE(keep(2, "one", 30)); // Its own older one goes.
	EXPECT_EQ(all.size({}), 30U);
	EXPECT_FALSE(has(1));
	EXPECT_TRUE(keep(3, "one", 41)); // Too long for anybody.
	EXPECT_EQ(all.size({}), 0U);
	EXPECT_TRUE(keep(4, "one", 40));
	EXPECT_TRUE(keep(5, "two", 40));
	EXPECT_TRUE(keep(6, "three", 30)); // Nobody else's goes for it.
	EXPECT_FALSE(has(6));
	EXPECT_TRUE(keep(7, "three", 20));
	EXPECT_EQ(all.size({}), 100U);
	EXPECT_FALSE(keep(8, "four", 1)); // Before anything is executed.
	EXPECT_TRUE(has(4));
	EXPECT_TRUE(keep(8, "four", 1));
}

} // namespace
