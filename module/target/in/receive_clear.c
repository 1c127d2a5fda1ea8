// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clear packets, as events.
 */
#include "../../observe/observe.h"
#include "../state/memory.h"
#include "../state/proof.h"
#include "../state/rpc_table.h"
#include "control.h"
#include "receive_clear.h"

/* Least distance of two offsets in an unsegmented segment, bytes. */
#define LEAST_STRIDE 128

static bool is_link_local(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL;
}

/*
 * In two VRFs, or on two links, hosts of one address are two clients. A client's packets all
 * say the same of this, and what has been executed stays so, whatever becomes of the socket:
 * it may get another device or address, or another one its port.
 */
static u32 client_network(const struct sdp_packet *packet)
{
	const struct sdp_inlet *at = &packet->at;

	if (!packet->v4 &&
	    (is_link_local(at->local) || is_link_local(&packet->who.addr)))
		return at->sdif ?: at->dif;
	/* The VRF. */
	return at->sdif ? at->dif : 0;
}

/* A new RPC for a clear packet of a request. */
static enum sdp_drop make_clear_rpc(struct sdp_packet *packet, struct sdp_rpc **rpc)
{
	struct sdp_client_key key = {
		.sn = packet->who.sn, .addr = packet->who.addr,
		.sport = packet->who.pport, .dport = packet->who.port,
		.network = client_network(packet),
	};
	struct sdp_client *client;
	struct sdp_seen *seen;

	/* Before anything is remembered of whoever this is. */
	if (!READ_ONCE(packet->to.ep->server))
		return SDP_DROP_not_server;
	client = sdp_client_get(&key);
	if (!client)
		return SDP_DROP_peer_limit;
	seen = sdp_seen_get(&key, packet->who.id);
	if (!seen) {
		sdp_client_put(client);
		return SDP_DROP_seen_limit;
	}
	return sdp_receive_new(packet, NULL, client, seen, rpc);
}

/*
 * The bytes of a clear DATA packet, as one event, or where offsets repeat
 * inside of an unsegmented segment, several.
 */
static enum sdp_drop data_piece(struct sdp_run *run, struct sdp_packet *packet)
{
	struct sdp_endpoint *ep = packet->to.ep;
	struct sdp_rpc *rpc, *new = NULL;
	enum sdp_drop drop;
	u32 truesize;
	int verdict;

	truesize = run->skb->truesize;
	if (!sdp_memory_charge_rx(ep, false, truesize)) {
		sdp_count(run->sn->counts, SDP_CTR_mem_refused);
		return SDP_DROP_memory;
	}
	rpc = sdp_receive_find(packet);
	if (!rpc && packet->who.id & 1) {
		drop = make_clear_rpc(packet, &new);
		if (drop == SDP_DROP_raced)
			rpc = sdp_receive_find(packet);
		if (!rpc && drop == SDP_DROP_seen_limit && !run->ev.offset)
			sdp_receive_stray(run, packet, PROG_EV_REQUEST_REFUSED);
		if (!rpc && drop)
			goto uncharge;
	}
	drop = SDP_DROP_program;
	if (new || rpc)
		sdp_proof_look(&run->ev, new ?: rpc, new);
	if (new) {
		verdict = sdp_exec_request_clear(run, new);
	} else if (!rpc) {
		verdict = sdp_exec_stray(run, NULL, PROG_EV_STRAY_DATA);
		drop = SDP_DROP_no_rpc;
	} else if (unlikely(prog_rpc_proving(&rpc->prog))) {
		run->ev.paced = sdp_transmit_paced(rpc);
		verdict = sdp_exec(run, rpc, PROG_EV_PROOF);
	} else if (!rpc->secure) {
		verdict = sdp_exec_data(run, rpc);
	} else {
		sdp_rpc_unlock(rpc);
		drop = SDP_DROP_mismatch;
		goto uncharge;
	}
	if (!run->skb)
		return 0;
	if (!verdict)
		drop = 0;
uncharge:
	sdp_memory_uncharge_rx(ep, false, truesize);
	return drop;
}

static void clear_data_event(struct sdp_run *run,
			     const struct sdp_data_hdr *hdr, u32 offset,
			     u32 length)
{
	sdp_run_event(run, .message_length = ntohl(hdr->message_length),
		      .incoming = ntohl(hdr->incoming),
		      .cutoff_version = ntohs(hdr->cutoff_version),
		      .again = !!hdr->retransmit,
		      .offset = offset, .length = length);
}

/* Pieces of payload, each with its offset before it. */
static enum sdp_drop data_pieces(struct sdp_run *run, struct sdp_packet *packet,
				 u32 stride)
{
	struct sk_buff *whole = packet->skb;
	u32 at = SDP_DATA_NIC_HEADER;
	enum sdp_drop drop = 0;

	/* No network has packets so short, and this many would take long. */
	if (stride < LEAST_STRIDE)
		return SDP_DROP_short;
	while (at + sizeof(__be32) < whole->len && !drop) {
		u32 length = min(stride, whole->len - at) - sizeof(__be32);
		__be32 offset;

		skb_copy_bits(whole, at, &offset, sizeof(offset));
		run->skb = skb_clone(whole, GFP_ATOMIC);
		if (!run->skb)
			return SDP_DROP_memory;
		run->payload = at + sizeof(offset);
		clear_data_event(run, (const void *)packet->hdr, ntohl(offset),
				 length);
		drop = data_piece(run, packet);
		kfree_skb(run->skb);
		run->skb = NULL;
		at += length + sizeof(offset);
	}
	return drop;
}

static enum sdp_drop receive_clear_data(struct sdp_run *run, struct sdp_packet *packet)
{
	const struct sdp_data_hdr *hdr;
	struct sk_buff *skb = packet->skb;
	enum sdp_drop drop;
	u32 stride, offset;

	hdr = sdp_receive_pull(packet, sizeof(*hdr));
	if (!hdr)
		return SDP_DROP_short;
	if (hdr->ack.client_id) {
		struct sdp_ack ack = hdr->ack;

		sdp_receive_acks(run, packet, &ack, 1);
	}
	offset = ntohl(hdr->offset);
	stride = skb_shinfo(skb)->gso_size;
	if (unlikely(offset != SDP_OFFSET_IN_SEQUENCE &&
		     stride > sizeof(__be32) &&
		     skb->len > SDP_DATA_NIC_HEADER + stride))
		return data_pieces(run, packet, stride);
	if (offset == SDP_OFFSET_IN_SEQUENCE)
		offset = ntohl(hdr->common.sequence);
	clear_data_event(run, hdr, offset, skb->len - sizeof(*hdr));
	run->payload = sizeof(*hdr);
	run->skb = skb;
	drop = data_piece(run, packet);
	/* NULL: kept. */
	packet->skb = run->skb;
	return drop;
}

enum sdp_drop sdp_receive_clear(struct sdp_packet *packet)
{
	struct sdp_run *run = sdp_run_enter(packet->to.sn);
	enum sdp_drop drop;
	struct sdp_rpc *rpc;

	if (packet->hdr->type == SDP_TYPE_DATA) {
		drop = receive_clear_data(run, packet);
	} else {
		sdp_run_event(run);
		rpc = sdp_receive_find(packet);
		if (rpc && rpc->secure) {
			sdp_rpc_unlock(rpc);
			drop = SDP_DROP_mismatch;
		} else {
			drop = sdp_receive_control(run, packet, rpc);
		}
	}
	sdp_run_leave(run);
	return drop;
}
