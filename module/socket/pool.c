// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive region of Homa's API. A message takes whole buffer pages for all
 * of it but the end, which shares a page with the ends of other messages. A
 * page is free again when the application has given all messages in it back.
 *
 * Offsets come back from the application and may be anything: a page counts
 * what it was handed out for, and goes no further down than to none. What an
 * application can spoil by lying is its own memory.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pool.h"

/* Ends of messages begin at multiples of this, bytes. */
#define POOL_ALIGN 64

struct sdp_pool *sdp_pool_new(u64 start, u64 length)
{
	struct sdp_pool *pool;
	u32 i;

	if (!PAGE_ALIGNED(start) || length < HOMA_BPAGE_SIZE ||
	    length > 1ULL << 32)
		return ERR_PTR(-EINVAL);
	if (start != (unsigned long)start ||
	    !access_ok((void __user *)(unsigned long)start, length))
		return ERR_PTR(-EFAULT);

	pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	pool->start = start;
	pool->length = length;
	pool->pages = length >> HOMA_BPAGE_SHIFT;
	spin_lock_init(&pool->lock);
	pool->share = -1;
	pool->refs = kvcalloc(pool->pages, 2 * sizeof(*pool->refs),
			      GFP_KERNEL_ACCOUNT);
	if (!pool->refs) {
		kfree(pool);
		return ERR_PTR(-ENOMEM);
	}
	pool->stack = pool->refs + pool->pages;
	pool->free = pool->pages;
	for (i = 0; i < pool->pages; i++)
		pool->stack[i] = pool->pages - 1 - i;
	/* A thread of the kernel has none. */
	pool->mm = current->mm;
	if (pool->mm)
		mmgrab(pool->mm);
	pool->owner = get_current_cred();
	return pool;
}

void sdp_pool_leave(struct sdp_pool *pool)
{
	if (!pool || !pool->mm)
		return;
	mmdrop(pool->mm);
	pool->mm = NULL;
}

void sdp_pool_free(struct sdp_pool *pool)
{
	if (!pool)
		return;
	sdp_pool_leave(pool);
	put_cred(pool->owner);
	kvfree(pool->refs);
	kfree(pool);
}

/* As ptrace_may_access() compares them. */
static bool is_of(const struct cred *owner, const struct cred *cred)
{
	return uid_eq(owner->euid, cred->uid) && uid_eq(owner->euid, cred->euid) &&
	       uid_eq(owner->euid, cred->suid) && gid_eq(owner->egid, cred->gid) &&
	       gid_eq(owner->egid, cred->egid) && gid_eq(owner->egid, cred->sgid);
}

bool sdp_pool_usable(const struct sdp_pool *pool)
{
	const struct cred *owner = pool->owner, *cred = current_cred();

	if (likely(current->mm == pool->mm))
		return true;
	if (cred->user_ns != owner->user_ns)
		return false;
	return cap_raised(owner->cap_effective, CAP_SYS_PTRACE) ||
	       (is_of(owner, cred) &&
		cap_issubset(cred->cap_permitted, owner->cap_permitted));
}

static u32 whole_pages(u32 length)
{
	return length >> HOMA_BPAGE_SHIFT;
}

static u32 end_bytes(u32 length)
{
	return length & (HOMA_BPAGE_SIZE - 1);
}

/* Bytes of the shared page that are not in use; all if nobody uses it. */
static u32 share_room(const struct sdp_pool *pool)
{
	if (pool->share < 0)
		return 0;
	if (!pool->refs[pool->share])
		return HOMA_BPAGE_SIZE;
	return HOMA_BPAGE_SIZE - pool->filled;
}

/* Free pages that a message takes now. */
static u32 pages_needed(const struct sdp_pool *pool, u32 length)
{
	return whole_pages(length) + (end_bytes(length) > share_room(pool));
}

/* The shared page is nobody's free page: an unused one counts as well. */
static bool fits(const struct sdp_pool *pool, u32 length)
{
	u32 needed = pages_needed(pool, length);

	if (needed <= pool->free)
		return true;
	return needed == pool->free + 1 && pool->share >= 0 &&
	       !pool->refs[pool->share] && !end_bytes(length);
}

static u32 pop(struct sdp_pool *pool)
{
	return pool->stack[--pool->free];
}

static void push(struct sdp_pool *pool, u32 page)
{
	pool->stack[pool->free++] = page;
}

/* Stop sharing: the page is free when its messages have been given back. */
static void retire_share(struct sdp_pool *pool)
{
	if (pool->share >= 0 && !pool->refs[pool->share])
		push(pool, pool->share);
	pool->share = -1;
}

static u32 take_end(struct sdp_pool *pool, u32 bytes)
{
	u32 offset;

	if (bytes > share_room(pool)) {
		retire_share(pool);
		pool->share = pop(pool);
	}
	if (!pool->refs[pool->share])
		pool->filled = 0;
	pool->refs[pool->share]++;
	offset = ((u32)pool->share << HOMA_BPAGE_SHIFT) + pool->filled;
	pool->filled = min_t(u32, ALIGN(pool->filled + bytes, POOL_ALIGN),
			     HOMA_BPAGE_SIZE);
	return offset;
}

static void take(struct sdp_pool *pool, struct sdp_pages *pages)
{
	u32 i, page, whole = whole_pages(pages->length);
	u32 end = end_bytes(pages->length);

	if (whole > pool->free)
		retire_share(pool);
	for (i = 0; i < whole; i++) {
		page = pop(pool);
		pool->refs[page] = 1;
		pages->offset[i] = page << HOMA_BPAGE_SHIFT;
	}
	if (end)
		pages->offset[i++] = take_end(pool, end);
	pages->count = i;
}

int sdp_pool_take(struct sdp_pool *pool, u32 length, u64 ready,
		  struct sdp_pages *pages)
{
	u32 most = whole_pages(length) + !!end_bytes(length);
	int err = 0;

	if (most > pool->pages || most > HOMA_MAX_BPAGES)
		return -EMSGSIZE;
	pages->length = length;
	spin_lock(&pool->lock);
	if (fits(pool, length)) {
		take(pool, pages);
		WRITE_ONCE(pool->seen, 0);
	} else {
		WRITE_ONCE(pool->seen, ready);
		WRITE_ONCE(pool->wanted, true);
		err = -ENOBUFS;
	}
	spin_unlock(&pool->lock);
	return err;
}

static bool give(struct sdp_pool *pool, u32 offset)
{
	u32 page = offset >> HOMA_BPAGE_SHIFT;

	if (page >= pool->pages || !pool->refs[page])
		return false;
	if (!--pool->refs[page] && (s32)page != pool->share)
		push(pool, page);
	return true;
}

int sdp_pool_give(struct sdp_pool *pool, const u32 *offset, u32 count,
		  bool *wake)
{
	u32 i, given = 0;

	*wake = false;
	if (!count)
		return 0;
	spin_lock(&pool->lock);
	for (i = 0; i < count; i++)
		given += give(pool, offset[i]);
	if (given) {
		WRITE_ONCE(pool->given, pool->given + 1);
		*wake = pool->wanted;
		WRITE_ONCE(pool->wanted, false);
	}
	spin_unlock(&pool->lock);
	return given == count ? 0 : -EINVAL;
}

void sdp_pool_map(const struct sdp_pool *pool, const struct sdp_pages *pages,
		  struct iovec *iov, struct iov_iter *iter)
{
	u32 i, left = pages->length;

	for (i = 0; i < pages->count; i++) {
		iov[i].iov_base = (void __user *)(unsigned long)
				  (pool->start + pages->offset[i]);
		iov[i].iov_len = min_t(u32, left, HOMA_BPAGE_SIZE);
		left -= iov[i].iov_len;
	}
	iov_iter_init(iter, ITER_DEST, iov, pages->count, pages->length);
}

bool sdp_pool_fits(struct sdp_pool *pool, u32 length)
{
	bool yes;

	spin_lock(&pool->lock);
	yes = fits(pool, length);
	spin_unlock(&pool->lock);
	return yes;
}

u64 sdp_pool_available(struct sdp_pool *pool)
{
	u64 bytes;

	spin_lock(&pool->lock);
	bytes = (u64)(pool->free + (pool->share >= 0 &&
				    !pool->refs[pool->share]))
		<< HOMA_BPAGE_SHIFT;
	spin_unlock(&pool->lock);
	return bytes;
}
