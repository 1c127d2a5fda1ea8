// SPDX-License-Identifier: GPL-2.0-only
#include <linux/unaligned.h>
#include <net/dst.h>
#include <net/gso.h>
#include <net/protocol.h>

#include "mark.h"
#include "merge.h"
#include "segment.h"

/* Bytes 4-7 of the header are the place of a packet's payload; byte 12 holds
 * the header's length, as in TCP.
 */
#define PLACE_OFFSET 4
#define DOFF_OFFSET 12
#define MIN_HEADER 28

u32 sdp_segment_room(const struct net_device *dev, u32 header, u32 payload,
		     bool v6)
{
	u32 max = v6 ? READ_ONCE(dev->gso_max_size) :
		       READ_ONCE(dev->gso_ipv4_max_size);
	u32 packets = READ_ONCE(dev->gso_max_segs);

	max = min_t(u32, max, GSO_LEGACY_MAX_SIZE);
	max = max > header ? min_t(u32, max - header, SDP_SEGMENT_MAX) : 0;
	packets = min(packets, max / payload);
	return max(packets, 1U) * payload;
}

void sdp_segment_mark(struct sk_buff *skb, u32 payload, u32 bytes, bool v6)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	shinfo->gso_size = payload;
	shinfo->gso_segs = DIV_ROUND_UP(bytes, payload);
	sdp_mark_cut(skb, v6 ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4);
}

u32 sdp_segment_limit(const struct net_device *dev, u32 header, u32 payload)
{
	u32 max = min_t(u32, READ_ONCE(dev->gso_ipv4_max_size), GSO_LEGACY_MAX_SIZE);

	max = max > header ? min_t(u32, max - header, SDP_SEGMENT_MAX) : 0;
	return min(max, READ_ONCE(dev->gso_max_segs) * payload);
}

void sdp_segment_mark_device(struct sk_buff *skb, u32 payload, u32 bytes)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	shinfo->gso_size = payload;
	shinfo->gso_segs = DIV_ROUND_UP(bytes, payload);
	shinfo->gso_type = SKB_GSO_TCPV4;
	sdp_mark_whole(skb);
}

void sdp_segment_mark_kernel(struct sk_buff *skb)
{
	sdp_mark_cut(skb, SKB_GSO_TCPV4);
}

/* Will the packet be encrypted on its way out? No device checksums it then. */
static bool ipsec_follows(const struct sk_buff *skb)
{
	return (skb_dst(skb) && dst_xfrm(skb_dst(skb))) || skb_sec_path(skb);
}

/*
 * What the device can do, as it is: without scatter-gather the pieces are linear.
 * We have no checksum, so nobody has to read the payload; except where a tunnel
 * has one, and computes it from what skb_segment() notes of each piece.
 */
static netdev_features_t cut_features(const struct sk_buff *skb,
				      netdev_features_t features)
{
	bool outer = skb_shinfo(skb)->gso_type & (SKB_GSO_UDP_TUNNEL_CSUM |
						  SKB_GSO_GRE_CSUM);

	features &= ~NETIF_F_GSO_PARTIAL;
	if (!outer)
		return features | NETIF_F_HW_CSUM;
	if (features & NETIF_F_HW_CSUM && !ipsec_follows(skb))
		return features;
	return features & ~NETIF_F_CSUM_MASK;
}

/*
 * The packet that is cut keeps its owner. skb_segment() would hand it to the last
 * piece, which differs from the others then, so that a receiver on the same machine
 * would not merge it with them. Callers that go on using the socket after the packet is
 * gone, with the pieces, run under RCU: sockets of ours are freed after a grace period.
 */
static struct sk_buff *make_pieces(struct sk_buff *skb, netdev_features_t features)
{
	void (*destructor)(struct sk_buff *skb) = skb->destructor;
	struct sk_buff *segs;

	skb->destructor = NULL;
	segs = skb_segment(skb, features);
	skb->destructor = destructor;
	return segs;
}

static struct sk_buff *(*seal_copy)(struct sk_buff *skb) __read_mostly;

static struct sk_buff *cut_segment(struct sk_buff *skb, netdev_features_t features)
{
	u32 payload = skb_shinfo(skb)->gso_size;
	struct sk_buff *segs, *seg;
	u32 place, header;

	if (!pskb_may_pull(skb, MIN_HEADER))
		return ERR_PTR(-EINVAL);
	header = (skb->data[DOFF_OFFSET] >> 4) * 4;
	if (header < MIN_HEADER || !payload || !pskb_may_pull(skb, header))
		return ERR_PTR(-EINVAL);
	place = get_unaligned_be32(skb->data + PLACE_OFFSET);
	__skb_pull(skb, header);
	/* A guest, or whoever has a packet socket, may call a segment what is none. */
	if (skb->len <= payload)
		return ERR_PTR(-EINVAL);
	segs = make_pieces(skb, cut_features(skb, features));
	if (IS_ERR_OR_NULL(segs))
		return segs;
	for (seg = segs; seg; seg = seg->next) {
		put_unaligned_be32(place, skb_transport_header(seg) +
					  PLACE_OFFSET);
		seg->ip_summed = CHECKSUM_NONE;
		place += payload;
	}
	return segs;
}

/* A segment for a NIC that is cut before it gets there is sealed first. */
static struct sk_buff *gso_segment(struct sk_buff *skb,
				   netdev_features_t features)
{
	struct sk_buff *copy, *segs;

	if (likely(!skb_is_decrypted(skb)))
		return cut_segment(skb, features);
	copy = seal_copy(skb);
	if (!copy)
		return ERR_PTR(-EINVAL);
	segs = cut_segment(copy, features);
	if (IS_ERR_OR_NULL(segs))
		kfree_skb(copy);
	else
		consume_skb(copy);
	return segs;
}

static const struct net_offload offload_v4 = {
	.callbacks = {
		.gso_segment = gso_segment,
		.gro_receive = sdp_merge_receive,
		.gro_complete = sdp_merge_complete_v4,
	},
};

static const struct net_offload offload_v6 = {
	.callbacks = {
		.gso_segment = gso_segment,
		.gro_receive = sdp_merge_receive,
		.gro_complete = sdp_merge_complete_v6,
	},
};

int sdp_segment_init(u8 protocol, struct sk_buff *(*seal)(struct sk_buff *skb))
{
	int err;

	seal_copy = seal;
	err = inet_add_offload(&offload_v4, protocol);
	if (err)
		return err;
	err = inet6_add_offload(&offload_v6, protocol);
	if (err)
		inet_del_offload(&offload_v4, protocol);
	return err;
}

void sdp_segment_exit(u8 protocol)
{
	inet6_del_offload(&offload_v6, protocol);
	inet_del_offload(&offload_v4, protocol);
	synchronize_net();
}
