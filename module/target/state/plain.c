// SPDX-License-Identifier: GPL-2.0-only
#include <linux/once.h>
#include <linux/siphash.h>

#include "../../offload/buffer.h"
#include "../../record/seal.h"
#include "memory.h"
#include "plain.h"

#define BUCKET_SHIFT 8

struct bucket {
	spinlock_t lock;
	struct hlist_head head;
};

static hsiphash_key_t bucket_key __read_mostly;

static struct bucket buckets[1 << BUCKET_SHIFT] = {
	[0 ... (1 << BUCKET_SHIFT) - 1] = {
		.lock = __SPIN_LOCK_UNLOCKED(buckets.lock),
	},
};

/* Sessions of one user may be many, and their message numbers those that it likes. */
static struct bucket *plain_bucket(u32 session, u64 msgno)
{
	net_get_random_once(&bucket_key, sizeof(bucket_key));
	return &buckets[hsiphash_3u32(session, msgno, msgno >> 32, &bucket_key) &
			(ARRAY_SIZE(buckets) - 1)];
}

static struct bucket *plain_bucket_of(const struct sdp_rpc *rpc)
{
	return plain_bucket(sdp_session_id(rpc->session), rpc->seal.msgno);
}

void sdp_plain_add(struct sdp_rpc *rpc)
{
	struct bucket *bucket = plain_bucket_of(rpc);

	spin_lock_bh(&bucket->lock);
	hlist_add_head(&rpc->plain_node, &bucket->head);
	spin_unlock_bh(&bucket->lock);
}

bool sdp_plain_remove(struct sdp_rpc *rpc)
{
	struct bucket *bucket;

	/* Who adds and who removes it are one after the other; neighbours come and go. */
	if (hlist_unhashed_lockless(&rpc->plain_node))
		return false;
	bucket = plain_bucket_of(rpc);
	spin_lock_bh(&bucket->lock);
	hlist_del_init(&rpc->plain_node);
	spin_unlock_bh(&bucket->lock);
	return true;
}

struct sdp_rpc *sdp_plain_find(const struct sock *sk,
			       const struct sdp_secure_data_hdr *hdr)
{
	struct bucket *bucket = plain_bucket(be32_to_cpu(hdr->session),
					     sdp_get48(hdr->msgno));
	struct sdp_rpc *rpc, *found = NULL;

	spin_lock_bh(&bucket->lock);
	hlist_for_each_entry(rpc, &bucket->head, plain_node) {
		/* Its message stays for as long as it is here, even if it is being freed. */
		if (rpc->ep->sk != sk || !sdp_tx_named(&rpc->seal, hdr))
			continue;
		if (!READ_ONCE(rpc->over) && !sdp_session_dead(rpc->session) &&
		    refcount_inc_not_zero(&rpc->refs))
			found = rpc;
		break;
	}
	spin_unlock_bh(&bucket->lock);
	return found;
}

static int seal_one(struct sdp_rpc *rpc, u32 index)
{
	u32 length = sdp_txbuf_record_length(&rpc->tx, index);
	u32 order = sdp_txbuf_sealed_order(&rpc->tx, index);
	struct scatterlist src, dst;
	struct page *page;
	int err;

	page = alloc_pages(GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN, order);
	if (!page)
		return -ENOMEM;
	sg_init_one(&src, sdp_txbuf_frame(&rpc->tx, index), length - SDP_RECORD_TAG);
	sg_init_one(&dst, page_address(page) + SDP_BUFFER_LEAD, length);
	err = sdp_seal_inner(&rpc->seal, index, &src, &dst, length - SDP_RECORD_TAG, true);
	if (err || !sdp_txbuf_put_sealed(&rpc->tx, index, page)) {
		put_page(page);
		return err;
	}
	sdp_memory_charge_sealed(rpc->ep, PAGE_SIZE << order);
	return 0;
}

int sdp_plain_seal(struct sdp_rpc *rpc, u32 first, u32 count, enum sdp_counter reason)
{
	u32 i;
	int err;

	for (i = first; i < first + count; i++) {
		if (sdp_txbuf_is_sealed(&rpc->tx, i))
			continue;
		err = seal_one(rpc, i);
		if (err)
			return err;
		sdp_count(rpc->who.sn->counts, reason);
	}
	return 0;
}

u32 sdp_plain_run(const struct sdp_rpc *rpc, u32 first, u32 most)
{
	u32 i;

	most = min(most, rpc->tx.chunks - first);
	for (i = 0; i < most; i++)
		if (sdp_txbuf_is_sealed(&rpc->tx, first + i))
			break;
	return i;
}

u32 sdp_plain_count(const struct sdp_rpc *rpc, u32 first, u32 count)
{
	u32 plain = 0, i;

	for (i = first; i < first + count; i++)
		plain += !sdp_txbuf_is_sealed(&rpc->tx, i);
	return plain;
}
