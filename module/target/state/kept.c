// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>

#include "kept.h"
#include "pressure.h"

void sdp_rpc_rx_add(struct sdp_rpc *rpc, struct sk_buff *skb)
{
	struct rb_node **link = &rpc->rx_root.rb_node, *parent = NULL;
	u32 offset = sdp_rx_cb(skb)->offset;

	sdp_pressure_resize(rpc, skb->truesize);
	rpc->rx_bytes += sdp_rx_cb(skb)->end - offset;
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
	sdp_pressure_resize(rpc, -skb->truesize);
	rpc->rx_bytes -= sdp_rx_cb(skb)->end - sdp_rx_cb(skb)->offset;
	sdp_memory_uncharge_rx(rpc->ep, rpc->secure, skb->truesize);
	kfree_skb(skb);
}

/* The last packet that begins at @offset or before. */
static struct sk_buff *find_before(const struct sdp_rpc *rpc, u32 offset)
{
	struct rb_node *node = rpc->rx_root.rb_node;
	struct sk_buff *before = NULL;

	while (node) {
		struct sk_buff *skb = rb_to_skb(node);

		if (offset < sdp_rx_cb(skb)->offset) {
			node = node->rb_left;
		} else {
			before = skb;
			node = node->rb_right;
		}
	}
	return before;
}

struct sk_buff *sdp_rpc_rx_find(const struct sdp_rpc *rpc, u32 offset)
{
	struct sk_buff *skb = find_before(rpc, offset);

	return skb && offset < sdp_rx_cb(skb)->end ? skb : NULL;
}

/*
 * Regions: a message is divided into stretches of REGION bytes. Pieces of one
 * that follow each other share memory in which each byte has its place, so
 * adding one at either end, or one that joins two, is a copy of its bytes and no
 * more. As a message has no more than a few gaps (program/homa/context.h), what
 * regions take is bounded by its length.
 */
#define REGION ((u32)SKB_WITH_OVERHEAD(2048))

/* Is this memory of the region that @offset is in? */
static bool of_region(const struct sk_buff *skb, u32 offset)
{
	return skb && sdp_rx_cb(skb)->region &&
	       sdp_rx_cb(skb)->offset / REGION == offset / REGION;
}

/* Memory for a region, of which bytes [@offset, @end) will be there. */
static struct sk_buff *add_region(struct sdp_rpc *rpc, u32 offset, u32 end)
{
	u32 base = offset - offset % REGION;
	u32 size = min(REGION, rpc->rx_length - base);
	struct sk_buff *skb = alloc_skb(size, GFP_ATOMIC | __GFP_NOWARN);
	struct sdp_rx_cb *cb;

	if (!skb)
		return NULL;
	if (!sdp_memory_charge_rx(rpc->ep, rpc->secure, skb->truesize)) {
		kfree_skb(skb);
		return NULL;
	}
	skb_put(skb, size);
	cb = sdp_rx_cb(skb);
	cb->offset = offset;
	cb->end = end;
	cb->start = offset - base;
	cb->region = true;
	sdp_rpc_rx_add(rpc, skb);
	return skb;
}

/* Two pieces of a region that meet become one. They may share memory: see cut_out(). */
static void join(struct sdp_rpc *rpc, struct sk_buff *skb, struct sk_buff *after)
{
	struct sdp_rx_cb *cb = sdp_rx_cb(after);
	u32 length = cb->end - cb->offset;

	memmove(skb->data + cb->start, after->data + cb->start, length);
	sdp_rx_cb(skb)->end = cb->end;
	rpc->rx_bytes += length;
	drop_kept(rpc, after);
}

/* Bytes [@offset, @end) of one region. */
static bool copy_part(struct sdp_rpc *rpc, const struct sk_buff *from, u32 start,
		      u32 offset, u32 end)
{
	struct sk_buff *before = find_before(rpc, offset);
	struct sk_buff *after, *skb;

	after = before ? skb_rb_next(before) : skb_rb_first(&rpc->rx_root);
	if (of_region(before, offset) && sdp_rx_cb(before)->end == offset) {
		skb = before;
		sdp_rx_cb(skb)->end = end;
		rpc->rx_bytes += end - offset;
	} else if (of_region(after, offset) && sdp_rx_cb(after)->offset == end) {
		/* Its place in the tree stays the same. */
		skb = after;
		sdp_rx_cb(skb)->offset = offset;
		sdp_rx_cb(skb)->start -= end - offset;
		rpc->rx_bytes += end - offset;
	} else {
		skb = add_region(rpc, offset, end);
		if (!skb)
			return false;
	}
	skb_copy_bits(from, start, skb->data + offset % REGION, end - offset);
	if (skb == before && of_region(after, offset) &&
	    sdp_rx_cb(after)->offset == end)
		join(rpc, skb, after);
	return true;
}

u32 sdp_rpc_rx_copy(struct sdp_rpc *rpc, const struct sk_buff *skb, u32 start,
		    u32 offset, u32 end)
{
	while (offset < end) {
		u32 part = min(end, offset - offset % REGION + REGION);

		if (!copy_part(rpc, skb, start, offset, part))
			break;
		start += part - offset;
		offset = part;
	}
	return offset;
}

/*
 * Both ends of a packet stay: the second as one of its own. Return: false for
 * want of memory.
 */
static bool cut_out(struct sdp_rpc *rpc, struct sk_buff *skb, u32 offset, u32 end)
{
	struct sk_buff *rest = skb_clone(skb, GFP_ATOMIC);
	struct sdp_rx_cb *cb = sdp_rx_cb(skb);

	if (!rest)
		return false;
	sdp_memory_charge_head(rpc->ep, rpc->secure, rest->truesize);
	sdp_rx_cb(rest)->start += end - cb->offset;
	sdp_rx_cb(rest)->offset = end;
	rpc->rx_bytes -= cb->end - offset;
	cb->end = offset;
	sdp_rpc_rx_add(rpc, rest);
	return true;
}

/* Forget [@offset, @end) of a packet that has some of it. */
static void flush_part(struct sdp_rpc *rpc, struct sk_buff *skb, u32 offset,
		       u32 end)
{
	struct sdp_rx_cb *cb = sdp_rx_cb(skb);

	if (cb->offset < offset && cb->end > end) {
		if (cut_out(rpc, skb, offset, end))
			return;
		end = cb->end;
	}
	if (cb->offset < offset) {
		rpc->rx_bytes -= cb->end - offset;
		cb->end = offset;
	} else if (cb->end > end) {
		rpc->rx_bytes -= end - cb->offset;
		cb->start += end - cb->offset;
		cb->offset = end;
	} else {
		drop_kept(rpc, skb);
	}
}

void sdp_rpc_rx_flush(struct sdp_rpc *rpc, u32 offset, u32 end)
{
	struct sk_buff *skb = find_before(rpc, offset), *next;

	if (!skb)
		skb = skb_rb_first(&rpc->rx_root);
	for (; skb && sdp_rx_cb(skb)->offset < end; skb = next) {
		next = skb_rb_next(skb);
		if (sdp_rx_cb(skb)->end > offset)
			flush_part(rpc, skb, offset, end);
	}
}

void sdp_rpc_rx_free(struct sdp_rpc *rpc)
{
	struct sk_buff *skb, *next;

	if (unlikely(rpc->repair)) {
		kvfree(rpc->repair);
		rpc->repair = NULL;
	}
	if (!rpc->rx_truesize)
		return;
	sdp_memory_uncharge_rx(rpc->ep, rpc->secure, rpc->rx_truesize);
	sdp_pressure_resize(rpc, -rpc->rx_truesize);
	rpc->rx_bytes = 0;
	rpc->rx_last = NULL;
	rbtree_postorder_for_each_entry_safe(skb, next, &rpc->rx_root, rbnode)
		consume_skb(skb);
	rpc->rx_root = RB_ROOT;
}
