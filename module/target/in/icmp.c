// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ICMP error ends a clear RPC of ours whose id the quoted packet shows: a
 * request, or, where nobody there speaks the protocol or listens, what a
 * request made of us that somebody else sent in that host's name. It can be
 * forged by whoever guesses that id; in secure mode it is only counted.
 *
 * "Too big" and redirects are believed, by this one peer's MTU and by the socket's
 * route, if they quote DATA of an RPC that lives; in secure mode, with its tag.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "../../observe/observe.h"
#include "../../record/seal.h"
#include "../run/exec.h"
#include "../state/route.h"
#include "../state/rpc_table.h"
#include "icmp.h"

/*
 * @skb holds our packet's header at @offset; what follows may be cut off. It was sent from
 * at->local, and the RPC's own address is to be that: of sockets that share a port, one.
 */
static void fail_rpc(struct sk_buff *skb, int offset, struct sdp_rpc_id *who,
		     const struct sdp_inlet *at, int error)
{
	const struct sdp_common_hdr *hdr;
	struct sdp_common_hdr copy;
	struct sdp_rpc *rpc;
	struct sdp_run *run;

	hdr = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	if (!hdr)
		return;
	who->id = be64_to_cpu(hdr->sender_id);
	who->port = ntohs(hdr->sport);
	who->pport = ntohs(hdr->dport);
	if (hdr->type & SDP_TYPE_SECURE)
		return;
	/* A server whose client cannot be reached now goes by its own timers. */
	if (who->id & 1 && error == EHOSTUNREACH)
		return;
	run = sdp_run_begin(who->sn);
	rpc = sdp_rpc_find_at_lock(who, at, false);
	if (rpc && !rpc->secure) {
		sdp_run_event(run, .error = error);
		sdp_exec(run, rpc, PROG_EV_ICMP_ERROR);
	} else if (rpc) {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
}

/* Is the quoted header one that @rpc has sent? In the clear its id has to do. */
static bool has_sent(const struct sdp_rpc *rpc, struct sk_buff *skb, int offset)
{
	const struct sdp_secure_data_hdr *hdr;
	struct sdp_secure_data_hdr copy;

	if (!rpc->tx.ready)
		return false;
	if (!rpc->secure)
		return true;
	hdr = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	return hdr && sdp_tx_made(&rpc->seal, hdr);
}

/*
 * The RPC, locked, that has sent the quoted DATA packet from at->local; NULL: none
 * that lives did, as far as the quote shows. Who only guesses a port, or the
 * address of somebody whom this host talks to, changes nothing.
 */
static struct sdp_rpc *sender_of(struct sk_buff *skb, int offset,
				 struct sdp_rpc_id *who,
				 const struct sdp_inlet *at)
{
	const struct sdp_common_hdr *hdr;
	struct sdp_common_hdr copy;
	struct sdp_rpc *rpc;
	bool secure;

	hdr = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	if (!hdr || (hdr->type & ~SDP_TYPE_SECURE) != SDP_TYPE_DATA)
		goto unproven;
	secure = hdr->type & SDP_TYPE_SECURE;
	who->id = be64_to_cpu(hdr->sender_id);
	who->port = ntohs(hdr->sport);
	who->pport = ntohs(hdr->dport);
	who->secure = who->id & 1 && secure;
	rpc = sdp_rpc_find_at_lock(who, at, false);
	if (!rpc)
		goto unproven;
	if (rpc->secure == secure && has_sent(rpc, skb, offset))
		return rpc;
	sdp_rpc_unlock(rpc);
unproven:
	sdp_count(who->sn->counts, SDP_CTR_icmp_unproven);
	return NULL;
}

/*
 * Another first hop, says the present one (whether it is, IP checks): as other
 * sockets with this one's mark and device see the route.
 */
static void redirect(struct sk_buff *skb, int offset, struct sdp_rpc_id *who,
		     const struct sdp_inlet *at)
{
	struct sdp_rpc *rpc = sender_of(skb, offset, who, at);
	struct sock *sk;

	if (!rpc)
		return;
	/* Freed after RCU. */
	sk = rpc->ep->sk;
	sdp_rpc_unlock(rpc);
	if (at->v4)
		ipv4_sk_redirect(skb, sk);
	else
		/* Not ip6_sk_redirect(): without a device it finds no route. */
		ip6_redirect(skb, dev_net(skb->dev), inet6_iif(skb),
			     READ_ONCE(sk->sk_mark), sk->sk_uid);
}

/* Packets to this peer are too long; the route is left as it is. */
static void too_big(struct sk_buff *skb, int offset, struct sdp_rpc_id *who,
		    const struct sdp_inlet *at, u32 mtu)
{
	struct sdp_rpc *rpc = sender_of(skb, offset, who, at);

	if (!rpc)
		return;
	sdp_peer_lower_mtu(rpc->peer, rpc->secure, mtu);
	sdp_rpc_unlock(rpc);
}

static int error_v4(u8 code)
{
	switch (code) {
	case ICMP_PORT_UNREACH:
		return -ENOTCONN;
	case ICMP_PROT_UNREACH:
		return -ENOPROTOOPT;
	default:
		return -EHOSTUNREACH;
	}
}

int sdp_icmp_v4(struct sk_buff *skb, u32 info)
{
	const struct iphdr *ip = (const struct iphdr *)skb->data;
	const struct icmphdr *icmp = icmp_hdr(skb);
	struct net *net = dev_net(skb->dev);
	struct sdp_rpc_id who = { .sn = sdp_net(net) };
	int offset = ip->ihl * 4;
	struct in6_addr from;
	const struct sdp_inlet at = {
		.local = &from, .v4 = true,
		.dif = inet_iif(skb), .sdif = inet_sdif(skb),
	};

	sdp_count(who.sn->counts, SDP_CTR_icmp_errors);
	ipv6_addr_set_v4mapped(ip->daddr, &who.addr);
	ipv6_addr_set_v4mapped(ip->saddr, &from);
	if (icmp->type == ICMP_REDIRECT) {
		redirect(skb, offset, &who, &at);
	} else if (icmp->type == ICMP_DEST_UNREACH) {
		if (icmp->code == ICMP_FRAG_NEEDED)
			too_big(skb, offset, &who, &at, info);
		else
			fail_rpc(skb, offset, &who, &at,
				 -error_v4(icmp->code));
	}
	return 0;
}

int sdp_icmp_v6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *ip = (const struct ipv6hdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	struct sdp_rpc_id who = { .sn = sdp_net(net), .addr = ip->daddr };
	const struct sdp_inlet at = {
		.local = &ip->saddr,
		.dif = inet6_iif(skb), .sdif = inet6_sdif(skb),
	};

	sdp_count(who.sn->counts, SDP_CTR_icmp_errors);
	switch (type) {
	case ICMPV6_PKT_TOOBIG:
		too_big(skb, offset, &who, &at, ntohl(info));
		break;
	case NDISC_REDIRECT:
		redirect(skb, offset, &who, &at);
		break;
	case ICMPV6_DEST_UNREACH:
		fail_rpc(skb, offset, &who, &at,
			 code == ICMPV6_PORT_UNREACH ? ENOTCONN : EHOSTUNREACH);
		break;
	case ICMPV6_PARAMPROB:
		if (code == ICMPV6_UNK_NEXTHDR)
			fail_rpc(skb, offset, &who, &at, ENOPROTOOPT);
		break;
	}
	return 0;
}
