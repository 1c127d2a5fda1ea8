/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "Who is next?": RPCs ordered by a key that the transport program chooses,
 * grouped (by peer, where a rank allows one winner per peer), least first, unless groups
 * have places. The first few groups' best members are the rank's winners.
 *
 * Clear and secure members are kept apart: while secure ones wait, clear ones
 * win at most half of the places (docs/architecture.md). A single place is
 * theirs by turns, where members are not grouped; else it is a secure one's. Of a rank
 * whose members are apart, each kind has one place.
 */
#ifndef SDP_TARGET_RANK_H
#define SDP_TARGET_RANK_H

#include "../state/places.h"

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
 * @apart: there is one for each kind instead.
 */
void sdp_rank_init(struct sdp_rank *rank, u32 limit, bool apart);

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
 * sdp_rank_place() - where a group is in its rank; 0 at first.
 * @rank:   the rank.
 * @group:  the group.
 * @secure: which kind its members are.
 * @place:  least first, before the keys of members.
 * @number: counts the places of the group, from 1; nothing happens if it had a later one.
 * @hold, @news: as above; its best member is news if it wins, and comes sooner now.
 */
void sdp_rank_place(struct sdp_rank *rank, struct sdp_rank_group *group,
		    bool secure, u64 place, u32 number,
		    void (*hold)(struct sdp_rank_entry *entry),
		    struct sdp_rank_news *news);

/**
 * sdp_rank_kick() - all winners are news.
 */
void sdp_rank_kick(struct sdp_rank *rank,
		   void (*hold)(struct sdp_rank_entry *entry),
		   struct sdp_rank_news *news);

#endif /* SDP_TARGET_RANK_H */
