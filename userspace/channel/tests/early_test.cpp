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
			collect_(by, what);
		});
		return fake::make_channel(here, sessions_, options_);
	}
	/** Answers who asks for the answer with @p inner, in a reply with @p outer. */
	void answers(bytes inner, status outer = status::ok)
	{
		collect_ = [=](fake::end &by, const fake::arrival &what) {
			// What a listener sends has the reply as its body.
			fake::arrival to = what;
			const auto said = sdp::parse_request(to.bytes);
			to.bytes.resize(said.length);
			to.bytes.insert(to.bytes.end(), inner.begin(), inner.end());
			fake::reply(by, to, {.status = outer});
		};
	}
	static std::function<void(early_exchange &)> fate(early_fate what)
	{
		return [what](early_exchange &of) { of.fate = what; };
	}

	sdp::channel_options options_;
	std::shared_ptr<fake::sessions> sessions_ = std::make_shared<fake::sessions>();
	std::shared_ptr<fake::end> here_;
	std::function<void(early_exchange &)> how_ = fate(early_fate::accepted);
	std::function<void(fake::end &, const fake::arrival &)> collect_;
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
	const auto got = to.call("get", "body", call_options().early()).get();
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(got->text(), "late");
	EXPECT_EQ(ordinary_, 0);
	EXPECT_EQ(collected_, 1);
}

TEST_F(early_calls, a_failure_that_is_asked_for)
{
	answers(reply_of(status::no_such_method, ""));
	sdp::channel to = begin();
	const auto got = to.call("get", "body", call_options().early()).get();
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
	const auto got = to.call("get", "body", call_options().early()).get();
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
		const auto got = to.call("get", "body", call_options().early()).get();
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().executed, executed::unknown);
		EXPECT_EQ(ordinary_, 0);
	}
	sdp::channel to = begin();
	const auto got = to.call("get", "body", call_options().early().idempotent()).get();
	ASSERT_TRUE(got) << got.error().describe();
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, a_question_that_finds_no_session_is_not_the_request)
{
	answers(reply_of(status::ok, "late"));
	std::atomic<bool> failed = false;
	const auto answer = collect_;
	collect_ = [&](fake::end &by, const fake::arrival &what) {
		if (!failed.exchange(true)) {
			fake::fail(by, what, ETIMEDOUT);
			return;
		}
		answer(by, what);
	};
	sdp::channel to = begin();
	const auto got = to.call("get", "body", call_options().early()).get();
	ASSERT_FALSE(got);
	EXPECT_EQ(got.error().executed, executed::unknown);
	EXPECT_EQ(ordinary_, 0);
}

TEST_F(early_calls, refused_or_not_sent_they_go_as_any_other)
{
	for (const early_fate what : {early_fate::refused, early_fate::not_sent}) {
		how_ = fate(what);
		ordinary_ = 0;
		sdp::channel to = begin();
		const auto got = to.call("get", "body", call_options().early()).get();
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
		const auto got = to.call("get", "body", call_options().early()).get();
		ASSERT_FALSE(got);
		EXPECT_EQ(got.error().executed, executed::unknown);
		EXPECT_EQ(ordinary_, 0);
	}
	sdp::channel to = begin();
	EXPECT_TRUE(to.call("get", "body", call_options().early().idempotent()).get());
	EXPECT_EQ(ordinary_, 1);
}

TEST_F(early_calls, when_the_handshake_fails)
{
	for (const early_fate what : {early_fate::unknown, early_fate::accepted}) {
		how_ = [&](early_exchange &of) { of.fate = what; };
		sessions_->error = ETIMEDOUT;
		sdp::channel to = begin();
		const auto got = to.call("get", "body", call_options().early()).get();
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

TEST(early_answers, wait_for_who_asks)
{
	using sdp::detail::early_answers;
	using sdp::detail::return_path;
	early_answers all;
	const early_answers::clock::time_point now{};
	const auto text = std::make_shared<const bytes>(3);
	const sdp::early_token one{std::byte{1}}, two{std::byte{2}};
	EXPECT_FALSE(all.collect(one, {}).is_known);
	// Asked for before it is there; the last who asks has it.
	EXPECT_TRUE(all.begin(one));
	EXPECT_FALSE(all.begin(one));
	EXPECT_TRUE(all.collect(one, {.id = 1}).is_known);
	const auto second = all.collect(one, {.id = 2});
	EXPECT_FALSE(second.answer);
	ASSERT_TRUE(second.before);
	EXPECT_EQ(second.before->id, 1U);
	const auto waits = all.answer(one, text, now);
	ASSERT_TRUE(waits);
	EXPECT_EQ(waits->id, 2U);
	EXPECT_FALSE(all.collect(one, {}).is_known);
	// And after.
	EXPECT_TRUE(all.begin(one));
	EXPECT_FALSE(all.answer(one, text, now));
	EXPECT_EQ(all.collect(one, {}).answer, text);
	EXPECT_FALSE(all.collect(one, {}).is_known);
	// Nobody asks.
	EXPECT_TRUE(all.begin(one));
	EXPECT_TRUE(all.begin(two));
	EXPECT_FALSE(all.answer(one, text, now));
	EXPECT_FALSE(all.answer(two, text, now + early_answers::lifetime));
	EXPECT_FALSE(all.collect(one, {}).is_known);
	EXPECT_TRUE(all.collect(two, {}).is_known);
}

TEST(early_answers, are_not_kept_without_end)
{
	sdp::detail::early_answers all;
	const auto token = [](std::size_t i) {
		return sdp::early_token{static_cast<std::byte>(i), static_cast<std::byte>(i >> 8)};
	};
	for (std::size_t i = 0; i <= sdp::detail::early_answers::most; ++i) {
		EXPECT_TRUE(all.begin(token(i)));
		EXPECT_FALSE(all.answer(token(i), std::make_shared<const bytes>(), {}));
	}
	EXPECT_FALSE(all.collect(token(0), {}).is_known);
	EXPECT_TRUE(all.collect(token(1), {}).is_known);
}

} // namespace
