/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one timer of an RPC. It is set when the RPC begins to wait for its peer,
 * then here, and where an answer comes after long silence: packets note when they
 * came (rpc->active), and a timer that fires too early for that goes to sleep again.
 *
 * An RPC that has heard nothing for a while asks:
 *   client, request sent                 RESEND of all of the response
 *                                        (less and less often while that is
 *                                        answered with BUSY or RPC_UNKNOWN)
 *   either, part of a message is missing RESEND of each gap, GRANT again
 *   either, nothing is missing           RESEND of no bytes: are you there?
 *   server, response sent                NEED_ACK
 * less and less often while there is no answer, and fails when neither it nor
 * others have had one from the peer for prog_params.dead_ns. One RPC per peer asks
 * with RESEND at a time.
 */
#ifndef SDP_PROGRAM_HOMA_TIMEOUT_H
#define SDP_PROGRAM_HOMA_TIMEOUT_H

#include "rpc.h"

/* All of a response has been sent: what is missing is the acknowledgement. */
static inline u32 homa_timeout_answered(const struct prog_rpc *rpc)
{
	return rpc->state == HOMA_REPLY && rpc->tx_sent == rpc->tx_length;
}

/*
 * Time from one question to the next. Without an answer it doubles, with every other
 * RESEND and every NEED_ACK: silence may be of a path that is full, not least of
 * questions.
 */
static inline u64 homa_timeout_interval(const struct prog_params *params,
					const struct prog_rpc *rpc)
{
	u32 answered = homa_timeout_answered(rpc);
	u64 interval = answered ? params->need_ack_ns : params->resend_ns;
	u64 most = HOMA_PATIENCE_MAX;
	u32 doubles = rpc->patience;

	if (rpc->tries) {
		doubles = homa_min(answered ? rpc->tries : rpc->tries / 2,
				   HOMA_SILENCE_DOUBLES);
		if (params->dead_ns >> HOMA_SILENCE_SHIFT < most)
			most = params->dead_ns >> HOMA_SILENCE_SHIFT;
	}
	if (interval >= most)
		return interval;
	interval <<= doubles;
	return interval < most ? interval : most;
}

/* It is our turn: there is leave to send what has not been sent. */
static inline u32 homa_timeout_ours(const struct prog_rpc *rpc)
{
	return homa_sending(rpc) && rpc->tx_sent < rpc->tx_granted;
}

/* TIMEOUT: whether it is time to ask. */
static inline void homa_timeout_check(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u64 since = rpc->active > rpc->asked ? rpc->active : rpc->asked;
	u64 due = since + homa_timeout_interval(params, rpc);

	scratch->stop = 1;
	if (!homa_sending(rpc) && rpc->state != HOMA_IN)
		return;
	if (homa_timeout_ours(rpc)) {
		rpc->active = ev->now;
		rpc->tries = 0;
		due = ev->now + params->resend_ns;
	}
	if (ev->now < due) {
		homa_timer_set(out, due);
		return;
	}
	scratch->stop = 0;
}

/* TIMEOUT: the peer of a silent RPC may be dead. */
static inline void homa_timeout_dead(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u32 tries = homa_max(rpc->tries, peer->unanswered);

	/* The silence that counts begins with a question. */
	if (rpc->patience && !rpc->tries)
		return;
	if (scratch->stop || tries < params->resend_tries ||
	    ev->now - rpc->active < params->dead_ns)
		return;
	scratch->stop = 1;
	if (peer->asker == ev->id)
		peer->asking = 0;
	homa_fail(ev, params, rpc, PROG_ETIMEDOUT, out);
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

	if (scratch->stop || homa_timeout_answered(rpc) || !peer->asking ||
	    peer->asker == ev->id || rpc->put_off >= HOMA_PUT_OFF ||
	    ev->now - peer->asked >= params->resend_ns)
		return;
	scratch->stop = 1;
	wait = homa_timeout_interval(params, rpc) >> 2;
	if (!rpc->patience)
		wait <<= homa_min(rpc->put_off, HOMA_PUT_OFF_DOUBLES);
	if (wait > HOMA_PATIENCE_MAX)
		wait = HOMA_PATIENCE_MAX;
	rpc->put_off++;
	homa_timer_set(out, ev->now + wait);
}

/*
 * Ask for all that is granted and missing. Where bytes past the last ones
 * received are missing, the grant may have been lost: it is repeated, after the
 * RESEND, which the sender of bytes that it had no leave for answers with BUSY.
 */
static inline void homa_timeout_missing(const struct prog_params *params,
					const struct prog_rpc *rpc,
					struct mtp_out *out)
{
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps)
			homa_packet_resend(out, params, rpc->gap[i].start,
					   rpc->gap[i].end - rpc->gap[i].start,
					   rpc->gap_auth >> i & 1);
	if (rpc->rx_end < rpc->rx_granted) {
		homa_packet_resend(out, params, rpc->rx_end,
				   rpc->rx_granted - rpc->rx_end, 0);
		if (rpc->rx_granted > rpc->rx_unsched)
			homa_packet_grant(out, rpc->rx_granted, rpc->rx_prio);
	} else if (!rpc->gaps) {
		homa_packet_resend(out, params, 0, 0, 0);
	}
}

/* TIMEOUT: ask. */
static inline void homa_timeout_ask(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	if (scratch->stop)
		return;
	if (homa_timeout_answered(rpc)) {
		homa_packet(out, PROG_PACKET_NEED_ACK);
	} else {
		rpc->asking = 1;
		if (rpc->state == HOMA_IN)
			homa_timeout_missing(params, rpc, out);
		else
			homa_packet_resend(out, params, 0,
					   rpc->server ? 0 : PROG_LENGTH_ALL, 0);
	}
	if (rpc->patience && !rpc->tries)
		rpc->active = ev->now;
	rpc->tries += rpc->tries < 255;
	rpc->put_off = 0;
	rpc->asked = ev->now;
	homa_timer_set(out, ev->now + homa_timeout_interval(params, rpc));
}

/* TIMEOUT: this RPC's question is the peer's one. */
static inline void homa_timeout_asked(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	if (scratch->stop || !rpc->asking)
		return;
	/* Silence of long ago says nothing about today. */
	if (ev->now - peer->asked >= params->dead_ns)
		peer->unanswered = 0;
	peer->asking = 1;
	peer->asker = ev->id;
	peer->asked = ev->now;
	peer->unanswered += peer->unanswered < 255;
}

/* PEER_ALIVE: the question of an RPC has been answered. */
static inline void homa_timeout_alive(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	peer->unanswered = 0;
	if (peer->asker == ev->id)
		peer->asking = 0;
}

/*
 * BUSY: the peer lives. While that is its answer, as it works on the request or has
 * not taken the response, there is no use in asking often: thousands of RPCs may wait
 * so. Whatever else it says ends that.
 */
static inline void homa_timeout_heard(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 answered = homa_timeout_answered(rpc);
	u32 asked = rpc->asking || (answered && rpc->tries);
	u32 patience = homa_min(rpc->patience + asked, HOMA_BUSY_DOUBLES);

	rpc->patience = 0;
	homa_heard(ev, rpc, out);
	if (answered ||
	    (rpc->state == HOMA_OUT && rpc->tx_sent == rpc->tx_length))
		rpc->patience = patience;
}

#endif /* SDP_PROGRAM_HOMA_TIMEOUT_H */
