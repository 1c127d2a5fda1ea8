// SPDX-License-Identifier: GPL-2.0-only
#include <net/gro.h>

#include "../record/wire.h"
#include "merge.h"

/* Packets in a list: as many as a segment of the sender has. */
#define MOST 64

/*
 * Bytes of header of a DATA packet that can be merged, 0: it cannot. Those
 * whose place is not in @sequence cannot, nor those that end in a tag; and one
 * that is a whole message has nothing to wait for.
 */
static u32 mergeable(const struct sdp_common_hdr *hdr, struct sk_buff *skb,
		     u32 offset)
{
	const struct sdp_secure_data_hdr *secure;
	const struct sdp_data_hdr *clear;
	u32 length = skb_gro_len(skb);

	switch (hdr->type) {
	case SDP_TYPE_DATA:
		clear = skb_gro_header(skb, offset + sizeof(*clear), offset);
		if (clear && length < ntohl(clear->message_length) &&
		    hdr->doff == SDP_DOFF_DATA &&
		    clear->offset == htonl(SDP_OFFSET_IN_SEQUENCE) &&
		    !clear->ack.client_id)
			return sizeof(*clear);
		return 0;
	case SDP_TYPE_DATA | SDP_TYPE_SECURE:
		secure = skb_gro_header(skb, offset + sizeof(*secure), offset);
		if (secure && length < ntohl(secure->message_length) &&
		    hdr->doff == SDP_DOFF_SECURE_DATA &&
		    !(secure->flags & SDP_DATA_AUTHENTICATED) &&
		    !(hdr->sequence & htonl(SDP_PLACE_INDEXED)))
			return sizeof(*secure);
		return 0;
	default:
		return 0;
	}
}

/* A message of a sender: ports, type, id; addresses have been compared. */
static bool same_message(const struct sdp_common_hdr *a,
			 const struct sdp_common_hdr *b)
{
	return a->sport == b->sport && a->dport == b->dport &&
	       a->type == b->type && a->sender_id == b->sender_id;
}

/* As the kernel's own lists: of those behind the first only the payload counts. */
static void append(struct sk_buff *list, struct sk_buff *skb, u32 header)
{
	if (NAPI_GRO_CB(list)->last == list)
		skb_shinfo(list)->frag_list = skb;
	else
		NAPI_GRO_CB(list)->last->next = skb;
	skb_pull(skb, skb_gro_offset(skb) + header);
	NAPI_GRO_CB(list)->last = skb;
	NAPI_GRO_CB(list)->count++;
	list->data_len += skb->len;
	list->len += skb->len;
	list->truesize += skb->truesize;
	skb_shinfo(list)->flags |= skb_shinfo(skb)->flags & SKBFL_SHARED_FRAG;
	skb_orphan(skb);
	NAPI_GRO_CB(skb)->same_flow = 1;
}

/* Return: @list if it is complete with, or without, @skb; otherwise NULL. */
static struct sk_buff *try_append(struct sk_buff *list, struct sk_buff *skb,
				  u32 header, u32 payload)
{
	const struct sdp_common_hdr *hdr, *first;
	u32 count = NAPI_GRO_CB(list)->count;
	u32 stride = skb_shinfo(list)->gso_size;

	if (count == 1)
		stride = list->len - skb_transport_offset(list) - header;
	first = (const void *)skb_transport_header(list);
	hdr = (const void *)(skb->data + skb_gro_offset(skb));
	if (NAPI_GRO_CB(skb)->flush || payload > stride ||
	    ntohl(hdr->sequence) != ntohl(first->sequence) + count * stride ||
	    list->len + skb->len >= GRO_LEGACY_MAX_SIZE ||
	    gro_receive_network_flush(hdr, first, list))
		return list;
	skb_shinfo(list)->gso_size = stride;
	append(list, skb, header);
	return payload < stride || count + 1 >= MOST ? list : NULL;
}

struct sk_buff *sdp_merge_receive(struct list_head *held, struct sk_buff *skb)
{
	u32 offset = skb_gro_offset(skb);
	const struct sdp_common_hdr *hdr;
	struct sk_buff *list;
	u32 header, payload;

	hdr = skb_gro_header(skb, offset + sizeof(*hdr), offset);
	header = hdr && !skb_is_gso(skb) ? mergeable(hdr, skb, offset) : 0;
	/* Those that are compared with it, and the receiver, find it in linear memory. */
	if (!header || skb_gro_len(skb) <= header ||
	    !pskb_may_pull(skb, offset + header)) {
		NAPI_GRO_CB(skb)->flush = 1;
		return NULL;
	}
	hdr = (const void *)(skb->data + offset);
	payload = skb_gro_len(skb) - header;
	list_for_each_entry(list, held, list) {
		if (!NAPI_GRO_CB(list)->same_flow)
			continue;
		if (!same_message(hdr, (const void *)skb_transport_header(list))) {
			NAPI_GRO_CB(list)->same_flow = 0;
			continue;
		}
		return try_append(list, skb, header, payload);
	}
	return NULL;
}

static int mark_list(struct sk_buff *skb, u32 type)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	/* As our own segments are marked: see sdp_segment_mark(). */
	shinfo->gso_type |= SKB_GSO_FRAGLIST | type;
	shinfo->gso_segs = NAPI_GRO_CB(skb)->count;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return 0;
}

int sdp_merge_complete_v4(struct sk_buff *skb, int offset)
{
	return mark_list(skb, SKB_GSO_TCPV4);
}

int sdp_merge_complete_v6(struct sk_buff *skb, int offset)
{
	return mark_list(skb, SKB_GSO_TCPV6);
}

/* A packet of the list, as if it had come alone. */
static void resemble(struct sk_buff *skb, const struct sk_buff *first)
{
	skb->dev = first->dev;
	skb->skb_iif = first->skb_iif;
	skb->pkt_type = first->pkt_type;
	skb->mark = first->mark;
	skb_copy_secmark(skb, first);
	/* GRO left it at a tunnel's header; all of a list have the same length. */
	skb_set_network_header(skb, skb_network_offset(first));
	skb->ip_summed = first->ip_summed;
	/* What IP keeps there; so far it is GRO's. */
	memcpy(skb->cb, first->cb, sizeof(skb->cb));
}

/* Our own reference to a packet that others hold too. */
static struct sk_buff *unshare(struct sk_buff *skb)
{
	struct sk_buff *next = skb->next, *own;

	if (!skb_shared(skb))
		return skb;
	own = skb_clone(skb, GFP_ATOMIC);
	consume_skb(skb);
	if (own)
		own->next = next;
	else
		kfree_skb_list(next);
	return own;
}

struct sk_buff *sdp_merge_split(struct sk_buff *skb)
{
	struct sk_buff *list, *one, **link = &list;

	/* Somebody who listens in may share the list. */
	if (skb_unclone(skb, GFP_ATOMIC))
		return NULL;
	list = skb_shinfo(skb)->frag_list;
	skb_shinfo(skb)->frag_list = NULL;
	for (one = list; one; one = one->next) {
		skb->len -= one->len;
		skb->data_len -= one->len;
		skb->truesize -= one->truesize;
	}
	skb_gso_reset(skb);
	while (*link) {
		*link = unshare(*link);
		if (!*link)
			break;
		/* Its header, which stands before the payload. */
		__skb_push(*link, -skb_transport_offset(*link));
		resemble(*link, skb);
		link = &(*link)->next;
	}
	return list;
}
