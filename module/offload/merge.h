/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receive merging (GRO): DATA packets of one message that follow each other
 * travel through the stack as one, a list of the originals, so that it can be
 * cut back into exactly these where it is forwarded.
 */
#ifndef SDP_OFFLOAD_MERGE_H
#define SDP_OFFLOAD_MERGE_H

#include <linux/skbuff.h>

/* Callbacks of struct net_offload, for IPv4 and IPv6. */
struct sk_buff *sdp_merge_receive(struct list_head *held, struct sk_buff *skb);
int sdp_merge_complete_v4(struct sk_buff *skb, int offset);
int sdp_merge_complete_v6(struct sk_buff *skb, int offset);

/** sdp_merge_is_list() - is this a list of merged packets? */
static inline bool sdp_merge_is_list(const struct sk_buff *skb)
{
	return skb_has_frag_list(skb) &&
	       skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST;
}

/**
 * sdp_merge_split() - take a list apart, for its receiver.
 * @skb: from the protocol handler, a list; becomes its first packet.
 *
 * Context: softirq. Return: the others, linked by next, each with its data at
 * the transport header and what the stack knows of @skb. For want of memory
 * some, or NULL with @skb unchanged, still a list.
 */
struct sk_buff *sdp_merge_split(struct sk_buff *skb);

#endif /* SDP_OFFLOAD_MERGE_H */
