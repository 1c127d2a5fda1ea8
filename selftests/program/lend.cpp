// SPDX-License-Identifier: Apache-2.0
// Lending: a quantum for a peer that holds nothing, where what others hold does not come.
#include "chain.hpp"

// At a time no more is added to the time for which a peer held bytes (lend.h).
constexpr u64 most_at_once = 1ULL << 23;

class Lend : public Chain {
protected:
	Lend()
	{
		now = 100 * msec;
		host.round = now;
		ev.record = 0;
		params.quantum = 4096;
		params.fifo_chunk = 3000;
	}

	// A client with part of a response, all that came unasked, in the ranks.
	Words begin(u32 length = 50000)
	{
		send_request(100);
		data(0, 10000, length);
		return run(PROG_EV_GRANT_SETTLE);
	}

	// Half of what others hold does not come in a round.
	void others_are_slow(u32 kind = 0)
	{
		host.held[kind] = params.max_incoming;
		host.owed[kind] = params.max_incoming;
		now += 5 * msec;
	}

	Words lend() { return run(PROG_EV_LEND_TURN); }

	// It waits, and is lent a quantum.
	void borrow()
	{
		others_are_slow();
		begin();
		ASSERT_EQ(lend().back(), "TIMER +4999us");
		ASSERT_EQ(host.lent[0], 1U);
	}
};

TEST_F(Lend, waits_where_what_is_held_comes_slowly)
{
	others_are_slow();
	EXPECT_EQ(begin(), (Words{"RANK FIFO 105000000", "RANK GRANT 40000", "PLACE LEND 0",
				  "RANK LEND 40000"}));
	EXPECT_EQ(host.slow[0], 1);
	EXPECT_EQ(rpc.waiting, 1);
	EXPECT_EQ(peer.waiting, 1U);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), Words{}) << "it does";
}

TEST_F(Lend, counts_what_comes_a_round_at_a_time)
{
	host.held[0] = 30000;
	host.owed[0] = 20000;
	begin();
	EXPECT_EQ(host.came[0], 10000U);
	now += 5 * msec - 1;
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.owed[0], 20000U) << "not over";
	now++;
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.slow[0], 0) << "half of it has come";
	EXPECT_EQ(host.came[0], 0U);
	EXPECT_EQ(host.owed[0], 30000U);
	EXPECT_EQ(host.round, now);
	now += 5 * msec;
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.slow[0], 1);
	EXPECT_EQ(host.slow[1], 0) << "of the other class nothing is held";
}

// Another processor's event had its time first, and is run later.
TEST_F(Lend, time_does_not_go_back)
{
	others_are_slow();
	begin();
	now -= 100;
	host.slow[0] = 0;
	host.round = now + 100;
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.slow[0], 0);
	EXPECT_EQ(host.round, now + 100);
	host.held[0] = 0;
	turn(0, 1);
	peer.holds = now + 100;
	peer.aged = now + 100;
	data(10000, rpc.rx_granted - 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(peer.spent, 0U);
}

TEST_F(Lend, one_long_hold_counts_as_a_short_one)
{
	begin();
	turn(0, 1);
	peer.aged = now;
	now += 60000 * msec;
	data(10000, rpc.rx_granted - 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(peer.spent, most_at_once);
	now += 300 * msec;
	others_are_slow();
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(rpc.waiting, 1);
	EXPECT_EQ(peer.spent, most_at_once / 4) << "less and less, also while it waits";
}

TEST_F(Lend, a_hole_does_not_put_its_end_off)
{
	borrow();
	peer.path = 1000 * msec;
	data(15000, 1000, 50000);
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +4999us"}));
}

TEST_F(Lend, nor_does_a_bad_record)
{
	ev.secure = 1;
	ev.record = 2000;
	others_are_slow(1);
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(lend().back(), "TIMER +4999us");
	now += 1 * msec;
	ev.offset = 2000;
	ev.length = 2000;
	EXPECT_EQ(run(PROG_EV_RECORD_BAD).back(), "TIMER +3999us");
}

TEST_F(Lend, what_is_lent_ends_though_another_asks)
{
	borrow();
	peer.asking = 1;
	peer.asked = now + 20 * msec;
	peer.unanswered = 3;
	now += 20 * msec;
	rpc.lent = static_cast<u32>((now + 1 * msec) >> 10);
	EXPECT_EQ(timeout(0).back(), "TIMER +999us") << "sooner than its own question";
}

TEST_F(Lend, counts_each_class_for_itself)
{
	ev.secure = 1;
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.came[1], 10000U);
	EXPECT_EQ(host.came[0], 0U);
	others_are_slow(0);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.slow[0], 1);
	EXPECT_EQ(host.slow[1], 0);
}

TEST_F(Lend, waits_after_a_while_in_any_case)
{
	EXPECT_EQ(begin(), (Words{"RANK FIFO 100000000", "RANK GRANT 40000"}));
	EXPECT_EQ(timeout(4 * msec), (Words{"TIMER +1000us"})) << "not yet";
	EXPECT_EQ(timeout(1 * msec), (Words{"RAISE GRANT_SETTLE", "TIMER +395000us"}));
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"PLACE LEND 0", "RANK LEND 40000"}));
	EXPECT_EQ(timeout(395 * msec)[0], "RESEND 0+0") << "no more than any that waits";
}

TEST_F(Lend, gets_a_quantum_beyond_the_cap)
{
	others_are_slow();
	begin();
	EXPECT_EQ(turn(0, 1), Words{});
	EXPECT_EQ(lend(), (Words{"PLACE LEND 18446744073709551615", "RANK_CLEAR LEND",
				 "GRANT 16384 prio 3", "TIMER +4999us"}))
		<< "a chunk, rounded up";
	EXPECT_EQ(rpc.waiting, 0);
	EXPECT_EQ(peer.waiting, 0U);
	EXPECT_EQ(peer.holding, 6384U);
	EXPECT_EQ(host.lent[0], 1U);
	EXPECT_EQ(host.doubted[0], 0U);
	EXPECT_EQ(lend(), Words{}) << "once";
}

TEST_F(Lend, no_more_than_the_path_takes)
{
	others_are_slow();
	peer.window = 2000;
	begin();
	EXPECT_EQ(lend()[2], "GRANT 12000 prio 3");
}

TEST_F(Lend, the_last_bytes_end_it)
{
	others_are_slow();
	begin(12000);
	EXPECT_EQ(lend(),
		  (Words{"PLACE LEND 18446744073709551615", "RANK_CLEAR LEND", "RANK_CLEAR FIFO",
			 "RANK_CLEAR GRANT", "GRANT 12000 prio 3", "TIMER +4999us"}));
	data(10000, 2000, 12000);
	EXPECT_EQ(rpc.state, HOMA_READY);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"KICK LEND"}));
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(peer.holding, 0U);
}

TEST_F(Lend, again_when_it_has_come)
{
	borrow();
	now += msec;
	data(10000, 6384, 50000);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"KICK LEND", "RANK GRANT 33616",
						    "PLACE LEND 1000000", "RANK LEND 33616"}));
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(host.came[0], 0U) << "it says nothing about what others hold";
	EXPECT_EQ(peer.lapsed, 0);
	EXPECT_EQ(lend()[2], "GRANT 20480 prio 3");
}

TEST_F(Lend, lapses)
{
	borrow();
	data(10000, 3000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.lent[0], 1U) << "half of it";
	EXPECT_EQ(timeout(4 * msec), (Words{"TIMER +999us"}));
	EXPECT_EQ(timeout(1 * msec)[0], "RAISE GRANT_SETTLE");
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), (Words{"KICK LEND"}));
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(peer.lapsed, 1);
	EXPECT_EQ(peer.holding, 3384U) << "which keeps it from others";
	data(13000, 3384, 50000);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE),
		  (Words{"RANK GRANT 33616", "PLACE LEND 4611686018432387904", "RANK LEND 33616"}))
		<< "after all that have let none lapse";
}

TEST_F(Lend, those_that_let_one_lapse_get_half)
{
	others_are_slow();
	peer.lapsed = 1;
	begin();
	host.lent[0] = 4;
	host.doubted[0] = 4;
	EXPECT_EQ(lend(), Words{});
	host.doubted[0] = 3;
	EXPECT_EQ(lend()[2], "GRANT 16384 prio 3");
	EXPECT_EQ(host.doubted[0], 4U);
	data(10000, 6384, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.doubted[0], 3U);
	EXPECT_EQ(peer.lapsed, 0) << "it came in time";
}

TEST_F(Lend, late_is_not_in_time)
{
	borrow();
	peer.lapsed = 1;
	now += 6 * msec;
	data(10000, 6384, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(peer.lapsed, 1);
}

TEST_F(Lend, no_more_than_overcommit_at_once)
{
	others_are_slow();
	begin();
	host.lent[0] = 8;
	EXPECT_EQ(lend(), Words{});
	host.lent[0] = 7;
	host.ranked[1] = 1;
	EXPECT_EQ(lend(), Words{}) << "fewer to clear ones while secure ones wait";
	host.lent[0] = 3;
	EXPECT_EQ(lend()[2], "GRANT 16384 prio 3");
}

TEST_F(Lend, secure_ones_have_all)
{
	ev.secure = 1;
	others_are_slow(1);
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	host.lent[1] = 7;
	EXPECT_EQ(lend()[2], "GRANT 16384 prio 3");
	EXPECT_EQ(host.lent[1], 8U);
}

TEST_F(Lend, nothing_to_a_peer_that_holds_something)
{
	others_are_slow();
	peer.holding = 1;
	EXPECT_EQ(begin()[2], "PLACE LEND 18446744073709551615");
	EXPECT_EQ(lend(), Words{});
	peer.holding = 0;
	EXPECT_EQ(lend()[2], "GRANT 16384 prio 3");
}

TEST_F(Lend, who_is_granted_waits_no_more)
{
	others_are_slow();
	begin();
	host.held[0] = 0;
	EXPECT_EQ(turn(0, 1), (Words{"PLACE LEND 18446744073709551615", "RANK_CLEAR LEND",
				     "GRANT 20480 prio 0"}));
	EXPECT_EQ(rpc.waiting, 0);
}

TEST_F(Lend, who_is_granted_gives_it_back)
{
	borrow();
	host.held[0] -= params.max_incoming;
	data(10000, 3000, 50000);
	EXPECT_EQ(turn(0, 1), (Words{"KICK LEND", "GRANT 24576 prio 0"}));
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(peer.lapsed, 0) << "nobody can tell";
}

TEST_F(Lend, who_owes_waits_for_none)
{
	others_are_slow();
	begin();
	rpc.rx_stale = 12000;
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE).back(), "RANK_CLEAR LEND");
	EXPECT_EQ(rpc.waiting, 0);
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +395000us"})) << "nor is it looked after";
}

TEST_F(Lend, an_end_gives_it_back)
{
	borrow();
	ev.error = 5;
	EXPECT_EQ(run(PROG_EV_ABORT)[0], "RAISE GRANT_SETTLE");
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE),
		  (Words{"KICK LEND", "RANK_CLEAR FIFO", "RANK_CLEAR GRANT"}));
	EXPECT_EQ(host.lent[0], 0U);
	EXPECT_EQ(peer.holding, 0U);
	EXPECT_EQ(peer.lapsed, 1);
}

TEST_F(Lend, an_end_leaves_the_rank)
{
	others_are_slow();
	begin();
	ev.error = 5;
	run(PROG_EV_ABORT);
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE)[0], "RANK_CLEAR LEND");
	EXPECT_EQ(peer.waiting, 0U);
}

TEST_F(Lend, the_time_that_bytes_were_held_decides)
{
	turn(0, 1);
	begin();
	turn(0, 1);
	EXPECT_EQ(peer.holds, now);
	now += 3 * msec;
	data(10000, 4000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(peer.spent, 0U) << "not over";
	data(14000, 6480, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(peer.spent, 3 * msec);
	turn(0, 1);
	now += 140 * msec;
	data(20480, 4096, 50000);
	data(24576, rpc.rx_granted - 24576, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(peer.spent, most_at_once + 3 * msec / 2) << "what was before counts half";
	EXPECT_EQ(peer.aged, now);
}
