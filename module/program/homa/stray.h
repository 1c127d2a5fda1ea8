/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets for RPCs that do not exist. Only questions are answered.
 */
#ifndef SDP_PROGRAM_HOMA_STRAY_H
#define SDP_PROGRAM_HOMA_STRAY_H

#include "ack.h"

static inline void homa_stray_drop(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	out->verdict = PROG_DROP_UNKNOWN;
}

/* REQUEST_REFUSED: not now. The client asks again, and may start over then. */
static inline void homa_stray_busy(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	homa_packet(out, PROG_PACKET_BUSY);
}

static inline void homa_stray_resend(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_PACKET,
		.what = PROG_PACKET_RPC_UNKNOWN,
		.flags = ev->before ? MTP_TX_BEFORE : 0,
	};
}

/* The client has done with it long ago; others may wait to say so, too. */
static inline void homa_stray_need_ack(const struct prog_ev *ev,
				       const struct prog_params *params,
				       struct prog_peer *peer,
				       struct prog_scratch *scratch,
				       struct mtp_out *out)
{
	homa_packet(out, PROG_PACKET_ACK);
	homa_ack_give(peer, HOMA_ACKS, out);
}

#endif /* SDP_PROGRAM_HOMA_STRAY_H */
