/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Granting: to the messages with the fewest bytes remaining, of different
 * peers, several at once; each has a window of bytes on the way, and all
 * together a cap. A small share goes to the oldest message, so that none
 * starves.
 *
 * What a message has granted and not received, beyond its unscheduled bytes, is
 * held: rpc->held, summed up in host->held. It is brought up to date by
 * GRANT_SETTLE, a few times per window, not with every packet. What does not come
 * (rpc->rx_stale) is held no longer, and until it has come all others go first. So is
 * what it has announced: its unscheduled bytes, while it wants grants for the rest.
 */
#ifndef SDP_PROGRAM_HOMA_GRANT_H
#define SDP_PROGRAM_HOMA_GRANT_H

#include "lend.h"

/* After all others that want grants. */
#define HOMA_GRANT_LAST (1ull << 32)

/* What the RPC had announced when it was last counted. */
static inline u32 homa_grant_announced(const struct prog_rpc *rpc)
{
	return rpc->announces ? rpc->rx_unsched - rpc->rx_settled : 0;
}

/* Count what the RPC holds, and has announced, now. */
static inline void homa_grant_count(const struct prog_ev *ev,
				    struct prog_rpc *rpc, struct prog_peer *peer,
				    struct prog_host *host, struct mtp_out *out)
{
	u32 used = homa_max(homa_max(rpc->rx_received, rpc->rx_unsched),
			    rpc->rx_stale);
	u32 held = rpc->state == HOMA_IN ? rpc->rx_granted - used : 0;
	u32 class = homa_class(rpc);

	host->held[class] = host->held[class] - rpc->held + held;
	homa_lend_hold(ev, rpc, peer, held, out);
	rpc->held = held;
	host->announced[class] -= homa_grant_announced(rpc);
	rpc->rx_settled = rpc->rx_received;
	rpc->announces = rpc->state == HOMA_IN && !rpc->rx_stale &&
			 rpc->rx_received < rpc->rx_unsched;
	host->announced[class] += homa_grant_announced(rpc);
}

static inline void homa_grant_enter(struct prog_rpc *rpc, struct prog_host *host,
				    struct mtp_out *out)
{
	if (rpc->ranked)
		return;
	rpc->ranked = 1;
	host->ranked[homa_class(rpc)]++;
	homa_rank_set(out, PROG_RANK_FIFO, rpc->born);
}

static inline void homa_grant_leave(struct prog_rpc *rpc, struct prog_peer *peer,
				    struct prog_host *host, struct mtp_out *out)
{
	if (!rpc->ranked)
		return;
	rpc->ranked = 0;
	host->ranked[homa_class(rpc)]--;
	homa_lend_leave(rpc, peer, out);
	homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_FIFO, 0, 0);
	homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_GRANT, 0, 0);
}

/* GRANT_SETTLE: bytes have arrived, or the message ends. */
static inline void homa_grant_settle(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer,
				     struct prog_host *host,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u32 denied = host->denied[0] || host->denied[1];
	u64 owes = rpc->rx_stale > rpc->rx_received;
	u32 moves = !rpc->ranked || rpc->rx_stale ||
		    rpc->rx_received != rpc->rx_settled;

	homa_lend_count(ev, params, rpc, host);
	homa_grant_count(ev, rpc, peer, host, out);
	homa_lend_return(ev, rpc, peer, host, out);
	if (rpc->state == HOMA_IN && rpc->rx_granted < rpc->rx_length) {
		homa_grant_enter(rpc, host, out);
		/* Of equal ones who came first is first. */
		if (moves) {
			rpc->barred = 0;
			homa_rank_set(out, PROG_RANK_GRANT,
				      (rpc->rx_length - rpc->rx_received) |
				      (owes ? HOMA_GRANT_LAST : 0));
		}
		if (rpc->rx_stale)
			homa_rank_set(out, PROG_RANK_FIFO,
				      rpc->born | owes << 63);
		rpc->rx_stale = owes ? rpc->rx_stale : 0;
		homa_lend_wait(ev, params, rpc, peer, host, out);
	} else {
		homa_grant_leave(rpc, peer, host, out);
	}
	if (!denied)
		return;
	host->denied[0] = 0;
	host->denied[1] = 0;
	homa_emit(out, MTP_RANK_KICK, PROG_RANK_GRANT, 0, 0);
}

/*
 * Bytes that messages of a class may be granted now. The other class counts for
 * no more than half, so what it holds never keeps this one from its own half;
 * and clear messages take no more than half while secure ones wait. What the class's
 * messages announce is in the queue before what is granted now, but may never come: it
 * takes half of the room at most. A class that holds nothing gets a quantum even where
 * the cap is less than that.
 */
static inline u32 homa_grant_room(const struct prog_params *params,
				  const struct prog_host *host, u32 class,
				  u32 quantum)
{
	u64 half = params->max_incoming >> 1;
	u64 other = host->held[!class];
	u64 most = params->max_incoming - (other < half ? other : half);

	if (!class && host->ranked[1] && most > half)
		most = half;
	most -= homa_shorter(host->announced[class], most >> 1);
	if (!host->held[class] && most < quantum)
		return quantum;
	return host->held[class] < most ? most - host->held[class] : 0;
}

/* The oldest message's share of what has been granted. */
static inline void homa_grant_share(const struct prog_params *params,
				    struct prog_host *host, u32 bytes,
				    struct mtp_out *out)
{
	host->fifo_credit += bytes / 1000 * params->fifo_share +
			     bytes % 1000 * params->fifo_share / 1000;
	if (host->fifo_credit < params->fifo_chunk)
		return;
	/* Nobody may save up for a burst. */
	if (host->fifo_credit > (u64)params->fifo_chunk << 4)
		host->fifo_credit = (u64)params->fifo_chunk << 4;
	homa_emit(out, MTP_RANK_KICK, PROG_RANK_FIFO, 0, 0);
}

/*
 * Grant up to byte @want, as far as there is @room. Returns the bytes granted.
 */
static inline u32 homa_grant_issue(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_peer *peer,
				   struct prog_host *host, u32 room,
				   u32 want, u32 quantum, u8 prio,
				   struct mtp_out *out)
{
	u32 before = rpc->rx_granted;
	u32 waited = rpc->rx_received == before;

	if (want <= before)
		return 0;
	if (want - before > room) {
		host->denied[homa_class(rpc)] = 1;
		want = before + room;
		want -= want % quantum;
		if (want <= before)
			return 0;
	}
	/* The peer's turn begins, unless it was its turn already. */
	if (waited) {
		rpc->active = ev->now;
		rpc->moved = homa_tick(ev->now);
		rpc->patience = 0;
	}
	/* The path is timed, unless what is waited for may have been lost. */
	if (!rpc->timed && !rpc->tries) {
		rpc->timed = ev->now;
		rpc->rx_timed = before;
	}
	rpc->rx_before = before;
	rpc->rx_granted = want;
	rpc->rx_prio = prio;
	homa_lend_count(ev, params, rpc, host);
	homa_grant_count(ev, rpc, peer, host, out);
	homa_lend_leave(rpc, peer, out);
	homa_lend_end(rpc, host, out);
	/* The timer was set for one that waits, unless it has not come yet. */
	if (waited && ev->now - rpc->born >= params->resend_ns)
		homa_due_sleep(ev, params, rpc, peer, out);
	if (want == rpc->rx_length)
		homa_grant_leave(rpc, peer, host, out);
	homa_packet_grant(out, want, prio);
	return want - before;
}

/*
 * More than a window has to come first of what needs no grant: until then the place is for
 * another, lest bytes that are announced and never come keep it.
 */
static inline void homa_grant_bar(struct prog_rpc *rpc, struct mtp_out *out)
{
	rpc->barred = 1;
	homa_rank_set(out, PROG_RANK_GRANT,
		      (rpc->rx_length - rpc->rx_received) | HOMA_GRANT_LAST);
}

/*
 * GRANT_TURN: the RPC is a winner. Levels for scheduled data are used from the
 * lowest up, so that a shorter message that comes later finds one above.
 */
static inline void homa_grant_turn(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc, struct prog_peer *peer,
				   struct prog_host *host,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 window, quantum;
	u32 levels = homa_min(ev->winners, params->sched_prios);
	u32 above = ev->position + 1u;
	u32 want, room;

	if (!rpc->ranked || ev->position >= params->overcommit)
		return;
	homa_path_grow(params, peer, rpc->rx_received - rpc->rx_grown);
	rpc->rx_grown = rpc->rx_received;
	window = homa_path_window(params, peer);
	quantum = homa_quantum(ev, params, window);
	rpc->rx_step = window >> 2;
	want = homa_round(rpc->rx_received + window, quantum);
	if (want <= rpc->rx_granted && !rpc->held && !rpc->barred)
		homa_grant_bar(rpc, out);
	room = homa_grant_room(params, host, homa_class(rpc), quantum);
	want = homa_grant_issue(ev, params, rpc, peer, host, room,
				homa_min(want, rpc->rx_length), quantum,
				levels > above ? levels - above : 0, out);
	if (want)
		homa_grant_share(params, host, want, out);
}

/* The highest level for scheduled data. */
static inline u32 homa_grant_urgent(const struct prog_params *params)
{
	return params->sched_prios ? params->sched_prios - 1 : 0;
}

/* FIFO_TURN: the RPC is the oldest that wants grants. */
static inline void homa_grant_fifo(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc, struct prog_peer *peer,
				   struct prog_host *host,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 window = homa_path_window(params, peer);
	u32 quantum = homa_quantum(ev, params, window);
	u32 want, room;

	if (!rpc->ranked || host->fifo_credit < params->fifo_chunk ||
	    rpc->rx_granted - rpc->rx_received > window)
		return;
	room = homa_grant_room(params, host, homa_class(rpc), quantum);
	want = homa_round(rpc->rx_granted + params->fifo_chunk, quantum);
	want = homa_grant_issue(ev, params, rpc, peer, host, room,
				homa_min(want, rpc->rx_length), quantum,
				homa_grant_urgent(params), out);
	if (want)
		host->fifo_credit -= params->fifo_chunk;
}

/*
 * LEND_TURN: of those that wait for a quantum, the RPC's peer has held bytes for the
 * shortest time.
 */
static inline void homa_grant_lend(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc, struct prog_peer *peer,
				   struct prog_host *host,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 window = homa_path_window(params, peer);
	u32 quantum = homa_quantum(ev, params, window);
	u32 want = homa_round(rpc->rx_granted +
			      homa_min(params->fifo_chunk, window), quantum);

	if (!homa_lend_left(params, rpc, peer, host))
		return;
	homa_grant_issue(ev, params, rpc, peer, host, want,
			 homa_min(want, rpc->rx_length), quantum,
			 homa_grant_urgent(params), out);
	homa_lend_begin(ev, params, rpc, peer, host);
	homa_due_sleep(ev, params, rpc, peer, out);
}

#endif /* SDP_PROGRAM_HOMA_GRANT_H */
