// SPDX-License-Identifier: Apache-2.0
// What silence leads to: TIMEOUT.
#include "chain.hpp"

class Timeout : public Chain {
protected:
	// The time that the bytes of a message take on a slow link.
	static u64 on_the_way(u64 bytes) { return bytes * 800; }
};

TEST_F(Timeout, client_asks_for_all_of_the_response)
{
	send_request(100);
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +80us"}));
	EXPECT_EQ(timeout(on_the_way(100)), (Words{"RESEND all", "TIMER +10160us"}));
	EXPECT_EQ(out.insn[0].prio, 7);
	EXPECT_EQ(peer.asking, 1);
	EXPECT_EQ(peer.asker, 8U);
	EXPECT_EQ(timeout(10160000), (Words{"RESEND all", "TIMER +20320us"}));
	EXPECT_EQ(rpc.tries, 2);
	EXPECT_EQ(peer.unanswered, 2);
}

TEST_F(Timeout, a_path_that_is_known_is_given_its_time)
{
	peer.path = 40 * msec;
	peer.path_var = 10 * msec;
	send_request(100);
	EXPECT_EQ(timeout(80 * msec), (Words{"TIMER +80us"}));
	EXPECT_EQ(timeout(80000), (Words{"RESEND all", "TIMER +160160us"}));
	peer.path_var = 1000 * msec;
	EXPECT_EQ(timeout(160160000), (Words{"TIMER +3879920us"})) << "more than a second, too";
}

TEST_F(Timeout, bytes_on_a_slow_link_are_given_theirs)
{
	send_request(10000);
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +6400us"})) << "up to a window";
}

TEST_F(Timeout, too_early)
{
	send_request(100);
	now += 3 * msec;
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(2 * msec), (Words{"TIMER +3080us"}));
}

TEST_F(Timeout, busy_peers_are_asked_less_and_less)
{
	send_request(100);
	peer.path = 1;
	for (int i = 0; i < 14; i++) {
		const u64 wait = std::min((5080000ULL) << i, 2000 * msec);
		EXPECT_EQ(timeout(wait - 1)[0], "TIMER +0us") << i;
		EXPECT_EQ(timeout(1)[0], "RESEND all") << i;
		run(PROG_EV_BUSY);
		EXPECT_EQ(rpc.patience, std::min(i + 1, 12));
	}
}

TEST_F(Timeout, who_waits_for_a_grant_and_was_told_so_asks_seldom)
{
	send_request(30000);
	EXPECT_EQ(timeout(20 * msec)[0], "RESEND all") << "does it know of us?";
	run(PROG_EV_BUSY);
	for (const u64 wait : {800, 1600, 3200, 4000, 4000}) {
		EXPECT_EQ(timeout(wait * msec - 1)[0].substr(0, 5), "TIMER") << wait;
		EXPECT_EQ(timeout(1)[0], "RESEND 0+0") << wait;
		run(PROG_EV_BUSY);
	}
	EXPECT_EQ(timeout(4000 * msec)[0], "RESEND 0+0");
	EXPECT_EQ(timeout(1000 * msec)[0], "RESEND 0+0") << "is it dead?";
	run(PROG_EV_RPC_UNKNOWN);
	EXPECT_EQ(timeout(20 * msec)[0], "RESEND all") << "it knows nothing";
}

TEST_F(Timeout, patience_never_asks_sooner)
{
	params.resend_ns = 3000 * msec;
	send_request(100);
	timeout(3001 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(1000 * msec), (Words{"TIMER +2000080us"}));
}

TEST_F(Timeout, busy_is_over_with_the_first_byte)
{
	send_request(100);
	timeout(6 * msec);
	run(PROG_EV_BUSY);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 1) << "one question, one answer";
	timeout(100 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 2);
	EXPECT_EQ(data(0, 10, 100),
		  (Words{"RX_NEW 100", "TIMER +5000us", "TX_FLUSH", "RX_ADD 0-10", "TIMER +0us"}));
	EXPECT_EQ(rpc.patience, 0);
}

TEST_F(Timeout, nobody_asked)
{
	send_request(100);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 0);
}

// The server has sent everything: it is asked soon, and may have been in vain.
TEST_F(Timeout, need_ack_before_the_response)
{
	send_request(100);
	for (int i = 0; i < HOMA_BARREN - 1; i++) {
		EXPECT_EQ(timeout(2000 * msec)[0],
			  i < HOMA_TRY_SMALL ? "RESEND all" : "RESEND 0+480")
			<< i;
		EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"RAISE PEER_ALIVE", "BUSY"}));
		run(PROG_EV_PEER_ALIVE);
		rpc.tries = 0;
	}
	timeout(2000 * msec);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"TIMER_CANCEL", "TX_FLUSH", "FAILED 110"}));
}

TEST_F(Timeout, busy_is_no_answer_in_vain)
{
	send_request(100);
	rpc.barren = 5;
	timeout(2000 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.barren, 4);
	rpc.barren = 0;
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.barren, 0);
}

TEST_F(Timeout, after_many_questions_little_is_asked_for)
{
	send_request(100);
	rpc.tries = 5;
	EXPECT_EQ(timeout(400 * msec)[0], "RESEND all");
	EXPECT_EQ(timeout(400 * msec)[0], "RESEND 0+480");
}

TEST_F(Timeout, asked_a_moment_ago)
{
	send_request(100);
	timeout(6 * msec);
	EXPECT_EQ(timeout(1 * msec), (Words{"TIMER +9160us"}));
}

TEST_F(Timeout, stale_ones_do_nothing)
{
	request_new(0, 100, 100);
	EXPECT_EQ(timeout(1000 * msec), Words{});
	run(PROG_EV_DELIVERED);
	EXPECT_EQ(timeout(1000 * msec), Words{});
	rpc.state = HOMA_FAILED;
	EXPECT_EQ(timeout(1000 * msec), Words{});
}

TEST_F(Timeout, each_gap_is_asked_for)
{
	request_new(0, 100, 50000);
	data(200, 100, 50000);
	data(400, 100, 50000);
	rpc.gap_auth = 2;
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 100+100", "RESEND 300+100 auth",
					      "RESEND 500+1400", "TIMER +4986us"}));
}

TEST_F(Timeout, sixteen_gaps)
{
	peer.path = 1;
	request_new(0, 10, 50000);
	for (u32 i = 1; i <= HOMA_GAPS; i++)
		data(20 * i, 10, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	EXPECT_EQ(timeout(500 * msec).size(), 19U);
	rpc.rx_unsched = 100;
	EXPECT_EQ(timeout(500 * msec).size(), 21U) << "with a GRANT, and the host is told";
}

TEST_F(Timeout, a_grant_may_have_been_lost)
{
	peer.path = 1;
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 3);
	EXPECT_NE(rpc.timed, 0U);
	EXPECT_EQ(timeout(5 * msec),
		  (Words{"RESEND 10000+1400", "GRANT 18000 prio 2", "TIMER +10000us"}));
	EXPECT_EQ(rpc.timed, 0U) << "what comes now says nothing of the path";
}

// One packet shows whether the rest is lost, too.
// Twice the path time, or more where it varies; but not where it has queues.
TEST_F(Timeout, the_end_is_asked_for_after_two_path_times)
{
	const struct {
		u64 path, var;
		const char *timer;
	} cases[] = {
		{20 * msec, 10 * msec, "TIMER +40000us"},
		{20 * msec, 14 * msec, "TIMER +48000us"},
		{20 * msec, 1 * msec, "TIMER +24000us"},
		{100 * msec, 50 * msec, "TIMER +300000us"},
		{100, 50, "TIMER +1250us"},
	};

	request_new(0, 1000, 10000);
	for (const auto &one : cases) {
		peer.path = one.path;
		peer.path_var = one.var;
		rpc.active = now;
		EXPECT_EQ(timeout(0), (Words{one.timer}));
	}
}

TEST_F(Timeout, the_end_of_a_message_is_lost)
{
	peer.path = 1;
	request_new(0, 2000, 10000);
	EXPECT_EQ(timeout(1249 * msec / 1000), (Words{"TIMER +1us"})) << "a quarter of resend_ns";
	EXPECT_EQ(timeout(msec / 1000), (Words{"RESEND 2000+1400", "TIMER +10000us"}));
	EXPECT_EQ(peer.window, 0U) << "it may be late";
	ev.again = 1;
	EXPECT_EQ(data(2000, 1400, 10000),
		  (Words{"RX_ADD 2000-3400", "RAISE PEER_ALIVE", "RAISE PATH", "RAISE HOLE"}));
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.window, 4000U) << "it was lost";
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +312us"}));
	EXPECT_EQ(timeout(312500), (Words{"RESEND 3400+4000", "TIMER +10000us"})) << "a window";
	EXPECT_EQ(data(3400, 1400, 10000), (Words{"RX_ADD 3400-4800", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(rpc.lost, 1);
	EXPECT_EQ(data(4800, 2600, 10000), (Words{"RX_ADD 4800-7400", "RAISE PATH", "RAISE HOLE"}));
	ev.again = 0;
	EXPECT_EQ(data(7400, 200, 10000), (Words{"RX_ADD 7400-7600"}));
	EXPECT_EQ(rpc.lost, 0) << "it had been on its way";
}

TEST_F(Timeout, a_hole_that_was_filled_says_nothing_about_the_end)
{
	request_new(0, 100, 10000);
	data(200, 100, 10000);
	run(PROG_EV_HOLE);
	timeout(500000);
	ev.again = 1;
	EXPECT_EQ(data(100, 100, 10000), (Words{"RX_ADD 100-200", "RAISE PATH"}));
	EXPECT_EQ(rpc.lost, 0);
	rpc.lost = 1;
	EXPECT_EQ(data(300, 9700, 10000).back(), "READY");
	EXPECT_EQ(rpc.lost, 0);
}

TEST_F(Timeout, what_is_lost_is_not_asked_for_over_and_over)
{
	peer.path = 1;
	request_new(0, 2000, 10000);
	rpc.lost = 1;
	EXPECT_EQ(timeout(1)[0], "RESEND 2000+8000");
	EXPECT_EQ(timeout(1)[0].substr(0, 5), "TIMER");
}

TEST_F(Timeout, bad_records_are_asked_for_whole)
{
	request_new(0, 100, 10000);
	data(1200, 100, 10000);
	rpc.gap_auth = 1;
	rpc.barren = 10;
	EXPECT_EQ(timeout(500 * msec)[0], "RESEND 100+1100 auth");
}

TEST_F(Timeout, bytes_after_a_lost_grant_tell_nothing_of_the_pace)
{
	peer.path = 1;
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	timeout(500 * msec);
	data(10000, 1000, 50000);
	EXPECT_EQ(rpc.pace, 0U);
	timeout(100 * msec);
	data(11000, 1000, 50000);
	EXPECT_GE(rpc.pace, 90000U) << "a slow link";
	now += 10000 * msec;
	data(12000, 1000, 50000);
	EXPECT_EQ(rpc.pace, static_cast<u32>(HOMA_PACE_MAX)) << "or somebody slept";
}

TEST_F(Timeout, silence_leaves_one_packet)
{
	request_new(0, 2000, 10000);
	EXPECT_EQ(timeout(12 * msec)[0], "RESEND 2000+1400");
	EXPECT_EQ(peer.window, 0U) << "nothing is known of the path: it may be slow";
	EXPECT_EQ(timeout(25 * msec)[0], "RESEND 2000+1400");
	EXPECT_EQ(peer.window, 1400U);
	EXPECT_EQ(peer.threshold, 4000U);
}

TEST_F(Timeout, gaps_before_the_end)
{
	peer.window = 1400;
	peer.path = 1;
	request_new(0, 100, 10000);
	data(2000, 100, 10000);
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 100+1400", "TIMER +4986us"}))
		<< "no room for the end";
}

// Its timer was set for one that waits for nothing.
TEST_F(Timeout, comes_soon_for_who_has_waited_idly)
{
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(timeout(5 * msec), (Words{"RAISE GRANT_SETTLE", "TIMER +395000us"}));
	run(PROG_EV_GRANT_SETTLE);
	now += 50 * msec;
	EXPECT_EQ(turn(0, 3)[2], "TIMER +11400us");
	data(10000, 8000, 50000);
	now += 1 * msec;
	EXPECT_EQ(turn(0, 3)[0], "TIMER +11400us");
	data(18000, 1000, 50000);
	EXPECT_EQ(turn(0, 3)[0], "GRANT 27000 prio 2") << "it does not wait idly";
}

// What made it patient has ended.
TEST_F(Timeout, comes_soon_for_who_has_been_told_to_be_patient)
{
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	rpc.patience = 4;
	now += 50 * msec;
	EXPECT_EQ(turn(0, 3)[0], "TIMER +11400us");
	rpc = {};
	ev.id = 8;
	send_request(30000);
	rpc.patience = 4;
	EXPECT_EQ(grant(30000, 0)[0], "TIMER +22800us");
}

TEST_F(Timeout, asks_for_the_end_in_vain)
{
	peer.path = 1;
	request_new(0, 2000, 10000);
	EXPECT_EQ(timeout(1250 * msec / 1000)[0], "RESEND 2000+1400");
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(9 * msec), (Words{"TIMER +1000us"})) << "the sender has more to do";
	rpc.copies = 1;
	EXPECT_EQ(timeout(1 * msec)[0], "RESEND 2000+1400");
	EXPECT_EQ(peer.spurious, 1) << "what was asked for before was late";
	EXPECT_EQ(rpc.copies, 0);
}

TEST_F(Timeout, is_not_moved_before_it_has_come)
{
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	now += 4 * msec;
	EXPECT_EQ(turn(0, 3)[0], "GRANT 18000 prio 2");
}

TEST_F(Timeout, comes_soon_when_all_is_granted)
{
	send_request(30000);
	EXPECT_EQ(grant(20000, 0), (Words{"TX_DATA 10000-20000 prio 0"}));
	EXPECT_EQ(timeout(11 * msec), (Words{"TIMER +389000us"})) << "for a grant";
	EXPECT_EQ(grant(30000, 0)[0], "TIMER +22800us") << "for the response";
	EXPECT_EQ(grant(30000, 0), Words{});
}

TEST_F(Timeout, nothing_missing_are_you_there)
{
	request_new(0, 10000, 50000);
	EXPECT_EQ(timeout(399 * msec), (Words{"TIMER +1000us"})) << "nobody waits for it";
	EXPECT_EQ(timeout(1 * msec), (Words{"RESEND 0+0", "TIMER +800000us"}));
}

TEST_F(Timeout, gaps_below_the_grant_only)
{
	request_new(100, 9900, 50000);
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 0+100", "TIMER +4986us"}));
}

TEST_F(Timeout, bytes_that_come_slowly_are_waited_for)
{
	peer.path = 1;
	request_new(0, 100, 10000);
	now += 30 * msec;
	data(100, 100, 10000);
	EXPECT_EQ(timeout(50 * msec)[0].substr(0, 5), "TIMER");
	EXPECT_EQ(timeout(11 * msec)[0], "RESEND 200+1400");
	ev.again = 1;
	now += 1000 * msec;
	data(200, 100, 10000);
	ev.again = 0;
	now += 1 * msec;
	data(300, 100, 10000);
	EXPECT_EQ(timeout(60 * msec)[0], "RESEND 400+1400") << "those sent again do not count";
}

TEST_F(Timeout, our_own_turn)
{
	ev.paced = 1;
	send_request(5000);
	rpc.tries = 3;
	EXPECT_EQ(timeout(500 * msec), (Words{"TIMER +5000us"}));
	EXPECT_EQ(rpc.tries, 0);
}

TEST_F(Timeout, sealing_takes_time)
{
	ev.secure = 1;
	ev.message_length = 5000;
	ev.length = 2000;
	run(PROG_EV_SEND_REQUEST);
	EXPECT_EQ(timeout(500 * msec), (Words{"TIMER +6600us"}));
}

TEST_F(Timeout, server_waits_for_a_grant)
{
	serve();
	respond(50000);
	EXPECT_EQ(timeout(400 * msec), (Words{"RESEND 0+0", "TIMER +800000us"}));
}

TEST_F(Timeout, need_ack_less_and_less_often)
{
	serve();
	params.need_ack_ns = 7 * msec;
	respond(100);
	u64 wait = 7080000;
	for (int i = 0; i < 9; i++) {
		EXPECT_EQ(timeout(wait - 1)[0], "TIMER +0us") << i;
		EXPECT_EQ(timeout(1)[0], "NEED_ACK") << i;
		EXPECT_EQ(peer.asking, 0) << "not a RESEND";
		wait = std::min(2 * wait, 1000 * msec);
	}
	EXPECT_EQ(timeout(wait), (Words{"RAISE REQUEST_DONE", "END"}));
}

TEST_F(Timeout, who_has_not_taken_the_response_is_asked_less_and_less)
{
	serve();
	respond(100);
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(timeout(1001 * msec)[0], "NEED_ACK");
		run(PROG_EV_BUSY);
		EXPECT_EQ(rpc.patience, std::min(i + 1, 12));
	}
	EXPECT_EQ(timeout(999 * msec)[0], "TIMER +1000us");
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 12) << "nobody asked";
	// Silence counts from the first question on.
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(timeout(1000 * msec)[0], "NEED_ACK");
	EXPECT_EQ(timeout(1000 * msec), (Words{"RAISE REQUEST_DONE", "END"}));
}

TEST_F(Timeout, need_ack_waits_for_nobody)
{
	serve();
	respond(100);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now + 5 * msec;
	EXPECT_EQ(timeout(5080000)[0], "NEED_ACK");
}

TEST_F(Timeout, a_dead_server)
{
	send_request(100);
	u64 wait = 5080000;
	for (int i = 0; i < 9; i++) {
		EXPECT_EQ(timeout(wait - 1)[0], "TIMER +0us");
		EXPECT_EQ(timeout(1)[0].substr(0, 6), "RESEND");
		wait = std::min(2 * wait, 1000 * msec);
	}
	EXPECT_EQ(timeout(wait), (Words{"TIMER_CANCEL", "TX_FLUSH", "FAILED 110"}));
	EXPECT_EQ(rpc.state, HOMA_FAILED);
	EXPECT_EQ(peer.asking, 0);
	EXPECT_GE(now, 4000 * msec) << "three seconds, whatever the setting";
}

TEST_F(Timeout, dead_later_if_so_set)
{
	params.dead_ns = 60000 * msec;
	send_request(100);
	for (int i = 0; i < 59; i++)
		EXPECT_EQ(timeout(1000 * msec)[0].substr(0, 6), "RESEND") << i;
	EXPECT_EQ(timeout(1000 * msec)[2], "FAILED 110");
}

// Others hear from it.
TEST_F(Timeout, a_forsaken_rpc)
{
	send_request(100);
	for (int i = 0; i < 119; i++) {
		peer.heard = now;
		EXPECT_EQ(timeout(1000 * msec)[0].substr(0, 6), "RESEND") << i;
	}
	peer.heard = now;
	EXPECT_EQ(timeout(1000 * msec)[2], "FAILED 110") << "for two minutes";
}

TEST_F(Timeout, nothing_of_silence_is_left_once_there_is_an_answer)
{
	send_request(100);
	for (int i = 0; i < 5; i++)
		timeout(500 * msec);
	EXPECT_EQ(run(PROG_EV_BUSY), (Words{"TIMER +0us", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(rpc.tries, 0);
}

TEST_F(Timeout, a_dead_client)
{
	peer.path = 1;
	request_new(0, 100, 1000);
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(timeout(1000 * msec)[0], i < 6 ? "RESEND 100+900" : "RESEND 100+480");
	EXPECT_EQ(timeout(1000 * msec), (Words{"END"}));
	EXPECT_EQ(rpc.state, HOMA_OVER);
}

TEST_F(Timeout, long_silence_alone_kills_nobody)
{
	send_request(100);
	EXPECT_EQ(timeout(10000 * msec)[0], "RESEND all");
	EXPECT_EQ(timeout(11 * msec)[0], "RESEND all");
}

TEST_F(Timeout, holes_wait_for_nobody)
{
	request_new(0, 100, 50000);
	data(200, 100, 50000);
	run(PROG_EV_HOLE);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(500000)[0], "RESEND 100+100");
	EXPECT_EQ(peer.asker, 77U);
}

TEST_F(Timeout, counters_do_not_wrap)
{
	send_request(100);
	params.dead_ns = ~0ULL;
	rpc.tries = 255;
	peer.unanswered = 255;
	peer.asked = now;
	timeout(1000 * msec);
	EXPECT_EQ(rpc.tries, 255);
	EXPECT_EQ(peer.unanswered, 255);
}

TEST_F(Timeout, an_answer_frees_the_peer)
{
	send_request(100);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_BUSY), (Words{"RAISE PEER_ALIVE"}));
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.asking, 0);
	EXPECT_EQ(peer.unanswered, 0);
	EXPECT_EQ(peer.heard, now);
	EXPECT_EQ(run(PROG_EV_BUSY), Words{});
}

TEST_F(Timeout, an_answer_to_an_earlier_question)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.asking, 1);
	EXPECT_EQ(peer.unanswered, 0);
}
