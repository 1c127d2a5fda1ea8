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
#include <linux/rhashtable.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "epoch.h"
#include "registry.h"

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
	struct sdp_session *session = sdp_session_make(key, owner->max_user);

	if (!IS_ERR(session))
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

int sdp_registry_init(void)
{
	return rhashtable_init(&table, &table_params);
}

void sdp_registry_exit(void)
{
	rhashtable_destroy(&table);
	sdp_session_users_exit();
}
