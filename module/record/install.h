/* SPDX-License-Identifier: GPL-2.0-only */
/* From uapi structures to a session in the registry. */
#ifndef SDP_RECORD_INSTALL_H
#define SDP_RECORD_INSTALL_H

#include "registry.h"

/**
 * sdp_session_add() - SDP_SESSION_ADD.
 * @owner: the socket.
 * @add:   the argument, in kernel memory, of the full size; its secret is
 *         wiped here on every path.
 * @id:    the session's id is written; may be NULL.
 *
 * Sessions with the same key stay until the new one is used; then they begin
 * no requests, and end a minute later (registry.c).
 *
 * Context: process, may sleep. Return: 0; -EINVAL (a field; an own nonce that
 * this socket never gave), -EEXIST (that nonce is spent), -EAFNOSUPPORT,
 * -ENOBUFS (@owner->limits), -ENOMEM, -ENOENT (no such cipher here), -EBUSY
 * (sdp_session_refuse()).
 */
int sdp_session_add(const struct sdp_session_owner *owner,
		    struct sdp_session_add *add, u32 *id);

/**
 * sdp_session_add_raw() - SDP_RAW_KEYS, once the caller has checked that the
 *	test option allows it.
 * @owner: the socket.
 * @raw:   the argument, in kernel memory; wiped here on every path.
 *
 * Context: process, may sleep. Return: as sdp_session_add(); -EINVAL (tx_key
 * equals rx_key, id 0), -EEXIST (this tx_key was installed before).
 */
int sdp_session_add_raw(const struct sdp_session_owner *owner,
			struct sdp_raw_keys *raw);

/**
 * sdp_install_derive() - id and first epochs of a session, by the key schedule.
 * @session: with role, cipher and record size.
 * @add:     secret, nonces and context.
 *
 * Context: process. Return: 0, -ENOMEM, ... On failure, discard the session.
 */
int sdp_install_derive(struct sdp_session *session,
		       const struct sdp_session_add *add);

void sdp_install_exit(void);

#endif /* SDP_RECORD_INSTALL_H */
