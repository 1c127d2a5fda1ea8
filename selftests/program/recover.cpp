// SPDX-License-Identifier: Apache-2.0
// What silence leads to: TIMEOUT, RESEND and its answers, BUSY, RPC_UNKNOWN.
#include "chain.hpp"

class Resend : public Chain {};

TEST_F(Resend, of_what_was_sent)
{
	send_request(30000);
	EXPECT_EQ(resend(1000, 500), (Words{"TX_DATA 1000-1500 prio 7 again"}));
	EXPECT_EQ(resend(9000, 5000), (Words{"TX_DATA 9000-10000 prio 7 again"}));
	EXPECT_EQ(resend(9000, 0xfffffffe), (Words{"TX_DATA 9000-10000 prio 7 again"}));
}

TEST_F(Resend, of_everything)
{
	send_request(300);
	EXPECT_EQ(resend(55, PROG_LENGTH_ALL), (Words{"TX_DATA 0-300 prio 7 again"}));
}

TEST_F(Resend, of_nothing)
{
	send_request(30000);
	EXPECT_EQ(resend(0, 0), (Words{"BUSY"}));
	EXPECT_EQ(resend(10000, 500), (Words{"BUSY"})) << "not yet sent";
	EXPECT_EQ(resend(0xffffffff, 5), (Words{"BUSY"}));
}

TEST_F(Resend, in_authenticated_form)
{
	ev.secure = 1;
	send_request(3000);
	ev.auth = 1;
	EXPECT_EQ(resend(0, 500), (Words{"TX_DATA 0-500 prio 7 again auth"}));
}

TEST_F(Resend, bounded_by_what_was_granted)
{
	send_request(30000);
	EXPECT_EQ(resend(0, 7000), (Words{"TX_DATA 0-7000 prio 7 again"}));
	EXPECT_EQ(resend(0, 7000), (Words{"TX_DATA 0-3000 prio 7 again"}));
	EXPECT_EQ(resend(0, 7000), (Words{"BUSY"}));
	now += 5 * msec;
	EXPECT_EQ(resend(0, 7000), (Words{"TX_DATA 0-7000 prio 7 again"}));
}

TEST_F(Resend, of_a_response)
{
	serve();
	respond(700);
	rpc.asking = 1;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-700 prio 7 again"}));
}

TEST_F(Resend, before_the_response)
{
	request_new(0, 100, 100);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
	run(PROG_EV_DELIVERED);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
}

TEST_F(Resend, while_the_request_is_incomplete)
{
	request_new(0, 100, 1000);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RESEND 100+900"}));
	data(400, 100, 1000);
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RESEND 100+300"}));
	rpc.gap_auth = 1;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RESEND 100+300 auth"}));
}

TEST_F(Resend, while_the_request_waits_for_grants)
{
	request_new(0, 10000, 50000);
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

class Timeout : public Chain {};

TEST_F(Timeout, client_asks_for_all_of_the_response)
{
	send_request(100);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND all", "TIMER +5000us"}));
	EXPECT_EQ(out.insn[0].prio, 7);
	EXPECT_EQ(peer.asking, 1);
	EXPECT_EQ(peer.asker, 8U);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND all", "TIMER +10000us"}));
	EXPECT_EQ(rpc.tries, 2);
	EXPECT_EQ(peer.unanswered, 2);
}

TEST_F(Timeout, too_early)
{
	send_request(100);
	now += 3 * msec;
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(2 * msec), (Words{"TIMER +3000us"}));
}

TEST_F(Timeout, busy_peers_are_asked_less_and_less)
{
	send_request(100);
	u64 wait = 5 * msec;
	for (int i = 0; i < 10; i++) {
		EXPECT_EQ(timeout(wait), (Words{"RESEND all", "TIMER +5000us"})) << i;
		run(PROG_EV_BUSY);
		wait = std::min(2 * wait, 640 * msec);
		EXPECT_EQ(rpc.patience, std::min(i + 1, 7));
	}
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +635000us"}));
	// One that is not answered is soon repeated.
	EXPECT_EQ(timeout(635 * msec), (Words{"RESEND all", "TIMER +5000us"}));
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND all", "TIMER +10000us"}));
}

TEST_F(Timeout, patience_never_asks_sooner)
{
	params.resend_ns = 3000 * msec;
	send_request(100);
	timeout(3000 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(1000 * msec), (Words{"TIMER +2000000us"}));
}

TEST_F(Timeout, busy_is_over_with_anything_else)
{
	send_request(100);
	timeout(5 * msec);
	run(PROG_EV_BUSY);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 1) << "one question, one answer";
	timeout(10 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 2);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"TIMER +0us", "BUSY"}));
	EXPECT_EQ(rpc.patience, 0);
	EXPECT_EQ(timeout(1), (Words{"TIMER +4999us"}));
	// A message in pieces is waited for as ever.
	run(PROG_EV_BUSY);
	ev.offset = 0;
	ev.length = 10;
	ev.message_length = ev.incoming = 100;
	run(PROG_EV_DATA);
	EXPECT_EQ(rpc.patience, 0);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 0);
}

TEST_F(Timeout, busy_without_a_question_or_in_the_request)
{
	send_request(100);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 0) << "nobody asked";
	send_request(30000);
	timeout(5 * msec);
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 0) << "a grant may be missing";
}

TEST_F(Timeout, asked_a_moment_ago)
{
	send_request(100);
	timeout(5 * msec);
	EXPECT_EQ(timeout(1 * msec), (Words{"TIMER +4000us"}));
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
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 100+100", "RESEND 300+100 auth",
					    "RESEND 500+9500", "TIMER +5000us"}));
}

TEST_F(Timeout, sixteen_gaps)
{
	request_new(0, 10, 50000);
	for (u32 i = 1; i <= HOMA_GAPS; i++)
		data(20 * i, 10, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	EXPECT_EQ(timeout(5 * msec).size(), 18U);
	rpc.rx_unsched = 100;
	EXPECT_EQ(timeout(5 * msec).size(), 19U);
}

TEST_F(Timeout, a_grant_may_have_been_lost)
{
	request_new(0, 10000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 3);
	EXPECT_EQ(timeout(5 * msec),
		  (Words{"RESEND 10000+8000", "GRANT 18000 prio 2", "TIMER +5000us"}));
}

TEST_F(Timeout, nothing_missing_are_you_there)
{
	request_new(0, 10000, 50000);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 0+0", "TIMER +5000us"}));
}

TEST_F(Timeout, gaps_below_the_grant_only)
{
	request_new(100, 9900, 50000);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 0+100", "TIMER +5000us"}));
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
	EXPECT_EQ(timeout(500 * msec), (Words{"TIMER +5000us"}));
}

TEST_F(Timeout, server_waits_for_a_grant)
{
	serve();
	respond(50000);
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 0+0", "TIMER +5000us"}));
}

TEST_F(Timeout, need_ack_less_and_less_often)
{
	serve();
	respond(100);
	EXPECT_EQ(timeout(5 * msec), (Words{"NEED_ACK", "TIMER +10000us"}));
	EXPECT_EQ(peer.asking, 0) << "not a RESEND";
	EXPECT_EQ(timeout(10 * msec), (Words{"NEED_ACK", "TIMER +12500us"}));
	for (int i = 0; i < 6; i++)
		EXPECT_EQ(timeout(12500000), (Words{"NEED_ACK", "TIMER +12500us"}));
	EXPECT_EQ(timeout(12500000), (Words{"END"})) << "102.5 ms";
}

TEST_F(Timeout, who_has_not_taken_the_response_is_asked_less_and_less)
{
	serve();
	respond(100);
	for (int i = 0; i < 20; i++) {
		EXPECT_EQ(timeout(1000 * msec)[0], "NEED_ACK");
		run(PROG_EV_BUSY);
		EXPECT_EQ(rpc.patience, std::min(i + 1, 7));
	}
	EXPECT_EQ(timeout(639 * msec)[0], "TIMER +1000us");
	run(PROG_EV_BUSY);
	EXPECT_EQ(rpc.patience, 7) << "nobody asked";
	// It asks as often as ever once there is silence, which then counts.
	EXPECT_EQ(timeout(1000 * msec)[0], "NEED_ACK");
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(timeout(13 * msec)[0], "NEED_ACK");
	EXPECT_EQ(timeout(13 * msec), (Words{"RAISE REQUEST_DONE", "END"}));
}

TEST_F(Timeout, need_ack_waits_for_nobody)
{
	serve();
	respond(100);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(5 * msec)[0], "NEED_ACK");
}

TEST_F(Timeout, a_dead_server)
{
	send_request(100);
	// Twice as long after every other question, up to an eighth of dead_ns.
	for (u64 wait : {5000, 5000, 10000, 10000, 12500, 12500, 12500, 12500, 12500}) {
		EXPECT_EQ(timeout(wait * 1000 - 1)[0], "TIMER +0us");
		EXPECT_EQ(timeout(1)[0], "RESEND all");
	}
	EXPECT_EQ(timeout(12500000), (Words{"TIMER_CANCEL", "TX_FLUSH", "FAILED 110"}));
	EXPECT_EQ(rpc.state, HOMA_FAILED);
	EXPECT_EQ(peer.asking, 0);
}

TEST_F(Timeout, a_path_that_is_full_is_asked_over_less_and_less)
{
	params.dead_ns = 60000 * msec;
	send_request(100);
	timeout(5 * msec);
	for (int i = 1; i < 40; i++) {
		u64 wait = std::min(5 * msec << i / 2, 1000 * msec);
		EXPECT_EQ(timeout(wait - 1)[0], "TIMER +0us") << i;
		EXPECT_EQ(timeout(1)[0], "RESEND all") << i;
	}
	// Nothing of that is left once there is an answer.
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"TIMER +0us", "RAISE PEER_ALIVE", "BUSY"}));
	EXPECT_EQ(timeout(1), (Words{"TIMER +4999us"}));
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
	request_new(0, 100, 1000);
	for (int i = 0; i < 7; i++)
		EXPECT_EQ(timeout(13 * msec)[0], "RESEND 100+900");
	EXPECT_EQ(timeout(13 * msec), (Words{"END"}));
	EXPECT_EQ(rpc.state, HOMA_OVER);
}

TEST_F(Timeout, long_silence_alone_kills_nobody)
{
	send_request(100);
	EXPECT_EQ(timeout(1000 * msec)[0], "RESEND all");
	EXPECT_EQ(timeout(5 * msec)[0], "RESEND all");
}

TEST_F(Timeout, what_others_asked_counts)
{
	send_request(100);
	peer.unanswered = 5;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now + 99 * msec;
	EXPECT_EQ(timeout(100 * msec)[2], "FAILED 110");
	EXPECT_EQ(peer.asking, 1) << "their question stays";
}

TEST_F(Timeout, others_questions_go_first)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	for (int i = 0; i < HOMA_PUT_OFF; i++) {
		peer.asked = now + 5 * msec;
		EXPECT_EQ(timeout(5 * msec),
			  (Words{"TIMER +" + std::to_string(1250 << std::min(i, 5)) + "us"}));
	}
	peer.asked = now + 5 * msec;
	EXPECT_EQ(timeout(5 * msec)[0], "RESEND all") << "but not for ever";
	EXPECT_EQ(peer.asker, 8U);
	EXPECT_EQ(rpc.put_off, 0);
}

TEST_F(Timeout, who_is_patient_is_put_off_longer)
{
	send_request(100);
	for (int i = 0; i < 3; i++) {
		timeout(1000 * msec);
		run(PROG_EV_BUSY);
	}
	ASSERT_EQ(rpc.patience, 3);
	now += 1000 * msec;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(0), (Words{"TIMER +10000us"}));
}

TEST_F(Timeout, an_old_question_of_another)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(5 * msec)[0], "RESEND all");
}

TEST_F(Timeout, old_silence_is_forgotten)
{
	send_request(100);
	peer.unanswered = 4;
	peer.asked = now - 100 * msec;
	timeout(5 * msec);
	EXPECT_EQ(peer.unanswered, 1);
}

TEST_F(Timeout, counters_do_not_wrap)
{
	send_request(100);
	params.dead_ns = ~0ULL;
	rpc.tries = 255;
	peer.unanswered = 255;
	timeout(5 * msec);
	EXPECT_EQ(rpc.tries, 255);
	EXPECT_EQ(peer.unanswered, 255);
}

TEST_F(Timeout, an_answer_frees_the_peer)
{
	send_request(100);
	timeout(5 * msec);
	EXPECT_EQ(run(PROG_EV_BUSY), (Words{"RAISE PEER_ALIVE"}));
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.asking, 0);
	EXPECT_EQ(peer.unanswered, 0);
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

class Unknown : public Chain {};

TEST_F(Unknown, client_starts_over)
{
	send_request(30000);
	grant(20000, 1);
	timeout(5 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-10000 prio 0 again"}));
	EXPECT_EQ(rpc.tx_granted, 10000U) << "who knows nothing has granted nothing";
}

TEST_F(Unknown, starting_over_is_announced)
{
	params.unsched_bytes = 0;
	send_request(300);
	timeout(5 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-0 prio 0 again"}));
}

TEST_F(Unknown, not_asked)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
}

TEST_F(Unknown, an_end_is_told_once)
{
	send_request(100);
	timeout(5 * msec);
	ev.error = 5;
	EXPECT_EQ(run(PROG_EV_ABORT).back(), "FAILED 5");
	EXPECT_EQ(rpc.asking, 1);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
}

TEST_F(Unknown, over_and_over)
{
	send_request(100);
	for (int i = 0; i < HOMA_RESTARTS; i++) {
		// Every fourth time doubles the time to the next one.
		u64 wait = std::min(5 * msec << i / 4, 1000 * msec);
		EXPECT_EQ(timeout(wait - 1)[0].substr(0, 5), "TIMER") << i;
		EXPECT_EQ(timeout(1)[0], "RESEND all") << i;
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1], "TX_DATA 0-100 prio 0 again");
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
	ASSERT_EQ(rpc.patience, 8);
	peer.unanswered = 200; // by other RPCs
	EXPECT_EQ(timeout(1000 * msec), (Words{"RESEND all", "TIMER +5000us"}));
}

TEST_F(Unknown, room_at_last)
{
	send_request(100);
	for (int i = 0; i < 20; i++) {
		timeout(1000 * msec);
		run(PROG_EV_RPC_UNKNOWN);
	}
	ASSERT_EQ(rpc.patience, 5);
	timeout(160 * msec);
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
		timeout(10 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"TIMER +0us", "RAISE PEER_ALIVE", "TX_DATA 0-100 prio 0 again"}));
	EXPECT_EQ(timeout(1), (Words{"TIMER +4999us"}));
}

TEST_F(Unknown, delivered_before)
{
	ev.secure = 1;
	send_request(100);
	timeout(5 * msec);
	ev.before = 1;
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[3], "FAILED 104");
}

TEST_F(Unknown, in_the_middle_of_the_response)
{
	send_request(100);
	data(0, 50, 100);
	timeout(5 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[3], "FAILED 104");
}

TEST_F(Unknown, client_is_gone)
{
	request_new(0, 100, 1000);
	timeout(5 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"RAISE PEER_ALIVE", "END"}));
}
