// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys and contexts on NICs.
 *
 * A key's work item is the only one that gives it to the device and makes contexts.
 * What is taken away (the device goes, the epoch ends, another key wants the room) is
 * taken away under the key's mutex: pointers first, then a grace period, then the
 * driver's own. A context's own fields are written under the lock of its queue.
 *
 * A key is in @keys for as long as anything of it counts or is the device's: who waits
 * for a device's or a namespace's keys to be gone waits for that.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/sdp.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "../observe/name.h"
#include "../observe/observe.h"
#include "nic.h"

/* What the device refused is asked for again after this. */
#define RETRY HZ

/* A context that has been idle for so long gives way to another session's. */
#define IDLE (HZ / 10 + 1)

/* A queue gets another context after so many resynchronisations for each that it has. */
#define THRASH 16

/* No record number: their top bit is zero. */
#define NOTHING (~0ULL)

/* So many contexts are looked at for one that gives way, of the device, and of all. */
#define LOOK 64
#define LOOK_MOST 256

/**
 * struct sdp_nic_context - of a key and a queue.
 * @link:     in @contexts, while it is in @place.
 * @place:    that it is in; the key's.
 * @next:     of those unhooked with it; under the key's mutex.
 * @handle:   the driver's.
 * @key:      whose.
 * @expected: record that the device expects, or NOTHING; under the queue's lock.
 * @resets:   of the device, when it was last used; likewise.
 * @used:     jiffies.
 */
struct sdp_nic_context {
	struct list_head link;
	struct sdp_nic_context __rcu **place;
	struct sdp_nic_context *next;
	void *handle;
	struct sdp_nic_key *key;
	u64 expected;
	u32 resets;
	unsigned long used;
};

/**
 * struct nic_queue - a key's contexts on a queue.
 * @context: RCU; written under the key's mutex.
 * @resyncs: since the last one was made; under the queue's lock.
 * @retry:   jiffies: not before.
 */
struct nic_queue {
	struct sdp_nic_context __rcu *context[SDP_NIC_CONTEXTS];
	u32 resyncs;
	unsigned long retry;
};

/**
 * struct sdp_nic_key - of an epoch, on a device.
 * @link:    in @keys.
 * @refs:    the epoch's, and who looks at all of them.
 * @device:  held.
 * @netdev:  only to compare.
 * @counts:  of the namespace.
 * @lock:    outermost mutex of this room.
 * @handle:  the driver's.
 * @secret:  until the device has it.
 * @ready:   the device has it.
 * @over:    it will have it no more: nothing is made or chosen.
 * @ended:   it has nothing of it any more; under @lock.
 * @retry:   jiffies: not added before; nor a queue, once it is.
 * @gone:    contexts that nobody chooses any more; under @lock.
 * @grace:   of RCU, after which nobody has one of @gone; likewise.
 * @records: sealed under it.
 * @work:    makes what is wanted.
 * @free:    for sdp_nic_key_drop().
 * @queues:  of the device.
 * @wanted:  bit per queue that has no context, or too few; there while it is @ready.
 * @queue:   by number, NULL until one is wanted; likewise. All stay until the key is freed.
 */
struct sdp_nic_key {
	struct list_head link;
	refcount_t refs;
	struct sdp_offload_device *device;
	const struct net_device *netdev;
	struct sdp_counts __percpu *counts;
	struct mutex lock;
	void *handle;
	struct sdp_offload_key secret;
	bool ready;
	bool over;
	bool ended;
	unsigned long retry;
	struct sdp_nic_context *gone;
	unsigned long grace;
	atomic64_t records;
	struct work_struct work;
	struct rcu_work free;
	u32 queues;
	unsigned long *wanted;
	struct nic_queue **queue;
};

/* Those looked at longest ago come first. Both under @keys_lock. */
static LIST_HEAD(contexts);
static LIST_HEAD(keys);
static DEFINE_SPINLOCK(keys_lock);
static DECLARE_WAIT_QUEUE_HEAD(keys_gone);
static struct workqueue_struct *wq;

static int cipher_of(u16 cipher)
{
	switch (cipher) {
	case SDP_CIPHER_AES_128_GCM:
		return SDP_OFFLOAD_AES_128_GCM;
	case SDP_CIPHER_AES_256_GCM:
		return SDP_OFFLOAD_AES_256_GCM;
	default:
		return -1;
	}
}

static struct sdp_offload_device *device_for(const struct net_device *dev, u16 cipher)
{
	int kind = cipher_of(cipher);

	if (!SDP_NIC_POSSIBLE || kind < 0 || !wq)
		return NULL;
	return sdp_offload_find(dev, SDP_OFFLOAD_TLS13, kind);
}

enum sdp_nic_ability sdp_nic_can(const struct net_device *dev, u16 cipher)
{
	const struct sdp_offload_device *device = device_for(dev, cipher);

	if (!device)
		return SDP_NIC_NOTHING;
	if (!sdp_offload_cuts(device) || !(dev->features & NETIF_F_TSO) ||
	    !(dev->features & NETIF_F_SG))
		return SDP_NIC_PACKETS;
	return SDP_NIC_SEGMENTS;
}

static void put_key(struct sdp_nic_key *key)
{
	u32 i;

	if (!refcount_dec_and_test(&key->refs))
		return;
	sdp_offload_put(key->device);
	for (i = 0; key->queue && i < key->queues; i++)
		kfree(key->queue[i]);
	kvfree(key->queue);
	bitmap_free(key->wanted);
	kfree_sensitive(key);
}

#define locked(key, pointer) \
	rcu_dereference_protected(pointer, lockdep_is_held(&(key)->lock))

/* Under the key's lock: nobody chooses it after a grace period. */
static void unhook(struct sdp_nic_key *key, struct sdp_nic_context __rcu **place)
{
	struct sdp_nic_context *context = locked(key, *place);

	if (!context)
		return;
	RCU_INIT_POINTER(*place, NULL);
	spin_lock_bh(&keys_lock);
	list_del(&context->link);
	spin_unlock_bh(&keys_lock);
	context->next = key->gone;
	key->gone = context;
	key->grace = get_state_synchronize_rcu();
}

/* Under the key's lock: none is chosen, or made, any more. */
static void unhook_all(struct sdp_nic_key *key)
{
	u32 i, n;

	WRITE_ONCE(key->over, true);
	for (i = 0; key->queue && i < key->queues; i++)
		for (n = 0; key->queue[i] && n < SDP_NIC_CONTEXTS; n++)
			unhook(key, &key->queue[i]->context[n]);
}

/* Under the key's lock. */
static void delete_gone(struct sdp_nic_key *key)
{
	struct sdp_nic_context *context;

	if (!key->gone)
		return;
	/* Not again for what has been unhooked with those of other keys. */
	cond_synchronize_rcu(key->grace);
	while ((context = key->gone)) {
		key->gone = context->next;
		sdp_offload_context_del(key->device, context->handle);
		kfree(context);
		sdp_count(key->counts, SDP_CTR_nic_contexts_removed);
	}
}

/* The device has nothing of it after this. */
static void end_key(struct sdp_nic_key *key)
{
	mutex_lock(&key->lock);
	unhook_all(key);
	delete_gone(key);
	if (key->ready) {
		WRITE_ONCE(key->ready, false);
		sdp_offload_key_del(key->device, key->handle);
	}
	memzero_explicit(&key->secret, sizeof(key->secret));
	WRITE_ONCE(key->ended, true);
	mutex_unlock(&key->lock);
}

/* Under the key's lock: devices have hundreds of queues. */
static int make_queues(struct sdp_nic_key *key)
{
	if (!key->queue)
		key->queue = kvcalloc(key->queues, sizeof(*key->queue), GFP_KERNEL_ACCOUNT);
	if (!key->wanted)
		key->wanted = bitmap_zalloc(key->queues, GFP_KERNEL_ACCOUNT);
	return key->queue && key->wanted ? 0 : -ENOMEM;
}

/* Under the key's lock. */
static int add_key(struct sdp_nic_key *key)
{
	int err;

	if (key->ready)
		return 0;
	if (time_before(jiffies, key->retry))
		return -EAGAIN;
	err = make_queues(key) ?:
	      sdp_offload_key_add(key->device, &key->secret, &key->handle);
	if (!err) {
		memzero_explicit(&key->secret, sizeof(key->secret));
		/* Pairs with sdp_nic_key_ready(). */
		smp_store_release(&key->ready, true);
		sdp_count(key->counts, SDP_CTR_nic_keys);
		return 0;
	}
	sdp_count(key->counts, SDP_CTR_nic_refused);
	WRITE_ONCE(key->retry, jiffies + RETRY);
	return err;
}

/* Under the key's lock: a queue's, or NULL for want of memory. */
static struct nic_queue *get_queue(struct sdp_nic_key *key, u32 number)
{
	struct nic_queue *queue = key->queue[number];

	if (queue)
		return queue;
	queue = kzalloc(sizeof(*queue), GFP_KERNEL_ACCOUNT);
	if (!queue)
		return NULL;
	queue->retry = jiffies;
	/* Pairs with queue_of(). */
	smp_store_release(&key->queue[number], queue);
	return queue;
}

/* Under the key's lock. */
static int add_context(struct sdp_nic_key *key, struct nic_queue *queue, u32 number)
{
	struct sdp_nic_context *context;
	u32 i;
	int err;

	for (i = 0; i < SDP_NIC_CONTEXTS; i++)
		if (!locked(key, queue->context[i]))
			break;
	if (i == SDP_NIC_CONTEXTS)
		return 0;
	context = kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT);
	if (!context)
		return -ENOMEM;
	err = sdp_offload_context_add(key->device, key->handle, number, &context->handle);
	if (err) {
		kfree(context);
		return err;
	}
	context->key = key;
	context->expected = NOTHING;
	context->used = jiffies;
	WRITE_ONCE(queue->resyncs, 0);
	context->place = &queue->context[i];
	rcu_assign_pointer(queue->context[i], context);
	spin_lock_bh(&keys_lock);
	list_add_tail(&context->link, &contexts);
	spin_unlock_bh(&keys_lock);
	sdp_count(key->counts, SDP_CTR_nic_contexts_made);
	return 0;
}

/* Return: -ENOSPC: the device has no room for a context. Not @last: tried again at once. */
static int make_wanted(struct sdp_nic_key *key, bool last)
{
	int err = 0;
	u32 i;

	mutex_lock(&key->lock);
	if (key->over || add_key(key))
		goto unlock;
	for_each_set_bit(i, key->wanted, key->queues) {
		struct nic_queue *queue = get_queue(key, i);

		if (queue && time_before(jiffies, queue->retry))
			continue;
		err = queue ? add_context(key, queue, i) : -ENOMEM;
		if (err == -ENOSPC && !last)
			break;
		clear_bit(i, key->wanted);
		if (!err)
			continue;
		sdp_count(key->counts, SDP_CTR_nic_refused);
		WRITE_ONCE(*(queue ? &queue->retry : &key->retry), jiffies + RETRY);
	}
unlock:
	mutex_unlock(&key->lock);
	return err;
}

/*
 * Of the contexts of a device that were looked at longest ago, where is the one that has
 * been idle longest? Its key, held; NULL: none is idle. Bounded, as BH is disabled: what
 * has been looked at comes last the next time.
 */
static struct sdp_nic_key *idlest_key(const struct sdp_offload_device *device,
				      struct sdp_nic_context __rcu ***place)
{
	struct sdp_nic_context *context, *idlest = NULL;
	unsigned long since = jiffies - IDLE;
	struct sdp_nic_key *owner = NULL;
	u32 looked = 0, all;

	spin_lock_bh(&keys_lock);
	for (all = 0; all < LOOK_MOST && looked < LOOK && !list_empty(&contexts); all++) {
		context = list_first_entry(&contexts, struct sdp_nic_context, link);
		list_move_tail(&context->link, &contexts);
		if (context->key->device != device)
			continue;
		looked++;
		if (!time_before(READ_ONCE(context->used), since))
			continue;
		since = READ_ONCE(context->used);
		idlest = context;
	}
	if (idlest) {
		*place = idlest->place;
		owner = idlest->key;
		/* It has a context, and so its own reference still. */
		refcount_inc(&owner->refs);
	}
	spin_unlock_bh(&keys_lock);
	return owner;
}

/* A context of a device that has been idle for long goes, if it is idle still. */
static bool give_way(const struct sdp_offload_device *device)
{
	struct sdp_nic_context __rcu **place;
	struct sdp_nic_context *context;
	struct sdp_nic_key *owner;

	owner = idlest_key(device, &place);
	if (!owner)
		return false;
	mutex_lock(&owner->lock);
	context = locked(owner, *place);
	if (context && time_before(READ_ONCE(context->used), jiffies - IDLE)) {
		unhook(owner, place);
		delete_gone(owner);
		sdp_count(owner->counts, SDP_CTR_nic_evictions);
	}
	mutex_unlock(&owner->lock);
	put_key(owner);
	return true;
}

/* How often a place for a context is looked for at a time: others look, too. */
#define TRIES 4

static void make_work(struct work_struct *work)
{
	struct sdp_nic_key *key = container_of(work, struct sdp_nic_key, work);
	u32 tries = 0;

	while (make_wanted(key, tries == TRIES) == -ENOSPC && tries < TRIES)
		tries = give_way(key->device) ? tries + 1 : TRIES;
}

static void free_work(struct work_struct *work)
{
	sdp_nic_key_end(container_of(to_rcu_work(work), struct sdp_nic_key, free));
}

static void queue_make(struct sdp_nic_key *key)
{
	if (!READ_ONCE(key->over))
		queue_work(wq, &key->work);
}

void sdp_nic_key_want(struct sdp_nic_key *key)
{
	if (!READ_ONCE(key->ready) && !time_before(jiffies, READ_ONCE(key->retry)))
		queue_make(key);
}

struct sdp_nic_key *sdp_nic_key_make(const struct net_device *dev,
				     const struct sdp_nic_secret *secret,
				     struct sdp_counts __percpu *counts)
{
	struct sdp_offload_device *device = device_for(dev, secret->cipher);
	struct sdp_nic_key *key;

	if (!device || !sdp_offload_hold(device))
		return NULL;
	key = kzalloc(sizeof(*key), GFP_ATOMIC | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!key) {
		sdp_count(counts, SDP_CTR_nic_refused);
		sdp_offload_put(device);
		return NULL;
	}
	key->queues = READ_ONCE(dev->num_tx_queues);
	refcount_set(&key->refs, 1);
	key->device = device;
	key->netdev = dev;
	key->counts = counts;
	mutex_init(&key->lock);
	key->retry = jiffies;
	key->secret.kind = SDP_OFFLOAD_TLS13;
	key->secret.cipher = cipher_of(secret->cipher);
	memcpy(key->secret.key, secret->key, sizeof(key->secret.key));
	memcpy(key->secret.iv, secret->iv, sizeof(key->secret.iv));
	INIT_WORK(&key->work, make_work);
	INIT_RCU_WORK(&key->free, free_work);
	spin_lock_bh(&keys_lock);
	list_add_tail(&key->link, &keys);
	spin_unlock_bh(&keys_lock);
	queue_make(key);
	return key;
}

bool sdp_nic_key_ready(const struct sdp_nic_key *key, const struct net_device *dev)
{
	/* Pairs with add_key(). */
	return key && key->netdev == dev && smp_load_acquire(&key->ready) &&
	       !READ_ONCE(key->over);
}

bool sdp_nic_key_cuts(const struct sdp_nic_key *key)
{
	return sdp_offload_cuts(key->device);
}

bool sdp_nic_key_stale(const struct sdp_nic_key *key, const struct net_device *dev)
{
	return key->netdev != dev || READ_ONCE(key->over) ||
	       sdp_offload_going(key->device);
}

void sdp_nic_key_end(struct sdp_nic_key *key)
{
	if (!key)
		return;
	end_key(key);
	cancel_work_sync(&key->work);
	/* Not before: who waits for the device's keys to be gone finds it here. */
	spin_lock_bh(&keys_lock);
	/* Who goes along the list may be at it. */
	list_del_init(&key->link);
	spin_unlock_bh(&keys_lock);
	wake_up_all(&keys_gone);
	put_key(key);
}

void sdp_nic_key_drop(struct sdp_nic_key *key)
{
	if (key)
		queue_rcu_work(wq, &key->free);
}

u64 sdp_nic_key_records(const struct sdp_nic_key *key)
{
	return atomic64_read(&key->records);
}

/* Of a key that is ready, and a number of its; NULL: nothing has been made for it. */
static struct nic_queue *queue_of(const struct sdp_nic_key *key, u32 number)
{
	/* Pairs with get_queue(). */
	return smp_load_acquire(&key->queue[number]);
}

static void want_context(struct sdp_nic_key *key, const struct nic_queue *queue, u32 number)
{
	if (time_before(jiffies, queue ? READ_ONCE(queue->retry) : READ_ONCE(key->retry)))
		return;
	set_bit(number, key->wanted);
	queue_make(key);
}

bool sdp_nic_ready(struct sdp_nic_key *key, u16 number)
{
	const struct nic_queue *queue;
	u32 i;

	if (number >= key->queues)
		return false;
	queue = queue_of(key, number);
	for (i = 0; queue && i < SDP_NIC_CONTEXTS; i++)
		if (rcu_access_pointer(queue->context[i]))
			return true;
	want_context(key, queue, number);
	return false;
}

/* The context that expects a record, else the one that was used longest ago. */
static struct sdp_nic_context *
choose_context(const struct nic_queue *queue, u64 record, u32 resets, u32 *there)
{
	struct sdp_nic_context *context, *oldest = NULL;
	u32 i;

	*there = 0;
	for (i = 0; i < SDP_NIC_CONTEXTS; i++) {
		context = rcu_dereference_check(queue->context[i], rcu_read_lock_bh_held());
		if (!context)
			continue;
		++*there;
		if (context->expected == record && context->resets == resets)
			return context;
		if (!oldest || time_before(context->used, oldest->used))
			oldest = context;
	}
	return oldest;
}

int sdp_nic_take(struct sdp_nic_key *key, const struct net_device *dev, u16 number,
		 struct sdp_offload_segment *segment)
{
	struct sdp_nic_context *context;
	struct nic_queue *queue;
	u32 resets, there;

	if (!sdp_nic_key_ready(key, dev) || sdp_offload_going(key->device))
		return -ENODEV;
	if (number >= key->queues)
		return -ENOENT;
	queue = queue_of(key, number);
	if (!queue)
		return -ENOENT;
	/* Before what it expects is looked at: a reset comes before what is posted next. */
	resets = sdp_offload_resets(key->device);
	context = choose_context(queue, segment->record, resets, &there);
	if (!context)
		return -ENOENT;
	segment->context = context->handle;
	segment->cookie = context;
	segment->resync = context->expected != segment->record ||
			  context->resets != resets;
	/* Until it is posted. */
	context->expected = NOTHING;
	context->resets = resets;
	WRITE_ONCE(context->used, jiffies);
	if (!segment->resync)
		return 0;
	sdp_count(key->counts, SDP_CTR_nic_resyncs);
	queue->resyncs++;
	if (queue->resyncs > THRASH * there && there < SDP_NIC_CONTEXTS)
		want_context(key, queue, number);
	return 0;
}

void sdp_nic_posted(const struct sdp_offload_segment *segment)
{
	struct sdp_nic_context *context = segment->cookie;

	context->expected = segment->record + segment->records;
	atomic64_add(segment->records, &context->key->records);
	sdp_count_add(context->key->counts, SDP_CTR_seal_nic, segment->records);
}

/*
 * The key after @at, of which the device has something, or is getting it, or may; held.
 * @at is put; NULL: the first one.
 */
static struct sdp_nic_key *next_key(const struct sdp_offload_device *device,
				    struct sdp_nic_key *at)
{
	struct sdp_nic_key *key, *found = NULL;

	spin_lock_bh(&keys_lock);
	/* What has left the list meanwhile leads nowhere: once more from its beginning. */
	key = at && !list_empty(&at->link) ? at : list_entry(&keys, typeof(*key), link);
	list_for_each_entry_continue(key, &keys, link)
		if (key->device == device && !READ_ONCE(key->ended)) {
			refcount_inc(&key->refs);
			found = key;
			break;
		}
	spin_unlock_bh(&keys_lock);
	if (at)
		put_key(at);
	return found;
}

void sdp_nic_gone(struct sdp_offload_device *device)
{
	struct sdp_nic_key *key = NULL;

	/* All of them, and then one grace period is enough. */
	while ((key = next_key(device, key))) {
		mutex_lock(&key->lock);
		unhook_all(key);
		mutex_unlock(&key->lock);
	}
	while ((key = next_key(device, key)))
		end_key(key);
}

static bool has_keys(const struct sdp_counts __percpu *counts)
{
	struct sdp_nic_key *key;
	bool found = false;

	spin_lock_bh(&keys_lock);
	list_for_each_entry(key, &keys, link)
		found |= key->counts == counts;
	spin_unlock_bh(&keys_lock);
	return found;
}

void sdp_nic_wait_gone(const struct sdp_counts __percpu *counts)
{
	wait_event(keys_gone, !has_keys(counts));
}

void sdp_nic_flush(void)
{
	/* They are dropped after a grace period. */
	rcu_barrier();
	flush_workqueue(wq);
}

int sdp_nic_init(void)
{
	wq = alloc_workqueue(SDP_NAMED("_nic"), WQ_UNBOUND, 0);
	return wq ? 0 : -ENOMEM;
}

void sdp_nic_exit(void)
{
	sdp_nic_flush();
	destroy_workqueue(wq);
	wq = NULL;
}
