/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The receive region of Homa's API: memory of the process, handed out in
 * buffer pages of 64 KB. Only numbers are kept here; the region itself is
 * touched by copies in the context of the receiving process, and not pinned.
 */
#ifndef SDP_SOCKET_POOL_H
#define SDP_SOCKET_POOL_H

#include <linux/homa.h>
#include <linux/spinlock.h>
#include <linux/uio.h>

/**
 * struct sdp_pool - which pages of a region are in use.
 * @start:   address of the region in the process.
 * @length:  its bytes, as given.
 * @mm:      of who has given it, held, until the socket is closed. Only compared.
 * @owner:   likewise, what it could do.
 * @pages:   whole buffer pages in it.
 * @lock:    spinlock, process context; protects the rest.
 * @free:    number of entries of @stack.
 * @share:   page that short ends of messages are put into, -1: none.
 * @filled:  bytes of @share in use, from its start.
 * @wanted:  a message has found no room since a page was given back.
 * @seen:    sdp_endpoint_ready() when @wanted was set.
 * @given:   changes whenever pages are given back.
 * @refs:    per page: messages in it that the application has.
 * @stack:   free pages, the next to use on top.
 */
struct sdp_pool {
	u64 start;
	u64 length;
	struct mm_struct *mm;
	const struct cred *owner;
	u32 pages;
	spinlock_t lock;
	u32 free;
	s32 share;
	u32 filled;
	bool wanted;
	u64 seen;
	u32 given;
	u32 *refs;
	u32 *stack;
};

/**
 * struct sdp_pages - the pages of one message.
 * @count:  entries of @offset.
 * @length: bytes of the message.
 * @offset: in the region; all but the last page are full.
 */
struct sdp_pages {
	u32 count;
	u32 length;
	u32 offset[HOMA_MAX_BPAGES];
};

/**
 * sdp_pool_new() - a pool for a region.
 * @start:  page-aligned address of the calling process.
 * @length: bytes.
 *
 * Context: process. Return: ERR_PTR of -EINVAL (not aligned, less than a page,
 * more than 4 GB), -EFAULT (not in the address space), -ENOMEM.
 */
struct sdp_pool *sdp_pool_new(u64 start, u64 length);

/**
 * sdp_pool_leave() - nobody receives into the region any more.
 * @pool: the pool, or NULL.
 *
 * Context: process, as an address space that goes needs it; so before sdp_pool_free() where
 * that is called from elsewhere.
 */
void sdp_pool_leave(struct sdp_pool *pool);

/** sdp_pool_free() - @pool may be NULL. */
void sdp_pool_free(struct sdp_pool *pool);

/**
 * sdp_pool_usable() - may messages be written to the region's address in this process?
 * @pool: the pool.
 *
 * Sockets are handed on: who has chosen the address may be less trusted than who receives.
 * So it is to be the same process, or one over which that user has power anyway.
 */
bool sdp_pool_usable(const struct sdp_pool *pool);

/**
 * sdp_pool_take() - find room for a message.
 * @pool:   the pool.
 * @length: bytes of the message.
 * @ready:  sdp_endpoint_ready() before it was claimed, for sdp_pool_stalled(); 0: unknown.
 * @pages:  filled in.
 *
 * Return: 0, -ENOBUFS (not before pages are given back), -EMSGSIZE (never).
 */
int sdp_pool_take(struct sdp_pool *pool, u32 length, u64 ready,
		  struct sdp_pages *pages);

/**
 * sdp_pool_give() - take pages back from the application, or undo a take.
 * @pool:   the pool.
 * @offset: as they were handed out; anything else is refused.
 * @count:  how many.
 * @wake:   written: somebody waits for room.
 *
 * Return: 0 or -EINVAL: an offset outside of the region, or of a page that the
 * application does not have. The others have been taken back even so.
 */
int sdp_pool_give(struct sdp_pool *pool, const u32 *offset, u32 count,
		  bool *wake);

/**
 * sdp_pool_map() - the place of a message in the caller's memory.
 * @pool:  the pool.
 * @pages: from sdp_pool_take().
 * @iov:   HOMA_MAX_BPAGES entries, used by @iter.
 * @iter:  set up.
 */
void sdp_pool_map(const struct sdp_pool *pool, const struct sdp_pages *pages,
		  struct iovec *iov, struct iov_iter *iter);

/**
 * sdp_pool_news() - may a message have come?
 * @seen: sdp_endpoint_ready() then.
 * @now:  and now.
 *
 * Where one has gone, another may be in its place.
 */
static inline bool sdp_pool_news(u64 seen, u64 now)
{
	return upper_32_bits(now) != upper_32_bits(seen) ||
	       lower_32_bits(now) > lower_32_bits(seen);
}

/**
 * sdp_pool_stalled() - is it in vain to look at messages again?
 * @pool:  the pool.
 * @ready: sdp_endpoint_ready() now.
 *
 * True if the last look found no room for any, and neither a page has been
 * given back nor a message been added since.
 */
static inline bool sdp_pool_stalled(const struct sdp_pool *pool, u64 ready)
{
	return READ_ONCE(pool->wanted) && !sdp_pool_news(READ_ONCE(pool->seen), ready);
}

/**
 * sdp_pool_fits() - is there room for a message now? A hint.
 */
bool sdp_pool_fits(struct sdp_pool *pool, u32 length);

/**
 * sdp_pool_available() - bytes of free pages.
 */
u64 sdp_pool_available(struct sdp_pool *pool);

#endif /* SDP_SOCKET_POOL_H */
