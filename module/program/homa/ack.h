/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Acknowledgements: the client tells that it has a response, so that the server
 * may forget the RPC. They ride in the header of the next DATA to the same peer
 * (TAKE_ACKS); when too many wait, in an ACK of their own; and in the answer to
 * a NEED_ACK.
 */
#ifndef SDP_PROGRAM_HOMA_ACK_H
#define SDP_PROGRAM_HOMA_ACK_H

#include "rpc.h"

/* Give up to @count of the waiting acknowledgements, the latest first. */
static inline void homa_ack_give(struct prog_peer *peer, u32 count,
				 struct mtp_out *out)
{
	u32 i;

	for (i = 0; i < HOMA_ACKS; i++) {
		if (i >= count || !peer->acks)
			break;
		peer->acks--;
		out->insn[out->count++] = (struct mtp_insn){
			.op = MTP_ACK,
			.a = peer->ack[peer->acks].port,
			.key = peer->ack[peer->acks].id,
		};
	}
}

/* TAKE_ACKS: a packet with room for ev->length of them goes to this peer. */
static inline void homa_ack_take(const struct prog_ev *ev,
				 const struct prog_params *params,
				 struct prog_peer *peer,
				 struct prog_scratch *scratch,
				 struct mtp_out *out)
{
	homa_ack_give(peer, ev->length, out);
}

/* ACK_LATER: the client has the response. */
static inline void homa_ack_later(const struct prog_ev *ev,
				  const struct prog_params *params,
				  struct prog_rpc *rpc, struct prog_peer *peer,
				  struct prog_scratch *scratch,
				  struct mtp_out *out)
{
	if (peer->acks == HOMA_ACKS) {
		homa_packet(out, PROG_PACKET_ACK);
		homa_ack_give(peer, HOMA_ACKS, out);
		return;
	}
	peer->ack[peer->acks].id = ev->id;
	peer->ack[peer->acks].port = ev->port;
	peer->acks++;
}

/*
 * NEED_ACK, the RPC exists: the server's state is not needed any more once the
 * response is here (in secure mode: has been opened, too). Until then BUSY says
 * that we live.
 */
static inline void homa_ack_needed(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 here = rpc->state == HOMA_FAILED ||
		   (rpc->state == HOMA_READY && (!rpc->secure || rpc->verified));

	if (rpc->server) {
		out->verdict = PROG_DROP_ROLE;
		return;
	}
	/* The server has sent all: no reason to wait any longer for it. */
	if (homa_barren(ev, params, rpc, out))
		return;
	homa_alive(rpc, 0, out);
	/* The response is late, or lost: others' questions have gone first for long. */
	if (rpc->state == HOMA_OUT && rpc->put_off)
		homa_timer_set(out, ev->now + 1);
	homa_packet(out, here ? PROG_PACKET_ACK : PROG_PACKET_BUSY);
}

/* ACK: the client needs the server's state no more. */
static inline void homa_ack_received(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_rpc *rpc,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	if (!rpc->server)
		out->verdict = PROG_DROP_ROLE;
	else if (rpc->state != HOMA_REPLY)
		out->verdict = PROG_DROP_STATE;
	if (out->verdict)
		return;
	rpc->asking = rpc->tries > 0;
	homa_alive(rpc, 0, out);
	homa_over(ev, params, rpc, out);
}

#endif /* SDP_PROGRAM_HOMA_ACK_H */
