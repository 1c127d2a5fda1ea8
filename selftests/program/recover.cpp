// SPDX-License-Identifier: Apache-2.0
// What silence leads to: TIMEOUT, RESEND and its answers, BUSY, RPC_UNKNOWN.
#include "chain.hpp"

class Resend : public Chain {
protected:
	// A request of which the first 10,000 bytes have been sent, a while ago.
	void sent(u32 length = 30000)
	{
		send_request(length);
		now += 100 * msec;
	}
};

TEST_F(Resend, of_what_was_sent)
{
	sent();
	EXPECT_EQ(resend(1000, 500), (Words{"TX_DATA 1000-1500 prio 0 again"}));
	EXPECT_EQ(resend(9000, 1000), (Words{"TX_DATA 9000-10000 prio 0 again"}));
	EXPECT_EQ(peer.heard, now);
}

TEST_F(Resend, not_before_what_goes_out_for_the_first_time)
{
	ev.prio = 3;
	sent();
	EXPECT_EQ(resend(1000, 500), (Words{"TX_DATA 1000-1500 prio 3 again"}));
	grant(20000, 1);
	now += 100 * msec;
	EXPECT_EQ(resend(12000, 500), (Words{"TX_DATA 12000-12500 prio 1 again"}));
	ev.prio = 0;
	ev.offset = 1000;
	EXPECT_EQ(run(PROG_EV_RESEND), (Words{"TX_DATA 1000-1500 prio 0 again"}));
}

TEST_F(Resend, counts_as_a_grant)
{
	sent();
	EXPECT_EQ(resend(10000, 8000), (Words{"BUSY", "TX_DATA 10000-18000 prio 0"}));
	EXPECT_EQ(rpc.tx_granted, 18000U);
	now += 100 * msec;
	EXPECT_EQ(resend(17000, 0xfffffffe),
		  (Words{"TX_DATA 17000-18000 prio 0 again", "TX_DATA 18000-30000 prio 0"}));
	EXPECT_EQ(rpc.tx_granted, 30000U) << "no more than the message has";
}

TEST_F(Resend, what_it_grants_waits_for_its_turn)
{
	ev.paced = 1;
	send_request(30000);
	ev.length = 10000;
	run(PROG_EV_SEND_TURN);
	EXPECT_EQ(resend(10000, 8000), (Words{"BUSY", "RANK SEND 20000"}));
}

TEST_F(Resend, a_grant_ends_with_a_record)
{
	ev.secure = 1;
	ev.record = 4096;
	send_request(30000);
	EXPECT_EQ(rpc.tx_granted, 12288U);
	EXPECT_EQ(resend(12288, 500)[1], "TX_DATA 12288-16384 prio 0");
}

TEST_F(Resend, of_everything)
{
	sent(300);
	EXPECT_EQ(resend(55, PROG_LENGTH_ALL), (Words{"TX_DATA 0-300 prio 0 again"}));
	EXPECT_EQ(peer.unsched, 0U) << "says nothing about the path";
}

TEST_F(Resend, of_everything_grants_nothing)
{
	sent();
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-10000 prio 0 again"}));
	EXPECT_EQ(rpc.tx_granted, 10000U);
}

TEST_F(Resend, of_nothing)
{
	sent();
	EXPECT_EQ(resend(0, 0), (Words{"BUSY"}));
	EXPECT_EQ(resend(0xffffffff, 5), (Words{"BUSY"}));
	EXPECT_EQ(rpc.tx_granted, 10000U);
}

TEST_F(Resend, in_authenticated_form)
{
	ev.secure = 1;
	sent(3000);
	ev.auth = 1;
	EXPECT_EQ(resend(0, 480), (Words{"TX_DATA 0-480 prio 0 again auth"}));
	EXPECT_EQ(rpc.small, 0) << "of a short record";
}

// Junk stands where a lost grant was for.
TEST_F(Resend, in_authenticated_form_of_what_was_not_sent)
{
	ev.secure = 1;
	sent();
	ev.auth = 1;
	EXPECT_EQ(resend(10000, 4000), (Words{"TX_DATA 10000-14000 prio 0 again auth"}));
	rpc.tx_ready = 15000;
	EXPECT_EQ(resend(14000, 4000), (Words{"TX_DATA 14000-15000 prio 0 again auth"}))
		<< "but no more than is sealed";
}

TEST_F(Resend, bounded_by_what_was_granted)
{
	sent();
	EXPECT_EQ(resend(0, 7000), (Words{"TX_DATA 0-7000 prio 0 again"}));
	EXPECT_EQ(resend(0, 7000), (Words{"TX_DATA 0-3000 prio 0 again"}));
	EXPECT_EQ(resend(0, 7000), (Words{"BUSY"}));
	now += 5 * msec;
	EXPECT_EQ(resend(0, 10000), (Words{"TX_DATA 0-10000 prio 0 again"}));
	now += 5 * msec;
	peer.path = 20 * msec;
	EXPECT_EQ(resend(0, 7000), (Words{"BUSY"})) << "in a path time";
}

TEST_F(Resend, of_what_has_just_been_sent)
{
	send_request(30000);
	now += 9 * msec;
	EXPECT_EQ(resend(5000, 5000), (Words{"BUSY"})) << "asked for by a clock";
	EXPECT_EQ(resend(5000, 4999), (Words{"TX_DATA 5000-9999 prio 0 again"}))
		<< "later bytes came";
	now += 1 * msec;
	EXPECT_EQ(resend(5000, 5000), (Words{"TX_DATA 5000-10000 prio 0 again"}));
	now += 39 * msec;
	EXPECT_EQ(resend(5000, 5000), (Words{"BUSY"})) << "more patience each time";
	now += 1 * msec;
	EXPECT_EQ(resend(5000, 5000)[0], "TX_DATA 5000-10000 prio 0 again");
	peer.path = 3 * msec;
	now += 2 * msec;
	EXPECT_EQ(resend(5000, 5000), (Words{"BUSY"}));
	now += 3 * msec;
	EXPECT_EQ(resend(5000, 5000)[0], "TX_DATA 5000-10000 prio 0 again");
}

TEST_F(Resend, of_everything_while_it_may_still_be_on_its_way)
{
	serve();
	respond(10000);
	now += 17 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"})) << "10,000 bytes take 8 ms";
	now += 1 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-10000 prio 0 again"}));
}

TEST_F(Resend, a_count_does_not_wrap)
{
	sent();
	rpc.again = 255;
	now += 2000 * msec;
	EXPECT_EQ(resend(9000, 1000), (Words{"TX_DATA 9000-10000 prio 0 again"}));
	EXPECT_EQ(rpc.again, 255);
}

TEST_F(Resend, unscheduled_bytes_shrink)
{
	sent();
	resend(1000, 500);
	EXPECT_EQ(peer.unsched, 5000U);
	resend(2000, 500);
	EXPECT_EQ(peer.unsched, 5000U) << "once for a message";
	rpc = {};
	sent();
	resend(1000, 500);
	EXPECT_EQ(peer.unsched, 5000U) << "and for those sent before that";
	rpc = {};
	ev.unsched = 5000;
	sent();
	EXPECT_EQ(rpc.tx_sent, 5000U);
	resend(1000, 500);
	EXPECT_EQ(peer.unsched, 2500U);
	rpc = {};
	ev.unsched = 2500;
	sent();
	resend(1000, 500);
	EXPECT_EQ(peer.unsched, 1400U);
	rpc = {};
	ev.unsched = 1400;
	sent();
	resend(1000, 400);
	EXPECT_EQ(peer.unsched, 1400U) << "down to a packet";
}

TEST_F(Resend, scheduled_bytes_lost_are_the_receivers_concern)
{
	sent();
	grant(20000, 1);
	now += 100 * msec;
	resend(12000, 500);
	EXPECT_EQ(peer.unsched, 0U);
}

TEST_F(Resend, of_little_asks_for_small_packets)
{
	sent();
	EXPECT_EQ(resend(1000, 480), (Words{"TX_DATA 1000-1480 prio 0 again small"}));
	EXPECT_EQ(prog_peer_small(&peer, now + 599000 * msec), 1U);
	EXPECT_EQ(prog_peer_small(&peer, now + 600000 * msec), 0U);
	EXPECT_EQ(grant(12000, 0), (Words{"TX_DATA 10000-12000 prio 0 small"}));
	now += 5000 * msec;
	resend(1480, 5000);
	EXPECT_EQ(prog_peer_small(&peer, now + 599000 * msec), 1U) << "remembered anew";
}

TEST_F(Resend, of_a_response)
{
	serve();
	respond(700);
	now += 100 * msec;
	rpc.asking = 1;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-700 prio 0 again"}));
	EXPECT_EQ(rpc.active, now);
}

TEST_F(Resend, before_the_response)
{
	request_new(0, 100, 100);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
	run(PROG_EV_DELIVERED);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
}

// What is missing of the request is asked for in its own time.
TEST_F(Resend, while_the_request_is_incomplete)
{
	request_new(0, 100, 1000);
	const u64 then = rpc.active;
	now += 5 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
	EXPECT_EQ(rpc.active, then) << "a question is no progress";
	data(400, 100, 1000);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
}

TEST_F(Resend, of_a_request_whose_response_has_begun)
{
	send_request(100);
	data(0, 10, 100);
	EXPECT_EQ(resend(0, 100), (Words{"BUSY"}));
}

TEST_F(Resend, of_a_request_that_failed)
{
	send_request(100);
	ev.error = 5;
	run(PROG_EV_ABORT);
	EXPECT_EQ(resend(0, 100), (Words{"RPC_UNKNOWN"}));
}

// The request's bytes do not arrive, however often they are sent, but questions do.
TEST_F(Resend, answers_that_bring_nothing_end_the_rpc)
{
	request_new(0, 100, 10000);
	for (int i = 0; i < HOMA_BARREN - 1; i++) {
		EXPECT_EQ(timeout(2000 * msec)[0],
			  i < HOMA_TRY_SMALL ? "RESEND 100+1400" : "RESEND 100+480")
			<< i;
		EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RAISE PEER_ALIVE", "BUSY"}));
	}
	timeout(2000 * msec);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"END"}));
}

TEST_F(Resend, bytes_are_hope)
{
	request_new(0, 100, 10000);
	for (int i = 0; i < 3 * HOMA_BARREN; i++) {
		timeout(2000 * msec);
		EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RAISE PEER_ALIVE", "BUSY"}));
		if (i % 10 == 9)
			data(rpc.rx_end, 100, 10000);
	}
	EXPECT_EQ(rpc.state, HOMA_IN);
}

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
		const u64 wait = std::min((5080000ULL) << i, 1000 * msec);
		EXPECT_EQ(timeout(wait - 1)[0], "TIMER +0us") << i;
		EXPECT_EQ(timeout(1)[0], "RESEND all") << i;
		run(PROG_EV_BUSY);
		EXPECT_EQ(rpc.patience, std::min(i + 1, 12));
	}
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
	EXPECT_EQ(data(0, 10, 100), (Words{"RX_NEW 100", "TX_FLUSH", "RX_ADD 0-10", "TIMER +0us"}));
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

class Hole : public Chain {
protected:
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
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +1000us"}));
	EXPECT_EQ(timeout(1100000), (Words{"RESEND 100+100", "TIMER +3900us"}));
	EXPECT_EQ(rpc.tries, 0) << "not silence";
	EXPECT_EQ(peer.asking, 0);
	EXPECT_EQ(peer.window, 4000U) << "half of it";
}

TEST_F(Hole, of_a_path_that_is_not_known)
{
	holes(1);
	peer.path = 0;
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +312us"}));
}

TEST_F(Hole, fills_in_time)
{
	holes(1);
	run(PROG_EV_HOLE);
	EXPECT_EQ(data(100, 100, 10000), (Words{"RX_ADD 100-200"}));
	EXPECT_EQ(timeout(1100000)[0].substr(0, 5), "TIMER");
}

TEST_F(Hole, each_in_its_own_time)
{
	holes(1);
	run(PROG_EV_HOLE);
	now += 600000;
	data(400, 100, 10000);
	EXPECT_EQ(run(PROG_EV_HOLE)[0], "TIMER +400us") << "the first one's";
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
	EXPECT_EQ(data(1400, 100, 10000), (Words{"RX_ADD 1400-1500", "RAISE HOLE"}));
	run(PROG_EV_HOLE);
	peer.shrunk = now;
	EXPECT_EQ(timeout(1100000), (Words{"RESEND 1500+500", "RESEND 2100+900", "TIMER +5000us"}));
}

TEST_F(Hole, what_had_been_on_its_way_makes_patient)
{
	holes(1);
	run(PROG_EV_HOLE);
	timeout(1100000);
	data(100, 100, 10000);
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
	EXPECT_EQ(run(PROG_EV_HOLE)[0].substr(0, 11), "TIMER +2000");
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

TEST_F(Timeout, each_gap_is_asked_for)
{
	request_new(0, 100, 50000);
	data(200, 100, 50000);
	data(400, 100, 50000);
	rpc.gap_auth = 2;
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 100+100", "RESEND 300+100 auth",
					      "RESEND 500+1400", "TIMER +5001us"}));
}

TEST_F(Timeout, sixteen_gaps)
{
	peer.path = 1;
	request_new(0, 10, 50000);
	for (u32 i = 1; i <= HOMA_GAPS; i++)
		data(20 * i, 10, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	EXPECT_EQ(timeout(500 * msec).size(), 18U);
	rpc.rx_unsched = 100;
	EXPECT_EQ(timeout(500 * msec).size(), 19U);
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
TEST_F(Timeout, the_end_of_a_message_is_lost)
{
	peer.path = 1;
	request_new(0, 2000, 10000);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 2000+1400", "TIMER +10000us"}));
	EXPECT_EQ(peer.window, 4000U);
	ev.again = 1;
	EXPECT_EQ(data(2000, 1400, 10000),
		  (Words{"RX_ADD 2000-3400", "RAISE PEER_ALIVE", "RAISE HOLE"}));
	EXPECT_EQ(run(PROG_EV_HOLE), (Words{"TIMER +312us"}));
	EXPECT_EQ(timeout(312500), (Words{"RESEND 3400+4000", "TIMER +10000us"})) << "a window";
	EXPECT_EQ(data(3400, 1400, 10000), (Words{"RX_ADD 3400-4800", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(rpc.lost, 1);
	EXPECT_EQ(data(4800, 2600, 10000), (Words{"RX_ADD 4800-7400", "RAISE HOLE"}));
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
	EXPECT_EQ(data(100, 100, 10000), (Words{"RX_ADD 100-200"}));
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
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 100+1400", "TIMER +5001us"}))
		<< "no room for the end";
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
	EXPECT_EQ(timeout(500 * msec), (Words{"RESEND 0+100", "TIMER +5001us"}));
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
	for (int i = 0; i < 5; i++)
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

TEST_F(Timeout, others_are_waited_for_a_second_at_most)
{
	params.dead_ns = 60000 * msec;
	send_request(100);
	rpc.tries = 100;
	rpc.put_off = 5;
	now += 1000 * msec;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(0), (Words{"TIMER +1000000us"}));
}

TEST_F(Timeout, a_dead_client)
{
	peer.path = 1;
	request_new(0, 100, 1000);
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(timeout(700 * msec)[0], "RESEND 100+900");
	EXPECT_EQ(timeout(700 * msec), (Words{"END"}));
	EXPECT_EQ(rpc.state, HOMA_OVER);
}

TEST_F(Timeout, long_silence_alone_kills_nobody)
{
	send_request(100);
	EXPECT_EQ(timeout(10000 * msec)[0], "RESEND all");
	EXPECT_EQ(timeout(11 * msec)[0], "RESEND all");
}

TEST_F(Timeout, what_others_asked_counts)
{
	send_request(100);
	peer.unanswered = 5;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now + 2999 * msec;
	EXPECT_EQ(timeout(3000 * msec)[2], "FAILED 110");
	EXPECT_EQ(peer.asking, 1) << "their question stays";
}

TEST_F(Timeout, others_questions_go_first)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	for (int i = 0; i < HOMA_PUT_OFF; i++) {
		peer.asked = now + 6 * msec;
		EXPECT_EQ(timeout(6 * msec),
			  (Words{"TIMER +" + std::to_string(1270 << std::min(i, 5)) + "us"}));
	}
	peer.asked = now + 5 * msec;
	EXPECT_EQ(timeout(5 * msec)[0], "RESEND all") << "but not for ever";
	EXPECT_EQ(peer.asker, 8U);
	EXPECT_EQ(rpc.put_off, 0);
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

TEST_F(Timeout, who_is_patient_is_put_off_longer)
{
	send_request(100);
	peer.path = 1;
	for (int i = 0; i < 3; i++) {
		timeout(1000 * msec);
		peer.path = 1;
		run(PROG_EV_BUSY);
	}
	ASSERT_EQ(rpc.patience, 3);
	now += 1000 * msec;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(0), (Words{"TIMER +10160us"}));
}

TEST_F(Timeout, an_old_question_of_another)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(6 * msec)[0], "RESEND all");
}

TEST_F(Timeout, old_silence_is_forgotten)
{
	send_request(100);
	peer.unanswered = 4;
	now += 3000 * msec;
	peer.asked = now - 3000 * msec;
	timeout(6 * msec);
	EXPECT_EQ(peer.unanswered, 1);
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

class Path : public Chain {};

TEST_F(Path, a_first_answer_measures)
{
	send_request(100);
	timeout(6 * msec);
	timeout(11 * msec);
	now += 3 * msec;
	run(PROG_EV_BUSY);
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 14 * msec | 1) << "maybe to the first of two questions";
	EXPECT_EQ(peer.path_var, 7 * msec);
}

TEST_F(Path, answers_make_it_longer_and_hardly_shorter)
{
	peer.path = 10 * msec;
	send_request(100);
	timeout(20 * msec);
	now += 18 * msec;
	run(PROG_EV_BUSY);
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 11 * msec | 1);
	EXPECT_EQ(peer.path_var, 2 * msec);
	timeout(1000 * msec);
	peer.path = 6400;
	run(PROG_EV_BUSY);
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 6300U);
}

TEST_F(Path, a_response_measures_too)
{
	send_request(100);
	timeout(6 * msec);
	now += 3 * msec;
	data(0, 50, 100);
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 3 * msec | 1);
	peer.path = 1000;
	data(50, 10, 100);
	rpc.born = now;
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 1000U) << "nobody asked";
}

TEST_F(Path, bytes_that_would_have_come_anyway)
{
	request_new(0, 100, 10000);
	timeout(500 * msec);
	data(100, 100, 10000);
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.path, 0U);
}

TEST_F(Path, need_ack_to_its_answer)
{
	serve();
	respond(100);
	timeout(6 * msec);
	now += 2 * msec;
	run(PROG_EV_BUSY);
	EXPECT_EQ(peer.path, 2 * msec | 1);
	timeout(100 * msec);
	EXPECT_EQ(run(PROG_EV_ACK), (Words{"RAISE PEER_ALIVE", "END"}));
}

TEST_F(Path, from_a_grant_to_its_first_byte)
{
	request_new(0, 9000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	now += 2 * msec;
	EXPECT_EQ(data(9000, 1000, 50000), (Words{"RX_ADD 9000-10000"}));
	EXPECT_EQ(data(10000, 1000, 50000)[1], "RAISE PATH");
	peer.spurious = 2;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 2 * msec | 1);
	EXPECT_EQ(peer.heard, now);
	EXPECT_EQ(peer.spurious, 1) << "all is well";
	rpc.timed = now - 1 * msec;
	rpc.copies = 1;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, (2 * msec | 1) - 250000 + 125000);
	EXPECT_EQ(peer.spurious, 1);
	rpc.copies = 0;
	peer.spurious = 0;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.spurious, 0);
}

TEST_F(Path, one_grant_is_timed_at_once_and_none_after_a_question)
{
	request_new(0, 9000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	const u64 then = now;
	now += msec;
	data(9000, 1000, 50000);
	turn(0, 1);
	EXPECT_EQ(rpc.timed, then);
	rpc.timed = 0;
	rpc.tries = 1;
	rpc.rx_received += 1000;
	turn(0, 1);
	EXPECT_EQ(rpc.timed, 0U);
}

TEST_F(Path, the_window_grows_again)
{
	peer.window = 2000;
	peer.threshold = 4000;
	request_new(0, 9000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	rpc.rx_grown = 8000;
	EXPECT_EQ(turn(0, 1), (Words{"GRANT 12000 prio 0"})) << "by what has arrived";
	EXPECT_EQ(peer.window, 3000U);
	peer.window = 4000;
	data(9000, 1000, 50000);
	turn(0, 1);
	EXPECT_EQ(peer.window, 4000U);
	EXPECT_EQ(peer.credit, 1000U);
	data(10000, 3000, 50000);
	turn(0, 1);
	EXPECT_EQ(peer.window, 5400U) << "by a packet for each window";
	EXPECT_EQ(peer.credit, 0U);
	peer.window = 7000;
	peer.credit = 7000;
	turn(0, 1);
	EXPECT_EQ(peer.window, 0U) << "up to what settings say";
}

TEST_F(Path, unscheduled_bytes_grow_again)
{
	peer.unsched = 1400;
	ev.unsched = prog_peer_unsched(&peer);
	EXPECT_EQ(send_request(30000)[1], "TX_DATA 0-1400 prio 0");
	grant(3000, 0);
	EXPECT_EQ(peer.unsched, 2101U);
	grant(4000, 0);
	EXPECT_EQ(peer.unsched, 2101U) << "once for a message";
	rpc = {};
	peer.unsched = 9000;
	ev.unsched = 9000;
	send_request(30000);
	grant(12000, 0);
	EXPECT_EQ(peer.unsched, 0U);
	rpc = {};
	send_request(30000);
	grant(12000, 0);
	EXPECT_EQ(peer.unsched, 0U) << "others were quicker";
	rpc = {};
	peer.unsched = 9000;
	send_request(30000);
	rpc.shrunk = 1;
	grant(12000, 0);
	EXPECT_EQ(peer.unsched, 9000U) << "some were lost";
	rpc = {};
	send_request(9000);
	EXPECT_EQ(rpc.cut, 0) << "it fits";
}

TEST_F(Path, small_packets_from_the_start)
{
	ev.small = 1;
	EXPECT_EQ(send_request(3000)[1], "TX_DATA 0-3000 prio 0 small");
}

class Unknown : public Chain {};

TEST_F(Unknown, client_starts_over)
{
	send_request(30000);
	grant(20000, 1);
	timeout(50 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-10000 prio 0 again"}));
	EXPECT_EQ(rpc.tx_granted, 10000U) << "who knows nothing has granted nothing";
}

// The question may have overtaken the request.
TEST_F(Unknown, one_packet_is_sent_again)
{
	send_request(30000);
	timeout(50 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-1400 prio 0 again"}));
	EXPECT_EQ(out.insn[1].c, 10000U);
	EXPECT_EQ(rpc.tx_sent, 10000U);
	for (int i = 2; i < HOMA_TRY_SMALL; i++) {
		timeout(1000 * msec);
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1], "TX_DATA 0-1400 prio 0 again");
	}
	timeout(1000 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1], "TX_DATA 0-480 prio 0 again small");
}

TEST_F(Unknown, starting_over_is_announced)
{
	params.unsched_bytes = 0;
	send_request(300);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-0 prio 0 again"}));
}

TEST_F(Unknown, not_asked)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
}

TEST_F(Unknown, asked_for_a_hole)
{
	for (const u8 secure : {0, 1}) {
		rpc = {};
		ev.secure = secure;
		request_new(0, 1000, 9000);
		data(2000, 1000, 9000);
		run(PROG_EV_HOLE);
		EXPECT_EQ(timeout(msec)[0], "RESEND 1000+1000");
		EXPECT_EQ(rpc.asking, 0) << "there was no silence";
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"RAISE PEER_ALIVE", "END"}));
	}
}

// Under a session it may be of a time before the request was there.
TEST_F(Unknown, a_client_asked_for_a_hole)
{
	for (const u8 secure : {0, 1}) {
		rpc = {};
		ev.secure = secure;
		send_request(100);
		data(0, 1000, 9000);
		data(2000, 1000, 9000);
		run(PROG_EV_HOLE);
		EXPECT_EQ(timeout(msec)[0], "RESEND 1000+1000");
		if (secure != 0) {
			EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
			timeout(50 * msec);
			EXPECT_EQ(rpc.asking, 1);
		}
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[3], "FAILED 104");
	}
}

TEST_F(Unknown, answered_before)
{
	send_request(100);
	EXPECT_EQ(timeout(6 * msec)[0], "RESEND all");
	run(PROG_EV_BUSY);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
}

TEST_F(Unknown, an_end_is_told_once)
{
	send_request(100);
	timeout(6 * msec);
	ev.error = 5;
	EXPECT_EQ(run(PROG_EV_ABORT).back(), "FAILED 5");
	EXPECT_EQ(rpc.asking, 1);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
}

TEST_F(Unknown, over_and_over)
{
	send_request(100);
	for (int i = 0; i < HOMA_RESTARTS; i++) {
		u64 wait = std::min(5080000ULL << std::max(i - 1, 0), 1000 * msec);
		EXPECT_EQ(timeout(wait - 1)[0].substr(0, 5), "TIMER") << i;
		EXPECT_EQ(timeout(1)[0], "RESEND all") << i;
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1].substr(0, 26), "TX_DATA 0-100 prio 0 again");
	}
	timeout(1000 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TIMER_CANCEL", "TX_FLUSH", "FAILED 110"}));
}

TEST_F(Unknown, who_starts_over_seldom_is_not_taken_for_dead)
{
	send_request(100);
	for (int i = 0; i < 32; i++) {
		timeout(1000 * msec);
		run(PROG_EV_RPC_UNKNOWN);
	}
	ASSERT_EQ(rpc.patience, 12);
	peer.unanswered = 200; // by other RPCs
	EXPECT_EQ(timeout(3000 * msec)[0], "RESEND all");
}

TEST_F(Unknown, room_at_last)
{
	send_request(100);
	for (int i = 0; i < 20; i++) {
		timeout(1000 * msec);
		run(PROG_EV_RPC_UNKNOWN);
	}
	ASSERT_EQ(rpc.patience, 12);
	rpc.patience = 5;
	timeout(1000 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 6);
	EXPECT_EQ(rpc.restarts, 20) << "a server may take it and forget it, again and again";
	ev.offset = 0;
	ev.length = 10;
	ev.message_length = ev.incoming = 100;
	run(PROG_EV_DATA);
	EXPECT_EQ(rpc.patience, 0);
}

TEST_F(Unknown, after_long_silence)
{
	send_request(100);
	for (int i = 0; i < 3; i++)
		timeout(100 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"TIMER +0us", "RAISE PEER_ALIVE", "TX_DATA 0-100 prio 0 again"}));
	EXPECT_EQ(timeout(1), (Words{"TIMER +5079us"}));
}

TEST_F(Unknown, delivered_before)
{
	ev.secure = 1;
	send_request(100);
	timeout(6 * msec);
	ev.before = 1;
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[3], "FAILED 104");
}

TEST_F(Unknown, in_the_middle_of_the_response)
{
	send_request(100);
	data(0, 50, 100);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[3], "FAILED 104");
}

TEST_F(Unknown, client_is_gone)
{
	request_new(0, 100, 1000);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"RAISE PEER_ALIVE", "END"}));
}
