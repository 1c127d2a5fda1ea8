// SPDX-License-Identifier: Apache-2.0
// Holes that later bytes show, and what is asked for.
#include "chain.hpp"

class Hole : public Chain {
protected:
	// As the program counts: ticks of 1,024 ns.
	static u32 ticks(u64 ns) { return static_cast<u32>(ns >> 10); }

	// A request with holes, which later bytes show.
	void holes(int count)
	{
		peer.path = 4 * msec;
		request_new(0, 100, 10000);
		for (u32 i = 1; i <= static_cast<u32>(count); i++)
			EXPECT_EQ(data(200 * i, 100, 10000).back(), "RAISE HOLE");
	}
};

TEST_F(Hole, is_asked_for_after_a_quarter_of_the_path_time)
{
	holes(1);
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +998us"}));
	EXPECT_EQ(timeout(1100000), (Words{"RESEND 100+100", "TIMER +2900us"}));
	EXPECT_EQ(rpc.tries, 0) << "not silence";
	EXPECT_EQ(peer.asking, 0);
	EXPECT_EQ(peer.window, 4000U) << "half of it";
}

TEST_F(Hole, of_a_path_that_is_not_known)
{
	holes(1);
	peer.path = 0;
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +310us"}));
}

TEST_F(Hole, fills_in_time)
{
	holes(1);
	run(PROG_EV_HOLE);
	EXPECT_EQ(data(100, 100, 10000), (Words{"RX_ADD 100-200"}));
	EXPECT_EQ(timeout(1100000)[0].substr(0, 5), "TIMER");
}

// Packets that come after they were asked for had been overtaken, by more than we thought.
TEST_F(Hole, waits_longer_where_packets_overtake_each_other)
{
	holes(1);
	for (const u32 late : {1, 2, 2}) {
		const u32 start = rpc.gap[0].start;
		run(PROG_EV_HOLE);
		timeout(20 * msec);
		EXPECT_EQ(rpc.late, 0);
		EXPECT_EQ(data(start, 50, 10000).back(), "RAISE HOLE");
		data(rpc.rx_end + 100, 100, 10000);
		const Words words = run(PROG_EV_HOLE);
		EXPECT_EQ(words[0].substr(0, 8), late == 1 ? "TIMER +1" : "TIMER +3") << words[0];
		EXPECT_EQ(peer.late, late);
		EXPECT_EQ(rpc.late, 0);
		data(start + 50, 50, 10000);
		rpc.late = 0;
	}
}

TEST_F(Hole, waits_less_again_when_packets_are_lost)
{
	holes(0);
	peer.late = 2;
	for (u32 lost = 1; lost <= 3 * HOMA_LATE_LOST; lost++) {
		rpc.sought = ticks(now) | HOMA_SOUGHT;
		run(PROG_EV_PATH);
		EXPECT_EQ(peer.late, lost < HOMA_LATE_LOST ? 2 : lost < 2 * HOMA_LATE_LOST ? 1 : 0);
	}
	peer.late = 1;
	peer.lost = HOMA_LATE_LOST - 1;
	rpc.late = 1;
	run(PROG_EV_HOLE);
	EXPECT_EQ(peer.lost, 0) << "counted anew";
	rpc.timed = now - 1 * msec;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.lost, 0) << "a grant's answer tells nothing of that";
}

TEST_F(Hole, what_does_not_show_that_packets_overtake_each_other)
{
	holes(2);
	run(PROG_EV_HOLE);
	EXPECT_EQ(data(100, 50, 10000), (Words{"RX_ADD 100-150"})) << "in time";
	timeout(1100000);
	ev.again = 1;
	data(150, 50, 10000);
	EXPECT_EQ(rpc.late, 0) << "sent again";
	ev.again = 0;
	data(500, 100, 10000);
	EXPECT_EQ(rpc.late, 0) << "not asked for";
	ev.payload = 1400;
	rpc.part = 0;
	EXPECT_EQ(data(300, 10, 10000), (Words{"drop TINY"}));
	EXPECT_EQ(rpc.late, 0) << "nothing of it is taken";
	ev.payload = 0;
	rpc.gap_auth = 1;
	ev.auth = 1;
	EXPECT_EQ(data(300, 50, 10000), (Words{"RX_ADD 300-350"})) << "it had been bad";
	ev.auth = 0;
	rpc.part = 0;
	EXPECT_EQ(data(350, 50, 10000), (Words{"drop UNAUTHENTICATED"}));
	EXPECT_EQ(rpc.late, 0);
}

TEST_F(Hole, is_closed_by_a_late_packet)
{
	holes(1);
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(data(100, 100, 10000), (Words{"RX_ADD 100-200", "RAISE HOLE"}));
	EXPECT_EQ(run(PROG_EV_HOLE), Words{}) << "nothing to wait for";
	EXPECT_EQ(peer.late, 1);
}

TEST_F(Hole, is_none_when_the_late_packet_was_the_last_one)
{
	holes(1);
	run(PROG_EV_HOLE);
	data(300, 9700, 10000);
	timeout(1100000);
	EXPECT_EQ(data(100, 100, 10000),
		  (Words{"RX_ADD 100-200", "RAISE HOLE", "RAISE REQUEST_DONE", "READY"}));
	EXPECT_EQ(run(PROG_EV_HOLE), Words{});
	EXPECT_EQ(peer.late, 1);
}

TEST_F(Hole, each_in_its_own_time)
{
	holes(1);
	run(PROG_EV_HOLE);
	now += 600000;
	data(400, 100, 10000);
	EXPECT_EQ(run(PROG_EV_HOLE)[0], "TIMER +398us") << "the first one's";
	EXPECT_EQ(timeout(500000)[0], "RESEND 100+100");
	EXPECT_EQ(timeout(600000)[0], "RESEND 300+100");
	EXPECT_EQ(timeout(1)[0].substr(0, 5), "TIMER") << "not again so soon";
}

TEST_F(Hole, is_asked_for_again_after_a_path_time)
{
	holes(1);
	peer.path_var = 1 * msec;
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(timeout(4 * msec)[0].substr(0, 5), "TIMER");
	data(300, 100, 10000);
	EXPECT_EQ(timeout(5 * msec)[0], "RESEND 100+100");
}

// What is sent again queues behind what is on its way: 1,000 bytes come in 10 ms.
TEST_F(Hole, is_asked_for_again_when_a_queue_may_have_passed)
{
	holes(0);
	now += 10 * msec;
	data(1100, 1000, 10000);
	now += 10 * msec;
	data(2100, 1000, 10000);
	run(PROG_EV_HOLE);
	EXPECT_EQ(timeout(1100000)[0], "RESEND 100+1000");
	const u32 wait = rpc.gap[0].due - ticks(now);
	EXPECT_GE(wait, ticks((10000 - 2100) * 10 * msec / 1000));
	EXPECT_LE(wait, ticks(2 * (10000 - 2100) * 10 * msec / 1000));
	data(3100, 1000, 10000);
	EXPECT_EQ(timeout(10 * msec)[0].substr(0, 5), "TIMER");
	EXPECT_EQ(timeout(15 * msec)[0], "RESEND 100+1000") << "silence";
}

TEST_F(Hole, the_rate_is_that_of_late)
{
	request_new(0, 100, 10000);
	rpc.came = HOMA_RATE_BYTES - 100;
	rpc.spent = 1000;
	data(100, 99, 10000);
	EXPECT_EQ(rpc.came, HOMA_RATE_BYTES - 1);
	data(199, 1, 10000);
	EXPECT_EQ(rpc.came, HOMA_RATE_BYTES / 2);
	EXPECT_EQ(rpc.spent, 500U);
	rpc.spent = HOMA_RATE_TICKS - 1;
	now += 1 * msec;
	data(200, 100, 10000);
	EXPECT_LE(rpc.spent, HOMA_RATE_TICKS / 2 + 500U);
}

// Just so many bytes would say that long packets do not arrive.
TEST_F(Hole, of_a_small_packets_length)
{
	request_new(0, 1000, 10000);
	data(1480, 1000, 10000);
	EXPECT_EQ(timeout(1100000)[0], "RESEND 1000+479");
	ev.again = 1;
	EXPECT_EQ(data(1000, 479, 10000), (Words{"RX_ADD 1000-1479", "RAISE PATH", "RAISE HOLE"}));
	run(PROG_EV_HOLE);
	EXPECT_EQ(timeout(1100000)[0], "RESEND 1479+1");
	rpc.gap[0].due = 0;
	rpc.gap[0].start = 1000;
	rpc.gap_auth = 1;
	EXPECT_EQ(timeout(1100000)[0], "RESEND 1000+480 auth");
}

TEST_F(Hole, bad_records_in_authenticated_form)
{
	holes(2);
	rpc.gap_auth = 2;
	EXPECT_EQ(timeout(1100000)[1], "RESEND 300+100 auth");
}

TEST_F(Hole, one_loss_halves_the_window_once)
{
	holes(1);
	run(PROG_EV_HOLE);
	timeout(1100000);
	data(400, 100, 10000);
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(peer.window, 4000U);
	data(600, 100, 10000);
	now += 5 * msec;
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(peer.window, 2000U);
	peer.shrunk = 0;
	data(800, 100, 10000);
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(peer.window, 1400U) << "down to a packet";
}

// Each by itself: what comes again may stand in a queue that others of its peer fill.
TEST_F(Hole, is_asked_for_half_as_often_each_time)
{
	holes(1);
	run(PROG_EV_HOLE);
	timeout(1100000);
	for (const u64 wait :
	     {5, 5, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000, 1000, 1000, 1000, 1000}) {
		rpc.active = now + wait * msec; // no silence
		EXPECT_EQ(timeout(wait * msec - 100000)[0].substr(0, 5), "TIMER") << wait;
		EXPECT_EQ(timeout(120000)[0], "RESEND 100+100") << wait;
	}
	EXPECT_EQ(rpc.gap[0].due & HOMA_ASKED, static_cast<u32>(HOMA_ASKED));
}

// What is sent again tells how long the path is.
// As before a policer: what is asked for again and again is lost each time.
TEST_F(Hole, of_many_that_go_on_being_lost_one_packet_is_asked_for)
{
	peer.path = 4 * msec;
	request_new(0, 100, 10000);
	EXPECT_EQ(data(3100, 100, 10000).back(), "RAISE HOLE");
	run(PROG_EV_HOLE);
	EXPECT_EQ(timeout(1100000)[0], "RESEND 100+3000");
	EXPECT_EQ(peer.debt, 0U) << "not for the first time";
	EXPECT_EQ(timeout(20 * msec)[0], "RESEND 100+3000");
	EXPECT_EQ(peer.debt, 3000U);
	peer.debt = HOMA_DEBT - 1;
	EXPECT_EQ(timeout(40 * msec)[0], "RESEND 100+2000") << "the window";
	EXPECT_EQ(peer.debt, HOMA_DEBT + 1999U);
	EXPECT_EQ(timeout(80 * msec)[0], "RESEND 100+1400");
	data(100, 1400, 10000);
	EXPECT_EQ(run(PROG_EV_HOLE)[0].substr(0, 8), "TIMER +4") << "not before an answer";
	timeout(1100000);
	EXPECT_EQ(peer.debt, HOMA_DEBT + 3399U) << "not yet";
	EXPECT_EQ(timeout(10 * msec)[0], "RESEND 1500+1400");
	EXPECT_EQ(peer.debt, HOMA_DEBT + 1999U) << "what came is paid";
	peer.debt = 2 * HOMA_DEBT - 1;
	timeout(1000 * msec);
	timeout(1000 * msec);
	EXPECT_EQ(peer.debt, 2U * HOMA_DEBT) << "an outage is paid back soon";
	const u64 last = peer.shrunk;
	peer.window = 0;
	now = last + HOMA_DEBT_NS;
	EXPECT_EQ(timeout(0)[0], "RESEND 1500+1600") << "a window, of one that has waited";
	EXPECT_EQ(peer.debt, 3000U) << "and forgotten when that was long ago";
}

TEST_F(Hole, measures_the_path)
{
	holes(1);
	peer.path = 0;
	run(PROG_EV_HOLE);
	timeout(1100000);
	now += 3 * msec;
	ev.again = 1;
	EXPECT_EQ(data(100, 50, 10000), (Words{"RX_ADD 100-150"}));
	ev.again = 0;
	EXPECT_EQ(data(150, 50, 10000), (Words{"RX_ADD 150-200", "RAISE HOLE"}))
		<< "late, not lost";
	run(PROG_EV_HOLE);
	ev.again = 1;
	rpc.part = 200;
	EXPECT_EQ(data(300, 100, 10000), (Words{"RX_ADD 300-400"})) << "nobody asked for it";
	rpc.part = 400;
	EXPECT_EQ(data(400, 100, 10000), (Words{"RX_ADD 400-500"})) << "nor for this";
	rpc.part = 600;
	EXPECT_EQ(data(500, 100, 10000)[1], "RAISE PATH");
	run(PROG_EV_PATH);
	EXPECT_GE(peer.path, 2900000U);
	EXPECT_LE(peer.path, 3100000U);
	EXPECT_EQ(rpc.sought, 0U);
}

TEST_F(Hole, measures_no_less_where_it_was_asked_for_twice)
{
	for (const u64 path : {1, 100}) {
		rpc = {};
		peer = {};
		holes(1);
		run(PROG_EV_HOLE);
		timeout(1100000);
		EXPECT_EQ(rpc.sought & HOMA_SOUGHT_MASK, static_cast<u32>(HOMA_SOUGHT));
		timeout(6 * msec);
		EXPECT_EQ(rpc.sought & HOMA_SOUGHT_MASK,
			  static_cast<u32>(HOMA_SOUGHT | HOMA_SOUGHT_AGAIN));
		now += 9 * msec;
		peer.path = path * msec;
		run(PROG_EV_PATH);
		EXPECT_EQ(peer.path == path * msec, path == 100) << path;
		EXPECT_EQ(rpc.sought, 0U);
	}
	rpc.sought = ticks(now) | HOMA_SOUGHT;
	now += 100000 * msec;
	peer.path = 0;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 4000 * msec | 1) << "an outage, or a clock that stood";
}

TEST_F(Hole, two_at_once_are_one_question)
{
	holes(2);
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(out.count, 3U);
	EXPECT_EQ(rpc.sought & HOMA_SOUGHT_MASK, static_cast<u32>(HOMA_SOUGHT));
}

TEST_F(Hole, no_more_than_a_window_is_asked_for)
{
	peer.window = 1400;
	request_new(0, 100, 10000);
	data(2000, 100, 10000);
	data(3000, 100, 10000);
	run(PROG_EV_HOLE);
	EXPECT_EQ(timeout(1100000)[0], "RESEND 100+1400");
	EXPECT_EQ(out.count, 2U);
	// The last byte of it brings on the rest.
	ev.again = 1;
	EXPECT_EQ(data(100, 1300, 10000), (Words{"RX_ADD 100-1400"}));
	EXPECT_EQ(data(1400, 100, 10000), (Words{"RX_ADD 1400-1500", "RAISE PATH", "RAISE HOLE"}));
	run(PROG_EV_HOLE);
	peer.shrunk = now;
	EXPECT_EQ(timeout(1100000), (Words{"RESEND 1500+500", "RESEND 2100+900", "TIMER +4993us"}));
}

TEST_F(Hole, what_had_been_on_its_way_makes_patient)
{
	holes(1);
	run(PROG_EV_HOLE);
	timeout(1100000);
	data(100, 100, 10000);
	run(PROG_EV_HOLE);
	peer.late = 0;
	EXPECT_EQ(rpc.copies, 0);
	EXPECT_EQ(data(100, 100, 10000), (Words{"drop DUPLICATE"}));
	EXPECT_EQ(rpc.copies, 0) << "the network's";
	ev.again = 1;
	EXPECT_EQ(data(100, 100, 10000), (Words{"drop DUPLICATE"}));
	EXPECT_EQ(rpc.copies, 1);
	ev.again = 0;
	data(400, 100, 10000);
	run(PROG_EV_HOLE);
	timeout(1100000);
	EXPECT_EQ(peer.spurious, 1);
	EXPECT_EQ(rpc.copies, 0);
	data(600, 100, 10000);
	EXPECT_EQ(run(PROG_EV_HOLE)[0].substr(0, 10), "TIMER +199");
	for (int i = 0; i < 9; i++) {
		rpc.copies = 1;
		timeout(1000 * msec);
	}
	EXPECT_EQ(peer.spurious, HOMA_SPURIOUS_MAX);
}

TEST_F(Hole, a_copy_of_what_nobody_asked_for)
{
	request_new(0, 100, 10000);
	ev.again = 1;
	data(0, 100, 10000);
	EXPECT_EQ(rpc.copies, 0);
}
