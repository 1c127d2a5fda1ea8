/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answering a RESEND: with the data, or with BUSY where there is nothing to send
 * (now): because it has not been sent yet, because it has just been sent, or
 * because the peer's own message has to come first, which we ask for by
 * ourselves. Every RESEND has an answer, so that who asks can tell a busy peer
 * from a dead one.
 */
#ifndef SDP_PROGRAM_HOMA_RESEND_H
#define SDP_PROGRAM_HOMA_RESEND_H

#include "held.h"

/*
 * Whether the last byte sent can hardly have arrived. Who asks for it goes by a
 * clock: nothing that came later shows a loss. @bytes more are on their way with
 * it.
 */
static inline u32 homa_resend_early(const struct prog_ev *ev,
				    const struct prog_params *params,
				    const struct prog_rpc *rpc,
				    const struct prog_peer *peer, u32 bytes)
{
	u64 path = homa_double(params->resend_ns << 1,
			       homa_min(rpc->again << 1, HOMA_DOUBLES),
			       HOMA_PATIENCE_MAX);

	if (peer->path)
		path = peer->path;
	return ev->now - rpc->tail < path + (u64)bytes * HOMA_BYTE_NS;
}

/*
 * Bytes that went unscheduled are lost: the next message to this peer sends half
 * as many. Once per message, and not for one sent before the last such lesson.
 */
static inline void homa_resend_shrink(struct prog_rpc *rpc,
				      struct prog_peer *peer)
{
	u32 unsched = rpc->tx_unsched;

	if (rpc->shrunk || unsched <= HOMA_PACKET ||
	    (peer->unsched && peer->unsched < unsched))
		return;
	rpc->shrunk = 1;
	peer->unsched = homa_max(unsched >> 1, HOMA_PACKET);
}

/*
 * Large packets do not get through, but this one of ours may. Who was told so from
 * the start has not tried, and what is lost of its packets is as short as they
 * are: that must not make them small for ever.
 */
static inline void homa_resend_small(const struct prog_ev *ev,
				     struct prog_rpc *rpc, struct prog_peer *peer)
{
	if (!rpc->small && ev->length == MTP_SMALL && !ev->auth)
		rpc->small = HOMA_SMALL_FOUND;
	homa_path_small(ev, rpc, peer);
}

/*
 * What is asked for is granted, too: the grant may have been lost. What has not
 * been sent goes out in its turn; but in authenticated form at once, for junk may
 * stand in its place there.
 */
static inline void homa_resend_grant(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     const struct prog_peer *peer, u32 end,
				     struct mtp_out *out)
{
	u32 before = rpc->tx_granted;

	end = homa_min(homa_round(end, homa_quantum(ev, params, 0)),
		       rpc->tx_length);
	rpc->tx_granted = homa_max(before, end);
	homa_due_granted(ev, params, rpc, peer, before, out);
	if (ev->auth)
		rpc->tx_sent = homa_max(rpc->tx_sent,
					homa_min(end, rpc->tx_ready));
}

/*
 * A server asks for the first byte of a request that it has, to see whether the sender
 * gets what it sends (prove.h). That is no loss, and is not to wait.
 */
static inline u32 homa_resend_proof(const struct prog_ev *ev,
				    const struct prog_rpc *rpc)
{
	return !ev->offset && ev->length == 1 && !rpc->server && !rpc->secure;
}

/*
 * Who asks for all of a response has nothing of it, as far as it knows: all may wait
 * in a queue on the way, with those of others. One packet of it is answer enough.
 */
static inline void homa_resend_part(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_peer *peer, struct mtp_out *out)
{
	u32 all = ev->length == PROG_LENGTH_ALL;
	u32 start = all ? 0 : homa_min(ev->offset, rpc->tx_length);
	u32 end = all ? rpc->tx_sent :
			start + homa_min(ev->length, rpc->tx_length - start);
	u8 flags = (all ? MTP_TX_ONE : 0) | (ev->auth ? MTP_TX_AUTH : 0);
	u32 proof = homa_resend_proof(ev, rpc);
	u32 tail;

	if (!all && start < end) {
		homa_resend_grant(ev, params, rpc, peer, end, out);
		homa_resend_small(ev, rpc, peer);
	}
	tail = end >= rpc->tx_sent && start < rpc->tx_sent && !ev->auth &&
	       !proof;
	if ((tail && homa_resend_early(ev, params, rpc, peer,
				       all ? end : 0)) ||
	    !homa_send_again(ev, params, rpc, peer, start, end, flags, out))
		homa_packet(out, PROG_PACKET_BUSY);
	else if (!all && !proof && start < rpc->tx_unsched)
		homa_resend_shrink(rpc, peer);
}

/* RESEND */
static inline void homa_resend_answer(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 waits = rpc->server && rpc->state == HOMA_IN;

	peer->heard = ev->now;
	if (rpc->strange)
		homa_prove_credit(ev, peer);
	if (waits && homa_barren(ev, params, rpc, out))
		return;
	/* A question is no part of the message, or acknowledgement, we wait for. */
	homa_alive(rpc, 0, out);
	if (rpc->state == HOMA_REPLY || (rpc->state == HOMA_OUT && ev->length))
		rpc->active = ev->now;
	if (rpc->strange && rpc->state == HOMA_REPLY &&
	    homa_held_resend(ev, params, rpc, peer, out))
		return;
	if (homa_sending(rpc))
		homa_resend_part(ev, params, rpc, peer, out);
	else if (rpc->state == HOMA_FAILED)
		homa_packet(out, PROG_PACKET_RPC_UNKNOWN);
	else
		homa_packet(out, PROG_PACKET_BUSY);
}

#endif /* SDP_PROGRAM_HOMA_RESEND_H */
