/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP errors that packets of ours have met.
 */
#ifndef SDP_TARGET_ICMP_H
#define SDP_TARGET_ICMP_H

#include <linux/ipv6.h>
#include <linux/skbuff.h>

/* Handlers of struct net_protocol and struct inet6_protocol. */
int sdp_icmp_v4(struct sk_buff *skb, u32 info);
int sdp_icmp_v6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		u8 code, int offset, __be32 info);

#endif /* SDP_TARGET_ICMP_H */
