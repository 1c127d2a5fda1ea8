// SPDX-License-Identifier: Apache-2.0
// What holds of any run, after every event (docs/program.md, "Properties").
#include <cstring>

#include "sim_fixed.hpp"

namespace sim {

namespace {

constexpr u64 all_rpcs_every = 32;

bool waits_for_peer(u32 state)
{
	return state == HOMA_OUT || state == HOMA_IN || state == HOMA_REPLY;
}

// Whether the answer to a RESEND is among the instructions.
bool answers(const mtp_out &out)
{
	for (u32 i = 0; i < out.count; i++) {
		const mtp_insn &insn = out.insn[i];
		if (insn.op == MTP_TX_DATA)
			return true;
		if (insn.op == MTP_PACKET &&
		    (insn.what == PROG_PACKET_BUSY || insn.what == PROG_PACKET_RESEND ||
		     insn.what == PROG_PACKET_RPC_UNKNOWN))
			return true;
	}
	return false;
}

} // namespace

void World::breaks(const std::string &what)
{
	if (broken.empty())
		broken = what + " at " + std::to_string(now()) + " ns";
}

void World::check(bool holds, const char *what)
{
	if (!holds)
		breaks(what);
}

void World::check_out(const Rpc *rpc, const mtp_out &out, const prog_ev &ev)
{
	const std::string event = prog_event_name(ev.kind);

	if (out.count > MTP_MAX_INSNS)
		breaks(event + ": too many instructions");
	if (ev.kind == PROG_EV_RESEND || ev.kind == PROG_EV_STRAY_RESEND)
		check(out.verdict == 0 && answers(out), "a RESEND without an answer");
	if (out.verdict >= PROG_DROPS)
		breaks(event + ": unknown verdict");
	if (out.verdict < 0)
		breaks(event + ": the target's own event was refused");
	check(rpc != nullptr || (prog_event_contexts(ev.kind) & MTP_CTX_RPC) == 0,
	      "a stray event wants an RPC");
}

void World::check_insn(Host &h, Rpc &rpc, const mtp_insn &insn, const prog_ev &ev)
{
	const prog_rpc &ctx = rpc.ctx;

	if (insn.op == MTP_TX_DATA) {
		check(insn.a <= insn.b, "TX_DATA of a negative range");
		check(insn.b <= ctx.tx_granted, "sent past the grant");
		check(insn.b <= rpc.sealed, "sent what is not sealed");
		check(insn.b <= ctx.tx_length, "sent past the message");
		check(insn.c <= ctx.tx_length, "incoming past the message");
		check(insn.prio < h.params.prios, "priority out of range");
		check(ctx.state == HOMA_OUT || ctx.state == HOMA_REPLY, "sent in a wrong state");
	}
	if (insn.op == MTP_TX_DATA && (insn.flags & MTP_TX_RETRANSMIT) != 0 &&
	    ev.kind == PROG_EV_RESEND) {
		if (now() - rpc.resent_since >= h.params.resend_ns) {
			rpc.resent_since = now();
			rpc.resent = 0;
		}
		rpc.resent += (insn.flags & MTP_TX_ONE) != 0
				      ? std::min(insn.b - insn.a, settings.payload)
				      : insn.b - insn.a;
		// Its intervals and ours may begin at different times.
		check(rpc.resent <= 2ULL * ctx.tx_granted, "sent again more than was granted");
	}
	if (insn.op == MTP_PACKET && insn.what == PROG_PACKET_RESEND && ctx.state == HOMA_IN) {
		check(insn.b <= ctx.rx_granted && insn.a <= ctx.rx_granted - insn.b,
		      "RESEND for what is not granted");
		check(insn.b == 0 || !broken.empty() ||
			      std::memchr(&rpc.in.here[insn.a], 1, insn.b) == nullptr,
		      "RESEND for what is here");
	}
	if (insn.op == MTP_PACKET && insn.what == PROG_PACKET_GRANT) {
		check(insn.a == ctx.rx_granted, "GRANT of another offset");
		check(insn.a <= ctx.rx_length, "GRANT past the message");
		check(insn.prio < h.params.prios, "priority out of range");
	}
	if (insn.op == MTP_NOTIFY && insn.what == MTP_NOTIFY_READY)
		check(rpc.in.got == rpc.in.length, "READY with bytes missing");
	if (insn.op == MTP_PACKET && insn.what == PROG_PACKET_ACK && std::get<1>(rpc.key))
		check(ctx.verified || ctx.state == HOMA_FAILED, "ACK of what is not verified");
}

void World::check_rpc(Rpc &rpc, u32 kind)
{
	const prog_rpc &ctx = rpc.ctx;

	check(ctx.rx_granted >= rpc.granted_before, "granted has fallen");
	check(ctx.rx_granted <= ctx.rx_length, "granted past the length");
	check(ctx.tx_granted <= ctx.tx_length, "granted to us past the length");
	check(ctx.tx_sent <= ctx.tx_granted && ctx.tx_sent <= ctx.tx_ready, "sent too far");
	check(kind == PROG_EV_RPC_UNKNOWN || kind == PROG_EV_PROOF || rpc.held ||
		      ctx.tx_sent >= rpc.sent_before,
	      "sent has fallen");
	rpc.held = prog_rpc_proving(&ctx) != 0;
	check(ctx.rx_received == rpc.in.got, "received is not what is here");
	check(ctx.rx_received <= ctx.rx_granted, "received past the grant");
	check(ctx.gaps <= HOMA_GAPS, "too many gaps");
	u32 last = 0;
	u32 missing = 0;
	for (u32 i = 0; i < ctx.gaps && i < HOMA_GAPS; i++) {
		check(ctx.gap[i].start < ctx.gap[i].end && ctx.gap[i].start >= last,
		      "gaps out of order");
		last = ctx.gap[i].end;
		missing += ctx.gap[i].end - ctx.gap[i].start;
	}
	check(last <= ctx.rx_end, "a gap beyond the end");
	check(ctx.rx_received + missing == ctx.rx_end, "gaps and received bytes do not add up");
	rpc.granted_before = ctx.rx_granted;
	rpc.sent_before = ctx.tx_sent;
	if (rpc.ended)
		return;
	check(!waits_for_peer(ctx.state) || rpc.deadline != 0,
	      "waits for the peer without a timer");
	check((ctx.ranked != 0) == rpc.in_rank[PROG_RANK_GRANT], "ranked but in no rank");
	check((ctx.ranked != 0) == rpc.in_rank[PROG_RANK_FIFO], "ranked but in no fifo");
	check((ctx.queued != 0) == rpc.in_rank[PROG_RANK_SEND], "queued but in no rank");
	check((ctx.waiting != 0) == rpc.in_rank[PROG_RANK_LEND], "waits but in no rank");
	check(ctx.waiting == 0 || (ctx.ranked != 0 && ctx.held == 0), "waits without a reason");
	check(ctx.lent == 0 || ctx.held != 0, "what was lent is here");
	check(ctx.ranked == 0 || ctx.state == HOMA_IN, "ranked in a wrong state");
	if (ctx.state == HOMA_IN && ctx.rx_granted < ctx.rx_length)
		check(ctx.ranked != 0, "wants grants without asking for them");
	if (ctx.state == HOMA_OUT || ctx.state == HOMA_REPLY) {
		const u32 limit = ctx.tx_granted < ctx.tx_ready ? ctx.tx_granted : ctx.tx_ready;
		check(ctx.tx_sent >= limit || ctx.queued != 0 || prog_rpc_proving(&ctx) != 0,
		      "may send and does not");
	}
}

void World::check_host(Host &h)
{
	static u64 calls;
	u64 held[2]{};
	u64 announced[2]{};
	u32 ranked[2]{};
	u32 lent[2]{};
	std::map<std::pair<int, bool>, std::pair<u32, u32>> of; // peers: held, waiting

	h.lends |= h.ctx.lent[0] + h.ctx.lent[1] != 0;
	if (h.rpcs.size() > all_rpcs_every && ++calls % all_rpcs_every != 0)
		return;
	for (auto &[key, rpc] : h.rpcs) {
		const size_t kind = std::get<1>(key) ? 1 : 0;
		held[kind] += rpc->ctx.held;
		if (rpc->ctx.announces != 0)
			announced[kind] += rpc->ctx.rx_unsched - rpc->ctx.rx_settled;
		ranked[kind] += rpc->ctx.ranked;
		lent[kind] += rpc->ctx.lent != 0 ? 1 : 0;
		auto &[holding, waiting] = of[{std::get<0>(key), std::get<1>(key)}];
		holding += rpc->ctx.held;
		waiting += rpc->ctx.waiting;
	}
	for (size_t kind = 0; kind < 2; kind++) {
		check(h.ctx.held[kind] == held[kind], "incoming is not the sum over messages");
		check(h.ctx.announced[kind] == announced[kind],
		      "announced is not the sum over messages");
		check(h.ctx.ranked[kind] == ranked[kind], "waiting is not the sum over messages");
		check(h.ctx.lent[kind] == lent[kind], "lent is not the sum over messages");
		check(lent[kind] <= h.params.overcommit, "too much is lent");
	}
	for (const auto &[peer, sums] : of)
		check(h.peers[peer].holding == sums.first && h.peers[peer].waiting == sums.second,
		      "a peer's is not the sum over its messages");
	const u64 most = h.params.max_incoming;
	const u64 lapsed = h.lends ? h.peers.size() * (h.params.fifo_chunk + settings.record) : 0;
	check(held[0] + held[1] <= most + most / 2 + 2ULL * h.params.quantum + lapsed,
	      "incoming over the cap");
}

// A server keeps its state until the RPC is acknowledged or its peer is dead.
void World::check_end(Host &h, Rpc &rpc, u32 before, u32 kind)
{
	const auto [peer, secure, id] = rpc.key;

	if (settings.forge > 0)
		return;
	if (kind == PROG_EV_TIMEOUT) {
		check(now() - rpc.heard >= h.params.dead_ns, "declared dead too early");
		excused.insert({h.number, peer, secure, id});
	}
	if (before == HOMA_REPLY)
		check(kind == PROG_EV_ACK || kind == PROG_EV_TIMEOUT ||
			      kind == PROG_EV_RPC_UNKNOWN || kind == PROG_EV_ABORT,
		      "server state ended without an acknowledgement");
	if (before == HOMA_SERVICE || (before == HOMA_READY && (id & 1) != 0))
		check(kind == PROG_EV_ABORT, "server state ended with the request in hand");
}

bool World::live() const
{
	for (const auto &h : hosts_)
		if (!h.rpcs.empty() || (h.fixed && h.fixed->live()))
			return true;
	return false;
}

size_t World::failed() const
{
	size_t n = 0;
	for (const auto &[key, outcome] : outcomes_)
		n += outcome.done == 0 || outcome.error != 0 ? 1 : 0;
	return n;
}

} // namespace sim
