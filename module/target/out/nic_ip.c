// SPDX-License-Identifier: GPL-2.0-only
#include <linux/netfilter_ipv4.h>
#include <net/ip.h>

#include "../../observe/observe.h"
#include "nic_ip.h"

/*
 * May IP break it, or complain of its length? A segment it cuts with our callback, which
 * seals. IPsec and its kind have been kept out when the packet was made, but rules may
 * have given it another route since.
 */
static bool stays_whole(const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb_dst(skb);

	if (dst_xfrm(dst) || dst->lwtstate)
		return false;
	return skb_is_gso(skb) ||
	       (ip_hdr(skb)->frag_off & htons(IP_DF) && !skb->ignore_df &&
		skb->len <= ip_skb_dst_mtu(skb->sk, skb));
}

/* Others have plaintext for NICs, too. */
static bool is_of_ours(const struct sk_buff *skb)
{
	return skb->sk && sk_fullsock(skb->sk) &&
	       READ_ONCE(skb->sk->sk_prot)->owner == THIS_MODULE;
}

/*
 * Hardly anybody changes the packet's header or route between this and IP: only hooks of
 * this same, last priority that were there before this one, which come after it.
 */
static unsigned int post_routing(void *priv, struct sk_buff *skb,
				 const struct nf_hook_state *state)
{
	if (likely(!skb_is_decrypted(skb)) || !is_of_ours(skb) || stays_whole(skb))
		return NF_ACCEPT;
	/* It is asked for again, and is sealed then. */
	sdp_count(sdp_counts(state->net), SDP_CTR_nic_drop_route);
	return NF_DROP;
}

static const struct nf_hook_ops post_routing_ops = {
	.hook = post_routing,
	.pf = NFPROTO_IPV4,
	.hooknum = NF_INET_POST_ROUTING,
	.priority = NF_IP_PRI_LAST,
};

bool sdp_nic_ip_guard(struct sdp_net *sn)
{
	/* Pairs with what follows the registration. */
	if (likely(smp_load_acquire(&sn->nic_hooked)))
		return true;
	mutex_lock(&sn->nic_lock);
	if (!sn->nic_hooked && !nf_register_net_hook(sn->net, &post_routing_ops))
		/* Pairs with the look without the lock. */
		smp_store_release(&sn->nic_hooked, true);
	mutex_unlock(&sn->nic_lock);
	return sn->nic_hooked;
}

void sdp_nic_ip_exit_net(struct sdp_net *sn)
{
	if (sn->nic_hooked)
		nf_unregister_net_hook(sn->net, &post_routing_ops);
	sn->nic_hooked = false;
}
