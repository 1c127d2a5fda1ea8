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
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/rhashtable.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "epoch.h"
#include "registry.h"
#include "set.h"

static u64 hash_factor[7] __read_mostly;

/*
 * Each message looks its session up: multiply-shift hashing, universal with factors that
 * nobody else knows, takes a tenth of the instructions of the default.
 */
static u32 hash_session_key(const void *data, u32 len, u32 seed)
{
	const struct sdp_session_key *key = data;
	u64 owner = (unsigned long)key->owner, sum;

	sum = (__force u32)key->peer.s6_addr32[0] * hash_factor[0] +
	      (__force u32)key->peer.s6_addr32[1] * hash_factor[1] +
	      (__force u32)key->peer.s6_addr32[2] * hash_factor[2] +
	      (__force u32)key->peer.s6_addr32[3] * hash_factor[3] +
	      ((u32)key->peer_port << 16 | key->local_port) * hash_factor[4] +
	      (u32)owner * hash_factor[5] +
	      (u32)key->bound * hash_factor[6];
	/* Another seed has to tell apart what one does not. */
	sum ^= sum >> 32;
	return sum * (GOLDEN_RATIO_64 ^ (u64)seed << 1) >> 32;
}

static int compare_key(struct rhashtable_compare_arg *arg, const void *object)
{
	const struct sdp_session *session = object;
	const struct sdp_session_key *a = arg->key, *b = &session->key;

	return a->owner != b->owner || a->net != b->net ||
	       !ipv6_addr_equal(&a->peer, &b->peer) ||
	       a->peer_port != b->peer_port || a->local_port != b->local_port ||
	       a->bound != b->bound || a->scope != b->scope;
}

static const struct rhashtable_params table_params = {
	.key_len = sizeof(struct sdp_session_key),
	.hashfn = hash_session_key,
	.obj_cmpfn = compare_key,
	.key_offset = offsetof(struct sdp_session, key),
	.head_offset = offsetof(struct sdp_session, node),
	.automatic_shrinking = true,
};

/* The same for who names a peer: whatever device or VRF is between. */
static const struct rhashtable_params by_peer_params = {
	.key_len = offsetof(struct sdp_session_key, bound),
	.key_offset = offsetof(struct sdp_session, key),
	.head_offset = offsetof(struct sdp_session, peer_node),
	.automatic_shrinking = true,
};

/* Sessions with one key: the oldest that are not in use make room. */
#define MOST_WITH_KEY 8

/* A handshake that began longer ago than this is not "at once". */
#define AT_ONCE (60ULL * NSEC_PER_SEC)

/* Values of order: not yet in use; beyond it those that came to be, in turn. */
#define ORDER_PENDING 1

static struct rhltable table;
static struct rhltable by_peer;

/*
 * Spinlock (bh) of which session is the present one: order, replaced, proved,
 * retiring. Leaf, but for the table's own locks; inside of a set's.
 */
static DEFINE_SPINLOCK(order_lock);
static u64 last_order = ORDER_PENDING;
static atomic64_t last_serial;

/*
 * No session gets into the table. Looked at under the lock of its set: who has written
 * this, and then had the lock of each set, has seen all that got in before.
 */
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
static void leave_work(struct work_struct *work);

struct sdp_session *
sdp_session_alloc(const struct sdp_session_owner *owner,
		  const struct sdp_session_key *key)
{
	struct sdp_session *session = sdp_session_make(owner->set, key,
						       &owner->limits);

	if (!IS_ERR(session)) {
		sdp_epoch_init_session(session);
		INIT_DELAYED_WORK(&session->retire, retire_work);
		INIT_RCU_WORK(&session->leave, leave_work);
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

/*
 * Out of the tables and no longer to be used; @list owns their reference from here
 * on, and has to be buried.
 */
static void unlink_session(struct sdp_session *session, struct hlist_head *list)
{
	lockdep_assert_held(&session->set->lock);
	rhltable_remove(&table, &session->node, table_params);
	rhltable_remove(&by_peer, &session->peer_node, by_peer_params);
	sdp_set_remove(session->set, session);
	WRITE_ONCE(session->dead, true);
	atomic_inc(&session->set->leaving);
	hlist_add_head(&session->leave_node, list);
	sdp_count(session->counts, SDP_CTR_sessions_removed);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "removed", 0);
}

/* The last step of removal: no softirq uses it any more. */
static void leave(struct sdp_session *session)
{
	struct sdp_session_set *set = session->set;

	sdp_set_hold(set);
	if (sdp_record_ops->dead)
		sdp_record_ops->dead(session);
	sdp_session_discard(session);
	if (atomic_dec_and_test(&set->leaving))
		wake_up_var(&set->leaving);
	sdp_set_put(set);
}

static void leave_work(struct work_struct *work)
{
	leave(container_of(to_rcu_work(work), struct sdp_session, leave));
}

/* The rest of removal; waits for an RCU grace period, so not under a socket's lock. */
static void bury(struct hlist_head *list)
{
	struct sdp_session *session;
	struct hlist_node *next;

	if (hlist_empty(list))
		return;
	synchronize_rcu();
	hlist_for_each_entry_safe(session, next, list, leave_node) {
		hlist_del_init(&session->leave_node);
		leave(session);
	}
}

/* The same, for who cannot wait. */
static void bury_later(struct hlist_head *list)
{
	struct sdp_session *session;
	struct hlist_node *next;

	hlist_for_each_entry_safe(session, next, list, leave_node) {
		hlist_del_init(&session->leave_node);
		queue_rcu_work(sdp_record_wq, &session->leave);
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

/*
 * Into ->table last: a session that is found there may be used at once, and one that has
 * been used may not be taken back, for the same secret may come again.
 */
static int insert_tables(struct sdp_session *session)
{
	int err;

	err = rhltable_insert(&by_peer, &session->peer_node, by_peer_params);
	if (err)
		return err;
	err = rhltable_insert(&table, &session->node, table_params);
	if (err)
		rhltable_remove(&by_peer, &session->peer_node, by_peer_params);
	return err;
}

/* Put @session into the tables; one that has to make room goes to @list. */
static int insert(struct sdp_session *session, struct hlist_head *list)
{
	struct sdp_session *surplus;
	struct rhlist_head *same;
	int err;

	lockdep_assert_held(&session->set->lock);
	if (READ_ONCE(refusing))
		return -EBUSY;
	session->serial = atomic64_inc_return(&last_serial);
	session->order = ORDER_PENDING;
	session->installed = ktime_get_ns();
	err = insert_tables(session);
	if (err)
		return err;
	sdp_set_insert(session->set, session);
	rcu_read_lock();
	same = rhltable_lookup(&table, &session->key, table_params);
	spin_lock_bh(&order_lock);
	if (session->role == SDP_ROLE_CLIENT)
		use_client(same, session);
	surplus = find_surplus(same);
	spin_unlock_bh(&order_lock);
	rcu_read_unlock();
	/* Only who holds this lock removes: it is still there. */
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

	mutex_lock(&session->set->lock);
	if (!sdp_session_dead(session))
		unlink_session(session, &list);
	mutex_unlock(&session->set->lock);
	bury(&list);
	sdp_session_put(session);
}

int sdp_session_publish(struct sdp_session *session)
{
	struct sdp_session_set *set = session->set;
	HLIST_HEAD(list);
	int err;

	if (sdp_record_ops->transport_init) {
		err = sdp_record_ops->transport_init(session);
		if (err)
			return err;
	}
	mutex_lock(&set->lock);
	err = insert(session, &list);
	/* It is the table's now, and may be gone once that is not locked. */
	if (!err) {
		sdp_count(session->counts, SDP_CTR_sessions_added);
		trace_sdp_session(session->key.net, session->id,
				  session->key.local_port, "added", 0);
	}
	mutex_unlock(&set->lock);
	bury_later(&list);
	return err;
}

/* Of two that a reference names, the one that is used. */
static bool is_better(const struct sdp_session *a, const struct sdp_session *b)
{
	if (a->replaced != b->replaced)
		return b->replaced;
	return READ_ONCE(a->order) > READ_ONCE(b->order);
}

static struct sdp_session *find_by_id(const struct sdp_session_set *set, u32 id)
{
	struct sdp_session *session, *best = NULL;
	u64 serial = 0;

	while ((session = sdp_set_from(set, id, serial)) && session->id == id) {
		if (!best || is_better(session, best))
			best = session;
		serial = session->serial + 1;
	}
	return best;
}

static struct sdp_session *find_by_peer(const struct sdp_session_owner *owner,
					const struct sockaddr_in6 *peer)
{
	struct sdp_session *session, *best = NULL;
	struct rhlist_head *list, *pos;
	struct sdp_session_key key;

	sdp_session_key_init(&key, owner->token, owner->net, 0, 0,
			     &peer->sin6_addr, ntohs(peer->sin6_port),
			     owner->port);
	rcu_read_lock();
	list = rhltable_lookup(&by_peer, &key, by_peer_params);
	rhl_for_each_entry_rcu(session, pos, list, peer_node) {
		if (session->key.scope &&
		    session->key.scope != peer->sin6_scope_id)
			continue;
		if (!best || is_better(session, best))
			best = session;
	}
	rcu_read_unlock();
	return best;
}

struct sdp_session *sdp_session_find_ref(const struct sdp_session_owner *owner, u32 id,
					 const struct sockaddr_in6 *peer)
{
	lockdep_assert_held(&owner->set->lock);
	return id ? find_by_id(owner->set, id) : find_by_peer(owner, peer);
}

int sdp_session_check_ref(const struct sdp_session_owner *owner, u32 id,
			  const struct sockaddr_in6 *peer)
{
	if (!id && peer->sin6_family != AF_INET6)
		return -EINVAL;
	return owner->set ? 0 : -ENOENT;
}

static int unlink_ref(const struct sdp_session_owner *owner,
		      const struct sdp_session_ref *ref, struct hlist_head *list)
{
	struct sdp_session *session;
	int err;

	err = sdp_session_check_ref(owner, ref->id, &ref->peer);
	if (err)
		return err;
	mutex_lock(&owner->set->lock);
	do {
		session = sdp_session_find_ref(owner, ref->id, &ref->peer);
		if (session)
			unlink_session(session, list);
	} while (session && !ref->id);
	mutex_unlock(&owner->set->lock);
	return hlist_empty(list) ? -ENOENT : 0;
}

int sdp_session_del(const struct sdp_session_owner *owner,
		    const struct sdp_session_ref *ref)
{
	HLIST_HEAD(list);
	int err;

	err = unlink_ref(owner, ref, &list);
	bury(&list);
	return err;
}

void sdp_session_withdraw(const struct sdp_session_owner *owner, u32 id)
{
	struct sdp_session_ref ref = { .size = sizeof(ref), .id = id };
	HLIST_HEAD(list);

	unlink_ref(owner, &ref, &list);
	bury_later(&list);
}

static void unlink_all(struct sdp_session_set *set, void *list)
{
	struct sdp_session *session;

	while ((session = sdp_set_from(set, 0, 0)))
		unlink_session(session, list);
}

void sdp_session_set_keep(struct sdp_session_set *set,
			  bool (*needed)(struct sdp_session *session))
{
	struct sdp_session *session, *next;
	HLIST_HEAD(list);

	mutex_lock(&set->lock);
	for (session = sdp_set_from(set, 0, 0); session; session = next) {
		next = sdp_set_from(set, session->id, session->serial + 1);
		if (!needed || !needed(session))
			unlink_session(session, &list);
	}
	mutex_unlock(&set->lock);
	bury_later(&list);
}

void sdp_session_set_close(struct sdp_session_set *set)
{
	HLIST_HEAD(list);

	mutex_lock(&set->lock);
	unlink_all(set, &list);
	mutex_unlock(&set->lock);
	bury(&list);
	/* Others may be burying some, who still look for the socket. */
	wait_var_event(&set->leaving, !atomic_read(&set->leaving));
	sdp_set_end(set);
}

void sdp_session_wipe_all(void)
{
	HLIST_HEAD(list);

	sdp_set_visit_all(unlink_all, &list);
	bury(&list);
}

void sdp_session_refuse(bool refuse)
{
	WRITE_ONCE(refusing, refuse);
}

int sdp_session_rekey(const struct sdp_session_owner *owner,
		      const struct sdp_session_ref *ref)
{
	struct sdp_session *session;
	int err;

	err = sdp_session_check_ref(owner, ref->id, &ref->peer);
	if (err)
		return err;
	mutex_lock(&owner->set->lock);
	session = sdp_session_find_ref(owner, ref->id, &ref->peer);
	if (session)
		refcount_inc(&session->ref);
	mutex_unlock(&owner->set->lock);
	if (!session)
		return -ENOENT;
	err = sdp_epoch_send_next(session, NULL);
	sdp_session_put(session);
	return err;
}

int sdp_registry_init(void)
{
	int err;

	get_random_bytes(hash_factor, sizeof(hash_factor));
	err = rhltable_init(&table, &table_params);
	if (err)
		return err;
	err = rhltable_init(&by_peer, &by_peer_params);
	if (err)
		goto exit_table;
	err = sdp_quota_init();
	if (err)
		goto exit_by_peer;
	return 0;

exit_by_peer:
	rhltable_destroy(&by_peer);
exit_table:
	rhltable_destroy(&table);
	return err;
}

void sdp_registry_exit(void)
{
	sdp_quota_exit();
	rhltable_destroy(&by_peer);
	rhltable_destroy(&table);
}
