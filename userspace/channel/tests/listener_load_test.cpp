// SPDX-License-Identifier: Apache-2.0
// Listeners with clients of their own sockets each: one that does not read has no room for
// answers, while the listener's socket has.
#include <sdp/listener.hpp>

#include "check.hpp"
#include "fake_link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::listener;
using sdp::status;

/** Of this test: a ring keeps the address of the one before for a moment. */
int turn = 0;

/** The address of client @p who; of the listener: 0. */
socklen_t name_of(std::uint64_t who, sockaddr_storage &into)
{
	const std::string text = std::to_string(::getpid()) + "-sdp-" + std::to_string(turn) + "-" +
				 std::to_string(who);
	sockaddr_un name{};
	name.sun_family = AF_UNIX;
	std::ranges::copy(text, &name.sun_path[1]);
	std::memcpy(&into, &name, sizeof(name));
	return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
}

int bound(std::uint64_t who)
{
	const int fd =
		sdp::detail::check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	sockaddr_storage name{};
	const socklen_t length = name_of(who, name);
	sdp::detail::check(::bind(fd, reinterpret_cast<const sockaddr *>(&name), length), "bind");
	return fd;
}

/** The listener's end. The number of a request is its client's. */
class hub final : public sdp::detail::transport {
public:
	hub() : fd_(bound(0)) {}

	[[nodiscard]] int fd() const noexcept override { return fd_.get(); }
	[[nodiscard]] std::size_t room() const noexcept override { return 10'000; }
	void wrap(const fake::outgoing &what, fake::envelope &into) const noexcept override
	{
		++sends;
		into.head.msg_name = &into.name;
		into.head.msg_namelen = name_of(what.id, into.name);
		into.pieces[0] = {const_cast<std::byte *>(what.bytes->data()), what.bytes->size()};
		into.head.msg_iov = into.pieces.data();
		into.head.msg_iovlen = 1;
	}
	[[nodiscard]] bool unwrap(msghdr &, sdp::bytes_view payload,
				  fake::arrival &into) const override
	{
		is_held.wait(true);
		std::memcpy(&into.id, payload.data(), sizeof(into.id));
		payload = payload.subspan(sizeof(into.id));
		into.bytes.assign(payload.begin(), payload.end());
		into.is_request = true;
		return true;
	}
	void abort(std::uint64_t) noexcept override {}

	mutable std::atomic<int> sends = 0;
	std::atomic<bool> is_held = false; /**< who receives */

private:
	const sdp::detail::file fd_;
};

class client {
public:
	explicit client(std::uint64_t who) : who_(who), fd_(bound(who)) {}

	void ask() const
	{
		std::vector<std::byte> bytes(sizeof(who_));
		std::memcpy(bytes.data(), &who_, sizeof(who_));
		ASSERT_EQ(append(bytes, sdp::request_header{.method = "m"}),
			  sdp::header_error::none);
		sockaddr_storage name{};
		const socklen_t length = name_of(0, name);
		ASSERT_GT(::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
				   reinterpret_cast<const sockaddr *>(&name), length),
			  0);
	}
	/** The status of the next answer; empty: there is none. */
	[[nodiscard]] std::optional<status> answer(std::chrono::milliseconds within) const
	{
		pollfd wait{fd_.get(), POLLIN, 0};
		if (::poll(&wait, 1, static_cast<int>(within.count())) != 1) {
			return std::nullopt;
		}
		std::vector<std::byte> bytes(10'000);
		const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
		bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
		return sdp::parse_reply(bytes).header.status;
	}

private:
	std::uint64_t who_;
	sdp::detail::file fd_;
};

/** Answers for which a socket that does not read has room, and some. */
int too_many()
{
	int room = 10;
	std::ifstream("/proc/sys/net/unix/max_dgram_qlen") >> room;
	return room + 20;
}

class loads : public testing::Test {
protected:
	loads()
	{
		sdp::detail::listener_parts parts;
		parts.by = hub_;
		parts.refuse = [] {};
		parts.local = [] { return sdp::address::parse("127.0.0.1:4000"); };
		sdp::listener_options options;
		options.most_requests = 50;
		from.emplace(
			std::make_shared<sdp::detail::listener_core>(std::move(parts), options));
	}
	/** Whether a request came, and was answered. */
	bool serve()
	{
		auto got = from->next(listener::clock::now() + 10ms);
		if (got) {
			got->answer("yes");
		}
		return got.has_value();
	}

	const int turn_ = ++turn; /**< before there are addresses */
	std::shared_ptr<hub> hub_ = std::make_shared<hub>();
	std::optional<listener> from;
	client deaf{1}, other{2};
};

TEST_F(loads, who_does_not_read_holds_up_nobody)
{
	int answered = 0;
	for (int left = too_many(); left > 0; --left) {
		deaf.ask();
		answered += serve() ? 1 : 0;
	}
	other.ask();
	ASSERT_TRUE(serve());
	EXPECT_EQ(other.answer(5s), status::ok);
	// And does not have answers pile up.
	for (int left = 100; left > 0 && from->counts().busy == 0; --left) {
		deaf.ask();
		answered += serve() ? 1 : 0;
	}
	EXPECT_GT(from->counts().busy, 0U);
	EXPECT_EQ(from->counts().outstanding, 0U);
	// And costs little.
	const int before = hub_->sends;
	EXPECT_FALSE(from->next(listener::clock::now() + 200ms));
	EXPECT_LT(hub_->sends - before, 3000);
	// It has them when it reads.
	int got = 0;
	for (int left = 20 * answered; left > 0 && got < answered; --left) {
		if (const auto one = deaf.answer(0ms)) {
			got += *one == status::ok ? 1 : 0;
		} else {
			static_cast<void>(serve());
		}
	}
	EXPECT_EQ(got, answered);
}

void who_does_not_read(listener &from, const client &deaf, const client &other,
		       sdp::engine_kind which)
{
	const auto on = fake::engine_if_any(which);
	if (!on) {
		GTEST_SKIP() << "no io_uring";
	}
	std::jthread server([&](const std::stop_token &stop) {
		from.serve_on(
			*on,
			[](sdp::request what) -> sdp::task<void> {
				what.answer("yes");
				co_return;
			},
			stop);
	});
	for (int left = too_many(); left > 0; --left) {
		deaf.ask();
	}
	other.ask();
	EXPECT_EQ(other.answer(5s), status::ok);
	for (int left = too_many(); left > 0; --left) {
		EXPECT_EQ(deaf.answer(5s), status::ok);
	}
}

TEST_F(loads, nor_on_epoll)
{
	who_does_not_read(*from, deaf, other, sdp::engine_kind::epoll);
}

TEST_F(loads, nor_on_io_uring)
{
	who_does_not_read(*from, deaf, other, sdp::engine_kind::io_uring);
}

// An answer that the kernel refuses: too late to be thrown there, but its client is told.
TEST_F(loads, an_answer_that_is_too_long_on_io_uring)
{
	const auto on = fake::engine_if_any(sdp::engine_kind::io_uring);
	if (!on) {
		GTEST_SKIP() << "no io_uring";
	}
	std::jthread server([&](const std::stop_token &stop) {
		from->serve_on(
			*on,
			[](sdp::request what) -> sdp::task<void> {
				what.answer(std::string(10'000'000, 'x'));
				co_return;
			},
			stop);
	});
	other.ask();
	EXPECT_EQ(other.answer(5s), status::not_answered);
}

// While poll() looks, next() waits for it; then it has the second request.
TEST_F(loads, poll_has_others_go_on)
{
	hub_->is_held = true;
	other.ask();
	other.ask();
	std::jthread polls([&] {
		if (auto got = from->poll()) {
			got->answer("yes");
		}
	});
	std::this_thread::sleep_for(50ms);
	std::jthread releases([&] {
		std::this_thread::sleep_for(50ms);
		hub_->is_held = false;
		hub_->is_held.notify_all();
	});
	const auto start = listener::clock::now();
	EXPECT_TRUE(from->next(start + 10s));
	EXPECT_LT(listener::clock::now() - start, 5s);
}

TEST(bytes, are_bounded_too)
{
	const auto [here, there] = fake::make_pair();
	sdp::listener_options options;
	options.most_bytes = 1000;
	listener from = fake::make_listener(there, options);
	sdp::channel to = fake::make_channel(here, std::make_shared<fake::sessions>());
	sdp::pending_call first = to.call("m", std::string(2000, 'x'));
	auto one = from.next();
	ASSERT_TRUE(one);
	sdp::pending_call second = to.call("m", "x", sdp::call_options().retry(false));
	EXPECT_FALSE(from.next(listener::clock::now() + 50ms));
	EXPECT_EQ(second.get().error().code, make_error_code(status::busy));
	one->answer("1");
	EXPECT_TRUE(first.get());
	sdp::pending_call third = to.call("m", "x");
	EXPECT_TRUE(from.next());
}

} // namespace
