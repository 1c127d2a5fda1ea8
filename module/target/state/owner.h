/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whose the incomplete messages are that take a socket's memory, and to whom those go
 * that it sends: a session's, or, in the clear, some addresses' that share a place. An
 * owner has messages of one socket only, and lives as long as any of them: it is part of
 * the session that their RPCs hold, or of the socket.
 */
#ifndef SDP_TARGET_OWNER_H
#define SDP_TARGET_OWNER_H

#include <linux/atomic.h>
#include <linux/types.h>

/* Places of a socket that clear addresses share. */
#define SDP_OWNERS 64

/* Sizes that are told apart: an owner's is fls() of his bytes. */
#define SDP_OWNER_SIZES 33

/**
 * struct sdp_owner - what incomplete messages of one owner take, and those to him.
 * @bytes:   truesize of the packets of the former, and the RPCs themselves.
 * @sending: messages to him that were charged when there was not ample room.
 */
struct sdp_owner {
	atomic_t bytes;
	atomic_t sending;
};

#endif /* SDP_TARGET_OWNER_H */
