// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "txbuf.h"

/* Chunks of 32 KB where memory has them, so that a segment takes few frags. */
#define CHUNK_ORDER 3

static int alloc_chunks(struct sdp_txbuf *buf, u32 order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_NOWARN;
	u32 count = ((u64)buf->length + (PAGE_SIZE << order) - 1) >>
		    (PAGE_SHIFT + order);

	if (order)
		gfp |= __GFP_NORETRY;
	buf->chunk = &buf->one;
	if (count > 1) {
		buf->chunk = kvcalloc(count, sizeof(*buf->chunk),
				      GFP_KERNEL_ACCOUNT);
		if (!buf->chunk)
			return -ENOMEM;
	}
	buf->chunk_shift = PAGE_SHIFT + order;
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

int sdp_txbuf_alloc(struct sdp_txbuf *buf, u32 length)
{
	u32 order = min_t(u32, get_order(length), CHUNK_ORDER);

	buf->length = length;
	buf->ready = 0;
	if (length <= SDP_TXBUF_LINEAR) {
		buf->linear = kmalloc(length, GFP_KERNEL_ACCOUNT);
		return buf->linear ? 0 : -ENOMEM;
	}
	if (order && !alloc_chunks(buf, order))
		return 0;
	buf->length = length;
	return alloc_chunks(buf, 0);
}

void sdp_txbuf_free(struct sdp_txbuf *buf)
{
	u32 i;

	kfree(buf->linear);
	buf->linear = NULL;
	for (i = 0; i < buf->chunks; i++)
		put_page(buf->chunk[i]);
	if (buf->chunk && buf->chunk != &buf->one)
		kvfree(buf->chunk);
	buf->chunk = NULL;
	buf->chunks = 0;
	buf->ready = 0;
}

u32 sdp_txbuf_map(const struct sdp_txbuf *buf, u32 offset, u32 length,
		  struct bio_vec *vec, u32 max)
{
	u32 size = 1U << buf->chunk_shift;
	u32 used = 0;

	if (buf->linear) {
		bvec_set_virt(&vec[0], buf->linear + offset, length);
		return 1;
	}
	while (length && used < max) {
		u32 inside = offset & (size - 1);
		u32 part = min(length, size - inside);

		bvec_set_page(&vec[used++], buf->chunk[offset >> buf->chunk_shift],
			      part, inside);
		offset += part;
		length -= part;
	}
	return used;
}

int sdp_txbuf_copy_from_iter(struct sdp_txbuf *buf, u32 offset, u32 length,
			     struct iov_iter *from)
{
	while (length) {
		struct bio_vec vec;
		size_t copied;

		sdp_txbuf_map(buf, offset, length, &vec, 1);
		if (buf->linear)
			copied = copy_from_iter(buf->linear + offset, length,
						from);
		else
			copied = copy_page_from_iter(vec.bv_page, vec.bv_offset,
						     vec.bv_len, from);
		if (copied != vec.bv_len)
			return -EFAULT;
		offset += vec.bv_len;
		length -= vec.bv_len;
	}
	return 0;
}

void sdp_txbuf_attach(const struct sdp_txbuf *buf, struct sk_buff *skb,
		      u32 offset, u32 length)
{
	struct bio_vec vec[MAX_SKB_FRAGS];
	u32 count, i;

	if (buf->linear) {
		skb_put_data(skb, buf->linear + offset, length);
		return;
	}
	count = sdp_txbuf_map(buf, offset, length, vec, MAX_SKB_FRAGS);
	for (i = 0; i < count; i++) {
		get_page(vec[i].bv_page);
		skb_fill_page_desc(skb, i, vec[i].bv_page, vec[i].bv_offset,
				   vec[i].bv_len);
	}
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	skb->len += length;
	skb->data_len += length;
	skb->truesize += length;
}
