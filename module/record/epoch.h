/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Epochs: the keys of one direction for a while, and what is counted under
 * them. And the session's inside. Only for this room.
 */
#ifndef SDP_RECORD_EPOCH_H
#define SDP_RECORD_EPOCH_H

#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/siphash.h>
#include <linux/workqueue.h>

#include "aead.h"
#include "kdf.h"
#include "replay.h"
#include "session.h"

/* The previous epoch begins no message after this, and ends after that. */
#define SDP_EPOCH_GRACE		(30 * HZ)
#define SDP_EPOCH_LIFE		(60 * HZ)

#define SDP_UNHEARD_CHUNKS	(SDP_REPLAY_WINDOW / SDP_REPLAY_CHUNK)

/**
 * struct sdp_epoch_tx - of an epoch for sending.
 * @lock:    spinlock (bh) of the rest but @counter and @blocks.
 * @next:    next message number.
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
 * @audit:   names the key to the nonce audit.
 * @free:    the end, in process context after an RCU grace period.
 */
struct sdp_epoch {
	refcount_t ref;
	bool sends;
	u8 iv[SDP_KDF_IV];
	struct sdp_session *session;
	u64 number;
	siphash_key_t hdr;
	struct sdp_aead aead;
	u64 audit;
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
 * @owner_node:  in the table by owner; under sessions_mutex.
 * @dead:        removed; never goes back.
 * @local_pinned: @local is valid: with acquire and release.
 * @raw:         keys were given: one epoch.
 * @role:        SDP_ROLE_*.
 * @cipher:      SDP_CIPHER_*.
 * @record_size: bytes.
 * @context:     what both ends know of each other: part of the key schedule.
 * @local:       local address.
 * @heard:       ktime_get_coarse_ns() of the last authentic packet.
 * @opened:      messages opened.
 * @tx:          present epoch for sending.
 * @rx_prev:     previous, @rx: present, @rx_next: next epoch for receiving.
 * @lock:        spinlock (bh) of moving receive epochs and of @local.
 * @rekey:       mutex of making epochs and of the secrets.
 * @tx_secret:   of the epoch after @tx.
 * @rx_secret:   of the first epoch that has not been made.
 * @rx_number:   number of that.
 * @tx_epochs:   epochs for sending that are still in use.
 * @tx_moved:    jiffies when the present one began.
 * @make_next:   makes @rx_next after a move.
 * @expire:      drops @rx_prev.
 * @free:        the end, in process context after an RCU grace period.
 * @memcg:       charged; held.
 * @user:        counted in sessions per user.
 * @transport:   the target's.
 */
struct sdp_session {
	refcount_t ref;
	u32 id;
	struct sdp_session_key key;
	struct sdp_counts __percpu *counts;
	struct rhash_head node;
	struct hlist_node owner_node;
	bool dead;
	bool local_pinned;
	bool raw;
	u8 role;
	u16 cipher;
	u16 record_size;
	u8 context[SDP_CONTEXT_LEN];
	struct in6_addr local;
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
	struct work_struct make_next;
	struct delayed_work expire;
	struct rcu_work free;
	struct mem_cgroup *memcg;
	kuid_t user;
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

/**
 * sdp_epoch_alloc() - an epoch from its keys.
 * @session: a reference is taken.
 * @sends:   direction.
 * @number:  of the epoch.
 * @keys:    its keys.
 *
 * Context: process. Return: the epoch with one reference, or ERR_PTR.
 */
struct sdp_epoch *sdp_epoch_alloc(struct sdp_session *session, bool sends,
				  u64 number, const struct sdp_kdf_keys *keys);

/**
 * sdp_epoch_derive() - an epoch from its secret, which moves to the next.
 * @session: the session.
 * @sends:   direction.
 * @number:  of the epoch.
 * @secret:  of the epoch; on success overwritten by the next one's.
 *
 * Context: process. Return: as sdp_epoch_alloc().
 */
struct sdp_epoch *sdp_epoch_derive(struct sdp_session *session, bool sends,
				   u64 number, u8 *secret);

static inline void sdp_epoch_hold(struct sdp_epoch *epoch)
{
	refcount_inc(&epoch->ref);
}

/**
 * sdp_epoch_put() - drop a reference; any context.
 * @epoch: the epoch or NULL.
 */
void sdp_epoch_put(struct sdp_epoch *epoch);

/**
 * sdp_epoch_send_next() - move to the next epoch for sending.
 * @session: the session.
 * @present: do nothing unless this is the present one.
 *
 * Context: process. Return: 0, -EOPNOTSUPP, -EBUSY, -ECONNRESET, -ENOMEM...
 */
int sdp_epoch_send_next(struct sdp_session *session,
			const struct sdp_epoch *present);

/**
 * sdp_epoch_receive() - the receiving epoch of a packet; RCU.
 * @session: the session.
 * @wire:    low 8 bits of its number.
 *
 * Return: the previous, present or next one, or NULL.
 */
struct sdp_epoch *sdp_epoch_receive(struct sdp_session *session, u8 wire);

/**
 * sdp_epoch_heard() - a tag has verified under this receiving epoch.
 * @epoch: moves the session on if it is the next one.
 */
void sdp_epoch_heard(struct sdp_epoch *epoch);

/** sdp_epoch_local_ok() - is this the session's local address, or is any? */
bool sdp_epoch_local_ok(const struct sdp_session *session,
			const struct in6_addr *local);

/** sdp_epoch_exhausted() - have too many openings failed under this key? */
static inline bool sdp_epoch_exhausted(const struct sdp_epoch *epoch)
{
	return atomic64_read(&epoch->rx->failed) >= SDP_MAX_FAILURES;
}

/**
 * sdp_epoch_charge() - count blocks sealed under a key.
 * @epoch:  for sending.
 * @blocks: about to be sealed.
 *
 * Return: 0 or -EKEYEXPIRED; then nothing was counted.
 */
int sdp_epoch_charge(struct sdp_epoch *epoch, u64 blocks);

/** sdp_epoch_drop_all() - a dead session lets go of its epochs; process. */
void sdp_epoch_drop_all(struct sdp_session *session);

/** sdp_epoch_init_session() - set up works and locks of a new session. */
void sdp_epoch_init_session(struct sdp_session *session);

/**
 * sdp_epoch_nonce() - xor of IV and record number.
 * @epoch:  the epoch.
 * @record: record number.
 * @nonce:  SDP_AEAD_NONCE bytes are written.
 */
void sdp_epoch_nonce(const struct sdp_epoch *epoch, u64 record, u8 *nonce);

/** sdp_epoch_record() - record number of a message's record. */
static inline u64 sdp_epoch_record(u64 msgno, u32 index)
{
	return msgno << 16 | index;
}

/**
 * sdp_epoch_seal() - seal under an epoch's key.
 * @epoch:  for sending.
 * @record: record number.
 * @op:     everything but the nonce.
 *
 * Context, return: as sdp_aead_seal(); -ECONNRESET if the session is dead.
 */
int sdp_epoch_seal(struct sdp_epoch *epoch, u64 record, struct sdp_aead_op *op);

/**
 * sdp_epoch_open() - open under an epoch's key.
 * @epoch:  for receiving.
 * @record: record number.
 * @op:     everything but the nonce.
 *
 * Counts failures. Context, return: as sdp_aead_open(); -ECONNRESET,
 * -EKEYEXPIRED.
 */
int sdp_epoch_open(struct sdp_epoch *epoch, u64 record, struct sdp_aead_op *op);

/**
 * sdp_tag_compute() - header tag of a DATA header.
 * @key: header-tag key.
 * @hdr: the header.
 */
u64 sdp_tag_compute(const siphash_key_t *key,
		    const struct sdp_secure_data_hdr *hdr);

/**
 * sdp_epoch_next_counter() - a control counter for a packet, charged.
 * @epoch:   for sending.
 * @len:     bytes that its tag covers.
 * @counter: written.
 *
 * Context: any. Return: 0, -EKEYEXPIRED.
 */
int sdp_epoch_next_counter(struct sdp_epoch *epoch, unsigned int len,
			   u64 *counter);

/**
 * sdp_epoch_aad() - a packet as associated data, its checksum as zero.
 * @table: the first three entries of it are set.
 * @pkt:   the packet, or its header.
 * @len:   bytes of it.
 */
void sdp_epoch_aad(struct scatterlist *table, const void *pkt,
		   unsigned int len);

/* audit.c: complains when a nonce is used for two plaintexts. */
#ifdef SDP_NONCE_AUDIT
int sdp_audit_init(void);
void sdp_audit_exit(void);
u64 sdp_audit_key(const u8 *key, unsigned int len, const u8 *iv);
void sdp_audit_seal(u64 key, u64 record, const struct sdp_aead_op *op);
/* Number of complaints since the last call; and whether to keep quiet now. */
unsigned int sdp_audit_take_failures(bool expected);
#else
static inline int sdp_audit_init(void) { return 0; }
static inline void sdp_audit_exit(void) { }
static inline u64 sdp_audit_key(const u8 *key, unsigned int len, const u8 *iv)
{
	return 0;
}

static inline void sdp_audit_seal(u64 key, u64 record,
				  const struct sdp_aead_op *op)
{
}
#endif

#endif /* SDP_RECORD_EPOCH_H */
