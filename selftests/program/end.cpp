// SPDX-License-Identifier: Apache-2.0
// How RPCs end: DELIVERED, acknowledgements, ABORT, errors; secure mode's
// VERIFIED and RECORD_BAD; packets without an RPC; CUTOFFS.
#include "chain.hpp"

class End : public Chain {};

TEST_F(End, request_is_taken)
{
	request_new(0, 100, 100);
	EXPECT_EQ(run(PROG_EV_DELIVERED), Words{});
	EXPECT_EQ(rpc.state, HOMA_SERVICE);
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"refuse 22"}));
}

TEST_F(End, response_is_taken)
{
	send_request(100);
	data(0, 100, 100);
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"RAISE ACK_LATER", "END"}));
}

TEST_F(End, response_that_is_acknowledged_at_once)
{
	send_request(100);
	data(0, 100, 100);
	ev.ack_now = 1;
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"ACK", "END"}));
	EXPECT_EQ(peer.acks, 0);
}

TEST_F(End, secure_response_is_taken_when_verified)
{
	ev.secure = 1;
	send_request(100);
	data(0, 100, 100);
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"refuse 22"}));
	EXPECT_EQ(run(PROG_EV_VERIFIED), Words{});
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"RAISE ACK_LATER", "END"}));
}

TEST_F(End, secure_messages_that_are_taken_as_they_verify)
{
	ev.secure = 1;
	send_request(100);
	data(0, 100, 100);
	ev.verified = 1;
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"RAISE ACK_LATER", "END"}));
}

TEST_F(End, failure_is_taken)
{
	send_request(100);
	ev.error = 7;
	run(PROG_EV_ABORT);
	EXPECT_EQ(run(PROG_EV_ABORT), Words{}) << "has failed already";
	EXPECT_EQ(run(PROG_EV_DELIVERED), (Words{"END"})) << "without an acknowledgement";
}

TEST_F(End, abort)
{
	ev.paced = 1;
	send_request(5000);
	ev.error = 7;
	EXPECT_EQ(run(PROG_EV_ABORT),
		  (Words{"TIMER_CANCEL", "RANK_CLEAR SEND", "TX_FLUSH", "FAILED 7"}));
}

TEST_F(End, forget)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"END"}));
	EXPECT_EQ(rpc.state, HOMA_OVER);
}

TEST_F(End, abort_at_the_server)
{
	serve();
	ev.error = 7;
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"END"}));
}

TEST_F(End, long_request_is_remembered_from_its_end)
{
	serve();
	now += 999 * msec;
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"END"}));
	rpc.state = HOMA_READY;
	now += msec;
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"RAISE REQUEST_DONE", "END"}));
	rpc.state = HOMA_IN;
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"END"})) << "was not executed";
	rpc.state = HOMA_SERVICE;
	rpc.secure = 1;
	EXPECT_EQ(run(PROG_EV_ABORT), (Words{"END"})) << "the replay window remembers";
}

TEST_F(End, icmp_error)
{
	send_request(100);
	ev.error = 107;
	EXPECT_EQ(run(PROG_EV_ICMP_ERROR)[2], "FAILED 107");
	EXPECT_EQ(run(PROG_EV_ICMP_ERROR), (Words{"drop STATE"}));
}

TEST_F(End, icmp_error_in_mid_response)
{
	send_request(100);
	data(0, 50, 100);
	ev.error = 107;
	EXPECT_EQ(run(PROG_EV_ICMP_ERROR)[2], "FAILED 107");
}

TEST_F(End, icmp_error_is_a_hint_in_secure_mode)
{
	ev.secure = 1;
	send_request(100);
	EXPECT_EQ(run(PROG_EV_ICMP_ERROR), (Words{"drop STATE"}));
}

TEST_F(End, abort_packet)
{
	ev.secure = 1;
	send_request(100);
	ev.error = 74;
	EXPECT_EQ(run(PROG_EV_ABORT_PACKET)[2], "FAILED 74");
	EXPECT_EQ(run(PROG_EV_ABORT_PACKET), (Words{"drop STATE"}));
}

TEST_F(End, abort_packet_without_a_sensible_reason)
{
	for (const s32 reason : {0, -5, 4096}) {
		rpc = {};
		ev.secure = 1;
		send_request(100);
		ev.error = reason;
		EXPECT_EQ(run(PROG_EV_ABORT_PACKET)[2], "FAILED 74");
	}
}

TEST_F(End, no_abort_packet_in_clear_mode)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_ABORT_PACKET), (Words{"drop STATE"}));
}

class Ack : public Chain {};

TEST_F(Ack, rides_later)
{
	for (u64 id = 2; id <= 10; id += 2) {
		ev.id = id;
		EXPECT_EQ(run(PROG_EV_ACK_LATER), Words{});
	}
	ev.length = 1;
	EXPECT_EQ(run(PROG_EV_TAKE_ACKS), (Words{"ack 10:99"}));
	ev.length = 5;
	EXPECT_EQ(run(PROG_EV_TAKE_ACKS), (Words{"ack 8:99", "ack 6:99", "ack 4:99", "ack 2:99"}));
	EXPECT_EQ(run(PROG_EV_TAKE_ACKS), Words{});
}

TEST_F(Ack, too_many_wait)
{
	for (u64 id = 2; id <= 10; id += 2) {
		ev.id = id;
		run(PROG_EV_ACK_LATER);
	}
	ev.id = 12;
	EXPECT_EQ(run(PROG_EV_ACK_LATER),
		  (Words{"ACK", "ack 10:99", "ack 8:99", "ack 6:99", "ack 4:99", "ack 2:99"}))
		<< "the packet itself acknowledges 12";
	EXPECT_EQ(peer.acks, 0);
}

TEST_F(Ack, ends_the_server)
{
	serve();
	EXPECT_EQ(run(PROG_EV_ACK), (Words{"drop STATE"}));
	respond(100);
	EXPECT_EQ(run(PROG_EV_ACK), (Words{"END"}));
}

TEST_F(Ack, at_the_client)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_ACK), (Words{"drop ROLE"}));
}

TEST_F(Ack, needed)
{
	send_request(100);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"BUSY"}));
	data(0, 50, 100);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"BUSY"}));
	data(50, 50, 100);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"ACK"}));
}

// Others' questions have gone first. The response is late: now it is our turn.
TEST_F(Ack, needed_by_one_that_was_put_off)
{
	send_request(100);
	rpc.put_off = 3;
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"TIMER +0us", "BUSY"}));
	data(0, 50, 100);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"BUSY"})) << "it has begun";
}

TEST_F(Ack, needed_after_a_failure)
{
	send_request(100);
	ev.error = 7;
	run(PROG_EV_ABORT);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"ACK"}));
}

TEST_F(Ack, needed_before_it_is_verified)
{
	ev.secure = 1;
	send_request(100);
	data(0, 100, 100);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"BUSY"}));
	run(PROG_EV_VERIFIED);
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"ACK"}));
}

TEST_F(Ack, needed_at_the_server)
{
	serve();
	EXPECT_EQ(run(PROG_EV_NEED_ACK), (Words{"drop ROLE"}));
}

class Sealed : public Chain {
protected:
	Sealed() { ev.secure = 1; }

	Words bad(u32 offset, u32 length)
	{
		ev.offset = offset;
		ev.length = length;
		return run(PROG_EV_RECORD_BAD);
	}

	void complete()
	{
		send_request(100);
		data(0, 5000, 5000);
		ASSERT_EQ(rpc.state, HOMA_READY);
	}
};

TEST_F(Sealed, verified)
{
	EXPECT_EQ(run(PROG_EV_VERIFIED), (Words{"refuse 22"}));
	complete();
	EXPECT_EQ(run(PROG_EV_VERIFIED), Words{});
	EXPECT_EQ(bad(0, 100), (Words{"refuse 22"})) << "it has opened";
}

TEST_F(Sealed, nothing_to_verify_in_clear_mode)
{
	ev.secure = 0;
	complete();
	EXPECT_EQ(run(PROG_EV_VERIFIED), (Words{"refuse 22"}));
	EXPECT_EQ(bad(0, 100), (Words{"refuse 22"}));
}

TEST_F(Sealed, bad_record_is_asked_for_in_authenticated_form)
{
	complete();
	EXPECT_EQ(bad(1000, 1000),
		  (Words{"RX_FLUSH 1000-2000", "RESEND 1000+1000 auth", "TIMER +5000us"}));
	EXPECT_EQ(rpc.state, HOMA_IN);
	EXPECT_EQ(data(1000, 1000, 5000), (Words{"drop UNAUTHENTICATED"}));
	ev.auth = 1;
	EXPECT_EQ(data(1000, 500, 5000), (Words{"RX_ADD 1000-1500"}));
	EXPECT_EQ(data(1000, 500, 5000), (Words{"drop DUPLICATE"}));
	ev.auth = 0;
	EXPECT_EQ(data(1500, 500, 5000), (Words{"drop UNAUTHENTICATED"}));
	EXPECT_EQ(timeout(5 * msec), (Words{"RESEND 1500+500 auth", "TIMER +4995us"}));
	ev.auth = 1;
	EXPECT_EQ(data(1500, 500, 5000), (Words{"RX_ADD 1500-2000", "RAISE PEER_ALIVE", "READY"}));
}

TEST_F(Sealed, bad_record_at_a_server)
{
	request_new(0, 2000, 2000);
	EXPECT_EQ(bad(0, 1000)[1], "RESEND 0+1000 auth");
	ev.auth = 1;
	EXPECT_EQ(data(0, 1000, 2000), (Words{"RX_ADD 0-1000", "READY"}));
}

TEST_F(Sealed, several_bad_records)
{
	complete();
	bad(2000, 1000);
	bad(4000, 1000);
	bad(0, 1000);
	EXPECT_EQ(rpc.gaps, 3);
	EXPECT_EQ(rpc.gap[0].end, 1000U);
	EXPECT_EQ(rpc.gap[1].start, 2000U);
	EXPECT_EQ(rpc.gap[2].start, 4000U);
	EXPECT_EQ(rpc.gap_auth, 7);
	ev.auth = 1;
	EXPECT_EQ(data(0, 5000, 5000),
		  (Words{"RX_ADD 0-1000", "RX_ADD 2000-3000", "RX_ADD 4000-5000", "READY"}));
}

TEST_F(Sealed, bad_beside_merely_missing)
{
	send_request(100);
	data(0, 1000, 5000);
	data(2000, 1000, 5000);
	bad(0, 500);
	EXPECT_EQ(rpc.gap_auth, 1);
	EXPECT_EQ(data(0, 3000, 5000), (Words{"RX_ADD 1000-2000"}));
	EXPECT_EQ(rpc.gap_auth, 1);
	EXPECT_EQ(data(4000, 1000, 5000), (Words{"RX_ADD 4000-5000", "RAISE HOLE"}));
	EXPECT_EQ(rpc.gap_auth, 1) << "the new gap needs no authentication";
	EXPECT_EQ(data(3000, 1000, 5000), (Words{"RX_ADD 3000-4000"}));
}

// What has verified is not given up for the bookkeeping of what has not.
TEST_F(Sealed, more_bad_records_than_gaps)
{
	complete();
	for (u32 i = 0; i < HOMA_GAPS; i++)
		bad(i * 300, 100);
	EXPECT_EQ(rpc.gaps, HOMA_GAPS);
	EXPECT_EQ(rpc.gap_auth, 0xffff);
	EXPECT_EQ(bad(4900, 100), (Words{"drop GAPS"}));
	EXPECT_EQ(rpc.rx_received, 5000U - HOMA_GAPS * 100);
	ev.auth = 1;
	data(0, 100, 5000);
	EXPECT_EQ(bad(4900, 100),
		  (Words{"RX_FLUSH 4900-5000", "RESEND 4900+100 auth", "TIMER +5000us"}));
	EXPECT_EQ(rpc.gaps, HOMA_GAPS);
	EXPECT_EQ(rpc.gap_auth, 0xffff);
}

TEST_F(Sealed, bad_ranges)
{
	complete();
	EXPECT_EQ(bad(0, 0), (Words{"refuse 22"}));
	EXPECT_EQ(bad(4900, 101), (Words{"refuse 22"}));
	EXPECT_EQ(bad(1, 0xffffffff), (Words{"refuse 22"}));
	bad(1000, 1000);
	EXPECT_EQ(bad(1500, 1000), (Words{"refuse 22"})) << "part of it is missing";
	EXPECT_EQ(bad(500, 501), (Words{"refuse 22"}));
	EXPECT_EQ(bad(500, 500)[0], "RX_FLUSH 500-1000");
	EXPECT_EQ(bad(2000, 500)[0], "RX_FLUSH 2000-2500");
	rpc.state = HOMA_FAILED;
	EXPECT_EQ(bad(3000, 500), (Words{"refuse 22"}));
}

TEST_F(Sealed, bad_for_good)
{
	complete();
	ev.final = 1;
	EXPECT_EQ(bad(1000, 1000), (Words{"ABORT 74", "TIMER_CANCEL", "TX_FLUSH", "FAILED 74"}));
}

TEST_F(Sealed, bad_for_good_at_a_server)
{
	request_new(0, 2000, 2000);
	ev.final = 1;
	EXPECT_EQ(bad(1000, 1000), (Words{"ABORT 74", "END"}));
}

class Stray : public Chain {};

TEST_F(Stray, questions_are_answered)
{
	EXPECT_EQ(run(PROG_EV_STRAY_RESEND), (Words{"RPC_UNKNOWN"}));
	ev.before = 1;
	EXPECT_EQ(run(PROG_EV_STRAY_RESEND), (Words{"RPC_UNKNOWN before"}));
	EXPECT_EQ(run(PROG_EV_STRAY_NEED_ACK), (Words{"ACK"}));
}

TEST_F(Stray, an_answer_takes_others_along)
{
	ev.id = 2;
	run(PROG_EV_ACK_LATER);
	ev.id = 4;
	run(PROG_EV_ACK_LATER);
	EXPECT_EQ(run(PROG_EV_STRAY_NEED_ACK), (Words{"ACK", "ack 4:99", "ack 2:99"}));
}

TEST_F(Stray, all_else_is_dropped)
{
	for (const u32 kind : {PROG_EV_STRAY_DATA, PROG_EV_STRAY_GRANT, PROG_EV_STRAY_UNKNOWN,
			       PROG_EV_STRAY_BUSY, PROG_EV_STRAY_ACK})
		EXPECT_EQ(run(kind), (Words{"drop UNKNOWN"})) << prog_event_name(kind);
}

TEST_F(Stray, a_request_for_which_there_is_no_memory)
{
	EXPECT_EQ(run(PROG_EV_REQUEST_REFUSED), (Words{"BUSY"}));
}

class Tables : public Chain {};

TEST_F(Tables, cutoffs_choose_the_priority)
{
	EXPECT_EQ(prog_peer_prio(&peer, &params, 100), 6U) << "before they are known";
	const u32 cutoffs[PROG_PRIOS] = {0x7fffffff, 0, 0, 0, 1000000, 15000, 2800, 200};
	std::copy(std::begin(cutoffs), std::end(cutoffs), ev.cutoffs);
	ev.cutoff_version = 3;
	EXPECT_EQ(run(PROG_EV_CUTOFFS), Words{});
	EXPECT_EQ(prog_peer_cutoff_version(&peer), 3U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 1), 7U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 200), 7U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 201), 6U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 2800), 6U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 15000), 5U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 1000000), 4U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 1000001), 0U);
	EXPECT_EQ(prog_peer_prio(&peer, &params, 0xffffffff), 0U) << "entry 0 covers all";
	params.prios = 2;
	EXPECT_EQ(prog_peer_prio(&peer, &params, 100), 0U) << "no more levels than there are";
	peer.cutoff_version = 0;
	EXPECT_EQ(prog_peer_prio(&peer, &params, 100), 0U);
	params.prios = 1;
	EXPECT_EQ(prog_peer_prio(&peer, &params, 100), 0U);
}

TEST_F(Tables, names)
{
	EXPECT_STREQ(prog_event_name(PROG_EV_DATA), "DATA");
	EXPECT_STREQ(prog_event_name(PROG_EVENTS - 1), "GRANT_SETTLE");
	EXPECT_STREQ(prog_event_name(PROG_EVENTS), "?");
	EXPECT_STREQ(prog_drop_name(PROG_DROP_GAPS), "GAPS");
	EXPECT_STREQ(prog_drop_name(PROG_DROPS), "?");
	EXPECT_STREQ(prog_drop_text(PROG_DROP_NONE), "not dropped");
	EXPECT_STREQ(prog_drop_text(PROG_DROPS), "?");
	EXPECT_STREQ(prog_state_name(HOMA_OVER), "over");
	EXPECT_STREQ(prog_state_name(HOMA_STATES), "?");
	EXPECT_EQ(prog_event_contexts(PROG_EVENTS), 0U);
}

TEST_F(Tables, ranks)
{
	EXPECT_EQ(prog_rank_event(PROG_RANK_GRANT), static_cast<u32>(PROG_EV_GRANT_TURN));
	EXPECT_EQ(prog_rank_event(PROG_RANK_FIFO), static_cast<u32>(PROG_EV_FIFO_TURN));
	EXPECT_EQ(prog_rank_event(PROG_RANK_SEND), static_cast<u32>(PROG_EV_SEND_TURN));
	EXPECT_EQ(prog_rank_winners(PROG_RANK_GRANT, &params), 8U);
	EXPECT_EQ(prog_rank_winners(PROG_RANK_FIFO, &params), 1U);
}

TEST_F(Tables, fast_path_wants_no_context_but_its_own)
{
	EXPECT_EQ(prog_event_contexts(PROG_EV_SEND_REQUEST), static_cast<u32>(MTP_CTX_RPC));
	EXPECT_EQ(prog_event_contexts(PROG_EV_SEND_RESPONSE), static_cast<u32>(MTP_CTX_RPC));
	EXPECT_EQ(prog_event_contexts(PROG_EV_DATA), static_cast<u32>(MTP_CTX_RPC));
	EXPECT_EQ(prog_event_contexts(PROG_EV_REQUEST_NEW_SECURE), static_cast<u32>(MTP_CTX_RPC));
	EXPECT_EQ(prog_event_contexts(PROG_EV_REQUEST_NEW_CLEAR),
		  static_cast<u32>(MTP_CTX_RPC | MTP_CTX_CLIENT));
	EXPECT_LE(sizeof(prog_rpc), 384U);
}

TEST_F(Tables, unknown_event_does_nothing)
{
	EXPECT_EQ(run(PROG_EVENTS), Words{});
}

TEST_F(Tables, info)
{
	prog_info info{};

	prog_rpc_info(&rpc, &info);
	EXPECT_EQ(info.tx_length, -1);
	EXPECT_EQ(info.rx_length, -1);
	ev.prio = 6;
	send_request(30000);
	prog_rpc_info(&rpc, &info);
	EXPECT_EQ(info.tx_length, 30000);
	EXPECT_EQ(info.tx_sent, 10000U);
	EXPECT_EQ(info.tx_granted, 10000U);
	EXPECT_EQ(info.tx_prio, 0U);
	rpc.tx_sent = 5;
	data(100, 100, 300);
	data(250, 50, 300);
	prog_rpc_info(&rpc, &info);
	EXPECT_EQ(info.tx_prio, 6U);
	EXPECT_EQ(info.rx_length, 300);
	EXPECT_EQ(info.rx_remaining, 150U);
	EXPECT_EQ(info.rx_gaps, 2U);
	EXPECT_EQ(info.rx_gap_bytes, 150U);
	EXPECT_EQ(info.rx_granted, 300U);
	EXPECT_STREQ(prog_state_name(info.state), "in");
}
