/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processors of the pull program; included by program.h, which has their
 * contexts.
 */
#ifndef SDP_PROGRAM_PULL_CHAINS_H
#define SDP_PROGRAM_PULL_CHAINS_H

#define PULL_PROCESSOR(name)						\
static inline void pull_##name(const struct prog_ev *ev,		\
			       const struct prog_params *params,	\
			       struct prog_rpc *rpc,			\
			       struct prog_scratch *scratch,		\
			       struct mtp_out *out)

#define PULL_STRAY(name)						\
static inline void pull_##name(const struct prog_ev *ev,		\
			       const struct prog_params *params,	\
			       struct prog_scratch *scratch,		\
			       struct mtp_out *out)

static inline void pull_emit(struct mtp_out *out, u8 op, u8 what, u32 a, u32 b)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = op, .what = what, .a = a, .b = b, .c = b,
	};
}

static inline void pull_timer(struct mtp_out *out, u64 deadline)
{
	out->insn[out->count++] = (struct mtp_insn){
		.op = MTP_TIMER_SET, .key = deadline,
	};
}

/* Bytes of a message up to the end of the piece that begins at @start. */
static inline u32 pull_piece(const struct prog_params *params, u32 start,
			     u32 length)
{
	u32 piece = params->unsched_bytes ? params->unsched_bytes : 1;

	return length - start < piece ? length : start + piece;
}

static inline void pull_send(const struct prog_ev *ev,
			     const struct prog_params *params,
			     struct prog_rpc *rpc, u8 state, struct mtp_out *out)
{
	if (!ev->message_length || ev->length < ev->message_length || ev->secure)
		out->verdict = -PROG_EINVAL;
	else if (ev->message_length > params->max_message[0])
		out->verdict = -PROG_EMSGSIZE;
	if (out->verdict)
		return;
	rpc->state = state;
	rpc->heard = ev->now;
	rpc->tx_length = ev->message_length;
	rpc->tx_granted = pull_piece(params, 0, ev->message_length);
	pull_timer(out, ev->now + params->resend_ns);
	pull_emit(out, MTP_TX_DATA, 0, 0, rpc->tx_granted);
}

static inline void pull_fail(struct prog_rpc *rpc, u32 error,
			     struct mtp_out *out)
{
	rpc->state = PULL_FAILED;
	if (rpc->server || !error)
		pull_emit(out, MTP_CTX_END, 0, 0, 0);
	else
		pull_emit(out, MTP_NOTIFY, MTP_NOTIFY_FAILED, error, 0);
}

PULL_PROCESSOR(refuse)
{
	out->verdict = -PROG_EINVAL;
}

PULL_PROCESSOR(send_request)
{
	pull_send(ev, params, rpc, PULL_OUT, out);
}

PULL_PROCESSOR(send_response)
{
	if (rpc->state == PULL_SERVICE)
		pull_send(ev, params, rpc, PULL_REPLY, out);
	else
		out->verdict = -PROG_EINVAL;
}

PULL_PROCESSOR(delivered)
{
	if (rpc->state == PULL_READY && rpc->server) {
		rpc->state = PULL_SERVICE;
		return;
	}
	if (rpc->state == PULL_READY)
		pull_emit(out, MTP_PACKET, PROG_PACKET_ACK, 0, 0);
	pull_emit(out, MTP_CTX_END, 0, 0, 0);
}

PULL_PROCESSOR(abort)
{
	pull_fail(rpc, ev->error, out);
}

PULL_PROCESSOR(fresh)
{
	rpc->server = 1;
	rpc->state = PULL_OUT;
	pull_emit(out, MTP_CTX_KEEP, 0, 0, 0);
	pull_timer(out, ev->now + params->resend_ns);
}

PULL_PROCESSOR(data)
{
	u32 end = ev->offset + ev->length;

	if (rpc->state != PULL_OUT && rpc->state != PULL_IN)
		out->verdict = PROG_DROP_STATE;
	else if (!ev->message_length ||
		 ev->message_length > params->max_message[0] ||
		 (rpc->rx_length && ev->message_length != rpc->rx_length))
		out->verdict = PROG_DROP_LENGTH;
	else if (ev->offset != rpc->rx_received || end <= ev->offset ||
		 end > pull_piece(params, rpc->rx_granted, ev->message_length))
		out->verdict = PROG_DROP_ORDER;
	if (out->verdict)
		return;
	if (!rpc->rx_length) {
		rpc->rx_length = ev->message_length;
		rpc->rx_granted = pull_piece(params, 0, rpc->rx_length);
		pull_emit(out, MTP_RX_NEW, 0, rpc->rx_length, 0);
	}
	rpc->state = PULL_IN;
	rpc->heard = ev->now;
	rpc->rx_received = end;
	pull_emit(out, MTP_RX_ADD, 0, ev->offset, end);
	if (end == rpc->rx_length) {
		rpc->state = PULL_READY;
		pull_emit(out, MTP_NOTIFY, MTP_NOTIFY_READY, 0, 0);
	} else if (end >= rpc->rx_granted) {
		rpc->rx_granted = pull_piece(params, end, rpc->rx_length);
		pull_emit(out, MTP_PACKET, PROG_PACKET_GRANT, rpc->rx_granted, 0);
	}
}

PULL_PROCESSOR(granted)
{
	u32 end = ev->offset < rpc->tx_length ? ev->offset : rpc->tx_length;

	if (rpc->state != PULL_OUT && rpc->state != PULL_REPLY)
		out->verdict = PROG_DROP_STATE;
	if (out->verdict || end <= rpc->tx_granted)
		return;
	rpc->heard = ev->now;
	pull_emit(out, MTP_TX_DATA, 0, rpc->tx_granted, end);
	rpc->tx_granted = end;
}

PULL_PROCESSOR(resend)
{
	u32 start = ev->length == PROG_LENGTH_ALL ? 0 : ev->offset;

	rpc->heard = ev->now;
	if ((rpc->state == PULL_OUT || rpc->state == PULL_REPLY) &&
	    start < rpc->tx_granted)
		pull_emit(out, MTP_TX_DATA, 0, start, rpc->tx_granted);
	else
		pull_emit(out, MTP_PACKET, PROG_PACKET_BUSY, 0, 0);
}

/* The request's head may be lost: begin again. */
PULL_PROCESSOR(unknown)
{
	if (rpc->server || rpc->state != PULL_OUT) {
		pull_fail(rpc, PROG_ECONNRESET, out);
		return;
	}
	rpc->tx_granted = pull_piece(params, 0, rpc->tx_length);
	pull_emit(out, MTP_TX_DATA, 0, 0, rpc->tx_granted);
}

PULL_PROCESSOR(heard)
{
	rpc->heard = ev->now;
}

PULL_PROCESSOR(need_ack)
{
	pull_emit(out, MTP_PACKET, rpc->state == PULL_READY ?
		  PROG_PACKET_ACK : PROG_PACKET_BUSY, 0, 0);
}

PULL_PROCESSOR(ack)
{
	if (rpc->state == PULL_REPLY)
		pull_emit(out, MTP_CTX_END, 0, 0, 0);
	else
		out->verdict = PROG_DROP_STATE;
}

PULL_PROCESSOR(timeout)
{
	if (rpc->state != PULL_OUT && rpc->state != PULL_IN &&
	    rpc->state != PULL_REPLY)
		return;
	if (ev->now - rpc->heard >= params->dead_ns) {
		pull_fail(rpc, PROG_ETIMEDOUT, out);
		return;
	}
	pull_timer(out, ev->now + params->resend_ns);
	if (rpc->state == PULL_IN) {
		pull_emit(out, MTP_PACKET, PROG_PACKET_GRANT, rpc->rx_granted, 0);
		pull_emit(out, MTP_PACKET, PROG_PACKET_RESEND, rpc->rx_received,
			  rpc->rx_granted - rpc->rx_received);
	} else if (rpc->state == PULL_OUT) {
		pull_emit(out, MTP_PACKET, PROG_PACKET_RESEND, 0,
			  PROG_LENGTH_ALL);
	} else {
		pull_emit(out, MTP_PACKET, PROG_PACKET_NEED_ACK, 0, 0);
	}
}

PULL_STRAY(ignore)
{
}

PULL_STRAY(unused)
{
	out->verdict = PROG_DROP_UNUSED;
}

PULL_STRAY(stray)
{
	out->verdict = PROG_DROP_UNKNOWN;
}

PULL_STRAY(stray_resend)
{
	pull_emit(out, MTP_PACKET, PROG_PACKET_RPC_UNKNOWN, 0, 0);
}

PULL_STRAY(stray_need_ack)
{
	pull_emit(out, MTP_PACKET, PROG_PACKET_ACK, 0, 0);
}

#endif /* SDP_PROGRAM_PULL_CHAINS_H */
