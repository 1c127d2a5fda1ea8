/* SPDX-License-Identifier: GPL-2.0-only */
/* What sessions tell of themselves: to their socket, and to dumps. */
#ifndef SDP_RECORD_INFO_H
#define SDP_RECORD_INFO_H

#include "registry.h"

/**
 * sdp_session_info() - SDP_SESSION_INFO.
 * @owner: the socket.
 * @info:  in: id or peer; out: everything else.
 *
 * Context: process. Return: 0, -ENOENT, -EINVAL.
 */
int sdp_session_info(const struct sdp_session_owner *owner,
		     struct sdp_session_info *info);

/**
 * struct sdp_session_place - how far a way through the sessions of a socket is; zeroed
 *	at its start.
 * @id:     the next one has this id,
 * @serial: and was installed no earlier than this; or it comes after.
 */
struct sdp_session_place {
	u32 id;
	u64 serial;
};

/**
 * sdp_session_next() - one session after the other, of a socket.
 * @set:   of the socket.
 * @place: moves on.
 * @info:  filled in,
 * @key:   and this, if there is one.
 *
 * Context: process, may sleep. Return: is there one?
 */
bool sdp_session_next(struct sdp_session_set *set, struct sdp_session_place *place,
		      struct sdp_session_info *info, struct sdp_session_key *key);

#endif /* SDP_RECORD_INFO_H */
