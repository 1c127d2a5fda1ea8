// SPDX-License-Identifier: GPL-2.0-only
#include <linux/netdevice.h>

#include "../../observe/observe.h"
#include "../../observe/trace.h"
#include "../../offload/segment.h"
#include "../../record/control.h"
#include "../../record/seal.h"
#include "../state/proof.h"
#include "../state/route.h"
#include "nic.h"
#include "pace.h"
#include "transmit.h"
#include "way.h"

#define CONTROL_PRIO 7

static const struct sdp_marking unmarked;

static void common_header(struct sdp_common_hdr *hdr, u8 type, u16 sport,
			  u16 dport, u64 id)
{
	hdr->sport = htons(sport);
	hdr->dport = htons(dport);
	hdr->sequence = 0;
	memset(hdr->zero, 0, sizeof(hdr->zero));
	hdr->type = type;
	hdr->doff = SDP_DOFF_CONTROL;
	hdr->flags = SDP_CLEAR_FLAGS;
	hdr->window = 0;
	hdr->checksum = 0;
	hdr->urgent = htons(SDP_CLEAR_URGENT);
	hdr->sender_id = cpu_to_be64(id);
}

static u16 echoed_version(const struct sdp_rpc *rpc)
{
	/* The peer may be telling another one: the next packet says so. */
	return data_race(prog_peer_cutoff_version(&rpc->pctx->prog));
}

static void clear_data_header(struct sk_buff *skb, struct sdp_rpc *rpc,
			      const struct mtp_insn *insn, u32 offset)
{
	struct sdp_data_hdr *hdr = skb_put(skb, sizeof(*hdr));

	common_header(&hdr->common, SDP_TYPE_DATA, rpc->who.port,
		      rpc->who.pport, rpc->who.id);
	hdr->common.sequence = htonl(offset);
	hdr->common.doff = SDP_DOFF_DATA;
	hdr->message_length = htonl(rpc->tx.length);
	hdr->incoming = htonl(insn->c);
	hdr->ack.client_id = cpu_to_be64(rpc->ack.id);
	hdr->ack.server_port = htons(rpc->ack.port);
	hdr->cutoff_version = htons(echoed_version(rpc));
	hdr->retransmit = !!(insn->flags & MTP_TX_RETRANSMIT);
	memset(hdr->pad, 0, sizeof(hdr->pad));
	hdr->offset = htonl(SDP_OFFSET_IN_SEQUENCE);
}

static void secure_data_header(struct sk_buff *skb, struct sdp_rpc *rpc,
			       const struct mtp_insn *insn, u32 place,
			       u32 payload)
{
	struct sdp_secure_data_hdr *hdr = skb_put(skb, sizeof(*hdr));

	hdr->common.sport = htons(rpc->who.port);
	hdr->common.dport = htons(rpc->who.pport);
	hdr->common.sequence = htonl(place);
	hdr->common.sender_id = cpu_to_be64(rpc->who.id);
	hdr->incoming = htonl(insn->c);
	hdr->cutoff_version = htons(echoed_version(rpc));
	hdr->flags = (insn->flags & MTP_TX_RETRANSMIT ? SDP_DATA_RETRANSMIT : 0) |
		     (insn->flags & MTP_TX_AUTH ? SDP_DATA_AUTHENTICATED : 0);
	hdr->packet_payload = htons(payload);
	sdp_tx_header(&rpc->seal, hdr);
}

/* The authenticated form: a trailer after the payload of a single packet. */
static int authenticate(struct sk_buff *skb, struct sdp_rpc *rpc)
{
	struct scatterlist sg[MAX_SKB_FRAGS + 2];
	int err;

	/* A packet so rare may be linear. */
	if (skb_linearize(skb))
		return -ENOMEM;
	skb_put_zero(skb, sizeof(struct sdp_data_trailer));
	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], skb->data,
		   skb->len - sizeof(struct sdp_data_trailer));
	sg_set_buf(&sg[1], skb_tail_pointer(skb) -
		   sizeof(struct sdp_data_trailer),
		   sizeof(struct sdp_data_trailer));
	err = sdp_tx_authenticate(&rpc->seal, sg, skb->len);
	return err;
}

static void count_data(struct sdp_rpc *rpc, const struct mtp_insn *insn,
		       const struct sk_buff *skb, u32 offset, u32 length)
{
	struct sdp_counts __percpu *counts = rpc->who.sn->counts;
	u32 packets = skb_shinfo(skb)->gso_segs ?: 1;

	sdp_count_add(counts, SDP_CTR_tx_data, packets);
	sdp_count_add(counts, SDP_CTR_tx_bytes, length);
	if (insn->flags & MTP_TX_RETRANSMIT)
		sdp_count_add(counts, SDP_CTR_tx_retransmits, packets);
	if (trace_sdp_packet_enabled())
		trace_sdp_packet(rpc->who.sn->net, true, SDP_TYPE_DATA |
				 (rpc->secure ? SDP_TYPE_SECURE : 0),
				 rpc->who.id, rpc->who.port, rpc->who.pport,
				 offset, length);
}

/* Bytes [@offset, @offset + @length) in one segment. */
static void send_segment(struct sdp_rpc *rpc, const struct sdp_way *path,
			 const struct mtp_insn *insn, u32 offset, u32 length,
			 u32 payload)
{
	u32 room = sizeof(struct sdp_secure_data_hdr) +
		   sdp_txbuf_room(&rpc->tx, length);
	bool auth = insn->flags & MTP_TX_AUTH;
	struct sdp_counts __percpu *counts = path->sn->counts;
	struct sk_buff *skb;

	if (auth)
		room += length + sizeof(struct sdp_data_trailer);
	skb = sdp_way_packet(path, room);
	if (unlikely(!skb)) {
		sdp_count(counts, SDP_CTR_tx_errors);
		return;
	}
	if (rpc->secure)
		secure_data_header(skb, rpc, insn, offset, payload);
	else
		clear_data_header(skb, rpc, insn, offset);
	if ((length && unlikely(!sdp_txbuf_attach(&rpc->tx, skb, offset, length))) ||
	    (auth && authenticate(skb, rpc))) {
		kfree_skb(skb);
		sdp_count(counts, SDP_CTR_tx_errors);
		return;
	}
	if (length > payload)
		sdp_segment_mark(skb, payload, length, !path->peer->v4);
	count_data(rpc, insn, skb, offset, length);
	sdp_pace_charge(path->route.dst->dev, skb->len);
	sdp_way_send(skb, path, insn->prio, rpc->who.id);
}

/*
 * A context of the NIC belongs to a queue, and follows one message: all of a message goes
 * to one. The socket's queue is a hint that anybody may overwrite.
 */
static void send_to_queue(struct sk_buff *skb, const struct sdp_way *path, u8 prio, u64 id)
{
	struct sock *sk = (struct sock *)path->sk;
	u32 queues = READ_ONCE(path->route.dst->dev->real_num_tx_queues);

	sk_tx_queue_set(sk, reciprocal_scale(sdp_way_hash(id), queues));
	sdp_way_send(skb, path, prio, id);
	sk_tx_queue_clear(sk);
}

/* Whole records from @offset on, for a NIC to seal. Return: bytes; 0: none. */
static u32 send_plain(struct sdp_rpc *rpc, const struct sdp_way *path,
		      const struct mtp_insn *insn, u32 offset, u32 end, u32 payload)
{
	const struct dst_entry *dst = path->route.dst;
	u32 size = rpc->tx.chunk_size, records, length;
	struct sk_buff *skb;

	records = path->split ? 0 :
		  sdp_nic_records(rpc, insn, dst, offset, end, payload);
	if (!records)
		return 0;
	length = min(records * size, end - offset);
	skb = sdp_way_packet(path, sizeof(struct sdp_secure_data_hdr));
	if (unlikely(!skb)) {
		sdp_count(path->sn->counts, SDP_CTR_tx_errors);
		return length;
	}
	secure_data_header(skb, rpc, insn, length > payload ?
			   offset | SDP_PLACE_INDEXED : offset, payload);
	sdp_txbuf_attach_plain(&rpc->tx, skb, offset / size, records);
	sdp_nic_mark_segment(skb, payload, length);
	count_data(rpc, insn, skb, offset, length);
	sdp_pace_charge(dst->dev, skb->len);
	send_to_queue(skb, path, insn->prio, rpc->who.id);
	return length;
}

/* A message that a NIC seals: what it cannot have is sealed here, and then as any. */
static void send_for_nic(struct sdp_rpc *rpc, const struct sdp_way *path,
			 const struct mtp_insn *insn, u32 offset, u32 end,
			 u32 payload, u32 room)
{
	while (offset < end) {
		u32 length = send_plain(rpc, path, insn, offset, end, payload);

		if (!length) {
			length = min(end - offset, room);
			if (sdp_nic_seal(rpc, insn, offset, length))
				send_segment(rpc, path, insn, offset, length, payload);
		}
		offset += length;
	}
}

/*
 * Whatever asks for it, and however long ago that began: no clear packet leaves
 * a socket that has turned secure.
 */
static bool forbidden(const struct sdp_endpoint *ep, bool secure)
{
	if (likely(secure || READ_ONCE(ep->policy) != SDP_POLICY_SECURE))
		return false;
	sdp_count(ep->sn->counts, SDP_CTR_tx_policy);
	return true;
}

static u32 data_header_length(const struct sdp_rpc *rpc)
{
	return rpc->secure ? sizeof(struct sdp_secure_data_hdr) :
			     sizeof(struct sdp_data_hdr);
}

void sdp_transmit_data(struct sdp_rpc *rpc, const struct mtp_insn *insn)
{
	u32 header = data_header_length(rpc);
	u32 offset = insn->a, end = min(insn->b, READ_ONCE(rpc->tx.ready));
	u32 payload, room, overhead;
	struct sdp_way path __uninitialized;

	if (forbidden(rpc->ep, rpc->secure))
		return;
	/* What is not ready must not become a very long packet. */
	if (WARN_ON_ONCE(offset > end))
		return;
	if (sdp_way_of_rpc(&path, rpc)) {
		sdp_count(rpc->who.sn->counts, SDP_CTR_tx_errors);
		return;
	}
	overhead = path.ip_header + header;
	if (insn->flags & MTP_TX_AUTH)
		overhead += sizeof(struct sdp_data_trailer);
	payload = path.mtu - overhead;
	if (unlikely(insn->flags & MTP_TX_SMALL))
		payload = min(payload, MTP_SMALL);
	if (insn->flags & MTP_TX_ONE)
		end = min(end, offset + payload);
	if (!sdp_proof_allows(rpc, end - offset +
			      (path.ip_header + header) *
			      max(DIV_ROUND_UP(end - offset, payload), 1U)))
		goto out;
	room = payload;
	if (!(insn->flags & MTP_TX_AUTH) && end - offset > payload)
		room = sdp_segment_room(path.route.dst->dev, path.ip_header + header,
					payload, !path.peer->v4);
	if (unlikely(sdp_txbuf_plain(&rpc->tx)) && offset < end) {
		send_for_nic(rpc, &path, insn, offset, end, payload, room);
		goto out;
	}
	do {
		u32 length = min(end - offset, room);

		send_segment(rpc, &path, insn, offset, length, payload);
		offset += length;
	} while (offset < end);
out:
	sdp_way_end(&path);
}

u32 sdp_transmit_whole(struct sdp_rpc *rpc, u32 bytes)
{
	struct sdp_way path;
	u32 payload;

	if (sdp_way_of_rpc(&path, rpc))
		return bytes;
	payload = path.mtu - path.ip_header - data_header_length(rpc);
	sdp_way_end(&path);
	/* A NIC seals whole records. */
	if (unlikely(sdp_txbuf_plain(&rpc->tx)))
		payload = rpc->tx.chunk_size;
	return max(bytes - bytes % payload, payload);
}

bool sdp_transmit_paced(struct sdp_rpc *rpc)
{
	struct sdp_route route;
	bool paced;

	if (!sdp_pace_active() ||
	    sdp_peer_route(rpc->peer, rpc->ep->sk, &route))
		return false;
	paced = sdp_pace_applies(rpc->who.sn, route.dst->dev);
	sdp_route_end(&route);
	return paced;
}

static const u16 sent_counter[] = {
	[PROG_PACKET_GRANT & 15] = SDP_CTR_tx_grant,
	[PROG_PACKET_RESEND & 15] = SDP_CTR_tx_resend,
	[PROG_PACKET_RPC_UNKNOWN & 15] = SDP_CTR_tx_rpc_unknown,
	[PROG_PACKET_BUSY & 15] = SDP_CTR_tx_busy,
	[PROG_PACKET_CUTOFFS & 15] = SDP_CTR_tx_cutoffs,
	[PROG_PACKET_NEED_ACK & 15] = SDP_CTR_tx_need_ack,
	[PROG_PACKET_ACK & 15] = SDP_CTR_tx_ack,
	[PROG_PACKET_ABORT & 15] = SDP_CTR_tx_abort,
};

static void put_acks(struct sdp_ack_hdr *hdr, const struct mtp_insn *insn,
		     u32 count)
{
	u32 acks = 0, i;

	for (i = 1; i < count && insn[i].op == MTP_ACK && acks < SDP_MAX_ACKS; i++) {
		hdr->acks[acks].client_id = cpu_to_be64(insn[i].key);
		hdr->acks[acks++].server_port = htons(insn[i].a);
	}
	hdr->num_acks = htons(acks);
}

static void put_cutoffs(struct sdp_cutoffs_hdr *hdr,
			const struct prog_params *params, u16 version)
{
	u32 i;

	for (i = 0; i < SDP_NUM_CUTOFFS; i++)
		hdr->cutoffs[i] = htonl(READ_ONCE(params->cutoffs[i]));
	hdr->version = htons(version);
}

/*
 * Append the clear form of a control packet, whose fields beyond the common
 * header are zero unless its type has them. Returns its length.
 */
static u32 put_control(struct sk_buff *skb, const struct sdp_way *path,
		       const struct mtp_insn *insn, u32 count, bool secure)
{
	const struct prog_params *params = &path->sn->set.prog;
	union {
		struct sdp_common_hdr *common;
		struct sdp_grant_hdr *grant;
		struct sdp_resend_hdr *resend;
		struct sdp_cutoffs_hdr *cutoffs;
		struct sdp_ack_hdr *ack;
		struct sdp_abort_hdr *abort;
	} hdr = { .common = (void *)skb->data };
	u32 length = sizeof(*hdr.common);

	switch (insn->what) {
	case PROG_PACKET_GRANT:
		length = sizeof(*hdr.grant);
		hdr.grant->offset = htonl(insn->a);
		hdr.grant->priority = insn->prio;
		break;
	case PROG_PACKET_RESEND:
		length = sizeof(*hdr.resend);
		hdr.resend->offset = htonl(insn->a);
		hdr.resend->length = htonl(insn->b);
		hdr.resend->priority = insn->prio;
		break;
	case PROG_PACKET_CUTOFFS:
		length = sizeof(*hdr.cutoffs);
		put_cutoffs(hdr.cutoffs, params, secure ?
			    READ_ONCE(params->cutoff_version) :
			    sdp_proof_version(path->peer));
		break;
	case PROG_PACKET_ACK:
		length = sizeof(*hdr.ack);
		put_acks(hdr.ack, insn, count);
		break;
	case PROG_PACKET_ABORT:
		length = sizeof(*hdr.abort);
		hdr.abort->reason = htonl(insn->a == PROG_EBADMSG ?
					   SDP_ABORT_BAD_MESSAGE :
					   SDP_ABORT_REFUSED);
		break;
	}
	return secure ? sdp_wire_control_length(insn->what) : length;
}

/* Where a control packet goes, and the RPC it names as the sender sees it. */
struct address {
	u16 sport;
	u16 dport;
	u64 id;
};

static void send_control(const struct sdp_way *path, const struct address *to,
			 struct sdp_session *session,
			 const struct sdp_control *control,
			 const struct mtp_insn *insn, u32 count)
{
	struct sdp_common_hdr *hdr;
	struct sk_buff *skb;
	int length;

	skb = sdp_way_packet(path, SDP_CONTROL_MAX);
	if (unlikely(!skb))
		goto error;
	memset(skb->data, 0, SDP_CONTROL_MAX);
	hdr = (void *)skb->data;
	length = put_control(skb, path, insn, count, session);
	if (path->rpc && !sdp_proof_allows(path->rpc, path->ip_header + length)) {
		kfree_skb(skb);
		return;
	}
	common_header(hdr, insn->what, to->sport, to->dport, to->id);
	if (session) {
		hdr->type |= SDP_TYPE_SECURE;
		hdr->flags = 0;
		hdr->urgent = 0;
		length = sdp_control_seal(session, hdr, length, control);
		if (length < 0) {
			kfree_skb(skb);
			goto error;
		}
	}
	skb_put(skb, length);
	sdp_count(path->sn->counts, sent_counter[insn->what & 15]);
	if (trace_sdp_packet_enabled())
		trace_sdp_packet(path->sn->net, true, hdr->type, to->id, to->sport,
				 to->dport, insn->a, insn->b);
	sdp_way_send(skb, path, CONTROL_PRIO, to->id);
	return;
error:
	sdp_count(path->sn->counts, SDP_CTR_tx_errors);
}

static u8 control_flags(const struct mtp_insn *insn)
{
	return (insn->flags & MTP_TX_AUTH ? SDP_CONTROL_BAD_RECORD : 0) |
	       (insn->flags & MTP_TX_BEFORE ? SDP_CONTROL_DELIVERED : 0);
}

void sdp_transmit_control(struct sdp_rpc *rpc, const struct mtp_insn *insn,
			  u32 count)
{
	struct address to = {
		.sport = rpc->who.port, .dport = rpc->who.pport,
		.id = rpc->who.id,
	};
	struct sdp_control control = { .flags = control_flags(insn) };
	bool server = sdp_rpc_is_server(rpc);
	struct sdp_way path;

	if (forbidden(rpc->ep, rpc->secure))
		return;
	if (rpc->secure)
		sdp_control_of_request(&control, server ? NULL : &rpc->seal,
				       server ? &rpc->open : NULL);
	if (sdp_way_of_rpc(&path, rpc)) {
		sdp_count(rpc->who.sn->counts, SDP_CTR_tx_errors);
		return;
	}
	path.rpc = rpc;
	send_control(&path, &to, rpc->session, &control, insn, count);
	sdp_way_end(&path);
}

struct sdp_peer *sdp_origin_peer(const struct sdp_origin *to,
				 struct sdp_client *client)
{
	const struct sock *sk = to->ep->sk;
	struct sdp_peer_key key;
	struct sdp_peer *peer;

	sdp_peer_key_init(&key, sk, &to->peer, &to->local, to->ifindex);
	if (!client)
		return sdp_route_peer(&key, sk, GFP_ATOMIC, !to->session);
	peer = sdp_peer_try(rcu_dereference(client->peer), &key);
	if (likely(peer))
		return peer;
	peer = sdp_route_peer(&key, sk, GFP_ATOMIC, !to->session);
	if (IS_ERR(peer))
		return peer;
	sdp_peer_replace(&client->peer, peer);
	return peer;
}

void sdp_transmit_answer(const struct sdp_origin *to, u64 id,
			 const struct mtp_insn *insn, u32 count)
{
	struct address address = {
		.sport = to->port, .dport = to->pport, .id = id,
	};
	struct sdp_control control = {
		.flags = control_flags(insn), .request_msgno = SDP_MSGNO_NONE,
	};
	struct sdp_peer *peer;
	struct sdp_way path;

	if (insn->op != MTP_PACKET || forbidden(to->ep, to->session))
		return;
	peer = sdp_origin_peer(to, NULL);
	if (IS_ERR(peer))
		return;
	if (!sdp_way_of(&path, to->sn, to->ep->sk, peer, to->session, &unmarked)) {
		send_control(&path, &address, to->session, &control, insn,
			     count);
		sdp_way_end(&path);
	}
	sdp_peer_put(peer);
}
