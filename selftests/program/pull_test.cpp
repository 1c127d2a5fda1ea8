// SPDX-License-Identifier: Apache-2.0
// The second program: its processors, and a request and response over a network
// that loses packets.
#include <functional>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "pull.h"

namespace {

constexpr u64 ms = 1000000;
using Rpc = std::unique_ptr<pull_rpc, decltype(&pull_rpc_free)>;

std::string word(const mtp_insn &insn)
{
	const std::string range = " " + std::to_string(insn.a) + "-" + std::to_string(insn.b);
	switch (insn.op) {
	case MTP_RX_NEW:
		return "RX_NEW";
	case MTP_RX_ADD:
		return "RX_ADD" + range;
	case MTP_TX_DATA:
		return "TX_DATA" + range;
	case MTP_PACKET:
		return "PACKET " + std::to_string(insn.what) + " " + std::to_string(insn.a);
	case MTP_TIMER_SET:
		return "TIMER";
	case MTP_NOTIFY:
		return insn.what == MTP_NOTIFY_READY ? "READY" : "FAILED " + std::to_string(insn.a);
	case MTP_CTX_KEEP:
		return "KEEP";
	case MTP_CTX_END:
		return "END";
	default:
		return "?";
	}
}

class Pull : public testing::Test {
protected:
	using Words = std::vector<std::string>;

	Pull()
	{
		pull_params(&params);
		params.unsched_bytes = 1000;
	}

	Words run(const char *event)
	{
		mtp_out out;
		ev.kind = static_cast<u8>(pull_event(event));
		ev.now = now;
		pull_run(&ev, &params,
			 (pull_contexts(event) & MTP_CTX_RPC) != 0 ? rpc.get() : nullptr, &out);
		if (out.verdict > 0)
			return {std::string("drop ") + pull_drop(static_cast<u32>(out.verdict))};
		if (out.verdict < 0)
			return {"refuse " + std::to_string(-out.verdict)};
		Words words;
		for (u32 i = 0; i < out.count; i++)
			words.push_back(word(out.insn[i]));
		return words;
	}

	Words send(const char *event, u32 length)
	{
		ev.message_length = ev.length = length;
		return run(event);
	}

	Words data(const char *event, u32 offset, u32 length, u32 message)
	{
		ev.offset = offset;
		ev.length = length;
		ev.message_length = message;
		return run(event);
	}

	void fresh() { rpc = Rpc(pull_rpc_new(), pull_rpc_free); }

	prog_params params{};
	prog_ev ev{};
	Rpc rpc{pull_rpc_new(), pull_rpc_free};
	u64 now = 1000 * ms;
};

TEST_F(Pull, piece_by_piece)
{
	EXPECT_EQ(send("SEND_REQUEST", 2500), (Words{"TIMER", "TX_DATA 0-1000"}));
	ev.offset = 2000;
	EXPECT_EQ(run("GRANT"), (Words{"TX_DATA 1000-2000"}));
	EXPECT_EQ(run("GRANT"), Words{});
	ev.offset = 99999;
	EXPECT_EQ(run("GRANT"), (Words{"TX_DATA 2000-2500"}));
}

TEST_F(Pull, bad_lengths)
{
	EXPECT_EQ(send("SEND_REQUEST", 0), (Words{"refuse 22"}));
	EXPECT_EQ(send("SEND_REQUEST", 1000001), (Words{"refuse 90"}));
	ev.secure = 1;
	EXPECT_EQ(send("SEND_REQUEST", 5), (Words{"refuse 22"}));
	ev.secure = 0;
	ev.message_length = 100;
	ev.length = 99;
	EXPECT_EQ(run("SEND_REQUEST"), (Words{"refuse 22"})) << "all of it has to be ready";
	params.unsched_bytes = 0;
	EXPECT_EQ(send("SEND_REQUEST", 2), (Words{"TIMER", "TX_DATA 0-1"}));
}

TEST_F(Pull, server)
{
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 0, 600, 1500),
		  (Words{"KEEP", "TIMER", "RX_NEW", "RX_ADD 0-600"}));
	EXPECT_EQ(data("DATA", 700, 300, 1500), (Words{"drop ORDER"}));
	EXPECT_EQ(data("DATA", 600, 400, 1500), (Words{"RX_ADD 600-1000", "PACKET 17 1500"}));
	EXPECT_EQ(data("DATA", 1000, 500, 1501), (Words{"drop LENGTH"}));
	EXPECT_EQ(run("SEND_RESPONSE"), (Words{"refuse 22"}));
	EXPECT_EQ(run("ACK"), (Words{"drop STATE"}));
	EXPECT_EQ(data("DATA", 1000, 500, 1500), (Words{"RX_ADD 1000-1500", "READY"}));
	EXPECT_EQ(data("DATA", 1000, 500, 1500), (Words{"drop STATE"}));
	EXPECT_EQ(run("RESEND"), (Words{"PACKET 20 0"}));
	EXPECT_EQ(run("DELIVERED"), Words{});
	EXPECT_EQ(run("TIMEOUT"), Words{});
	EXPECT_EQ(run("GRANT"), (Words{"drop STATE"}));
	EXPECT_EQ(send("SEND_RESPONSE", 100), (Words{"TIMER", "TX_DATA 0-100"}));
	now += 5 * ms;
	EXPECT_EQ(run("TIMEOUT"), (Words{"TIMER", "PACKET 23 0"}));
	ev.length = PROG_LENGTH_ALL;
	EXPECT_EQ(run("RESEND"), (Words{"TX_DATA 0-100"}));
	EXPECT_EQ(run("ACK"), (Words{"END"}));
}

TEST_F(Pull, hostile_data)
{
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 0, 0, 0), (Words{"drop LENGTH"}));
	fresh();
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 0, 1, 0xffffffff), (Words{"drop LENGTH"}));
	fresh();
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 0, 0, 10), (Words{"drop ORDER"}));
	fresh();
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 0, 1001, 5000), (Words{"drop ORDER"}));
	fresh();
	EXPECT_EQ(data("REQUEST_NEW_CLEAR", 1, 0xffffffff, 5000), (Words{"drop ORDER"}));
}

TEST_F(Pull, client)
{
	send("SEND_REQUEST", 100);
	now += 5 * ms;
	EXPECT_EQ(run("TIMEOUT"), (Words{"TIMER", "PACKET 18 0"}));
	EXPECT_EQ(run("BUSY"), Words{});
	EXPECT_EQ(run("NEED_ACK"), (Words{"PACKET 20 0"}));
	EXPECT_EQ(data("DATA", 0, 500, 2000), (Words{"RX_NEW", "RX_ADD 0-500"}));
	EXPECT_EQ(run("TIMEOUT"), (Words{"TIMER", "PACKET 17 1000", "PACKET 18 500"}));
	data("DATA", 500, 500, 2000);
	EXPECT_EQ(data("DATA", 1000, 1000, 2000), (Words{"RX_ADD 1000-2000", "READY"}));
	EXPECT_EQ(run("NEED_ACK"), (Words{"PACKET 24 0"}));
	EXPECT_EQ(run("DELIVERED"), (Words{"PACKET 24 0", "END"}));
}

TEST_F(Pull, failures)
{
	send("SEND_REQUEST", 100);
	now += 100 * ms;
	EXPECT_EQ(run("TIMEOUT"), (Words{"FAILED 110"}));
	EXPECT_EQ(run("DELIVERED"), (Words{"END"}));
	fresh();
	send("SEND_REQUEST", 100);
	EXPECT_EQ(run("RPC_UNKNOWN"), (Words{"TX_DATA 0-100"}));
	data("DATA", 0, 10, 100);
	EXPECT_EQ(run("RPC_UNKNOWN"), (Words{"FAILED 104"}));
	fresh();
	send("SEND_REQUEST", 100);
	EXPECT_EQ(run("ABORT"), (Words{"END"}));
	fresh();
	data("REQUEST_NEW_CLEAR", 0, 10, 100);
	EXPECT_EQ(run("RPC_UNKNOWN"), (Words{"END"}));
	fresh();
	data("REQUEST_NEW_CLEAR", 0, 10, 100);
	ev.error = 9;
	EXPECT_EQ(run("ICMP_ERROR"), (Words{"END"}));
}

TEST_F(Pull, what_it_has_no_use_for)
{
	for (const char *event : {"READY_MORE", "VERIFIED", "RECORD_BAD", "ABORT_PACKET",
				  "REQUEST_NEW_SECURE", "SEND_TURN"})
		EXPECT_EQ(run(event), (Words{"refuse 22"})) << event;
	for (const char *event : {"STRAY_DATA", "STRAY_GRANT", "STRAY_UNKNOWN", "STRAY_BUSY",
				  "STRAY_ACK", "REQUEST_REFUSED"})
		EXPECT_EQ(run(event), (Words{"drop UNKNOWN"})) << event;
	EXPECT_EQ(run("CUTOFFS"), (Words{"drop UNUSED"}));
	EXPECT_EQ(run("TAKE_ACKS"), Words{});
	EXPECT_EQ(run("STRAY_RESEND"), (Words{"PACKET 19 0"}));
	EXPECT_EQ(run("STRAY_NEED_ACK"), (Words{"PACKET 24 0"}));
}

TEST_F(Pull, info)
{
	prog_info info{};
	pull_rpc_info(rpc.get(), &info);
	EXPECT_EQ(info.tx_length, -1);
	EXPECT_EQ(info.rx_length, -1);
	send("SEND_REQUEST", 100);
	data("DATA", 0, 50, 70);
	pull_rpc_info(rpc.get(), &info);
	EXPECT_EQ(info.tx_length, 100);
	EXPECT_EQ(info.rx_length, 70);
	EXPECT_EQ(info.rx_remaining, 20U);
	EXPECT_STREQ(pull_state_name(info.state), "in");
	EXPECT_STREQ(pull_state_name(77), "?");
}

// Both ends of one RPC, and a network between them.
class Network : public testing::TestWithParam<std::tuple<int, u64>> {
protected:
	struct End {
		Rpc rpc{nullptr, pull_rpc_free};
		u64 deadline = 0;
		u32 received = 0;
		bool exists = false;
	};
	struct Due {
		u64 when;
		u64 order;
		std::function<void()> what;
		bool operator<(const Due &o) const
		{
			return std::tie(o.when, o.order) < std::tie(when, order);
		}
	};

	void at(u64 when, std::function<void()> what)
	{
		queue.push({when, order++, std::move(what)});
	}

	void exec(int side, const char *event, prog_ev ev)
	{
		mtp_out out;
		End &end = ends[side];
		ev.kind = static_cast<u8>(pull_event(event));
		ev.now = now;
		pull_run(&ev, &params, end.rpc.get(), &out);
		if (out.verdict != 0)
			return;
		for (u32 i = 0; i < out.count; i++)
			apply(side, out.insn[i]);
	}

	void apply(int side, const mtp_insn &insn)
	{
		End &end = ends[side];
		switch (insn.op) {
		case MTP_RX_ADD:
			ASSERT_EQ(insn.a, end.received);
			end.received = insn.b;
			break;
		case MTP_TIMER_SET:
			end.deadline = insn.key;
			at(insn.key, [this, side, deadline = insn.key] {
				if (ends[side].exists && ends[side].deadline == deadline)
					exec(side, "TIMEOUT", {});
			});
			break;
		case MTP_NOTIFY:
			ASSERT_EQ(insn.what, MTP_NOTIFY_READY);
			ASSERT_EQ(end.received, side == 0 ? 7000U : 5000U);
			at(now + 1, [this, side] {
				exec(side, "DELIVERED", {});
				prog_ev ev{};
				ev.message_length = ev.length = 7000;
				if (side == 1)
					exec(side, "SEND_RESPONSE", ev);
				else
					done = true;
			});
			break;
		case MTP_CTX_END:
			end.exists = false;
			break;
		case MTP_TX_DATA:
			for (u32 start = insn.a; start < insn.b; start += 700) {
				prog_ev ev{};
				ev.offset = start;
				ev.length = std::min(700U, insn.b - start);
				ev.message_length = side == 0 ? 5000 : 7000;
				send(1 - side, "DATA", "STRAY_DATA", ev);
			}
			break;
		case MTP_PACKET:
			control(side, insn);
			break;
		default:
			break;
		}
	}

	void control(int side, const mtp_insn &insn)
	{
		prog_ev ev{};
		ev.offset = insn.a;
		ev.length = insn.b;
		if (insn.what == PROG_PACKET_GRANT)
			send(1 - side, "GRANT", "STRAY_GRANT", ev);
		else if (insn.what == PROG_PACKET_RESEND)
			send(1 - side, "RESEND", "STRAY_RESEND", ev);
		else if (insn.what == PROG_PACKET_BUSY)
			send(1 - side, "BUSY", "STRAY_BUSY", ev);
		else if (insn.what == PROG_PACKET_RPC_UNKNOWN)
			send(1 - side, "RPC_UNKNOWN", "STRAY_UNKNOWN", ev);
		else if (insn.what == PROG_PACKET_ACK)
			send(1 - side, "ACK", "STRAY_ACK", ev);
		else if (insn.what == PROG_PACKET_NEED_ACK)
			send(1 - side, "NEED_ACK", "STRAY_NEED_ACK", ev);
	}

	void send(int to, const char *event, const char *stray, const prog_ev &ev)
	{
		if (static_cast<int>(random() % 100) < std::get<0>(GetParam()))
			return;
		at(now + 10000 + random() % 2000, [this, to, event, stray, ev] {
			End &end = ends[to];
			if (end.exists) {
				exec(to, event, ev);
			} else if (to == 1 && std::string(event) == "DATA" && !served) {
				end.rpc = Rpc(pull_rpc_new(), pull_rpc_free);
				served = end.exists = true;
				exec(to, "REQUEST_NEW_CLEAR", ev);
				if (end.received == 0)
					served = end.exists = false;
			} else {
				exec(to, stray, ev);
			}
		});
	}

	prog_params params{};
	End ends[2];
	std::priority_queue<Due> queue;
	std::mt19937_64 random;
	u64 now = 1000 * ms;
	u64 order = 0;
	bool served = false;
	bool done = false;
};

TEST_P(Network, request_and_response_arrive)
{
	pull_params(&params);
	params.unsched_bytes = 2000;
	params.dead_ns = 2000 * ms;
	random.seed(std::get<1>(GetParam()));
	ends[0].rpc = Rpc(pull_rpc_new(), pull_rpc_free);
	ends[0].exists = true;
	prog_ev ev{};
	ev.message_length = ev.length = 5000;
	exec(0, "SEND_REQUEST", ev);
	while (!queue.empty() && !HasFatalFailure()) {
		const Due due = queue.top();
		queue.pop();
		now = due.when;
		due.what();
	}
	EXPECT_TRUE(done);
	EXPECT_FALSE(ends[0].exists);
	EXPECT_FALSE(ends[1].exists);
}

INSTANTIATE_TEST_SUITE_P(Pull, Network,
			 testing::Combine(testing::Values(0, 5, 30), testing::Range<u64>(1, 9)));

} // namespace
