/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside a session and its epochs: the keys of one direction for a while, and
 * what is counted under them. Only for this room.
 */
#ifndef SDP_RECORD_INSIDE_H
#define SDP_RECORD_INSIDE_H

#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/workqueue.h>

#include "aead.h"
#include "kdf.h"
#include "key.h"
#include "replay.h"
#include "tag.h"
#include "wire.h"

struct sdp_quota;
struct sdp_record_ops;
struct sdp_session_set;

#define SDP_UNHEARD_CHUNKS	(SDP_REPLAY_WINDOW / SDP_REPLAY_CHUNK)

/**
 * struct sdp_epoch_tx - of an epoch for sending.
 * @lock:    spinlock (bh) of the rest but @counter and @blocks.
 * @next:    next message number.
 * @since:   jiffies when number 0 was given.
 * @waiting: a message was refused because the window is full.
 * @confirmed: the peer has been heard under this epoch.
 * @unheard: messages of each chunk of numbers, modulo the window, of which the
 *           peer has shown no sign.
 * @counter: next control counter.
 * @blocks:  AES blocks sealed.
 */
struct sdp_epoch_tx {
	spinlock_t lock;
	u64 next;
	unsigned long since;
	bool waiting;
	bool confirmed;
	u16 unheard[SDP_UNHEARD_CHUNKS];
	atomic64_t counter;
	atomic64_t blocks;
};

/**
 * struct sdp_epoch_rx - of an epoch for receiving.
 * @replay:   message numbers.
 * @counters: control counters.
 * @failed:   records and tags that did not verify.
 * @retired:  jiffies when it became the previous one; 0: it has not.
 */
struct sdp_epoch_rx {
	struct sdp_replay replay;
	struct sdp_counters counters;
	atomic64_t failed;
	unsigned long retired;
};

/**
 * struct sdp_epoch - of one direction.
 * @ref:     the session's pointer to it, and its messages.
 * @session: held.
 * @number:  from 0; its low 8 bits are on the wire.
 * @hdr:     header-tag key.
 * @iv:      of the nonces.
 * @sends:   @tx is valid, otherwise @rx.
 * @aead:    the key.
 * @key:     for a NIC; where it sends.
 * @audit:   names the key to the nonce audit.
 * @nic:     what the target has on a NIC for it; RCU, the target's.
 * @free:    the end, in process context after an RCU grace period.
 */
struct sdp_epoch {
	refcount_t ref;
	bool sends;
	u8 iv[SDP_KDF_IV];
	struct sdp_session *session;
	u64 number;
	struct sdp_tag_key hdr;
	struct sdp_aead aead;
	u8 key[SDP_KDF_KEY_MAX];
	u64 audit;
	void __rcu *nic;
	struct rcu_work free;
	struct sdp_epoch_tx *tx;
	struct sdp_epoch_rx *rx;
};

/**
 * struct sdp_session - see session.h.
 * @ref:         the table's, its epochs', and holders'.
 * @id:          session id.
 * @key:         what it is found by.
 * @counts:      of its namespace.
 * @node:        in the table.
 * @peer_node:   in the table by peer.
 * @began:       ktime of its own nonce: when its handshake began here.
 * @installed:   ktime, likewise.
 * @client_nonce: decides between handshakes at once.
 * @serial:      counts sessions as they were installed.
 * @order:       of those with one key, which are not replaced, the highest is
 *               used. Written under order_lock.
 * @proved:      ktime of the first authentic packet, 0: none. As @order.
 * @replaced:    begins no requests; never goes back. As @order.
 * @retiring:    @retire has been queued. Under order_lock.
 * @retire:      removes it.
 * @set:         of its socket; held.
 * @set_node:    in it, until it is removed.
 * @leave_node:  in a list of removed ones.
 * @leave:       the rest of removal, where nobody waits for it.
 * @dead:        removed; never goes back. Written under the set's lock.
 * @local_pinned: @local is valid: with acquire and release.
 * @met:         @met_at is valid: likewise.
 * @raw:         keys were given: one epoch.
 * @role:        SDP_ROLE_*.
 * @cipher:      SDP_CIPHER_*.
 * @record_size: bytes.
 * @context:     what both ends know of each other: part of the key schedule.
 * @local:       local address.
 * @met_at:      where the peer's first request came to.
 * @heard:       ktime_get_coarse_ns() of the last authentic packet.
 * @opened:      messages opened.
 * @tx:          present epoch for sending.
 * @rx_prev:     previous, @rx: present, @rx_next: next epoch for receiving.
 * @lock:        spinlock (bh) of moving receive epochs, of @local and @met_at.
 * @rekey:       mutex of making epochs and of the secrets.
 * @tx_secret:   of the epoch after @tx.
 * @rx_secret:   of the first epoch that has not been made.
 * @rx_number:   number of that.
 * @tx_epochs:   epochs for sending that are still in use.
 * @tx_moved:    jiffies when the present one began.
 * @tx_tried:    jiffies when time or the peer last made us try.
 * @tx_asked:    the peer wants the next one.
 * @asked:       jiffies when we last asked the peer for its next one; under @lock.
 * @has_asked:   whether we did; likewise.
 * @rekey_s:     seconds of use after which the sender moves on: in the settings of
 *               the namespace; NULL: never.
 * @make_next:   makes @rx_next after a move.
 * @expire:      drops @rx_prev.
 * @free:        the end, in process context after an RCU grace period.
 * @memcg:       charged; held.
 * @quota:       of its user: it is counted there.
 * @transport:   the target's.
 */
struct sdp_session {
	refcount_t ref;
	u32 id;
	struct sdp_session_key key;
	struct sdp_counts __percpu *counts;
	struct rhlist_head node;
	struct rhlist_head peer_node;
	u64 began;
	u64 installed;
	u8 client_nonce[SDP_NONCE_LEN];
	u64 serial;
	u64 order;
	u64 proved;
	bool replaced;
	bool retiring;
	struct delayed_work retire;
	struct sdp_session_set *set;
	struct rb_node set_node;
	struct hlist_node leave_node;
	struct rcu_work leave;
	bool dead;
	bool local_pinned;
	bool met;
	bool raw;
	u8 role;
	u16 cipher;
	u16 record_size;
	u8 context[SDP_CONTEXT_LEN];
	struct in6_addr local;
	struct in6_addr met_at;
	u64 heard;
	atomic64_t opened;
	struct sdp_epoch __rcu *tx;
	struct sdp_epoch __rcu *rx_prev;
	struct sdp_epoch __rcu *rx;
	struct sdp_epoch __rcu *rx_next;
	spinlock_t lock;
	struct mutex rekey;
	u8 tx_secret[SDP_KDF_SECRET];
	u8 rx_secret[SDP_KDF_SECRET];
	u64 rx_number;
	atomic_t tx_epochs;
	unsigned long tx_moved;
	unsigned long tx_tried;
	bool tx_asked;
	bool has_asked;
	unsigned long asked;
	const u32 *rekey_s;
	struct delayed_work make_next;
	struct delayed_work expire;
	struct rcu_work free;
	struct mem_cgroup *memcg;
	struct sdp_quota *quota;
	u8 transport[] ____cacheline_aligned;
};

extern const struct sdp_record_ops *sdp_record_ops;
extern struct workqueue_struct *sdp_record_wq;

/* Directions of the key schedule. */
static inline u8 sdp_session_direction(const struct sdp_session *session,
				       bool sends)
{
	return sends ? session->role : !session->role;
}

#endif /* SDP_RECORD_INSIDE_H */
