// SPDX-License-Identifier: GPL-2.0-only
#include <linux/minmax.h>

#include "rank.h"

#define entry_of(n) rb_entry_safe(n, struct sdp_rank_entry, node)
#define group_of(n) rb_entry_safe(n, struct sdp_rank_group, node)

static struct sdp_rank_entry *best(const struct sdp_rank_group *group)
{
	return entry_of(rb_first_cached(&group->members));
}

static bool entry_less(struct rb_node *a, const struct rb_node *b)
{
	return entry_of(a)->key < rb_entry(b, struct sdp_rank_entry, node)->key;
}

static bool group_less(struct rb_node *a, const struct rb_node *b)
{
	const struct sdp_rank_group *one = group_of(a);
	const struct sdp_rank_group *two = rb_entry(b, struct sdp_rank_group, node);

	if (one->place != two->place)
		return one->place < two->place;
	return best(one)->key < best(two)->key;
}

void sdp_rank_init(struct sdp_rank *rank, u32 limit, bool apart)
{
	memset(rank, 0, sizeof(*rank));
	spin_lock_init(&rank->lock);
	rank->limit = limit;
	rank->apart = apart;
	for (int i = 0; i < 2; i++) {
		rank->groups[i] = RB_ROOT_CACHED;
		sdp_rank_group_init(&rank->common[i]);
	}
}

/* A group's place depends on its best member: take it out around changes. */
static void take_out(struct sdp_rank *rank, struct sdp_rank_entry *entry)
{
	struct sdp_rank_group *group = entry->group;
	struct rb_root_cached *groups = &rank->groups[entry->secure];
	bool first = best(group) == entry;

	if (first)
		rb_erase_cached(&group->node, groups);
	rb_erase_cached(&entry->node, &group->members);
	if (first && best(group))
		rb_add_cached(&group->node, groups, group_less);
	entry->group = NULL;
}

static void put_in(struct sdp_rank *rank, struct sdp_rank_entry *entry,
		   struct sdp_rank_group *group)
{
	struct rb_root_cached *groups = &rank->groups[entry->secure];
	struct sdp_rank_entry *was = best(group);
	bool first = !was || entry->key < was->key;

	if (was && first)
		rb_erase_cached(&group->node, groups);
	rb_add_cached(&entry->node, &group->members, entry_less);
	if (first)
		rb_add_cached(&group->node, groups, group_less);
	entry->group = group;
}

static void tell(struct sdp_rank_entry *entry,
		 void (*hold)(struct sdp_rank_entry *entry),
		 struct sdp_rank_news *news)
{
	hold(entry);
	news->entry[news->count++] = entry;
}

/* A winner has had its turn: the next one may be the other kind's. */
static void served(struct sdp_rank *rank, const struct sdp_rank_entry *winner)
{
	/* A peer's message that is granted less stalls, and never has a turn. */
	rank->owed = winner->secure && winner->group == &rank->common[1];
}

/* Places of clear members while secure ones wait. */
static u32 clear_share(const struct sdp_rank *rank, u32 limit)
{
	return limit > 1 ? limit / 2 : rank->owed;
}

/* The first of each kind. */
static u32 pick_apart(const struct sdp_rank *rank, struct sdp_rank_entry **winners)
{
	struct sdp_rank_group *first;
	u32 count = 0;
	int i;

	for (i = 0; i < 2; i++) {
		first = group_of(rb_first_cached(&rank->groups[i]));
		if (first)
			winners[count++] = best(first);
	}
	return count;
}

/* Merge the two kinds by key, clear ones up to their share. */
static u32 pick(const struct sdp_rank *rank, struct sdp_rank_entry **winners)
{
	struct sdp_rank_group *clear = group_of(rb_first_cached(&rank->groups[0]));
	struct sdp_rank_group *secure = group_of(rb_first_cached(&rank->groups[1]));
	/* Changed without the lock: sdp_turns_set(). */
	u32 limit = READ_ONCE(rank->limit);
	u32 clear_left = secure ? clear_share(rank, limit) : limit;
	u32 count = 0;

	if (clear && limit == 1 && clear_left)
		secure = NULL;
	while (count < limit) {
		bool take_clear = clear && clear_left;

		if (take_clear && secure)
			take_clear = group_less(&clear->node, &secure->node);
		if (take_clear) {
			winners[count++] = best(clear);
			clear = group_of(rb_next(&clear->node));
			clear_left--;
		} else if (secure) {
			winners[count++] = best(secure);
			secure = group_of(rb_next(&secure->node));
		} else {
			break;
		}
	}
	return count;
}

/* Who has a turn looks at his place, and at how many there are, without the lock. */
static void seat(struct sdp_rank_entry *entry, u32 position)
{
	WRITE_ONCE(entry->position, position);
}

static void elect(struct sdp_rank *rank, const struct sdp_rank_entry *set,
		  bool all, void (*hold)(struct sdp_rank_entry *entry),
		  struct sdp_rank_news *news)
{
	struct sdp_rank_entry *winners[SDP_RANK_WINNERS];
	u32 count = rank->apart ? pick_apart(rank, winners) : pick(rank, winners);
	u32 i;

	for (i = 0; i < count; i++)
		if (all || winners[i] == set || winners[i]->position != i)
			tell(winners[i], hold, news);
	for (i = 0; i < rank->count; i++)
		seat(rank->winners[i], SDP_RANK_NOWHERE);
	for (i = 0; i < count; i++) {
		rank->winners[i] = winners[i];
		seat(winners[i], i);
	}
	WRITE_ONCE(rank->count, count);
}

/* An entry that leaves may not stay behind among the winners. */
static void unseat(struct sdp_rank *rank, struct sdp_rank_entry *entry)
{
	u32 i;

	if (entry->position == SDP_RANK_NOWHERE)
		return;
	WRITE_ONCE(rank->count, rank->count - 1);
	for (i = entry->position; i < rank->count; i++)
		rank->winners[i] = rank->winners[i + 1];
	seat(entry, SDP_RANK_NOWHERE);
}

void sdp_rank_set(struct sdp_rank *rank, struct sdp_rank_entry *entry,
		  struct sdp_rank_group *group, u64 key,
		  void (*hold)(struct sdp_rank_entry *entry),
		  struct sdp_rank_news *news)
{
	news->count = 0;
	spin_lock(&rank->lock);
	if (!entry->group)
		seat(entry, SDP_RANK_NOWHERE);
	if (entry->position != SDP_RANK_NOWHERE)
		served(rank, entry);
	if (entry->group)
		take_out(rank, entry);
	entry->key = key;
	put_in(rank, entry, group ?: &rank->common[entry->secure]);
	elect(rank, entry, false, hold, news);
	spin_unlock(&rank->lock);
}

void sdp_rank_clear(struct sdp_rank *rank, struct sdp_rank_entry *entry,
		    void (*hold)(struct sdp_rank_entry *entry),
		    struct sdp_rank_news *news)
{
	news->count = 0;
	spin_lock(&rank->lock);
	if (entry->group) {
		if (entry->position != SDP_RANK_NOWHERE)
			served(rank, entry);
		take_out(rank, entry);
		unseat(rank, entry);
		elect(rank, NULL, false, hold, news);
	}
	spin_unlock(&rank->lock);
}

void sdp_rank_place(struct sdp_rank *rank, struct sdp_rank_group *group,
		    bool secure, u64 place, u32 number,
		    void (*hold)(struct sdp_rank_entry *entry),
		    struct sdp_rank_news *news)
{
	struct rb_root_cached *groups = &rank->groups[secure];
	struct sdp_rank_entry *first;
	bool sooner;

	news->count = 0;
	spin_lock(&rank->lock);
	if ((s32)(number - group->number) <= 0)
		goto out;
	group->number = number;
	first = best(group);
	sooner = place < group->place;
	if (first)
		rb_erase_cached(&group->node, groups);
	group->place = place;
	if (first) {
		rb_add_cached(&group->node, groups, group_less);
		elect(rank, sooner ? first : NULL, false, hold, news);
	}
out:
	spin_unlock(&rank->lock);
}

void sdp_rank_kick(struct sdp_rank *rank,
		   void (*hold)(struct sdp_rank_entry *entry),
		   struct sdp_rank_news *news)
{
	news->count = 0;
	spin_lock(&rank->lock);
	if (rank->count)
		served(rank, rank->winners[0]);
	elect(rank, NULL, true, hold, news);
	spin_unlock(&rank->lock);
}
