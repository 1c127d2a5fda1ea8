/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a message that is being sent, in kernel memory that nobody else
 * can write: sealed records, or plaintext in the clear. A very short message is
 * in memory of its RPC and copied into each packet; a longer one is in pages
 * that packets share and never write.
 */
#ifndef SDP_OFFLOAD_TXBUF_H
#define SDP_OFFLOAD_TXBUF_H

#include <linux/bvec.h>
#include <linux/skbuff.h>

/* Longest message that is kept in memory of its RPC, bytes. */
#define SDP_TXBUF_LINEAR 192

/**
 * struct sdp_txbuf - bytes of a message; zeroed when new.
 * @length:   of the message.
 * @ready:    bytes from the start that are frozen and may be sent.
 * @chunks:   entries of @chunk.
 * @chunk_size: bytes in each chunk but the last.
 * @chunk_lead: bytes left free before them in the chunk's memory.
 * @linear:   all of a very short message, otherwise NULL; not owned.
 * @chunk:    pages of a long message, one after another, each full.
 * @one:      holds @chunk where one entry does.
 */
struct sdp_txbuf {
	u32 length;
	u32 ready;
	u32 chunks;
	u32 chunk_size;
	u32 chunk_lead;
	void *linear;
	struct page **chunk;
	struct page *one;
};

/**
 * sdp_txbuf_alloc() - make room for a message.
 * @buf:    zeroed.
 * @length: bytes, more than 0.
 * @unit:   bytes of a record, each of which gets a chunk of its own, placed as
 *          buffer.h says; 0: the message has none.
 * @small:  SDP_TXBUF_LINEAR bytes that live as long as @buf.
 *
 * Context: process, may sleep. The socket is charged, not the caller's cgroup.
 * Return: 0 or -ENOMEM.
 */
int sdp_txbuf_alloc(struct sdp_txbuf *buf, u32 length, u32 unit, void *small);

/**
 * sdp_txbuf_free() - give the memory back, but for pages that packets share.
 * @buf: may be zeroed, or freed before.
 */
void sdp_txbuf_free(struct sdp_txbuf *buf);

/**
 * sdp_txbuf_map() - describe a range as kernel memory.
 * @buf:    the buffer.
 * @offset: first byte.
 * @length: bytes; the range is inside the buffer.
 * @vec:    filled in.
 * @max:    entries of @vec.
 *
 * Return: entries used; fewer bytes than asked are covered if @max is short.
 */
u32 sdp_txbuf_map(const struct sdp_txbuf *buf, u32 offset, u32 length,
		  struct bio_vec *vec, u32 max);

/**
 * sdp_txbuf_copy_from_iter() - fill a range from a user's buffer.
 * @buf:    the buffer.
 * @offset: first byte.
 * @length: bytes; the range is inside the buffer.
 * @from:   at least @length bytes.
 *
 * Context: process, may fault. Return: 0 or -EFAULT.
 */
int sdp_txbuf_copy_from_iter(struct sdp_txbuf *buf, u32 offset, u32 length,
			     struct iov_iter *from);

/**
 * sdp_txbuf_room() - linear bytes that a packet's head needs for a range.
 * @buf:    the buffer.
 * @length: bytes.
 */
static inline u32 sdp_txbuf_room(const struct sdp_txbuf *buf, u32 length)
{
	return buf->linear ? length : 0;
}

/**
 * sdp_txbuf_attach() - append a range to a packet.
 * @buf:    the buffer.
 * @skb:    has sdp_txbuf_room() left in its head, and fragments free.
 * @offset: first byte.
 * @length: bytes, at most SDP_SEGMENT_MAX.
 *
 * Pages are shared and marked so (SKBFL_SHARED_FRAG). Any context.
 */
void sdp_txbuf_attach(const struct sdp_txbuf *buf, struct sk_buff *skb,
		      u32 offset, u32 length);

#endif /* SDP_OFFLOAD_TXBUF_H */
