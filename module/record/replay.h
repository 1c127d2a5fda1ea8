/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has been received before: message numbers (a wide, sparse window) and
 * the counters of control packets (a narrow one).
 */
#ifndef SDP_RECORD_REPLAY_H
#define SDP_RECORD_REPLAY_H

#include <linux/spinlock.h>
#include <linux/xarray.h>

#include "wire.h"

#define SDP_REPLAY_CHUNK_SHIFT	12
#define SDP_REPLAY_CHUNK	(1u << SDP_REPLAY_CHUNK_SHIFT)

struct mem_cgroup;
struct sdp_replay_chunk;

/**
 * struct sdp_replay - window of SDP_REPLAY_WINDOW message numbers.
 * @chunks: by number / SDP_REPLAY_CHUNK: a chunk, or a value once all its
 *          numbers are done. Its lock protects the rest.
 * @top:    the highest number seen; the window ends with it. Moves without the
 *          lock.
 * @recent: chunk used last.
 * @recent_index: its index.
 * @count:  chunks allocated, for tests.
 * @memcg:  charged for them; the owner holds it.
 */
struct sdp_replay {
	struct xarray chunks;
	u64 top;
	struct sdp_replay_chunk *recent;
	u64 recent_index;
	u32 count;
	struct mem_cgroup *memcg;
};

int sdp_replay_cache_init(void);
void sdp_replay_cache_exit(void);

/**
 * sdp_replay_init() - an empty window.
 * @replay: uninitialised.
 * @memcg:  to charge, or NULL.
 */
void sdp_replay_init(struct sdp_replay *replay, struct mem_cgroup *memcg);
void sdp_replay_destroy(struct sdp_replay *replay);

/**
 * sdp_replay_advance() - a header with this number is authentic.
 * @replay: the window.
 * @number: from it.
 *
 * Context: softirq or process.
 */
void sdp_replay_advance(struct sdp_replay *replay, u64 number);

/**
 * sdp_replay_query() - may this number begin?
 * @replay: the window.
 * @number: not above its top.
 *
 * Context: BH disabled. Return: 0, -EALREADY (done), -ERANGE (below the window).
 */
int sdp_replay_query(struct sdp_replay *replay, u64 number);

/**
 * sdp_replay_reserve() - have memory for the bit of a number that begins.
 * @replay: the window.
 * @number: not above its top.
 *
 * Context: BH disabled. Return: as sdp_replay_query(), -ENOMEM. After 0, one of the two below.
 */
int sdp_replay_reserve(struct sdp_replay *replay, u64 number);

/**
 * sdp_replay_commit() - a reserved number is done.
 * @replay: the window.
 * @number: reserved.
 *
 * Never fails. Context: BH disabled. Return: false if it was done already.
 */
bool sdp_replay_commit(struct sdp_replay *replay, u64 number);

/**
 * sdp_replay_cancel() - a reserved number may begin again.
 * @replay: the window.
 * @number: reserved.
 */
void sdp_replay_cancel(struct sdp_replay *replay, u64 number);

/**
 * struct sdp_counters - window of SDP_CONTROL_WINDOW control counters.
 * @lock: protects the rest.
 * @next: one above the highest counter seen.
 * @seen: a ring of bits.
 */
struct sdp_counters {
	spinlock_t lock;
	u64 next;
	unsigned long seen[BITS_TO_LONGS(SDP_CONTROL_WINDOW)];
};

void sdp_counters_init(struct sdp_counters *counters);

/**
 * sdp_counters_take() - an authentic packet has this counter.
 * @counters: the window.
 * @counter:  of the packet, at most SDP_COUNTER_MAX.
 *
 * Context: softirq or process. Return: true the first time; false if it was
 * seen before or is below the window.
 */
bool sdp_counters_take(struct sdp_counters *counters, u64 counter);

#endif /* SDP_RECORD_REPLAY_H */
