// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive merging, by way of the kernel's own callbacks of IP: what is merged, what
 * is not, and that cutting gives back each packet as it came, to the byte.
 */
#include <kunit/test.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "../../../module/offload/merge.c"
#include "../../../module/offload/segment.c"

#define PROTOCOL 146
#define PAYLOAD 1400
#define MESSAGE 200000
#define MOST_PACKETS 64

/* Where a packet's payload lies. */
enum memory {
	IN_PAGES,	/* headers linear, payload a page's part */
	IN_HEAD,	/* all in a head that is a page's part */
	ALL_IN_PAGES,	/* nothing linear: headers, too, are read from the page */
	IN_SLAB,	/* all in a head that is no page's part */
	MEMORIES
};

struct packet {
	bool v6;
	bool tunnel;
	bool secure;
	enum memory memory;
	u32 place;
	u32 payload;
	u16 id;
	u16 outer_id;
	bool df;
	u8 ttl;
	u8 changed;	/* byte of our header that differs; 0: none */
	u16 stride;	/* 0: PAYLOAD */
};

/* What one device's NAPI has, and what came out of it. */
struct flow {
	struct kunit *test;
	struct net_device *dev;
	struct list_head held;
	struct sk_buff_head out;
	u8 *sent[MOST_PACKETS];
	u32 length[MOST_PACKETS];
	u32 packets;
	struct page *page;
	u32 used;
};

static u8 byte_at(u32 place)
{
	return place * 11 + (place >> 8);
}

static u32 header_of(const struct packet *p)
{
	return p->secure ? sizeof(struct sdp_secure_data_hdr) :
			   sizeof(struct sdp_data_hdr);
}

static u32 put_ip(u8 *at, const struct packet *p, u8 proto, u16 id, u32 length)
{
	struct ipv6hdr *v6 = (void *)at;
	struct iphdr *v4 = (void *)at;

	if (p->v6) {
		memset(v6, 0, sizeof(*v6));
		v6->version = 6;
		v6->payload_len = htons(length);
		v6->nexthdr = proto;
		v6->hop_limit = p->ttl;
		v6->saddr.s6_addr[15] = 1;
		v6->daddr.s6_addr[15] = 2;
		return sizeof(*v6);
	}
	memset(v4, 0, sizeof(*v4));
	v4->version = 4;
	v4->ihl = 5;
	v4->tot_len = htons(sizeof(*v4) + length);
	v4->id = htons(id);
	v4->frag_off = p->df ? htons(IP_DF) : 0;
	v4->ttl = p->ttl;
	v4->protocol = proto;
	v4->saddr = htonl(0x0a000001);
	v4->daddr = htonl(0x0a000002);
	ip_send_check(v4);
	return sizeof(*v4);
}

static u32 put_sdp(u8 *at, const struct packet *p)
{
	struct sdp_secure_data_hdr *secure = (void *)at;
	struct sdp_data_hdr *clear = (void *)at;
	struct sdp_common_hdr *hdr = (void *)at;

	memset(at, 0x21, header_of(p));
	hdr->sequence = htonl(p->place);
	if (p->secure) {
		hdr->type = SDP_TYPE_DATA | SDP_TYPE_SECURE;
		hdr->doff = SDP_DOFF_SECURE_DATA;
		secure->message_length = htonl(MESSAGE);
		secure->flags = 0;
		secure->packet_payload = htons(p->stride ?: PAYLOAD);
	} else {
		hdr->type = SDP_TYPE_DATA;
		hdr->doff = SDP_DOFF_DATA;
		clear->message_length = htonl(MESSAGE);
		clear->offset = htonl(SDP_OFFSET_IN_SEQUENCE);
	}
	if (p->changed)
		at[p->changed] ^= 1;
	return header_of(p);
}

/* The packet's bytes, from its link header on. */
static u8 *render(struct flow *flow, const struct packet *p, u32 *length)
{
	u32 inner = header_of(p) + p->payload, outer = inner;
	u8 *bytes = kunit_kzalloc(flow->test, 2048 + p->payload, GFP_KERNEL);
	u8 *at = bytes + ETH_HLEN;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(flow->test, bytes);
	memset(bytes, 0x42, ETH_HLEN - 2);
	put_unaligned_be16(p->v6 ? ETH_P_IPV6 : ETH_P_IP, bytes + 12);
	if (p->tunnel) {
		outer += sizeof(struct iphdr);
		at += put_ip(at, p, IPPROTO_IPIP, p->outer_id, outer);
	}
	at += put_ip(at, p, PROTOCOL, p->id, inner);
	at += put_sdp(at, p);
	for (i = 0; i < p->payload; i++)
		*at++ = byte_at(p->place + i);
	*length = at - bytes;
	return bytes;
}

/* A part of the flow's page, behind the last one. */
static void add_part(struct flow *flow, struct sk_buff *skb, const u8 *bytes,
		     u32 length)
{
	memcpy(page_address(flow->page) + flow->used, bytes, length);
	get_page(flow->page);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, flow->page, flow->used,
			length, length);
	flow->used += length;
}

static struct sk_buff *make(struct flow *flow, const struct packet *p,
			    const u8 *bytes, u32 length)
{
	u32 headers = length - p->payload;
	struct sk_buff *skb;

	if (p->memory == IN_SLAB)
		skb = alloc_skb(length + NET_SKB_PAD, GFP_KERNEL);
	else
		skb = netdev_alloc_skb(flow->dev, 1600);
	KUNIT_ASSERT_NOT_NULL(flow->test, skb);
	if (p->memory == IN_HEAD)
		KUNIT_ASSERT_TRUE(flow->test, skb->head_frag);
	skb_reset_mac_header(skb);
	if (p->memory == ALL_IN_PAGES) {
		/* As napi_gro_frags() leaves it: the link header is away. */
		skb_put_data(skb, bytes, ETH_HLEN);
		add_part(flow, skb, bytes + ETH_HLEN, length - ETH_HLEN);
	} else if (p->memory == IN_PAGES) {
		skb_put_data(skb, bytes, headers);
		add_part(flow, skb, bytes + headers, p->payload);
	} else {
		skb_put_data(skb, bytes, length);
	}
	__skb_pull(skb, ETH_HLEN);
	skb->dev = flow->dev;
	skb->protocol = htons(p->v6 ? ETH_P_IPV6 : ETH_P_IP);
	return skb;
}

static void complete_one(struct flow *flow, struct sk_buff *skb)
{
	struct packet_offload *type = gro_find_complete_by_type(skb->protocol);

	if (NAPI_GRO_CB(skb)->count == 1) {
		skb_shinfo(skb)->gso_size = 0;
	} else {
		skb->encapsulation = 0;
		KUNIT_EXPECT_EQ(flow->test,
				type->callbacks.gro_complete(skb, 0), 0);
	}
	skb_queue_tail(&flow->out, skb);
}

static void pull_headers(struct sk_buff *skb)
{
	int grow = skb_gro_offset(skb) - skb_headlen(skb);

	if (grow > 0)
		__pskb_pull_tail(skb, grow);
}

/* As dev_gro_receive() does it. */
static void receive_skb(struct flow *flow, struct sk_buff *skb)
{
	struct packet_offload *type = gro_find_receive_by_type(skb->protocol);
	const skb_frag_t *frag = skb_shinfo(skb)->frags;
	struct sk_buff *full, *held;

	memset(skb->cb, 0, sizeof(skb->cb));
	NAPI_GRO_CB(skb)->frag0 = skb_headlen(skb) ? skb->data :
				  skb_frag_address(frag);
	NAPI_GRO_CB(skb)->frag0_len = skb_headlen(skb) ?: skb_frag_size(frag);
	NAPI_GRO_CB(skb)->count = 1;
	skb_set_network_header(skb, 0);
	skb_reset_mac_len(skb);
	list_for_each_entry(held, &flow->held, list)
		NAPI_GRO_CB(held)->same_flow = 1;
	full = type->callbacks.gro_receive(&flow->held, skb);
	if (full) {
		skb_list_del_init(full);
		complete_one(flow, full);
	}
	if (NAPI_GRO_CB(skb)->same_flow) {
		/* GRO frees such a packet, but not its head. */
		if (NAPI_GRO_CB(skb)->free == NAPI_GRO_FREE_STOLEN_HEAD)
			get_page(virt_to_head_page(skb->head));
		consume_skb(skb);
		return;
	}
	pull_headers(skb);
	if (NAPI_GRO_CB(skb)->flush) {
		skb_queue_tail(&flow->out, skb);
		return;
	}
	NAPI_GRO_CB(skb)->last = skb;
	skb_shinfo(skb)->gso_size = skb_gro_len(skb);
	list_add(&skb->list, &flow->held);
}

static struct sk_buff *send(struct flow *flow, const struct packet *p)
{
	u8 *bytes = render(flow, p, &flow->length[flow->packets]);
	struct sk_buff *skb;

	KUNIT_ASSERT_LT(flow->test, flow->packets, (u32)MOST_PACKETS);
	skb = make(flow, p, bytes, flow->length[flow->packets]);
	flow->sent[flow->packets++] = bytes;
	return skb;
}

static void feed(struct flow *flow, const struct packet *p)
{
	struct sk_buff *skb = send(flow, p);

	local_bh_disable();
	rcu_read_lock();
	receive_skb(flow, skb);
	rcu_read_unlock();
	local_bh_enable();
}

/* Each packet that comes out is one of those that went in, and each comes once. */
static void came_out(struct flow *flow, struct sk_buff *skb)
{
	u8 *bytes = kunit_kzalloc(flow->test, skb->len, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(flow->test, bytes);
	KUNIT_ASSERT_EQ(flow->test, skb_copy_bits(skb, 0, bytes, skb->len), 0);
	for (i = 0; i < flow->packets; i++) {
		if (flow->sent[i] && flow->length[i] == skb->len &&
		    !memcmp(flow->sent[i], bytes, skb->len)) {
			flow->sent[i] = NULL;
			return;
		}
	}
	KUNIT_FAIL(flow->test, "a packet of %u bytes that nobody sent", skb->len);
}

static void cut_one(struct flow *flow, struct sk_buff *skb,
		    netdev_features_t features)
{
	struct sk_buff *segs, *next;

	__skb_push(skb, skb->data - skb_mac_header(skb));
	if (!skb_is_gso(skb)) {
		came_out(flow, skb);
		kfree_skb(skb);
		return;
	}
	segs = __skb_gso_segment(skb, features, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(flow->test, segs);
	kfree_skb(skb);
	for (; segs; segs = next) {
		next = segs->next;
		skb_mark_not_on_list(segs);
		came_out(flow, segs);
		kfree_skb(segs);
	}
}

static struct flow *begin(struct kunit *test)
{
	struct flow *flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, flow);
	flow->test = test;
	flow->dev = kunit_kzalloc(test, sizeof(*flow->dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, flow->dev);
	flow->dev->gro_max_size = GRO_LEGACY_MAX_SIZE;
	flow->dev->gro_ipv4_max_size = GRO_LEGACY_MAX_SIZE;
	flow->page = alloc_pages(GFP_KERNEL | __GFP_COMP, 4);
	KUNIT_ASSERT_NOT_NULL(test, flow->page);
	INIT_LIST_HEAD(&flow->held);
	skb_queue_head_init(&flow->out);
	return flow;
}

/* What is held goes, as at the end of a poll. Return: how many came out. */
static u32 flush_all(struct flow *flow)
{
	struct sk_buff *skb, *next;

	rcu_read_lock();
	list_for_each_entry_safe_reverse(skb, next, &flow->held, list) {
		skb_list_del_init(skb);
		complete_one(flow, skb);
	}
	rcu_read_unlock();
	return skb_queue_len(&flow->out);
}

static void end(struct flow *flow, netdev_features_t features)
{
	struct sk_buff *skb;
	u32 i;

	flush_all(flow);
	while ((skb = skb_dequeue(&flow->out)))
		cut_one(flow, skb, features);
	for (i = 0; i < flow->packets; i++)
		KUNIT_EXPECT_NULL(flow->test, flow->sent[i]);
	KUNIT_EXPECT_EQ(flow->test, page_count(flow->page), 1);
	put_page(flow->page);
}

static const struct packet usual = {
	.payload = PAYLOAD, .df = true, .ttl = 64,
};

/* Packet @i of a segment. */
static struct packet nth(struct packet base, u32 i)
{
	base.place += i * PAYLOAD;
	base.id += i;
	base.outer_id += i;
	return base;
}

static void feed_several(struct flow *flow, struct packet base, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		struct packet p = nth(base, i);

		feed(flow, &p);
	}
}

/* How many come out where the second of two packets is that. */
static u32 pair(struct kunit *test, const struct packet *a, const struct packet *b)
{
	struct flow *flow = begin(test);
	u32 out;

	feed(flow, a);
	feed(flow, b);
	out = flush_all(flow);
	end(flow, NETIF_F_SG);
	return out;
}

static void segments_become_one_packet(struct kunit *test)
{
	u32 kind;

	for (kind = 0; kind < 4 * IN_SLAB; kind++) {
		struct packet base = usual;
		struct flow *flow = begin(test);
		struct sk_buff *skb;

		base.memory = kind % IN_SLAB;
		base.v6 = kind / IN_SLAB & 1;
		base.secure = kind / IN_SLAB & 2;
		feed_several(flow, base, 12);
		KUNIT_EXPECT_EQ(test, flush_all(flow), 1);
		skb = skb_peek(&flow->out);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_EQ(test, (u32)skb_shinfo(skb)->gso_segs, 12);
		KUNIT_EXPECT_EQ(test, (u32)skb_shinfo(skb)->gso_size, PAYLOAD);
		KUNIT_EXPECT_FALSE(test, skb_has_frag_list(skb));
		KUNIT_EXPECT_EQ(test, skb->len,
				flow->length[0] - ETH_HLEN + 11 * PAYLOAD);
		KUNIT_EXPECT_GE(test, skb->truesize, skb->len);
		end(flow, kind & 1 ? NETIF_F_SG : 0);
	}
}

/* Parts of a page that lie one behind the other are one fragment. */
static void neighbours_are_one_fragment(struct kunit *test)
{
	struct flow *flow = begin(test);

	feed_several(flow, usual, 40);
	KUNIT_EXPECT_EQ(test, flush_all(flow), 1);
	KUNIT_EXPECT_EQ(test, (u32)skb_shinfo(skb_peek(&flow->out))->nr_frags, 1);
	end(flow, NETIF_F_SG);
}

/* As from a device: each with a page's part of its own. */
static void no_more_fragments_than_a_packet_has(struct kunit *test)
{
	struct flow *flow = begin(test);
	struct sk_buff *skb;
	u32 i;

	for (i = 0; i < 2 * MAX_SKB_FRAGS; i++) {
		struct packet p = nth(usual, i);

		feed(flow, &p);
		flow->used += 16;
	}
	KUNIT_EXPECT_EQ(test, flush_all(flow), 2);
	skb_queue_walk(&flow->out, skb)
		KUNIT_EXPECT_EQ(test, (u32)skb_shinfo(skb)->nr_frags,
				MAX_SKB_FRAGS);
	end(flow, NETIF_F_SG);
}

static void no_longer_than_the_device_wants(struct kunit *test)
{
	struct flow *flow = begin(test);

	flow->dev->gro_ipv4_max_size = 8000;
	feed_several(flow, usual, 20);
	KUNIT_EXPECT_EQ(test, flush_all(flow), 4);
	end(flow, NETIF_F_SG);
}

/* Any byte of the header but the place is in each packet that is cut. */
static void other_headers_stay_apart(struct kunit *test)
{
	struct packet a = usual, b;
	u32 i, kind;

	for (kind = 0; kind < 2; kind++) {
		a.secure = kind;
		b = nth(a, 1);
		KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
		for (i = 1; i < header_of(&a); i++) {
			b.changed = i;
			KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
		}
	}
}

/* An acknowledgement is in each packet of a segment, as the rest is. */
static void acknowledgements_are_merged(struct kunit *test)
{
	struct packet a = usual, b;

	/* render() leaves no byte of it zero. */
	a.changed = offsetof(struct sdp_data_hdr, ack);
	b = nth(a, 1);
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
}

static void what_cutting_would_not_restore(struct kunit *test)
{
	struct packet a = usual, b = nth(usual, 1);

	b.ttl--;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b = nth(a, 1);
	b.id++;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b = nth(a, 1);
	b.df = false;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b = nth(a, 1);
	b.place++;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b.place -= 2;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	/* A longer one behind a shorter one. */
	a.payload = 100;
	b = usual;
	b.place = 100;
	b.id = 1;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
}

/* Ids that count up, also over the end, or where IP does not fragment stay. */
static void ids_of_ip(struct kunit *test)
{
	struct packet a = usual, b;

	a.id = 0xffff;
	b = nth(a, 1);
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
	b.id = a.id;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
	a.df = false;
	b.df = false;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b = nth(a, 1);
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
	a.df = true;
	a.tunnel = true;
	b = nth(a, 1);
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
	/* Cutting counts those of a tunnel up. */
	b.outer_id = a.outer_id;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b.outer_id = a.outer_id + 7;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
}

static void what_lies_in_no_page(struct kunit *test)
{
	struct packet a = usual, b;

	a.memory = IN_SLAB;
	b = nth(a, 1);
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 2);
	b.memory = IN_PAGES;
	KUNIT_EXPECT_EQ(test, pair(test, &a, &b), 1);
}

/* Fragments of a packet that others hold, too, stay where they are. */
static void shared_packets_stay_apart(struct kunit *test)
{
	struct flow *flow = begin(test);
	struct packet b = nth(usual, 1);
	struct sk_buff *skb, *other;

	feed(flow, &usual);
	skb = send(flow, &b);
	other = skb_clone(skb, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, other);
	local_bh_disable();
	rcu_read_lock();
	receive_skb(flow, skb);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, flush_all(flow), 2);
	kfree_skb(other);
	end(flow, NETIF_F_SG);
}

/*
 * A packet shorter than those before it ends what is merged; a secure one whose header
 * says that it is longer is merged only where the message ends.
 */
static void short_packets(struct kunit *test)
{
	struct packet base = usual, tail;
	struct flow *flow;
	u32 kind;

	for (kind = 0; kind < 4; kind++) {
		bool last = kind & 1;

		base.secure = kind & 2;
		base.place = MESSAGE - 3 * PAYLOAD + 1000;
		if (!last)
			base.place -= 7;
		tail = nth(base, 2);
		tail.payload = PAYLOAD - 1000;
		flow = begin(test);
		feed_several(flow, base, 2);
		feed(flow, &tail);
		KUNIT_EXPECT_EQ(test, skb_queue_len(&flow->out),
				base.secure && !last ? 2 : 1);
		KUNIT_EXPECT_TRUE(test, list_empty(&flow->held));
		end(flow, NETIF_F_SG);
	}
}

/* Nothing is held back that nothing can follow. */
static void the_last_packet_is_not_held(struct kunit *test)
{
	struct packet last = usual;
	struct flow *flow;
	u32 kind;

	last.place = MESSAGE - PAYLOAD;
	for (kind = 0; kind < 2; kind++) {
		last.secure = kind;
		flow = begin(test);
		feed(flow, &last);
		KUNIT_EXPECT_EQ(test, skb_queue_len(&flow->out), 1);
		end(flow, NETIF_F_SG);
	}
}

static struct packet any(struct rnd_state *rnd, struct packet base, u32 step)
{
	u32 what = prandom_u32_state(rnd) % 16;
	struct packet p = nth(base, step);

	p.memory = prandom_u32_state(rnd) % 8 ? base.memory :
		   prandom_u32_state(rnd) % MEMORIES;
	p.id += what == 0 ? prandom_u32_state(rnd) % 3 : 0;
	p.ttl -= what == 1;
	p.payload = what == 2 ? 1 + prandom_u32_state(rnd) % PAYLOAD : PAYLOAD;
	p.changed = what == 3 ? 20 + prandom_u32_state(rnd) % 20 : 0;
	p.place += what == 4 ? prandom_u32_state(rnd) % 2000 : 0;
	p.outer_id += what == 5;
	return p;
}

static void whatever_comes_is_restored(struct kunit *test)
{
	struct rnd_state rnd;
	u32 round, i, merged = 0;

	prandom_seed_state(&rnd, 11);
	for (round = 0; round < 30; round++) {
		u32 bits = prandom_u32_state(&rnd);
		struct packet base = usual;
		struct flow *flow = begin(test);

		base.memory = prandom_u32_state(&rnd) % IN_SLAB;
		base.secure = bits & 1;
		base.tunnel = bits & 2;
		base.v6 = bits & 4 && !base.tunnel;
		base.df = bits & 8;
		base.id = bits >> 16;
		base.outer_id = prandom_u32_state(&rnd);
		for (i = 0; i < 40; i++) {
			struct packet p = any(&rnd, base, i);

			feed(flow, &p);
		}
		merged += 40 - flush_all(flow);
		end(flow, bits & 16 ? NETIF_F_SG : 0);
	}
	KUNIT_EXPECT_GT(test, merged, 300);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(segments_become_one_packet),
	KUNIT_CASE(neighbours_are_one_fragment),
	KUNIT_CASE(no_more_fragments_than_a_packet_has),
	KUNIT_CASE(no_longer_than_the_device_wants),
	KUNIT_CASE(other_headers_stay_apart),
	KUNIT_CASE(acknowledgements_are_merged),
	KUNIT_CASE(what_cutting_would_not_restore),
	KUNIT_CASE(ids_of_ip),
	KUNIT_CASE(what_lies_in_no_page),
	KUNIT_CASE(shared_packets_stay_apart),
	KUNIT_CASE(short_packets),
	KUNIT_CASE(the_last_packet_is_not_held),
	KUNIT_CASE(whatever_comes_is_restored),
	{}
};

static int suite_init(struct kunit_suite *suite)
{
	return sdp_segment_init(PROTOCOL, NULL);
}

static void suite_exit(struct kunit_suite *suite)
{
	sdp_segment_exit(PROTOCOL);
}

static struct kunit_suite suite = {
	.name = "sdp_target_merge",
	.suite_init = suite_init,
	.suite_exit = suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's receive merging");
