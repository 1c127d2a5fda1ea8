// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "../../record/seal.h"
#include "../state/memory.h"
#include "packet.h"

const void *sdp_receive_pull(struct sdp_packet *packet, u32 length)
{
	if (!pskb_may_pull(packet->skb, length))
		return NULL;
	packet->hdr = (const void *)packet->skb->data;
	return packet->hdr;
}

struct sdp_rpc *sdp_receive_find(const struct sdp_packet *packet)
{
	return sdp_rpc_find_lock(&packet->who);
}

/* Requests that we hold of a client, or under a session. */
static u32 open_requests(struct sdp_session *session,
			 const struct sdp_client *client)
{
	const struct sdp_pctx *pctx;

	if (client)
		return atomic_read(&client->open);
	pctx = sdp_session_transport(session);
	return atomic_read(&pctx->open);
}

/* Open requests of who has not taken the room: this one brings the last one's ACK. */
#define OPEN_FEW 1

/*
 * May a request begin though its class has taken its room? With keys, and few others
 * here, it may, as far as those go that have begun: others took the room.
 */
static bool goes_beyond(struct sdp_endpoint *ep, bool secure, u32 open)
{
	WRITE_ONCE(ep->pressed, true);
	return secure && open <= OPEN_FEW && !sdp_memory_far(ep, secure);
}

enum sdp_drop sdp_receive_new(struct sdp_packet *packet,
			      struct sdp_session *session,
			      struct sdp_client *client, struct sdp_seen *seen,
			      struct sdp_rpc **rpc)
{
	struct sdp_endpoint *ep = packet->to.ep;
	struct sdp_net *sn = packet->to.sn;
	enum sdp_drop drop = SDP_DROP_memory;
	struct sdp_peer *peer = NULL;
	struct sdp_rpc *new;
	u32 open;
	int err;

	if (!READ_ONCE(ep->server)) {
		drop = SDP_DROP_not_server;
		goto refuse;
	}
	open = open_requests(session, client);
	/* Else no message might begin, and none be given up, as without it there is room. */
	if (unlikely(sdp_memory_was_full(ep, session, packet->skb->truesize)) &&
	    !goes_beyond(ep, session, open)) {
		sdp_count(sn->counts, SDP_CTR_mem_refused);
		goto refuse;
	}
	/* A socket is told of it with a mark in this bit. */
	if (unlikely(packet->who.id & SDP_ID_SECURE) &&
	    (session || READ_ONCE(ep->marks))) {
		drop = SDP_DROP_mismatch;
		goto refuse;
	}
	if (open >= READ_ONCE(sn->set.peer_rpcs)) {
		drop = SDP_DROP_rpc_limit;
		goto refuse;
	}
	peer = sdp_origin_peer(&packet->to, client);
	if (IS_ERR(peer)) {
		drop = SDP_DROP_peer_limit;
		peer = NULL;
		goto refuse;
	}
	if (session && !sdp_session_hold(session)) {
		drop = SDP_DROP_no_session;
		goto refuse;
	}
	if (!sdp_memory_charge_rpc(ep, session, open <= OPEN_FEW)) {
		sdp_count(sn->counts, SDP_CTR_mem_refused);
		goto put_session;
	}
	new = sdp_rpc_alloc(ep, &packet->who, peer, session, GFP_ATOMIC);
	if (!new) {
		sdp_memory_uncharge_rpc(ep, session);
		goto put_session;
	}
	if (client)
		atomic_inc(&client->open);
	else
		atomic_inc(&new->pctx->open);
	new->client = client;
	new->seen = seen;
	err = sdp_rpc_insert(new);
	if (err) {
		sdp_rpc_put(new);
		return err == -EEXIST ? SDP_DROP_raced : SDP_DROP_no_rpc;
	}
	sdp_count(sn->counts, SDP_CTR_server_rpcs);
	*rpc = new;
	return 0;

put_session:
	sdp_session_put(session);
refuse:
	if (client) {
		sdp_client_put(client);
		sdp_seen_put(seen);
	}
	if (peer)
		sdp_peer_put(peer);
	return drop;
}

/*
 * The peer's session has one address of ours, and it has heard what the RPC
 * sent from this one.
 */
static void pin_local(struct sdp_rpc *rpc, const struct in6_addr *at)
{
	const struct in6_addr *local = &rpc->peer->local;

	if (!at || ipv6_addr_equal(at, local))
		sdp_session_pin(rpc->session, local);
}

void sdp_receive_heard(struct sdp_rpc *rpc, const struct in6_addr *at)
{
	/* What has not been sent cannot have been heard, whoever says so. */
	if (rpc->tx.ready && sdp_tx_heard(&rpc->seal))
		pin_local(rpc, at);
}

void sdp_receive_acks(struct sdp_run *run, const struct sdp_packet *packet,
		      const struct sdp_ack *acks, u32 count)
{
	struct sdp_rpc_id who = packet->who;
	u32 i;

	for (i = 0; i < count; i++) {
		struct sdp_rpc *rpc;

		if (!acks[i].client_id)
			continue;
		who.id = be64_to_cpu(acks[i].client_id) | 1;
		who.port = ntohs(acks[i].server_port);
		/* Of another of our ports, perhaps, or of a socket that is closed. */
		rpc = sdp_rpc_find_at_lock(&who, &packet->at, false);
		if (!rpc)
			continue;
		/* What a packet acknowledges belongs to its own session. */
		if (rpc->session != packet->to.session) {
			sdp_rpc_unlock(rpc);
			continue;
		}
		if (rpc->session)
			sdp_receive_heard(rpc, &packet->to.local);
		sdp_run_event(run);
		sdp_exec_ack(run, rpc);
	}
}
