// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../../observe/name.h"
#include "kept.h"
#include "memory.h"
#include "plain.h"
#include "pressure.h"
#include "rpc_table.h"

#define BUCKET_SHIFT 12
#define BUCKETS (1U << BUCKET_SHIFT)

/*
 * Of the RPCs of a namespace, which has an array of these and nothing else in it, so that
 * it takes 64 KB and not one byte more: however many RPCs another one has, these are found
 * as fast.
 */
struct sdp_rpc_bucket {
	struct hlist_nulls_head head;
	spinlock_t lock;
};

static atomic_long_t namespaces;
static u64 hash_factor[8] __read_mostly;
static struct kmem_cache *rpc_cache __read_mostly;

/*
 * Multiply-shift hashing with random 64-bit factors is universal: who does not
 * know them cannot choose ids that collide. Our own ids are unique in the
 * namespace, and a receiver may name a request by its id alone; those of other
 * hosts are not.
 */
static u32 hash_of(const struct sdp_rpc_id *who)
{
	u64 sum = (u32)who->id * hash_factor[0] +
		  (who->id >> 32) * hash_factor[1] +
		  who->port * hash_factor[2];

	if (who->id & 1)
		sum += (__force u32)who->addr.s6_addr32[3] * hash_factor[3] +
		       (__force u32)who->addr.s6_addr32[2] * hash_factor[4] +
		       (__force u32)who->addr.s6_addr32[1] * hash_factor[5] +
		       (__force u32)who->addr.s6_addr32[0] * hash_factor[6] +
		       who->pport * hash_factor[7];
	return sum >> 32;
}

/* Same but for the socket. */
static bool alike(const struct sdp_rpc_id *a, const struct sdp_rpc_id *b)
{
	return a->id == b->id && a->sn == b->sn && a->port == b->port &&
	       a->pport == b->pport && a->secure == b->secure &&
	       ipv6_addr_equal(&a->addr, &b->addr);
}

struct sdp_rpc *sdp_rpc_alloc(struct sdp_endpoint *ep,
			      const struct sdp_rpc_id *who,
			      struct sdp_peer *peer,
			      struct sdp_session *session, gfp_t gfp)
{
	struct sdp_rpc *rpc = kmem_cache_alloc(rpc_cache, gfp);
	int i;

	if (!rpc)
		return NULL;
	memset_startat(rpc, 0, secure);
	/* @hashed is false since its life before: whoever finds it by that looks. */
	rpc->who = *who;
	rpc->who.ep = ep;
	rpc->hash = hash_of(who);
	rpc->ep = ep;
	rpc->peer = peer;
	rpc->session = session;
	rpc->secure = session;
	rpc->pctx = session ? sdp_session_transport(session) : &peer->pctx;
	rpc->rx_root = RB_ROOT;
	for (i = 0; i < PROG_RANKS; i++) {
		rpc->rank[i].group = NULL;
		rpc->rank[i].position = SDP_RANK_NOWHERE;
		rpc->rank[i].secure = rpc->secure;
	}
	INIT_LIST_HEAD(&rpc->ep_link);
	INIT_HLIST_NODE(&rpc->session_link);
	INIT_LIST_HEAD(&rpc->ready_link);
	INIT_LIST_HEAD(&rpc->in_link);
	INIT_LIST_HEAD(&rpc->park_link);
	refcount_set(&rpc->refs, 1);
	return rpc;
}

void sdp_rpc_drop_tx(struct sdp_rpc *rpc)
{
	u32 length = rpc->tx.length;

	if (!length)
		return;
	if (unlikely(sdp_txbuf_plain(&rpc->tx))) {
		sdp_plain_remove(rpc);
		length += sdp_txbuf_sealed_bytes(&rpc->tx);
	}
	sdp_memory_uncharge_tx(rpc->ep, rpc->secure, rpc->payer, length);
	sdp_txbuf_free(&rpc->tx);
	rpc->tx.length = 0;
}

void sdp_rpc_spend_tx(struct sdp_rpc *rpc)
{
	struct sdp_txbuf spent = {};

	sdp_rpc_lock(rpc);
	/*
	 * Whoever looks at the bytes without the lock holds a reference, besides the
	 * table's and ours; so does the table of plain messages. Nothing is left whose turn
	 * to be sent may come.
	 */
	if (rpc->hashed && refcount_read(&rpc->refs) == 2 &&
	    !rpc->rank[PROG_RANK_SEND].group && !sdp_txbuf_plain(&rpc->tx))
		sdp_txbuf_move(&spent, &rpc->tx);
	sdp_rpc_unlock(rpc);
	if (!spent.length)
		return;
	sdp_memory_uncharge_tx(rpc->ep, rpc->secure, rpc->payer, spent.length);
	sdp_txbuf_free(&spent);
}

static void rpc_free(struct sdp_rpc *rpc)
{
	sdp_rpc_rx_free(rpc);
	sdp_rpc_drop_tx(rpc);
	if (sdp_rpc_is_server(rpc))
		sdp_memory_uncharge_rpc(rpc->ep, rpc->secure);
	sdp_tx_end(&rpc->seal);
	sdp_rx_end(&rpc->open);
	if (rpc->client) {
		atomic_dec(&rpc->client->open);
		sdp_client_put(rpc->client);
		sdp_seen_put(rpc->seen);
	} else if (rpc->session && sdp_rpc_is_server(rpc)) {
		atomic_dec(&rpc->pctx->open);
	}
	sdp_session_put(rpc->session);
	sdp_peer_put(rpc->peer);
	kmem_cache_free(rpc_cache, rpc);
}

void sdp_rpc_put(struct sdp_rpc *rpc)
{
	if (refcount_dec_and_test(&rpc->refs))
		rpc_free(rpc);
}

/* Why a socket may have no such RPC any more, or 0. */
static int refuse(const struct sdp_endpoint *ep, const struct sdp_rpc *rpc)
{
	lockdep_assert_held(&ep->lock);
	if (ep->shutdown)
		return -ESHUTDOWN;
	/* Bound to another port meanwhile. */
	if (rpc->who.port != ep->port)
		return -EADDRNOTAVAIL;
	if (rpc->session && sdp_session_dead(rpc->session))
		return -ECONNRESET;
	return 0;
}

static void list_ep(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&ep->lock);
	rpc->serial = ep->serial + 1;
	WRITE_ONCE(ep->serial, rpc->serial);
	list_add_tail(&rpc->ep_link, &ep->rpcs);
	WRITE_ONCE(ep->rpc_count, ep->rpc_count + 1);
	if (rpc->session)
		hlist_add_head(&rpc->session_link, &rpc->pctx->rpcs);
}

static void unlist_ep(struct sdp_rpc *rpc)
{
	lockdep_assert_held(&rpc->ep->lock);
	list_del_init(&rpc->ep_link);
	WRITE_ONCE(rpc->ep->rpc_count, rpc->ep->rpc_count - 1);
	if (rpc->session)
		hlist_del_init(&rpc->session_link);
}

/*
 * Is there no such RPC, and are there few at other sockets, which have its port or had it
 * (orphans)? These share the bucket, by whatever name somebody gives them.
 */
static bool is_new(const struct sdp_rpc_bucket *bucket, const struct sdp_rpc *rpc)
{
	struct hlist_nulls_node *pos;
	struct sdp_rpc *other;
	u32 count = 0;

	hlist_nulls_for_each_entry(other, pos, &bucket->head, node) {
		if (!alike(&other->who, &rpc->who))
			continue;
		if (other->who.ep == rpc->who.ep || ++count == SDP_PORTS_OWNERS)
			return false;
	}
	return true;
}

static struct sdp_rpc_bucket *rpc_bucket(const struct sdp_rpc *rpc)
{
	return &rpc->who.sn->rpcs[rpc->hash & (BUCKETS - 1)];
}

int sdp_rpc_insert(struct sdp_rpc *rpc)
{
	struct sdp_rpc_bucket *bucket = rpc_bucket(rpc);
	struct sdp_endpoint *ep = rpc->ep;
	int err;

	sdp_rpc_lock(rpc);
	spin_lock(&ep->lock);
	/* Whoever ends all of these under @ep->lock has not been here, or has. */
	err = refuse(ep, rpc);
	if (err) {
		spin_unlock(&ep->lock);
		sdp_rpc_unlock(rpc);
		return err;
	}
	list_ep(rpc);
	spin_unlock(&ep->lock);

	spin_lock(&bucket->lock);
	if (!is_new(bucket, rpc)) {
		spin_unlock(&bucket->lock);
		spin_lock(&ep->lock);
		unlist_ep(rpc);
		spin_unlock(&ep->lock);
		sdp_rpc_unlock(rpc);
		return -EEXIST;
	}
	rpc->hashed = true;
	hlist_nulls_add_head_rcu(&rpc->node, &bucket->head);
	spin_unlock(&bucket->lock);
	return 0;
}

/* Is a packet that came to @at, and names such an RPC, about this one? Locked. */
static bool concerns(const struct sdp_rpc *rpc, const struct sdp_rpc_id *who,
		     const struct sdp_inlet *at, bool orphan)
{
	const struct sdp_endpoint *ep = rpc->ep;

	if (orphan && !READ_ONCE(ep->orphan))
		return false;
	if (ep == who->ep)
		return true;
	if (!ipv6_addr_equal(at->local, &rpc->peer->local))
		return false;
	/* Ids of our own tell sockets apart, whichever way is taken. */
	return !sdp_rpc_is_server(rpc) ||
	       inet_sk_bound_dev_eq(who->sn->net, sdp_endpoint_device(ep),
				    at->dif, at->sdif);
}

/* @at: NULL, for that of who->ep. */
static __always_inline struct sdp_rpc *find_lock(const struct sdp_rpc_id *who,
						 const struct sdp_inlet *at,
						 bool orphan)
{
	/* Pairs with sdp_rpc_table_make(). */
	const struct sdp_rpc_bucket *table = smp_load_acquire(&who->sn->rpcs);
	u32 hash = hash_of(who);
	u32 slot = hash & (BUCKETS - 1);
	struct hlist_nulls_node *pos;
	struct sdp_rpc *rpc;
	bool again;

	if (unlikely(!table))
		return NULL;
begin:
	hlist_nulls_for_each_entry_rcu(rpc, pos, &table[slot].head, node) {
		/*
		 * It may be about to begin another life, in which nobody finds it by what it
		 * is being given: what is read here is compared again under the lock.
		 */
		if (data_race(rpc->hash) != hash)
			continue;
		/* A client may have RPCs of one name at all sockets of the port. */
		if (!at && unlikely(data_race(rpc->who.ep) != who->ep))
			continue;
		sdp_rpc_lock(rpc);
		/* The object may have begun another life, or have ended. */
		if (likely(rpc->hashed && alike(&rpc->who, who)) &&
		    (at ? concerns(rpc, who, at, orphan) :
			  likely(rpc->who.ep == who->ep)))
			return rpc;
		/* Only an RPC in the table keeps its name, as long as it is locked. */
		again = !rpc->hashed || rpc->hash != hash;
		sdp_rpc_unlock(rpc);
		if (again)
			goto begin;
	}
	if (unlikely(get_nulls_value(pos) != who->sn->rpc_ends + slot))
		goto begin;
	return NULL;
}

struct sdp_rpc *sdp_rpc_find_lock(const struct sdp_rpc_id *who)
{
	return find_lock(who, NULL, false);
}

struct sdp_rpc *sdp_rpc_find_at_lock(const struct sdp_rpc_id *who,
				     const struct sdp_inlet *at, bool orphan)
{
	return find_lock(who, at, orphan);
}

struct sdp_rpc *sdp_rpc_find_client_lock(struct sdp_endpoint *ep, u64 id)
{
	const struct sdp_rpc_id who = { .id = id, .port = READ_ONCE(ep->port) };
	const struct sdp_rpc_bucket *table = ep->sn->rpcs;
	u32 hash = hash_of(&who);
	u32 slot = hash & (BUCKETS - 1);
	struct hlist_nulls_node *pos;
	struct sdp_rpc *rpc;

begin:
	hlist_nulls_for_each_entry_rcu(rpc, pos, &table[slot].head, node) {
		/* As in find_lock(). */
		if (data_race(rpc->hash != hash || rpc->who.id != id || rpc->ep != ep))
			continue;
		sdp_rpc_lock(rpc);
		if (likely(rpc->hashed && rpc->who.id == id && rpc->ep == ep))
			return rpc;
		sdp_rpc_unlock(rpc);
		goto begin;
	}
	if (unlikely(get_nulls_value(pos) != ep->sn->rpc_ends + slot))
		goto begin;
	return NULL;
}

void sdp_rpc_end(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;
	struct sdp_rpc_bucket *bucket;
	bool claimed;

	lockdep_assert_held(&rpc->lock);
	WRITE_ONCE(rpc->over, true);
	if (!rpc->hashed)
		return;
	rpc->hashed = false;
	bucket = rpc_bucket(rpc);
	spin_lock(&bucket->lock);
	hlist_nulls_del_rcu(&rpc->node);
	spin_unlock(&bucket->lock);
	spin_lock(&ep->lock);
	unlist_ep(rpc);
	if (!list_empty(&rpc->ready_link)) {
		list_del_init(&rpc->ready_link);
		WRITE_ONCE(ep->ready_count, ep->ready_count - 1);
		/* Pairs with sdp_endpoint_ready(). */
		smp_store_release(&ep->ready_gone, ep->ready_gone + 1);
	}
	if (unlikely(!list_empty(&rpc->park_link)))
		list_del_init(&rpc->park_link);
	sdp_rpc_set_ready(rpc, false);
	claimed = rpc->claimed;
	sdp_pressure_unlist(rpc);
	spin_unlock(&ep->lock);
	sdp_pressure_left(rpc);
	/* A receiver that copies from the packets frees them at the end. */
	if (!claimed)
		sdp_rpc_rx_free(rpc);
	sdp_rpc_put(rpc);
}

/* Once per object, not per life: see struct sdp_rpc. */
static void rpc_construct(void *object)
{
	struct sdp_rpc *rpc = object;

	spin_lock_init(&rpc->lock);
	rpc->hashed = false;
	refcount_set(&rpc->refs, 0);
}

/*
 * No two namespaces have a bucket that ends alike: a reader whom an RPC's next life takes into
 * another table notices. The end's lowest bit says that it is one.
 */
void sdp_rpc_table_init(struct sdp_net *sn)
{
	sn->rpc_ends = ((unsigned long)atomic_long_inc_return(&namespaces)
			<< BUCKET_SHIFT) & (ULONG_MAX >> 1);
}

int sdp_rpc_table_make(struct sdp_net *sn)
{
	struct sdp_rpc_bucket *table;
	u32 i;

	if (likely(READ_ONCE(sn->rpcs)))
		return 0;
	table = kvmalloc_array(BUCKETS, sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	for (i = 0; i < BUCKETS; i++) {
		INIT_HLIST_NULLS_HEAD(&table[i].head, sn->rpc_ends + i);
		spin_lock_init(&table[i].lock);
	}
	/* Fully ordered. Another socket may have been first, with the same ends. */
	if (cmpxchg(&sn->rpcs, NULL, table))
		kvfree(table);
	return 0;
}

void sdp_rpc_table_free(struct sdp_net *sn)
{
	struct sdp_rpc_bucket *table = sn->rpcs;

	sn->rpcs = NULL;
	kvfree_rcu_mightsleep(table);
}

int sdp_rpc_init(void)
{
	get_random_bytes(hash_factor, sizeof(hash_factor));
	rpc_cache = kmem_cache_create(SDP_NAMED("_rpc"), sizeof(struct sdp_rpc),
				      0, SLAB_HWCACHE_ALIGN |
				      SLAB_TYPESAFE_BY_RCU, rpc_construct);
	return rpc_cache ? 0 : -ENOMEM;
}

void sdp_rpc_exit(void)
{
	/* Objects are type-safe under RCU: wait before the cache goes. */
	rcu_barrier();
	kmem_cache_destroy(rpc_cache);
}
