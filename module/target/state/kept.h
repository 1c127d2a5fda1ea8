/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packets of a message that have arrived, until it is taken. What they take
 * is bounded by the bytes that they hold: where small pieces would take far
 * more, their bytes are copied together.
 */
#ifndef SDP_TARGET_KEPT_H
#define SDP_TARGET_KEPT_H

#include "memory.h"

/**
 * struct sdp_rx_cb - of a received packet that is kept.
 * @offset: place in the message of the first byte kept.
 * @end:    place after the last.
 * @start:  where the first is in the packet, from skb->data.
 * @region: memory of ours for a region of the message, where each byte has its
 *          place; not a packet.
 */
struct sdp_rx_cb {
	u32 offset;
	u32 end;
	u32 start;
	bool region;
};

/**
 * sdp_rpc_rx_sparse() - would a packet take too much memory for its bytes?
 * @rpc:   locked.
 * @skb:   the packet.
 * @bytes: of it that would be kept.
 *
 * Counted for the message as a whole: a few short packets of a long one do not
 * matter, and are not worth a copy.
 */
static inline bool sdp_rpc_rx_sparse(const struct sdp_rpc *rpc,
				     const struct sk_buff *skb, u32 bytes)
{
	u64 most = ((u64)rpc->rx_bytes + bytes) * SDP_RX_SPREAD + SDP_RX_SLACK;

	return unlikely(rpc->rx_truesize + skb->truesize > most);
}

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
 * sdp_rpc_rx_copy() - keep a copy of a packet's bytes, beside others.
 * @rpc:    locked.
 * @skb:    the packet, unchanged.
 * @start:  where the first is in the packet, from skb->data.
 * @offset: place in the message of the first byte.
 * @end:    place after the last; they overlap with none that is here.
 *
 * Charges what it takes. Return: place after the last byte that was copied:
 * less than @end for want of memory.
 */
u32 sdp_rpc_rx_copy(struct sdp_rpc *rpc, const struct sk_buff *skb, u32 start,
		    u32 offset, u32 end);

/**
 * sdp_rpc_rx_find() - the packet with a byte of the message.
 * @rpc:    locked or claimed.
 * @offset: place of the byte.
 *
 * Return: the packet, or NULL: the byte is not here.
 */
struct sk_buff *sdp_rpc_rx_find(const struct sdp_rpc *rpc, u32 offset);

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
