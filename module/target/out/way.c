// SPDX-License-Identifier: GPL-2.0-only
#include <linux/netdevice.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "../../observe/observe.h"
#include "way.h"

/* Where even our headers hardly fit, IPv4 fragments. */
#define LEAST_MTU 256

int sdp_way_of(struct sdp_way *path, struct sdp_net *sn, const struct sock *sk,
	       struct sdp_peer *peer, bool secure,
	       const struct sdp_marking *marking)
{
	int err = sdp_peer_route(peer, sk, &path->route);

	if (err)
		return err;
	path->sn = sn;
	path->sk = sk;
	path->peer = peer;
	path->marking = marking;
	path->rpc = NULL;
	path->ip_header = sdp_ip_header(peer->v4);
	/* The length field of IP is the limit on a loopback device. */
	path->mtu = min(sdp_peer_mtu(peer, secure, sk, path->route.dst,
				     &path->split), 65535U);
	if (unlikely(path->mtu < LEAST_MTU)) {
		path->mtu = LEAST_MTU;
		path->split = true;
	}
	return 0;
}

int sdp_way_of_rpc(struct sdp_way *path, const struct sdp_rpc *rpc)
{
	return sdp_way_of(path, rpc->who.sn, rpc->ep->sk, rpc->peer, rpc->secure,
			  &rpc->marking);
}

struct sk_buff *sdp_way_packet(const struct sdp_way *path, u32 room)
{
	const struct dst_entry *dst = path->route.dst;
	u32 head = LL_RESERVED_SPACE(dst->dev) + dst->header_len + path->ip_header;
	struct sk_buff *skb = alloc_skb(head + room, GFP_ATOMIC);

	if (likely(skb))
		skb_reserve(skb, head);
	return skb;
}

void sdp_way_end(const struct sdp_way *path)
{
	sdp_route_end(&path->route);
}

/* One that the application has asked for stands in the place of our priorities. */
static u8 traffic_class(const struct sdp_way *path, u8 prio)
{
	const struct sock *sk = path->sk;
	u8 own;

	if (unlikely(READ_ONCE(path->marking->tos)))
		own = READ_ONCE(path->marking->tos);
	else if (path->peer->v4)
		own = READ_ONCE(inet_sk(sk)->tos);
	else
		own = READ_ONCE(inet6_sk(sk)->tclass);
	/* Congestion marks are nobody's here: none is answered. */
	own &= ~INET_ECN_MASK;
	if (unlikely(own))
		return own;
	return path->peer->v4 ? prio << 5 : prio << 4;
}

/* That of the application, or from the packet's hash: one for each RPC. */
static __be32 flow_label(struct sk_buff *skb, const struct sdp_way *path)
{
	const struct sock *sk = path->sk;
	struct net *net = path->sn->net;
	bool automatic = inet6_test_bit(AUTOFLOWLABEL, sk);

	if (!inet6_test_bit(AUTOFLOWLABEL_SET, sk))
		automatic = ip6_default_np_autolabel(net);
	/* The packet has a hash: no flow is looked at. */
	return ip6_make_flowlabel(net, skb, path->marking->label, automatic, NULL);
}

static void ip_header_v4(struct sk_buff *skb, const struct sdp_way *path, u8 prio)
{
	const struct sock *sk = path->sk;
	struct iphdr *ip = skb_push(skb, sizeof(*ip));
	int ttl;

	skb_reset_network_header(skb);
	*(__be16 *)ip = htons(4 << 12 | 5 << 8 | traffic_class(path, prio));
	ip->protocol = sk->sk_protocol;
	ip->saddr = path->peer->local.s6_addr32[3];
	ip->daddr = path->peer->key.daddr.s6_addr32[3];
	ip->id = 0;
	ip->frag_off = 0;
	/* What is plain stays whole, whatever the socket has been told meanwhile. */
	if (skb_is_decrypted(skb) ||
	    (!unlikely(path->split) && sdp_route_whole(sk, path->route.dst)))
		ip->frag_off = htons(IP_DF);
	else	/* By addresses and protocol. */
		__ip_select_ident(path->sn->net, ip,
				  skb_shinfo(skb)->gso_segs ?: 1);
	ttl = READ_ONCE(path->marking->hops) ?: READ_ONCE(inet_sk(sk)->uc_ttl);
	ip->ttl = ttl < 0 ? ip4_dst_hoplimit(path->route.dst) : ttl;
	skb->protocol = htons(ETH_P_IP);
}

static void ip_header_v6(struct sk_buff *skb, const struct sdp_way *path, u8 prio)
{
	struct ipv6hdr *ip = skb_push(skb, sizeof(*ip));
	int hops;

	skb_reset_network_header(skb);
	ip6_flow_hdr(ip, traffic_class(path, prio), flow_label(skb, path));
	ip->payload_len = htons(skb->len - sizeof(*ip));
	ip->nexthdr = path->sk->sk_protocol;
	hops = READ_ONCE(path->marking->hops) ?: READ_ONCE(inet6_sk(path->sk)->hop_limit);
	ip->hop_limit = hops < 0 ? ip6_dst_hoplimit(path->route.dst) : hops;
	ip->saddr = path->peer->local;
	ip->daddr = path->peer->key.daddr;
	skb->protocol = htons(ETH_P_IPV6);
}

u32 sdp_way_hash(u64 id)
{
	return (u32)(id >> 1) * GOLDEN_RATIO_32;
}

/*
 * Programs of the cgroup and rules of the firewall look at the owner. IPsec lengthens
 * packets and charges that to it, too: the destructor has to be sock_wfree(). False
 * when there is no owner any more.
 */
static bool set_owner(struct sk_buff *skb, struct sock *sk)
{
	if (unlikely(!refcount_add_not_zero(skb->truesize, &sk->sk_wmem_alloc)))
		return false;
	skb->sk = sk;
	skb->destructor = sock_wfree;
	return true;
}

void sdp_way_send(struct sk_buff *skb, const struct sdp_way *path, u8 prio, u64 id)
{
	struct sock *sk = (struct sock *)path->sk;
	struct net *net = path->sn->net;
	int err;

	if (unlikely(!set_owner(skb, sk))) {
		kfree_skb(skb);
		return;
	}
	skb_reset_transport_header(skb);
	/*
	 * There is none to check: a firewall's reject would take what it knows nothing of
	 * for damaged, and not answer.
	 */
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	/* Under RCU the route need not be held, and may have no holder left. */
	skb_dst_set_noref(skb, path->route.dst);
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = path->peer->key.mark;
	skb_set_hash(skb, sdp_way_hash(id), PKT_HASH_TYPE_L4);
	sdp_count(path->sn->counts, SDP_CTR_tx_segments);
	if (path->peer->v4) {
		ip_header_v4(skb, path, prio);
		err = ip_local_out(net, sk, skb);
	} else {
		ip_header_v6(skb, path, prio);
		skb->dev = path->route.dst->dev;
		err = ip6_local_out(net, sk, skb);
	}
	if (unlikely(net_xmit_eval(err)))
		sdp_count(path->sn->counts, SDP_CTR_tx_errors);
}
