// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff_ref.h>
#include <linux/unaligned.h>
#include <net/gre.h>
#include <net/gro.h>
#include <net/xfrm.h>

#include "../record/wire.h"
#include "mark.h"
#include "merge.h"

/*
 * Of a packet that may be merged.
 * @header:  bytes of its header, behind which all is payload.
 * @message: bytes of its message.
 * @stride:  bytes of payload that the header says packets have; 0: it does not.
 * @place:   of its first byte of payload in the message.
 * @last:    it ends the message.
 */
struct piece {
	const struct sdp_common_hdr *hdr;
	u32 header;
	u32 message;
	u32 stride;
	u32 place;
	u32 payload;
	bool last;
};

/* The place stands in @sequence: what cutting writes into each packet. */
static bool read_clear(struct piece *piece, struct sk_buff *skb, u32 offset)
{
	const struct sdp_data_hdr *hdr;

	hdr = skb_gro_header(skb, offset + sizeof(*hdr), offset);
	if (!hdr || hdr->common.doff != SDP_DOFF_DATA ||
	    hdr->offset != htonl(SDP_OFFSET_IN_SEQUENCE))
		return false;
	piece->hdr = &hdr->common;
	piece->header = sizeof(*hdr);
	piece->stride = 0;
	piece->message = ntohl(hdr->message_length);
	return true;
}

/* Those in authenticated form end in a tag, indexed places are counted by IP. */
static bool read_secure(struct piece *piece, struct sk_buff *skb, u32 offset)
{
	const struct sdp_secure_data_hdr *hdr;

	hdr = skb_gro_header(skb, offset + sizeof(*hdr), offset);
	if (!hdr || hdr->common.doff != SDP_DOFF_SECURE_DATA ||
	    hdr->flags & SDP_DATA_AUTHENTICATED ||
	    hdr->common.sequence & htonl(SDP_PLACE_INDEXED))
		return false;
	piece->hdr = &hdr->common;
	piece->header = sizeof(*hdr);
	piece->stride = ntohs(hdr->packet_payload);
	piece->message = ntohl(hdr->message_length);
	return true;
}

/* Return: false if it is no packet of several of a message's bytes. */
static bool read_piece(struct piece *piece, struct sk_buff *skb)
{
	u32 offset = skb_gro_offset(skb), length = skb_gro_len(skb);
	const struct sdp_common_hdr *hdr;
	bool ok = false;

	hdr = skb_gro_header(skb, offset + sizeof(*hdr), offset);
	if (!hdr || skb_is_gso(skb))
		return false;
	if (hdr->type == SDP_TYPE_DATA)
		ok = read_clear(piece, skb, offset);
	else if (hdr->type == (SDP_TYPE_DATA | SDP_TYPE_SECURE))
		ok = read_secure(piece, skb, offset);
	if (!ok || length <= piece->header)
		return false;
	piece->payload = length - piece->header;
	piece->place = ntohl(piece->hdr->sequence);
	/* One that is a whole message has nothing to wait for. */
	if (piece->payload >= piece->message || piece->place >= piece->message)
		return false;
	piece->last = piece->payload >= piece->message - piece->place;
	return true;
}

/* A message of a sender: ports, type, id; addresses have been compared. */
static bool same_message(const struct sdp_common_hdr *a,
			 const struct sdp_common_hdr *b)
{
	return a->sport == b->sport && a->dport == b->dport &&
	       a->type == b->type && a->sender_id == b->sender_id;
}

/* All of the header but the place: what cutting repeats in each packet. */
static bool same_header(const void *a, const void *b, u32 header)
{
	u64 differ = get_unaligned((const u32 *)a) ^
		     get_unaligned((const u32 *)b);
	u32 i;

	static_assert(sizeof(struct sdp_data_hdr) % sizeof(u32) == 0 &&
		      sizeof(struct sdp_secure_data_hdr) % sizeof(u32) == 0);
	for (i = 8; i + sizeof(u64) <= header; i += sizeof(u64))
		differ |= get_unaligned((const u64 *)(a + i)) ^
			  get_unaligned((const u64 *)(b + i));
	if (i < header)
		differ |= get_unaligned((const u32 *)(a + i)) ^
			  get_unaligned((const u32 *)(b + i));
	return !differ;
}

/*
 * Would cutting restore the headers of a tunnel? It counts up the ids of IPv4. (The
 * kernel's own check lets them be what they are where IP must not fragment.) Of GRE
 * merging forgets that it has a checksum: each would get the first one's.
 */
static bool outer_follows(const struct sk_buff *held, const void *first,
			  const void *hdr)
{
	u32 back = skb_transport_offset(held) -
		   NAPI_GRO_CB(held)->network_offset;
	const struct iphdr *a = first - back, *b = hdr - back;
	const struct ipv6hdr *v6 = (const void *)a;
	const struct gre_base_hdr *gre;
	u8 proto;

	if (!NAPI_GRO_CB(held)->encap_mark)
		return true;
	proto = a->version == 4 ? a->protocol : v6->nexthdr;
	gre = a->version == 4 ? (const void *)(a + 1) : (const void *)(v6 + 1);
	if (proto == IPPROTO_GRE && gre->flags & GRE_CSUM)
		return false;
	return a->version != 4 ||
	       (u16)(ntohs(b->id) - ntohs(a->id)) == NAPI_GRO_CB(held)->count;
}

/* What IPsec policy is to be asked about; most often nothing. */
static bool same_ipsec(const struct sk_buff *a, const struct sk_buff *b)
{
	const struct sec_path *path = skb_sec_path(a), *other = skb_sec_path(b);

	if (likely(!path && !other))
		return true;
	return path && other && path->len == other->len &&
	       !memcmp(path->xvec, other->xvec,
		       path->len * sizeof(path->xvec[0]));
}

/* Would cutting @held, with @piece behind it, give back the packets as they came? */
static bool follows(struct sk_buff *held, const struct sk_buff *skb,
		    const struct piece *piece)
{
	const void *first = skb_transport_header(held);
	u32 stride = skb_shinfo(held)->gso_size;
	u32 count = NAPI_GRO_CB(held)->count;
	const struct sdp_common_hdr *hdr = first;

	if (NAPI_GRO_CB(skb)->flush || piece->payload > stride ||
	    piece->place != ntohl(hdr->sequence) + count * stride)
		return false;
	/* Alone, the receiver refuses it if it is not what the header says. */
	if (piece->stride && piece->payload != piece->stride && !piece->last)
		return false;
	return same_header(first, piece->hdr, piece->header) &&
	       !gro_receive_network_flush(piece->hdr, first, held) &&
	       outer_follows(held, first, piece->hdr) &&
	       same_ipsec(held, skb);
}

/* May fragments move from, or to, the packet? Others may hold them too. */
static bool movable(struct sk_buff *skb)
{
	return !skb_cloned(skb) && !skb_has_frag_list(skb) && !skb_zcopy(skb) &&
	       skb_frags_readable(skb);
}

/* The first part of a packet's payload. Return: false if it is not in pages. */
static bool first_frag(const struct sk_buff *skb, skb_frag_t *frag)
{
	int more = skb_headlen(skb) - skb_gro_offset(skb);
	struct page *page;

	if (more > 0) {
		page = virt_to_head_page(skb->head);
		skb_frag_fill_page_desc(frag, page, skb->data -
					(u8 *)page_address(page) +
					skb_gro_offset(skb), more);
		return skb->head_frag;
	}
	/* The headers may be there, too. */
	*frag = skb_shinfo(skb)->frags[0];
	if (!skb_shinfo(skb)->nr_frags || skb_frag_size(frag) <= -more)
		return false;
	skb_frag_off_add(frag, -more);
	skb_frag_size_sub(frag, -more);
	return true;
}

static bool joins(const struct skb_shared_info *to, const skb_frag_t *frag)
{
	const skb_frag_t *last;

	if (!to->nr_frags)
		return false;
	last = &to->frags[to->nr_frags - 1];
	return skb_frag_page(last) == skb_frag_page(frag) &&
	       skb_frag_off(last) + skb_frag_size(last) == skb_frag_off(frag);
}

/* The reference moves along; a longer last fragment needs no second one. */
static void give_frag(struct sk_buff *held, skb_frag_t *frag)
{
	struct skb_shared_info *to = skb_shinfo(held);

	if (joins(to, frag)) {
		skb_frag_size_add(&to->frags[to->nr_frags - 1],
				  skb_frag_size(frag));
		__skb_frag_unref(frag, held->pp_recycle);
	} else {
		to->frags[to->nr_frags++] = *frag;
	}
}

/*
 * Move a packet's payload over, as TCP's is. Return: false if it cannot become
 * fragments; nothing has changed then.
 */
static bool take_payload(struct sk_buff *held, struct sk_buff *skb, u32 payload)
{
	struct skb_shared_info *from = skb_shinfo(skb), *to = skb_shinfo(held);
	bool head = skb_headlen(skb) > skb_gro_offset(skb);
	skb_frag_t frag;
	u32 i, left;

	if (!movable(held) || !movable(skb) ||
	    held->pp_recycle != skb->pp_recycle || !first_frag(skb, &frag) ||
	    to->nr_frags + from->nr_frags + head - joins(to, &frag) >
	    MAX_SKB_FRAGS)
		return false;
	give_frag(held, &frag);
	for (i = head ? 0 : 1; i < from->nr_frags; i++)
		give_frag(held, &from->frags[i]);
	from->nr_frags = 0;
	to->flags |= from->flags & SKBFL_SHARED_FRAG;
	/* What of its memory stays behind, and is freed by GRO. */
	left = head ? SKB_DATA_ALIGN(sizeof(struct sk_buff)) :
		      SKB_TRUESIZE(skb_end_offset(skb));
	held->truesize += skb->truesize - left;
	held->len += payload;
	held->data_len += payload;
	skb->truesize = left;
	skb->len -= skb->data_len;
	skb->data_len = 0;
	NAPI_GRO_CB(held)->count++;
	NAPI_GRO_CB(skb)->same_flow = 1;
	NAPI_GRO_CB(skb)->free = head ? NAPI_GRO_FREE_STOLEN_HEAD :
					NAPI_GRO_FREE;
	return true;
}

/* Return: @held if it is complete with, or without, @skb; otherwise NULL. */
static struct sk_buff *append(struct sk_buff *held, struct sk_buff *skb,
			      const struct piece *piece)
{
	u32 most = min(netif_get_gro_max_size(held->dev, held),
		       GRO_LEGACY_MAX_SIZE);

	if (held->len + piece->payload >= most || !follows(held, skb, piece) ||
	    !take_payload(held, skb, piece->payload))
		return held;
	return piece->last || piece->payload < skb_shinfo(held)->gso_size ?
	       held : NULL;
}

struct sk_buff *sdp_merge_receive(struct list_head *all, struct sk_buff *skb)
{
	struct sk_buff *held, *full = NULL;
	struct piece piece;

	if (!read_piece(&piece, skb)) {
		NAPI_GRO_CB(skb)->flush = 1;
		return NULL;
	}
	/* Headers are linear in what is held. */
	skb_gro_pull(skb, piece.header);
	list_for_each_entry(held, all, list) {
		if (!NAPI_GRO_CB(held)->same_flow)
			continue;
		if (same_message(piece.hdr,
				 (const void *)skb_transport_header(held))) {
			full = append(held, skb, &piece);
			break;
		}
		NAPI_GRO_CB(held)->same_flow = 0;
	}
	/* Nothing follows that it could be merged with. */
	if (piece.last || (piece.stride && piece.payload != piece.stride))
		NAPI_GRO_CB(skb)->flush = 1;
	return full;
}

static int complete_as(struct sk_buff *skb, u32 type)
{
	if (skb->encapsulation)
		skb->inner_transport_header = skb->transport_header;
	if (NAPI_GRO_CB(skb)->ip_fixedid)
		type |= SKB_GSO_TCP_FIXEDID;
	sdp_mark_cut(skb, type);
	skb_shinfo(skb)->gso_segs = NAPI_GRO_CB(skb)->count;
	return 0;
}

int sdp_merge_complete_v4(struct sk_buff *skb, int offset)
{
	return complete_as(skb, SKB_GSO_TCPV4);
}

int sdp_merge_complete_v6(struct sk_buff *skb, int offset)
{
	return complete_as(skb, SKB_GSO_TCPV6);
}
