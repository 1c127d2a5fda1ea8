// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "table.h"

/*
 * Pairs of words, each with a random addend, are multiplied and summed up: universal, and
 * who does not know the addends cannot choose keys that collide.
 */
static u32 hash_key(const struct sdp_table *table, const void *key)
{
	const u64 *addend = table->addend;
	const u64 *word = key;
	u32 left = table->key_len;
	u64 sum = 0;

	for (; left; left -= sizeof(*word), word++, addend += 2)
		sum += (addend[0] + (u32)*word) * (addend[1] + (*word >> 32));
	/* Keys that follow each other are apart, whatever the addends are. */
	sum ^= sum >> 32;
	return sum * GOLDEN_RATIO_64 >> 32;
}

static void *key_of(struct sdp_table_entry *entry)
{
	return entry + 1;
}

static struct sdp_table_bucket *bucket_of(struct sdp_table *table, u32 hash)
{
	return &table->buckets[hash % SDP_TABLE_BUCKETS];
}

static struct sdp_table_entry *find_entry(struct sdp_table *table, const void *key,
					  u32 hash)
{
	struct sdp_table_entry *entry;

	hlist_for_each_entry_rcu(entry, &bucket_of(table, hash)->head, node)
		if (entry->hash == hash &&
		    !memcmp(key_of(entry), key, table->key_len) &&
		    refcount_inc_not_zero(&entry->refs))
			return entry;
	return NULL;
}

struct sdp_table_entry *sdp_table_find(struct sdp_table *table,
				       const void *key)
{
	struct sdp_table_entry *entry;

	rcu_read_lock();
	entry = find_entry(table, key, hash_key(table, key));
	rcu_read_unlock();
	return entry;
}

struct sdp_table_entry *sdp_table_add(struct sdp_table *table,
				      struct sdp_table_entry *entry)
{
	struct sdp_table_bucket *bucket;
	struct sdp_table_entry *other;

	entry->hash = hash_key(table, key_of(entry));
	entry->used = jiffies;
	refcount_set(&entry->refs, 2);
	bucket = bucket_of(table, entry->hash);
	rcu_read_lock();
	spin_lock_bh(&bucket->lock);
	other = find_entry(table, key_of(entry), entry->hash);
	if (!other)
		hlist_add_head_rcu(&entry->node, &bucket->head);
	spin_unlock_bh(&bucket->lock);
	rcu_read_unlock();
	return other ?: entry;
}

static struct sdp_table_bucket *next_bucket(struct sdp_table *table)
{
	return bucket_of(table, atomic_fetch_inc(&table->hand));
}

/* Less than a whole turn is for who waits for it, in softirq. */
static bool may_look(u32 buckets, u32 looked)
{
	return buckets >= SDP_TABLE_BUCKETS || looked < SDP_TABLE_LOOKS;
}

static u32 evict_bucket(struct sdp_table *table,
			struct sdp_table_bucket *bucket, unsigned long idle,
			u32 most, u32 *looked,
			bool (*match)(const struct sdp_table_entry *entry,
				      const void *arg),
			const void *arg)
{
	struct sdp_table_entry *entry;
	struct hlist_node *next;
	u32 count = 0;

	if (hlist_empty(&bucket->head))
		return 0;
	spin_lock_bh(&bucket->lock);
	hlist_for_each_entry_safe(entry, next, &bucket->head, node) {
		if (count == most)
			break;
		(*looked)++;
		if (time_before(jiffies, READ_ONCE(entry->used) + idle) ||
		    (match && !match(entry, arg)) ||
		    !refcount_dec_if_one(&entry->refs))
			continue;
		hlist_del_rcu(&entry->node);
		if (table->gone)
			table->gone(entry);
		count++;
		call_rcu(&entry->rcu, table->free);
	}
	spin_unlock_bh(&bucket->lock);
	return count;
}

u32 sdp_table_evict(struct sdp_table *table, unsigned long idle, u32 buckets,
		    u32 most,
		    bool (*match)(const struct sdp_table_entry *entry,
				  const void *arg),
		    const void *arg)
{
	u32 count = 0, looked = 0, i;

	for (i = 0; i < buckets && count < most && may_look(buckets, looked); i++)
		count += evict_bucket(table, next_bucket(table), idle,
				      most - count, &looked, match, arg);
	return count;
}

u32 sdp_table_visit(struct sdp_table *table, u32 buckets,
		    bool (*visit)(struct sdp_table_entry *entry,
				  const void *arg),
		    const void *arg)
{
	u32 count = 0, looked = 0, i;
	struct sdp_table_bucket *bucket;
	struct sdp_table_entry *entry;

	for (i = 0; i < buckets && may_look(buckets, looked); i++) {
		bucket = next_bucket(table);
		if (hlist_empty(&bucket->head))
			continue;
		spin_lock_bh(&bucket->lock);
		hlist_for_each_entry(entry, &bucket->head, node) {
			count += visit(entry, arg);
			looked++;
		}
		spin_unlock_bh(&bucket->lock);
	}
	return count;
}

int sdp_table_init(struct sdp_table *table, u32 key_len, rcu_callback_t free,
		   void (*gone)(struct sdp_table_entry *entry))
{
	u32 i;

	if (WARN_ON_ONCE(key_len % sizeof(u64) || key_len > SDP_TABLE_KEY))
		return -EINVAL;
	table->buckets = kvmalloc_array(SDP_TABLE_BUCKETS,
					sizeof(*table->buckets), GFP_KERNEL);
	if (!table->buckets)
		return -ENOMEM;
	for (i = 0; i < SDP_TABLE_BUCKETS; i++) {
		INIT_HLIST_HEAD(&table->buckets[i].head);
		spin_lock_init(&table->buckets[i].lock);
	}
	table->key_len = key_len;
	get_random_bytes(table->addend, sizeof(table->addend));
	table->free = free;
	table->gone = gone;
	return 0;
}

void sdp_table_exit(struct sdp_table *table)
{
	sdp_table_evict(table, 0, SDP_TABLE_BUCKETS, U32_MAX, NULL, NULL);
	/* Wait for the frees. */
	rcu_barrier();
	kvfree(table->buckets);
}
