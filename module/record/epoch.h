/* SPDX-License-Identifier: GPL-2.0-only */
/* Epochs: made, moved on from, used. Only for this room. */
#ifndef SDP_RECORD_EPOCH_H
#define SDP_RECORD_EPOCH_H

#include "inside.h"

/* The previous epoch begins no message after this, and ends after that. */
#define SDP_EPOCH_GRACE		(30 * HZ)
#define SDP_EPOCH_LIFE		(60 * HZ)

/* What the peer asks for is done, and asked for, so often at most. */
#define SDP_EPOCH_ASK		(60 * HZ)

/* A sender that could not move on by the clock tries again after this. */
#define SDP_EPOCH_RETRY		(HZ / 10 + 1)

/* A replaced session ends so long after the peer uses the one that replaced it. */
#define SDP_SESSION_LIFE	(60 * HZ)

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
 * sdp_epoch_wanted() - the peer asks for the next epoch, in an authentic packet:
 *	the next message moves on, at most once in SDP_EPOCH_ASK.
 * @session: the session.
 */
void sdp_epoch_wanted(struct sdp_session *session);

/**
 * sdp_epoch_ask() - is a packet about to be sealed to ask the peer for its next
 *	epoch? Says so at most once in SDP_EPOCH_ASK.
 * @session: the session; RCU.
 */
bool sdp_epoch_ask(struct sdp_session *session);

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

/** sdp_epoch_first() - is this the session's first authentic packet? */
static inline bool sdp_epoch_first(const struct sdp_epoch *epoch)
{
	return unlikely(!READ_ONCE(epoch->session->proved));
}

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

/**
 * sdp_epoch_wait_gone() - wait until no key is in memory.
 * @timeout: jiffies. Tasks that seal or open hold their epoch until they are done.
 *
 * Context: process. Return: whether there is none.
 */
bool sdp_epoch_wait_gone(unsigned long timeout);

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

#endif /* SDP_RECORD_EPOCH_H */
