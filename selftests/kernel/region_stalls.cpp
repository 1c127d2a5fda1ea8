// SPDX-License-Identifier: Apache-2.0
// Homa's API with a receive region that is too small for what arrives: who
// waits, who passes, and what ends the waiting.
#include <algorithm>
#include <csignal>
#include <linux/homa.h>
#include <poll.h>

#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

/// A client whose region of @a pages is used up, and a response of @a waiting
/// bytes that finds no room. The request with cookie 9 is its.
struct Stalled {
	explicit Stalled(unsigned pages = 4, size_t waiting = 100000)
		: talk(net::Family::v4, pages), length(waiting)
	{
		talk.client.request(talk.to, pattern(pages * HOMA_BPAGE_SIZE - 100, 1), 1);
		talk.server.echo();
		held = talk.client.receive_raw({});
		EQ(pattern_error(held.bytes), "");
		talk.client.request(talk.to, pattern(length, 9), 9);
		talk.server.echo();
		EVENTUALLY(waits());
	}
	/// Has the response with @a cookie arrived and found no room?
	bool waits(uint64_t cookie = 9)
	{
		std::vector<homa_rpc_info> rpcs;
		talk.client.info(&rpcs);
		return std::any_of(rpcs.begin(), rpcs.end(), [&](const homa_rpc_info &rpc) {
			return rpc.completion_cookie == cookie && rpc.flags & HOMA_RPC_BUF_STALL;
		});
	}
	/// What gives the held pages back.
	[[nodiscard]] homa_recvmsg_args back() const
	{
		homa_recvmsg_args args = held.args;
		args.id = 0;
		return args;
	}
	void expect_waiting(const HomaMessage &message) const
	{
		EQ(message.result, length);
		EQ(message.args.completion_cookie, 9);
		EQ(pattern_error(message.bytes, 9), "");
	}

	HomaTalk talk;
	size_t length;
	HomaMessage held;
};

} // namespace

SETUP
{
	two_hosts();
}

TEST(giving_back_gets_it)
{
	Stalled stalled;
	FAILS(stalled.talk.client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	stalled.expect_waiting(stalled.talk.client.receive_raw(stalled.back()));
}

TEST(not_readable_while_in_vain)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	CHECK(client.ready(POLLIN));
	FAILS(client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	CHECK(!client.ready(POLLIN));
	// Another message makes it worth a look.
	client.request(stalled.talk.to, pattern(60000, 2), 2);
	stalled.talk.server.echo();
	CHECK(client.ready(POLLIN, 10000));
	FAILS(client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	CHECK(!client.ready(POLLIN));
}

// 100 bytes are left of the last page that is in use.
TEST(a_shorter_one_passes)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	client.request(stalled.talk.to, pattern(20, 2), 2);
	stalled.talk.server.echo();
	HomaMessage small = client.receive_raw({});
	EQ(small.result, 20);
	EQ(small.args.completion_cookie, 2);
	EQ(pattern_error(small.bytes, 2), "");
	EQ(pattern_error(
		   client.gather(stalled.held.args, static_cast<size_t>(stalled.held.result))),
	   "");
	stalled.expect_waiting(client.receive_raw(stalled.back()));
}

TEST(a_failure_passes)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	uint64_t id = client.request(stalled.talk.to, pattern(10), 3);
	OK(client.abort(id, ECANCELED));
	HomaMessage failed = client.receive_raw({});
	FAILS(failed.result, ECANCELED);
	EQ(failed.args.id, id);
	stalled.expect_waiting(client.receive_raw(stalled.back()));
}

TEST(order_is_kept)
{
	Stalled stalled(4, 70000);
	HomaSocket &client = stalled.talk.client;
	for (unsigned i = 10; i < 13; i++) {
		client.request(stalled.talk.to, pattern(70000, i), i);
		stalled.talk.server.echo();
		EVENTUALLY(stalled.waits(i));
	}
	for (int i = 0; i < 3; i++)
		FAILS(client.receive_raw({}, MSG_DONTWAIT).result, EAGAIN);
	HomaMessage message = client.receive_raw(stalled.back());
	stalled.expect_waiting(message);
	for (unsigned i = 10; i < 13; i++) {
		homa_recvmsg_args args = message.args;
		args.id = 0;
		message = client.receive_raw(args);
		EQ(message.args.completion_cookie, i);
		EQ(pattern_error(message.bytes, i), "");
	}
}

TEST(who_waits_is_woken)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	test::Thread waiter([&] { stalled.expect_waiting(client.receive_raw({})); });
	usleep(100000);
	// This thread gives back, and may itself get the message or nothing.
	HomaMessage other = client.receive_raw(stalled.back(), MSG_DONTWAIT);
	if (other.result >= 0) {
		homa_recvmsg_args args = other.args;
		args.id = 0;
		FAILS(client.receive_raw(args, MSG_DONTWAIT).result, EAGAIN);
		client.request(stalled.talk.to, pattern(stalled.length, 9), 9);
		stalled.talk.server.echo();
	}
	waiter.join();
}

TEST(a_shorter_one_wakes)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	test::Thread waiter([&] { EQ(client.receive_raw({}).args.completion_cookie, 2); });
	usleep(100000);
	client.request(stalled.talk.to, pattern(20, 2), 2);
	stalled.talk.server.echo();
	waiter.join();
}

TEST(several_wait)
{
	Stalled stalled(4, 60000);
	HomaSocket &client = stalled.talk.client;
	for (int i = 0; i < 2; i++) {
		client.request(stalled.talk.to, pattern(60000, 9), 9);
		stalled.talk.server.echo();
	}
	auto wait = [&] { stalled.expect_waiting(client.receive_raw({})); };
	test::Thread one(wait);
	test::Thread two(wait);
	test::Thread three(wait);
	usleep(100000);
	HomaMessage other = client.receive_raw(stalled.back(), MSG_DONTWAIT);
	if (other.result >= 0) {
		client.request(stalled.talk.to, pattern(60000, 9), 9);
		stalled.talk.server.echo();
	}
	one.join();
	two.join();
	three.join();
}

TEST(private_response_waits)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	uint64_t id = client.request(stalled.talk.to, pattern(90000, 4), 4, HOMA_SENDMSG_PRIVATE);
	stalled.talk.server.echo();
	homa_recvmsg_args args{};
	args.id = id;
	client.set_timeout(100);
	FAILS(client.receive_raw(args).result, EAGAIN);
	client.set_timeout(30000);
	homa_recvmsg_args back = stalled.back();
	back.id = id;
	HomaMessage message = client.receive_raw(back);
	EQ(message.args.id, id);
	EQ(pattern_error(message.bytes, 4), "");
}

TEST(time_limit)
{
	Stalled stalled;
	stalled.talk.client.set_timeout(100);
	HomaMessage message = stalled.talk.client.receive_raw({});
	FAILS(message.result, EAGAIN);
	EQ(message.args.id, 0);
	EQ(message.args.num_bpages, 0);
}

TEST(signal_interrupts)
{
	Stalled stalled;
	struct sigaction action {};
	action.sa_handler = [](int) {};
	OK(sigaction(SIGUSR1, &action, nullptr));
	test::Thread waiter([&] { FAILS(stalled.talk.client.receive_raw({}).result, EINTR); });
	waiter.interrupt(SIGUSR1);
}

TEST(shutdown_wakes)
{
	Stalled stalled;
	test::Thread waiter([&] { FAILS(stalled.talk.client.receive_raw({}).result, ESHUTDOWN); });
	usleep(100000);
	OK(shutdown(stalled.talk.client.fd(), SHUT_RDWR));
	waiter.join();
}

TEST(larger_than_the_region)
{
	HomaTalk talk(net::Family::v4, 1);
	uint64_t id = talk.client.request(talk.to, pattern(HOMA_BPAGE_SIZE + 1), 6);
	talk.server.echo();
	HomaMessage message = talk.client.receive_raw({});
	FAILS(message.result, EMSGSIZE);
	EQ(message.args.id, id);
	EQ(message.args.completion_cookie, 6);
	EQ(message.args.num_bpages, 0);
	EQ(talk.client.info().bpool_avail_bytes, HOMA_BPAGE_SIZE);
}

// A failed call has taken the pages back all the same, and says so.
TEST(pages_are_given_back_once)
{
	Stalled stalled;
	HomaSocket &client = stalled.talk.client;
	HomaMessage message = client.receive_raw(stalled.back());
	stalled.expect_waiting(message);
	homa_recvmsg_args args = message.args;
	args.id = 0;
	HomaMessage none = client.receive_raw(args, MSG_DONTWAIT);
	FAILS(none.result, EAGAIN);
	EQ(none.args.num_bpages, 0);
	EQ(client.info().bpool_avail_bytes, 4 * HOMA_BPAGE_SIZE);
}
