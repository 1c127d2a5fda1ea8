/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ends of an RPC, and its starting over.
 */
#ifndef SDP_PROGRAM_HOMA_END_H
#define SDP_PROGRAM_HOMA_END_H

#include "send.h"

/*
 * DELIVERED: -EINVAL unless there was something to take. Where the requests to come
 * may be of the other mode, which carry no acknowledgement of this one, it goes now.
 */
static inline void homa_end_delivered(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 here;

	rpc->verified |= ev->verified;
	here = rpc->state == HOMA_READY && (!rpc->secure || rpc->verified);
	if (here && rpc->server) {
		rpc->state = HOMA_SERVICE;
	} else if (here) {
		if (ev->ack_now)
			homa_packet(out, PROG_PACKET_ACK);
		else
			homa_raise(out, PROG_EV_ACK_LATER);
		homa_over(ev, params, rpc, out);
	} else if (rpc->state == HOMA_FAILED) {
		homa_over(ev, params, rpc, out);
	} else {
		out->verdict = -PROG_EINVAL;
	}
}

/*
 * ABORT: the application gives up. A client that names an error hears of it as
 * of any failure. The peer finds out when it asks.
 */
static inline void homa_end_abort(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc,
				  struct prog_scratch *scratch,
				  struct mtp_out *out)
{
	if (!ev->error)
		homa_over(ev, params, rpc, out);
	else if (rpc->state != HOMA_FAILED)
		homa_fail(ev, params, rpc, ev->error, out);
}

/*
 * The client starts its request over: the same bytes. It may have been lost, or
 * refused by a server whose memory is full: less and less often. Or it is still on
 * its way, which the question has overtaken: so one packet is sent again, and the
 * server asks for the rest. If none arrives time and again, it may be too large.
 * A server that had granted more has lost what it knew: to that one, all is new.
 */
static inline void homa_end_restart(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc, struct mtp_out *out)
{
	if (rpc->restarts >= HOMA_RESTARTS) {
		homa_fail(ev, params, rpc, PROG_ETIMEDOUT, out);
		return;
	}
	rpc->restarts++;
	rpc->known = 0;
	rpc->patience = homa_min(rpc->restarts - 1u, HOMA_DOUBLES);
	if (rpc->restarts >= HOMA_TRY_SMALL && !rpc->small)
		rpc->small = HOMA_SMALL_FOUND;
	if (!rpc->tx_sent || rpc->tx_granted > rpc->tx_unsched)
		homa_send_start(ev, rpc, out);
	else
		homa_send_data(rpc, 0, rpc->tx_sent, rpc->tx_prio,
			       MTP_TX_RETRANSMIT | MTP_TX_ONE, out);
	rpc->active = ev->now;
}

/*
 * Whether the peer may have been asked: after silence, or for a hole. To a client
 * RPC_UNKNOWN may be late, of a time before its request was there, which a question had
 * overtaken. What it asks for under a session is answered by nobody else: there it is
 * believed after silence only. In the clear forged packets may keep silence off, so it
 * is believed once the response has been coming for longer than packets are late.
 */
static inline u32 homa_end_asked(const struct prog_ev *ev,
				 const struct prog_rpc *rpc)
{
	if (rpc->asking)
		return 1;
	if (!rpc->begged || rpc->state != HOMA_IN)
		return 0;
	return rpc->server || (!rpc->secure &&
			       ev->now - rpc->born >= HOMA_PATIENCE_MAX);
}

/*
 * RPC_UNKNOWN: the peer has no such RPC (any more). Believed only as the answer
 * to a question. Where part of the response is here, the request has been
 * executed; "delivered before" says so too.
 */
static inline void homa_end_unknown(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	if (!homa_end_asked(ev, rpc) || rpc->state == HOMA_FAILED) {
		out->verdict = PROG_DROP_STALE;
		return;
	}
	/* The next question is not to wait as long as after silence. */
	if (rpc->tries > 1)
		homa_timer_set(out, ev->now + 1);
	rpc->asking = 0;
	rpc->tries = 0;
	rpc->patience = 0;
	homa_emit(out, MTP_RAISE, PROG_EV_PEER_ALIVE, 1, 0);
	if (rpc->server)
		homa_over(ev, params, rpc, out);
	else if (rpc->state == HOMA_OUT && !ev->before)
		homa_end_restart(ev, params, rpc, out);
	else
		homa_fail(ev, params, rpc, PROG_ECONNRESET, out);
}

/* Whether the peer of the RPC is of any use to it still. */
static inline u32 homa_end_waits(const struct prog_rpc *rpc)
{
	return homa_sending(rpc) || rpc->state == HOMA_IN;
}

/* ICMP_ERROR: nobody there. A hint anybody can give: clear mode only. */
static inline void homa_end_icmp(const struct prog_ev *ev,
				 const struct prog_params *params,
				 struct prog_rpc *rpc,
				 struct prog_scratch *scratch,
				 struct mtp_out *out)
{
	if (rpc->secure || !homa_end_waits(rpc))
		out->verdict = PROG_DROP_STATE;
	else
		homa_fail(ev, params, rpc, ev->error, out);
}

/* ABORT_PACKET: our message failed to open at the peer. */
static inline void homa_end_abort_packet(const struct prog_ev *ev,
					 const struct prog_params *params,
					 struct prog_rpc *rpc,
					 struct prog_scratch *scratch,
					 struct mtp_out *out)
{
	u32 error = ev->error > 0 && ev->error < 4096 ? ev->error :
							PROG_EBADMSG;

	if (!rpc->secure || !homa_end_waits(rpc))
		out->verdict = PROG_DROP_STATE;
	else
		homa_fail(ev, params, rpc, error, out);
}

#endif /* SDP_PROGRAM_HOMA_END_H */
