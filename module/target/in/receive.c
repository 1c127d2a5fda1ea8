// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bpf-cgroup.h>
#include <linux/filter.h>
#include <linux/icmpv6.h>
#include <net/icmp.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/xfrm.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "../../observe/trace.h"
#include "../run/reclaim.h"
#include "../state/orphan.h"
#include "receive.h"
#include "receive_clear.h"
#include "receive_secure.h"
#include "steer.h"

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
	to->port = ntohs(hdr->dport);
	to->pport = ntohs(hdr->sport);
	packet->who.sn = to->sn;
	packet->who.id = be64_to_cpu(hdr->sender_id) ^ 1;
	packet->who.addr = to->peer;
	packet->who.port = to->port;
	packet->who.pport = to->pport;
	packet->who.secure = packet->who.id & 1 && hdr->type & SDP_TYPE_SECURE;
	packet->who.ep = NULL;
}

/* Address and device, which tell sockets of one port apart. */
static void arrive(struct sdp_packet *packet)
{
	const struct sk_buff *skb = packet->skb;
	struct sdp_inlet *at = &packet->at;

	at->local = &packet->to.local;
	at->v4 = packet->v4;
	at->dif = packet->v4 ? inet_iif(skb) : inet6_iif(skb);
	at->sdif = packet->v4 ? inet_sdif(skb) : inet6_sdif(skb);
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

/*
 * May the packet have come as it did? The socket's own IPsec policy goes before
 * the host's, which is why IP has left this to us.
 */
static bool ipsec_ok(struct sock *sk, const struct sdp_packet *packet)
{
	if (packet->v4)
		return xfrm4_policy_check(sk, XFRM_POLICY_IN, packet->skb);
	return xfrm6_policy_check(sk, XFRM_POLICY_IN, packet->skb);
}

/* What an orphan waits for comes to a port that is not its own any more. */
static struct sdp_endpoint *find_endpoint(const struct sdp_packet *packet)
{
	struct sdp_net *sn = packet->to.sn;
	struct sdp_endpoint *ep = NULL;

	if (unlikely(atomic_read(&sn->orphans.count)))
		ep = sdp_orphan_find(&packet->who, &packet->at);
	return ep ?: sdp_endpoint_find(sn, packet->who.port, &packet->at);
}

/* What the packet says of itself. */
static enum sdp_drop check_header(struct sdp_packet *packet, struct net *net)
{
	if (unlikely(!sdp_receive_pull(packet, sizeof(struct sdp_common_hdr))))
		return SDP_DROP_short;
	identify(packet, net);
	if (unlikely(!addresses_ok(packet)))
		return SDP_DROP_address;
	if (unlikely(!known_type(packet->hdr->type)))
		return SDP_DROP_type;
	return 0;
}

static enum sdp_drop receive_packet(struct sdp_packet *packet, struct net *net)
{
	struct sdp_endpoint *ep;
	enum sdp_drop drop;
	bool secure;

	/* As the sender counts: a segment, or what was merged, is several. */
	sdp_count_add(packet->to.sn->counts,
		      received_counter[packet->hdr->type & 15],
		      skb_shinfo(packet->skb)->gso_segs ?: 1);
	if (trace_sdp_packet_enabled())
		trace_sdp_packet(net, false, packet->hdr->type, packet->who.id,
				 packet->who.port, packet->who.pport,
				 ntohl(packet->hdr->sequence),
				 packet->skb->len);
	arrive(packet);
	ep = find_endpoint(packet);
	if (unlikely(!ep)) {
		if (!ipsec_ok(NULL, packet))
			return SDP_DROP_ipsec;
		tell_unreachable(packet);
		return SDP_DROP_no_socket;
	}
	if (unlikely(!ipsec_ok(ep->sk, packet)))
		return SDP_DROP_ipsec;
	nf_reset_ct(packet->skb);
	packet->to.ep = ep;
	packet->who.ep = ep;
	packet->device = sdp_endpoint_device(ep);
	if (packet->device)
		packet->to.ifindex = packet->device;
	if (unlikely(filtered(ep->sk, packet->skb)))
		return SDP_DROP_filter;
	packet->hdr = (const void *)packet->skb->data;
	secure = packet->hdr->type & SDP_TYPE_SECURE;
	if (secure && READ_ONCE(ep->policy) == SDP_POLICY_CLEAR)
		return SDP_DROP_policy_secure;
	if (!secure && READ_ONCE(ep->policy) == SDP_POLICY_SECURE)
		return SDP_DROP_policy_clear;
	drop = secure ? sdp_receive_secure(packet) : sdp_receive_clear(packet);
	if (unlikely(READ_ONCE(ep->pressed)))
		sdp_reclaim_pressed(ep);
	return drop;
}

static __always_inline int receive(struct sk_buff *skb, bool at_home)
{
	struct sdp_packet packet = {
		.skb = skb, .v4 = skb->protocol == htons(ETH_P_IP),
	};
	struct net *net = dev_net(skb->dev);
	enum sdp_drop drop;

	take_addresses(&packet);
	drop = check_header(&packet, net);
	if (likely(!drop)) {
		if (!at_home && sdp_steer(&packet))
			return 0;
		drop = receive_packet(&packet, net);
	}
	if (unlikely(drop))
		sdp_count_drop(net, drop, packet.skb);
	if (packet.skb) {
		if (drop)
			kfree_skb(packet.skb);
		else
			consume_skb(packet.skb);
	}
	return 0;
}

int sdp_receive(struct sk_buff *skb)
{
	return receive(skb, false);
}

void sdp_receive_at_home(struct sk_buff *skb)
{
	receive(skb, true);
}
