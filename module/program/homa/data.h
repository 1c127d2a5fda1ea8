/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receiving a message. The way of a message of one packet is kept short: it
 * touches no context but its RPC (and, a fresh request in clear mode, its
 * client).
 */
#ifndef SDP_PROGRAM_HOMA_DATA_H
#define SDP_PROGRAM_HOMA_DATA_H

#include "range.h"

/* REQUEST_NEW_*: the RPC is ours to serve. */
static inline void homa_data_fresh(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	scratch->fresh = 1;
	rpc->server = 1;
	rpc->secure = ev->secure;
	rpc->strange = ev->strange ? HOMA_STRANGE : HOMA_KNOWN;
	homa_emit(out, MTP_CTX_KEEP, 0, 0, 0);
}

/* DATA: the RPC waits for the peer's message, and its length is what it was. */
static inline void homa_data_check(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	scratch->fresh = 0;
	if (rpc->state != HOMA_OUT && rpc->state != HOMA_IN)
		out->verdict = PROG_DROP_DUPLICATE;
	else if (rpc->rx_length && rpc->rx_length != ev->message_length)
		out->verdict = PROG_DROP_DISAGREES;
}

/*
 * Bytes that a new message may send without grants: what it says, but not more
 * than anybody may.
 */
static inline u32 homa_data_unsched(const struct prog_ev *ev,
				    const struct prog_params *params)
{
	return homa_min(ev->message_length,
			homa_min(ev->incoming, params->max_unsched));
}

/* Whether the packet's bytes are within the message and what was granted. */
static inline u32 homa_data_refuse(const struct prog_ev *ev,
				   const struct prog_params *params,
				   const struct prog_rpc *rpc)
{
	u32 granted = rpc->rx_length ? rpc->rx_granted :
				       homa_data_unsched(ev, params);
	u32 most = params->max_message[rpc->secure ? 1 : 0];

	if (!ev->message_length || ev->message_length > most)
		return PROG_DROP_LENGTH;
	if (ev->offset > ev->message_length ||
	    ev->length > ev->message_length - ev->offset)
		return PROG_DROP_RANGE;
	if (ev->offset + ev->length > granted)
		return PROG_DROP_UNGRANTED;
	return 0;
}

/*
 * The first packet of a message, whichever part it carries. The client's
 * request is not needed any more; but it would be work for nothing to say so
 * where the RPC ends with this packet.
 */
static inline void homa_data_begin(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   const struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 whole = ev->length == ev->message_length;

	rpc->state = HOMA_IN;
	rpc->born = ev->now;
	rpc->rx_length = ev->message_length;
	rpc->rx_unsched = homa_data_unsched(ev, params);
	rpc->rx_granted = rpc->rx_unsched;
	homa_emit(out, MTP_RX_NEW, 0, ev->message_length, 0);
	/* A server may have answered before it had, or after it lost, all of it. */
	if (rpc->queued)
		homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_SEND, 0, 0);
	rpc->queued = 0;
	if (whole)
		return;
	homa_timer_set(out, ev->now + params->resend_ns);
	if (scratch->fresh)
		return;
	homa_emit(out, MTP_TX_FLUSH, 0, 0, 0);
}

/* Whether the sender's cutoffs are not ours. */
static inline u32 homa_data_stale(const struct prog_ev *ev,
				  const struct prog_params *params)
{
	if (ev->echo == PROG_ECHO_PLAIN)
		return ev->cutoff_version != params->cutoff_version;
	return ev->echo == PROG_ECHO_WRONG;
}

static inline void homa_data_start(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	out->verdict = homa_data_refuse(ev, params, rpc);
	if (out->verdict)
		return;
	if (!rpc->rx_length)
		homa_data_begin(ev, params, rpc, scratch, out);
	if (rpc->strange || ev->echo == PROG_ECHO_RIGHT)
		homa_raise(out, PROG_EV_ECHO);
	/* Once per RPC, lest a burst of old packets be answered by a burst. */
	if (homa_data_stale(ev, params) && !rpc->offered) {
		rpc->offered = 1;
		homa_packet(out, PROG_PACKET_CUTOFFS);
	}
}

/* Whether a sender cuts its packets here: nothing follows before the next. */
static inline u32 homa_data_cut(const struct prog_ev *ev, u32 end)
{
	return end == ev->message_length || end == ev->incoming ||
	       (ev->record && end % ev->record == 0);
}

/*
 * End of the bytes that are taken of a packet. In secure mode anybody can copy
 * a genuine header and put other bytes behind it: each piece so small that no
 * sender makes it would cost memory and a gap of its own. The header says how
 * many bytes there are in a packet; what is left over after whole ones, and is
 * less than half of one, is taken only where something ends: a segment, the
 * message, a gap, or the part of it that was asked for.
 */
static inline u32 homa_data_end(const struct prog_ev *ev,
				const struct prog_rpc *rpc)
{
	u32 end = ev->offset + ev->length;
	u32 rest;

	if (!ev->payload || ev->auth)
		return end;
	rest = ev->length % ev->payload;
	if (rest << 1 >= ev->payload || homa_data_cut(ev, end) ||
	    homa_range_closes(rpc, end) || end == rpc->part)
		return end;
	return end - rest;
}

/*
 * Whether a packet says that the peer is alive, and sends. In the clear any
 * does. A secure one may be an old one, or its header with other bytes: only
 * what brings news counts, so that such packets hold off a question as often
 * as the message has bytes for, and no longer.
 */
static inline u32 homa_data_alive(const struct prog_ev *ev,
				  const struct prog_rpc *rpc, u32 end)
{
	if (!rpc->secure || ev->auth)
		return 1;
	if (!homa_range_news(rpc, ev->offset, end))
		return 0;
	return end - ev->offset >= ev->payload >> 1 || homa_data_cut(ev, end);
}

/* @bytes came @gap ticks after those before them. */
static inline void homa_data_rate(struct prog_rpc *rpc, u32 gap, u32 bytes)
{
	rpc->pace = homa_max(rpc->pace, gap);
	rpc->spent += gap;
	rpc->came += bytes;
	if (rpc->came < HOMA_RATE_BYTES && rpc->spent < HOMA_RATE_TICKS)
		return;
	rpc->spent >>= 1;
	rpc->came >>= 1;
}

/*
 * The message makes progress. How long bytes take to follow each other tells how
 * long to wait for the next; unless we had to ask for them, and they or the grant
 * for them had been lost.
 */
static inline void homa_data_progress(const struct prog_ev *ev,
				      struct prog_rpc *rpc, u32 before,
				      struct mtp_out *out)
{
	u32 gap = homa_tick(ev->now) - rpc->moved;

	if (before) {
		rpc->pace -= rpc->pace >> 6;
		if (!ev->again && (!rpc->tries || ev->offset != rpc->rx_before))
			homa_data_rate(rpc, homa_min(gap, HOMA_PACE_MAX),
				       rpc->rx_received - before);
	}
	rpc->moved = homa_tick(ev->now);
	rpc->barren = 0;
	if (rpc->patience)
		homa_timer_set(out, ev->now + 1);
	rpc->patience = 0;
	homa_heard(ev, rpc, out);
	if ((rpc->timed && !ev->again &&
	     ev->offset + ev->length > rpc->rx_timed) ||
	    (rpc->sought && ev->again && rpc->part > ev->offset &&
	     rpc->part <= ev->offset + ev->length))
		homa_raise(out, PROG_EV_PATH);
}

/*
 * Whether there is more to ask for: later bytes show a new gap, or the last byte
 * that we asked for is here, and there was no room to ask for more, or had to be
 * sent again. Or the peer context is to hear of a packet that was late.
 */
static inline u32 homa_data_hole(const struct prog_ev *ev, struct prog_rpc *rpc,
				 u32 end, u32 gaps)
{
	u32 last = rpc->part > ev->offset && rpc->part <= end;
	u32 i;

	rpc->lost = ev->again && rpc->rx_end < rpc->rx_granted &&
		    (rpc->lost || (last && rpc->part == rpc->rx_end));
	if (last)
		for (i = 0; i < HOMA_GAPS; i++)
			if (rpc->gap[i].start >= rpc->part)
				rpc->gap[i].due = 0;
	return rpc->late || rpc->gaps > gaps || (last && (rpc->gaps || rpc->lost));
}

/*
 * Keep what is new of the packet. One with nothing new is no progress, but in the
 * clear it still says that the peer is alive.
 */
static inline void homa_data_place(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 before = rpc->rx_received;
	u32 end = homa_data_end(ev, rpc);
	u32 alive = homa_data_alive(ev, rpc, end);
	u32 gaps = rpc->gaps;
	u32 late;

	if (homa_range_full(rpc, ev->offset, end)) {
		out->verdict = PROG_DROP_GAPS;
		return;
	}
	late = !ev->again && homa_range_asked(rpc, ev->offset);
	if (ev->offset < end)
		homa_range_insert(rpc, ev->offset, end, ev->auth, scratch, out);
	rpc->late |= late && rpc->rx_received != before;
	if (alive && (rpc->rx_received != before || !ev->length)) {
		homa_data_progress(ev, rpc, before, out);
	} else if (alive) {
		rpc->copies |= rpc->begged && ev->again;
		homa_alive(rpc, 0, out);
	}
	if (homa_data_hole(ev, rpc, end, gaps))
		homa_raise(out, PROG_EV_HOLE);
	if (rpc->rx_received != before || out->count)
		return;
	if (end < ev->offset + ev->length)
		out->verdict = PROG_DROP_TINY;
	else
		out->verdict = rpc->gap_auth && !ev->auth ?
			PROG_DROP_UNAUTHENTICATED : PROG_DROP_DUPLICATE;
}

/*
 * Whether enough has happened for the host context to hear of it: grants are
 * wanted for the first time, a quarter of the window has arrived, or all that
 * was granted has.
 */
static inline u32 homa_data_settles(const struct prog_params *params,
				    const struct prog_rpc *rpc)
{
	u32 news = rpc->rx_received - rpc->rx_settled;

	if (!rpc->ranked && !rpc->held)
		return rpc->rx_granted < rpc->rx_length;
	return news >= (rpc->rx_step ? rpc->rx_step : params->window >> 2) ||
	       rpc->rx_received >= rpc->rx_granted;
}

static inline void homa_data_finish(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	if (rpc->rx_received < rpc->rx_length) {
		if (homa_data_settles(params, rpc))
			homa_raise(out, PROG_EV_GRANT_SETTLE);
		return;
	}
	rpc->state = HOMA_READY;
	homa_leave_host(rpc, out);
	if (rpc->server && !rpc->secure && !scratch->fresh)
		homa_raise(out, PROG_EV_REQUEST_DONE);
	homa_emit(out, MTP_NOTIFY, MTP_NOTIFY_READY, 0, 0);
}

#endif /* SDP_PROGRAM_HOMA_DATA_H */
