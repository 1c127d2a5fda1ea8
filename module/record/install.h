/* SPDX-License-Identifier: GPL-2.0-only */
/* From uapi structures to a session in the table; only for this room. */
#ifndef SDP_RECORD_INSTALL_H
#define SDP_RECORD_INSTALL_H

#include "session.h"

/**
 * sdp_session_alloc() - a session without keys, not in the table.
 * @owner: the socket.
 * @key:   what it will be found by.
 *
 * Context: process. Return: the session, or ERR_PTR: -ENOBUFS, -ENOMEM. Ends
 * with sdp_session_publish() or sdp_session_discard().
 */
struct sdp_session *sdp_session_alloc(const struct sdp_session_owner *owner,
				      const struct sdp_session_key *key);

/**
 * sdp_session_publish() - put a session into the table, in place of one with
 *	the same key.
 * @session: complete. On failure it stays the caller's.
 *
 * Context: process, may sleep. Return: 0, -ENOMEM, what transport_init says,
 * -EBUSY (sdp_session_refuse()).
 */
int sdp_session_publish(struct sdp_session *session);

/** sdp_session_discard() - drop a session that is not in the table. */
void sdp_session_discard(struct sdp_session *session);

/**
 * sdp_install_derive() - id and first epochs of a session, by the key schedule.
 * @session: with role, cipher and record size.
 * @add:     secret, nonces and context.
 *
 * Context: process. Return: 0, -ENOMEM, ... On failure, discard the session.
 */
int sdp_install_derive(struct sdp_session *session,
		       const struct sdp_session_add *add);

int sdp_session_table_init(void);
void sdp_session_table_exit(void);

void sdp_install_exit(void);

#endif /* SDP_RECORD_INSTALL_H */
