// SPDX-License-Identifier: GPL-2.0-only
#include "kept.h"
#include "memory.h"

void sdp_rpc_rx_add(struct sdp_rpc *rpc, struct sk_buff *skb)
{
	struct rb_node **link = &rpc->rx_root.rb_node, *parent = NULL;
	u32 offset = sdp_rx_cb(skb)->offset;

	rpc->rx_truesize += skb->truesize;
	if (rpc->rx_last && offset > sdp_rx_cb(rpc->rx_last)->offset) {
		parent = &rpc->rx_last->rbnode;
		link = &parent->rb_right;
		rpc->rx_last = skb;
	} else {
		while (*link) {
			parent = *link;
			if (offset < sdp_rx_cb(rb_to_skb(parent))->offset)
				link = &parent->rb_left;
			else
				link = &parent->rb_right;
		}
		if (!rpc->rx_last)
			rpc->rx_last = skb;
	}
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, &rpc->rx_root);
}

static void drop_kept(struct sdp_rpc *rpc, struct sk_buff *skb)
{
	rb_erase(&skb->rbnode, &rpc->rx_root);
	if (skb == rpc->rx_last)
		rpc->rx_last = skb_rb_last(&rpc->rx_root);
	rpc->rx_truesize -= skb->truesize;
	sdp_memory_uncharge_rx(rpc->ep, skb->truesize);
	kfree_skb(skb);
}

void sdp_rpc_rx_flush(struct sdp_rpc *rpc, u32 offset, u32 end)
{
	struct sk_buff *skb = skb_rb_first(&rpc->rx_root), *next;

	for (; skb; skb = next) {
		struct sdp_rx_cb *cb = sdp_rx_cb(skb);

		next = skb_rb_next(skb);
		if (cb->end <= offset || cb->offset >= end)
			continue;
		if (cb->offset < offset && cb->end > end) {
			/* Keep both ends: the second in a packet of its own. */
			struct sk_buff *rest = skb_clone(skb, GFP_ATOMIC);

			if (rest && sdp_memory_charge_rx(rpc->ep, rest->truesize)) {
				sdp_rx_cb(rest)->start += end - cb->offset;
				sdp_rx_cb(rest)->offset = end;
				cb->end = offset;
				sdp_rpc_rx_add(rpc, rest);
				continue;
			}
			kfree_skb(rest);
			end = cb->end;
		}
		if (cb->offset < offset) {
			cb->end = offset;
		} else if (cb->end > end) {
			cb->start += end - cb->offset;
			cb->offset = end;
		} else {
			drop_kept(rpc, skb);
		}
	}
}

void sdp_rpc_rx_free(struct sdp_rpc *rpc)
{
	struct sk_buff *skb, *next;

	if (!rpc->rx_truesize)
		return;
	sdp_memory_uncharge_rx(rpc->ep, rpc->rx_truesize);
	rpc->rx_truesize = 0;
	rpc->rx_last = NULL;
	rbtree_postorder_for_each_entry_safe(skb, next, &rpc->rx_root, rbnode)
		consume_skb(skb);
	rpc->rx_root = RB_ROOT;
}
