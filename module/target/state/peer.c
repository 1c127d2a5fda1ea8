// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/ipv6.h>

#include "../../observe/name.h"
#include "../../observe/observe.h"
#include "peer.h"

/* Peers and clients that nobody has used for so long are forgotten. */
#define IDLE (30 * HZ)
/* Objects that are looked at for a victim when there are too many: in softirq. */
#define LOOKS 512
/* Namespaces of which the one that has most gives one up when there are too many in all. */
#define SAMPLE 32

/* All namespaces together: a part of memory, and no more than this. */
#define MEMORY_PART 64
#define MOST (1 << 18)

/**
 * struct sdp_peer_tables - what a namespace has met.
 * @sn:     the namespace.
 * @of:     the tables.
 * @forget: forgets what nobody has used; runs only while there is something.
 * @index:  in @nets.
 */
struct sdp_peer_tables {
	struct sdp_net *sn;
	struct sdp_table of[SDP_MET_KINDS];
	struct delayed_work forget;
	u32 index;
};

/**
 * struct total - objects of all namespaces, at most @host_peers.
 * @all:    how many.
 * @guests: those of namespaces that users have made, and strangers; at most
 *          half of them.
 */
struct total {
	atomic_t all;
	atomic_t guests;
};

static struct total totals[SDP_MET_KINDS];

/* Namespaces that have tables, until they go: RCU. Nobody needs it but for want of room. */
static DEFINE_XARRAY_ALLOC(nets);
/* Where the next sample of them begins. */
static unsigned long hand;

static unsigned int host_peers;
module_param(host_peers, uint, 0644);
MODULE_PARM_DESC(host_peers, "Peers, clients, and parts of what these have asked for, remembered in all network namespaces together (default: by the size of memory)");
static struct kmem_cache *peer_cache;
static struct kmem_cache *client_cache;
static struct kmem_cache *seen_cache;

static struct sdp_peer *peer_of(const struct sdp_table_entry *entry)
{
	return container_of(entry, struct sdp_peer, entry);
}

static struct sdp_client *client_of(const struct sdp_table_entry *entry)
{
	return container_of(entry, struct sdp_client, entry);
}

static struct sdp_seen *seen_of(const struct sdp_table_entry *entry)
{
	return container_of(entry, struct sdp_seen, entry);
}

void sdp_pctx_init(struct sdp_pctx *pctx)
{
	u32 i;

	spin_lock_init(&pctx->lock);
	INIT_HLIST_HEAD(&pctx->rpcs);
	pctx->nic.key_at = jiffies;
	for (i = 0; i < PROG_RANKS; i++)
		sdp_rank_group_init(&pctx->group[i]);
}

static void peer_free(struct rcu_head *rcu)
{
	kmem_cache_free(peer_cache,
			container_of(rcu, struct sdp_peer, entry.rcu));
}

/* Is the namespace one that a user made, whose root is no root of the machine? */
static bool lent(const struct sdp_net *sn)
{
	return sn->net->user_ns != &init_user_ns;
}

static void uncount(struct sdp_net *sn, enum sdp_met kind, bool stranger)
{
	if (stranger || lent(sn))
		atomic_dec(&totals[kind].guests);
	atomic_dec(&totals[kind].all);
	/* Last: a namespace that goes waits for it. */
	atomic_dec(&sn->met[kind]);
}

static void uncount_peer(struct sdp_net *sn, bool stranger)
{
	if (stranger)
		atomic_dec(&sn->strangers);
	uncount(sn, SDP_MET_PEER, stranger);
}

/* The peer is a stranger no more. */
static void acquaint(struct sdp_peer *peer)
{
	struct sdp_net *sn = peer->key.sn;

	if (likely(!READ_ONCE(peer->stranger)) || !xchg(&peer->stranger, false))
		return;
	atomic_dec(&sn->strangers);
	if (!lent(sn))
		atomic_dec(&totals[SDP_MET_PEER].guests);
}

static void peer_gone(struct sdp_table_entry *entry)
{
	struct sdp_peer *peer = peer_of(entry);

	/* The namespace may go once it is counted down, and with it its routes. */
	dst_release(unrcu_pointer(xchg(&peer->dst, NULL)));
	uncount_peer(peer->key.sn, xchg(&peer->stranger, false));
}

static void client_free(struct rcu_head *rcu)
{
	struct sdp_client *client =
		container_of(rcu, struct sdp_client, entry.rcu);
	struct sdp_peer *peer = rcu_dereference_protected(client->peer, true);

	if (peer)
		sdp_peer_put(peer);
	kmem_cache_free(client_cache, client);
}

static void client_gone(struct sdp_table_entry *entry)
{
	uncount(client_of(entry)->key.sn, SDP_MET_CLIENT, false);
}

static void seen_free(struct rcu_head *rcu)
{
	kmem_cache_free(seen_cache, container_of(rcu, struct sdp_seen, entry.rcu));
}

static void seen_gone(struct sdp_table_entry *entry)
{
	uncount(seen_of(entry)->key.client.sn, SDP_MET_SEEN, false);
}

static bool is_stranger(const struct sdp_table_entry *entry)
{
	return READ_ONCE(peer_of(entry)->stranger);
}

/* Its client asks for none of these requests any more, by their namespace's settings. */
static bool is_old(const struct sdp_table_entry *entry)
{
	const struct sdp_net *sn = seen_of(entry)->key.client.sn;
	u64 ns = prog_forget_ns(sdp_params(sn));

	return time_after(jiffies,
			  READ_ONCE(entry->used) + nsecs_to_jiffies(ns) + 1);
}

/* Let go of a client's peer, which it holds only to save a look-up. */
static bool unpin(struct sdp_table_entry *entry)
{
	return sdp_peer_replace(&client_of(entry)->peer, NULL);
}

static_assert(offsetof(struct sdp_peer, key) == sizeof(struct sdp_table_entry));
static_assert(offsetof(struct sdp_client, key) ==
	      sizeof(struct sdp_table_entry));
static_assert(offsetof(struct sdp_seen, key) == sizeof(struct sdp_table_entry));
static_assert(sizeof(struct sdp_seen_key) == 40);

static void plan_to_forget(struct sdp_peer_tables *tables)
{
	queue_delayed_work(system_unbound_wq, &tables->forget, IDLE / 2);
}

/* Whoever comes here has a socket, which has made them. */
static struct sdp_table *table_of(const struct sdp_net *sn, enum sdp_met kind)
{
	return &sn->tables->of[kind];
}

void sdp_peer_retire(struct sdp_peer *peer)
{
	lockdep_assert_held(&peer->lock);
	WRITE_ONCE(peer->key.retired, 1);
	sdp_table_scatter(table_of(peer->key.sn, SDP_MET_PEER), &peer->entry);
}

static bool is_empty(const struct sdp_net *sn)
{
	return !atomic_read(&sn->met[SDP_MET_PEER]) &&
	       !atomic_read(&sn->met[SDP_MET_CLIENT]) &&
	       !atomic_read(&sn->met[SDP_MET_SEEN]);
}

static void forget_idle(struct work_struct *work)
{
	struct sdp_peer_tables *tables = container_of(to_delayed_work(work),
						      struct sdp_peer_tables,
						      forget);

	sdp_table_evict(&tables->of[SDP_MET_PEER], IDLE, SDP_TABLE_ALL, U32_MAX,
			NULL);
	sdp_table_evict(&tables->of[SDP_MET_CLIENT], IDLE, SDP_TABLE_ALL, U32_MAX,
			NULL);
	sdp_table_evict(&tables->of[SDP_MET_SEEN], 0, SDP_TABLE_ALL, U32_MAX,
			is_old);
	if (!is_empty(tables->sn))
		plan_to_forget(tables);
}

/* Sacrifice one that nobody uses; of peers, perhaps @strange ones only. */
static bool evict_one(struct sdp_net *sn, enum sdp_met kind, bool strange)
{
	struct sdp_table *table = table_of(sn, kind);
	bool (*match)(const struct sdp_table_entry *entry) = NULL;

	if (kind == SDP_MET_SEEN)
		match = is_old;
	else if (strange)
		match = is_stranger;
	if (sdp_table_evict(table, 0, LOOKS, 1, match))
		return true;
	return kind == SDP_MET_PEER &&
	       sdp_table_visit(table_of(sn, SDP_MET_CLIENT), LOOKS, unpin) &&
	       sdp_table_evict(table, 0, LOOKS, 1, match);
}

/* How many a namespace has of those that are too many. */
static int weight_of(const struct sdp_net *sn, enum sdp_met kind, bool guests)
{
	if (!guests || lent(sn))
		return atomic_read(&sn->met[kind]);
	return kind == SDP_MET_PEER ? atomic_read(&sn->strangers) : 0;
}

/* The namespace that has most of them, of some; NULL: these have none. Under RCU. */
static struct sdp_net *sample_heaviest(enum sdp_met kind, bool guests)
{
	unsigned long index = READ_ONCE(hand), start = index;
	struct sdp_net *best = NULL, *sn;
	int most = 0, weight;
	bool around = false;
	u32 i;

	for (i = 0; i < SAMPLE; i++) {
		sn = xa_find(&nets, &index, ULONG_MAX, XA_PRESENT);
		if (!sn && !around) {
			around = true;
			index = 0;
			sn = xa_find(&nets, &index, ULONG_MAX, XA_PRESENT);
		}
		if (!sn || (around && index >= start))
			break;
		weight = weight_of(sn, kind, guests);
		if (weight > most) {
			most = weight;
			best = sn;
		}
		index++;
	}
	/* Others may write it, too: any place is good. */
	WRITE_ONCE(hand, index);
	return best;
}

static bool evict_of(struct sdp_net *sn, enum sdp_met kind, bool guests)
{
	return weight_of(sn, kind, guests) &&
	       evict_one(sn, kind, guests && !lent(sn));
}

/* Room for one of @sn, where all namespaces together have too many: who has most gives. */
static bool sacrifice(struct sdp_net *sn, enum sdp_met kind, bool guests)
{
	struct sdp_net *other;
	bool done;

	rcu_read_lock();
	other = sample_heaviest(kind, guests);
	done = (other && evict_of(other, kind, guests)) ||
	       (other != sn && evict_of(sn, kind, guests));
	rcu_read_unlock();
	return done;
}

/* Count one more of all namespaces, making room if there are too many. */
static bool host_room(struct sdp_net *sn, enum sdp_met kind, bool guest)
{
	struct total *total = &totals[kind];
	u32 most = READ_ONCE(host_peers);

	if (guest && atomic_inc_return(&total->guests) > most / 2 &&
	    !sacrifice(sn, kind, true))
		goto full_guests;
	if (atomic_inc_return(&total->all) <= most || sacrifice(sn, kind, false))
		return true;
	atomic_dec(&total->all);
full_guests:
	if (guest)
		atomic_dec(&total->guests);
	sdp_count(sn->counts, SDP_CTR_host_full);
	return false;
}

/* Count one more in all ways. */
static bool make_room(struct sdp_net *sn, enum sdp_met kind, bool stranger)
{
	if ((atomic_inc_return(&sn->met[kind]) <= READ_ONCE(sn->set.max_peers) ||
	     evict_one(sn, kind, false)) &&
	    host_room(sn, kind, stranger || lent(sn))) {
		plan_to_forget(sn->tables);
		return true;
	}
	atomic_dec(&sn->met[kind]);
	return false;
}

static bool make_room_peer(struct sdp_net *sn, bool stranger)
{
	u32 max = max(READ_ONCE(sn->set.max_peers) / 2, 1U);

	if (stranger && atomic_inc_return(&sn->strangers) > max &&
	    !evict_one(sn, SDP_MET_PEER, true))
		goto full;
	if (make_room(sn, SDP_MET_PEER, stranger))
		return true;
full:
	if (stranger)
		atomic_dec(&sn->strangers);
	return false;
}

struct sdp_peer *sdp_peer_find(const struct sdp_peer_key *key, bool stranger)
{
	struct sdp_table_entry *found = sdp_table_find(table_of(key->sn, SDP_MET_PEER), key);

	if (!found)
		return NULL;
	if (!stranger)
		acquaint(peer_of(found));
	return peer_of(found);
}

struct sdp_peer *sdp_peer_add(const struct sdp_peer_key *key,
			      const struct in6_addr *local, gfp_t gfp,
			      bool stranger)
{
	struct sdp_net *sn = key->sn;
	struct sdp_table_entry *found;
	struct sdp_peer *peer;

	if (!make_room_peer(sn, stranger))
		return ERR_PTR(-ENOBUFS);
	peer = kmem_cache_zalloc(peer_cache, gfp);
	if (!peer) {
		uncount_peer(sn, stranger);
		return ERR_PTR(-ENOMEM);
	}
	peer->key = *key;
	peer->stranger = stranger;
	peer->v4 = ipv6_addr_v4mapped(&key->daddr);
	peer->local = *local;
	spin_lock_init(&peer->lock);
	sdp_pctx_init(&peer->pctx);
	found = sdp_table_add(table_of(sn, SDP_MET_PEER), &peer->entry);
	if (found != &peer->entry) {
		uncount_peer(sn, stranger);
		kmem_cache_free(peer_cache, peer);
	}
	return found ? peer_of(found) : ERR_PTR(-ENOMEM);
}

struct sdp_client *sdp_client_get(const struct sdp_client_key *key)
{
	struct sdp_net *sn = key->sn;
	struct sdp_table *clients = table_of(sn, SDP_MET_CLIENT);
	struct sdp_table_entry *found = sdp_table_find(clients, key);
	struct sdp_client *client;

	if (likely(found))
		return client_of(found);
	if (!make_room(sn, SDP_MET_CLIENT, false))
		return NULL;
	client = kmem_cache_zalloc(client_cache, GFP_ATOMIC);
	if (!client) {
		uncount(sn, SDP_MET_CLIENT, false);
		return NULL;
	}
	client->key = *key;
	found = sdp_table_add(clients, &client->entry);
	if (found != &client->entry) {
		uncount(sn, SDP_MET_CLIENT, false);
		kmem_cache_free(client_cache, client);
	}
	return found ? client_of(found) : NULL;
}

struct sdp_seen *sdp_seen_get(const struct sdp_client_key *client, u64 id)
{
	struct sdp_seen_key key = {
		.client = *client, .part = (id >> 1) / PROG_CLIENT_NUMBERS,
	};
	struct sdp_net *sn = client->sn;
	struct sdp_table *seen = table_of(sn, SDP_MET_SEEN);
	struct sdp_table_entry *found = sdp_table_find(seen, &key);
	struct sdp_seen *new;

	if (likely(found))
		return seen_of(found);
	if (!make_room(sn, SDP_MET_SEEN, false))
		return NULL;
	new = kmem_cache_zalloc(seen_cache, GFP_ATOMIC);
	if (!new) {
		uncount(sn, SDP_MET_SEEN, false);
		return NULL;
	}
	new->key = key;
	spin_lock_init(&new->lock);
	found = sdp_table_add(seen, &new->entry);
	if (found != &new->entry) {
		uncount(sn, SDP_MET_SEEN, false);
		kmem_cache_free(seen_cache, new);
	}
	return found ? seen_of(found) : NULL;
}

static int init_tables(struct sdp_table *of)
{
	int err;

	err = sdp_table_init(&of[SDP_MET_PEER], sizeof(struct sdp_peer_key),
			     peer_free, peer_gone);
	if (err)
		return err;
	err = sdp_table_init(&of[SDP_MET_CLIENT], sizeof(struct sdp_client_key),
			     client_free, client_gone);
	if (err)
		goto exit_peers;
	err = sdp_table_init(&of[SDP_MET_SEEN], sizeof(struct sdp_seen_key),
			     seen_free, seen_gone);
	if (err)
		goto exit_clients;
	return 0;

exit_clients:
	sdp_table_exit(&of[SDP_MET_CLIENT]);
exit_peers:
	sdp_table_exit(&of[SDP_MET_PEER]);
	return err;
}

static struct sdp_peer_tables *new_tables(struct sdp_net *sn)
{
	struct sdp_peer_tables *tables = kzalloc(sizeof(*tables), GFP_KERNEL_ACCOUNT);

	if (!tables)
		return NULL;
	tables->sn = sn;
	INIT_DELAYED_WORK(&tables->forget, forget_idle);
	if (init_tables(tables->of))
		goto free;
	/* A place that cannot be missing once they are in use. */
	if (xa_alloc(&nets, &tables->index, NULL, xa_limit_31b, GFP_KERNEL))
		goto exit;
	return tables;

exit:
	sdp_table_exit(&tables->of[SDP_MET_SEEN]);
	sdp_table_exit(&tables->of[SDP_MET_CLIENT]);
	sdp_table_exit(&tables->of[SDP_MET_PEER]);
free:
	kfree(tables);
	return NULL;
}

static void free_tables(struct sdp_peer_tables *tables)
{
	u32 kind;

	if (!tables)
		return;
	for (kind = 0; kind < SDP_MET_KINDS; kind++)
		sdp_table_exit(&tables->of[kind]);
	kfree(tables);
}

int sdp_peer_tables_make(struct sdp_net *sn)
{
	struct sdp_peer_tables *tables;

	if (likely(READ_ONCE(sn->tables)))
		return 0;
	tables = new_tables(sn);
	if (!tables)
		return -ENOMEM;
	/* Fully ordered. Another socket may have been first. */
	if (cmpxchg(&sn->tables, NULL, tables)) {
		xa_erase(&nets, tables->index);
		free_tables(tables);
	} else {
		xa_store(&nets, tables->index, sn, GFP_KERNEL);
	}
	return 0;
}

void sdp_peer_leave(struct sdp_net *sn)
{
	if (sn->tables)
		xa_erase(&nets, sn->tables->index);
}

/* The table shrinks meanwhile, and what has moved is not met. */
static void evict_all(struct sdp_table *table)
{
	while (sdp_table_evict(table, 0, SDP_TABLE_ALL, U32_MAX, NULL))
		;
}

/* Is nothing left of the namespace? Clients first, which hold peers. */
static bool forget_once(struct sdp_net *sn)
{
	struct sdp_table *of = sn->tables->of;

	evict_all(&of[SDP_MET_SEEN]);
	evict_all(&of[SDP_MET_CLIENT]);
	evict_all(&of[SDP_MET_PEER]);
	return is_empty(sn);
}

static bool forget_all_once(struct list_head *leaving)
{
	struct sdp_net *sn;
	bool done = true;

	list_for_each_entry(sn, leaving, leaving)
		if (sn->tables && !forget_once(sn))
			done = false;
	return done;
}

void sdp_peer_forget_nets(struct list_head *leaving)
{
	struct sdp_net *sn;

	list_for_each_entry(sn, leaving, leaving)
		if (sn->tables)
			disable_delayed_work_sync(&sn->tables->forget);
	/*
	 * RPCs are gone with their sockets. Packets on their way leave RCU, clients let
	 * go of their peers in callbacks; whoever takes longer is asked again.
	 */
	while (!forget_all_once(leaving)) {
		rcu_barrier();
		schedule_timeout_uninterruptible(1);
	}
	list_for_each_entry(sn, leaving, leaving) {
		free_tables(sn->tables);
		sn->tables = NULL;
	}
}

/* How many fit into the part of the machine's memory that is theirs. */
static u32 share_of_memory(void)
{
	u64 bytes = (u64)totalram_pages() << PAGE_SHIFT;

	return min_t(u64, MOST,
		     div_u64(bytes, MEMORY_PART * (sizeof(struct sdp_peer) +
						   sizeof(struct sdp_client) +
						   sizeof(struct sdp_seen))));
}

int sdp_peer_init(void)
{
	int err = -ENOMEM;

	if (!host_peers)
		host_peers = share_of_memory();
	peer_cache = kmem_cache_create(SDP_NAMED("_peer"),
				       sizeof(struct sdp_peer), 0,
				       SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT, NULL);
	if (!peer_cache)
		return err;
	client_cache = kmem_cache_create(SDP_NAMED("_client"),
					 sizeof(struct sdp_client), 0,
					 SLAB_ACCOUNT, NULL);
	if (!client_cache)
		goto free_peer_cache;
	seen_cache = kmem_cache_create(SDP_NAMED("_seen"),
				       sizeof(struct sdp_seen), 0,
				       SLAB_ACCOUNT, NULL);
	if (seen_cache)
		return 0;
	kmem_cache_destroy(client_cache);
free_peer_cache:
	kmem_cache_destroy(peer_cache);
	return err;
}

void sdp_peer_exit(void)
{
	/* The last ones are on their way to their caches. */
	rcu_barrier();
	kmem_cache_destroy(seen_cache);
	kmem_cache_destroy(client_cache);
	kmem_cache_destroy(peer_cache);
}
