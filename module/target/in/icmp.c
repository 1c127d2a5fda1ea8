// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ICMP error ends a clear RPC of ours whose id the quoted packet shows: a
 * request, or, where nobody there speaks the protocol or listens, what a
 * request made of us that somebody else sent in that host's name. It can be
 * forged by whoever guesses that id; in secure mode it is only counted.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "../../observe/observe.h"
#include "../../record/wire.h"
#include "../run/exec.h"
#include "../state/rpc_table.h"
#include "icmp.h"

/* @skb holds our packet's header at @offset; what follows may be cut off. */
static void fail_rpc(struct sk_buff *skb, int offset, struct sdp_rpc_id *who,
		     int error)
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
	rpc = sdp_rpc_find_lock(who);
	if (rpc && !rpc->secure) {
		sdp_run_event(run, .error = error);
		sdp_exec(run, rpc, PROG_EV_ICMP_ERROR);
	} else if (rpc) {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
}

/* The socket that sent the quoted packet; NULL: nobody here did. */
static struct sdp_endpoint *sender_of(struct sk_buff *skb, int offset)
{
	__be16 copy, *port;

	port = skb_header_pointer(skb, offset, sizeof(copy), &copy);
	if (!port)
		return NULL;
	return sdp_endpoint_find(sdp_net(dev_net(skb->dev)), ntohs(*port));
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
	struct sdp_endpoint *ep;

	sdp_count(who.sn->counts, SDP_CTR_icmp_errors);
	if (icmp->type == ICMP_REDIRECT) {
		ipv4_redirect(skb, net, 0, ip->protocol);
		return 0;
	}
	if (icmp->type != ICMP_DEST_UNREACH)
		return 0;
	if (icmp->code == ICMP_FRAG_NEEDED) {
		ep = sender_of(skb, ip->ihl * 4);
		if (ep)
			ipv4_update_pmtu(skb, net, info, ep->sk->sk_bound_dev_if,
					 ip->protocol);
		return 0;
	}
	ipv6_addr_set_v4mapped(ip->daddr, &who.addr);
	fail_rpc(skb, ip->ihl * 4, &who, -error_v4(icmp->code));
	return 0;
}

int sdp_icmp_v6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *ip = (const struct ipv6hdr *)skb->data;
	struct net *net = dev_net(skb->dev);
	struct sdp_rpc_id who = { .sn = sdp_net(net), .addr = ip->daddr };
	struct sdp_endpoint *ep;
	int oif;

	sdp_count(who.sn->counts, SDP_CTR_icmp_errors);
	switch (type) {
	case ICMPV6_PKT_TOOBIG:
		ep = sender_of(skb, offset);
		if (!ep)
			break;
		oif = ep->sk->sk_bound_dev_if;
		if (!oif && ipv6_addr_type(&ip->daddr) & IPV6_ADDR_LINKLOCAL)
			oif = inet6_iif(skb);
		ip6_update_pmtu(skb, net, info, oif, READ_ONCE(ep->sk->sk_mark),
				ep->sk->sk_uid);
		break;
	case NDISC_REDIRECT:
		ip6_redirect(skb, net, inet6_iif(skb), 0,
			     sock_net_uid(net, NULL));
		break;
	case ICMPV6_DEST_UNREACH:
		fail_rpc(skb, offset, &who,
			 code == ICMPV6_PORT_UNREACH ? ENOTCONN : EHOSTUNREACH);
		break;
	case ICMPV6_PARAMPROB:
		if (code == ICMPV6_UNK_NEXTHDR)
			fail_rpc(skb, offset, &who, ENOPROTOOPT);
		break;
	}
	return 0;
}
