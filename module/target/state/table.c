// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/once.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <linux/sched.h>

#include "table.h"

/* Buckets that a table has at least. */
#define LEAST 64
/* Buckets that are gone through before others may run. */
#define PIECE 64
/* Most buckets for each object that is to be looked at: those of a table that shrinks. */
#define SPARSE 8

/* Of all tables: who does not know them cannot choose keys that collide. */
static u64 addend[SDP_TABLE_KEY / sizeof(u32)] __read_mostly;

/* Pairs of words, each with a random addend, are multiplied and summed up: universal. */
static __always_inline u64 sum_key(const void *key, u32 len)
{
	const u64 *add = addend;
	const u64 *word = key;
	u64 sum = 0;

	for (; len; len -= sizeof(*word), word++, add += 2)
		sum += (add[0] + (u32)*word) * (add[1] + (*word >> 32));
	/* Keys that follow each other are apart, whatever the addends are. */
	return sum ^ sum >> 32;
}

/* Another seed tells apart what one does not. */
static u32 hash_sum(u64 sum, u32 seed)
{
	return sum * (GOLDEN_RATIO_64 ^ (u64)seed << 1) >> 32;
}

static u32 hash_key(const void *key, u32 len, u32 seed)
{
	return hash_sum(sum_key(key, len), seed);
}

static u32 hash_entry(const void *object, u32 len, u32 seed)
{
	const struct sdp_table_entry *entry = object;

	return hash_sum(entry->sum, seed);
}

static const void *key_of(const struct sdp_table_entry *entry)
{
	return entry + 1;
}

static int compare_words(struct rhashtable_compare_arg *arg, const void *object)
{
	const u64 *a = arg->key, *b = key_of(object);
	u32 left = arg->ht->p.key_len;

	/* memcmp() goes byte by byte. */
	for (; left; left -= sizeof(*a))
		if (*a++ != READ_ONCE(*b++))
			return 1;
	return 0;
}

/* The length of a key is the table's. */
static const struct rhashtable_params params = {
	.head_offset = offsetof(struct sdp_table_entry, node),
	.key_offset = sizeof(struct sdp_table_entry),
	.min_size = LEAST,
	.hashfn = hash_key,
	.obj_hashfn = hash_entry,
	.obj_cmpfn = compare_words,
	.automatic_shrinking = true,
};

struct sdp_table_entry *sdp_table_find(struct sdp_table *table,
				       const void *key)
{
	struct sdp_table_entry *entry;

	rcu_read_lock();
	entry = rhashtable_lookup(&table->ht, key, params);
	if (entry && !refcount_inc_not_zero(&entry->refs))
		entry = NULL;
	rcu_read_unlock();
	return entry;
}

/* Without a lock: who evicts may be interrupted by who adds. */
static struct sdp_table_entry *add(struct sdp_table *table,
				   struct sdp_table_entry *entry)
{
	struct sdp_table_entry *other;

	for (;;) {
		other = rhashtable_lookup_get_insert_key(&table->ht, key_of(entry),
							 &entry->node, params);
		if (!other)
			return entry;
		if (IS_ERR(other))
			return NULL;
		if (refcount_inc_not_zero(&other->refs))
			return other;
		/* It is about to be taken out, and has been if this fails. */
		if (!rhashtable_replace_fast(&table->ht, &other->node, &entry->node,
					     params))
			return entry;
	}
}

struct sdp_table_entry *sdp_table_add(struct sdp_table *table,
				      struct sdp_table_entry *entry)
{
	struct sdp_table_entry *there;

	entry->sum = sum_key(key_of(entry), table->ht.p.key_len);
	entry->used = jiffies;
	refcount_set(&entry->refs, 2);
	rcu_read_lock();
	there = add(table, entry);
	rcu_read_unlock();
	return there;
}

/*
 * Is it sure that an insertion needs no memory? It may need some where there are more objects
 * than buckets; for that, a quarter as many as there are buckets would have to come at once.
 */
static bool has_places(struct sdp_table *table)
{
	const struct bucket_table *buckets;

	buckets = rht_dereference_rcu(table->ht.tbl, &table->ht);
	return atomic_read(&table->ht.nelems) < buckets->size / 4 * 3;
}

void sdp_table_scatter(struct sdp_table *table, struct sdp_table_entry *entry)
{
	rcu_read_lock();
	if (!has_places(table) ||
	    rhashtable_remove_fast(&table->ht, &entry->node, params))
		goto out;
	/*
	 * Who looks meanwhile and comes from one bucket to the other begins again, as when the
	 * table grows. Nobody can take it out: the caller has a reference. A bucket that has
	 * too many already is not met twice.
	 */
	do
		entry->sum = get_random_u64();
	while (rhashtable_insert_fast(&table->ht, &entry->node, params));
out:
	rcu_read_unlock();
}

/**
 * struct walk - a way through a table.
 * @table:  the table.
 * @looks:  objects to be looked at.
 * @most:   of which so many are to be taken.
 * @looked: how many have been looked at,
 * @count:  and taken.
 * @take:   whether this one is.
 * @match:  of who evicts,
 * @idle:   likewise.
 * @visit:  of who visits.
 */
struct walk {
	struct sdp_table *table;
	u32 looks;
	u32 most;
	u32 looked;
	u32 count;
	bool (*take)(const struct walk *walk, struct sdp_table_entry *entry);
	bool (*match)(const struct sdp_table_entry *entry);
	unsigned long idle;
	bool (*visit)(struct sdp_table_entry *entry);
};

static bool goes_on(const struct walk *walk)
{
	return walk->looked < walk->looks && walk->count < walk->most;
}

static void walk_bucket(struct walk *walk, const struct bucket_table *buckets,
			u32 hash)
{
	struct sdp_table_entry *entry;
	struct rhash_head *pos;

	rht_for_each_entry_rcu(entry, pos, buckets, hash, node) {
		if (walk->count == walk->most)
			break;
		walk->looked++;
		walk->count += walk->take(walk, entry);
	}
}

static u32 walk_through(struct walk *walk)
{
	struct sdp_table *table = walk->table;
	const struct bucket_table *buckets;
	u32 passed = 0, end, i;

	do {
		rcu_read_lock();
		/* While a table grows or shrinks, what has moved is not met. */
		buckets = rht_dereference_rcu(table->ht.tbl, &table->ht);
		end = buckets->size;
		if (walk->looks != SDP_TABLE_ALL)
			end = min(end, SPARSE * walk->looks);
		for (i = 0; i < PIECE && passed < end && goes_on(walk); i++, passed++)
			walk_bucket(walk, buckets, (u32)atomic_fetch_inc(&table->hand) &
						   (buckets->size - 1));
		rcu_read_unlock();
		if (walk->looks == SDP_TABLE_ALL)
			cond_resched();
	} while (passed < end && goes_on(walk));
	return walk->count;
}

/*
 * Nothing runs here between the look and the reference, so that nobody finds the entry,
 * uses it and is done with it meanwhile: what it had noted would be forgotten.
 */
static bool take_last(const struct walk *walk, struct sdp_table_entry *entry)
{
	bool taken;

	local_bh_disable();
	preempt_disable();
	taken = !time_before(jiffies, READ_ONCE(entry->used) + walk->idle) &&
		(!walk->match || walk->match(entry)) &&
		refcount_dec_if_one(&entry->refs);
	preempt_enable();
	local_bh_enable();
	return taken;
}

static bool evict_entry(const struct walk *walk, struct sdp_table_entry *entry)
{
	struct sdp_table *table = walk->table;
	void (*free)(struct rcu_head *rcu) = table->free;

	if (!take_last(walk, entry))
		return false;
	/* Who has found this meanwhile, and wants one of its key, has replaced it. */
	rhashtable_remove_fast(&table->ht, &entry->node, params);
	if (table->gone)
		table->gone(entry);
	/* After that, the table may go. */
	call_rcu(&entry->rcu, free);
	return true;
}

u32 sdp_table_evict(struct sdp_table *table, unsigned long idle, u32 looks,
		    u32 most, bool (*match)(const struct sdp_table_entry *entry))
{
	struct walk walk = {
		.table = table, .looks = looks, .most = most, .take = evict_entry,
		.match = match, .idle = idle,
	};

	return walk_through(&walk);
}

static bool visit_one(const struct walk *walk, struct sdp_table_entry *entry)
{
	return walk->visit(entry);
}

u32 sdp_table_visit(struct sdp_table *table, u32 looks,
		    bool (*visit)(struct sdp_table_entry *entry))
{
	struct walk walk = {
		.table = table, .looks = looks, .most = U32_MAX, .take = visit_one,
		.visit = visit,
	};

	return walk_through(&walk);
}

int sdp_table_init(struct sdp_table *table, u32 key_len, rcu_callback_t free,
		   void (*gone)(struct sdp_table_entry *entry))
{
	struct rhashtable_params own = params;

	if (WARN_ON_ONCE(key_len % sizeof(u64) || key_len > SDP_TABLE_KEY))
		return -EINVAL;
	get_random_once(addend, sizeof(addend));
	own.key_len = key_len;
	atomic_set(&table->hand, 0);
	table->free = free;
	table->gone = gone;
	return rhashtable_init(&table->ht, &own);
}

static void free_left(void *object, void *arg)
{
	struct sdp_table_entry *entry = object;
	struct sdp_table *table = arg;

	if (table->gone)
		table->gone(entry);
	call_rcu(&entry->rcu, table->free);
}

void sdp_table_exit(struct sdp_table *table)
{
	rhashtable_free_and_destroy(&table->ht, free_left, table);
}
