/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receive merging (GRO): DATA packets of one message that follow each other by
 * their payload, and have the same header but for the place, become one, whose
 * payload is page fragments, as TCP's do. Where it is forwarded our GSO callback
 * cuts it back into the packets that came; what it would not restore is not
 * merged, nor what cannot become fragments.
 */
#ifndef SDP_OFFLOAD_MERGE_H
#define SDP_OFFLOAD_MERGE_H

#include <linux/skbuff.h>

/* Callbacks of struct net_offload, for IPv4 and IPv6. */
struct sk_buff *sdp_merge_receive(struct list_head *held, struct sk_buff *skb);
int sdp_merge_complete_v4(struct sk_buff *skb, int offset);
int sdp_merge_complete_v6(struct sk_buff *skb, int offset);

#endif /* SDP_OFFLOAD_MERGE_H */
