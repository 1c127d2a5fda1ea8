// SPDX-License-Identifier: GPL-2.0-only
/* Cutting segments: places, sizes, headers, and what is refused. */
#include <kunit/test.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <net/sock.h>

#include "../../../module/offload/segment.c"

#define HEADER 60
#define ROOM (ETH_HLEN + sizeof(struct iphdr))
#define PLACE 100000

/* Not looked at here. */
struct sk_buff *sdp_merge_receive(struct list_head *held, struct sk_buff *skb)
{
	return NULL;
}

int sdp_merge_complete_v4(struct sk_buff *skb, int offset)
{
	return 0;
}

int sdp_merge_complete_v6(struct sk_buff *skb, int offset)
{
	return 0;
}

static u8 byte_at(u32 place)
{
	return place * 7 + (place >> 8);
}

/* A segment as the IP layer hands it over: data at the transport header. */
static struct sk_buff *make(struct kunit *test, u32 bytes, u32 payload, u8 doff,
			    bool paged)
{
	struct sk_buff *skb = alloc_skb(ROOM + HEADER + bytes, GFP_KERNEL);
	struct page *page;
	u8 *data;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	memset(skb_put(skb, ROOM), 0xee, ROOM);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_set_transport_header(skb, ROOM);
	skb->mac_len = ETH_HLEN;
	skb->protocol = htons(ETH_P_IP);
	memset(skb_put(skb, HEADER), 0x11, HEADER);
	put_unaligned_be32(PLACE, skb->data + ROOM + PLACE_OFFSET);
	skb->data[ROOM + DOFF_OFFSET] = doff;
	if (paged) {
		page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(bytes));
		KUNIT_ASSERT_NOT_NULL(test, page);
		data = page_address(page);
		skb_add_rx_frag(skb, 0, page, 0, bytes, bytes);
	} else {
		data = skb_put(skb, bytes);
	}
	for (i = 0; i < bytes; i++)
		data[i] = byte_at(PLACE + i);
	sdp_segment_mark(skb, payload, bytes, false);
	__skb_pull(skb, ROOM);
	return skb;
}

static void check_piece(struct kunit *test, struct sk_buff *seg, u32 place,
			u32 length)
{
	u8 *copy = kunit_kmalloc(test, length, GFP_KERNEL);
	u32 at = skb_transport_offset(seg);
	u32 i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, copy);
	KUNIT_EXPECT_EQ(test, seg->len - at - HEADER, length);
	KUNIT_EXPECT_EQ(test, get_unaligned_be32(skb_transport_header(seg) +
						 PLACE_OFFSET), place);
	KUNIT_EXPECT_EQ(test, (u32)skb_transport_header(seg)[HEADER - 1], 0x11);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(seg, at + HEADER, copy, length), 0);
	for (i = 0; i < length; i++)
		wrong += copy[i] != byte_at(place + i);
	KUNIT_EXPECT_EQ(test, wrong, 0);
}

/* What a tunnel computes its checksum from: the sum of all behind a place. */
static void check_noted_sum(struct kunit *test, struct sk_buff *seg, u32 length)
{
	u32 at = skb_transport_offset(seg) + HEADER;

	KUNIT_EXPECT_EQ(test, (u32)SKB_GSO_CB(seg)->csum_start,
			skb_headroom(seg) + at);
	KUNIT_EXPECT_EQ(test, (__force u16)csum_fold(SKB_GSO_CB(seg)->csum),
			(__force u16)csum_fold(skb_checksum(seg, at, length, 0)));
}

struct cutting {
	u32 bytes;
	u32 payload;
	bool paged;
	netdev_features_t features;
	u32 tunnel;
	bool sums;
};

static void cut(struct kunit *test, const struct cutting *c)
{
	struct sk_buff *skb = make(test, c->bytes, c->payload, HEADER / 4 << 4,
				   c->paged);
	struct sk_buff *segs, *seg, *next;
	u32 done = 0;

	skb_shinfo(skb)->gso_type |= c->tunnel;
	segs = gso_segment(skb, c->features);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	for (seg = segs; seg; seg = next) {
		u32 length = min(c->payload, c->bytes - done);

		next = seg->next;
		check_piece(test, seg, PLACE + done, length);
		if (!(c->features & NETIF_F_SG))
			KUNIT_EXPECT_FALSE(test, skb_is_nonlinear(seg));
		if (c->sums)
			check_noted_sum(test, seg, length);
		done += length;
		kfree_skb(seg);
	}
	KUNIT_EXPECT_EQ(test, done, c->bytes);
	kfree_skb(skb);
}

static void cuts_all_of_it(struct kunit *test)
{
	static const struct {
		u32 bytes;
		u32 payload;
	} sizes[] = {
		{ 2840, 1420 }, { 2841, 1420 }, { 1421, 1420 }, { 65280, 1420 },
		{ 30000, 496 }, { 1000, 1 }, { 20000, 8900 },
	};
	u32 i, kind;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (kind = 0; kind < 4; kind++) {
			struct cutting c = {
				.bytes = sizes[i].bytes,
				.payload = sizes[i].payload,
				.paged = kind & 1,
				.features = kind & 2 ? NETIF_F_SG : 0,
			};

			cut(test, &c);
		}
	}
}

/* Fragments are shared where the device takes them, and copied where it does not. */
static void fragments_only_with_scatter_gather(struct kunit *test)
{
	struct sk_buff *skb, *segs;

	skb = make(test, 9000, 1420, HEADER / 4 << 4, true);
	segs = gso_segment(skb, NETIF_F_SG);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	KUNIT_EXPECT_EQ(test, segs->data_len, 1420);
	kfree_skb_list(segs);
	kfree_skb(skb);
	skb = make(test, 9000, 1420, HEADER / 4 << 4, true);
	segs = gso_segment(skb, NETIF_F_HW_CSUM);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	KUNIT_EXPECT_EQ(test, segs->data_len, 0);
	kfree_skb_list(segs);
	kfree_skb(skb);
}

/* Pieces are alike: none has the owner, which is told of when the whole is gone. */
static void the_whole_keeps_its_owner(struct kunit *test)
{
	struct sk_buff *skb = make(test, 9000, 1420, HEADER / 4 << 4, true);
	u32 truesize = skb->truesize;
	struct sk_buff *segs, *seg;
	struct sock *sk = kunit_kzalloc(test, sizeof(*sk), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sk);
	sock_set_flag(sk, SOCK_USE_WRITE_QUEUE);
	refcount_set(&sk->sk_wmem_alloc, 1 + truesize);
	skb->sk = sk;
	skb->destructor = sock_wfree;
	segs = gso_segment(skb, NETIF_F_SG);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, segs);
	for (seg = segs; seg; seg = seg->next) {
		KUNIT_EXPECT_NULL(test, seg->sk);
		KUNIT_EXPECT_NULL(test, seg->destructor);
		KUNIT_EXPECT_LT(test, seg->truesize, truesize);
	}
	kfree_skb_list(segs);
	KUNIT_EXPECT_EQ(test, refcount_read(&sk->sk_wmem_alloc), 1 + truesize);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, refcount_read(&sk->sk_wmem_alloc), 1);
}

/* Unless the device computes the checksum of a tunnel, its parts are noted. */
static void sums_for_a_tunnel(struct kunit *test)
{
	static const netdev_features_t features[] = {
		0, NETIF_F_SG, NETIF_F_SG | NETIF_F_IP_CSUM,
	};
	static const u32 tunnels[] = { SKB_GSO_UDP_TUNNEL_CSUM, SKB_GSO_GRE_CSUM };
	u32 i;

	for (i = 0; i < 2 * ARRAY_SIZE(features); i++) {
		struct cutting c = {
			.bytes = 10001, .payload = 1421, .paged = true,
			.features = features[i / 2], .tunnel = tunnels[i % 2],
			.sums = true,
		};

		cut(test, &c);
	}
}

static void refuses_bad_headers(struct kunit *test)
{
	static const u8 doffs[] = { 0, 0x10, 0x50, 0x60 };
	struct sk_buff *skb;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(doffs); i++) {
		skb = make(test, 3000, 1400, doffs[i], false);
		KUNIT_EXPECT_PTR_EQ(test, gso_segment(skb, 0),
				    (struct sk_buff *)ERR_PTR(-EINVAL));
		kfree_skb(skb);
	}
	skb = make(test, 3000, 1400, 0xf0, false);
	skb_shinfo(skb)->gso_size = 0;
	KUNIT_EXPECT_PTR_EQ(test, gso_segment(skb, 0),
			    (struct sk_buff *)ERR_PTR(-EINVAL));
	skb_shinfo(skb)->gso_size = 3000;
	KUNIT_EXPECT_PTR_EQ(test, gso_segment(skb, 0),
			    (struct sk_buff *)ERR_PTR(-EINVAL));
	__skb_push(skb, HEADER);
	skb_shinfo(skb)->gso_size = 8;
	__skb_trim(skb, HEADER);
	KUNIT_EXPECT_PTR_EQ(test, gso_segment(skb, 0),
			    (struct sk_buff *)ERR_PTR(-EINVAL));
	__skb_push(skb, HEADER);
	__skb_trim(skb, 20);
	KUNIT_EXPECT_PTR_EQ(test, gso_segment(skb, 0),
			    (struct sk_buff *)ERR_PTR(-EINVAL));
	kfree_skb(skb);
}

static void room_is_whole_packets(struct kunit *test)
{
	struct net_device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->gso_max_size = GSO_LEGACY_MAX_SIZE;
	dev->gso_ipv4_max_size = GSO_LEGACY_MAX_SIZE;
	dev->gso_max_segs = 65535;
	KUNIT_EXPECT_EQ(test, sdp_segment_room(dev, 80, 1420, false) % 1420, 0);
	KUNIT_EXPECT_LE(test, sdp_segment_room(dev, 80, 1420, false),
			SDP_SEGMENT_MAX);
	dev->gso_max_segs = 3;
	KUNIT_EXPECT_EQ(test, sdp_segment_room(dev, 80, 1420, true), 3 * 1420);
	/* A device that takes none still gets one packet at a time. */
	dev->gso_ipv4_max_size = 0;
	KUNIT_EXPECT_EQ(test, sdp_segment_room(dev, 80, 1420, false), 1420);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(cuts_all_of_it),
	KUNIT_CASE(fragments_only_with_scatter_gather),
	KUNIT_CASE(the_whole_keeps_its_owner),
	KUNIT_CASE(sums_for_a_tunnel),
	KUNIT_CASE(refuses_bad_headers),
	KUNIT_CASE(room_is_whole_packets),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_segment",
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's segmentation");
