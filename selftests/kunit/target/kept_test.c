// SPDX-License-Identifier: GPL-2.0-only
/* Received packets that an RPC keeps, against a map of bytes. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "../../../module/target/state/kept.c"

#define LENGTH 4096
#define CHUNK 64

static s64 charged;
static bool refuse;

/* What kept.c calls of others; only memory matters here. */
bool sdp_memory_charge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	if (refuse)
		return false;
	charged += truesize;
	return true;
}

void sdp_memory_charge_head(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	charged += truesize;
}

void sdp_memory_uncharge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	charged -= truesize;
}

static u8 byte_at(u32 place)
{
	return place * 13 + (place >> 8);
}

/* Keep bytes of a packet that begins @before bytes earlier. */
static void keep(struct kunit *test, struct sdp_rpc *rpc, u32 offset, u32 end,
		 u32 before)
{
	struct sk_buff *skb = alloc_skb(LENGTH + CHUNK, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, before);
	for (i = offset; i < end; i++)
		skb_put_u8(skb, byte_at(i));
	sdp_rx_cb(skb)->offset = offset;
	sdp_rx_cb(skb)->end = end;
	sdp_rx_cb(skb)->start = before;
	sdp_rx_cb(skb)->region = false;
	sdp_memory_charge_rx(NULL, false, skb->truesize);
	sdp_rpc_rx_add(rpc, skb);
}

/* Copy bytes out of a packet that begins @before bytes earlier. */
static void copy(struct kunit *test, struct sdp_rpc *rpc, u32 offset, u32 end,
		 u32 before)
{
	struct sk_buff *skb = alloc_skb(LENGTH + CHUNK, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, before);
	for (i = offset; i < end; i++)
		skb_put_u8(skb, byte_at(i));
	KUNIT_ASSERT_EQ(test, sdp_rpc_rx_copy(rpc, skb, before, offset, end), end);
	kfree_skb(skb);
}

static void check(struct kunit *test, struct sdp_rpc *rpc, const bool *here)
{
	struct sk_buff *skb = skb_rb_first(&rpc->rx_root), *last = NULL;
	u32 at = 0, truesize = 0, bytes = 0;

	for (; skb; skb = skb_rb_next(skb)) {
		const struct sdp_rx_cb *cb = sdp_rx_cb(skb);

		KUNIT_ASSERT_GE(test, cb->offset, at);
		KUNIT_ASSERT_LT(test, cb->offset, cb->end);
		for (; at < cb->offset; at++)
			KUNIT_ASSERT_FALSE(test, here[at]);
		for (; at < cb->end; at++) {
			u8 byte;

			KUNIT_ASSERT_TRUE(test, here[at]);
			KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, cb->start + at -
							    cb->offset, &byte, 1),
					0);
			KUNIT_ASSERT_EQ(test, byte, byte_at(at));
		}
		truesize += skb->truesize;
		bytes += cb->end - cb->offset;
		last = skb;
	}
	for (; at < LENGTH; at++)
		KUNIT_ASSERT_FALSE(test, here[at]);
	KUNIT_ASSERT_PTR_EQ(test, rpc->rx_last, last);
	KUNIT_ASSERT_EQ(test, rpc->rx_truesize, truesize);
	KUNIT_ASSERT_EQ(test, rpc->rx_bytes, bytes);
	KUNIT_ASSERT_EQ(test, charged, (s64)truesize);
}

static struct sdp_rpc *new_rpc(struct kunit *test)
{
	struct sdp_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	rpc->rx_root = RB_ROOT;
	rpc->rx_length = LENGTH;
	charged = 0;
	refuse = false;
	return rpc;
}

static void random_operations(struct kunit *test)
{
	bool *here = kunit_kcalloc(test, LENGTH, sizeof(*here), GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);
	struct rnd_state rnd;
	u32 step;

	KUNIT_ASSERT_NOT_NULL(test, here);
	prandom_seed_state(&rnd, 7);
	for (step = 0; step < 1500; step++) {
		u32 start = prandom_u32_state(&rnd) % LENGTH, end = start;

		if (prandom_u32_state(&rnd) % 4) {
			/* What is missing from there on, as programs do. */
			while (end < LENGTH && !here[end] &&
			       end - start < 3 * CHUNK)
				here[end++] = true;
			if (end > start && prandom_u32_state(&rnd) % 2)
				keep(test, rpc, start, end,
				     prandom_u32_state(&rnd) % CHUNK);
			else if (end > start)
				copy(test, rpc, start, end,
				     prandom_u32_state(&rnd) % CHUNK);
		} else {
			end = min(start + 1 + prandom_u32_state(&rnd) %
				  (2 * CHUNK), LENGTH);
			sdp_rpc_rx_flush(rpc, start, end);
			memset(here + start, 0, end - start);
		}
		if (step % 8 == 0)
			check(test, rpc, here);
	}
	check(test, rpc, here);
	sdp_rpc_rx_free(rpc);
	KUNIT_EXPECT_EQ(test, charged, 0);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&rpc->rx_root));
}

static void in_order_and_reversed(struct kunit *test)
{
	bool *here = kunit_kcalloc(test, LENGTH, sizeof(*here), GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, here);
	for (i = LENGTH / 2; i < LENGTH; i += CHUNK)
		keep(test, rpc, i, i + CHUNK, 0);
	for (i = LENGTH / 2; i; i -= CHUNK)
		keep(test, rpc, i - CHUNK, i, 3);
	memset(here, true, LENGTH);
	check(test, rpc, here);
	/* From the middle of one packet to the middle of another. */
	sdp_rpc_rx_flush(rpc, CHUNK / 2, 3 * CHUNK + 5);
	memset(here + CHUNK / 2, 0, 3 * CHUNK + 5 - CHUNK / 2);
	check(test, rpc, here);
	/* Out of one packet's middle. */
	sdp_rpc_rx_flush(rpc, LENGTH - 20, LENGTH - 10);
	memset(here + LENGTH - 20, 0, 10);
	check(test, rpc, here);
	sdp_rpc_rx_free(rpc);
	KUNIT_EXPECT_EQ(test, charged, 0);
}

/* Single bytes, from either end, take the memory of what they cover. */
static void bytes_of_a_region(struct kunit *test)
{
	bool *here = kunit_kcalloc(test, LENGTH, sizeof(*here), GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);
	u32 i, regions = DIV_ROUND_UP(LENGTH, REGION);

	KUNIT_ASSERT_NOT_NULL(test, here);
	for (i = 0; i < LENGTH / 2; i++)
		copy(test, rpc, i, i + 1, 0);
	for (i = LENGTH; i > LENGTH / 2; i--)
		copy(test, rpc, i - 1, i, 1);
	memset(here, true, LENGTH);
	check(test, rpc, here);
	KUNIT_EXPECT_LE(test, charged, (s64)regions * SKB_TRUESIZE(REGION));
	/* All of it again, from the middle of each region outwards. */
	sdp_rpc_rx_flush(rpc, 0, LENGTH);
	KUNIT_EXPECT_EQ(test, charged, 0);
	copy(test, rpc, 200, LENGTH - 200, 5);
	copy(test, rpc, LENGTH - 200, LENGTH, 0);
	copy(test, rpc, 0, 200, 0);
	check(test, rpc, here);
	KUNIT_EXPECT_LE(test, charged, (s64)regions * SKB_TRUESIZE(REGION));
	sdp_rpc_rx_free(rpc);
	KUNIT_EXPECT_EQ(test, charged, 0);
}

/* Pieces apart from each other become one when what is between them comes. */
static void pieces_join(struct kunit *test)
{
	bool *here = kunit_kcalloc(test, LENGTH, sizeof(*here), GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, here);
	for (i = 0; i < 1000; i += 100)
		copy(test, rpc, i, i + 50, 0);
	for (i = 50; i < 1000; i += 100)
		copy(test, rpc, i, i + 50, 0);
	memset(here, true, 1000);
	check(test, rpc, here);
	KUNIT_EXPECT_EQ(test, charged, (s64)SKB_TRUESIZE(REGION));
	/* Parted, its ends share memory; and become one again. */
	sdp_rpc_rx_flush(rpc, 300, 400);
	copy(test, rpc, 300, 400, 0);
	check(test, rpc, here);
	KUNIT_EXPECT_EQ(test, charged, (s64)SKB_TRUESIZE(REGION));
	sdp_rpc_rx_free(rpc);
}

static void copies_without_memory(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(LENGTH, GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_put_zero(skb, LENGTH);
	copy(test, rpc, 0, 10, 0);
	refuse = true;
	/* There is room up to the end of the region. */
	KUNIT_EXPECT_EQ(test, sdp_rpc_rx_copy(rpc, skb, 0, 10, LENGTH), REGION);
	KUNIT_EXPECT_EQ(test, rpc->rx_bytes, REGION);
	KUNIT_EXPECT_EQ(test, sdp_rpc_rx_copy(rpc, skb, 0, REGION + 10, LENGTH),
			REGION + 10);
	sdp_rpc_rx_free(rpc);
	KUNIT_EXPECT_EQ(test, charged, 0);
	kfree_skb(skb);
}

/* Others may hold all memory: what lies behind a bad record stays. */
static void both_ends_without_memory(struct kunit *test)
{
	struct sdp_rpc *rpc = new_rpc(test);

	keep(test, rpc, 0, 300, 0);
	refuse = true;
	sdp_rpc_rx_flush(rpc, 100, 200);
	KUNIT_EXPECT_EQ(test, rpc->rx_bytes, 200);
	KUNIT_EXPECT_NOT_NULL(test, sdp_rpc_rx_find(rpc, 250));
	sdp_rpc_rx_free(rpc);
	KUNIT_EXPECT_EQ(test, charged, 0);
}

static void what_is_sparse(struct kunit *test)
{
	struct sk_buff *skb = alloc_skb(1500, GFP_KERNEL);
	struct sdp_rpc *rpc = new_rpc(test);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb->truesize = 3000;
	/* The first of all, then one after many bytes: whatever they hold. */
	KUNIT_EXPECT_FALSE(test, sdp_rpc_rx_sparse(rpc, skb, 1));
	rpc->rx_truesize = 100000;
	rpc->rx_bytes = 100000;
	KUNIT_EXPECT_FALSE(test, sdp_rpc_rx_sparse(rpc, skb, 1));
	/* One of many that hold little. */
	rpc->rx_bytes = 100000 / SDP_RX_SPREAD;
	KUNIT_EXPECT_FALSE(test, sdp_rpc_rx_sparse(rpc, skb, 1));
	rpc->rx_truesize = 102000;
	KUNIT_EXPECT_TRUE(test, sdp_rpc_rx_sparse(rpc, skb, 1));
	KUNIT_EXPECT_FALSE(test, sdp_rpc_rx_sparse(rpc, skb, 1400));
	rpc->rx_bytes = U32_MAX;
	KUNIT_EXPECT_FALSE(test, sdp_rpc_rx_sparse(rpc, skb, 1400));
	skb->truesize = SKB_TRUESIZE(1500);
	kfree_skb(skb);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(random_operations),
	KUNIT_CASE(bytes_of_a_region),
	KUNIT_CASE(pieces_join),
	KUNIT_CASE(copies_without_memory),
	KUNIT_CASE(both_ends_without_memory),
	KUNIT_CASE(what_is_sparse),
	KUNIT_CASE(in_order_and_reversed),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_kept",
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's received packets");
