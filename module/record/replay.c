// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replay windows.
 *
 * Message numbers finish in any order and over a long time, so their window is
 * wide (2^22), and nearly all of it is full: a chunk whose numbers are all done
 * is freed and remembered as full. What stays is in proportion to the holes.
 *
 * A message that begins reserves its chunk, so that the step that delivers it
 * cannot fail for want of memory. A window that moves past a reserved number
 * drops the chunk all the same: below the window nothing begins, and the
 * message's live state tells that it is the first.
 */
#include <linux/bitmap.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "../observe/name.h"
#include "replay.h"

/**
 * struct sdp_replay_chunk - SDP_REPLAY_CHUNK numbers.
 * @bits:     done.
 * @done:     how many.
 * @reserved: numbers begun and not done.
 */
struct sdp_replay_chunk {
	unsigned long bits[BITS_TO_LONGS(SDP_REPLAY_CHUNK)];
	u32 done;
	u32 reserved;
};

static struct kmem_cache *chunk_cache __read_mostly;

int sdp_replay_cache_init(void)
{
	chunk_cache = kmem_cache_create(SDP_NAMED("_replay_chunk"),
					sizeof(struct sdp_replay_chunk), 0,
					SLAB_ACCOUNT, NULL);
	return chunk_cache ? 0 : -ENOMEM;
}

void sdp_replay_cache_exit(void)
{
	kmem_cache_destroy(chunk_cache);
}

void sdp_replay_init(struct sdp_replay *replay, struct mem_cgroup *memcg)
{
	memset(replay, 0, sizeof(*replay));
	xa_init_flags(&replay->chunks, XA_FLAGS_LOCK_BH | XA_FLAGS_ACCOUNT);
	replay->memcg = memcg;
}

static void chunk_free(struct sdp_replay *replay, void *entry)
{
	if (!entry || xa_is_value(entry))
		return;
	if (replay->recent == entry)
		replay->recent = NULL;
	replay->count--;
	kmem_cache_free(chunk_cache, entry);
}

void sdp_replay_destroy(struct sdp_replay *replay)
{
	unsigned long index;
	void *entry;

	xa_for_each(&replay->chunks, index, entry)
		chunk_free(replay, entry);
	xa_destroy(&replay->chunks);
}

/* The lowest number in a window that ends with @top. */
static u64 start_of(u64 top)
{
	return top < SDP_REPLAY_WINDOW ? 0 : top - SDP_REPLAY_WINDOW + 1;
}

static u64 window_start(const struct sdp_replay *replay)
{
	return start_of(READ_ONCE(replay->top));
}

static void drop_chunks_below(struct sdp_replay *replay, unsigned long end)
{
	unsigned long index = 0;
	void *entry;

	if (!end)
		return;
	while ((entry = xa_find(&replay->chunks, &index, end - 1,
				XA_PRESENT))) {
		__xa_erase(&replay->chunks, index);
		chunk_free(replay, entry);
	}
}

void sdp_replay_advance(struct sdp_replay *replay, u64 number)
{
	u64 top = READ_ONCE(replay->top);

	do {
		if (number <= top)
			return;
	} while (!try_cmpxchg(&replay->top, &top, number));

	/* Usually this stays in the chunk, and is all. */
	if (start_of(number) >> SDP_REPLAY_CHUNK_SHIFT ==
	    start_of(top) >> SDP_REPLAY_CHUNK_SHIFT)
		return;
	xa_lock_bh(&replay->chunks);
	drop_chunks_below(replay, window_start(replay) >>
			  SDP_REPLAY_CHUNK_SHIFT);
	xa_unlock_bh(&replay->chunks);
}

/* A chunk, a value if it is full, or NULL if nothing is known about it. */
static void *chunk_find(struct sdp_replay *replay, u64 number)
{
	u64 index = number >> SDP_REPLAY_CHUNK_SHIFT;
	void *entry;

	if (replay->recent && replay->recent_index == index)
		return replay->recent;
	entry = xa_load(&replay->chunks, index);
	if (entry && !xa_is_value(entry)) {
		replay->recent = entry;
		replay->recent_index = index;
	}
	return entry;
}

static struct sdp_replay_chunk *chunk_add(struct sdp_replay *replay, u64 number)
{
	struct mem_cgroup *old = set_active_memcg(replay->memcg);
	gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;
	struct sdp_replay_chunk *chunk;

	chunk = kmem_cache_zalloc(chunk_cache, gfp);
	if (chunk && xa_err(__xa_store(&replay->chunks,
				       number >> SDP_REPLAY_CHUNK_SHIFT, chunk,
				       gfp))) {
		kmem_cache_free(chunk_cache, chunk);
		chunk = NULL;
	}
	set_active_memcg(old);
	if (chunk)
		replay->count++;
	return chunk;
}

static unsigned int bit_of(u64 number)
{
	return number & (SDP_REPLAY_CHUNK - 1);
}

static int query(struct sdp_replay *replay, u64 number, const void *entry)
{
	const struct sdp_replay_chunk *chunk = entry;

	if (number < window_start(replay))
		return -ERANGE;
	if (!entry)
		return 0;
	if (xa_is_value(entry) || test_bit(bit_of(number), chunk->bits))
		return -EALREADY;
	return 0;
}

int sdp_replay_query(struct sdp_replay *replay, u64 number)
{
	int err;

	xa_lock(&replay->chunks);
	err = query(replay, number, chunk_find(replay, number));
	xa_unlock(&replay->chunks);
	return err;
}

int sdp_replay_reserve(struct sdp_replay *replay, u64 number)
{
	struct sdp_replay_chunk *chunk;
	int err;

	xa_lock(&replay->chunks);
	chunk = chunk_find(replay, number);
	err = query(replay, number, chunk);
	if (!err && !chunk) {
		chunk = chunk_add(replay, number);
		if (!chunk)
			err = -ENOMEM;
	}
	if (!err)
		chunk->reserved++;
	xa_unlock(&replay->chunks);
	return err;
}

/* All numbers of a chunk are done: remember that, not the bits. */
static void chunk_full(struct sdp_replay *replay, u64 number,
		       struct sdp_replay_chunk *chunk)
{
	/* Replacing an entry takes no memory. */
	__xa_store(&replay->chunks, number >> SDP_REPLAY_CHUNK_SHIFT,
		   xa_mk_value(1), GFP_ATOMIC);
	chunk_free(replay, chunk);
}

bool sdp_replay_commit(struct sdp_replay *replay, u64 number)
{
	struct sdp_replay_chunk *chunk;
	bool first = true;

	xa_lock(&replay->chunks);
	chunk = chunk_find(replay, number);
	if (xa_is_value(chunk)) {
		first = false;
	} else if (chunk) {
		chunk->reserved--;
		first = !__test_and_set_bit(bit_of(number), chunk->bits);
		chunk->done += first;
		if (chunk->done == SDP_REPLAY_CHUNK)
			chunk_full(replay, number, chunk);
	}
	xa_unlock(&replay->chunks);
	return first;
}

void sdp_replay_cancel(struct sdp_replay *replay, u64 number)
{
	struct sdp_replay_chunk *chunk;

	xa_lock_bh(&replay->chunks);
	chunk = chunk_find(replay, number);
	if (chunk && !xa_is_value(chunk)) {
		chunk->reserved--;
		if (!chunk->reserved && !chunk->done) {
			__xa_erase(&replay->chunks,
				   number >> SDP_REPLAY_CHUNK_SHIFT);
			chunk_free(replay, chunk);
		}
	}
	xa_unlock_bh(&replay->chunks);
}

void sdp_counters_init(struct sdp_counters *counters)
{
	memset(counters, 0, sizeof(*counters));
	spin_lock_init(&counters->lock);
}

/* Move the ring on: counters from @next up to @counter have not been seen. */
static void counters_advance(struct sdp_counters *counters, u64 counter)
{
	u64 n;

	if (counter - counters->next >= SDP_CONTROL_WINDOW)
		bitmap_zero(counters->seen, SDP_CONTROL_WINDOW);
	else
		for (n = counters->next; n <= counter; n++)
			__clear_bit(n % SDP_CONTROL_WINDOW, counters->seen);
	counters->next = counter + 1;
}

bool sdp_counters_take(struct sdp_counters *counters, u64 counter)
{
	bool first = false;

	spin_lock_bh(&counters->lock);
	if (counter >= counters->next)
		counters_advance(counters, counter);
	if (counters->next - counter <= SDP_CONTROL_WINDOW)
		first = !__test_and_set_bit(counter % SDP_CONTROL_WINDOW,
					    counters->seen);
	spin_unlock_bh(&counters->lock);
	return first;
}
