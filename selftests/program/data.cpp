// SPDX-License-Identifier: Apache-2.0
// Receiving: DATA, REQUEST_NEW_*, and the memory of clients (REQUEST_DONE).
#include "chain.hpp"

class Data : public Chain {
protected:
	// A client that waits for its response.
	void wait()
	{
		send_request(100);
		ASSERT_EQ(rpc.state, HOMA_OUT);
	}

	// Sixteen gaps of 10 bytes with 10 bytes between, in a message of 10,000.
	void sixteen_gaps()
	{
		for (u32 i = 0; i < HOMA_GAPS; i++)
			data(20 * i + 10, 10, 10000);
		ASSERT_EQ(rpc.gaps, HOMA_GAPS);
	}
};

TEST_F(Data, request_of_one_packet)
{
	EXPECT_EQ(request_new(0, 100, 100), (Words{"KEEP", "RX_NEW 100", "RX_ADD 0-100", "READY"}));
	EXPECT_EQ(rpc.state, HOMA_READY);
	EXPECT_EQ(rpc.server, 1);
}

TEST_F(Data, secure_request_of_one_packet)
{
	ev.secure = 1;
	EXPECT_EQ(request_new(0, 100, 100), (Words{"KEEP", "RX_NEW 100", "RX_ADD 0-100", "READY"}));
}

TEST_F(Data, response_of_one_packet)
{
	wait();
	EXPECT_EQ(data(0, 100, 100), (Words{"RX_NEW 100", "RX_ADD 0-100", "READY"}));
}

TEST_F(Data, response_of_several_packets)
{
	wait();
	EXPECT_EQ(data(0, 100, 300),
		  (Words{"RX_NEW 300", "TIMER +5000us", "TX_FLUSH", "RX_ADD 0-100"}));
	EXPECT_EQ(data(100, 100, 300), (Words{"RX_ADD 100-200"}));
	EXPECT_EQ(data(200, 100, 300), (Words{"RX_ADD 200-300", "READY"}));
	EXPECT_EQ(data(200, 100, 300), (Words{"drop DUPLICATE"}));
}

TEST_F(Data, response_while_the_request_waits_for_its_turn)
{
	ev.paced = 1;
	send_request(5000);
	EXPECT_EQ(data(0, 100, 300), (Words{"RX_NEW 300", "RANK_CLEAR SEND", "TIMER +5000us",
					    "TX_FLUSH", "RX_ADD 0-100"}));
	EXPECT_EQ(rpc.queued, 0);
}

// Its bytes may be gone when the turn comes.
TEST_F(Data, short_response_while_the_request_waits_for_its_turn)
{
	ev.paced = 1;
	send_request(5000);
	EXPECT_EQ(data(0, 100, 100),
		  (Words{"RX_NEW 100", "RANK_CLEAR SEND", "RX_ADD 0-100", "READY"}));
	EXPECT_EQ(rpc.queued, 0);
}

TEST_F(Data, request_of_several_packets)
{
	EXPECT_EQ(request_new(0, 100, 300),
		  (Words{"KEEP", "RX_NEW 300", "TIMER +5000us", "RX_ADD 0-100"}));
	EXPECT_EQ(data(100, 200, 300), (Words{"RX_ADD 100-300", "RAISE REQUEST_DONE", "READY"}));
}

TEST_F(Data, secure_request_is_not_remembered_here)
{
	ev.secure = 1;
	request_new(0, 100, 300);
	EXPECT_EQ(data(100, 200, 300), (Words{"RX_ADD 100-300", "READY"}));
}

TEST_F(Data, announcement)
{
	params.max_unsched = 0;
	EXPECT_EQ(request_new(0, 0, 300),
		  (Words{"KEEP", "RX_NEW 300", "TIMER +5000us", "RAISE GRANT_SETTLE"}));
}

TEST_F(Data, any_packet_may_be_the_first)
{
	EXPECT_EQ(request_new(200, 100, 300),
		  (Words{"KEEP", "RX_NEW 300", "TIMER +5000us", "RX_ADD 200-300", "RAISE HOLE"}));
	EXPECT_EQ(rpc.gaps, 1);
	EXPECT_EQ(data(0, 100, 300), (Words{"RX_ADD 0-100"}));
	EXPECT_EQ(data(0, 200, 300), (Words{"RX_ADD 100-200", "RAISE REQUEST_DONE", "READY"}));
}

TEST_F(Data, message_that_wants_grants)
{
	EXPECT_EQ(request_new(0, 1000, 50000), (Words{"KEEP", "RX_NEW 50000", "TIMER +5000us",
						      "RX_ADD 0-1000", "RAISE GRANT_SETTLE"}));
	EXPECT_EQ(rpc.rx_granted, 10000U);
}

TEST_F(Data, bad_length)
{
	EXPECT_EQ(request_new(0, 0, 0), (Words{"drop LENGTH"}));
	rpc = {};
	EXPECT_EQ(request_new(0, 100, 1000001), (Words{"drop LENGTH"}));
	rpc = {};
	EXPECT_EQ(request_new(0, 100, 0xffffffff), (Words{"drop LENGTH"}));
	rpc = {};
	ev.secure = 1;
	EXPECT_EQ(request_new(0, 100, 1000001).size(), 5U);
}

TEST_F(Data, bytes_outside_of_the_message)
{
	EXPECT_EQ(request_new(301, 0, 300), (Words{"drop RANGE"}));
	rpc = {};
	EXPECT_EQ(request_new(0, 301, 300), (Words{"drop RANGE"}));
	rpc = {};
	EXPECT_EQ(request_new(300, 0xffffffff, 300), (Words{"drop RANGE"}));
	rpc = {};
	EXPECT_EQ(request_new(0xffffffff, 2, 300), (Words{"drop RANGE"}));
}

TEST_F(Data, bytes_beyond_the_grant)
{
	EXPECT_EQ(request_new(9000, 1001, 50000), (Words{"drop UNGRANTED"}));
	rpc = {};
	request_new(0, 1000, 50000);
	EXPECT_EQ(data(9000, 1001, 50000), (Words{"drop UNGRANTED"}));
	EXPECT_EQ(data(9000, 1000, 50000)[0], "RX_ADD 9000-10000");
}

TEST_F(Data, unscheduled_bytes_are_those_it_says)
{
	wait();
	ev.offset = 0;
	ev.length = 501;
	ev.message_length = 5000;
	ev.incoming = 500;
	EXPECT_EQ(run(PROG_EV_DATA), (Words{"drop UNGRANTED"}));
	EXPECT_EQ(rpc.state, HOMA_OUT) << "a refused packet changes nothing";
	EXPECT_EQ(rpc.rx_length, 0U);
}

TEST_F(Data, unscheduled_bytes_are_no_more_than_anybody_may_send)
{
	wait();
	ev.offset = 10000;
	ev.length = 1;
	ev.message_length = 50000;
	ev.incoming = 0xffffffff;
	EXPECT_EQ(run(PROG_EV_DATA), (Words{"drop UNGRANTED"}));
	ev.offset = 9999;
	EXPECT_EQ(run(PROG_EV_DATA)[3], "RX_ADD 9999-10000");
	EXPECT_EQ(rpc.rx_granted, 10000U);
}

TEST_F(Data, another_length)
{
	wait();
	data(0, 100, 300);
	EXPECT_EQ(data(100, 100, 301), (Words{"drop DISAGREES"}));
	EXPECT_EQ(data(100, 100, 300), (Words{"RX_ADD 100-200"}));
}

TEST_F(Data, overlaps_are_trimmed)
{
	wait();
	data(0, 100, 1000);
	EXPECT_EQ(data(50, 100, 1000), (Words{"RX_ADD 100-150"}));
	EXPECT_EQ(data(0, 100, 1000), (Words{"drop DUPLICATE"}));
	EXPECT_EQ(data(200, 100, 1000), (Words{"RX_ADD 200-300", "RAISE HOLE"}));
	EXPECT_EQ(data(400, 100, 1000), (Words{"RX_ADD 400-500", "RAISE HOLE"}));
	EXPECT_EQ(data(220, 50, 1000), (Words{"drop DUPLICATE"}));
	EXPECT_EQ(data(100, 450, 1000),
		  (Words{"RX_ADD 150-200", "RX_ADD 300-400", "RX_ADD 500-550"}));
	EXPECT_EQ(rpc.gaps, 0);
	EXPECT_EQ(rpc.rx_received, 550U);
}

TEST_F(Data, a_packet_in_the_middle_of_a_gap)
{
	wait();
	data(900, 100, 1000);
	EXPECT_EQ(data(400, 100, 1000), (Words{"RX_ADD 400-500", "RAISE HOLE"}));
	EXPECT_EQ(rpc.gaps, 2);
	EXPECT_EQ(rpc.gap[0].start, 0U);
	EXPECT_EQ(rpc.gap[0].end, 400U);
	EXPECT_EQ(rpc.gap[1].start, 500U);
	EXPECT_EQ(rpc.gap[1].end, 900U);
	EXPECT_EQ(data(0, 400, 1000), (Words{"RX_ADD 0-400"}));
	EXPECT_EQ(data(600, 300, 1000), (Words{"RX_ADD 600-900"}));
	EXPECT_EQ(data(500, 100, 1000), (Words{"RX_ADD 500-600", "READY"}));
}

TEST_F(Data, too_many_gaps)
{
	wait();
	sixteen_gaps();
	EXPECT_EQ(data(400, 10, 10000), (Words{"drop GAPS"}));
	EXPECT_EQ(data(3, 3, 10000), (Words{"drop GAPS"})) << "would split the first";
	EXPECT_EQ(data(303, 3, 10000), (Words{"drop GAPS"})) << "would split the last";
	EXPECT_EQ(data(0, 3, 10000), (Words{"RX_ADD 0-3"}));
	EXPECT_EQ(data(7, 3, 10000), (Words{"RX_ADD 7-10"}));
	EXPECT_EQ(data(320, 10, 10000), (Words{"RX_ADD 320-330"})) << "at the end";
	EXPECT_EQ(data(20, 10, 10000), (Words{"RX_ADD 20-30"}));
	EXPECT_EQ(data(400, 10, 10000), (Words{"RX_ADD 400-410", "RAISE HOLE"})) << "one is free";
}

TEST_F(Data, all_gaps_at_once)
{
	ev.secure = 0;
	request_new(10, 10, 10000);
	sixteen_gaps();
	rpc.asking = 1;
	rpc.held = 1;
	ev.cutoff_version = 0;
	rpc.offered = 0;
	EXPECT_EQ(data(0, 10000, 10000).size(), 22U);
	EXPECT_EQ(rpc.state, HOMA_READY);
}

TEST_F(Data, old_cutoffs_are_answered_once)
{
	ev.cutoff_version = 0;
	EXPECT_EQ(request_new(0, 100, 300),
		  (Words{"KEEP", "RX_NEW 300", "TIMER +5000us", "CUTOFFS", "RX_ADD 0-100"}));
	EXPECT_EQ(data(100, 100, 300), (Words{"RX_ADD 100-200"}));
}

TEST_F(Data, hearing_ends_a_question)
{
	wait();
	data(0, 100, 300);
	rpc.asking = 1;
	rpc.tries = 2;
	now += msec;
	const u64 then = rpc.active;
	EXPECT_EQ(data(0, 100, 300), (Words{"RAISE PEER_ALIVE"})) << "though it is a duplicate";
	EXPECT_EQ(rpc.active, then) << "which is no progress";
	EXPECT_EQ(rpc.tries, 2);
	rpc.asking = 1;
	EXPECT_EQ(data(100, 100, 300), (Words{"RX_ADD 100-200", "TIMER +0us", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(rpc.active, now);
	EXPECT_EQ(rpc.tries, 0);
}

TEST_F(Data, the_longest_chain)
{
	request_new(0, 10, 1000);
	for (u32 i = 1; i <= HOMA_GAPS; i++)
		data(20 * i, 10, 1000);
	ASSERT_EQ(rpc.gaps, HOMA_GAPS);
	rpc.asking = 1;
	rpc.tries = 2;
	rpc.patience = 1;
	rpc.timed = 1;
	rpc.rx_timed = 10;
	rpc.held = 1;
	rpc.offered = 0;
	ev.cutoff_version = 99;
	EXPECT_EQ(data(0, 1000, 1000).size(), 25U);
}

// Secure mode: whoever reads can put other bytes behind a genuine header.
class Injected : public Data {
protected:
	Injected()
	{
		ev.secure = 1;
		ev.payload = 1000;
		ev.record = 4100;
	}
};

TEST_F(Injected, pieces_that_no_sender_makes)
{
	request_new(0, 1000, 9000);
	EXPECT_EQ(data(3000, 1, 9000), (Words{"drop TINY"}));
	EXPECT_EQ(data(3000, 499, 9000), (Words{"drop TINY"}));
	EXPECT_EQ(data(3000, 500, 9000), (Words{"RX_ADD 3000-3500", "RAISE HOLE"}));
	EXPECT_EQ(rpc.gaps, 1);
}

TEST_F(Injected, pieces_where_something_ends)
{
	request_new(0, 1000, 9000);
	EXPECT_EQ(data(4000, 100, 9000), (Words{"RX_ADD 4000-4100", "RAISE HOLE"})) << "a record";
	EXPECT_EQ(data(8100, 100, 9000), (Words{"RX_ADD 8100-8200", "RAISE HOLE"})) << "another";
	EXPECT_EQ(data(8900, 100, 9000), (Words{"RX_ADD 8900-9000", "RAISE HOLE"}))
		<< "the message";
	EXPECT_EQ(data(3900, 100, 9000), (Words{"RX_ADD 3900-4000"})) << "a gap";
	EXPECT_EQ(data(3700, 100, 9000), (Words{"drop TINY"}));
	ev.record = 0;
	EXPECT_EQ(data(4910, 10, 9000), (Words{"drop TINY"}));
	ev.offset = 4910;
	ev.length = 10;
	ev.incoming = 4920;
	EXPECT_EQ(run(PROG_EV_DATA), (Words{"RX_ADD 4910-4920", "RAISE HOLE"})) << "a segment";
}

// A window that is no number of packets: what answers the question ends with a
// short one.
TEST_F(Injected, pieces_where_the_part_asked_for_ends)
{
	peer.window = 2100;
	request_new(0, 1000, 9000);
	data(8000, 1000, 9000);
	EXPECT_EQ(timeout(msec)[0], "RESEND 1000+2100");
	EXPECT_EQ(data(3000, 90, 9000), (Words{"drop TINY"}));
	EXPECT_EQ(data(3000, 100, 9000), (Words{"RX_ADD 3000-3100", "RAISE HOLE"}))
		<< "there is more to ask for";
}

TEST_F(Injected, a_piece_behind_genuine_packets_costs_only_itself)
{
	// As one packet: merged on its way.
	request_new(0, 1000, 9000);
	EXPECT_EQ(data(1000, 2001, 9000), (Words{"RX_ADD 1000-3000"}));
}

TEST_F(Injected, a_piece_comes_first)
{
	EXPECT_EQ(request_new(10, 1, 9000), (Words{"KEEP", "RX_NEW 9000", "TIMER +5000us"}))
		<< "as an announcement";
	EXPECT_EQ(rpc.rx_received, 0U);
	EXPECT_EQ(rpc.gaps, 0);
}

TEST_F(Injected, authenticated_packets_have_any_length)
{
	request_new(0, 1000, 9000);
	ev.auth = 1;
	EXPECT_EQ(data(3000, 1, 9000), (Words{"RX_ADD 3000-3001", "RAISE HOLE"}));
}

TEST_F(Injected, who_does_not_say_sends_any_length)
{
	request_new(0, 1000, 9000);
	ev.payload = 0;
	EXPECT_EQ(data(3000, 1, 9000), (Words{"RX_ADD 3000-3001", "RAISE HOLE"}));
}

TEST_F(Injected, nothing_new_is_no_sign_of_life)
{
	request_new(0, 1000, 9000);
	data(2000, 1000, 9000);
	data(4000, 1000, 9000);
	rpc.gap_auth = 2;
	rpc.asking = 1;
	rpc.tries = 2;
	const u64 then = now;
	now += msec;
	EXPECT_EQ(data(0, 1000, 9000), (Words{"drop UNAUTHENTICATED"}));
	EXPECT_EQ(data(3000, 1000, 9000), (Words{"drop UNAUTHENTICATED"}));
	EXPECT_EQ(data(5400, 0, 9000), (Words{"drop UNAUTHENTICATED"}));
	EXPECT_EQ(data(1900, 100, 9000), (Words{"RX_ADD 1900-2000"})) << "a gap's last bytes";
	EXPECT_EQ(rpc.active, then);
	EXPECT_EQ(rpc.tries, 2);
	EXPECT_EQ(data(1000, 500, 9000),
		  (Words{"RX_ADD 1000-1500", "TIMER +0us", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(rpc.active, now);
}

TEST_F(Injected, what_is_authentic_is_a_sign_of_life)
{
	request_new(0, 1000, 9000);
	data(2000, 1000, 9000);
	rpc.gap_auth = 1;
	rpc.asking = 1;
	const u64 then = now;
	now += msec;
	ev.auth = 1;
	EXPECT_EQ(data(0, 1000, 9000), (Words{"RAISE PEER_ALIVE"})) << "even a duplicate";
	EXPECT_EQ(rpc.active, then) << "which is no progress";
	EXPECT_EQ(data(0, 1000, 9000), (Words{"drop DUPLICATE"})) << "nobody asks any more";
	rpc.asking = 1;
	EXPECT_EQ(data(1000, 1, 9000), (Words{"RX_ADD 1000-1001", "RAISE PEER_ALIVE"}))
		<< "however little";
	EXPECT_EQ(rpc.active, now);
}

TEST_F(Injected, the_end_of_a_message_is_a_sign_of_life)
{
	request_new(0, 1000, 9000);
	now += msec;
	EXPECT_EQ(data(8900, 100, 9000), (Words{"RX_ADD 8900-9000", "RAISE HOLE"}));
	EXPECT_EQ(rpc.active, now);
}

// An injector uses all gaps up: what is missing is asked for even so, and what
// comes in order finds its place.
TEST_F(Injected, gaps_used_up)
{
	params.max_unsched = 100000;
	request_new(0, 1000, 80000);
	for (u32 i = 0; i < HOMA_GAPS; i++)
		data(3000 + i * 4000, 1000, 80000);
	ASSERT_EQ(rpc.gaps, HOMA_GAPS);
	const u64 then = now;
	now += 4 * msec;
	EXPECT_EQ(data(9000, 1000, 80000), (Words{"drop GAPS"}));
	EXPECT_EQ(rpc.active, then) << "that was no sign of life";
	Words asked = timeout(8 * msec);
	asked.pop_back();
	EXPECT_EQ(asked, (Words{"RESEND 1000+2000", "RESEND 4000+3000", "RESEND 8000+3000"}))
		<< "a window of them";
	EXPECT_EQ(rpc.tries, 1) << "after silence since the last that was taken";
	EXPECT_EQ(data(1000, 1000, 80000), (Words{"RX_ADD 1000-2000", "RAISE PEER_ALIVE"}));
	EXPECT_EQ(data(2000, 1000, 80000), (Words{"RX_ADD 2000-3000"}));
	EXPECT_EQ(data(9000, 1000, 80000), (Words{"RX_ADD 9000-10000", "RAISE HOLE"}));
}

TEST_F(Data, grants_hear_of_progress)
{
	wait();
	data(0, 1000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(data(1000, 900, 50000), (Words{"RX_ADD 1000-1900"}));
	EXPECT_EQ(data(1900, 1100, 50000), (Words{"RX_ADD 1900-3000", "RAISE GRANT_SETTLE"}))
		<< "a quarter of the window";
	run(PROG_EV_GRANT_SETTLE);
	data(3000, 6000, 50000);
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(data(9000, 1000, 50000), (Words{"RX_ADD 9000-10000", "RAISE GRANT_SETTLE"}))
		<< "all that was granted";
}

TEST_F(Data, complete_gives_back_what_it_held)
{
	wait();
	data(0, 10000, 10100);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	EXPECT_EQ(rpc.held, 100U);
	EXPECT_EQ(data(10000, 100, 10100),
		  (Words{"RX_ADD 10000-10100", "RAISE PATH", "RAISE GRANT_SETTLE", "READY"}));
	run(PROG_EV_GRANT_SETTLE);
	EXPECT_EQ(host.held[0], 0U);
}

TEST_F(Data, all_is_granted_and_arrives)
{
	wait();
	data(0, 10000, 16000);
	run(PROG_EV_GRANT_SETTLE);
	turn(0, 1);
	EXPECT_EQ(rpc.ranked, 0);
	EXPECT_EQ(rpc.held, 6000U);
	EXPECT_EQ(data(10000, 1000, 16000), (Words{"RX_ADD 10000-11000", "RAISE PATH"}));
	run(PROG_EV_PATH);
	EXPECT_EQ(data(11000, 1500, 16000), (Words{"RX_ADD 11000-12500", "RAISE GRANT_SETTLE"}));
	EXPECT_EQ(run(PROG_EV_GRANT_SETTLE), Words{});
	EXPECT_EQ(host.held[0], 3500U);
}

class Client : public Chain {
protected:
	Words fresh(u64 number)
	{
		rpc = {};
		ev.id = number * 2;
		return request_new(0, 100, 100);
	}
};

TEST_F(Client, a_request_is_received_once)
{
	EXPECT_EQ(fresh(5).size(), 4U);
	EXPECT_EQ(fresh(5), (Words{"drop EXECUTED"}));
	EXPECT_EQ(fresh(6).size(), 4U);
	EXPECT_EQ(fresh(4).size(), 4U) << "an earlier one that comes later";
	EXPECT_EQ(fresh(4), (Words{"drop EXECUTED"}));
	EXPECT_EQ(fresh(6), (Words{"drop EXECUTED"}));
}

TEST_F(Client, the_first_id_of_all)
{
	EXPECT_EQ(fresh(0).size(), 4U);
	EXPECT_EQ(fresh(0), (Words{"drop EXECUTED"}));
}

TEST_F(Client, part_of_a_request_may_come_again)
{
	ev.id = 10;
	request_new(0, 100, 300);
	rpc = {};
	EXPECT_EQ(request_new(0, 100, 300).size(), 4U);
	data(100, 200, 300);
	EXPECT_EQ(run(PROG_EV_REQUEST_DONE), Words{});
	rpc = {};
	EXPECT_EQ(request_new(0, 100, 300), (Words{"drop EXECUTED"}));
}

// Whatever else has been answered meanwhile: the memory is a set, not an order.
TEST_F(Client, one_lost_among_many)
{
	for (u64 number = 0; number < PROG_CLIENT_NUMBERS; number++) {
		if (number != 77) {
			EXPECT_EQ(fresh(number).size(), 4U) << number;
		}
	}
	EXPECT_EQ(fresh(77).size(), 4U) << "the lost one";
	for (u64 number = 0; number < PROG_CLIENT_NUMBERS; number++)
		EXPECT_EQ(fresh(number), (Words{"drop EXECUTED"})) << number;
}

TEST_F(Client, a_restarted_client_is_heard_after_a_while)
{
	fresh(900);
	now += 3999 * msec;
	EXPECT_EQ(fresh(1).size(), 4U);
	now += 3999 * msec;
	EXPECT_EQ(fresh(900), (Words{"drop EXECUTED"}));
	now += 4000 * msec;
	EXPECT_EQ(fresh(900).size(), 4U) << "as if for the first time";
	EXPECT_EQ(fresh(1).size(), 4U) << "what went before is forgotten";
	EXPECT_EQ(fresh(900), (Words{"drop EXECUTED"}));
}

TEST_F(Client, a_patient_peer_is_remembered_for_longer)
{
	params.dead_ns = 10000 * msec;
	fresh(1);
	now += 9999 * msec;
	EXPECT_EQ(fresh(1), (Words{"drop EXECUTED"}));
	now += 10000 * msec;
	EXPECT_EQ(fresh(1).size(), 4U);
}

// A client that goes on asking is refused for as long as ours would ask.
TEST_F(Client, a_client_that_asks_is_not_forgotten)
{
	fresh(1);
	for (u32 tries = 0; tries < HOMA_RESTARTS - 1; tries++) {
		now += 1000 * msec;
		EXPECT_EQ(fresh(1), (Words{"drop EXECUTED"}));
	}
	now += 1000 * msec;
	EXPECT_EQ(fresh(1).size(), 4U) << "it has restarted, and counts as before";
}

TEST_F(Client, a_busy_client_is_not_forgotten)
{
	fresh(1);
	now += 2500 * msec;
	fresh(2);
	now += 2500 * msec;
	EXPECT_EQ(fresh(1), (Words{"drop EXECUTED"}));
	EXPECT_EQ(fresh(2), (Words{"drop EXECUTED"}));
}

TEST_F(Client, a_late_copy_of_a_long_request)
{
	ev.prio = 0;
	fresh(7);
	run(PROG_EV_DELIVERED);
	now += 1000 * msec;
	respond(50);
	EXPECT_EQ(run(PROG_EV_ACK), (Words{"RAISE REQUEST_DONE", "END"}));
	run(PROG_EV_REQUEST_DONE);
	now += 3500 * msec;
	EXPECT_EQ(fresh(7), (Words{"drop EXECUTED"}));
}
