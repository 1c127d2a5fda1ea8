/* SPDX-License-Identifier: GPL-2.0-only */
/* Spending own nonces; only for this room. */
#ifndef SDP_RECORD_NONCE_H
#define SDP_RECORD_NONCE_H

#include "session.h"

/**
 * sdp_nonce_spend() - use a nonce.
 * @nonces: of the socket.
 * @bytes:  SDP_NONCE_LEN of them.
 *
 * Context: process. Return: 0, -EINVAL (never given), -EEXIST (spent).
 */
int sdp_nonce_spend(struct sdp_nonces *nonces, const u8 *bytes);

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
