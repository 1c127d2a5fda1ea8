// SPDX-License-Identifier: Apache-2.0
// Granting: GRANT_SETTLE, GRANT_TURN, FIFO_TURN.
#include "chain.hpp"

class Grant : public Chain {
protected:
	// A client with part of a response of 50,000 bytes, in the ranks.
	void begin(u32 received = 1000, u32 length = 50000)
	{
		send_request(100);
		data(0, received, length);
		run(PROG_EV_GRANT_SETTLE);
	}

	void receive(u32 until)
	{
		data(rpc.rx_end, until - rpc.rx_end, rpc.rx_length);
		run(PROG_EV_GRANT_SETTLE);
	}
};

TEST_F(Grant, enters_the_ranks)
{
	send_request(100);
	data(0, 1000, 50000);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"RANK FIFO 1000000000", "RANK GRANT 49000"}));
	EXPECT_EQ(host.ranked[0], 1U);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), Words{}) << "of equal ones the first is first";
	EXPECT_EQ(host.ranked[0], 1U);
}

TEST_F(Grant, a_window_beyond_what_is_here)
{
	begin(9000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 17000 prio 0"}));
	EXPECT_EQ(rpc.held, 7000U);
	EXPECT_EQ(host.held[0], 7000U);
	EXPECT_EQ(turn(0, 1), Words{}) << "stale";
	receive(12000);
	EXPECT_EQ(host.held[0], 5000U);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 20000 prio 0"}));
}

// Who asks for grants and sends nothing, or a little now and then, keeps nobody waiting.
TEST_F(Grant, what_does_not_come_is_held_no_longer)
{
	begin(9000);
	turn(0, 1);
	EXPECT_EQ(host.held[0], 7000U);
	timeout(100 * msec);
	EXPECT_EQ(rpc.rx_stale, 0U) << "it may be a slow path";
	run(PROG_EV_BUSY);
	Words words = timeout(1000 * msec);
	EXPECT_EQ(words[words.size() - 2], "RAISE GRANT_SETTLE");
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE),
		  (Words{"RANK GRANT 4295008296", "RANK FIFO 9223372037854775808"}))
		<< "after all others";
	EXPECT_EQ(host.held[0], 0U);
}

TEST_F(Grant, what_comes_late_is_forgiven)
{
	begin(9000);
	turn(0, 1);
	timeout(100 * msec);
	run(PROG_EV_BUSY);
	timeout(1000 * msec);
	run(PROG_EV_GRANT_SETTLE);
	receive(9100);
	EXPECT_EQ(host.held[0], 0U) << "a little";
	peer.window = 0;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 17100 prio 0"}));
	EXPECT_EQ(host.held[0], 100U);
	receive(17000);
	EXPECT_EQ(rpc.rx_stale, 0U);
	EXPECT_EQ(host.held[0], 100U);
	timeout(4000 * msec);
	timeout(4000 * msec);
	EXPECT_EQ(rpc.rx_stale, 17100U);
	rpc.ranked = 0;
	rpc.rx_stale = 0;
	timeout(4000 * msec);
	EXPECT_EQ(rpc.rx_stale, 17100U) << "as it is all granted";
	rpc.held = 0;
	rpc.rx_stale = 0;
	timeout(4000 * msec);
	EXPECT_EQ(rpc.rx_stale, 0U) << "the host counts nothing of it";
}

// Else a few bytes of many that are announced and never come would keep a place.
TEST_F(Grant, nothing_to_grant_is_no_place)
{
	params.max_unsched = 40000;
	send_request(100);
	data(0, 1000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(turn(0, 1), (Words{"RANK GRANT 4295016296"})) << "after all others";
	EXPECT_EQ(turn(0, 1), Words{}) << "once";
	data(1000, 1000, 50000);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"RANK GRANT 48000"})) << "more has come";
	EXPECT_EQ(turn(0, 1), (Words{"RANK GRANT 4295015296"}));
	data(2000, 31000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 41000 prio 0"}));
	EXPECT_EQ(turn(0, 1), Words{}) << "it holds something";
}

TEST_F(Grant, shortest_gets_the_highest_priority)
{
	begin(9000);
	EXPECT_EQ(turn(0, 3), (Words{"GRANT 17000 prio 2"}));
	receive(12000);
	EXPECT_EQ(turn(1, 3), (Words{"GRANT 20000 prio 1"}));
	receive(15000);
	EXPECT_EQ(turn(2, 3), (Words{"GRANT 23000 prio 0"}));
	receive(18000);
	EXPECT_EQ(turn(0, 8), (Words{"GRANT 26000 prio 3"})) << "no more than there are levels";
	receive(21000);
	EXPECT_EQ(turn(7, 8), (Words{"GRANT 29000 prio 0"}));
}

TEST_F(Grant, to_no_more_than_overcommitted)
{
	begin(9000);
	params.overcommit = 2;
	EXPECT_EQ(turn(2, 3), Words{});
	EXPECT_EQ(turn(1, 3), (Words{"GRANT 17000 prio 1"}));
}

TEST_F(Grant, the_last_bytes_end_it)
{
	begin(9000, 15000);
	EXPECT_EQ(turn(0, 1), (Words{"RANK_CLEAR FIFO", "RANK_CLEAR GRANT", "GRANT 15000 prio 0"}));
	EXPECT_EQ(host.ranked[0], 0U);
	EXPECT_EQ(turn(0, 1), Words{}) << "stale";
	EXPECT_EQ(host.held[0], 5000U);
}

TEST_F(Grant, in_quanta)
{
	params.quantum = 4096;
	begin(9000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 20480 prio 0"}));
	host.held[0] = 0;
	rpc.held = 0;
	params.max_incoming = 10000;
	receive(17000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 24576 prio 0"})) << "as far as there is room";
	EXPECT_EQ(host.denied[0], 1);
}

TEST_F(Grant, within_the_cap)
{
	params.max_incoming = 10000;
	begin(10000);
	host.held[0] = 6000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 14000 prio 0"}));
	EXPECT_EQ(host.held[0], 10000U);
	EXPECT_EQ(host.denied[0], 1);
	EXPECT_EQ(turn(0, 1), Words{});
	host.held[0] = 11000;
	EXPECT_EQ(turn(0, 1), Words{}) << "over the cap after it was lowered";
}

// What is in the queue already leaves less room; but it may never come.
TEST_F(Grant, what_is_announced_takes_room_up_to_half)
{
	params.max_incoming = 14000;
	begin(4000);
	EXPECT_EQ(host.announced[0], 6000U);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 12000 prio 0"}));
	receive(9500);
	EXPECT_EQ(host.announced[0], 500U);
	host.announced[0] += 7500;
	host.held[0] += 4000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 13000 prio 0"})) << "half is left";
	EXPECT_EQ(turn(0, 1), Words{});
	host.announced[0] -= 7500;
	host.announced[1] = 14000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 17500 prio 0"})) << "the other class's does not";
	receive(10000);
	EXPECT_EQ(host.announced[0], 0U);
}

TEST_F(Grant, what_is_announced_and_does_not_come_is_not_counted)
{
	begin(4000);
	timeout(100 * msec);
	EXPECT_EQ(rpc.rx_stale, 0U) << "it may be a slow path";
	run(PROG_EV_BUSY);
	timeout(1000 * msec);
	EXPECT_NE(rpc.rx_stale, 0U);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.announced[0], 0U);
	ev.error = 5;
	run(PROG_EV_ABORT);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.announced[0], 0U);
}

TEST_F(Grant, one_quantum_where_the_cap_is_less)
{
	params.quantum = 4096;
	params.max_incoming = 100;
	begin(9000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 12288 prio 0"}));
	EXPECT_EQ(turn(0, 1), Words{});
	receive(12288);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 16384 prio 0"}));
}

TEST_F(Grant, who_was_denied_is_called_when_bytes_arrive)
{
	begin(9000);
	turn(0, 1);
	host.denied[0] = 1;
	data(9000, 2000, 50000);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"RANK GRANT 39000", "KICK GRANT"}));
	EXPECT_EQ(host.denied[0], 0);
	host.denied[1] = 1;
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"KICK GRANT"}));
	EXPECT_EQ(host.denied[1], 0);
}

TEST_F(Grant, clear_takes_half_while_secure_waits)
{
	begin(10000);
	host.ranked[1] = 1;
	host.held[0] = 15000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 15000 prio 0"}));
	EXPECT_EQ(host.held[0], 20000U);
	EXPECT_EQ(turn(0, 1), Words{});
	host.ranked[1] = 0;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 18000 prio 0"}));
}

TEST_F(Grant, secure_has_its_half_whatever_clear_holds)
{
	ev.secure = 1;
	begin(10000);
	host.held[0] = 40000;
	host.held[1] = 14000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 16000 prio 0"}));
	EXPECT_EQ(host.held[1], 20000U);
	EXPECT_EQ(turn(0, 1), Words{});
	EXPECT_EQ(host.denied[1], 1);
	host.held[0] = 5000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 18000 prio 0"})) << "and what clear leaves";
}

TEST_F(Grant, clear_has_its_half_too)
{
	begin(10000);
	host.held[1] = 40000;
	host.held[0] = 19000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 11000 prio 0"}));
}

TEST_F(Grant, clear_holds_less_than_half_while_secure_holds_more)
{
	begin(10000);
	host.held[1] = 30000;
	host.ranked[1] = 1;
	host.held[0] = 19500;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 10500 prio 0"}));
}

TEST_F(Grant, stale_turns)
{
	EXPECT_EQ(turn(0, 1), Words{});
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), Words{});
}

TEST_F(Grant, the_peer_is_waited_for_from_the_grant_on)
{
	begin(10000);
	now += 90 * msec;
	turn(0, 1);
	EXPECT_EQ(rpc.active, now);
	const u64 then = now;
	data(10000, 5000, 50000);
	now += msec;
	turn(0, 1);
	EXPECT_EQ(rpc.active, then) << "it had bytes to send already";
}

TEST_F(Grant, failure_gives_back)
{
	begin(9000);
	turn(0, 1);
	ev.error = 5;
	EXPECT_EQ(run(PROG_EV_ABORT),
		  (Words{"RAISE GRANT_SETTLE", "TIMER_CANCEL", "TX_FLUSH", "FAILED 5"}));
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"RANK_CLEAR FIFO", "RANK_CLEAR GRANT"}));
	EXPECT_EQ(host.held[0], 0U);
	EXPECT_EQ(host.ranked[0], 0U);
}

TEST_F(Grant, the_oldest_gets_a_share)
{
	params.fifo_share = 100;
	params.fifo_chunk = 1000;
	begin(9000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 17000 prio 0"}));
	EXPECT_EQ(host.fifo_credit, 700U);
	receive(12500);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 20500 prio 0", "KICK FIFO"}));
	EXPECT_EQ(host.fifo_credit, 1050U);
	receive(14000);
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), (Words{"GRANT 21500 prio 3"}));
	EXPECT_EQ(host.fifo_credit, 50U);
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), Words{});
}

TEST_F(Grant, the_oldest_may_be_out_of_reach)
{
	params.fifo_share = 1000;
	params.fifo_chunk = 1000;
	begin(9000);
	host.fifo_credit = 1000;
	rpc.rx_granted = 18000;
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), Words{}) << "has a window on the way";
	rpc.rx_granted = 17000;
	host.held[0] = 40000;
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), Words{}) << "no room";
	EXPECT_EQ(host.fifo_credit, 1000U) << "keeps its credit";
}

TEST_F(Grant, credit_is_not_saved_up)
{
	params.fifo_share = 1000;
	params.fifo_chunk = 100;
	params.sched_prios = 0;
	begin(9000);
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 17000 prio 0", "KICK FIFO"}));
	EXPECT_EQ(host.fifo_credit, 1600U);
	EXPECT_EQ(run(PROG_EV_FIFO_TURN), (Words{"GRANT 17100 prio 0"}));
}
