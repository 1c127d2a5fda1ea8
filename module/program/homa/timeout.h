/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one timer of an RPC. It is set when the RPC begins to wait for its peer,
 * then here, where a wait for a grant ends (due.h), where later bytes show a hole,
 * and where an answer comes after long silence: packets note when they came
 * (rpc->active), and a timer that fires too early for that goes to sleep again.
 *
 * A hole is asked for when its time has come (path.h). An RPC that has heard
 * nothing for a while asks:
 *   client, request sent                 RESEND of all of the response
 *   either, part of a message is missing RESEND of that part, GRANT again
 *   either, nothing is missing           RESEND of no bytes: are you there?
 *   server, response sent                NEED_ACK
 *   server, response held (prove.h)      RESEND of the request's first byte
 * half as often each time while there is no answer, or it is BUSY, and fails when
 * nothing has been heard from the peer for prog_params.dead_ns. One RPC per peer
 * asks so at a time, a few where answers show that packets are lost.
 */
#ifndef SDP_PROGRAM_HOMA_TIMEOUT_H
#define SDP_PROGRAM_HOMA_TIMEOUT_H

#include "send.h"

/* TIMEOUT: whether it is time to ask, and because of silence or for a hole only. */
static inline void homa_timeout_check(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u64 due;

	scratch->stop = 1;
	scratch->silent = 0;
	if (!homa_sending(rpc) && rpc->state != HOMA_IN)
		return;
	if (homa_lent_due(ev, params, rpc))
		homa_raise(out, PROG_EV_GRANT_SETTLE);
	/* By another RPC. */
	if (rpc->strange == HOMA_HELD && prog_peer_proven(peer, ev->now)) {
		homa_send_proven(ev, params, rpc, out);
		return;
	}
	if (homa_due_ours(rpc)) {
		rpc->active = ev->now;
		rpc->tries = 0;
	}
	due = homa_due_at(params, rpc, peer);
	scratch->silent = ev->now >= due || (rpc->lost && !rpc->tries);
	scratch->stop = !scratch->silent &&
			homa_gap_due(ev, rpc, due) > ev->now + 1;
	if (scratch->stop)
		homa_due_sleep(ev, params, rpc, peer, out);
}

/*
 * TIMEOUT: the peer of a silent RPC may be dead. Or it lives, and has forsaken
 * this one.
 */
static inline void homa_timeout_dead(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u32 tries = homa_max(rpc->tries, peer->unanswered);
	u64 dead = homa_longer(params->dead_ns, HOMA_DEAD_MIN);
	u64 silence = ev->now - rpc->active;

	/* The silence that counts begins with a question. */
	if (rpc->patience && !rpc->tries)
		return;
	if (scratch->stop || !scratch->silent || tries < params->resend_tries ||
	    silence < dead)
		return;
	if (ev->now - peer->heard < dead && silence < dead * HOMA_FORSAKEN)
		return;
	scratch->stop = 1;
	if (peer->asker == ev->id)
		peer->asking = 0;
	homa_fail(ev, params, rpc, PROG_ETIMEDOUT, out);
}

/*
 * Whether another RPC's question to this peer has had no time for its answer yet; the
 * more, the more there had none before.
 */
static inline u32 homa_timeout_fresh(const struct prog_ev *ev,
				     const struct prog_params *params,
				     const struct prog_peer *peer)
{
	return peer->asking && peer->asker != ev->id &&
	       ev->now - peer->asked <
		       homa_double(homa_path_patience(params, peer),
				   homa_min(peer->unanswered, HOMA_DOUBLES),
				   HOMA_PATIENCE_MAX);
}

/*
 * Whether a question may go beside that one: where packets are lost each is about its
 * own. Not while there is no answer at all.
 */
static inline u32 homa_timeout_beside(const struct prog_peer *peer)
{
	return peer->loses && peer->unanswered <= 1 &&
	       peer->beside < HOMA_BESIDE;
}

/*
 * TIMEOUT: another RPC's question to this peer goes first, for a while; a longer one
 * each time, or for who has been told to be patient. Thousands may wait so.
 */
static inline void homa_timeout_turn(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u64 wait;

	if (scratch->stop || !scratch->silent || homa_due_answered(rpc) ||
	    rpc->put_off >= HOMA_PUT_OFF ||
	    homa_timeout_beside(peer) ||
	    !homa_timeout_fresh(ev, params, peer))
		return;
	scratch->stop = 1;
	wait = homa_due_interval(params, rpc, peer) >> 2;
	if (!rpc->patience)
		wait <<= homa_min(rpc->put_off, HOMA_PUT_OFF_DOUBLES);
	/* By then the other's answer is to be here. */
	if (!rpc->patience && peer->path && peer->unanswered <= 1)
		wait = homa_shorter(wait, homa_longer(peer->path,
						      params->resend_ns));
	if (wait > HOMA_PATIENCE_MAX)
		wait = HOMA_PATIENCE_MAX;
	rpc->put_off++;
	homa_timer_set(out, homa_lent_wake(ev, params, rpc, ev->now + wait));
}

/*
 * Ask for [@start, @end). Where answers come but bytes do not, what is asked for
 * fits a small packet: just so long means that, so a hole that happens to be, or is
 * made to be, is not asked for whole.
 */
static inline void homa_timeout_beg(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc, u32 start, u32 length,
				    u32 auth, struct mtp_out *out)
{
	u32 small = rpc->barren >= HOMA_TRY_SMALL ||
		    rpc->tries >= HOMA_TRY_SMALL + 2;
	u32 sought = homa_tick(ev->now) | HOMA_SOUGHT_MASK;

	rpc->begged = 1;
	if ((rpc->sought | HOMA_SOUGHT_MASK) != sought)
		rpc->sought = (sought & ~HOMA_SOUGHT_MASK) | HOMA_SOUGHT |
			      (rpc->sought ? HOMA_SOUGHT_AGAIN : 0);
	if (small && !auth) {
		length = homa_min(length, MTP_SMALL);
	} else if (length == MTP_SMALL && !auth) {
		length--;
		rpc->part--;
	}
	homa_packet_resend(out, params, start, length, auth);
}

/*
 * Time that what is granted and has not come takes at the rate of late, or up to twice
 * as long: what is sent again may queue behind it.
 */
static inline u64 homa_timeout_queue(const struct prog_rpc *rpc)
{
	u64 ticks = (u64)(rpc->rx_granted - rpc->rx_received) * rpc->spent;

	return homa_shorter(ticks << 10 >> homa_log2(rpc->came | HOMA_PACKET),
			    HOMA_PATIENCE_MAX);
}

/*
 * When to ask for a gap again that is asked for the @asked-th time: from the third on
 * twice as late each time, and the later, the longer there has been silence.
 */
static inline u32 homa_timeout_again(const struct prog_ev *ev,
				     const struct prog_rpc *rpc, u64 wait,
				     u32 asked)
{
	u32 doubles = homa_max(rpc->tries, asked > 2 ? asked - 2 : 0);

	wait = homa_double(wait, homa_min(doubles, HOMA_DOUBLES),
			   HOMA_PATIENCE_MAX);
	return homa_gap_at(ev->now + wait, asked + 1);
}

/* Was what we asked for before only late? Then have more patience. */
static inline void homa_timeout_spurious(struct prog_rpc *rpc,
					 struct prog_peer *peer)
{
	peer->spurious += rpc->copies && peer->spurious < HOMA_SPURIOUS_MAX;
	rpc->copies = 0;
}

/*
 * Ask for the gaps whose time has come, or after silence for all, but for no more than
 * a window. It comes again when there has been time for an answer; the longer, the
 * longer there has been silence. Returns what is left of the window.
 */
static inline u32 homa_timeout_gaps(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_peer *peer, u32 silent,
				    struct mtp_out *out)
{
	u64 wait = homa_longer(homa_path_patience(params, peer),
			       homa_timeout_queue(rpc));
	u32 window = homa_path_owed(ev, peer) ? HOMA_PACKET :
					    homa_path_window(params, peer);
	u32 room = window;
	u32 now = homa_tick(ev->now);
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++) {
		u32 missing = rpc->gap[i].end - rpc->gap[i].start;
		u32 asked = rpc->gap[i].due & HOMA_ASKED;
		s32 ticks = rpc->gap[i].due - now;
		u32 bytes = homa_min(missing, room);

		if (i >= rpc->gaps)
			break;
		if (ticks > 0 && !silent)
			continue;
		rpc->gap[i].due = homa_timeout_again(ev, rpc, wait, asked);
		room -= bytes;
		if (!bytes)
			continue;
		if (asked > 1)
			homa_path_owe(ev, peer, bytes);
		rpc->part = rpc->gap[i].start + bytes;
		homa_timeout_beg(ev, params, rpc, rpc->gap[i].start, bytes,
				 rpc->gap_auth >> i & 1, out);
	}
	if (room == window)
		return room;
	homa_timeout_spurious(rpc, peer);
	homa_path_lost(ev, params, peer, 0);
	return room;
}

/*
 * Ask for what is granted and missing after the last byte received: one packet, for
 * it may all be on its way, and come twice; if that one has to be sent again, all.
 * The grant
 * may have been lost: our own kind takes the RESEND for one, but others need it
 * after the RESEND, which they answer with BUSY.
 */
static inline void homa_timeout_tail(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer, u32 room,
				     struct mtp_out *out)
{
	u32 bytes = homa_min(rpc->rx_granted - rpc->rx_end,
			     rpc->lost ? room : HOMA_PACKET);

	if (peer->path)
		rpc->timed = 0;
	rpc->part = rpc->rx_end + bytes;
	if (rpc->tries)
		homa_path_owe(ev, peer, bytes);
	homa_timeout_beg(ev, params, rpc, rpc->rx_end, bytes, 0, out);
	if (rpc->rx_granted > rpc->rx_unsched)
		homa_packet_grant(out, rpc->rx_granted, rpc->rx_prio);
	homa_timeout_spurious(rpc, peer);
	/* After the first question its answer tells. */
	if (rpc->lost || rpc->tries)
		homa_path_lost(ev, params, peer, rpc->tries);
}

/* Silence: ask for what has not come. */
static inline void homa_timeout_silent(const struct prog_ev *ev,
				       const struct prog_params *params,
				       struct prog_rpc *rpc,
				       struct prog_peer *peer, u32 room,
				       struct mtp_out *out)
{
	if (homa_due_answered(rpc)) {
		homa_packet(out, PROG_PACKET_NEED_ACK);
	} else {
		rpc->asking = 1;
		if (rpc->strange == HOMA_HELD)
			homa_prove_ask(params, out);
		else if (homa_due_idle(rpc))
			homa_packet_resend(out, params, 0, 0, 0);
		else if (rpc->state == HOMA_OUT)
			homa_timeout_beg(ev, params, rpc, 0, PROG_LENGTH_ALL, 0, out);
		else if (rpc->rx_end < rpc->rx_granted && room)
			homa_timeout_tail(ev, params, rpc, peer, room, out);
	}
	if (rpc->state == HOMA_IN && (rpc->tries || rpc->patience) &&
	    (rpc->ranked || rpc->held)) {
		rpc->rx_stale = rpc->rx_granted;
		homa_raise(out, PROG_EV_GRANT_SETTLE);
	}
	if (rpc->patience && !rpc->tries)
		rpc->active = ev->now;
	if (!rpc->tries)
		rpc->first = ev->now;
	rpc->tries += rpc->tries < 255;
	rpc->put_off = 0;
	rpc->asked = ev->now;
}

/* TIMEOUT: ask. */
static inline void homa_timeout_ask(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_peer *peer,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	u32 room = 0;

	if (scratch->stop)
		return;
	if (rpc->state == HOMA_IN) {
		homa_path_grow(params, peer, rpc->rx_received - rpc->rx_grown);
		rpc->rx_grown = rpc->rx_received;
		room = homa_timeout_gaps(ev, params, rpc, peer,
					 scratch->silent, out);
	}
	if (scratch->silent)
		homa_timeout_silent(ev, params, rpc, peer, room, out);
	homa_due_sleep(ev, params, rpc, peer, out);
}

/* TIMEOUT: this RPC's question is the peer's one. */
static inline void homa_timeout_asked(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u64 dead = homa_longer(params->dead_ns, HOMA_DEAD_MIN);

	if (scratch->stop || !scratch->silent || !rpc->asking)
		return;
	/* Beside another's, which goes on to stand for all. */
	if (homa_timeout_beside(peer) &&
	    homa_timeout_fresh(ev, params, peer)) {
		peer->beside++;
		return;
	}
	/* Silence of long ago says nothing about today. */
	if (ev->now - peer->asked >= dead)
		peer->unanswered = 0;
	peer->asking = 1;
	peer->beside = 0;
	peer->asker = ev->id;
	peer->asked = ev->now;
	peer->unanswered += peer->unanswered < 255;
}

/*
 * The question of an RPC has been answered, or one of several. The time since the
 * first is no less than the path takes, that since the last no more. Control
 * packets may overtake bytes, so what they show to be shorter is believed slowly. An
 * outage before the first answer is not the path's time.
 */
static inline void homa_timeout_sample(const struct prog_ev *ev,
				       struct prog_rpc *rpc,
				       struct prog_peer *peer)
{
	u64 last = ev->now - rpc->asked;

	if (!rpc->first)
		return;
	if (!peer->path)
		homa_path_sample(peer, homa_shorter(ev->now - rpc->first,
						    last + HOMA_GUESS_MAX));
	else if (last > peer->path)
		homa_path_sample(peer, last);
	else
		homa_path_shorter(peer);
	rpc->first = 0;
}

/* PEER_ALIVE: an RPC that asked has heard something. */
static inline void homa_timeout_alive(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	/* The response has begun: its first byte may be the answer. */
	if (rpc->born == ev->now)
		homa_timeout_sample(ev, rpc, peer);
	peer->heard = ev->now;
	peer->unanswered = 0;
	peer->loses -= peer->loses > 0;
	if (ev->length)
		peer->loses = HOMA_LOSES;
	if (peer->asker == ev->id)
		peer->asking = 0;
}

/*
 * BUSY: the peer lives. While that is its answer, as it works on the request, has
 * not taken the response, or has others to serve first, there is no use in asking
 * often: thousands of RPCs may wait so. Whatever else it says ends that.
 */
static inline void homa_timeout_heard(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 asked = rpc->asking || (homa_due_answered(rpc) && rpc->tries);
	u32 patience = homa_min(rpc->patience + asked, HOMA_DOUBLES);

	homa_timeout_sample(ev, rpc, peer);
	peer->heard = ev->now;
	rpc->known |= rpc->asking;
	rpc->barren -= rpc->barren > 0;
	homa_heard(ev, rpc, out);
	rpc->patience = patience;
}

#endif /* SDP_PROGRAM_HOMA_TIMEOUT_H */
