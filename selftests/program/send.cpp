// SPDX-License-Identifier: Apache-2.0
// Sending a message: SEND_REQUEST, SEND_RESPONSE, READY_MORE, GRANT, SEND_TURN.
#include "chain.hpp"

class Send : public Chain {};

TEST_F(Send, request_goes_out_unscheduled)
{
	ev.prio = 5;
	EXPECT_EQ(send_request(100), (Words{"TIMER +5000us", "TX_DATA 0-100 prio 5"}));
	EXPECT_EQ(rpc.state, HOMA_OUT);
}

TEST_F(Send, only_unscheduled_bytes_without_grant)
{
	EXPECT_EQ(send_request(10001), (Words{"TIMER +5000us", "TX_DATA 0-10000 prio 0"}));
	EXPECT_EQ(out.insn[1].c, 10000U);
}

TEST_F(Send, without_unscheduled_bytes_it_is_announced)
{
	params.unsched_bytes = 0;
	EXPECT_EQ(send_request(500), (Words{"TIMER +5000us", "TX_DATA 0-0 prio 0"}));
	EXPECT_EQ(grant(500, 2), (Words{"TIMER +10000us", "TX_DATA 0-500 prio 2"}));
}

TEST_F(Send, unscheduled_bytes_are_whole_quanta)
{
	params.quantum = 4096;
	EXPECT_EQ(send_request(50000), (Words{"TIMER +5000us", "TX_DATA 0-12288 prio 0"}));
	rpc = {};
	params.unsched_bytes = 8192;
	EXPECT_EQ(send_request(50000), (Words{"TIMER +5000us", "TX_DATA 0-8192 prio 0"}));
	rpc = {};
	params.unsched_bytes = 3000;
	EXPECT_EQ(send_request(50000)[1], "TX_DATA 0-3000 prio 0") << "if there are as many";
	rpc = {};
	params.quantum = 0;
	EXPECT_EQ(send_request(50000)[1], "TX_DATA 0-3000 prio 0");
	rpc = {};
	ev.unsched = 5000;
	EXPECT_EQ(send_request(50000)[1], "TX_DATA 0-3000 prio 0") << "no more than settings say";
	rpc = {};
	ev.record = 2000;
	EXPECT_EQ(send_request(50000)[1], "TX_DATA 0-4000 prio 0") << "whole records, always";
}

TEST_F(Send, empty_request)
{
	EXPECT_EQ(send_request(0), (Words{"refuse 22"}));
}

TEST_F(Send, longest_request)
{
	EXPECT_EQ(send_request(1000000).size(), 2U);
	rpc = {};
	EXPECT_EQ(send_request(1000001), (Words{"refuse 90"}));
	ev.secure = 1;
	EXPECT_EQ(send_request(1000001).size(), 2U);
}

TEST_F(Send, priority_is_kept_in_range)
{
	ev.prio = 200;
	EXPECT_EQ(send_request(100)[1], "TX_DATA 0-100 prio 7");
	EXPECT_EQ(rpc.tx_prio, 7);
}

TEST_F(Send, no_more_than_is_sealed)
{
	ev.secure = 1;
	ev.message_length = 9000;
	ev.length = 0;
	EXPECT_EQ(run(PROG_EV_SEND_REQUEST), (Words{"TIMER +5000us"}));
	ev.length = 4000;
	EXPECT_EQ(run(PROG_EV_READY_MORE), (Words{"TX_DATA 0-4000 prio 0"}));
	ev.length = 3000;
	EXPECT_EQ(run(PROG_EV_READY_MORE), Words{});
	EXPECT_EQ(rpc.tx_ready, 4000U) << "never less";
	ev.length = 99999;
	EXPECT_EQ(run(PROG_EV_READY_MORE), (Words{"TX_DATA 4000-9000 prio 0"}));
}

TEST_F(Send, more_ready_than_the_message_has)
{
	ev.message_length = 100;
	ev.length = 300;
	EXPECT_EQ(run(PROG_EV_SEND_REQUEST)[1], "TX_DATA 0-100 prio 0");
}

TEST_F(Send, sealed_after_the_end_is_not_sent)
{
	send_request(100);
	rpc.tx_ready = 50;
	rpc.tx_sent = 50;
	rpc.state = HOMA_IN;
	ev.length = 100;
	EXPECT_EQ(run(PROG_EV_READY_MORE), Words{});
}

TEST_F(Send, grant_lets_more_go)
{
	send_request(30000);
	EXPECT_EQ(grant(18000, 3), (Words{"TX_DATA 10000-18000 prio 3"}));
	EXPECT_EQ(out.insn[0].c, 18000U);
}

TEST_F(Send, stale_grant)
{
	send_request(30000);
	grant(18000, 3);
	EXPECT_EQ(grant(18000, 3), Words{});
	EXPECT_EQ(grant(9, 3), Words{});
	EXPECT_EQ(rpc.tx_granted, 18000U);
}

TEST_F(Send, grant_beyond_the_message)
{
	send_request(30000);
	EXPECT_EQ(grant(0xffffffff, 255), (Words{"TIMER +22800us", "TX_DATA 10000-30000 prio 7"}));
	EXPECT_EQ(rpc.tx_granted, 30000U);
}

TEST_F(Send, grant_to_send_all_again)
{
	send_request(30000);
	grant(20000, 1);
	ev.resend_all = 1;
	EXPECT_EQ(grant(22000, 1),
		  (Words{"TX_DATA 0-20000 prio 0 again", "TX_DATA 20000-22000 prio 1"}));
	ev.resend_all = 1;
	EXPECT_EQ(grant(22000, 1), (Words{"TX_DATA 0-2000 prio 0 again"})) << "bounded";
	EXPECT_EQ(grant(22000, 1), Words{});
}

TEST_F(Send, grant_in_a_wrong_state)
{
	serve();
	EXPECT_EQ(grant(500, 1), (Words{"drop STATE"}));
}

TEST_F(Send, grant_answers_a_question)
{
	send_request(30000);
	rpc.asking = 1;
	rpc.tries = 3;
	EXPECT_EQ(grant(18000, 3),
		  (Words{"TIMER +0us", "RAISE PEER_ALIVE", "TX_DATA 10000-18000 prio 3"}));
	EXPECT_EQ(rpc.tries, 0);
}

TEST_F(Send, response)
{
	serve();
	EXPECT_EQ(respond(100), (Words{"TIMER +1000000us", "TX_DATA 0-100 prio 0"}));
	EXPECT_EQ(rpc.state, HOMA_REPLY);
	EXPECT_EQ(respond(100), (Words{"refuse 22"})) << "one response per request";
}

// While there is memory, the client's next request acknowledges it.
TEST_F(Send, response_where_memory_is_scarce)
{
	serve();
	ev.scarce = 1;
	EXPECT_EQ(respond(100)[0], "TIMER +5000us");
}

TEST_F(Send, response_that_is_asked_for_even_later)
{
	params.need_ack_ns = 3000 * msec;
	serve();
	EXPECT_EQ(respond(100)[0], "TIMER +3000000us");
}

TEST_F(Send, response_that_waits_for_a_grant)
{
	params.unsched_bytes = 1000;
	params.quantum = 0;
	serve();
	EXPECT_EQ(respond(1001)[0], "TIMER +5000us");
	rpc = {};
	ev.id += 2;
	serve();
	EXPECT_EQ(respond(1000)[0], "TIMER +1000000us");
}

TEST_F(Send, response_to_what_was_not_taken)
{
	request_new(0, 100, 100);
	EXPECT_EQ(respond(100), (Words{"refuse 22"}));
}

TEST_F(Send, response_of_bad_length)
{
	serve();
	EXPECT_EQ(respond(0), (Words{"refuse 22"}));
	EXPECT_EQ(respond(1000001), (Words{"refuse 90"}));
	EXPECT_EQ(rpc.state, HOMA_SERVICE);
	EXPECT_EQ(respond(1000000).size(), 2U);
}

TEST_F(Send, secure_response_may_be_longer)
{
	ev.secure = 1;
	serve();
	ev.secure = 1;
	EXPECT_EQ(respond(1000001).size(), 2U);
}

TEST_F(Send, paced_waits_for_its_turn)
{
	ev.paced = 1;
	EXPECT_EQ(send_request(9000), (Words{"TIMER +5000us", "RANK SEND 9000"}));
	ev.length = 9000;
	EXPECT_EQ(run(PROG_EV_READY_MORE), Words{}) << "is in the rank already";
	ev.length = 3000;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), (Words{"TX_DATA 0-3000 prio 0", "RANK SEND 6000"}));
	ev.length = 0;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), Words{});
	ev.length = 100000;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), (Words{"TX_DATA 3000-9000 prio 0", "RANK_CLEAR SEND"}));
	EXPECT_EQ(run(PROG_EV_SEND_TURN), Words{}) << "stale";
}

TEST_F(Send, turn_ends_at_the_grant)
{
	ev.paced = 1;
	EXPECT_EQ(send_request(50000)[1], "RANK SEND 50000");
	ev.length = 30000;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), (Words{"TX_DATA 0-10000 prio 0", "RANK_CLEAR SEND"}));
	EXPECT_EQ(grant(18000, 1), (Words{"RANK SEND 40000"}));
}

TEST_F(Send, short_message_is_not_paced)
{
	ev.paced = 1;
	EXPECT_EQ(send_request(params.pace_bytes)[1], "TX_DATA 0-1500 prio 0");
	rpc = {};
	EXPECT_EQ(send_request(params.pace_bytes + 1)[1], "RANK SEND 1501");
}

TEST_F(Send, turn_with_nothing_to_send)
{
	params.unsched_bytes = 0;
	ev.paced = 1;
	send_request(5000);
	grant(5000, 0);
	rpc.tx_granted = 0;
	ev.length = 3000;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), (Words{"RANK_CLEAR SEND"}));
}
