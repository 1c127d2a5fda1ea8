// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf-cgroup.h>
#include <linux/filter.h>
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <linux/sdp.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "../offload/merge.h"
#include "memory.h"
#include "receive.h"
#include "reclaim.h"

/* Least distance of two offsets in an unsegmented segment, bytes. */
#define LEAST_STRIDE 128

const void *sdp_receive_pull(struct sdp_packet *packet, u32 length)
{
	if (!pskb_may_pull(packet->skb, length))
		return NULL;
	packet->hdr = (const void *)packet->skb->data;
	return packet->hdr;
}

static const u16 received_counter[] = {
	[SDP_TYPE_DATA & 15] = SDP_CTR_rx_data,
	[SDP_TYPE_GRANT & 15] = SDP_CTR_rx_grant,
	[SDP_TYPE_RESEND & 15] = SDP_CTR_rx_resend,
	[SDP_TYPE_RPC_UNKNOWN & 15] = SDP_CTR_rx_rpc_unknown,
	[SDP_TYPE_BUSY & 15] = SDP_CTR_rx_busy,
	[SDP_TYPE_CUTOFFS & 15] = SDP_CTR_rx_cutoffs,
	[SDP_TYPE_FREEZE & 15] = SDP_CTR_rx_freeze,
	[SDP_TYPE_NEED_ACK & 15] = SDP_CTR_rx_need_ack,
	[SDP_TYPE_ACK & 15] = SDP_CTR_rx_ack,
	[SDP_TYPE_ABORT & 15] = SDP_CTR_rx_abort,
};

static bool known_type(u8 type)
{
	u8 plain = type & ~SDP_TYPE_SECURE;

	if (plain < SDP_TYPE_DATA || plain > SDP_TYPE_ABORT)
		return false;
	if (type & SDP_TYPE_SECURE)
		return plain != SDP_TYPE_FREEZE;
	return plain != SDP_TYPE_ABORT;
}

/*
 * What the stack knows of the packet, or of the first of a list: only that one
 * has a route, and it alone was looked at by who translates addresses.
 */
static void take_addresses(struct sdp_packet *packet)
{
	const struct rtable *rt = skb_rtable(packet->skb);
	struct sdp_origin *to = &packet->to;
	struct sk_buff *skb = packet->skb;

	if (packet->v4) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &to->peer);
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, &to->local);
		packet->group = rt && rt->rt_flags & (RTCF_BROADCAST |
						      RTCF_MULTICAST);
	} else {
		to->peer = ipv6_hdr(skb)->saddr;
		to->local = ipv6_hdr(skb)->daddr;
	}
}

/* Ports, id: what the packet is about. */
static void identify(struct sdp_packet *packet, struct net *net)
{
	const struct sdp_common_hdr *hdr = packet->hdr;
	struct sdp_origin *to = &packet->to;

	to->sn = sdp_net(net);
	to->session = NULL;
	to->ifindex = 0;
	if (!packet->v4 && ipv6_addr_type(&to->peer) & IPV6_ADDR_LINKLOCAL)
		to->ifindex = inet6_iif(packet->skb);
	to->pport = ntohs(hdr->sport);
	packet->who.sn = to->sn;
	packet->who.id = be64_to_cpu(hdr->sender_id) ^ 1;
	packet->who.addr = to->peer;
	packet->who.port = ntohs(hdr->dport);
	packet->who.pport = to->pport;
	packet->who.secure = packet->who.id & 1 && hdr->type & SDP_TYPE_SECURE;
}

/* Would the socket's own address and device have this packet? */
static bool socket_matches(const struct sock *sk,
			   const struct sdp_packet *packet)
{
	const struct sdp_origin *to = &packet->to;
	const struct sk_buff *skb = packet->skb;
	int dif = packet->v4 ? inet_iif(skb) : inet6_iif(skb);
	int sdif = packet->v4 ? inet_sdif(skb) : inet6_sdif(skb);

	if (!inet_sk_bound_dev_eq(sock_net(sk), sk->sk_bound_dev_if, dif, sdif))
		return false;
	if (packet->v4 && sk->sk_family == AF_INET6 &&
	    (ipv6_only_sock(sk) ||
	     (!ipv6_addr_any(&sk->sk_v6_rcv_saddr) &&
	      !ipv6_addr_v4mapped(&sk->sk_v6_rcv_saddr))))
		return false;
	if (packet->v4)
		return !inet_sk(sk)->inet_rcv_saddr ||
		       inet_sk(sk)->inet_rcv_saddr ==
		       to->local.s6_addr32[3];
	if (sk->sk_family != AF_INET6)
		return false;
	return ipv6_addr_any(&sk->sk_v6_rcv_saddr) ||
	       ipv6_addr_equal(&sk->sk_v6_rcv_saddr, &to->local);
}

/* Unicast addresses that somebody could have sent from. */
static bool addresses_ok(const struct sdp_packet *packet)
{
	const struct sk_buff *skb = packet->skb;
	__be32 peer = packet->to.peer.s6_addr32[3];

	if (skb->pkt_type != PACKET_HOST && skb->pkt_type != PACKET_LOOPBACK)
		return false;
	if (!packet->hdr->sport)
		return false;
	if (packet->v4)
		return !packet->group && !ipv4_is_multicast(peer) &&
		       !ipv4_is_lbcast(peer) && !ipv4_is_zeronet(peer);
	return !ipv6_addr_is_multicast(&packet->to.local) &&
	       !ipv6_addr_any(&packet->to.peer) &&
	       !ipv6_addr_v4mapped(&packet->to.peer);
}

static void tell_unreachable(const struct sdp_packet *packet)
{
	u8 type = packet->hdr->type & ~SDP_TYPE_SECURE;

	/* Only a request deserves to be told; answers must not beget others. */
	if (type != SDP_TYPE_DATA || !(packet->who.id & 1))
		return;
	if (packet->v4)
		icmp_send(packet->skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmpv6_send(packet->skb, ICMPV6_DEST_UNREACH,
			    ICMPV6_PORT_UNREACH, 0);
}

struct sdp_rpc *sdp_receive_find(const struct sdp_packet *packet)
{
	struct sdp_rpc *rpc = sdp_rpc_find_lock(&packet->who);

	/* The port may have changed hands since the socket was found. */
	if (rpc && unlikely(rpc->ep != packet->to.ep)) {
		sdp_rpc_unlock(rpc);
		return NULL;
	}
	return rpc;
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

enum sdp_drop sdp_receive_new(struct sdp_packet *packet,
			      struct sdp_session *session,
			      struct sdp_client *client, struct sdp_rpc **rpc)
{
	struct sdp_endpoint *ep = packet->to.ep;
	struct sdp_net *sn = packet->to.sn;
	enum sdp_drop drop = SDP_DROP_memory;
	struct sdp_peer *peer = NULL;
	struct sdp_rpc *new;
	int err;

	if (!READ_ONCE(ep->server)) {
		drop = SDP_DROP_not_server;
		goto refuse;
	}
	if (unlikely(sdp_memory_full(ep))) {
		sdp_count(sn->counts, SDP_CTR_mem_refused);
		WRITE_ONCE(ep->pressed, true);
		goto refuse;
	}
	/* A socket is told of it with a mark in this bit. */
	if (unlikely(packet->who.id & SDP_ID_SECURE) &&
	    (session || READ_ONCE(ep->policy) != SDP_POLICY_CLEAR)) {
		drop = SDP_DROP_mismatch;
		goto refuse;
	}
	if (open_requests(session, client) >= READ_ONCE(sn->set.peer_rpcs)) {
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
	if (!sdp_memory_charge_rpc(ep)) {
		sdp_count(sn->counts, SDP_CTR_mem_refused);
		goto put_session;
	}
	new = sdp_rpc_alloc(ep, &packet->who, peer, session, GFP_ATOMIC);
	if (!new) {
		sdp_memory_uncharge_rpc(ep);
		goto put_session;
	}
	if (client)
		atomic_inc(&client->open);
	else
		atomic_inc(&new->pctx->open);
	new->client = client;
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
	if (client)
		sdp_client_put(client);
	if (peer)
		sdp_peer_put(peer);
	return drop;
}

/* A new RPC for a clear packet of a request. */
static enum sdp_drop make_rpc(struct sdp_packet *packet, struct sdp_rpc **rpc)
{
	struct sdp_client_key key = {
		.sn = packet->who.sn, .addr = packet->who.addr,
		.sport = packet->who.pport, .dport = packet->who.port,
	};
	struct sdp_client *client;

	/* Before anything is remembered of whoever this is. */
	if (!READ_ONCE(packet->to.ep->server))
		return SDP_DROP_not_server;
	client = sdp_client_get(&key);
	if (!client)
		return SDP_DROP_peer_limit;
	return sdp_receive_new(packet, NULL, client, rpc);
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
	if (!sdp_memory_charge_rx(ep, truesize)) {
		sdp_count(run->sn->counts, SDP_CTR_mem_refused);
		return SDP_DROP_memory;
	}
	rpc = sdp_receive_find(packet);
	if (!rpc && packet->who.id & 1) {
		drop = make_rpc(packet, &new);
		if (drop == SDP_DROP_raced)
			rpc = sdp_receive_find(packet);
		if (!rpc && drop)
			goto uncharge;
	}
	drop = SDP_DROP_program;
	if (new) {
		verdict = sdp_exec_request_clear(run, new);
	} else if (!rpc) {
		verdict = sdp_exec_stray(run, NULL, PROG_EV_STRAY_DATA);
		drop = SDP_DROP_no_rpc;
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
	sdp_memory_uncharge_rx(ep, truesize);
	return drop;
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
		run->ev.offset = ntohl(offset);
		run->ev.length = length;
		drop = data_piece(run, packet);
		kfree_skb(run->skb);
		run->skb = NULL;
		at += length + sizeof(offset);
	}
	return drop;
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
		rpc = sdp_rpc_find_lock(&who);
		if (!rpc)
			continue;
		/* What a packet acknowledges belongs to its own session. */
		if (rpc->session != packet->to.session) {
			sdp_rpc_unlock(rpc);
			continue;
		}
		if (rpc->session)
			sdp_receive_heard(rpc, &packet->to.local);
		sdp_exec_ack(run, rpc);
	}
}

static enum sdp_drop receive_data(struct sdp_run *run, struct sdp_packet *packet)
{
	const struct sdp_data_hdr *hdr;
	struct sk_buff *skb = packet->skb;
	enum sdp_drop drop;
	u32 stride;

	hdr = sdp_receive_pull(packet, sizeof(*hdr));
	if (!hdr)
		return SDP_DROP_short;
	if (hdr->ack.client_id) {
		struct sdp_ack ack = hdr->ack;

		sdp_receive_acks(run, packet, &ack, 1);
	}
	run->ev.message_length = ntohl(hdr->message_length);
	run->ev.incoming = ntohl(hdr->incoming);
	run->ev.cutoff_version = ntohs(hdr->cutoff_version);
	run->ev.auth = 0;
	run->ev.offset = ntohl(hdr->offset);
	stride = skb_shinfo(skb)->gso_size;
	if (unlikely(run->ev.offset != SDP_OFFSET_IN_SEQUENCE &&
		     stride > sizeof(__be32) &&
		     skb->len > SDP_DATA_NIC_HEADER + stride))
		return data_pieces(run, packet, stride);
	if (run->ev.offset == SDP_OFFSET_IN_SEQUENCE)
		run->ev.offset = ntohl(hdr->common.sequence);
	run->ev.length = skb->len - sizeof(*hdr);
	run->payload = sizeof(*hdr);
	run->skb = skb;
	drop = data_piece(run, packet);
	/* NULL: kept. */
	packet->skb = run->skb;
	return drop;
}

static enum sdp_drop receive_clear(struct sdp_packet *packet)
{
	struct sdp_run *run = sdp_run_enter(packet->to.sn);
	enum sdp_drop drop;
	struct sdp_rpc *rpc;

	if (packet->hdr->type == SDP_TYPE_DATA) {
		drop = receive_data(run, packet);
	} else {
		/* What only secure packets say; a run remembers the last one. */
		run->ev.auth = 0;
		run->ev.before = 0;
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

/* Run the socket's filters, if there are any. They may cut the packet. */
static bool filtered(struct sock *sk, struct sk_buff *skb)
{
	/* Memory kept for those who free memory. */
	if (unlikely(skb_pfmemalloc(skb)) && !sock_flag(sk, SOCK_MEMALLOC))
		return true;
	if (likely(!rcu_access_pointer(sk->sk_filter) &&
		   !cgroup_bpf_enabled(CGROUP_INET_INGRESS)))
		return security_sock_rcv_skb(sk, skb);
	return sk_filter_trim_cap(sk, skb, sizeof(struct sdp_common_hdr));
}

static enum sdp_drop receive(struct sdp_packet *packet, struct net *net)
{
	struct sdp_endpoint *ep;
	enum sdp_drop drop;
	bool secure;

	if (unlikely(!sdp_receive_pull(packet, sizeof(struct sdp_common_hdr))))
		return SDP_DROP_short;
	identify(packet, net);
	if (unlikely(!addresses_ok(packet)))
		return SDP_DROP_address;
	if (unlikely(!known_type(packet->hdr->type)))
		return SDP_DROP_type;
	sdp_count(packet->to.sn->counts, received_counter[packet->hdr->type & 15]);
	if (trace_sdp_packet_enabled())
		trace_sdp_packet(net, false, packet->hdr->type, packet->who.id,
				 packet->who.port, packet->who.pport,
				 ntohl(packet->hdr->sequence),
				 packet->skb->len);
	ep = sdp_endpoint_find(packet->to.sn, packet->who.port);
	if (unlikely(!ep || !socket_matches(ep->sk, packet))) {
		tell_unreachable(packet);
		return SDP_DROP_no_socket;
	}
	packet->to.ep = ep;
	if (ep->sk->sk_bound_dev_if)
		packet->to.ifindex = ep->sk->sk_bound_dev_if;
	if (unlikely(filtered(ep->sk, packet->skb)))
		return SDP_DROP_filter;
	packet->hdr = (const void *)packet->skb->data;
	secure = packet->hdr->type & SDP_TYPE_SECURE;
	if (secure && READ_ONCE(ep->policy) == SDP_POLICY_CLEAR)
		return SDP_DROP_policy_secure;
	if (!secure && READ_ONCE(ep->policy) == SDP_POLICY_SECURE)
		return SDP_DROP_policy_clear;
	drop = secure ? sdp_receive_secure(packet) : receive_clear(packet);
	if (unlikely(READ_ONCE(ep->pressed)))
		sdp_reclaim_oldest(ep);
	return drop;
}

static void receive_one(struct sdp_packet *packet, struct sk_buff *skb)
{
	struct net *net = dev_net(skb->dev);
	enum sdp_drop drop;

	packet->skb = skb;
	drop = receive(packet, net);
	if (unlikely(drop))
		sdp_count_drop(net, drop, packet->skb);
	if (packet->skb) {
		if (drop)
			kfree_skb(packet->skb);
		else
			consume_skb(packet->skb);
	}
}

int sdp_receive(struct sk_buff *skb)
{
	struct sdp_packet packet = {
		.skb = skb, .v4 = skb->protocol == htons(ETH_P_IP),
	};
	struct sk_buff *rest = NULL, *next;

	if (sdp_merge_is_list(skb)) {
		rest = sdp_merge_split(skb);
		if (unlikely(sdp_merge_is_list(skb))) {
			sdp_count_drop(dev_net(skb->dev),
				       SDP_DROP_fragment_memory, skb);
			kfree_skb(skb);
			return 0;
		}
	}
	take_addresses(&packet);
	receive_one(&packet, skb);
	for (; rest; rest = next) {
		next = rest->next;
		skb_mark_not_on_list(rest);
		receive_one(&packet, rest);
	}
	return 0;
}
