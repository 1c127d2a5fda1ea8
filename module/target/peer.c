// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/route.h>

#include "../observe/name.h"
#include "peer.h"

/* Peers and clients that nobody has used for so long are forgotten. */
#define IDLE (30 * HZ)
/* Buckets that are looked at for a victim when there are too many. */
#define EVICT_BUCKETS 64

static struct sdp_table peers;
static struct sdp_table clients;
static struct kmem_cache *peer_cache;
static struct kmem_cache *client_cache;

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

void sdp_pctx_init(struct sdp_pctx *pctx)
{
	u32 i;

	spin_lock_init(&pctx->lock);
	for (i = 0; i < PROG_RANKS; i++)
		sdp_rank_group_init(&pctx->group[i]);
}

static void peer_free(struct rcu_head *rcu)
{
	struct sdp_peer *peer = container_of(rcu, struct sdp_peer, entry.rcu);

	dst_release(rcu_dereference_protected(peer->dst, true));
	kmem_cache_free(peer_cache, peer);
}

static void peer_gone(struct sdp_table_entry *entry)
{
	atomic_dec(&peer_of(entry)->key.sn->peers);
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
	atomic_dec(&client_of(entry)->key.sn->clients);
}

static bool of_net(const struct sdp_table_entry *entry, const void *sn)
{
	/* The namespace is the first member of both keys. */
	return *(const struct sdp_net *const *)(entry + 1) == sn;
}

static_assert(offsetof(struct sdp_peer, key) == sizeof(struct sdp_table_entry));
static_assert(offsetof(struct sdp_client, key) ==
	      sizeof(struct sdp_table_entry));

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
	if (others_left(&peers) || others_left(&clients))
		schedule_delayed_work(&forget_work, IDLE / 2);
}

/*
 * Count one more, making room if there are too many: @idle is how long an
 * object must have been unused to be sacrificed.
 */
static bool make_room(struct sdp_net *sn, atomic_t *count, u32 max,
		      struct sdp_table *table, unsigned long idle)
{
	if (atomic_inc_return(count) <= max ||
	    sdp_table_evict(table, idle, EVICT_BUCKETS, 1, of_net, sn)) {
		schedule_delayed_work(&forget_work, IDLE / 2);
		return true;
	}
	atomic_dec(count);
	return false;
}

struct sdp_peer *sdp_peer_get(const struct sdp_peer_key *key, gfp_t gfp)
{
	struct sdp_table_entry *found = sdp_table_find(&peers, key);
	struct sdp_net *sn = key->sn;
	struct sdp_peer *peer;

	if (likely(found))
		return peer_of(found);
	if (!make_room(sn, &sn->peers, READ_ONCE(sn->set.max_peers), &peers, 0))
		return ERR_PTR(-ENOBUFS);
	peer = kmem_cache_zalloc(peer_cache, gfp);
	if (!peer) {
		atomic_dec(&sn->peers);
		return ERR_PTR(-ENOMEM);
	}
	peer->key = *key;
	peer->v4 = ipv6_addr_v4mapped(&key->daddr);
	spin_lock_init(&peer->lock);
	seqcount_spinlock_init(&peer->local_seq, &peer->lock);
	sdp_pctx_init(&peer->pctx);
	found = sdp_table_add(&peers, &peer->entry);
	if (found != &peer->entry) {
		atomic_dec(&sn->peers);
		kmem_cache_free(peer_cache, peer);
	}
	return peer_of(found);
}

struct sdp_client *sdp_client_get(const struct sdp_client_key *key)
{
	struct sdp_table_entry *found = sdp_table_find(&clients, key);
	struct sdp_net *sn = key->sn;
	struct sdp_client *client;
	unsigned long idle;

	if (likely(found))
		return client_of(found);
	/* A younger memory than this still protects from duplicates. */
	idle = nsecs_to_jiffies(sn->set.prog.forget_ns) + 1;
	if (!make_room(sn, &sn->clients, READ_ONCE(sn->set.max_peers), &clients,
		       idle))
		return NULL;
	client = kmem_cache_zalloc(client_cache, GFP_ATOMIC);
	if (!client) {
		atomic_dec(&sn->clients);
		return NULL;
	}
	client->key = *key;
	spin_lock_init(&client->lock);
	found = sdp_table_add(&clients, &client->entry);
	if (found != &client->entry) {
		atomic_dec(&sn->clients);
		kmem_cache_free(client_cache, client);
	}
	return client_of(found);
}

static struct dst_entry *route_v4(struct sdp_peer *peer, const struct sock *sk)
{
	const struct sdp_peer_key *key = &peer->key;
	struct flowi4 fl4;
	struct rtable *rt;

	flowi4_init_output(&fl4, key->oif, key->mark, 0, RT_SCOPE_UNIVERSE,
			   sk->sk_protocol, inet_sk_flowi_flags(sk),
			   key->daddr.s6_addr32[3], key->saddr.s6_addr32[3], 0,
			   0, KUIDT_INIT(key->uid));
	security_sk_classify_flow(sk, flowi4_to_flowi_common(&fl4));
	rt = ip_route_output_flow(key->sn->net, &fl4, sk);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		ip_rt_put(rt);
		return ERR_PTR(-EACCES);
	}
	/* Its last four bytes are read as one, without the lock. */
	if (peer->local.s6_addr32[3] != fl4.saddr)
		ipv6_addr_set_v4mapped(fl4.saddr, &peer->local);
	return &rt->dst;
}

static struct dst_entry *route_v6(struct sdp_peer *peer, const struct sock *sk)
{
	const struct sdp_peer_key *key = &peer->key;
	struct flowi6 fl6 = {
		.flowi6_oif = key->oif,
		.flowi6_mark = key->mark,
		.flowi6_proto = sk->sk_protocol,
		.flowi6_uid = KUIDT_INIT(key->uid),
		.daddr = key->daddr,
		.saddr = key->saddr,
	};
	struct dst_entry *dst;

	security_sk_classify_flow(sk, flowi6_to_flowi_common(&fl6));
	dst = ip6_dst_lookup_flow(key->sn->net, sk, &fl6, NULL);
	if (!IS_ERR(dst)) {
		write_seqcount_begin(&peer->local_seq);
		peer->local = fl6.saddr;
		write_seqcount_end(&peer->local_seq);
		WRITE_ONCE(peer->cookie, rt6_get_cookie(dst_rt6_info(dst)));
	}
	return dst;
}

static struct dst_entry *route_again(struct sdp_peer *peer,
				     const struct sock *sk)
{
	struct dst_entry *dst, *old;

	spin_lock_bh(&peer->lock);
	dst = peer->v4 ? route_v4(peer, sk) : route_v6(peer, sk);
	old = rcu_replace_pointer(peer->dst, IS_ERR(dst) ? NULL : dst,
				  lockdep_is_held(&peer->lock));
	spin_unlock_bh(&peer->lock);
	dst_release(old);
	return dst;
}

struct dst_entry *sdp_peer_route(struct sdp_peer *peer, const struct sock *sk)
{
	struct dst_entry *dst = rcu_dereference(peer->dst);

	if (likely(dst) && (!READ_ONCE(dst->obsolete) ||
			    dst->ops->check(dst, READ_ONCE(peer->cookie))))
		return dst;
	return route_again(peer, sk);
}

void sdp_peer_forget_net(struct sdp_net *sn)
{
	/* RPCs are gone with their sockets, packets on their way soon will be. */
	while (sdp_table_evict(&peers, 0, SDP_TABLE_BUCKETS, U32_MAX, of_net, sn) ||
	       sdp_table_evict(&clients, 0, SDP_TABLE_BUCKETS, U32_MAX, of_net, sn) ||
	       atomic_read(&sn->peers) || atomic_read(&sn->clients))
		cond_resched();
}

int sdp_peer_init(void)
{
	int err = -ENOMEM;

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
	err = sdp_table_init(&peers, sizeof(struct sdp_peer_key), peer_free,
			     peer_gone);
	if (err)
		goto free_client_cache;
	err = sdp_table_init(&clients, sizeof(struct sdp_client_key),
			     client_free, client_gone);
	if (err)
		goto free_peers;
	return 0;

free_peers:
	sdp_table_exit(&peers);
free_client_cache:
	kmem_cache_destroy(client_cache);
free_peer_cache:
	kmem_cache_destroy(peer_cache);
	return err;
}

void sdp_peer_exit(void)
{
	cancel_delayed_work_sync(&forget_work);
	sdp_table_exit(&clients);
	sdp_table_exit(&peers);
	kmem_cache_destroy(client_cache);
	kmem_cache_destroy(peer_cache);
}
