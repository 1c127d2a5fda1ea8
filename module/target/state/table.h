/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hash table of reference-counted objects that are found under RCU by a key
 * of bytes, and that may be evicted while only the table holds them. Peers and
 * clients live in one each.
 */
#ifndef SDP_TARGET_TABLE_H
#define SDP_TARGET_TABLE_H

#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#define SDP_TABLE_BUCKETS 4096

/* Longest key, bytes. */
#define SDP_TABLE_KEY 64

/* Objects that are looked at in less than a whole turn; the last bucket's all. */
#define SDP_TABLE_LOOKS 512

/**
 * struct sdp_table_entry - first member of an object; the key follows at once.
 * @node: in a bucket.
 * @refs: the table's, and one per user.
 * @hash: of the key.
 * @used: jiffies of the last use.
 * @rcu:  to free it.
 */
struct sdp_table_entry {
	struct hlist_node node;
	refcount_t refs;
	u32 hash;
	unsigned long used;
	struct rcu_head rcu;
};

struct sdp_table_bucket {
	struct hlist_head head;
	spinlock_t lock;
};

/**
 * struct sdp_table - the table.
 * @buckets: of entries.
 * @key_len: bytes of a key, a multiple of 8.
 * @addend:  two for each 8 bytes of a key.
 * @hand:    where eviction looks next.
 * @free:    frees an object; softirq, an RCU grace period after its eviction.
 * @gone:    an object has been taken out; BH disabled; may be NULL.
 */
struct sdp_table {
	struct sdp_table_bucket *buckets;
	u32 key_len;
	u64 addend[SDP_TABLE_KEY / sizeof(u32)];
	atomic_t hand;
	rcu_callback_t free;
	void (*gone)(struct sdp_table_entry *entry);
};

int sdp_table_init(struct sdp_table *table, u32 key_len, rcu_callback_t free,
		   void (*gone)(struct sdp_table_entry *entry));
void sdp_table_exit(struct sdp_table *table);

/**
 * sdp_table_find() - find an object.
 * Context: any. Return: a reference, or NULL.
 */
struct sdp_table_entry *sdp_table_find(struct sdp_table *table,
				       const void *key);

/**
 * sdp_table_add() - add an object, unless there is one of its key.
 * @entry: with its key; @refs and the rest are set here.
 *
 * Context: any. Return: a reference to @entry, or to the object found instead.
 */
struct sdp_table_entry *sdp_table_add(struct sdp_table *table,
				      struct sdp_table_entry *entry);

/** sdp_table_put() - drop a user's reference; any context. */
static inline void sdp_table_put(struct sdp_table_entry *entry)
{
	WRITE_ONCE(entry->used, jiffies);
	/* Never the last one: that is the table's, see sdp_table_evict(). */
	refcount_dec(&entry->refs);
}

/**
 * sdp_table_evict() - take out objects that nobody uses.
 * @idle:    only those unused for so many jiffies.
 * @buckets: how many buckets to look at, from where the last call ended; less than
 *           SDP_TABLE_BUCKETS: fewer, once SDP_TABLE_LOOKS objects were looked at.
 * @most:    how many to take out.
 * @match:   which ones; NULL: any.
 * @arg:     handed to @match.
 *
 * Context: any. Return: how many were taken out.
 */
u32 sdp_table_evict(struct sdp_table *table, unsigned long idle, u32 buckets,
		    u32 most,
		    bool (*match)(const struct sdp_table_entry *entry,
				  const void *arg),
		    const void *arg);

/**
 * sdp_table_visit() - look at objects, used or not.
 * @buckets: as for sdp_table_evict().
 * @visit:   called under a bucket's lock, BH disabled.
 * @arg:     handed to @visit.
 *
 * Context: any. Return: how often @visit returned true.
 */
u32 sdp_table_visit(struct sdp_table *table, u32 buckets,
		    bool (*visit)(struct sdp_table_entry *entry,
				  const void *arg),
		    const void *arg);

#endif /* SDP_TARGET_TABLE_H */
