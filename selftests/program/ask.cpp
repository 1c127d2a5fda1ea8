// SPDX-License-Identifier: Apache-2.0
// Whose question goes to a peer when many of its RPCs have heard nothing.
#include <algorithm>

#include "chain.hpp"

class Ask : public Chain {};

TEST_F(Ask, what_others_asked_counts)
{
	send_request(100);
	peer.unanswered = 8;
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now + 2999 * msec;
	EXPECT_EQ(timeout(3000 * msec)[2], "FAILED 110");
	EXPECT_EQ(peer.asking, 1) << "their question stays";
}

TEST_F(Ask, others_questions_go_first)
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

// Where answers show that packets are lost, each question is about its own.
TEST_F(Ask, several_ask_where_packets_are_lost)
{
	send_request(100);
	timeout(6 * msec);
	EXPECT_EQ(run(PROG_EV_RPC_UNKNOWN)[0], "RAISE PEER_ALIVE");
	ev.length = out.insn[0].a;
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.loses, HOMA_LOSES);
	peer.asking = 1;
	peer.asker = 77;
	peer.unanswered = 1;
	for (int i = 1; i <= HOMA_BESIDE; i++) {
		peer.asked = now + 6 * msec;
		EXPECT_EQ(timeout(6 * msec)[0], "RESEND all");
		EXPECT_EQ(peer.beside, i);
		rpc.tries = 0;
	}
	EXPECT_EQ(peer.asker, 77U) << "it stands for all";
	EXPECT_EQ(peer.unanswered, 1U);
	peer.asked = now + 6 * msec;
	EXPECT_EQ(timeout(6 * msec)[0].substr(0, 5), "TIMER") << "no more than that";
	peer.beside = 0;
	peer.unanswered = 2;
	peer.asked = now + 6 * msec;
	EXPECT_EQ(timeout(6 * msec)[0].substr(0, 5), "TIMER") << "not while there is no answer";
	peer.beside = 1;
	EXPECT_EQ(timeout(50 * msec)[0], "RESEND all");
	EXPECT_EQ(peer.asker, 8U);
	EXPECT_EQ(peer.beside, 0);
	ev.length = 0;
	for (int i = HOMA_LOSES; i-- > 0;) {
		run(PROG_EV_PEER_ALIVE);
		EXPECT_EQ(peer.loses, i);
	}
	run(PROG_EV_PEER_ALIVE);
	EXPECT_EQ(peer.loses, 0);
}

TEST_F(Ask, an_answer_that_was_sent_again_shows_a_loss)
{
	for (const int again : {0, 1}) {
		rpc = {};
		peer = {};
		ev.again = 0;
		send_request(100);
		timeout(6 * msec);
		ev.again = static_cast<u8>(again);
		const Words words = data(0, 100, 300);
		const auto alive = std::ranges::find(words, "RAISE PEER_ALIVE");
		ASSERT_NE(alive, words.end());
		ev.length = out.insn[alive - words.begin()].a;
		run(PROG_EV_PEER_ALIVE);
		EXPECT_EQ(peer.loses, again * HOMA_LOSES);
	}
}

// By then the answer is here, which tells whether to go on waiting.
TEST_F(Ask, who_is_put_off_waits_for_a_path_time)
{
	send_request(100);
	rpc.put_off = 5;
	peer.path = 8 * msec;
	peer.asking = 1;
	peer.asker = 77;
	now += 100 * msec;
	peer.asked = now;
	EXPECT_EQ(timeout(0), (Words{"TIMER +8000us"}));
	rpc.put_off = 5;
	peer.path = 1;
	EXPECT_EQ(timeout(0), (Words{"TIMER +5000us"}));
	rpc.put_off = 5;
	peer.unanswered = 2;
	EXPECT_EQ(timeout(0), (Words{"TIMER +40640us"})) << "there may be thousands, and no answer";
}

// Each question to this peer that has no answer doubles the time to the next.
TEST_F(Ask, whoever_asks_a_silent_peer_asks_seldom)
{
	for (const auto &[unanswered, later, asks] :
	     {std::tuple{1, 9, false}, std::tuple{1, 10, true}, std::tuple{3, 39, false},
	      std::tuple{3, 40, true}, std::tuple{200, 999, false}, std::tuple{200, 1000, true}}) {
		rpc = {};
		send_request(100);
		peer.asking = 1;
		peer.asker = 77;
		peer.asked = now;
		peer.unanswered = static_cast<u8>(unanswered);
		EXPECT_EQ(timeout(static_cast<u64>(later) * msec)[0] == "RESEND all", asks)
			<< later;
	}
}

// It has the request and works on it. Until it says that it has not.
TEST_F(Ask, who_knows_the_request_is_asked_seldom)
{
	send_request(100);
	rpc.patience = 12;
	now += 1000 * msec;
	rpc.active = now;
	EXPECT_EQ(timeout(1000 * msec)[0], "RESEND all");
	run(PROG_EV_BUSY);
	EXPECT_EQ(timeout(1999 * msec)[0], "TIMER +1000us");
	EXPECT_EQ(timeout(1 * msec)[0], "RESEND all");
	EXPECT_EQ(timeout(1000 * msec)[0], "RESEND all") << "silence";
	run(PROG_EV_RPC_UNKNOWN);
	rpc.patience = 12;
	EXPECT_EQ(timeout(1000 * msec)[0], "RESEND all");
}

TEST_F(Ask, who_is_patient_is_put_off_longer)
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

TEST_F(Ask, an_old_question_of_another)
{
	send_request(100);
	peer.asking = 1;
	peer.asker = 77;
	peer.asked = now;
	EXPECT_EQ(timeout(6 * msec)[0], "RESEND all");
}

TEST_F(Ask, old_silence_is_forgotten)
{
	send_request(100);
	peer.unanswered = 4;
	now += 3000 * msec;
	peer.asked = now - 3000 * msec;
	timeout(6 * msec);
	EXPECT_EQ(peer.unanswered, 1);
}

TEST_F(Ask, others_are_waited_for_a_second_at_most)
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
