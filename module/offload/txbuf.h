/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of a message that is being sent, in kernel memory that nobody else
 * can write: sealed records, or plaintext in the clear. A very short message is
 * in memory of its RPC and copied into each packet; a longer one is in pages
 * that packets share and never write.
 *
 * A *plain* message is one of records that a NIC is to seal: each is in one chunk, as
 * plaintext in its frame. One that is sealed here after all is sealed into other pages,
 * which take its place for all packets that are yet to be made. What is in a chunk
 * never changes, as a NIC may be reading it.
 */
#ifndef SDP_OFFLOAD_TXBUF_H
#define SDP_OFFLOAD_TXBUF_H

#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/skbuff.h>

#include "buffer.h"

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
 * @sealed:   of a plain message: by record, its sealed pages, or NULL; otherwise NULL.
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
	struct page **sealed;
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

/** sdp_txbuf_move() - another place for what a buffer holds; @from is empty then. */
static inline void sdp_txbuf_move(struct sdp_txbuf *to, struct sdp_txbuf *from)
{
	*to = *from;
	if (to->chunk == &from->one)
		to->chunk = &to->one;
	memset(from, 0, sizeof(*from));
}

/**
 * sdp_txbuf_make_plain() - the message is to be a plain one.
 * @buf:  from sdp_txbuf_alloc(), nothing of it ready.
 * @unit: as there.
 *
 * Context: process, may sleep. Return: false: records have no chunks of their own, or
 * there is no memory.
 */
bool sdp_txbuf_make_plain(struct sdp_txbuf *buf, u32 unit);

/** sdp_txbuf_plain() - is it one? */
static inline bool sdp_txbuf_plain(const struct sdp_txbuf *buf)
{
	return buf->sealed;
}

/** sdp_txbuf_is_sealed() - may a record of a plain message leave as it is? */
static inline bool sdp_txbuf_is_sealed(const struct sdp_txbuf *buf, u32 index)
{
	/* Pairs with sdp_txbuf_put_sealed(). */
	return smp_load_acquire(&buf->sealed[index]);
}

/** sdp_txbuf_record_length() - bytes of a plain message's record, sealed. */
static inline u32 sdp_txbuf_record_length(const struct sdp_txbuf *buf, u32 index)
{
	return min(buf->length - index * buf->chunk_size, buf->chunk_size);
}

/**
 * sdp_txbuf_record() - where a record is.
 * @buf:   from sdp_txbuf_alloc(), not plain.
 * @unit:  bytes of each record but the last, sealed.
 * @index: of the record.
 *
 * Return: NULL: it may be in several pieces.
 */
static inline void *sdp_txbuf_record(const struct sdp_txbuf *buf, u32 unit, u32 index)
{
	if (buf->linear)
		return buf->linear + index * unit;
	if (buf->chunks == 1)
		return page_address(buf->one) + buf->chunk_lead + index * unit;
	if (buf->chunk_size == unit)
		return page_address(buf->chunk[index]) + buf->chunk_lead;
	return NULL;
}

/** sdp_txbuf_frame() - a record of a plain message, as plaintext. */
static inline void *sdp_txbuf_frame(const struct sdp_txbuf *buf, u32 index)
{
	return page_address(buf->chunk[index]) + buf->chunk_lead;
}

/**
 * sdp_txbuf_put_sealed() - a record has been sealed.
 * @buf:   plain.
 * @index: of the record.
 * @page:  holds it from SDP_BUFFER_LEAD on; owned by @buf after this.
 *
 * Context: any. Return: false: somebody else was first, and has made the same bytes:
 * @page stays the caller's.
 */
bool sdp_txbuf_put_sealed(struct sdp_txbuf *buf, u32 index, struct page *page);

/** sdp_txbuf_sealed_bytes() - memory of records sealed into pages of their own. */
u32 sdp_txbuf_sealed_bytes(const struct sdp_txbuf *buf);

/** sdp_txbuf_sealed_order() - order of such pages. */
static inline u32 sdp_txbuf_sealed_order(const struct sdp_txbuf *buf, u32 index)
{
	return get_order(sdp_txbuf_record_length(buf, index) + SDP_BUFFER_LEAD);
}

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
 * Pages are shared and marked so (SKBFL_SHARED_FRAG). Any context. Return: false, and
 * nothing was done: some of it is not sealed.
 */
bool sdp_txbuf_attach(const struct sdp_txbuf *buf, struct sk_buff *skb,
		      u32 offset, u32 length);

/**
 * sdp_txbuf_attach_plain() - append records, as plaintext, to a packet for a NIC.
 * @buf:   plain.
 * @skb:   has fragments free.
 * @index: of the first record.
 * @count: how many.
 */
void sdp_txbuf_attach_plain(const struct sdp_txbuf *buf, struct sk_buff *skb,
			    u32 index, u32 count);

/**
 * sdp_txbuf_holds() - are these the records, as they were attached?
 * @buf:   plain.
 * @skb:   a packet.
 * @index: of the first record.
 *
 * Return: how many; 0: something else is among them.
 */
u32 sdp_txbuf_holds(const struct sdp_txbuf *buf, const struct sk_buff *skb, u32 index);

#endif /* SDP_OFFLOAD_TXBUF_H */
