/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "Who is next?": RPCs ordered by a key that the transport program chooses,
 * grouped (by peer, where a rank allows one winner per peer), least first. The
 * first few groups' best members are the rank's winners.
 *
 * Clear and secure members are kept apart: while secure ones wait, clear ones
 * win at most half of the places (docs/architecture.md). A single place is
 * theirs by turns, where members are not grouped; else it is a secure one's.
 */
#ifndef SDP_TARGET_RANK_H
#define SDP_TARGET_RANK_H

#include <linux/rbtree.h>
#include <linux/spinlock.h>

#define SDP_RANK_WINNERS 8
#define SDP_RANK_NOWHERE 0xff

/**
 * struct sdp_rank_group - members of which only the best can win.
 * @node:    in the rank, by the key of the best member; while it has members.
 * @members: entries by key.
 */
struct sdp_rank_group {
	struct rb_node node;
	struct rb_root_cached members;
};

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
 * @owed:    a secure member has had the only place: it is a clear one's turn.
 */
struct sdp_rank {
	spinlock_t lock;
	struct rb_root_cached groups[2];
	struct sdp_rank_group common[2];
	struct sdp_rank_entry *winners[SDP_RANK_WINNERS];
	u32 count;
	u32 limit;
	bool owed;
};

/**
 * struct sdp_rank_news - winners to be told.
 * @entry:    those whose place changed or whose key was set; each one's RPC is
 *            held by the callback given to sdp_rank_set().
 * @count:    how many.
 */
struct sdp_rank_news {
	struct sdp_rank_entry *entry[SDP_RANK_WINNERS];
	u32 count;
};

/**
 * sdp_rank_init() - an empty rank.
 * @rank:  the rank.
 * @limit: places for winners, 1 to SDP_RANK_WINNERS.
 */
void sdp_rank_init(struct sdp_rank *rank, u32 limit);

static inline void sdp_rank_group_init(struct sdp_rank_group *group)
{
	group->members = RB_ROOT_CACHED;
}

/**
 * sdp_rank_set() - enter a rank, or move within it.
 * @rank:  the rank.
 * @entry: the member. Its group may not change while it is in.
 * @group: its group, or NULL for ranks without groups.
 * @key:   least first.
 * @hold:  takes a reference on an entry's object, under the lock.
 * @news:  filled with the winners to be told.
 *
 * Context: BH disabled.
 */
void sdp_rank_set(struct sdp_rank *rank, struct sdp_rank_entry *entry,
		  struct sdp_rank_group *group, u64 key,
		  void (*hold)(struct sdp_rank_entry *entry),
		  struct sdp_rank_news *news);

/**
 * sdp_rank_clear() - leave a rank; nothing happens if not in it.
 */
void sdp_rank_clear(struct sdp_rank *rank, struct sdp_rank_entry *entry,
		    void (*hold)(struct sdp_rank_entry *entry),
		    struct sdp_rank_news *news);

/**
 * sdp_rank_kick() - all winners are news.
 */
void sdp_rank_kick(struct sdp_rank *rank,
		   void (*hold)(struct sdp_rank_entry *entry),
		   struct sdp_rank_news *news);

#endif /* SDP_TARGET_RANK_H */
