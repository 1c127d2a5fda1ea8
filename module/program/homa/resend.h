/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answering a RESEND: with the data, with BUSY where there is nothing to send
 * (now), or with a RESEND of our own where we miss what has to come first.
 * Every RESEND has an answer, so that who asks can tell a busy peer from a dead
 * one.
 */
#ifndef SDP_PROGRAM_HOMA_RESEND_H
#define SDP_PROGRAM_HOMA_RESEND_H

#include "send.h"

/*
 * A server is asked for a response while it misses part of the request: it asks
 * for the first bytes that are granted and missing.
 */
static inline void homa_resend_ask(const struct prog_params *params,
				   const struct prog_rpc *rpc,
				   struct mtp_out *out)
{
	u32 start = rpc->gaps ? rpc->gap[0].start : rpc->rx_end;
	u32 end = rpc->gaps ? rpc->gap[0].end : rpc->rx_granted;

	if (start < end)
		homa_packet_resend(out, params, start, end - start,
				   rpc->gap_auth & 1);
	else
		homa_packet(out, PROG_PACKET_BUSY);
}

static inline void homa_resend_part(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc, struct mtp_out *out)
{
	u32 start = ev->offset;
	u32 end = rpc->tx_sent;

	if (ev->length == PROG_LENGTH_ALL)
		start = 0;
	else if (start < end)
		end = start + homa_min(ev->length, end - start);
	if (!homa_send_again(ev, params, rpc, start, end,
			     ev->auth ? MTP_TX_AUTH : 0, out))
		homa_packet(out, PROG_PACKET_BUSY);
}

/* RESEND */
static inline void homa_resend_answer(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	homa_heard(ev, rpc, out);
	if (homa_sending(rpc))
		homa_resend_part(ev, params, rpc, out);
	else if (rpc->server && rpc->state == HOMA_IN)
		homa_resend_ask(params, rpc, out);
	else if (rpc->state == HOMA_FAILED)
		homa_packet(out, PROG_PACKET_RPC_UNKNOWN);
	else
		homa_packet(out, PROG_PACKET_BUSY);
}

#endif /* SDP_PROGRAM_HOMA_RESEND_H */
