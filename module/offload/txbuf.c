// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "buffer.h"
#include "txbuf.h"

/* Chunks of 32 KB where memory has them, so that a segment takes few frags. */
#define CHUNK_ORDER 3

/* Longest message that shares a page with others, bytes. */
#define LONGEST_PART 12288

/* Shortest records that get a chunk each, bytes. */
#define LEAST_UNIT 8192

static int alloc_chunks(struct sdp_txbuf *buf, u32 order)
{
	gfp_t gfp = GFP_KERNEL | __GFP_COMP | __GFP_NOWARN;
	u32 count = DIV_ROUND_UP(buf->length, buf->chunk_size);

	if (order)
		gfp |= __GFP_NORETRY;
	buf->chunk = &buf->one;
	if (count > 1) {
		buf->chunk = kvmalloc_array(count, sizeof(*buf->chunk),
					    GFP_KERNEL);
		if (!buf->chunk)
			return -ENOMEM;
	}
	for (buf->chunks = 0; buf->chunks < count; buf->chunks++) {
		struct page *page = alloc_pages(gfp, order);

		if (!page) {
			sdp_txbuf_free(buf);
			return -ENOMEM;
		}
		buf->chunk[buf->chunks] = page;
	}
	return 0;
}

/*
 * A message of a few packets, in a part of a page as TCP's bytes are. What is there is
 * not always as long as was asked for: where memory is in pieces, and for as long as the
 * task's page is one of such a time, it is a single page.
 */
static bool alloc_part(struct sdp_txbuf *buf)
{
	struct page_frag *frag = &current->task_frag;
	u32 lead = SDP_BUFFER_LEAD, need = buf->length + lead + 16;

	if (!skb_page_frag_refill(need, frag, GFP_KERNEL) ||
	    frag->offset + need > frag->size)
		return false;
	frag->offset = ALIGN(frag->offset, 16);
	get_page(frag->page);
	buf->one = frag->page;
	buf->chunk = &buf->one;
	buf->chunks = 1;
	buf->chunk_size = buf->length;
	buf->chunk_lead = frag->offset + lead;
	frag->offset += buf->length + lead;
	return true;
}

int sdp_txbuf_alloc(struct sdp_txbuf *buf, u32 length, u32 unit, void *small)
{
	u32 order;

	/* Short records would take more chunks than a packet has fragments. */
	if (unit < LEAST_UNIT)
		unit = 0;
	buf->length = length;
	buf->ready = 0;
	if (length <= SDP_TXBUF_LINEAR) {
		buf->linear = small;
		return 0;
	}
	if (length <= LONGEST_PART && alloc_part(buf))
		return 0;
	buf->chunk_lead = unit ? SDP_BUFFER_LEAD : 0;
	order = get_order(min(unit ?: length, length) + buf->chunk_lead);
	if (!unit)
		order = min_t(u32, order, CHUNK_ORDER);
	buf->chunk_size = unit ?: PAGE_SIZE << order;
	if (order && !alloc_chunks(buf, order))
		return 0;
	/* Memory is in pieces: single pages will do. */
	buf->length = length;
	buf->chunk_lead = 0;
	buf->chunk_size = PAGE_SIZE;
	return alloc_chunks(buf, 0);
}

static u32 chunk_count(const struct sdp_txbuf *buf)
{
	return DIV_ROUND_UP(buf->length, buf->chunk_size);
}

bool sdp_txbuf_make_plain(struct sdp_txbuf *buf, u32 unit)
{
	if (buf->linear ||
	    (buf->length <= unit ? buf->chunks != 1 : buf->chunk_size != unit))
		return false;
	buf->sealed = kvcalloc(chunk_count(buf), sizeof(*buf->sealed), GFP_KERNEL);
	return buf->sealed;
}

bool sdp_txbuf_put_sealed(struct sdp_txbuf *buf, u32 index, struct page *page)
{
	/* What is in @page comes before it: a fully ordered exchange. */
	return !cmpxchg(&buf->sealed[index], NULL, page);
}

u32 sdp_txbuf_sealed_bytes(const struct sdp_txbuf *buf)
{
	u32 bytes = 0, i;

	for (i = 0; buf->sealed && i < buf->chunks; i++)
		if (buf->sealed[i])
			bytes += PAGE_SIZE << sdp_txbuf_sealed_order(buf, i);
	return bytes;
}

static void free_sealed(struct sdp_txbuf *buf)
{
	u32 i;

	for (i = 0; i < buf->chunks; i++)
		if (buf->sealed[i])
			put_page(buf->sealed[i]);
	kvfree(buf->sealed);
	buf->sealed = NULL;
}

void sdp_txbuf_free(struct sdp_txbuf *buf)
{
	u32 i;

	if (buf->sealed)
		free_sealed(buf);
	buf->linear = NULL;
	for (i = 0; i < buf->chunks; i++)
		put_page(buf->chunk[i]);
	if (buf->chunk && buf->chunk != &buf->one)
		kvfree(buf->chunk);
	buf->chunk = NULL;
	buf->chunks = 0;
	buf->ready = 0;
}

/* Where a record of a plain message is, sealed. False: it is not. */
static bool map_sealed(const struct sdp_txbuf *buf, u32 index, u32 inside, u32 length,
		       struct bio_vec *vec)
{
	/* Pairs with sdp_txbuf_put_sealed(). */
	struct page *page = smp_load_acquire(&buf->sealed[index]);

	if (!page)
		return false;
	bvec_set_page(vec, page, length, SDP_BUFFER_LEAD + inside);
	return true;
}

u32 sdp_txbuf_map(const struct sdp_txbuf *buf, u32 offset, u32 length,
		  struct bio_vec *vec, u32 max)
{
	u32 used = 0;

	if (buf->linear) {
		bvec_set_virt(&vec[0], buf->linear + offset, length);
		return 1;
	}
	if (likely(buf->chunks == 1)) {
		bvec_set_page(&vec[0], buf->one, length,
			      buf->chunk_lead + offset);
		return 1;
	}
	while (length && used < max) {
		u32 index = offset / buf->chunk_size;
		u32 inside = offset - index * buf->chunk_size;
		u32 part = min(length, buf->chunk_size - inside);

		bvec_set_page(&vec[used++], buf->chunk[index], part,
			      buf->chunk_lead + inside);
		offset += part;
		length -= part;
	}
	return used;
}

/* By way of the stack: user space is not to reach into an object of ours. */
static int copy_small(struct sdp_txbuf *buf, u32 offset, u32 length,
		      struct iov_iter *from)
{
	u8 bytes[SDP_TXBUF_LINEAR] __uninitialized;

	if (WARN_ON_ONCE(offset + length > sizeof(bytes)) ||
	    !copy_from_iter_full(bytes, length, from))
		return -EFAULT;
	memcpy(buf->linear + offset, bytes, length);
	return 0;
}

int sdp_txbuf_copy_from_iter(struct sdp_txbuf *buf, u32 offset, u32 length,
			     struct iov_iter *from)
{
	if (buf->linear)
		return copy_small(buf, offset, length, from);
	while (length) {
		struct bio_vec vec;

		sdp_txbuf_map(buf, offset, length, &vec, 1);
		if (copy_page_from_iter(vec.bv_page, vec.bv_offset, vec.bv_len,
					from) != vec.bv_len)
			return -EFAULT;
		offset += vec.bv_len;
		length -= vec.bv_len;
	}
	return 0;
}

static void append_frags(struct sk_buff *skb, const struct bio_vec *vec, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++) {
		get_page(vec[i].bv_page);
		skb_fill_page_desc(skb, i, vec[i].bv_page, vec[i].bv_offset,
				   vec[i].bv_len);
		skb->len += vec[i].bv_len;
		skb->data_len += vec[i].bv_len;
		skb->truesize += vec[i].bv_len;
	}
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
}

/* As sdp_txbuf_map(), of what is sealed. Return: 0: not all of it is. */
static u32 map_plain(const struct sdp_txbuf *buf, u32 offset, u32 length,
		     struct bio_vec *vec, u32 max)
{
	u32 used = 0;

	while (length && used < max) {
		u32 index = offset / buf->chunk_size;
		u32 inside = offset - index * buf->chunk_size;
		u32 part = min(length, buf->chunk_size - inside);

		if (!map_sealed(buf, index, inside, part, &vec[used++]))
			return 0;
		offset += part;
		length -= part;
	}
	return used;
}

static bool attach_pages(const struct sdp_txbuf *buf, struct sk_buff *skb,
			 u32 offset, u32 length)
{
	struct bio_vec vec[MAX_SKB_FRAGS] __uninitialized;
	u32 count;

	if (unlikely(buf->sealed))
		count = map_plain(buf, offset, length, vec, MAX_SKB_FRAGS);
	else
		count = sdp_txbuf_map(buf, offset, length, vec, MAX_SKB_FRAGS);
	append_frags(skb, vec, count);
	return count;
}

bool sdp_txbuf_attach(const struct sdp_txbuf *buf, struct sk_buff *skb,
		      u32 offset, u32 length)
{
	if (!buf->linear)
		return attach_pages(buf, skb, offset, length);
	skb_put_data(skb, buf->linear + offset, length);
	return true;
}

void sdp_txbuf_attach_plain(const struct sdp_txbuf *buf, struct sk_buff *skb,
			    u32 index, u32 count)
{
	struct bio_vec vec[MAX_SKB_FRAGS] __uninitialized;
	u32 i;

	for (i = 0; i < count; i++)
		bvec_set_page(&vec[i], buf->chunk[index + i],
			      sdp_txbuf_record_length(buf, index + i), buf->chunk_lead);
	append_frags(skb, vec, count);
}

u32 sdp_txbuf_holds(const struct sdp_txbuf *buf, const struct sk_buff *skb, u32 index)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 i;

	if (skb_has_frag_list(skb))
		return 0;
	for (i = 0; i < shinfo->nr_frags; i++, index++) {
		const skb_frag_t *frag = &shinfo->frags[i];

		if (index >= buf->chunks || skb_frag_page(frag) != buf->chunk[index] ||
		    skb_frag_off(frag) != buf->chunk_lead ||
		    skb_frag_size(frag) != sdp_txbuf_record_length(buf, index))
			return 0;
	}
	return shinfo->nr_frags;
}
