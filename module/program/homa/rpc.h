/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words that all chains use: one function per instruction, and the few things
 * that happen to an RPC from many sides.
 *
 * No chain emits more than MTP_MAX_INSNS instructions; the longest are DATA
 * that fills all gaps at once (17 RX_ADD and up to 10 others) and TIMEOUT with
 * all gaps open (17 RESEND and up to 4 others).
 */
#ifndef SDP_PROGRAM_HOMA_RPC_H
#define SDP_PROGRAM_HOMA_RPC_H

#include "tables.h"

static inline u32 homa_min(u32 a, u32 b)
{
	return a < b ? a : b;
}

static inline u32 homa_max(u32 a, u32 b)
{
	return a > b ? a : b;
}

static inline u64 homa_longer(u64 a, u64 b)
{
	return a > b ? a : b;
}

static inline u64 homa_shorter(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline void homa_emit(struct mtp_out *out, u8 op, u8 what, u32 a, u32 b)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = op, .what = what, .a = a, .b = b,
	};
}

static inline void homa_rank_set(struct mtp_out *out, u8 rank, u64 key)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_RANK_SET, .what = rank, .key = key,
	};
}

/* The RPC's peer has another place in a rank. */
static inline void homa_rank_place(struct mtp_out *out, u8 rank, u64 place,
				   u32 number)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_RANK_PLACE, .what = rank, .key = place, .a = number,
	};
}

static inline void homa_timer_set(struct mtp_out *out, u64 deadline)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_TIMER_SET, .key = deadline,
	};
}

/* Rounded down; of 0, as of 1. */
static inline u32 homa_log2(u32 value)
{
	return 31 - __builtin_clz(value | 1);
}

/* Times are compared in ticks of 1,024 ns, which 32 bits hold for an hour. */
static inline u32 homa_tick(u64 ns)
{
	return ns >> 10;
}

/* A gap's time to be asked for, the @asked-th time. */
static inline u32 homa_gap_at(u64 ns, u32 asked)
{
	return (homa_tick(ns) & ~HOMA_ASKED) | homa_min(asked, HOMA_ASKED);
}

/* When to ask for the first of the gaps, if before @latest. */
static inline u64 homa_gap_due(const struct prog_ev *ev,
			       const struct prog_rpc *rpc, u64 latest)
{
	u64 first = latest;
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++) {
		s32 ticks = rpc->gap[i].due - homa_tick(ev->now);
		u64 due = ev->now + 1;

		if (i >= rpc->gaps)
			break;
		if (ticks > 0)
			due += (u64)ticks << 10;
		if (due < first)
			first = due;
	}
	return first;
}

static inline void homa_packet(struct mtp_out *out, u8 type)
{
	homa_emit(out, MTP_PACKET, type, 0, 0);
}

static inline void homa_packet_resend(struct mtp_out *out,
				      const struct prog_params *params,
				      u32 start, u32 length, u32 auth)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_PACKET,
		.what = PROG_PACKET_RESEND,
		.prio = params->prios - 1,
		.flags = auth ? MTP_TX_AUTH : 0,
		.a = start,
		.b = length,
	};
}

static inline void homa_packet_grant(struct mtp_out *out, u32 offset, u8 prio)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_PACKET,
		.what = PROG_PACKET_GRANT,
		.prio = prio,
		.a = offset,
	};
}

static inline void homa_raise(struct mtp_out *out, u8 event)
{
	homa_emit(out, MTP_RAISE, event, 0, 0);
}

/* Whether our own message is on its way. */
static inline u32 homa_sending(const struct prog_rpc *rpc)
{
	return rpc->state == HOMA_OUT || rpc->state == HOMA_REPLY;
}

/*
 * The peer lives. Its context is told only if it waits for an answer, and whether
 * that shows a packet to be @lost.
 */
static inline void homa_alive(struct prog_rpc *rpc, u32 lost,
			      struct mtp_out *out)
{
	if (!rpc->asking)
		return;
	rpc->asking = 0;
	homa_emit(out, MTP_RAISE, PROG_EV_PEER_ALIVE, lost, 0);
}

/*
 * The peer has been heard about this RPC. Its context is needed only to tell
 * it that its question has been answered: not on the way of every packet.
 */
static inline void homa_heard(const struct prog_ev *ev, struct prog_rpc *rpc,
			      struct mtp_out *out)
{
	/* No longer to wait as long as that. */
	if (rpc->tries > 1)
		homa_timer_set(out, ev->now + 1);
	rpc->active = ev->now;
	rpc->tries = 0;
	homa_alive(rpc, ev->again, out);
}

/* The host context gives back what this RPC holds of it. */
static inline void homa_leave_host(const struct prog_rpc *rpc,
				   struct mtp_out *out)
{
	if (rpc->ranked || rpc->held)
		homa_raise(out, PROG_EV_GRANT_SETTLE);
}

/*
 * The RPC ends here. A request that took long is remembered from now on, not
 * from when it was received: a late copy of it must not be executed.
 */
static inline void homa_over(const struct prog_ev *ev,
			     const struct prog_params *params,
			     struct prog_rpc *rpc, struct mtp_out *out)
{
	u32 received = rpc->state == HOMA_READY || rpc->state == HOMA_SERVICE ||
		       rpc->state == HOMA_REPLY;

	rpc->state = HOMA_OVER;
	homa_leave_host(rpc, out);
	if (rpc->server && !rpc->secure && received &&
	    ev->now - rpc->born >= prog_forget_ns(params) >> 2)
		homa_raise(out, PROG_EV_REQUEST_DONE);
	homa_emit(out, MTP_CTX_END, 0, 0, 0);
}

/* The RPC has failed: a client is told, at a server it just ends. */
static inline void homa_fail(const struct prog_ev *ev,
			     const struct prog_params *params,
			     struct prog_rpc *rpc, u32 error,
			     struct mtp_out *out)
{
	if (rpc->server) {
		homa_over(ev, params, rpc, out);
		return;
	}
	rpc->state = HOMA_FAILED;
	homa_leave_host(rpc, out);
	homa_emit(out, MTP_TIMER_CANCEL, 0, 0, 0);
	if (rpc->queued)
		homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_SEND, 0, 0);
	rpc->queued = 0;
	homa_emit(out, MTP_TX_FLUSH, 0, 0, 0);
	homa_emit(out, MTP_NOTIFY, MTP_NOTIFY_FAILED, error, 0);
}

/*
 * The peer answers, but with nothing that helps: small packets pass, and those
 * that are asked for do not. Returns whether that has gone on for too long, and
 * the RPC has failed.
 */
static inline u32 homa_barren(const struct prog_ev *ev,
			      const struct prog_params *params,
			      struct prog_rpc *rpc, struct mtp_out *out)
{
	if (!rpc->asking)
		return 0;
	rpc->barren++;
	if (rpc->barren < HOMA_BARREN)
		return 0;
	homa_fail(ev, params, rpc, PROG_ETIMEDOUT, out);
	return 1;
}

#endif /* SDP_PROGRAM_HOMA_RPC_H */
