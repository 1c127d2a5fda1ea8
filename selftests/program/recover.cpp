// SPDX-License-Identifier: Apache-2.0
// What is asked for and answered: RESEND and its answers, BUSY.
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
		  (Words{"TIMER +22800us", "TX_DATA 17000-18000 prio 0 again",
			 "TX_DATA 18000-30000 prio 0"}));
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

// A server whose response waits for a grant asks so; the client may have nothing of it.
TEST_F(Resend, of_nothing_is_no_progress)
{
	sent();
	rpc.active = 1;
	resend(0, 0);
	EXPECT_EQ(rpc.active, 1U);
	resend(0, 100);
	EXPECT_EQ(rpc.active, now);
}

TEST_F(Resend, of_everything)
{
	sent(300);
	EXPECT_EQ(resend(55, PROG_LENGTH_ALL), (Words{"TX_DATA 0-300 prio 0 again one"}));
	EXPECT_EQ(peer.unsched, 0U) << "says nothing about the path";
}

TEST_F(Resend, of_everything_grants_nothing)
{
	sent();
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-10000 prio 0 again one"}));
	EXPECT_EQ(rpc.tx_granted, 10000U);
	rpc.small = HOMA_SMALL_TOLD;
	now += 1000 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-10000 prio 0 again small one"}));
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
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-10000 prio 0 again one"}));
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
	EXPECT_EQ(prog_peer_small(&peer, now + 3999 * msec), 1U);
	EXPECT_EQ(prog_peer_small(&peer, now + 4000 * msec), 0U) << "it may have been an outage";
	EXPECT_EQ(grant(12000, 0), (Words{"TX_DATA 10000-12000 prio 0 small"}));
	const u64 until = peer.small_until;
	for (int i = 0; i < 3; i++) {
		now += 2000 * msec;
		EXPECT_EQ(resend(1480, 480), (Words{"TX_DATA 1480-1960 prio 0 again small"}));
		EXPECT_EQ(peer.small_until, until) << "nothing large has been tried since";
	}
}

TEST_F(Resend, of_small_packets_does_not_keep_them_small)
{
	peer.small_until = now + 1000 * msec;
	ev.small = 1;
	EXPECT_EQ(send_request(3000)[1], "TX_DATA 0-3000 prio 0 small");
	ev.small = 0;
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(resend(960, 480), (Words{"TX_DATA 960-1440 prio 0 again small"}));
		resend(960, 960);
		EXPECT_EQ(prog_peer_small(&peer, 2000 * msec), 0U);
		now += 1000 * msec;
	}
}

// Messages that had begun before large packets failed find the same.
TEST_F(Resend, many_find_one_hole)
{
	peer.small_until = now + 1000 * msec;
	sent();
	EXPECT_EQ(resend(1000, 480), (Words{"TX_DATA 1000-1480 prio 0 again small"}));
	EXPECT_EQ(prog_peer_small(&peer, 2000 * msec), 0U);
	EXPECT_EQ(peer.small_again, 0);
}

TEST_F(Resend, packets_are_small_for_longer_while_large_ones_fail)
{
	sent();
	for (const u64 time : {4, 8, 16, 32, 64, 128, 256, 512, 600, 600}) {
		rpc.small = 0;
		resend(1000, 480);
		EXPECT_EQ(peer.small_until, now + time * 1000 * msec);
		now = peer.small_until + 60000 * msec;
	}
	peer.small_again = 1;
	now = peer.small_until + 256000 * msec - 1;
	rpc.small = 0;
	resend(1000, 480);
	EXPECT_EQ(peer.small_until, now + 8000 * msec);
	now = peer.small_until + 512000 * msec;
	rpc.small = 0;
	resend(1000, 480);
	EXPECT_EQ(peer.small_until, now + 4000 * msec) << "large ones have passed for long";
	EXPECT_EQ(peer.small_again, 1);
}

TEST_F(Resend, of_a_response)
{
	serve();
	respond(700);
	now += 100 * msec;
	rpc.asking = 1;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL),
		  (Words{"RAISE PEER_ALIVE", "TX_DATA 0-700 prio 0 again one"}));
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
