/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of a message that have arrived, until it is taken.
 */
#ifndef SDP_TARGET_KEPT_H
#define SDP_TARGET_KEPT_H

#include "rpc.h"

/**
 * struct sdp_rx_cb - of a received packet that is kept.
 * @offset: place in the message of the first byte kept.
 * @end:    place after the last.
 * @start:  where the first is in the packet, from skb->data.
 */
struct sdp_rx_cb {
	u32 offset;
	u32 end;
	u32 start;
};

static inline struct sdp_rx_cb *sdp_rx_cb(const struct sk_buff *skb)
{
	return (struct sdp_rx_cb *)skb->cb;
}

/**
 * sdp_rpc_rx_add() - keep a packet.
 * @rpc: locked.
 * @skb: with its struct sdp_rx_cb; its range overlaps no other.
 */
void sdp_rpc_rx_add(struct sdp_rpc *rpc, struct sk_buff *skb);

/**
 * sdp_rpc_rx_flush() - forget bytes.
 * @rpc:    locked.
 * @offset: first.
 * @end:    after the last.
 */
void sdp_rpc_rx_flush(struct sdp_rpc *rpc, u32 offset, u32 end);

/**
 * sdp_rpc_rx_free() - forget all received bytes.
 * @rpc: locked or claimed.
 */
void sdp_rpc_rx_free(struct sdp_rpc *rpc);

#endif /* SDP_TARGET_KEPT_H */
