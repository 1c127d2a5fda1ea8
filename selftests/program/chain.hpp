// SPDX-License-Identifier: Apache-2.0
// One end of one RPC, driven event by event: for tests that read as a
// specification. Instructions come out as words, "RX_ADD 0-100".
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "homa.h"

constexpr u64 msec = 1000000;

class Chain : public testing::Test {
protected:
	Chain()
	{
		prog_params_init(&params);
		params.unsched_bytes = 10000;
		params.max_unsched = 10000;
		params.window = 8000;
		params.max_incoming = 40000;
		params.fifo_share = 0;
		params.quantum = 1;
		params.pace_bytes = 1500;
		ev.id = 8;
		ev.port = 99;
		ev.cutoff_version = params.cutoff_version;
	}

	using Words = std::vector<std::string>;

	// Runs the chain of an event; what it raises is left to the test.
	Words run(u32 kind)
	{
		const u32 contexts = prog_event_contexts(kind);
		prog_scratch scratch;

		std::memset(static_cast<void *>(&scratch), 0xa5, sizeof(scratch));
		std::memset(static_cast<void *>(&out), 0xa5, sizeof(out));
		ev.now = now;
		ev.kind = static_cast<u8>(kind);
		homa_run(&ev, &params, (contexts & MTP_CTX_RPC) != 0 ? &rpc : nullptr,
			 (contexts & MTP_CTX_CLIENT) != 0 ? &client : nullptr,
			 (contexts & MTP_CTX_PEER) != 0 ? &peer : nullptr,
			 (contexts & MTP_CTX_HOST) != 0 ? &host : nullptr, &scratch, &out);
		EXPECT_LE(out.count, MTP_MAX_INSNS);
		if (out.verdict > 0)
			return {std::string("drop ") +
				prog_drop_name(static_cast<u32>(out.verdict))};
		if (out.verdict < 0)
			return {"refuse " + std::to_string(-out.verdict)};
		Words words;
		for (u32 i = 0; i < out.count; i++)
			words.push_back(word(out.insn[i]));
		return words;
	}

	Words send_request(u32 length)
	{
		ev.message_length = length;
		ev.length = length;
		return run(PROG_EV_SEND_REQUEST);
	}

	// DATA for an RPC that exists; all of a message is unscheduled up to 10,000.
	Words data(u32 offset, u32 length, u32 message)
	{
		ev.offset = offset;
		ev.length = length;
		ev.message_length = message;
		ev.incoming = std::min(message, params.max_unsched);
		return run(PROG_EV_DATA);
	}

	Words request_new(u32 offset, u32 length, u32 message)
	{
		ev.id |= 1;
		ev.offset = offset;
		ev.length = length;
		ev.message_length = message;
		ev.incoming = std::min(message, params.max_unsched);
		return run(ev.secure != 0 ? PROG_EV_REQUEST_NEW_SECURE : PROG_EV_REQUEST_NEW_CLEAR);
	}

	// A server whose application has a request.
	void serve()
	{
		request_new(0, 100, 100);
		if (ev.secure != 0)
			run(PROG_EV_VERIFIED);
		ASSERT_EQ(run(PROG_EV_DELIVERED), Words{});
		ASSERT_EQ(rpc.state, HOMA_SERVICE);
	}

	Words respond(u32 length)
	{
		ev.message_length = length;
		ev.length = length;
		return run(PROG_EV_SEND_RESPONSE);
	}

	Words grant(u32 offset, u8 prio)
	{
		ev.offset = offset;
		ev.prio = prio;
		return run(PROG_EV_GRANT);
	}

	Words resend(u32 offset, u32 length)
	{
		ev.offset = offset;
		ev.length = length;
		ev.prio = 7;
		return run(PROG_EV_RESEND);
	}

	Words timeout(u64 later)
	{
		now += later;
		return run(PROG_EV_TIMEOUT);
	}

	// A winner's turn.
	Words turn(u32 position, u32 winners)
	{
		ev.position = static_cast<u16>(position);
		ev.winners = static_cast<u16>(winners);
		return run(PROG_EV_GRANT_TURN);
	}

	static std::string range(const mtp_insn &insn)
	{
		return " " + std::to_string(insn.a) + "-" + std::to_string(insn.b);
	}

	static std::string flags(const mtp_insn &insn)
	{
		std::string text;
		text += (insn.flags & MTP_TX_RETRANSMIT) != 0 ? " again" : "";
		text += (insn.flags & MTP_TX_AUTH) != 0 ? " auth" : "";
		text += (insn.flags & MTP_TX_BEFORE) != 0 ? " before" : "";
		text += (insn.flags & MTP_TX_SMALL) != 0 ? " small" : "";
		text += (insn.flags & MTP_TX_ONE) != 0 ? " one" : "";
		return text;
	}

	static std::string packet(const mtp_insn &insn)
	{
		const std::string prio = " prio " + std::to_string(insn.prio);
		switch (insn.what) {
		case PROG_PACKET_GRANT:
			return "GRANT " + std::to_string(insn.a) + prio;
		case PROG_PACKET_RESEND:
			if (insn.b == PROG_LENGTH_ALL)
				return "RESEND all" + flags(insn);
			return "RESEND " + std::to_string(insn.a) + "+" + std::to_string(insn.b) +
			       flags(insn);
		case PROG_PACKET_RPC_UNKNOWN:
			return "RPC_UNKNOWN" + flags(insn);
		case PROG_PACKET_BUSY:
			return "BUSY";
		case PROG_PACKET_CUTOFFS:
			return "CUTOFFS";
		case PROG_PACKET_NEED_ACK:
			return "NEED_ACK";
		case PROG_PACKET_ACK:
			return "ACK";
		case PROG_PACKET_ABORT:
			return "ABORT " + std::to_string(insn.a);
		default:
			return "packet ?";
		}
	}

	std::string word(const mtp_insn &insn) const
	{
		static const char *const ranks[] = {"GRANT", "FIFO", "SEND", "LEND"};
		switch (insn.op) {
		case MTP_RX_NEW:
			return "RX_NEW " + std::to_string(insn.a);
		case MTP_RX_ADD:
			return "RX_ADD" + range(insn);
		case MTP_RX_FLUSH:
			return "RX_FLUSH" + range(insn);
		case MTP_TX_DATA:
			return "TX_DATA" + range(insn) + " prio " + std::to_string(insn.prio) +
			       flags(insn);
		case MTP_TX_FLUSH:
			return "TX_FLUSH";
		case MTP_PACKET:
			return packet(insn);
		case MTP_TIMER_SET:
			return "TIMER +" + std::to_string((insn.key - now) / 1000) + "us";
		case MTP_TIMER_CANCEL:
			return "TIMER_CANCEL";
		case MTP_RANK_SET:
			return std::string("RANK ") + ranks[insn.what] + " " +
			       std::to_string(insn.key);
		case MTP_RANK_CLEAR:
			return std::string("RANK_CLEAR ") + ranks[insn.what];
		case MTP_RANK_KICK:
			return std::string("KICK ") + ranks[insn.what];
		case MTP_RANK_PLACE:
			return std::string("PLACE ") + ranks[insn.what] + " " +
			       std::to_string(insn.key);
		case MTP_RAISE:
			return std::string("RAISE ") + prog_event_name(insn.what);
		case MTP_NOTIFY:
			return insn.what == MTP_NOTIFY_READY ? "READY"
							     : "FAILED " + std::to_string(insn.a);
		case MTP_CTX_KEEP:
			return "KEEP";
		case MTP_CTX_END:
			return "END";
		case MTP_ACK:
			return "ack " + std::to_string(insn.key) + ":" + std::to_string(insn.a);
		default:
			return "?";
		}
	}

	prog_params params{};
	prog_rpc rpc{};
	prog_client client{};
	prog_peer peer{};
	prog_host host{};
	prog_ev ev{};
	mtp_out out{};
	u64 now = 1000 * msec;
};
