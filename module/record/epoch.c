// SPDX-License-Identifier: GPL-2.0-only
/*
 * Epochs: making them, moving between them, and what ends a key.
 *
 * Making one allocates a cipher, so it happens in process context: the sender
 * makes the next epoch when it moves, the receiver keeps the next one ready,
 * since it moves in softirq, when a tag verifies under it.
 *
 * Pointers to epochs are read under RCU. A message holds its epoch, an epoch
 * holds its session, and the session lets go of its epochs when it dies.
 */
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/wait.h>
#include <net/ipv6.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "audit.h"
#include "epoch.h"
#include "session.h"

/* Epochs with a key in memory, and who waits for there to be none. */
static atomic_t live = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(none_live);

static void epoch_free(struct sdp_epoch *epoch)
{
	if (rcu_access_pointer(epoch->nic))
		sdp_record_ops->nic_end(rcu_access_pointer(epoch->nic));
	if (epoch->rx)
		sdp_replay_destroy(&epoch->rx->replay);
	kfree(epoch->rx);
	kfree(epoch->tx);
	sdp_aead_destroy(&epoch->aead);
	kfree_sensitive(epoch);
	if (atomic_dec_and_test(&live))
		wake_up_all(&none_live);
}

static void epoch_free_work(struct work_struct *work)
{
	struct sdp_epoch *epoch = container_of(to_rcu_work(work),
					       struct sdp_epoch, free);
	struct sdp_session *session = epoch->session;

	epoch_free(epoch);
	sdp_session_put(session);
}

void sdp_epoch_put(struct sdp_epoch *epoch)
{
	if (!epoch || !refcount_dec_and_test(&epoch->ref))
		return;
	if (epoch->sends)
		atomic_dec(&epoch->session->tx_epochs);
	queue_rcu_work(sdp_record_wq, &epoch->free);
}

static int setup_tx(struct sdp_epoch *epoch)
{
	epoch->tx = kzalloc(sizeof(*epoch->tx), GFP_KERNEL_ACCOUNT);
	if (!epoch->tx)
		return -ENOMEM;
	spin_lock_init(&epoch->tx->lock);
	return 0;
}

static int setup_rx(struct sdp_epoch *epoch)
{
	epoch->rx = kzalloc(sizeof(*epoch->rx), GFP_KERNEL_ACCOUNT);
	if (!epoch->rx)
		return -ENOMEM;
	sdp_replay_init(&epoch->rx->replay, epoch->session->memcg);
	sdp_counters_init(&epoch->rx->counters);
	return 0;
}

struct sdp_epoch *sdp_epoch_alloc(struct sdp_session *session, bool sends,
				  u64 number, const struct sdp_kdf_keys *keys)
{
	struct sdp_epoch *epoch;
	int err;

	epoch = kzalloc(sizeof(*epoch), GFP_KERNEL_ACCOUNT);
	if (!epoch)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&live);
	refcount_set(&epoch->ref, 1);
	epoch->session = session;
	epoch->sends = sends;
	epoch->number = number;
	memcpy(epoch->iv, keys->iv, sizeof(epoch->iv));
	if (sends)
		memcpy(epoch->key, keys->key, sizeof(epoch->key));
	sdp_tag_setup(&epoch->hdr, keys->hdr,
		      sends ? session->key.local_port : session->key.peer_port,
		      sends ? session->key.peer_port : session->key.local_port);
	epoch->audit = sdp_audit_key(keys->key,
				     sdp_kdf_key_length(session->cipher),
				     keys->iv);
	INIT_RCU_WORK(&epoch->free, epoch_free_work);
	err = sdp_aead_setup(&epoch->aead, session->cipher, keys->key);
	if (!err)
		err = sends ? setup_tx(epoch) : setup_rx(epoch);
	if (err) {
		epoch_free(epoch);
		return ERR_PTR(err);
	}
	refcount_inc(&session->ref);
	if (sends)
		atomic_inc(&session->tx_epochs);
	return epoch;
}

struct sdp_epoch *sdp_epoch_derive(struct sdp_session *session, bool sends,
				   u64 number, u8 *secret)
{
	struct sdp_kdf_context ctx = {
		.direction = sdp_session_direction(session, sends),
		.epoch = number,
		.cipher = session->cipher,
		.record_size = session->record_size,
	};
	struct sdp_kdf_keys keys;
	struct sdp_epoch *epoch;

	memcpy(ctx.context, session->context, sizeof(ctx.context));
	sdp_kdf_epoch(secret, &ctx, &keys);
	epoch = sdp_epoch_alloc(session, sends, number, &keys);
	if (!IS_ERR(epoch))
		memcpy(secret, keys.next, sizeof(keys.next));
	memzero_explicit(&keys, sizeof(keys));
	return epoch;
}

/* May the sender move on? The mutex @rekey is held. */
static int may_send_next(struct sdp_session *session,
			 const struct sdp_epoch *present)
{
	if (session->raw)
		return -EOPNOTSUPP;
	if (sdp_session_dead(session) || !present)
		return -ECONNRESET;
	/* The receiver knows one epoch beyond the one that it has seen. */
	if (!READ_ONCE(present->tx->confirmed))
		return -EBUSY;
	/* And only one before: let its messages finish. */
	if (atomic_read(&session->tx_epochs) > 1 &&
	    time_before(jiffies, session->tx_moved + SDP_EPOCH_LIFE))
		return -EBUSY;
	return 0;
}

int sdp_epoch_send_next(struct sdp_session *session,
			const struct sdp_epoch *present)
{
	struct sdp_epoch *old, *next;
	int err;

	mutex_lock(&session->rekey);
	old = rcu_dereference_protected(session->tx,
					lockdep_is_held(&session->rekey));
	err = may_send_next(session, old);
	if (err || (present && present != old))
		goto out;
	next = sdp_epoch_derive(session, true, old->number + 1,
				session->tx_secret);
	if (IS_ERR(next)) {
		err = PTR_ERR(next);
		goto out;
	}
	WRITE_ONCE(session->tx_moved, jiffies);
	WRITE_ONCE(session->tx_asked, false);
	rcu_assign_pointer(session->tx, next);
	sdp_epoch_put(old);
	sdp_count(session->counts, SDP_CTR_epochs_sent);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "sends under", next->number);
out:
	mutex_unlock(&session->rekey);
	return err;
}

/* Each queued work holds the session. */
static void queue_make_next(struct sdp_session *session, unsigned long delay)
{
	refcount_inc(&session->ref);
	if (!queue_delayed_work(sdp_record_wq, &session->make_next, delay))
		sdp_session_put(session);
}

/*
 * Make the epoch after the one that the receiver has moved to. Without memory it
 * is tried again: the sender moves on only once, and would not be understood.
 */
static void make_next_work(struct work_struct *work)
{
	struct sdp_session *session = container_of(to_delayed_work(work),
						   struct sdp_session,
						   make_next);
	struct sdp_epoch *next;

	mutex_lock(&session->rekey);
	if (!sdp_session_dead(session) && !rcu_access_pointer(session->rx_next)) {
		next = sdp_epoch_derive(session, false, session->rx_number,
					session->rx_secret);
		if (!IS_ERR(next)) {
			session->rx_number++;
			rcu_assign_pointer(session->rx_next, next);
		} else {
			queue_make_next(session, HZ);
		}
	}
	mutex_unlock(&session->rekey);
	sdp_session_put(session);
}

static void expire_work(struct work_struct *work)
{
	struct sdp_session *session = container_of(to_delayed_work(work),
						   struct sdp_session, expire);
	struct sdp_epoch *old;

	spin_lock_bh(&session->lock);
	old = rcu_replace_pointer(session->rx_prev, NULL,
				  lockdep_is_held(&session->lock));
	spin_unlock_bh(&session->lock);
	sdp_epoch_put(old);
	sdp_session_put(session);
}

void sdp_epoch_init_session(struct sdp_session *session)
{
	spin_lock_init(&session->lock);
	mutex_init(&session->rekey);
	INIT_DELAYED_WORK(&session->make_next, make_next_work);
	INIT_DELAYED_WORK(&session->expire, expire_work);
	/* May be asked for at once, and tried. */
	session->tx_moved = jiffies - SDP_EPOCH_ASK - 1;
	session->tx_tried = jiffies - SDP_EPOCH_RETRY - 1;
}

void sdp_epoch_wanted(struct sdp_session *session)
{
	if (time_after(jiffies, READ_ONCE(session->tx_moved) + SDP_EPOCH_ASK))
		WRITE_ONCE(session->tx_asked, true);
}

/* Failures mount towards the limit: by injectors, or by a fault of the peer. */
static bool failures_mount(struct sdp_session *session)
{
	const struct sdp_epoch *epoch = rcu_dereference(session->rx);

	return epoch && atomic64_read(&epoch->rx->failed) >= SDP_ASK_FAILURES;
}

bool sdp_epoch_ask(struct sdp_session *session)
{
	bool ask;

	if (likely(!failures_mount(session)) || session->raw)
		return false;
	spin_lock_bh(&session->lock);
	ask = !session->has_asked ||
	      time_after(jiffies, session->asked + SDP_EPOCH_ASK);
	if (ask) {
		session->has_asked = true;
		session->asked = jiffies;
	}
	spin_unlock_bh(&session->lock);
	return ask;
}

struct sdp_epoch *sdp_epoch_receive(struct sdp_session *session, u8 wire)
{
	struct sdp_epoch *epoch;

	epoch = rcu_dereference(session->rx);
	if (likely(epoch && (u8)epoch->number == wire))
		return epoch;
	epoch = rcu_dereference(session->rx_next);
	if (epoch && (u8)epoch->number == wire)
		return epoch;
	epoch = rcu_dereference(session->rx_prev);
	if (epoch && (u8)epoch->number == wire)
		return epoch;
	return NULL;
}

static void schedule_works(struct sdp_session *session)
{
	queue_make_next(session, 0);
	refcount_inc(&session->ref);
	if (mod_delayed_work(sdp_record_wq, &session->expire, SDP_EPOCH_LIFE))
		sdp_session_put(session);
}

#define locked(session, name)						\
	rcu_dereference_protected((session)->name,			\
				  lockdep_is_held(&(session)->lock))

static void receive_next(struct sdp_session *session, struct sdp_epoch *epoch)
{
	struct sdp_epoch *old = NULL, *present;
	bool moved = false;

	spin_lock_bh(&session->lock);
	if (!sdp_session_dead(session) &&
	    rcu_access_pointer(session->rx_next) == epoch) {
		present = locked(session, rx);
		old = locked(session, rx_prev);
		WRITE_ONCE(present->rx->retired, jiffies ?: 1);
		rcu_assign_pointer(session->rx_prev, present);
		rcu_assign_pointer(session->rx, epoch);
		RCU_INIT_POINTER(session->rx_next, NULL);
		schedule_works(session);
		moved = true;
	}
	spin_unlock_bh(&session->lock);
	sdp_epoch_put(old);
	if (!moved)
		return;
	sdp_count(session->counts, SDP_CTR_epochs_received);
	trace_sdp_session(session->key.net, session->id,
			  session->key.local_port, "receives under",
			  epoch->number);
}

void sdp_epoch_heard(struct sdp_epoch *epoch)
{
	struct sdp_session *session = epoch->session;

	WRITE_ONCE(session->heard, ktime_get_coarse_ns());
	if (unlikely(rcu_access_pointer(session->rx_next) == epoch))
		receive_next(session, epoch);
}

bool sdp_epoch_local_ok(const struct sdp_session *session,
			const struct in6_addr *local)
{
	/* Pairs with sdp_session_pin(). */
	return !smp_load_acquire(&session->local_pinned) ||
	       ipv6_addr_equal(&session->local, local);
}

int sdp_epoch_charge(struct sdp_epoch *epoch, u64 blocks)
{
	if (atomic64_add_return(blocks, &epoch->tx->blocks) <= SDP_MAX_BLOCKS)
		return 0;
	atomic64_sub(blocks, &epoch->tx->blocks);
	sdp_count(epoch->session->counts, SDP_CTR_keys_expired);
	return -EKEYEXPIRED;
}

void sdp_epoch_drop_all(struct sdp_session *session)
{
	struct sdp_epoch *old[4];
	int i;

	mutex_lock(&session->rekey);
	spin_lock_bh(&session->lock);
	old[0] = rcu_replace_pointer(session->tx, NULL, true);
	old[1] = rcu_replace_pointer(session->rx_prev, NULL, true);
	old[2] = rcu_replace_pointer(session->rx, NULL, true);
	old[3] = rcu_replace_pointer(session->rx_next, NULL, true);
	spin_unlock_bh(&session->lock);
	memzero_explicit(session->tx_secret, sizeof(session->tx_secret));
	memzero_explicit(session->rx_secret, sizeof(session->rx_secret));
	mutex_unlock(&session->rekey);
	for (i = 0; i < ARRAY_SIZE(old); i++)
		sdp_epoch_put(old[i]);
	if (cancel_delayed_work_sync(&session->expire))
		sdp_session_put(session);
	/* It queues itself, but not for a dead session. */
	if (cancel_delayed_work_sync(&session->make_next))
		sdp_session_put(session);
}

bool sdp_epoch_wait_gone(unsigned long timeout)
{
	return wait_event_timeout(none_live, !atomic_read(&live), timeout);
}

void sdp_epoch_nonce(const struct sdp_epoch *epoch, u64 record, u8 *nonce)
{
	memcpy(nonce, epoch->iv, 4);
	put_unaligned_be64(get_unaligned_be64(epoch->iv + 4) ^ record,
			   nonce + 4);
}

int sdp_epoch_seal(struct sdp_epoch *epoch, u64 record, struct sdp_aead_op *op)
{
	if (unlikely(sdp_session_dead(epoch->session)))
		return -ECONNRESET;
	sdp_audit_seal(epoch->audit, record, op);
	sdp_epoch_nonce(epoch, record, op->nonce);
	return sdp_aead_seal(&epoch->aead, op);
}

int sdp_epoch_open(struct sdp_epoch *epoch, u64 record, struct sdp_aead_op *op)
{
	int err;

	if (unlikely(sdp_session_dead(epoch->session)))
		return -ECONNRESET;
	if (unlikely(sdp_epoch_exhausted(epoch)))
		return -EKEYEXPIRED;
	sdp_epoch_nonce(epoch, record, op->nonce);
	err = sdp_aead_open(&epoch->aead, op);
	if (err == -EBADMSG)
		atomic64_inc(&epoch->rx->failed);
	return err;
}

int sdp_epoch_next_counter(struct sdp_epoch *epoch, unsigned int len,
			   u64 *counter)
{
	s64 next;
	int err;

	err = sdp_epoch_charge(epoch, len / 16 + 2);
	if (err)
		return err;
	/* Counts up to the top bit and stays there. */
	next = atomic64_fetch_add_unless(&epoch->tx->counter, 1, S64_MIN);
	if (next == S64_MIN)
		return -EKEYEXPIRED;
	*counter = next;
	return 0;
}

void sdp_epoch_aad(struct scatterlist *table, const void *pkt,
		   unsigned int len)
{
	const unsigned int at = offsetof(struct sdp_common_hdr, checksum);

	sg_set_buf(&table[0], pkt, at);
	sg_set_page(&table[1], ZERO_PAGE(0), 2, 0);
	sg_set_buf(&table[2], pkt + at + 2, len - at - 2);
}
