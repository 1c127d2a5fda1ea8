/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hash table of reference-counted objects that are found under RCU by a key
 * of bytes, and that may be evicted while only the table holds them. It is as large as what
 * it holds. Peers, clients, and what these have asked for live in one each, in every
 * namespace.
 */
#ifndef SDP_TARGET_TABLE_H
#define SDP_TARGET_TABLE_H

#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>

/* Longest key, bytes. */
#define SDP_TABLE_KEY 64

/* A whole turn through the table; in process context. */
#define SDP_TABLE_ALL U32_MAX

/**
 * struct sdp_table_entry - first member of an object; the key follows at once.
 * @node: in a bucket.
 * @refs: the table's, and one per user.
 * @sum:  of the key as it was when the object was added, or, when nobody looks for that
 *        any more, of none: sdp_table_scatter().
 * @used: jiffies of the last use.
 * @rcu:  to free it.
 */
struct sdp_table_entry {
	struct rhash_head node;
	refcount_t refs;
	u64 sum;
	unsigned long used;
	struct rcu_head rcu;
};

/**
 * struct sdp_table - the table.
 * @ht:   of entries; its memory follows their number.
 * @hand: the bucket that is looked at next.
 * @free: frees an object; softirq, an RCU grace period after its eviction.
 * @gone: an object has been taken out; RCU read lock; may be NULL.
 */
struct sdp_table {
	struct rhashtable ht;
	atomic_t hand;
	rcu_callback_t free;
	void (*gone)(struct sdp_table_entry *entry);
};

/**
 * sdp_table_init() - set up a table.
 * @table:   to be set up.
 * @key_len: bytes of a key, a multiple of 8.
 * @free:    as above,
 * @gone:    likewise.
 *
 * Context: process, may sleep. Return: 0, -ENOMEM.
 */
int sdp_table_init(struct sdp_table *table, u32 key_len, rcu_callback_t free,
		   void (*gone)(struct sdp_table_entry *entry));

/**
 * sdp_table_exit() - free a table, and what it holds: nobody else does any more.
 *
 * Context: process, may sleep.
 */
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
 * Context: any. Return: a reference to @entry, or to the object found instead; NULL for
 * want of memory: it is the caller's.
 */
struct sdp_table_entry *sdp_table_add(struct sdp_table *table,
				      struct sdp_table_entry *entry);

/**
 * sdp_table_scatter() - have an object whose key nobody looks for anywhere in the table.
 * @entry: of which the caller has a reference; once.
 *
 * Those that had one key would be in one bucket for ever, which must not get long. One that is
 * not in the table yet, or comes while the table has to grow, stays where it is. Context:
 * any; calls for one object do not overlap.
 */
void sdp_table_scatter(struct sdp_table *table, struct sdp_table_entry *entry);

/** sdp_table_put() - drop a user's reference; any context. */
static inline void sdp_table_put(struct sdp_table_entry *entry)
{
	WRITE_ONCE(entry->used, jiffies);
	/* Never the last one: that is the table's, see sdp_table_evict(). */
	refcount_dec(&entry->refs);
}

/**
 * sdp_table_evict() - take out objects that nobody uses.
 * @idle:  only those unused for so many jiffies.
 * @looks: how many to look at, from where the last call ended, but for the rest of a
 *         bucket; SDP_TABLE_ALL: all but those that come or move meanwhile.
 * @most:  how many to take out.
 * @match: which ones; RCU read lock; NULL: any.
 *
 * Context: any. Return: how many were taken out.
 */
u32 sdp_table_evict(struct sdp_table *table, unsigned long idle, u32 looks,
		    u32 most, bool (*match)(const struct sdp_table_entry *entry));

/**
 * sdp_table_visit() - look at objects, used or not.
 * @looks: as for sdp_table_evict().
 * @visit: called with the RCU read lock; one may come to it twice, or not at all.
 *
 * Context: any. Return: how often @visit returned true.
 */
u32 sdp_table_visit(struct sdp_table *table, u32 looks,
		    bool (*visit)(struct sdp_table_entry *entry));

#endif /* SDP_TARGET_TABLE_H */
