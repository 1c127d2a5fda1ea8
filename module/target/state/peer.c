// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/ipv6.h>

#include "../../observe/name.h"
#include "../../observe/observe.h"
#include "peer.h"

/* Peers and clients that nobody has used for so long are forgotten. */
#define IDLE (30 * HZ)
/* Buckets that are looked at for a victim when there are too many. */
#define EVICT_BUCKETS 64

/* All namespaces together: a part of memory, and what the tables are made for. */
#define MEMORY_PART 64
#define MOST (64 * SDP_TABLE_BUCKETS)

static struct sdp_table peers;
static struct sdp_table clients;
static struct sdp_table seen;

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

static struct total all_peers;
static struct total all_clients;
static struct total all_seen;

static unsigned int host_peers;
module_param(host_peers, uint, 0644);
MODULE_PARM_DESC(host_peers, "Peers, clients, and parts of what these have asked for, remembered in all network namespaces together (default: by the size of memory)");
static struct kmem_cache *peer_cache;
static struct kmem_cache *client_cache;
static struct kmem_cache *seen_cache;

static void forget_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(forget_work, forget_idle);

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

static void uncount(struct sdp_net *sn, atomic_t *count, struct total *total,
		    bool stranger)
{
	if (stranger || lent(sn))
		atomic_dec(&total->guests);
	atomic_dec(&total->all);
	/* Last: a namespace that goes waits for it. */
	atomic_dec(count);
}

static void uncount_peer(struct sdp_net *sn, bool stranger)
{
	if (stranger)
		atomic_dec(&sn->strangers);
	uncount(sn, &sn->peers, &all_peers, stranger);
}

/* The peer is a stranger no more. */
static void acquaint(struct sdp_peer *peer)
{
	struct sdp_net *sn = peer->key.sn;

	if (likely(!READ_ONCE(peer->stranger)) || !xchg(&peer->stranger, false))
		return;
	atomic_dec(&sn->strangers);
	if (!lent(sn))
		atomic_dec(&all_peers.guests);
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
	struct sdp_net *sn = client_of(entry)->key.sn;

	uncount(sn, &sn->clients, &all_clients, false);
}

static void seen_free(struct rcu_head *rcu)
{
	kmem_cache_free(seen_cache, container_of(rcu, struct sdp_seen, entry.rcu));
}

static void seen_gone(struct sdp_table_entry *entry)
{
	struct sdp_net *sn = seen_of(entry)->key.client.sn;

	uncount(sn, &sn->seen, &all_seen, false);
}

/* The namespace is the first member of all keys. */
static const struct sdp_net *net_of(const struct sdp_table_entry *entry)
{
	return *(const struct sdp_net *const *)(entry + 1);
}

static bool of_net(const struct sdp_table_entry *entry, const void *sn)
{
	return net_of(entry) == sn;
}

static bool of_guest_clients(const struct sdp_table_entry *entry,
			     const void *sn)
{
	return lent(net_of(entry));
}

static bool of_guest_peers(const struct sdp_table_entry *entry, const void *sn)
{
	return lent(net_of(entry)) || READ_ONCE(peer_of(entry)->stranger);
}

static bool of_strangers(const struct sdp_table_entry *entry, const void *sn)
{
	return net_of(entry) == sn && READ_ONCE(peer_of(entry)->stranger);
}

/*
 * Its client asks for none of these requests any more, by the settings of their own
 * namespace: @arg is another's, perhaps.
 */
static bool old_seen(const struct sdp_table_entry *entry, const void *arg)
{
	u64 ns = prog_forget_ns(&net_of(entry)->set.prog);

	return time_after(jiffies,
			  READ_ONCE(entry->used) + nsecs_to_jiffies(ns) + 1);
}

static bool old_seen_of_net(const struct sdp_table_entry *entry, const void *sn)
{
	return of_net(entry, sn) && old_seen(entry, sn);
}

static bool old_seen_of_guests(const struct sdp_table_entry *entry,
			       const void *sn)
{
	return lent(net_of(entry)) && old_seen(entry, sn);
}

/* Let go of a client's peer, which it holds only to save a look-up. */
static bool unpin(struct sdp_table_entry *entry, const void *sn)
{
	if (sn && net_of(entry) != sn)
		return false;
	return sdp_peer_replace(&client_of(entry)->peer, NULL);
}

static_assert(offsetof(struct sdp_peer, key) == sizeof(struct sdp_table_entry));
static_assert(offsetof(struct sdp_client, key) ==
	      sizeof(struct sdp_table_entry));
static_assert(offsetof(struct sdp_seen, key) == sizeof(struct sdp_table_entry));
static_assert(sizeof(struct sdp_seen_key) == 40);

static bool others_left(const struct sdp_table *table)
{
	u32 i;

	for (i = 0; i < SDP_TABLE_BUCKETS; i++)
		if (!hlist_empty(&table->buckets[i].head))
			return true;
	return false;
}

/* Runs only while there is something that could be forgotten. */
static void forget_idle(struct work_struct *work)
{
	sdp_table_evict(&peers, IDLE, SDP_TABLE_BUCKETS, U32_MAX, NULL, NULL);
	sdp_table_evict(&clients, IDLE, SDP_TABLE_BUCKETS, U32_MAX, NULL, NULL);
	sdp_table_evict(&seen, 0, SDP_TABLE_BUCKETS, U32_MAX, old_seen, NULL);
	if (others_left(&peers) || others_left(&clients) || others_left(&seen))
		schedule_delayed_work(&forget_work, IDLE / 2);
}

typedef bool (*match_fn)(const struct sdp_table_entry *entry, const void *arg);

/* Sacrifice one that matches and that nobody uses. */
static bool evict_one(struct sdp_table *table, match_fn match,
		      const struct sdp_net *sn)
{
	if (sdp_table_evict(table, 0, EVICT_BUCKETS, 1, match, sn))
		return true;
	return table == &peers &&
	       sdp_table_visit(&clients, EVICT_BUCKETS, unpin,
			       match == of_net || match == of_strangers ?
			       sn : NULL) &&
	       sdp_table_evict(table, 0, EVICT_BUCKETS, 1, match, sn);
}

/* Those of a table that may be sacrificed for another of @sn. */
static match_fn any_of(const struct sdp_table *table)
{
	return table == &seen ? old_seen : NULL;
}

static match_fn any_of_net(const struct sdp_table *table)
{
	return table == &seen ? old_seen_of_net : of_net;
}

static match_fn any_of_guests(const struct sdp_table *table)
{
	if (table == &seen)
		return old_seen_of_guests;
	return table == &peers ? of_guest_peers : of_guest_clients;
}

/* Count one more of all namespaces, making room if there are too many. */
static bool host_room(struct sdp_net *sn, struct total *total,
		      struct sdp_table *table, bool guest)
{
	u32 most = READ_ONCE(host_peers);

	if (guest && atomic_inc_return(&total->guests) > most / 2 &&
	    !evict_one(table, any_of_guests(table), sn))
		goto full_guests;
	if (atomic_inc_return(&total->all) <= most ||
	    evict_one(table, any_of(table), sn))
		return true;
	atomic_dec(&total->all);
full_guests:
	if (guest)
		atomic_dec(&total->guests);
	sdp_count(sn->counts, SDP_CTR_host_full);
	return false;
}

/* Count one more in all ways. */
static bool make_room(struct sdp_net *sn, atomic_t *count, struct total *total,
		      struct sdp_table *table, bool stranger)
{
	if ((atomic_inc_return(count) <= READ_ONCE(sn->set.max_peers) ||
	     evict_one(table, any_of_net(table), sn)) &&
	    host_room(sn, total, table, stranger || lent(sn))) {
		schedule_delayed_work(&forget_work, IDLE / 2);
		return true;
	}
	atomic_dec(count);
	return false;
}

static bool make_room_peer(struct sdp_net *sn, bool stranger)
{
	u32 max = max(READ_ONCE(sn->set.max_peers) / 2, 1U);

	if (stranger && atomic_inc_return(&sn->strangers) > max &&
	    !evict_one(&peers, of_strangers, sn))
		goto full;
	if (make_room(sn, &sn->peers, &all_peers, &peers, stranger))
		return true;
full:
	if (stranger)
		atomic_dec(&sn->strangers);
	return false;
}

struct sdp_peer *sdp_peer_find(const struct sdp_peer_key *key, bool stranger)
{
	struct sdp_table_entry *found = sdp_table_find(&peers, key);

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
	found = sdp_table_add(&peers, &peer->entry);
	if (found != &peer->entry) {
		uncount_peer(sn, stranger);
		kmem_cache_free(peer_cache, peer);
	}
	return peer_of(found);
}

struct sdp_client *sdp_client_get(const struct sdp_client_key *key)
{
	struct sdp_table_entry *found = sdp_table_find(&clients, key);
	struct sdp_net *sn = key->sn;
	struct sdp_client *client;

	if (likely(found))
		return client_of(found);
	if (!make_room(sn, &sn->clients, &all_clients, &clients, false))
		return NULL;
	client = kmem_cache_zalloc(client_cache, GFP_ATOMIC);
	if (!client) {
		uncount(sn, &sn->clients, &all_clients, false);
		return NULL;
	}
	client->key = *key;
	found = sdp_table_add(&clients, &client->entry);
	if (found != &client->entry) {
		uncount(sn, &sn->clients, &all_clients, false);
		kmem_cache_free(client_cache, client);
	}
	return client_of(found);
}

struct sdp_seen *sdp_seen_get(const struct sdp_client_key *client, u64 id)
{
	struct sdp_seen_key key = {
		.client = *client, .part = (id >> 1) / PROG_CLIENT_NUMBERS,
	};
	struct sdp_table_entry *found = sdp_table_find(&seen, &key);
	struct sdp_net *sn = client->sn;
	struct sdp_seen *new;

	if (likely(found))
		return seen_of(found);
	if (!make_room(sn, &sn->seen, &all_seen, &seen, false))
		return NULL;
	new = kmem_cache_zalloc(seen_cache, GFP_ATOMIC);
	if (!new) {
		uncount(sn, &sn->seen, &all_seen, false);
		return NULL;
	}
	new->key = key;
	spin_lock_init(&new->lock);
	found = sdp_table_add(&seen, &new->entry);
	if (found != &new->entry) {
		uncount(sn, &sn->seen, &all_seen, false);
		kmem_cache_free(seen_cache, new);
	}
	return seen_of(found);
}

/* Is nothing left of the namespace? Clients first, which hold peers. */
static bool forget_once(struct sdp_net *sn)
{
	sdp_table_evict(&seen, 0, SDP_TABLE_BUCKETS, U32_MAX, of_net, sn);
	sdp_table_evict(&clients, 0, SDP_TABLE_BUCKETS, U32_MAX, of_net, sn);
	sdp_table_evict(&peers, 0, SDP_TABLE_BUCKETS, U32_MAX, of_net, sn);
	return !atomic_read(&sn->peers) && !atomic_read(&sn->clients) &&
	       !atomic_read(&sn->seen);
}

void sdp_peer_forget_net(struct sdp_net *sn)
{
	/*
	 * RPCs are gone with their sockets. Packets on their way leave RCU, clients let
	 * go of their peers in callbacks; whoever takes longer is asked again.
	 */
	while (!forget_once(sn)) {
		rcu_barrier();
		schedule_timeout_uninterruptible(1);
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
	if (!seen_cache)
		goto free_client_cache;
	err = sdp_table_init(&peers, sizeof(struct sdp_peer_key), peer_free,
			     peer_gone);
	if (err)
		goto free_seen_cache;
	err = sdp_table_init(&clients, sizeof(struct sdp_client_key),
			     client_free, client_gone);
	if (err)
		goto free_peers;
	err = sdp_table_init(&seen, sizeof(struct sdp_seen_key), seen_free,
			     seen_gone);
	if (err)
		goto free_clients;
	return 0;

free_clients:
	sdp_table_exit(&clients);
free_peers:
	sdp_table_exit(&peers);
free_seen_cache:
	kmem_cache_destroy(seen_cache);
free_client_cache:
	kmem_cache_destroy(client_cache);
free_peer_cache:
	kmem_cache_destroy(peer_cache);
	return err;
}

void sdp_peer_exit(void)
{
	cancel_delayed_work_sync(&forget_work);
	sdp_table_exit(&seen);
	sdp_table_exit(&clients);
	sdp_table_exit(&peers);
	kmem_cache_destroy(seen_cache);
	kmem_cache_destroy(client_cache);
	kmem_cache_destroy(peer_cache);
}
