/* SPDX-License-Identifier: GPL-2.0-only */
/* What tells the stack that a packet is several, and how to cut it. */
#ifndef SDP_OFFLOAD_MARK_H
#define SDP_OFFLOAD_MARK_H

#include <linux/skbuff.h>

/**
 * sdp_mark_whole() - nothing is to be filled in by a device.
 * @skb: sent or merged.
 *
 * This state says so, and it keeps a segment whole where no cutting is needed, also
 * after tunnels whose own checksums have been taken off.
 */
static inline void sdp_mark_whole(struct sk_buff *skb)
{
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->csum_level = SKB_MAX_CSUM_LEVEL;
}

/**
 * sdp_mark_cut() - say how a packet is to be cut, if ever.
 * @skb:  sent or merged.
 * @type: SKB_GSO_TCPV4 or SKB_GSO_TCPV6, and what else goes with it.
 */
static inline void sdp_mark_cut(struct sk_buff *skb, u32 type)
{
	sdp_mark_whole(skb);
	/*
	 * Only software devices claim lists, so that the kernel cuts a segment
	 * before any real device: those drop segments of a protocol that they
	 * do not know, or copy TCP's fields into them. The other half of the
	 * type lets `ethtool -K tso off` cut segments too, and tells routers
	 * how long our header is, which byte 12 says as in TCP.
	 */
	skb_shinfo(skb)->gso_type |= SKB_GSO_FRAGLIST | type;
}

#endif /* SDP_OFFLOAD_MARK_H */
