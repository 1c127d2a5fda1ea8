// SPDX-License-Identifier: Apache-2.0
// Clear requests from addresses that may be forged: what may go there, and what shows
// that the client has its address.
#include "chain.hpp"

class Prove : public Chain {
protected:
	static constexpr u64 minute = 60000 * msec;
	static constexpr u16 told = 4711;

	Prove()
	{
		ev.strange = 1;
		ev.wire = 176;
		echo(0, PROG_ECHO_WRONG);
	}

	void echo(u16 version, u8 kind)
	{
		ev.cutoff_version = version;
		ev.echo = kind;
	}

	// A request of @a length bytes is with the application.
	void strange(u32 length = 100)
	{
		rpc = {};
		ev.id += 2;
		ev.strange = 1;
		request_new(0, length, length);
		ev.length = 0;
		EXPECT_EQ(run(PROG_EV_ECHO), Words{});
		run(PROG_EV_DELIVERED);
		ASSERT_EQ(rpc.state, HOMA_SERVICE);
	}

	Words answer(u32 length)
	{
		ev.budget = prog_peer_budget(&peer);
		return respond(length);
	}

	Words proof(u16 version, u8 kind)
	{
		echo(version, kind);
		ev.wire = 77;
		return run(PROG_EV_PROOF);
	}

	// A request of a forger, whole and refused soon.
	void guess(u16 version)
	{
		rpc = {};
		ev.id += 2;
		ev.strange = prog_peer_proven(&peer, now) == 0;
		echo(version, PROG_ECHO_WRONG);
		request_new(0, 100, 100);
		run(PROG_EV_ECHO);
	}

	const Words ask = {"CUTOFFS", "RESEND 0+1"};
	const Words hold = {"TIMER +5000us", "CUTOFFS", "RESEND 0+1"};
};

TEST_F(Prove, request_of_a_stranger_is_counted)
{
	EXPECT_EQ(request_new(0, 100, 100),
		  (Words{"KEEP", "RX_NEW 100", "RAISE ECHO", "CUTOFFS", "RX_ADD 0-100", "READY"}));
	EXPECT_EQ(prog_rpc_strange(&rpc), 1U);
	ev.length = 0;
	EXPECT_EQ(run(PROG_EV_ECHO), Words{});
	EXPECT_EQ(prog_peer_budget(&peer), 3U * 176);
}

TEST_F(Prove, request_of_a_known_one_is_not)
{
	ev.strange = 0;
	echo(told, PROG_ECHO_SPARED);
	EXPECT_EQ(request_new(0, 100, 100), (Words{"KEEP", "RX_NEW 100", "RX_ADD 0-100", "READY"}));
	EXPECT_EQ(prog_rpc_strange(&rpc), 0U);
}

TEST_F(Prove, echo_of_a_known_one_is_looked_at_again)
{
	ev.strange = 0;
	peer.proven = now + minute;
	echo(told, PROG_ECHO_RIGHT);
	EXPECT_EQ(request_new(0, 100, 100),
		  (Words{"KEEP", "RX_NEW 100", "RAISE ECHO", "RX_ADD 0-100", "READY"}));
	run(PROG_EV_ECHO);
	EXPECT_EQ(prog_peer_budget(&peer), 0U);
	EXPECT_EQ(prog_peer_proven(&peer, now + 10 * minute - 1), 1U);
	EXPECT_EQ(prog_peer_proven(&peer, now + 10 * minute), 0U);
	EXPECT_EQ(prog_peer_fresh(&peer, now + 5 * minute - 1), 1U);
	EXPECT_EQ(prog_peer_fresh(&peer, now + 5 * minute), 0U);
}

TEST_F(Prove, budget)
{
	peer.budget = 100;
	EXPECT_EQ(prog_peer_spend(&peer, 101, now), 0U);
	EXPECT_EQ(prog_peer_spend(&peer, 60, now), 1U);
	EXPECT_EQ(prog_peer_spend(&peer, 41, now), 0U);
	EXPECT_EQ(prog_peer_spend(&peer, 40, now), 1U);
	peer.proven = now + 1;
	EXPECT_EQ(prog_peer_spend(&peer, 1000000, now), 1U);
	EXPECT_EQ(peer.budget, 0U);
}

TEST_F(Prove, budget_has_an_end)
{
	strange();
	ev.wire = 0xffffffff;
	for (int i = 0; i < 8; i++)
		resend(0, PROG_LENGTH_ALL);
	EXPECT_EQ(prog_peer_budget(&peer), HOMA_BUDGET_MAX);
}

TEST_F(Prove, small_response_goes_at_once)
{
	strange();
	EXPECT_EQ(answer(100), (Words{"TIMER +1000000us", "TX_DATA 0-100 prio 0"}));
	EXPECT_EQ(prog_rpc_proving(&rpc), 0U);
	EXPECT_EQ(rpc.strange, HOMA_STRANGE);
}

TEST_F(Prove, response_beyond_the_budget_waits)
{
	strange();
	EXPECT_EQ(answer(3 * 176 - HOMA_HEADERS + 1), hold);
	EXPECT_EQ(rpc.tx_sent, 0U);
	strange(1);
	peer.budget = 100000;
	EXPECT_EQ(answer(MTP_SMALL + 1), hold) << "part of it might arrive";
	strange(1);
	peer.budget = 100000;
	EXPECT_EQ(answer(MTP_SMALL).back(), "TX_DATA 0-480 prio 0");
}

TEST_F(Prove, response_to_who_has_been_proven_meanwhile)
{
	strange();
	ev.strange = 0;
	EXPECT_EQ(answer(5000), (Words{"TIMER +1000000us", "TX_DATA 0-5000 prio 0"}));
	EXPECT_EQ(rpc.strange, 0);
}

TEST_F(Prove, right_echo_lets_it_go)
{
	strange();
	answer(5000);
	EXPECT_EQ(proof(told, PROG_ECHO_RIGHT),
		  (Words{"RAISE PEER_ALIVE", "TIMER +1000000us", "TX_DATA 0-5000 prio 0"}));
	EXPECT_EQ(rpc.strange, 0);
	EXPECT_EQ(prog_rpc_proving(&rpc), 0U);
	EXPECT_EQ(prog_peer_proven(&peer, now), 1U);
}

TEST_F(Prove, echo_in_a_long_request)
{
	request_new(0, 1000, 3000);
	run(PROG_EV_ECHO);
	echo(told, PROG_ECHO_RIGHT);
	EXPECT_EQ(data(1000, 1000, 3000), (Words{"RAISE ECHO", "RX_ADD 1000-2000"}));
	run(PROG_EV_ECHO);
	EXPECT_EQ(rpc.strange, 0);
	echo(told, PROG_ECHO_SPARED);
	EXPECT_EQ(data(2000, 1000, 3000).front(), "RX_ADD 2000-3000");
}

TEST_F(Prove, forged_grants_and_questions_get_nothing)
{
	strange();
	answer(5000);
	EXPECT_EQ(grant(5000, 7), (Words{"drop STATE"}));
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"RAISE PEER_ALIVE", "CUTOFFS", "RESEND 0+1"}));
	EXPECT_EQ(resend(100, 1000), (Words{"RAISE PEER_ALIVE", "CUTOFFS", "RESEND 0+1"}));
	EXPECT_EQ(rpc.tx_sent, 0U);
}

TEST_F(Prove, small_response_that_was_lost)
{
	strange();
	answer(100);
	ev.wire = 57;
	now += 1000 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-100 prio 0 again one"}));
	// Once there is no room for it the target does not send it, but it is not held: the
	// client may have part of it, and freed its request. Questions pay for the rest.
	peer.budget = 0;
	now += 1000 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-100 prio 0 again one"}));
	EXPECT_EQ(prog_peer_budget(&peer), 3U * 57);
	EXPECT_EQ(rpc.strange, HOMA_STRANGE);
}

TEST_F(Prove, small_response_that_was_lost_is_asked_about_like_any)
{
	strange();
	answer(100);
	peer.budget = 0;
	ev.wire = 0;
	resend(0, PROG_LENGTH_ALL);
	EXPECT_EQ(timeout(6 * msec), (Words{"NEED_ACK", "TIMER +10160us"}));
}

TEST_F(Prove, small_response_that_waits_for_the_device)
{
	params.pace_bytes = 10;
	strange();
	ev.paced = 1;
	EXPECT_EQ(answer(100).back(), "RANK SEND 100");
	ev.wire = 0;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
	peer.budget = 0;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), hold);
	ev.length = 3000;
	EXPECT_EQ(run(PROG_EV_SEND_TURN), (Words{"RANK_CLEAR SEND"}));
	EXPECT_EQ(timeout(5 * msec), (Words{"CUTOFFS", "RESEND 0+1", "TIMER +10000us"}));
}

TEST_F(Prove, what_is_not_looked_at_shows_nothing)
{
	strange();
	echo(told, PROG_ECHO_PLAIN);
	EXPECT_EQ(run(PROG_EV_ECHO), Words{});
	EXPECT_EQ(prog_peer_proven(&peer, now), 0U);
	EXPECT_EQ(peer.wrongs, 0);
}

TEST_F(Prove, small_response_asked_for_by_who_has_been_proven)
{
	strange();
	answer(100);
	peer.proven = now + 5000 * msec;
	now += 1000 * msec;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"TX_DATA 0-100 prio 0 again one"}));
	EXPECT_EQ(rpc.strange, 0);
}

TEST_F(Prove, question_of_who_has_been_proven_lets_it_go)
{
	strange();
	answer(5000);
	peer.proven = now + minute;
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL),
		  (Words{"RAISE PEER_ALIVE", "TIMER +1000000us", "TX_DATA 0-5000 prio 0"}));
}

TEST_F(Prove, question_during_service)
{
	strange();
	EXPECT_EQ(resend(0, PROG_LENGTH_ALL), (Words{"BUSY"}));
}

TEST_F(Prove, it_is_asked_again)
{
	strange();
	answer(5000);
	EXPECT_EQ(timeout(5 * msec), (Words{"CUTOFFS", "RESEND 0+1", "TIMER +10000us"}));
	EXPECT_EQ(timeout(10 * msec), (Words{"CUTOFFS", "RESEND 0+1", "TIMER +20000us"}));
}

TEST_F(Prove, another_rpc_of_the_client_may_show_it)
{
	strange();
	answer(5000);
	peer.proven = now + minute;
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +1000000us", "TX_DATA 0-5000 prio 0"}));
}

TEST_F(Prove, who_never_answers_is_dead)
{
	strange();
	answer(5000);
	for (int i = 0; i < 30 && rpc.state == HOMA_REPLY; i++)
		timeout(1000 * msec);
	EXPECT_EQ(rpc.state, HOMA_OVER);
}

TEST_F(Prove, who_answers_with_something_else_is_asked_less)
{
	strange();
	answer(5000);
	EXPECT_EQ(proof(0, PROG_ECHO_WRONG), (Words{"RAISE PEER_ALIVE"}));
	EXPECT_EQ(timeout(5 * msec), (Words{"TIMER +5000us"}));
	EXPECT_EQ(timeout(5 * msec).front(), "CUTOFFS");
	for (int i = 0; i < 60 && rpc.state == HOMA_REPLY; i++) {
		timeout(2000 * msec);
		proof(0, PROG_ECHO_WRONG);
	}
	EXPECT_EQ(rpc.state, HOMA_OVER) << "and not for ever";
	EXPECT_EQ(peer.wrongs, 0) << "zero is no guess";
}

TEST_F(Prove, guesses_are_counted)
{
	for (u16 i = 1; i <= 7; i++)
		guess(i);
	EXPECT_LE(peer.shut, now);
	guess(8);
	EXPECT_EQ(peer.shut, now + minute);
	// From now on the right one shows nothing, either.
	strange();
	answer(5000);
	proof(told, PROG_ECHO_RIGHT);
	EXPECT_EQ(prog_peer_proven(&peer, now), 0U);
	for (int i = 0; i < 29; i++) {
		now += 2000 * msec;
		run(PROG_EV_TIMEOUT);
		proof(told, PROG_ECHO_RIGHT);
	}
	EXPECT_EQ(rpc.state, HOMA_REPLY) << "an honest client only waits";
	now += 2000 * msec;
	EXPECT_EQ(proof(told, PROG_ECHO_RIGHT).back(), "TX_DATA 0-5000 prio 0");
}

TEST_F(Prove, guesses_are_forgotten)
{
	for (u16 i = 1; i <= 7; i++)
		guess(i);
	now += minute;
	for (u16 i = 11; i <= 17; i++)
		guess(i);
	EXPECT_LE(peer.shut, now);
}

TEST_F(Prove, a_stale_version_is_one_guess)
{
	for (int i = 0; i < 100; i++)
		guess(5);
	EXPECT_EQ(peer.wrongs, 1);
	strange();
	answer(5000);
	EXPECT_EQ(proof(told, PROG_ECHO_RIGHT).back(), "TX_DATA 0-5000 prio 0");
}

// But it is not proven for longer by what may be a guess.
TEST_F(Prove, guesses_do_a_proven_one_no_harm)
{
	const u64 until = now + 4 * minute;

	peer.proven = until;
	strange();
	for (u16 i = 1; i <= 8; i++) {
		echo(i, PROG_ECHO_WRONG);
		run(PROG_EV_ECHO);
	}
	EXPECT_EQ(prog_peer_proven(&peer, now), 1U);
	EXPECT_EQ(peer.shut, now + minute);
	echo(told, PROG_ECHO_RIGHT);
	run(PROG_EV_ECHO);
	EXPECT_EQ(peer.proven, until);
	now += minute;
	run(PROG_EV_ECHO);
	EXPECT_EQ(peer.proven, now + 10 * minute);
}

// The client's end.
TEST_F(Prove, first_byte_is_sent_without_delay)
{
	ev.strange = 0;
	send_request(1);
	EXPECT_EQ(resend(0, 1), (Words{"TX_DATA 0-1 prio 0 again"}));
}

TEST_F(Prove, first_byte_is_no_loss)
{
	ev.strange = 0;
	send_request(10000);
	EXPECT_EQ(resend(0, 1), (Words{"TX_DATA 0-1 prio 0 again"}));
	EXPECT_EQ(prog_peer_unsched(&peer), 0U);
	EXPECT_EQ(resend(1, 1).back(), "TX_DATA 1-2 prio 0 again");
	EXPECT_EQ(prog_peer_unsched(&peer), 5000U);
}

TEST_F(Prove, first_byte_of_others_is_a_loss)
{
	ev.strange = 0;
	ev.secure = 1;
	ev.record = 100;
	send_request(10000);
	now += 1000 * msec;
	EXPECT_EQ(resend(0, 1), (Words{"TX_DATA 0-1 prio 0 again"}));
	EXPECT_EQ(prog_peer_unsched(&peer), 5000U);
	rpc = {};
	peer = {};
	ev = {.id = 8, .cutoff_version = params.cutoff_version, .port = 99};
	serve();
	respond(10000);
	now += 1000 * msec;
	EXPECT_EQ(resend(0, 1), (Words{"TX_DATA 0-1 prio 0 again"}));
	EXPECT_EQ(prog_peer_unsched(&peer), 5000U);
}
