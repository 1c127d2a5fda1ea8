// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of sessions, and their lives.
 *
 * Several sessions may have one key (socket, peer, ports, namespace, VRF), and
 * packets find each by its id; requests begin under the present one. A session
 * that the peer's handshake led to (role server) is pending: the peer may never
 * come to use it. It becomes the present one with the first authentic packet
 * under it. One of our own handshake is the present one at once.
 *
 * Two handshakes at once, from either end: both ends have installed the other's
 * session as server when they install their own as client. Each then decides by
 * the nonces, which both know: the one of the smaller client nonce stays. The
 * end whose session was there before the other's handshake came to its notice
 * has nothing to decide and follows the peer.
 *
 * A replaced session begins no requests and is removed a minute after the peer is
 * known to use the one that replaced it: until then it may not know better.
 *
 * Removal: out of the table and marked dead; after an RCU grace period no
 * softirq is using it, the target is told, the epochs are let go. Messages that
 * hold epochs can only be dropped then.
 */
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/rhashtable.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "copy.h"
#include "epoch.h"
#include "registry.h"

static const struct rhashtable_params table_params = {
	.key_len = sizeof(struct sdp_session_key),
	.key_offset = offsetof(struct sdp_session, key),
	.head_offset = offsetof(struct sdp_session, node),
	.automatic_shrinking = true,
};

/* Sessions with one key: the oldest that are not in use make room. */
#define MOST_WITH_KEY 8

/* A handshake that began longer ago than this is not "at once". */
#define AT_ONCE (60ULL * NSEC_PER_SEC)

/* Values of order: not yet in use; beyond it those that came to be, in turn. */
#define ORDER_PENDING 1

static struct rhltable table;

/*
 * Spinlock (bh) of which session is the present one: order, replaced, proved,
 * retiring. Leaf, but for the table's own locks; inside of sessions_mutex.
 */
static DEFINE_SPINLOCK(order_lock);
static u64 last_order = ORDER_PENDING;
static u64 last_serial;

/* Protects adding, removing, @owners and the owner_node of sessions. */
static DEFINE_MUTEX(sessions_mutex);

/*
 * Held while sessions are removed of which their sockets do not know; outside of
 * sessions_mutex.
 */
static DEFINE_MUTEX(wipe_mutex);
static DEFINE_HASHTABLE(owners, 10);

/* No session gets into the table; under sessions_mutex. */
static bool refusing;

/*
 * While one takes the place of another, a reader may see the one or the other:
 * what is to be used has its order before the rest is marked as replaced.
 */
struct sdp_session *sdp_session_find(const struct sdp_session_key *key)
{
	struct sdp_session *session, *best = NULL;
	struct rhlist_head *list, *pos;
	u64 order, highest = 0;

	list = rhltable_lookup(&table, key, table_params);
	rhl_for_each_entry_rcu(session, pos, list, node) {
		/* Pairs with replace(). */
		if (smp_load_acquire(&session->replaced))
			continue;
		order = READ_ONCE(session->order);
		if (order > highest) {
			highest = order;
			best = session;
		}
	}
	return best;
}

struct sdp_session *sdp_session_find_id(const struct sdp_session_key *key,
					u32 id)
{
	struct rhlist_head *list, *pos;
	struct sdp_session *session;

	list = rhltable_lookup(&table, key, table_params);
	rhl_for_each_entry_rcu(session, pos, list, node)
		if (session->id == id)
			return session;
	return NULL;
}

static void retire_work(struct work_struct *work);

struct sdp_session *
sdp_session_alloc(const struct sdp_session_owner *owner,
		  const struct sdp_session_key *key)
{
	struct sdp_session *session = sdp_session_make(key, owner->max_user);

	if (!IS_ERR(session)) {
		sdp_epoch_init_session(session);
		INIT_DELAYED_WORK(&session->retire, retire_work);
	}
	return session;
}

void sdp_session_discard(struct sdp_session *session)
{
	WRITE_ONCE(session->dead, true);
	sdp_epoch_drop_all(session);
	/* It may be this work that we are in, or find the session dead. */
	if (cancel_delayed_work(&session->retire))
		sdp_session_put(session);
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
	rhltable_remove(&table, &session->node, table_params);
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

static void promote(struct sdp_session *session)
{
	lockdep_assert_held(&order_lock);
	WRITE_ONCE(session->order, ++last_order);
}

static void replace(struct sdp_session *session)
{
	lockdep_assert_held(&order_lock);
	if (session->replaced)
		return;
	/* After the order of what takes its place: sdp_session_find(). */
	smp_store_release(&session->replaced, true);
	sdp_count(session->counts, SDP_CTR_sessions_replaced);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "replaced", 0);
}

/* The peer uses @present: it will not begin anything under those before it. */
static void retire_others(struct rhlist_head *list, struct sdp_session *present)
{
	struct sdp_session *session;
	struct rhlist_head *pos;

	lockdep_assert_held(&order_lock);
	rhl_for_each_entry_rcu(session, pos, list, node) {
		if (session == present || !session->replaced ||
		    session->retiring || sdp_session_dead(session))
			continue;
		session->retiring = true;
		refcount_inc(&session->ref);
		queue_delayed_work(sdp_record_wq, &session->retire,
				   SDP_SESSION_LIFE);
	}
}

/* A session of the peer's handshake that was under way together with ours. */
static bool at_once(const struct sdp_session *theirs,
		    const struct sdp_session *ours)
{
	if (theirs->role != SDP_ROLE_SERVER || theirs->replaced)
		return false;
	if (theirs->proved)
		return theirs->proved > ours->began;
	return theirs->installed + AT_ONCE > ours->installed;
}

/* Of @ours and those of handshakes at once, the one that stays. */
static struct sdp_session *choose(struct rhlist_head *list,
				  struct sdp_session *ours)
{
	struct sdp_session *session, *best = ours;
	struct rhlist_head *pos;

	rhl_for_each_entry_rcu(session, pos, list, node)
		if (session != ours && at_once(session, ours) &&
		    memcmp(session->client_nonce, best->client_nonce,
			   SDP_NONCE_LEN) < 0)
			best = session;
	return best;
}

/* What a session of our own handshake means to those with its key. */
static void use_client(struct rhlist_head *list, struct sdp_session *ours)
{
	struct sdp_session *session, *chosen;
	struct rhlist_head *pos;

	lockdep_assert_held(&order_lock);
	chosen = choose(list, ours);
	promote(chosen);
	rhl_for_each_entry_rcu(session, pos, list, node)
		if (session != chosen)
			replace(session);
	if (chosen->proved)
		retire_others(list, chosen);
}

/* A pending session is used by the peer: older ones are not any more. */
static void use_server(struct rhlist_head *list, struct sdp_session *session)
{
	struct sdp_session *other;
	struct rhlist_head *pos;

	lockdep_assert_held(&order_lock);
	promote(session);
	rhl_for_each_entry_rcu(other, pos, list, node)
		if (other != session && (other->order > ORDER_PENDING ||
					 other->serial < session->serial))
			replace(other);
}

void sdp_session_first_packet(struct sdp_session *session)
{
	struct rhlist_head *list;

	spin_lock_bh(&order_lock);
	if (session->proved || sdp_session_dead(session))
		goto out;
	WRITE_ONCE(session->proved, ktime_get_ns());
	if (session->replaced)
		goto out;
	list = rhltable_lookup(&table, &session->key, table_params);
	if (session->order == ORDER_PENDING) {
		/* One of ours is just being inserted, and judged there. */
		if (session->role == SDP_ROLE_CLIENT)
			goto out;
		use_server(list, session);
	}
	retire_others(list, session);
out:
	spin_unlock_bh(&order_lock);
}

/* Too many have one key: the oldest goes that is not in use. */
static struct sdp_session *find_surplus(struct rhlist_head *list)
{
	struct sdp_session *session, *victim = NULL;
	unsigned int count = 0;
	struct rhlist_head *pos;

	rhl_for_each_entry_rcu(session, pos, list, node) {
		count++;
		if (!session->replaced && session->order != ORDER_PENDING)
			continue;
		if (!victim || session->replaced > victim->replaced ||
		    (session->replaced == victim->replaced &&
		     session->serial < victim->serial))
			victim = session;
	}
	return count > MOST_WITH_KEY ? victim : NULL;
}

/* Put @session into the table; one that has to make room goes to @list. */
static int insert(struct sdp_session *session, struct hlist_head *list)
{
	struct sdp_session *surplus;
	struct rhlist_head *same;
	int err;

	lockdep_assert_held(&sessions_mutex);
	if (refusing)
		return -EBUSY;
	session->serial = ++last_serial;
	session->order = ORDER_PENDING;
	session->installed = ktime_get_ns();
	err = rhltable_insert(&table, &session->node, table_params);
	if (err)
		return err;
	hash_add(owners, &session->owner_node,
		 (unsigned long)session->key.owner);
	rcu_read_lock();
	same = rhltable_lookup(&table, &session->key, table_params);
	spin_lock_bh(&order_lock);
	if (session->role == SDP_ROLE_CLIENT)
		use_client(same, session);
	surplus = find_surplus(same);
	spin_unlock_bh(&order_lock);
	rcu_read_unlock();
	/* Only who holds this mutex removes: it is still there. */
	if (surplus)
		unlink_session(surplus, list);
	return 0;
}

/* The time of a replaced session is over. */
static void retire_work(struct work_struct *work)
{
	struct sdp_session *session = container_of(to_delayed_work(work),
						   struct sdp_session, retire);
	HLIST_HEAD(list);

	mutex_lock(&wipe_mutex);
	mutex_lock(&sessions_mutex);
	if (!sdp_session_dead(session))
		unlink_session(session, &list);
	mutex_unlock(&sessions_mutex);
	bury(&list);
	mutex_unlock(&wipe_mutex);
	sdp_session_put(session);
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
	/* It is the table's now, and may be gone once that is not locked. */
	if (!err) {
		sdp_count(session->counts, SDP_CTR_sessions_added);
		trace_sdp_session(session->key.net, session->id,
				  session->key.local_port, "added", 0);
	}
	mutex_unlock(&sessions_mutex);
	bury(&list);
	return err;
}

static bool is_with(const struct sdp_session *session,
		    const struct sockaddr_in6 *peer)
{
	return ipv6_addr_equal(&session->key.peer, &peer->sin6_addr) &&
	       session->key.peer_port == ntohs(peer->sin6_port) &&
	       (!session->key.scope ||
		session->key.scope == peer->sin6_scope_id);
}

/* What a struct sdp_session_ref names: by peer the one that is used. */
static struct sdp_session *find_ref(const void *token, u32 id,
				    const struct sockaddr_in6 *peer)
{
	struct sdp_session *session, *best = NULL;

	lockdep_assert_held(&sessions_mutex);
	hash_for_each_possible(owners, session, owner_node,
			       (unsigned long)token) {
		if (session->key.owner != token)
			continue;
		if (id ? session->id != id : !is_with(session, peer))
			continue;
		if (!best || best->replaced > session->replaced ||
		    (best->replaced == session->replaced &&
		     READ_ONCE(best->order) < READ_ONCE(session->order)))
			best = session;
	}
	return best;
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
	bool found;

	if (check_ref(ref->id, &ref->peer))
		return -EINVAL;
	mutex_lock(&sessions_mutex);
	do {
		session = find_ref(owner->token, ref->id, &ref->peer);
		if (session)
			unlink_session(session, &list);
	} while (session && !ref->id);
	found = !hlist_empty(&list);
	mutex_unlock(&sessions_mutex);
	bury(&list);
	return found ? 0 : -ENOENT;
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

static u32 state_of(const struct sdp_session *session)
{
	u32 state = sdp_copy_noticed() ? 0 : SDP_SESSION_COPY_UNNOTICED;

	if (READ_ONCE(session->replaced))
		return state | SDP_SESSION_REPLACED;
	rcu_read_lock();
	if (sdp_session_find(&session->key) != session)
		state |= SDP_SESSION_PENDING;
	rcu_read_unlock();
	return state;
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
	info->wire = SDP_WIRE_VERSION;
	info->state = state_of(session);
	info->rx_messages = atomic64_read(&session->opened);
	info->silent_ns = ktime_get_coarse_ns() - READ_ONCE(session->heard);
	rcu_read_lock();
	epoch = rcu_dereference(session->tx);
	if (epoch)
		fill_tx(info, epoch);
	if (epoch && sdp_record_ops->nic_seals &&
	    sdp_record_ops->nic_seals(session, rcu_dereference(epoch->nic),
				      &info->nic_records))
		info->offload = SDP_OFFLOAD_NIC;
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
	return rhltable_init(&table, &table_params);
}

void sdp_registry_exit(void)
{
	rhltable_destroy(&table);
	sdp_session_users_exit();
}
