// SPDX-License-Identifier: GPL-2.0-only
/* Ranks against a naive model: winners, shares, news, references. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>

#include "../../../module/target/run/rank.c"

#define GROUPS 12
#define ENTRIES 40

struct rig {
	struct sdp_rank rank;
	struct sdp_rank_group group[GROUPS];
	struct sdp_rank_entry entry[ENTRIES];
	struct rnd_state rnd;
};

static u32 holds;

static void hold(struct sdp_rank_entry *entry)
{
	holds++;
}

/* The first half of the groups is clear, the other secure. */
static u32 group_of_entry(u32 i)
{
	return i % GROUPS;
}

static bool entry_secure(u32 i)
{
	return group_of_entry(i) >= GROUPS / 2;
}

static void rig_init(struct rig *rig, u32 limit)
{
	u32 i;

	sdp_rank_init(&rig->rank, limit, false);
	for (i = 0; i < GROUPS; i++)
		sdp_rank_group_init(&rig->group[i]);
	for (i = 0; i < ENTRIES; i++) {
		rig->entry[i].secure = entry_secure(i);
		rig->entry[i].position = SDP_RANK_NOWHERE;
	}
	prandom_seed_state(&rig->rnd, 42);
}

/* Groups are in order of their places first. */
static bool naive_less(struct rig *rig, struct sdp_rank_entry *a,
		       struct sdp_rank_entry *b)
{
	u64 first = rig->group[group_of_entry(a - rig->entry)].place;
	u64 second = rig->group[group_of_entry(b - rig->entry)].place;

	return first == second ? a->key < b->key : first < second;
}

/* Least key among the groups not taken yet, of a kind; NULL: none. */
static struct sdp_rank_entry *naive_best(struct rig *rig, const bool *taken,
					 bool secure)
{
	struct sdp_rank_entry *found = NULL;
	u32 i;

	for (i = 0; i < ENTRIES; i++) {
		struct sdp_rank_entry *entry = &rig->entry[i];

		if (!entry->group || entry->secure != secure ||
		    taken[group_of_entry(i)])
			continue;
		if (!found || naive_less(rig, entry, found))
			found = entry;
	}
	return found;
}

static u32 naive_winners(struct rig *rig, struct sdp_rank_entry **winners)
{
	bool taken[GROUPS] = {};
	u32 count = 0, clear_left;

	if (rig->rank.apart) {
		winners[count] = naive_best(rig, taken, false);
		count += !!winners[count];
		winners[count] = naive_best(rig, taken, true);
		return count + !!winners[count];
	}
	clear_left = naive_best(rig, taken, true) ? rig->rank.limit / 2 :
						    rig->rank.limit;
	while (count < rig->rank.limit) {
		struct sdp_rank_entry *secure = naive_best(rig, taken, true);
		struct sdp_rank_entry *clear = clear_left ?
			naive_best(rig, taken, false) : NULL;
		struct sdp_rank_entry *entry = secure;

		if (clear && (!secure || naive_less(rig, clear, secure))) {
			entry = clear;
			clear_left--;
		}
		if (!entry)
			break;
		taken[group_of_entry(entry - rig->entry)] = true;
		winners[count++] = entry;
	}
	return count;
}

static void check(struct kunit *test, struct rig *rig)
{
	struct sdp_rank_entry *winners[SDP_RANK_WINNERS];
	u32 count = naive_winners(rig, winners), seated = 0, i;

	KUNIT_ASSERT_EQ(test, rig->rank.count, count);
	for (i = 0; i < count; i++) {
		KUNIT_ASSERT_PTR_EQ(test, rig->rank.winners[i], winners[i]);
		KUNIT_ASSERT_EQ(test, (u32)winners[i]->position, i);
	}
	for (i = 0; i < ENTRIES; i++)
		seated += rig->entry[i].position != SDP_RANK_NOWHERE;
	KUNIT_ASSERT_EQ(test, seated, count);
}

/* Keys are unique, so that the model need not know how ties are broken. */
static void random_operations(struct kunit *test, bool apart)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	struct sdp_rank_news news;
	u32 step;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, SDP_RANK_WINNERS);
	rig->rank.apart = apart;
	for (step = 0; step < 4000; step++) {
		u32 i = prandom_u32_state(&rig->rnd) % ENTRIES;
		u8 before[ENTRIES];
		u32 j;

		for (j = 0; j < ENTRIES; j++)
			before[j] = rig->entry[j].position;
		holds = 0;
		if (prandom_u32_state(&rig->rnd) % 8 == 0) {
			sdp_rank_place(&rig->rank,
				       &rig->group[group_of_entry(i)],
				       entry_secure(i),
				       prandom_u32_state(&rig->rnd) % 4,
				       step + 1, hold, &news);
		} else if (prandom_u32_state(&rig->rnd) % 3) {
			u64 key = (u64)(prandom_u32_state(&rig->rnd) % 1000) *
				  ENTRIES + i;

			sdp_rank_set(&rig->rank, &rig->entry[i],
				     &rig->group[group_of_entry(i)], key, hold,
				     &news);
		} else {
			sdp_rank_clear(&rig->rank, &rig->entry[i], hold, &news);
		}
		check(test, rig);
		KUNIT_ASSERT_EQ(test, holds, news.count);
		/* Whoever has another place than before hears of it. */
		for (j = 0; j < rig->rank.count; j++) {
			struct sdp_rank_entry *entry = rig->rank.winners[j];
			bool told = false;
			u32 k;

			for (k = 0; k < news.count; k++)
				told |= news.entry[k] == entry;
			if (before[entry - rig->entry] == SDP_RANK_NOWHERE)
				KUNIT_ASSERT_TRUE(test, told);
		}
	}
}

static void winners_of_random_operations(struct kunit *test)
{
	random_operations(test, false);
}

static void winners_that_are_apart(struct kunit *test)
{
	random_operations(test, true);
}

/* A group that comes sooner is told, though it was the first before. */
static void who_comes_sooner_is_told(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	struct sdp_rank_group *group;
	struct sdp_rank_news news;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, 1);
	group = &rig->group[0];
	sdp_rank_place(&rig->rank, group, false, U64_MAX, 1, hold, &news);
	KUNIT_EXPECT_EQ(test, news.count, 0);
	sdp_rank_set(&rig->rank, &rig->entry[0], group, 7, hold, &news);
	KUNIT_EXPECT_EQ(test, news.count, 1);
	sdp_rank_place(&rig->rank, group, false, 5, 2, hold, &news);
	KUNIT_ASSERT_EQ(test, news.count, 1);
	KUNIT_EXPECT_PTR_EQ(test, news.entry[0], &rig->entry[0]);
	sdp_rank_place(&rig->rank, group, false, 6, 3, hold, &news);
	KUNIT_EXPECT_EQ(test, news.count, 0);
	sdp_rank_set(&rig->rank, &rig->entry[1], &rig->group[1], 1, hold, &news);
	KUNIT_EXPECT_PTR_EQ(test, rig->rank.winners[0], &rig->entry[1]);
	sdp_rank_place(&rig->rank, &rig->group[1], false, 7, 1, hold, &news);
	KUNIT_ASSERT_EQ(test, news.count, 1);
	KUNIT_EXPECT_PTR_EQ(test, news.entry[0], &rig->entry[0]);
	/* It was overtaken. */
	sdp_rank_place(&rig->rank, group, false, 8, 3, hold, &news);
	KUNIT_EXPECT_EQ(test, news.count, 0);
	KUNIT_EXPECT_EQ(test, group->place, 6);
	sdp_rank_clear(&rig->rank, &rig->entry[0], hold, &news);
	sdp_rank_clear(&rig->rank, &rig->entry[1], hold, &news);
}

static void clear_gets_half_while_secure_wait(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	struct sdp_rank_news news;
	u32 i, clear = 0;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, SDP_RANK_WINNERS);
	/* Six clear groups with the least keys, and all secure ones. */
	for (i = 0; i < GROUPS; i++)
		sdp_rank_set(&rig->rank, &rig->entry[i], &rig->group[i], i,
			     hold, &news);
	for (i = 0; i < rig->rank.count; i++)
		clear += !rig->rank.winners[i]->secure;
	KUNIT_EXPECT_EQ(test, rig->rank.count, SDP_RANK_WINNERS);
	KUNIT_EXPECT_EQ(test, clear, SDP_RANK_WINNERS / 2);
	for (i = GROUPS / 2; i < GROUPS; i++)
		sdp_rank_clear(&rig->rank, &rig->entry[i], hold, &news);
	KUNIT_EXPECT_EQ(test, rig->rank.count, GROUPS / 2);
}

static void without_groups_one_wins(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	struct sdp_rank_news news;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, 1);
	for (i = 0; i < ENTRIES; i++) {
		rig->entry[i].secure = false;
		sdp_rank_set(&rig->rank, &rig->entry[i], NULL, 1000 - i, hold,
			     &news);
	}
	KUNIT_EXPECT_EQ(test, rig->rank.count, 1);
	KUNIT_EXPECT_PTR_EQ(test, rig->rank.winners[0],
			    &rig->entry[ENTRIES - 1]);
	sdp_rank_kick(&rig->rank, hold, &news);
	KUNIT_EXPECT_EQ(test, news.count, 1);
	for (i = 0; i < ENTRIES; i++)
		sdp_rank_clear(&rig->rank, &rig->entry[i], hold, &news);
	KUNIT_EXPECT_EQ(test, rig->rank.count, 0);
}

/* One message is granted at a time: none that could stall a secure one's. */
static void a_single_place_is_secure(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	u32 last = GROUPS - 1, i;
	struct sdp_rank_news news;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, 1);
	for (i = 0; i < GROUPS / 2; i++)
		sdp_rank_set(&rig->rank, &rig->entry[i], &rig->group[i], i,
			     hold, &news);
	KUNIT_EXPECT_PTR_EQ(test, rig->rank.winners[0], &rig->entry[0]);
	for (i = 0; i < 3; i++) {
		sdp_rank_set(&rig->rank, &rig->entry[last], &rig->group[last],
			     1000, hold, &news);
		KUNIT_ASSERT_EQ(test, rig->rank.count, 1);
		KUNIT_EXPECT_PTR_EQ(test, rig->rank.winners[0],
				    &rig->entry[last]);
		KUNIT_EXPECT_EQ(test, news.count, 1);
	}
	sdp_rank_clear(&rig->rank, &rig->entry[last], hold, &news);
	KUNIT_EXPECT_PTR_EQ(test, rig->rank.winners[0], &rig->entry[0]);
}

/* By turns, as members are set again or the rank is kicked. */
static void kinds_alternate_without_groups(struct kunit *test)
{
	struct rig *rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	u32 clear = 0, secure = GROUPS - 1, i;
	struct sdp_rank_news news;

	KUNIT_ASSERT_NOT_NULL(test, rig);
	rig_init(rig, 1);
	/* A flood of clear ones, all of them shorter. */
	for (i = 0; i < GROUPS; i++)
		sdp_rank_set(&rig->rank, &rig->entry[i], NULL, i, hold, &news);
	for (i = 0; i < 10; i++) {
		struct sdp_rank_entry *first = rig->rank.winners[0];
		bool kick = i & 2;

		KUNIT_ASSERT_EQ(test, rig->rank.count, 1);
		KUNIT_EXPECT_EQ(test, first->secure, i % 2 == 0);
		if (kick)
			sdp_rank_kick(&rig->rank, hold, &news);
		else
			sdp_rank_set(&rig->rank, first, NULL, first->key, hold,
				     &news);
		KUNIT_EXPECT_EQ(test, news.count, 1);
		KUNIT_EXPECT_PTR_EQ(test, news.entry[0], rig->rank.winners[0]);
	}
	/* Who is left has every turn. */
	for (i = 0; i < GROUPS / 2; i++)
		sdp_rank_clear(&rig->rank, &rig->entry[clear + i], hold, &news);
	sdp_rank_kick(&rig->rank, hold, &news);
	KUNIT_EXPECT_TRUE(test, rig->rank.winners[0]->secure);
	for (i = GROUPS / 2; i <= secure; i++)
		sdp_rank_clear(&rig->rank, &rig->entry[i], hold, &news);
	KUNIT_EXPECT_EQ(test, rig->rank.count, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(winners_of_random_operations),
	KUNIT_CASE(winners_that_are_apart),
	KUNIT_CASE(who_comes_sooner_is_told),
	KUNIT_CASE(a_single_place_is_secure),
	KUNIT_CASE(kinds_alternate_without_groups),
	KUNIT_CASE(clear_gets_half_while_secure_wait),
	KUNIT_CASE(without_groups_one_wins),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_target_rank",
	.test_cases = cases,
};

kunit_test_suite(suite);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit suite of SDP's ranks");
