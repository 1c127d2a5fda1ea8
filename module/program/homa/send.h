/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending our message: the unscheduled part at once, the rest as it is
 * granted, and in secure mode no more than is sealed.
 */
#ifndef SDP_PROGRAM_HOMA_SEND_H
#define SDP_PROGRAM_HOMA_SEND_H

#include "prove.h"

/*
 * What grants are multiples of, out of a window of so many bytes: the record,
 * always; else the quantum, where that is not more than the window.
 */
static inline u32 homa_quantum(const struct prog_ev *ev,
			       const struct prog_params *params, u32 window)
{
	if (ev->record)
		return ev->record;
	return params->quantum && params->quantum <= window ? params->quantum : 1;
}

/* Round up to a multiple. */
static inline u32 homa_round(u32 bytes, u32 quantum)
{
	u32 rest = bytes % quantum;

	return rest ? bytes - rest + quantum : bytes;
}

/* End of what may be sent now. */
static inline u32 homa_send_limit(const struct prog_rpc *rpc)
{
	if (rpc->strange == HOMA_HELD)
		return rpc->tx_sent;
	return homa_min(rpc->tx_granted, rpc->tx_ready);
}

static inline void homa_send_data(const struct prog_rpc *rpc, u32 start,
				  u32 end, u8 prio, u8 flags,
				  struct mtp_out *out)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_TX_DATA,
		.prio = prio,
		.flags = rpc->small ? flags | MTP_TX_SMALL : flags,
		.a = start,
		.b = end,
		.c = rpc->tx_granted,
	};
}

/* Priority of the byte at @start when it is sent for the first time. */
static inline u8 homa_send_prio(const struct prog_rpc *rpc, u32 start)
{
	return start < rpc->tx_unsched ? rpc->tx_prio : rpc->tx_sched_prio;
}

/* Send up to @end for the first time, or again after a restart. */
static inline void homa_send_until(const struct prog_ev *ev,
				   struct prog_rpc *rpc, u32 end,
				   struct mtp_out *out)
{
	homa_send_data(rpc, rpc->tx_sent, end,
		       homa_send_prio(rpc, rpc->tx_sent),
		       rpc->tx_sent < rpc->tx_over ? MTP_TX_RETRANSMIT : 0, out);
	rpc->tx_sent = end;
	rpc->active = ev->now;
	rpc->tail = ev->now;
}

/*
 * Send bytes [@start, @end) again, as far as they have been sent, and not before
 * those that go out for the first time. In one path time (or RESEND interval) no
 * more is sent again than the peer has granted (and was sent once): whoever asks
 * for everything over and over gets it once. Returns whether anything was sent.
 */
static inline u32 homa_send_again(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc,
				  const struct prog_peer *peer, u32 start,
				  u32 end, u8 flags, struct mtp_out *out)
{
	u64 interval = homa_longer(params->resend_ns, peer->path);

	if (ev->now - rpc->resent_since >= interval) {
		rpc->resent_since = ev->now;
		rpc->resent = 0;
	}
	end = homa_min(end, rpc->tx_sent);
	if (start >= end || rpc->resent >= rpc->tx_sent)
		return 0;
	end = homa_min(end, start + rpc->tx_sent - rpc->resent);
	rpc->resent += flags & MTP_TX_ONE ? homa_min(end - start, HOMA_PACKET) :
					    end - start;
	if (end == rpc->tx_sent) {
		rpc->tail = ev->now;
		rpc->again += rpc->again < 255;
	}
	homa_send_data(rpc, start, end,
		       homa_min(ev->prio, homa_send_prio(rpc, start)),
		       flags | MTP_TX_RETRANSMIT, out);
	return 1;
}

/* From the start, with what needs no grant. Without any: announce it. */
static inline void homa_send_start(const struct prog_ev *ev,
				   struct prog_rpc *rpc, struct mtp_out *out)
{
	rpc->tx_over = homa_max(rpc->tx_over, rpc->tx_sent);
	rpc->tx_sent = 0;
	rpc->tx_granted = rpc->tx_unsched;
	rpc->active = ev->now;
	if (!rpc->tx_granted)
		homa_send_until(ev, rpc, 0, out);
}

/* What is to be sent, and how. */
static inline void homa_send_message(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc)
{
	u32 unsched = params->unsched_bytes;

	if (ev->unsched && ev->unsched < unsched) {
		unsched = ev->unsched;
		rpc->cut = unsched < ev->message_length;
	}
	unsched = homa_round(unsched, homa_quantum(ev, params, unsched));
	rpc->small = ev->small ? HOMA_SMALL_TOLD : 0;
	rpc->tx_length = ev->message_length;
	rpc->tx_ready = homa_min(ev->length, ev->message_length);
	rpc->tx_unsched = homa_min(unsched, ev->message_length);
	rpc->tx_prio = homa_min(ev->prio, params->prios - 1);
}

/* Why our message cannot be sent, or 0. */
static inline s32 homa_send_refuse(const struct prog_ev *ev,
				   const struct prog_params *params, u32 secure)
{
	if (!ev->message_length)
		return -PROG_EINVAL;
	if (ev->message_length > params->max_message[secure ? 1 : 0])
		return -PROG_EMSGSIZE;
	return 0;
}

/* SEND_REQUEST: -EINVAL (no bytes), -EMSGSIZE. */
static inline void homa_send_request(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	out->verdict = homa_send_refuse(ev, params, ev->secure);
	if (out->verdict)
		return;
	rpc->secure = ev->secure;
	rpc->state = HOMA_OUT;
	homa_timer_set(out, ev->now + params->resend_ns);
	homa_send_message(ev, params, rpc);
	homa_send_start(ev, rpc, out);
}

/*
 * When to look after a response for the first time. One that needs no leave to be
 * sent waits for its acknowledgement only.
 */
static inline u64 homa_send_look(const struct prog_ev *ev,
				 const struct prog_params *params,
				 const struct prog_rpc *rpc)
{
	if (ev->scarce || rpc->tx_unsched < rpc->tx_length ||
	    params->need_ack_ns > HOMA_ACK_LATE_NS)
		return params->need_ack_ns;
	return HOMA_ACK_LATE_NS;
}

static inline void homa_send_reply(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc, struct mtp_out *out)
{
	homa_send_start(ev, rpc, out);
	homa_timer_set(out, ev->now + homa_send_look(ev, params, rpc));
}

/* SEND_RESPONSE: also -EINVAL unless the application has the request. */
static inline void homa_send_response(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	out->verdict = homa_send_refuse(ev, params, rpc->secure);
	if (rpc->state != HOMA_SERVICE)
		out->verdict = -PROG_EINVAL;
	if (out->verdict)
		return;
	rpc->state = HOMA_REPLY;
	homa_send_message(ev, params, rpc);
	if (!ev->strange)
		rpc->strange = HOMA_KNOWN;
	if (rpc->strange && !homa_prove_small(rpc, ev->budget))
		homa_prove_hold(ev, params, rpc, out);
	else
		homa_send_reply(ev, params, rpc, out);
}

/* The client has its address: the response goes out. */
static inline void homa_send_proven(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc, struct mtp_out *out)
{
	u32 held = rpc->strange == HOMA_HELD;

	rpc->strange = HOMA_KNOWN;
	if (!held)
		return;
	rpc->patience = 0;
	rpc->barren = 0;
	homa_send_reply(ev, params, rpc, out);
}

/* READY_MORE: more of our message is sealed. Never less. */
static inline void homa_send_ready(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 ready = homa_min(ev->length, rpc->tx_length);

	rpc->tx_ready = homa_max(rpc->tx_ready, ready);
}

/*
 * Send what may be sent. On a paced link a message of some length waits for
 * its turn: fewest bytes left first.
 */
static inline void homa_send_more(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc,
				  struct prog_scratch *scratch,
				  struct mtp_out *out)
{
	u32 limit = homa_send_limit(rpc);

	if (!homa_sending(rpc) || rpc->tx_sent >= limit || rpc->queued)
		return;
	if (!ev->paced || rpc->tx_length <= params->pace_bytes) {
		homa_send_until(ev, rpc, limit, out);
		return;
	}
	rpc->queued = 1;
	homa_rank_set(out, PROG_RANK_SEND, rpc->tx_length - rpc->tx_sent);
}

/* SEND_TURN: the device's queue has room for ev->length bytes. */
static inline void homa_send_turn(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc,
				  struct prog_scratch *scratch,
				  struct mtp_out *out)
{
	u32 limit = homa_send_limit(rpc);
	u32 left = limit - rpc->tx_sent;

	if (!rpc->queued || !ev->length)
		return;
	if (left)
		homa_send_until(ev, rpc,
				rpc->tx_sent + homa_min(left, ev->length), out);
	if (rpc->tx_sent < limit) {
		homa_rank_set(out, PROG_RANK_SEND,
			      rpc->tx_length - rpc->tx_sent);
		return;
	}
	rpc->queued = 0;
	homa_emit(out, MTP_RANK_CLEAR, PROG_RANK_SEND, 0, 0);
}

/*
 * The peer grants: so far the path has taken what went unscheduled. If that was
 * less than usual, it is to be more.
 */
static inline void homa_send_passed(const struct prog_params *params,
				    struct prog_rpc *rpc, struct prog_peer *peer)
{
	if (!rpc->cut || rpc->shrunk || !peer->unsched)
		return;
	rpc->cut = 0;
	peer->unsched += (peer->unsched >> 1) + 1;
	if (peer->unsched >= params->unsched_bytes)
		peer->unsched = 0;
}

/*
 * GRANT: the peer takes bytes up to ev->offset. It never takes leave back, and
 * a grant beyond the message is one for all of it.
 */
static inline void homa_send_granted(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_peer *peer,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u32 before = rpc->tx_granted;

	if (!homa_sending(rpc) || rpc->strange == HOMA_HELD) {
		out->verdict = PROG_DROP_STATE;
		return;
	}
	peer->heard = ev->now;
	homa_heard(ev, rpc, out);
	homa_send_passed(params, rpc, peer);
	homa_path_small(ev, rpc, peer);
	if (ev->resend_all)
		homa_send_again(ev, params, rpc, peer, 0, ev->offset, 0, out);
	rpc->tx_sched_prio = homa_min(ev->prio, params->prios - 1);
	rpc->tx_granted = homa_max(before, homa_min(ev->offset, rpc->tx_length));
	homa_due_granted(ev, params, rpc, peer, before, out);
}

#endif /* SDP_PROGRAM_HOMA_SEND_H */
