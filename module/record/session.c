// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of sessions, and their lives.
 *
 * There is one session for a key (socket, peer, ports, namespace, VRF):
 * installing another replaces it. Removal: out of the table and marked dead; after an RCU
 * grace period no softirq is using it, the target is told, the epochs are let
 * go. Messages that hold epochs can only be dropped then.
 */
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/memcontrol.h>
#include <linux/rhashtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uidgid.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "epoch.h"
#include "install.h"

const struct sdp_record_ops *sdp_record_ops __read_mostly;
struct workqueue_struct *sdp_record_wq __read_mostly;

static const struct rhashtable_params table_params = {
	.key_len = sizeof(struct sdp_session_key),
	.key_offset = offsetof(struct sdp_session, key),
	.head_offset = offsetof(struct sdp_session, node),
	.automatic_shrinking = true,
};

static struct rhashtable table;

/* Protects adding, removing, @owners and the owner_node of sessions. */
static DEFINE_MUTEX(sessions_mutex);

/* Held while all sessions are removed; outside of sessions_mutex. */
static DEFINE_MUTEX(wipe_mutex);
static DEFINE_HASHTABLE(owners, 10);

/* No session gets into the table; under sessions_mutex. */
static bool refusing;

/* Sessions of each user, by uid in the initial user namespace. */
static DEFINE_MUTEX(users_mutex);
static DEFINE_XARRAY(users);

static int user_charge(kuid_t user, u32 max)
{
	unsigned long count;
	int err = 0;

	mutex_lock(&users_mutex);
	count = xa_to_value(xa_load(&users, __kuid_val(user)) ?:
			    xa_mk_value(0));
	if (count >= max)
		err = -ENOBUFS;
	else
		err = xa_err(xa_store(&users, __kuid_val(user),
				      xa_mk_value(count + 1), GFP_KERNEL));
	mutex_unlock(&users_mutex);
	return err;
}

static void user_uncharge(kuid_t user)
{
	unsigned long count;

	mutex_lock(&users_mutex);
	count = xa_to_value(xa_load(&users, __kuid_val(user)));
	if (count > 1)
		xa_store(&users, __kuid_val(user), xa_mk_value(count - 1),
			 GFP_KERNEL);
	else
		xa_erase(&users, __kuid_val(user));
	mutex_unlock(&users_mutex);
}

static void session_free_work(struct work_struct *work)
{
	struct sdp_session *session = container_of(to_rcu_work(work),
						   struct sdp_session, free);

	if (sdp_record_ops->transport_exit)
		sdp_record_ops->transport_exit(session);
	user_uncharge(session->user);
	mem_cgroup_put(session->memcg);
	kfree_sensitive(session);
}

bool sdp_session_hold(struct sdp_session *session)
{
	return refcount_inc_not_zero(&session->ref);
}

void sdp_session_put(struct sdp_session *session)
{
	if (session && refcount_dec_and_test(&session->ref))
		queue_rcu_work(sdp_record_wq, &session->free);
}

u32 sdp_session_id(const struct sdp_session *session)
{
	return session->id;
}

u32 sdp_session_record_size(const struct sdp_session *session)
{
	return session->record_size;
}

bool sdp_session_dead(const struct sdp_session *session)
{
	return READ_ONCE(session->dead);
}

const struct sdp_session_key *
sdp_session_key_of(const struct sdp_session *session)
{
	return &session->key;
}

void sdp_session_local(const struct sdp_session *session,
		       struct in6_addr *local)
{
	/* Pairs with sdp_session_pin(). */
	if (smp_load_acquire(&session->local_pinned))
		*local = session->local;
	else
		*local = in6addr_any;
}

void sdp_session_pin(struct sdp_session *session, const struct in6_addr *local)
{
	if (likely(READ_ONCE(session->local_pinned)))
		return;
	spin_lock_bh(&session->lock);
	if (!session->local_pinned) {
		session->local = *local;
		/* Readers take @local without the lock once they see this. */
		smp_store_release(&session->local_pinned, true);
	}
	spin_unlock_bh(&session->lock);
}

void *sdp_session_transport(struct sdp_session *session)
{
	return session->transport;
}

struct sdp_session *sdp_session_find(const struct sdp_session_key *key)
{
	return rhashtable_lookup(&table, key, table_params);
}

struct sdp_session *sdp_session_find_id(const struct sdp_session_key *key,
					u32 id)
{
	struct sdp_session *session = sdp_session_find(key);

	return session && session->id == id ? session : NULL;
}

struct sdp_session *
sdp_session_alloc(const struct sdp_session_owner *owner,
		  const struct sdp_session_key *key)
{
	struct sdp_session *session;
	int err;

	err = user_charge(current_uid(), owner->max_user);
	if (err)
		return ERR_PTR(err);
	session = kzalloc(struct_size(session, transport,
				      sdp_record_ops->transport_size),
			  GFP_KERNEL_ACCOUNT);
	if (!session) {
		user_uncharge(current_uid());
		return ERR_PTR(-ENOMEM);
	}
	refcount_set(&session->ref, 1);
	session->user = current_uid();
	session->memcg = get_mem_cgroup_from_mm(current->mm);
	session->key = *key;
	session->counts = sdp_counts(key->net);
	session->heard = ktime_get_coarse_ns();
	INIT_HLIST_NODE(&session->owner_node);
	INIT_RCU_WORK(&session->free, session_free_work);
	sdp_epoch_init_session(session);
	return session;
}

void sdp_session_discard(struct sdp_session *session)
{
	WRITE_ONCE(session->dead, true);
	sdp_epoch_drop_all(session);
	sdp_session_put(session);
}

/* No longer to be used; @list owns the table's reference from here on. */
static void mark_removed(struct sdp_session *session, struct hlist_head *list)
{
	lockdep_assert_held(&sessions_mutex);
	WRITE_ONCE(session->dead, true);
	hash_del(&session->owner_node);
	hlist_add_head(&session->owner_node, list);
	sdp_count(session->counts, SDP_CTR_sessions_removed);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "removed", 0);
}

static void unlink_session(struct sdp_session *session, struct hlist_head *list)
{
	rhashtable_remove_fast(&table, &session->node, table_params);
	mark_removed(session, list);
}

/* The rest of removal, for a list linked by owner_node. */
static void bury(struct hlist_head *list)
{
	struct sdp_session *session;
	struct hlist_node *next;

	if (hlist_empty(list))
		return;
	synchronize_rcu();
	hlist_for_each_entry_safe(session, next, list, owner_node) {
		hlist_del_init(&session->owner_node);
		if (sdp_record_ops->dead)
			sdp_record_ops->dead(session);
		sdp_session_discard(session);
	}
}

/* Put @session into the table; one that it replaces goes to @list. */
static int insert(struct sdp_session *session, struct hlist_head *list)
{
	struct sdp_session *old;
	int err;

	lockdep_assert_held(&sessions_mutex);
	if (refusing)
		return -EBUSY;
	rcu_read_lock();
	old = sdp_session_find(&session->key);
	rcu_read_unlock();
	/* Only who holds this mutex removes: @old stays. */
	if (old) {
		err = rhashtable_replace_fast(&table, &old->node,
					      &session->node, table_params);
		if (!err)
			mark_removed(old, list);
	} else {
		err = rhashtable_insert_fast(&table, &session->node,
					     table_params);
	}
	if (!err)
		hash_add(owners, &session->owner_node,
			 (unsigned long)session->key.owner);
	return err;
}

int sdp_session_publish(struct sdp_session *session)
{
	HLIST_HEAD(list);
	int err;

	if (sdp_record_ops->transport_init) {
		err = sdp_record_ops->transport_init(session);
		if (err)
			return err;
	}
	mutex_lock(&sessions_mutex);
	err = insert(session, &list);
	mutex_unlock(&sessions_mutex);
	bury(&list);
	if (err)
		return err;
	sdp_count(session->counts, SDP_CTR_sessions_added);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "added", 0);
	return 0;
}

/* What a struct sdp_session_ref names; sessions_mutex is held. */
static struct sdp_session *find_ref(const void *token, u32 id,
				    const struct sockaddr_in6 *peer)
{
	struct sdp_session *session;

	lockdep_assert_held(&sessions_mutex);
	hash_for_each_possible(owners, session, owner_node,
			       (unsigned long)token) {
		if (session->key.owner != token)
			continue;
		if (id ? session->id == id :
		    ipv6_addr_equal(&session->key.peer, &peer->sin6_addr) &&
		    session->key.peer_port == ntohs(peer->sin6_port) &&
		    (!session->key.scope ||
		     session->key.scope == peer->sin6_scope_id))
			return session;
	}
	return NULL;
}

static int check_ref(u32 id, const struct sockaddr_in6 *peer)
{
	return id || peer->sin6_family == AF_INET6 ? 0 : -EINVAL;
}

int sdp_session_del(const struct sdp_session_owner *owner,
		    const struct sdp_session_ref *ref)
{
	struct sdp_session *session;
	HLIST_HEAD(list);

	if (check_ref(ref->id, &ref->peer))
		return -EINVAL;
	mutex_lock(&sessions_mutex);
	session = find_ref(owner->token, ref->id, &ref->peer);
	if (session)
		unlink_session(session, &list);
	mutex_unlock(&sessions_mutex);
	bury(&list);
	return session ? 0 : -ENOENT;
}

void sdp_session_del_owner(const void *token)
{
	struct sdp_session *session;
	struct hlist_node *next;
	HLIST_HEAD(list);

	mutex_lock(&sessions_mutex);
	hash_for_each_possible_safe(owners, session, next, owner_node,
				    (unsigned long)token) {
		if (session->key.owner != token)
			continue;
		unlink_session(session, &list);
	}
	mutex_unlock(&sessions_mutex);
	bury(&list);
	/* Some of them may be buried there, who still look for the socket. */
	mutex_lock(&wipe_mutex);
	mutex_unlock(&wipe_mutex);
}

void sdp_session_wipe_all(void)
{
	struct sdp_session *session;
	struct hlist_node *next;
	HLIST_HEAD(list);
	int bucket;

	mutex_lock(&wipe_mutex);
	mutex_lock(&sessions_mutex);
	hash_for_each_safe(owners, bucket, next, session, owner_node) {
		unlink_session(session, &list);
	}
	mutex_unlock(&sessions_mutex);
	bury(&list);
	mutex_unlock(&wipe_mutex);
}

void sdp_session_refuse(bool refuse)
{
	mutex_lock(&sessions_mutex);
	refusing = refuse;
	mutex_unlock(&sessions_mutex);
}

int sdp_session_rekey(const struct sdp_session_owner *owner,
		      const struct sdp_session_ref *ref)
{
	struct sdp_session *session;
	int err;

	if (check_ref(ref->id, &ref->peer))
		return -EINVAL;
	mutex_lock(&sessions_mutex);
	session = find_ref(owner->token, ref->id, &ref->peer);
	if (session)
		refcount_inc(&session->ref);
	mutex_unlock(&sessions_mutex);
	if (!session)
		return -ENOENT;
	err = sdp_epoch_send_next(session, NULL);
	sdp_session_put(session);
	return err;
}

static void fill_tx(struct sdp_session_info *info, struct sdp_epoch *epoch)
{
	u64 next = READ_ONCE(epoch->tx->next);
	u64 blocks = atomic64_read(&epoch->tx->blocks);

	info->tx_epoch = epoch->number;
	info->tx_messages = next;
	info->tx_messages_left = SDP_MSGNO_MAX + 1 - next;
	info->tx_blocks = blocks;
	info->tx_blocks_left = SDP_MAX_BLOCKS - min(blocks, SDP_MAX_BLOCKS);
	strscpy(info->driver, sdp_aead_driver(&epoch->aead),
		sizeof(info->driver));
}

static void fill_info(struct sdp_session *session,
		      struct sdp_session_info *info)
{
	struct sdp_epoch *epoch;

	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	info->id = session->id;
	info->peer.sin6_family = AF_INET6;
	info->peer.sin6_addr = session->key.peer;
	info->peer.sin6_port = htons(session->key.peer_port);
	info->peer.sin6_scope_id = session->key.scope;
	info->local.sin6_family = AF_INET6;
	info->local.sin6_port = htons(session->key.local_port);
	sdp_session_local(session, &info->local.sin6_addr);
	info->role = session->role;
	info->cipher = session->cipher;
	info->record_size = session->record_size;
	info->offload = SDP_OFFLOAD_CPU;
	info->rx_messages = atomic64_read(&session->opened);
	info->silent_ns = ktime_get_coarse_ns() - READ_ONCE(session->heard);
	rcu_read_lock();
	epoch = rcu_dereference(session->tx);
	if (epoch)
		fill_tx(info, epoch);
	epoch = rcu_dereference(session->rx);
	if (epoch) {
		info->rx_epoch = epoch->number;
		info->rx_failed = atomic64_read(&epoch->rx->failed);
	}
	rcu_read_unlock();
}

int sdp_session_info(const struct sdp_session_owner *owner,
		     struct sdp_session_info *info)
{
	struct sdp_session *session;

	if (check_ref(info->id, &info->peer))
		return -EINVAL;
	mutex_lock(&sessions_mutex);
	session = find_ref(owner->token, info->id, &info->peer);
	if (session)
		fill_info(session, info);
	mutex_unlock(&sessions_mutex);
	return session ? 0 : -ENOENT;
}

int sdp_session_dump(const struct net *net,
		     int (*fn)(const struct sdp_session_info *info,
			       const struct sdp_session_key *key, void *arg),
		     void *arg)
{
	struct sdp_session_info info;
	struct sdp_session *session;
	int bucket, ret = 0;

	mutex_lock(&sessions_mutex);
	hash_for_each(owners, bucket, session, owner_node) {
		if (session->key.net != net)
			continue;
		fill_info(session, &info);
		ret = fn(&info, &session->key, arg);
		if (ret)
			break;
	}
	mutex_unlock(&sessions_mutex);
	return ret;
}

int sdp_session_table_init(void)
{
	return rhashtable_init(&table, &table_params);
}

void sdp_session_table_exit(void)
{
	rhashtable_destroy(&table);
	xa_destroy(&users);
}
