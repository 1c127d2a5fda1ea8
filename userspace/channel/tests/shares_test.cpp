// SPDX-License-Identifier: Apache-2.0
// What one client may have of a listener's room, and that others have the rest.
#include "shares.hpp"

#include "fake_link.hpp"

#include <sdp/channel.hpp>
#include <sdp/listener.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using sdp::address;
using sdp::status;
using sdp::detail::arrival;

TEST(shares, of_one_address)
{
	sdp::detail::shares all(2, 100);
	const address one = address::parse("10.0.0.1:1");
	const address same = address::parse("10.0.0.1:2");
	const address other = address::parse("10.0.0.2:1");
	EXPECT_TRUE(all.has_room(one));
	all.add(one, 10);
	EXPECT_TRUE(all.has_room(same));
	all.add(same, 10);
	EXPECT_FALSE(all.has_room(one));
	EXPECT_TRUE(all.has_room(other));
	all.remove(one, 10);
	EXPECT_TRUE(all.has_room(same));
	all.remove(same, 10);
	all.add(one, 100);
	EXPECT_FALSE(all.has_room(same)); // By bytes.
	all.remove(same, 100);
	EXPECT_TRUE(all.has_room(one));
	EXPECT_FALSE(sdp::detail::shares(0, 1).has_room(one));
}

/** A listener that is told of requests of two clients, as the kernel would. */
class two_clients : public testing::Test {
protected:
	two_clients()
	{
		sdp::listener_options options;
		options.most_requests = 8;
		options.most_requests_of_one = 4;
		sdp::detail::listener_parts parts;
		parts.by = ends_.second;
		parts.refuse = [] {};
		core_ = std::make_shared<sdp::detail::listener_core>(std::move(parts), options);
	}
	/** One from @p whom; whether it was taken. */
	bool ask(const std::string &whom)
	{
		arrival what;
		what.is_request = true;
		what.id = ++last_;
		what.peer = address::parse(whom);
		EXPECT_EQ(append(what.bytes, sdp::request_header{.method = "m"}),
			  sdp::header_error::none);
		const auto before = core_->counts();
		core_->arrived(std::move(what));
		const auto after = core_->counts();
		return after.busy == before.busy && after.outstanding == before.outstanding + 1;
	}
	/** What the last one was told. */
	status told()
	{
		std::vector<std::byte> room(fake::end::most);
		status last = status::ok;
		arrival what;
		while (receive_now(*ends_.first, room, what) == 0) {
			last = sdp::parse_reply(what.bytes).header.status;
		}
		return last;
	}

	std::pair<std::shared_ptr<fake::end>, std::shared_ptr<fake::end>> ends_ = fake::make_pair();
	std::shared_ptr<sdp::detail::listener_core> core_;
	std::uint64_t last_ = 0;
};

TEST_F(two_clients, one_that_fills_its_share_leaves_the_rest_to_others)
{
	std::vector<sdp::request> held;
	for (int i = 0; i < 4; ++i) {
		EXPECT_TRUE(ask("10.0.0.1:" + std::to_string(1000 + i)));
	}
	for (int i = 0; i < 100; ++i) {
		EXPECT_FALSE(ask("10.0.0.1:1000"));
	}
	EXPECT_EQ(told(), status::busy);
	EXPECT_EQ(executed_if(status::busy), sdp::executed::not_executed);
	EXPECT_EQ(core_->counts().greedy, 100U);
	for (int i = 0; i < 4; ++i) {
		EXPECT_TRUE(ask("10.0.0.2:1000"));
	}
	// Now the listener is full.
	EXPECT_FALSE(ask("10.0.0.3:1000"));
	EXPECT_EQ(core_->counts().greedy, 100U);
	EXPECT_EQ(core_->counts().busy, 101U);
	while (auto got = core_->poll()) {
		held.push_back(std::move(*got));
	}
	ASSERT_EQ(held.size(), 8U);
	EXPECT_FALSE(ask("10.0.0.1:1000")); // Handed out, and not answered.
	held.front().answer("x");
	held.erase(held.begin());
	EXPECT_TRUE(ask("10.0.0.1:1000"));
	EXPECT_FALSE(ask("10.0.0.1:1000"));
	held.clear();
	EXPECT_TRUE(ask("10.0.0.1:1000"));
}

TEST_F(two_clients, answers_that_one_does_not_take_count_against_it_alone)
{
	// Its answers find no memory.
	while (::send(ends_.second->fd(), "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) == 0) {
	}
	const std::vector<std::byte> filler(1000);
	while (::send(ends_.second->fd(), filler.data(), filler.size(),
		      MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
	}
	int taken = 0;
	for (int i = 0; i < 20; ++i) {
		if (!ask("10.0.0.1:1000")) {
			continue;
		}
		++taken;
		if (auto got = core_->poll()) {
			got->answer("x");
		}
	}
	EXPECT_EQ(taken, 4);
	EXPECT_EQ(core_->counts().outstanding, 0U);
	EXPECT_TRUE(ask("10.0.0.2:1000"));
	// They go when there is memory, and with them the share.
	std::vector<std::byte> room(fake::end::most);
	for (int i = 0; i < 200 && !ask("10.0.0.1:1000"); ++i) {
		while (::recv(ends_.first->fd(), room.data(), room.size(), MSG_DONTWAIT) >= 0) {
		}
		core_->writable();
	}
	EXPECT_GT(core_->counts().outstanding, 0U);
}

} // namespace
