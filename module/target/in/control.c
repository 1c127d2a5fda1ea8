// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control packets, clear or verified, as events.
 */
#include "../../observe/observe.h"
#include "control.h"

/* Shortest legal clear form; secure ones have been checked by their tag. */
static u32 least_length(u8 type)
{
	switch (type) {
	case SDP_TYPE_GRANT:
		return SDP_GRANT_MIN;
	case SDP_TYPE_RESEND:
		return sizeof(struct sdp_resend_hdr);
	case SDP_TYPE_CUTOFFS:
		return sizeof(struct sdp_cutoffs_hdr);
	case SDP_TYPE_ACK:
		return offsetof(struct sdp_ack_hdr, acks);
	case SDP_TYPE_ABORT:
		return sizeof(struct sdp_abort_hdr);
	default:
		return sizeof(struct sdp_common_hdr);
	}
}

static enum sdp_drop on_grant(struct prog_ev *ev, struct sdp_packet *packet)
{
	const struct sdp_grant_hdr *grant = (const void *)packet->hdr;

	ev->offset = ntohl(grant->offset);
	ev->prio = grant->priority;
	ev->resend_all = 0;
	if (packet->skb->len >= sizeof(*grant)) {
		grant = sdp_receive_pull(packet, sizeof(*grant));
		if (!grant)
			return SDP_DROP_fragment_memory;
		ev->resend_all = !!grant->resend_all;
	}
	return 0;
}

static void on_resend(struct prog_ev *ev, const struct sdp_packet *packet)
{
	const struct sdp_resend_hdr *resend = (const void *)packet->hdr;

	ev->offset = ntohl(resend->offset);
	ev->length = ntohl(resend->length);
	ev->prio = resend->priority;
}

static void on_cutoffs(struct prog_ev *ev, const struct sdp_packet *packet)
{
	const struct sdp_cutoffs_hdr *cutoffs = (const void *)packet->hdr;
	u32 i;

	for (i = 0; i < SDP_NUM_CUTOFFS; i++)
		ev->cutoffs[i] = ntohl(cutoffs->cutoffs[i]);
	ev->cutoff_version = ntohs(cutoffs->version);
}

/* Event of a packet whose RPC exists, and of one whose does not. */
static const struct {
	u8 known;
	u8 stray;
} events[] = {
	[SDP_TYPE_GRANT & 15] = { PROG_EV_GRANT, PROG_EV_STRAY_GRANT },
	[SDP_TYPE_RESEND & 15] = { PROG_EV_RESEND, PROG_EV_STRAY_RESEND },
	[SDP_TYPE_RPC_UNKNOWN & 15] = { PROG_EV_RPC_UNKNOWN,
					PROG_EV_STRAY_UNKNOWN },
	[SDP_TYPE_BUSY & 15] = { PROG_EV_BUSY, PROG_EV_STRAY_BUSY },
	[SDP_TYPE_NEED_ACK & 15] = { PROG_EV_NEED_ACK, PROG_EV_STRAY_NEED_ACK },
	[SDP_TYPE_ACK & 15] = { PROG_EV_ACK, PROG_EV_STRAY_ACK },
	[SDP_TYPE_ABORT & 15] = { PROG_EV_ABORT_PACKET, PROG_EV_STRAY_BUSY },
};

enum sdp_drop sdp_receive_stray(struct sdp_run *run, struct sdp_packet *packet,
				u32 kind)
{
	struct sdp_pctx *pctx = NULL;
	struct sdp_peer *peer = NULL;
	u32 i;

	if (packet->to.session) {
		pctx = sdp_session_transport(packet->to.session);
	} else if (prog_event_contexts(kind) & MTP_CTX_PEER) {
		peer = sdp_origin_peer(&packet->to, NULL);
		if (IS_ERR(peer))
			return SDP_DROP_peer_limit;
		pctx = &peer->pctx;
	}
	run->ev.id = packet->who.id;
	run->ev.port = packet->who.id & 1 ? packet->who.port :
					    packet->who.pport;
	run->ev.secure = !!packet->to.session;
	sdp_exec_stray(run, pctx, kind);
	if (!run->out.verdict)
		for (i = 0; i < run->out.count; i++)
			sdp_transmit_answer(&packet->to, packet->who.id,
					    &run->out.insn[i],
					    run->out.count - i);
	if (peer)
		sdp_peer_put(peer);
	return run->out.verdict ? SDP_DROP_no_rpc : 0;
}

static void run_ack_list(struct sdp_run *run, struct sdp_packet *packet)
{
	struct sdp_ack acks[SDP_MAX_ACKS];
	u32 count;

	count = ntohs(((const struct sdp_ack_hdr *)packet->hdr)->num_acks);
	count = min_t(u32, count, SDP_MAX_ACKS);
	count = min_t(u32, count, (packet->skb->len -
				   offsetof(struct sdp_ack_hdr, acks)) /
				  sizeof(acks[0]));
	if (!skb_copy_bits(packet->skb, offsetof(struct sdp_ack_hdr, acks),
			   acks, count * sizeof(acks[0])))
		sdp_receive_acks(run, packet, acks, count);
}

enum sdp_drop sdp_receive_control(struct sdp_run *run,
				  struct sdp_packet *packet,
				  struct sdp_rpc *rpc)
{
	u8 type = packet->hdr->type & ~SDP_TYPE_SECURE;
	enum sdp_drop drop = SDP_DROP_short;
	int verdict;

	if (!sdp_receive_pull(packet, least_length(type)))
		goto unlock;
	drop = 0;
	switch (type) {
	case SDP_TYPE_FREEZE:
		goto unlock;
	case SDP_TYPE_CUTOFFS:
		on_cutoffs(&run->ev, packet);
		if (!rpc)
			return sdp_receive_stray(run, packet, PROG_EV_CUTOFFS);
		/* For the peer as this RPC knows it. */
		sdp_exec_stray(run, rpc->pctx, PROG_EV_CUTOFFS);
		goto unlock;
	case SDP_TYPE_GRANT:
		drop = on_grant(&run->ev, packet);
		if (drop)
			goto unlock;
		break;
	case SDP_TYPE_RESEND:
		on_resend(&run->ev, packet);
		run->ev.wire = packet->skb->len + sdp_ip_header(packet->v4);
		break;
	case SDP_TYPE_ABORT:
		/* What the peer says is only that it gave up. */
		run->ev.error = ECONNRESET;
		break;
	}
	if (rpc) {
		run->ev.paced = sdp_transmit_paced(rpc);
		run->ev.record = sdp_rpc_record(rpc);
		verdict = sdp_exec(run, rpc, events[type & 15].known);
		drop = verdict ? SDP_DROP_program : 0;
	} else {
		drop = sdp_receive_stray(run, packet, events[type & 15].stray);
	}
	if (type == SDP_TYPE_ACK) {
		run_ack_list(run, packet);
		drop = 0;
	}
	return drop;

unlock:
	if (rpc)
		sdp_rpc_unlock(rpc);
	return drop;
}
