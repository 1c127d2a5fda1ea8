/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where RPCs wait: the data of ranks and of timers, which are part of RPCs, peers
 * and namespaces. run/rank.h and run/timer.h say what they are for, and alone
 * change them.
 */
#ifndef SDP_TARGET_PLACES_H
#define SDP_TARGET_PLACES_H

#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define SDP_RANK_WINNERS 8
#define SDP_RANK_NOWHERE 0xff

/**
 * struct sdp_rank_group - members of which only the best can win.
 * @node:    in the rank, by place and the key of the best member; while it has members.
 * @members: entries by key.
 * @place:   least first; under the lock of the rank.
 * @number:  of @place; older ones that come later are void.
 */
struct sdp_rank_group {
	struct rb_node node;
	struct rb_root_cached members;
	u64 place;
	u32 number;
};

static inline void sdp_rank_group_init(struct sdp_rank_group *group)
{
	group->members = RB_ROOT_CACHED;
	group->place = 0;
	group->number = 0;
}

/**
 * struct sdp_rank_entry - an RPC's place in a rank; zeroed when new.
 * @node:     in the group.
 * @group:    its group, NULL while it is not in the rank.
 * @key:      least first.
 * @position: among the winners, or SDP_RANK_NOWHERE.
 * @secure:   which of the two kinds; set once.
 */
struct sdp_rank_entry {
	struct rb_node node;
	struct sdp_rank_group *group;
	u64 key;
	u8 position;
	bool secure;
};

/**
 * struct sdp_rank - a rank of a namespace.
 * @lock:    spinlock (bh), innermost.
 * @groups:  groups with members: clear, secure.
 * @common:  the group of ranks that do not group by peer, likewise.
 * @winners: present winners.
 * @count:   how many.
 * @limit:   places for winners.
 * @apart:   there is one for each kind instead.
 * @owed:    a secure member has had the only place: it is a clear one's turn.
 */
struct sdp_rank {
	spinlock_t lock;
	struct rb_root_cached groups[2];
	struct sdp_rank_group common[2];
	struct sdp_rank_entry *winners[SDP_RANK_WINNERS];
	u32 count;
	u32 limit;
	bool apart;
	bool owed;
};

struct sdp_wheel;

/**
 * struct sdp_timer - embedded in an RPC; zeroed when new.
 * @node:     in a slot of @wheel, under the wheel's lock.
 * @wheel:    where it is queued or was last; set once.
 * @slot:     tick for which it is queued, under the wheel's lock.
 * @deadline: ns of ktime_get_ns(), 0: none; written under the RPC's lock.
 */
struct sdp_timer {
	struct hlist_node node;
	struct sdp_wheel *wheel;
	u64 slot;
	u64 deadline;
};

#endif /* SDP_TARGET_PLACES_H */
