/* SPDX-License-Identifier: GPL-2.0-only */
/* Own nonces of a socket, each good for one session. */
#ifndef SDP_RECORD_NONCE_H
#define SDP_RECORD_NONCE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sdp.h>

/**
 * struct sdp_nonces - unspent and spent own nonces; embedded in a socket.
 * @lock:   protects the rest; process context only.
 * @list:   struct sdp_nonce, newest first.
 * @unspent: entries that can still be used, at most SDP_NONCES_MAX.
 * @spent:   entries remembered as used.
 * @generation: of the machine that gave them (sdp_nonces_invalidate()).
 */
struct sdp_nonces {
	struct mutex lock;
	struct list_head list;
	u32 unspent;
	u32 spent;
	u32 generation;
};

#define SDP_NONCES_MAX 1024

/**
 * sdp_nonces_init() - an empty pool.
 * @nonces: in the socket.
 */
void sdp_nonces_init(struct sdp_nonces *nonces);

/**
 * sdp_nonces_get() - SDP_NONCE: a fresh nonce.
 * @nonces: of the socket.
 * @nonce:  SDP_NONCE_LEN bytes are written.
 *
 * Context: process. Return: 0, -ENOBUFS (SDP_NONCES_MAX unspent ones), -ENOMEM.
 */
int sdp_nonces_get(struct sdp_nonces *nonces, u8 *nonce);

/**
 * sdp_nonces_destroy() - forget and free all; for socket close.
 * @nonces: of the socket.
 */
void sdp_nonces_destroy(struct sdp_nonces *nonces);

/**
 * sdp_nonce_spend() - use a nonce.
 * @nonces: of the socket.
 * @bytes:  SDP_NONCE_LEN of them.
 * @given:  ktime when it was given is written.
 *
 * Context: process. Return: 0, -EINVAL (never given), -EEXIST (spent).
 */
int sdp_nonce_spend(struct sdp_nonces *nonces, const u8 *bytes, u64 *given);

/**
 * sdp_nonce_unspend() - no keys came of it: it can be used after all.
 * @nonces: of the socket.
 * @bytes:  from a successful sdp_nonce_spend().
 */
void sdp_nonce_unspend(struct sdp_nonces *nonces, const u8 *bytes);

/**
 * sdp_nonces_invalidate() - forget all nonces of all sockets.
 *
 * Context: any.
 */
void sdp_nonces_invalidate(void);

/** sdp_nonces_generation() - changes with each sdp_nonces_invalidate(). */
u32 sdp_nonces_generation(void);

#endif /* SDP_RECORD_NONCE_H */
