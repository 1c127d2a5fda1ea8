// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secure packets: found a session for, verified, and only then acted upon.
 */
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>

#include "../../observe/observe.h"
#include "../../record/control.h"
#include "../../record/open.h"
#include "../../record/registry.h"
#include "../../record/seal.h"
#include "../state/memory.h"
#include "../state/rpc_table.h"
#include "control.h"
#include "receive_secure.h"

static void session_key(const struct sdp_packet *packet, struct sdp_session_key *key)
{
	struct net *net = packet->to.sn->net;
	int bound, scope;

	bound = packet->device ?
		l3mdev_master_ifindex_by_index(net, packet->device) : 0;
	scope = ipv6_addr_type(&packet->who.addr) & IPV6_ADDR_LINKLOCAL ?
		packet->to.ifindex : 0;
	sdp_session_key_init(key, packet->to.ep, net, bound, scope,
			     &packet->who.addr, packet->who.pport,
			     packet->who.port);
}

static struct sdp_session *session_of(const struct sdp_packet *packet, u32 id)
{
	struct sdp_session_key key;

	session_key(packet, &key);
	return sdp_session_find_id(&key, id);
}

/* Ends that have not agreed look like this: worth a count of its own. */
static enum sdp_drop no_session(const struct sdp_packet *packet)
{
	struct sdp_session_key key;

	session_key(packet, &key);
	return sdp_session_find(&key) ? SDP_DROP_other_session :
					SDP_DROP_no_session;
}

static enum sdp_drop drop_of(long err)
{
	switch (err) {
	case -EALREADY:
	case -ERANGE:
	case -ESTALE:
		return SDP_DROP_replay;
	case -EADDRNOTAVAIL:
		return SDP_DROP_address;
	case -ENOKEY:
	case -EKEYEXPIRED:
		return SDP_DROP_no_session;
	case -EPROTO:
		return SDP_DROP_unknown_bits;
	case -EMSGSIZE:
		return SDP_DROP_short;
	case -ENOMEM:
		return SDP_DROP_memory;
	default:
		return SDP_DROP_header_tag;
	}
}

static u64 msgno_of(const struct sdp_secure_data_hdr *hdr)
{
	return sdp_get48(hdr->msgno);
}

/*
 * Does a verified packet belong to the message that the RPC receives? The
 * first one makes it so.
 */
static enum sdp_drop attach(struct sdp_rpc *rpc, struct sdp_epoch *epoch,
			    const struct sdp_secure_data_hdr *hdr)
{
	int err;

	if (rpc->session != sdp_epoch_session(epoch))
		return SDP_DROP_mismatch;
	if (rpc->open.epoch) {
		if (rpc->open.epoch != epoch ||
		    rpc->open.msgno != msgno_of(hdr) ||
		    !sdp_rx_agrees(&rpc->open, hdr))
			return SDP_DROP_mismatch;
		return 0;
	}
	err = sdp_rx_begin(&rpc->open, epoch, hdr);
	return err ? drop_of(err) : 0;
}

/* The authenticated form; its trailer is cut off. */
static enum sdp_drop check_authenticated(struct sdp_packet *packet,
					 struct sdp_epoch *epoch)
{
	struct scatterlist sg[MAX_SKB_FRAGS + 1];
	struct sk_buff *skb = packet->skb;
	u32 header = sizeof(struct sdp_secure_data_hdr);
	int nents, err;

	if (skb->len < header + sizeof(struct sdp_data_trailer))
		return SDP_DROP_short;
	if (skb_has_frag_list(skb) && skb_linearize(skb))
		return SDP_DROP_memory;
	sg_init_table(sg, ARRAY_SIZE(sg));
	nents = skb_to_sgvec(skb, sg, header, skb->len - header);
	if (nents < 0)
		return SDP_DROP_short;
	err = sdp_open_authenticated(epoch, (const void *)skb->data, sg,
				     skb->len - header);
	if (err)
		return err == -EALREADY ? SDP_DROP_control_replay :
					  SDP_DROP_control_tag;
	return pskb_trim(skb, skb->len - sizeof(struct sdp_data_trailer)) ?
	       SDP_DROP_memory : 0;
}

static u32 place_of(const struct sdp_packet *packet,
		    const struct sdp_secure_data_hdr *hdr)
{
	u32 sequence = ntohl(hdr->common.sequence);

	if (sequence & SDP_PLACE_INDEXED) {
		/* A NIC cut the segment: the IP ID counts its packets. */
		sequence &= ~SDP_PLACE_INDEXED;
		if (packet->v4)
			sequence += (u32)ntohs(ip_hdr(packet->skb)->id) *
				    ntohs(hdr->packet_payload);
	}
	return sequence;
}

/* A new RPC for a verified packet of a request. */
static enum sdp_drop make_secure_rpc(struct sdp_run *run, struct sdp_packet *packet,
				     struct sdp_epoch *epoch,
				     const struct sdp_secure_data_hdr *hdr,
				     struct sdp_rpc **rpc)
{
	int err;

	if (!(packet->who.id & 1)) {
		sdp_run_event(run, .id = packet->who.id,
			      .port = packet->who.pport, .secure = 1);
		sdp_exec_stray(run, NULL, PROG_EV_STRAY_DATA);
		return SDP_DROP_no_rpc;
	}
	err = sdp_rx_check(epoch, msgno_of(hdr));
	if (err)
		return drop_of(err);
	sdp_session_meet(packet->to.session, &packet->to.local);
	return sdp_receive_new(packet, packet->to.session, NULL, NULL, rpc);
}

static void discard(struct sdp_rpc *rpc)
{
	sdp_rpc_hold(rpc);
	sdp_rpc_end(rpc);
	sdp_rpc_unlock(rpc);
	sdp_rpc_put(rpc);
}

/* @rpc is locked, or NULL; unlocked on return. */
static enum sdp_drop run_data(struct sdp_run *run, struct sdp_packet *packet,
			      struct sdp_epoch *epoch,
			      const struct sdp_secure_data_hdr *hdr,
			      struct sdp_rpc *rpc)
{
	bool fresh = !rpc;
	enum sdp_drop drop;
	int verdict;

	if (fresh) {
		drop = make_secure_rpc(run, packet, epoch, hdr, &rpc);
		if (drop == SDP_DROP_raced) {
			rpc = sdp_receive_find(packet);
			fresh = false;
		}
		if (!rpc)
			return drop;
	}
	drop = attach(rpc, epoch, hdr);
	if (drop && fresh)
		discard(rpc);
	else if (drop)
		sdp_rpc_unlock(rpc);
	if (drop)
		return drop;
	if (!sdp_rpc_is_server(rpc))
		sdp_receive_heard(rpc, &packet->to.local);
	if (fresh)
		verdict = sdp_exec_request_secure(run, rpc);
	else
		verdict = sdp_exec_data(run, rpc);
	return verdict ? SDP_DROP_program : 0;
}

/*
 * The session of a packet: most often known from the RPC that it names, which
 * is then locked. Nothing is done to it before the packet has verified.
 */
static struct sdp_session *find_session(struct sdp_packet *packet, u32 id,
					struct sdp_rpc **found, bool *mismatch)
{
	struct sdp_rpc *rpc = sdp_receive_find(packet);

	*found = NULL;
	*mismatch = false;
	if (rpc) {
		if (rpc->session && sdp_session_id(rpc->session) == id) {
			*found = rpc;
			return rpc->session;
		}
		sdp_rpc_unlock(rpc);
		*mismatch = true;
	}
	return session_of(packet, id);
}

static enum sdp_drop receive_secure_data(struct sdp_packet *packet)
{
	struct sdp_endpoint *ep = packet->to.ep;
	const struct sdp_secure_data_hdr *hdr;
	struct sdp_session *session;
	struct sdp_epoch *epoch;
	struct sdp_rpc *rpc;
	struct sdp_run *run;
	enum sdp_drop drop;
	bool mismatch, auth;
	u32 truesize;

	hdr = sdp_receive_pull(packet, sizeof(*hdr));
	if (!hdr)
		return SDP_DROP_short;
	run = sdp_run_enter(packet->to.sn);
	session = find_session(packet, ntohl(hdr->session), &rpc, &mismatch);
	if (!session) {
		drop = no_session(packet);
		goto finish;
	}
	packet->to.session = session;
	epoch = sdp_open_header(session, hdr, &packet->to.local);
	drop = IS_ERR(epoch) ? drop_of(PTR_ERR(epoch)) : 0;
	if (!drop && mismatch)
		drop = SDP_DROP_mismatch;
	if (drop)
		goto unlock;
	auth = hdr->flags & SDP_DATA_AUTHENTICATED;
	if (auth) {
		drop = check_authenticated(packet, epoch);
		if (drop)
			goto unlock;
		hdr = sdp_receive_pull(packet, sizeof(*hdr));
	}
	truesize = packet->skb->truesize;
	if (!sdp_memory_charge_rx(ep, true, truesize)) {
		sdp_count(run->sn->counts, SDP_CTR_mem_refused);
		drop = SDP_DROP_memory;
		goto unlock;
	}
	sdp_run_event(run, .auth = auth,
		      .again = !!(hdr->flags & SDP_DATA_RETRANSMIT),
		      .message_length = ntohl(hdr->message_length),
		      .incoming = ntohl(hdr->incoming),
		      .cutoff_version = ntohs(hdr->cutoff_version),
		      .payload = ntohs(hdr->packet_payload),
		      .record = sdp_layout_wire_size(sdp_session_record_size(session)),
		      .offset = place_of(packet, hdr),
		      .length = packet->skb->len - sizeof(*hdr));
	run->payload = sizeof(*hdr);
	run->skb = packet->skb;
	drop = run_data(run, packet, epoch, hdr, rpc);
	packet->skb = run->skb;
	if (run->skb)
		sdp_memory_uncharge_rx(ep, true, truesize);
	goto finish;

unlock:
	if (rpc)
		sdp_rpc_unlock(rpc);
finish:
	sdp_run_leave(run);
	return drop;
}

/* Is a control packet about the request that this RPC has? */
static bool same_request(const struct sdp_rpc *rpc,
			 const struct sdp_control *control)
{
	bool server = sdp_rpc_is_server(rpc);
	struct sdp_control ours;

	if (control->request_msgno == SDP_MSGNO_NONE)
		return true;
	sdp_control_of_request(&ours, server ? NULL : &rpc->seal,
			       server ? &rpc->open : NULL);
	return control->request_msgno == ours.request_msgno &&
	       control->request_epoch == ours.request_epoch;
}

/*
 * Does a control packet show that its sender has part of what this RPC sends?
 * An RPC at the server shows that for its request; but a client asks for a
 * response before there is one.
 */
static bool shows_heard(const struct sdp_rpc *rpc,
			const struct sdp_packet *packet,
			const struct sdp_control *control)
{
	const struct sdp_resend_hdr *resend = (const void *)packet->hdr;
	bool server = sdp_rpc_is_server(rpc);

	switch (packet->hdr->type & ~SDP_TYPE_SECURE) {
	case SDP_TYPE_GRANT:
		return server || control->request_msgno != SDP_MSGNO_NONE;
	case SDP_TYPE_RESEND:
		if (!server)
			return control->request_msgno != SDP_MSGNO_NONE;
		/* All of it, or what fits a small packet, as all did not come. */
		return resend->length != cpu_to_be32(PROG_LENGTH_ALL) &&
		       (resend->offset || be32_to_cpu(resend->length) > MTP_SMALL);
	case SDP_TYPE_BUSY:
	case SDP_TYPE_NEED_ACK:
		return !server && control->request_msgno != SDP_MSGNO_NONE;
	case SDP_TYPE_ACK:
		return server;
	default:
		return false;
	}
}

static enum sdp_drop receive_secure_control(struct sdp_packet *packet)
{
	u32 length = packet->skb->len, id;
	struct sdp_control control;
	struct sdp_session *session;
	struct sdp_epoch *epoch;
	struct sdp_rpc *rpc;
	struct sdp_run *run;
	enum sdp_drop drop;

	/* The whole of it: the tag covers every byte. */
	if (length > SDP_CONTROL_MAX || !sdp_receive_pull(packet, length))
		return SDP_DROP_short;
	id = sdp_control_session_id(packet->hdr, length);
	if (!id)
		return SDP_DROP_short;
	session = session_of(packet, id);
	if (!session)
		return no_session(packet);
	packet->to.session = session;
	epoch = sdp_control_open(session, packet->hdr, length,
				 &packet->to.local, &control);
	if (IS_ERR(epoch)) {
		drop = drop_of(PTR_ERR(epoch));
		if (drop == SDP_DROP_replay)
			return SDP_DROP_control_replay;
		return drop == SDP_DROP_header_tag ? SDP_DROP_control_tag : drop;
	}
	run = sdp_run_enter(packet->to.sn);
	sdp_run_event(run, .auth = !!(control.flags & SDP_CONTROL_BAD_RECORD),
		      .before = !!(control.flags & SDP_CONTROL_DELIVERED));
	rpc = sdp_receive_find(packet);
	if (rpc && (rpc->session != session || !same_request(rpc, &control))) {
		sdp_rpc_unlock(rpc);
		drop = SDP_DROP_mismatch;
		goto finish;
	}
	if (rpc) {
		if (shows_heard(rpc, packet, &control))
			sdp_receive_heard(rpc, &packet->to.local);
	} else if (packet->who.id & 1 && control.request_msgno != SDP_MSGNO_NONE) {
		run->ev.before = sdp_rx_delivered(session, control.request_epoch,
						  control.request_msgno);
	}
	drop = sdp_receive_control(run, packet, rpc);
finish:
	sdp_run_leave(run);
	return drop;
}

enum sdp_drop sdp_receive_secure(struct sdp_packet *packet)
{
	if (packet->hdr->type == (SDP_TYPE_DATA | SDP_TYPE_SECURE))
		return receive_secure_data(packet);
	return receive_secure_control(packet);
}
