// SPDX-License-Identifier: Apache-2.0
// What is known of a path, and peers that know nothing of an RPC.
#include "chain.hpp"

class Path : public Chain {
protected:
	// Bytes are granted, do not come, and are asked for.
	void granted_and_asked_for()
	{
		request_new(0, 10000, 50000);
		run(PROG_EV_GRANT_SETTLE);
		turn(0, 1);
		EXPECT_EQ(timeout(12 * msec)[0], "RESEND 10000+1400");
	}
};

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

// Who asks for a name is answered late, or somebody pulled a plug.
TEST_F(Path, an_outage_is_not_its_time)
{
	send_request(100);
	for (const u64 wait : {6, 12, 24, 48, 96, 192, 384, 768})
		EXPECT_EQ(timeout(wait * msec)[0].substr(0, 6), "RESEND");
	now += 1 * msec;
	run(PROG_EV_BUSY);
	EXPECT_GE(peer.path, 100 * msec);
	EXPECT_LE(peer.path, 102 * msec);
	const u64 variation = peer.path_var;
	for (int i = 0; i < 64; i++) {
		EXPECT_EQ(timeout(4000 * msec)[0].substr(0, 6), "RESEND");
		now += 1 * msec;
		run(PROG_EV_BUSY);
	}
	EXPECT_LE(peer.path, 40 * msec);
	EXPECT_LE(peer.path_var, variation / 2);
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

// They may have been granted by the question: better than nothing.
TEST_F(Path, the_first_measure_though_they_were_asked_for)
{
	granted_and_asked_for();
	now += 8 * msec;
	ev.again = 1;
	EXPECT_EQ(data(10000, 100, 50000)[1], "RAISE PEER_ALIVE");
	EXPECT_EQ(out.count, 2) << "it says nothing of the grant";
	ev.again = 0;
	EXPECT_EQ(data(10100, 1300, 50000)[1], "RAISE PATH");
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 20 * msec | 1);
	EXPECT_EQ(peer.guessed, 1);
	rpc.timed = now - 90 * msec;
	rpc.asked = now - 30 * msec;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 20 * msec | 1) << "no more of that kind";
	rpc.asked = now - 95 * msec;
	rpc.timed = now - 2 * msec;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 2 * msec | 1) << "in its place";
	EXPECT_EQ(peer.path_least, 2 * msec | 1);
	EXPECT_EQ(peer.guessed, 0);
	peer = {};
	rpc.timed = now - 500 * msec;
	rpc.asked = now - 30 * msec;
	run(PROG_EV_PATH);
	EXPECT_EQ(peer.path, 130 * msec | 1);
}

// What was sent again is an answer to the question, not to the grant.
TEST_F(Path, bytes_sent_again_time_the_question)
{
	granted_and_asked_for();
	now += 2 * msec;
	ev.again = 1;
	EXPECT_EQ(data(10000, 1400, 50000)[2], "RAISE PATH");
	run(PROG_EV_PATH);
	EXPECT_LE(peer.path, 3 * msec);
	EXPECT_EQ(peer.window, 4000U) << "they were lost";
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

// A path so long that its window is too small for it.
TEST_F(Path, the_window_of_a_long_path_grows_beyond_its_setting)
{
	peer.path_least = 1 * msec + 1;
	request_new(0, 9000, 90000);
	run(PROG_EV_GRANT_SETTLE);
	peer.queues = 1;
	turn(0, 1);
	EXPECT_EQ(peer.window, 0U) << "not while bytes stand in queues";
	peer.queues = 0;
	turn(0, 1);
	EXPECT_EQ(peer.window, 8000U);
	rpc.rx_grown = 0;
	turn(0, 1);
	EXPECT_EQ(peer.window, 17000U) << "twice as large each path time";
	EXPECT_EQ(rpc.rx_granted, 26000U);
	peer.queues = 1;
	rpc.rx_grown = 0;
	turn(0, 1);
	EXPECT_EQ(peer.window, 17000U);
	peer.window = 7000;
	rpc.rx_grown = 8000;
	turn(0, 1);
	EXPECT_EQ(peer.window, 8000U) << "up to its setting it grows";
	peer.queues = 0;
	peer.window = 39000;
	rpc.rx_grown = 0;
	turn(0, 1);
	EXPECT_EQ(peer.window, 40000U) << "up to what all may have";
	peer.path_least = 1 * msec;
	turn(0, 1);
	EXPECT_EQ(peer.window, 0U) << "the path is short after all";
}

TEST_F(Path, a_grant_that_takes_long_meets_queues)
{
	request_new(0, 9000, 50000);
	for (const auto &[took, queues] : {std::pair{4, 0}, std::pair{7, 1}, std::pair{5, 0},
					   std::pair{2, 0}, std::pair{4, 1}}) {
		rpc.timed = now;
		rpc.rx_end = rpc.rx_timed + 1;
		now += static_cast<u64>(took) * msec;
		run(PROG_EV_PATH);
		EXPECT_EQ(peer.queues, queues) << took;
	}
	EXPECT_EQ(peer.path_least, 2 * msec | 1);
	rpc.timed = now;
	rpc.rx_end = rpc.rx_timed;
	rpc.sought = 1;
	run(PROG_EV_PATH);
	EXPECT_EQ(rpc.timed, now) << "that was not the grant's";
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
	timeout(450 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-10000 prio 0 again"}));
	EXPECT_EQ(rpc.tx_granted, 10000U) << "who knows nothing has granted nothing";
	EXPECT_EQ(grant(20000, 1)[0], "TX_DATA 10000-20000 prio 1 again");
	EXPECT_EQ(grant(30000, 1)[1], "TX_DATA 20000-30000 prio 1") << "the first time";
}

// The question may have overtaken the request.
TEST_F(Unknown, one_packet_is_sent_again)
{
	send_request(30000);
	timeout(50 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-10000 prio 0 again one"}));
	EXPECT_EQ(out.insn[1].c, 10000U);
	EXPECT_EQ(rpc.tx_sent, 10000U);
	for (int i = 2; i < HOMA_TRY_SMALL; i++) {
		timeout(1000 * msec);
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1], "TX_DATA 0-10000 prio 0 again one");
	}
	timeout(1000 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[1], "TX_DATA 0-10000 prio 0 again small one");
	EXPECT_EQ(prog_peer_small(&peer, now), 0U);
	EXPECT_EQ(grant(12000, 0)[0], "TX_DATA 10000-12000 prio 0 small");
	EXPECT_EQ(prog_peer_small(&peer, now), 1U) << "that has arrived";
}

TEST_F(Unknown, starting_over_is_announced)
{
	params.unsched_bytes = 0;
	send_request(300);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"RAISE PEER_ALIVE", "TX_DATA 0-0 prio 0"}));
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

// It may be of a time before the request was there, and is not believed before silence; in
// the clear, where that may be kept off, once the response has been coming for a while.
TEST_F(Unknown, a_client_asked_for_a_hole)
{
	for (const u8 secure : {0, 1}) {
		rpc = {};
		ev.secure = secure;
		send_request(100);
		EXPECT_EQ(timeout(6 * msec)[0], "RESEND all");
		data(0, 1000, 9000);
		data(2000, 1000, 9000);
		run(PROG_EV_HOLE);
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
		EXPECT_EQ(timeout(msec)[0], "RESEND 1000+1000");
		EXPECT_EQ(rpc.asking, 0);
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
		now = rpc.born + HOMA_PATIENCE_MAX - 1;
		EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN), (Words{"drop STALE"}));
		now++;
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
		  (Words{"TIMER +0us", "RAISE PEER_ALIVE", "TX_DATA 0-100 prio 0 again one"}));
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
