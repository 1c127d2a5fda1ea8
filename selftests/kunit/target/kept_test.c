// SPDX-License-Identifier: GPL-2.0-only
/* Received packets that an RPC keeps, against a map of bytes. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "../../../module/target/state/kept.c"

#define LENGTH 4096
#define CHUNK 64

static s64 charged;

/* What kept.c calls of others; only memory matters here. */
bool sdp_memory_charge_rx(struct sdp_endpoint *ep, u32 truesize)
{
	charged += truesize;
	return true;
}

void sdp_memory_uncharge_rx(struct sdp_endpoint *ep, u32 truesize)
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
	sdp_memory_charge_rx(NULL, skb->truesize);
	sdp_rpc_rx_add(rpc, skb);
}

static void check(struct kunit *test, struct sdp_rpc *rpc, const bool *here)
{
	struct sk_buff *skb = skb_rb_first(&rpc->rx_root), *last = NULL;
	u32 at = 0, truesize = 0;

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
		last = skb;
	}
	for (; at < LENGTH; at++)
		KUNIT_ASSERT_FALSE(test, here[at]);
	KUNIT_ASSERT_PTR_EQ(test, rpc->rx_last, last);
	KUNIT_ASSERT_EQ(test, rpc->rx_truesize, truesize);
	KUNIT_ASSERT_EQ(test, charged, (s64)truesize);
}

static struct sdp_rpc *new_rpc(struct kunit *test)
{
	struct sdp_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	rpc->rx_root = RB_ROOT;
	charged = 0;
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
			if (end > start)
				keep(test, rpc, start, end,
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

static struct kunit_case cases[] = {
	KUNIT_CASE(random_operations),
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
