/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session: how long it lives, and what it says of itself. The rules are in
 * docs/wire.md, the locks in docs/locking.md; registry.h finds one.
 *
 * A session is found under RCU and lives while it is referenced; a message
 * (struct sdp_tx, struct sdp_rx) holds an epoch, which holds its session. A
 * removed session is dead at once: it seals and opens nothing more, the target
 * is told and gives its messages up, and the last reference wipes the keys.
 */
#ifndef SDP_RECORD_SESSION_H
#define SDP_RECORD_SESSION_H

#include <linux/sdp.h>

#include "key.h"

struct sdp_epoch;
struct sdp_quota_limits;
struct sdp_session;
struct sdp_session_set;

/**
 * struct sdp_record_ops - what the target has to say about sessions.
 * @transport_size: bytes of the target's state in each session, zeroed and
 *                  cache-aligned (sdp_session_transport()).
 * @transport_init: a new session, not yet to be found; process context; may be
 *                  NULL. A negative errno refuses the session.
 * @transport_exit: the last reference is gone, or @transport_init failed; process
 *                  context; may be NULL.
 * @dead:           the session has been removed: end its RPCs with ECONNRESET
 *                  and drop its messages' references; process context, may be
 *                  NULL. Called once, after nobody can find the session
 *                  anymore (an RCU grace period later).
 * @nic_end:        an epoch is over: what sdp_tx_nic() points to is not needed any
 *                  more; process context; may be NULL where nothing ever does.
 * @nic_flush:      wait for what an epoch had on a NIC and gave up before its end; may be
 *                  NULL. Context: process, may sleep.
 * @nic_seals:      was the last long message sealed by a NIC? @nic is that of the
 *                  present epoch, or NULL; records that NICs have sealed under it are
 *                  written. RCU; as @nic_end.
 * @window:         messages may start again after -EAGAIN; any context, no
 *                  locks of this room held; may be NULL.
 */
struct sdp_record_ops {
	size_t transport_size;
	int (*transport_init)(struct sdp_session *session);
	void (*transport_exit)(struct sdp_session *session);
	void (*dead)(struct sdp_session *session);
	void (*window)(struct sdp_session *session);
	void (*nic_end)(void *nic);
	void (*nic_flush)(void);
	bool (*nic_seals)(struct sdp_session *session, const void *nic, u64 *records);
};

/**
 * sdp_session_make() - a session without keys, in no table; its first reference
 *	is the caller's. For sdp_session_alloc().
 * @set:      of its socket.
 * @key:      what it will be found by.
 * @limits:   how many sessions the current user may have.
 *
 * Context: process. Return: the session, or ERR_PTR: -ENOBUFS, -ENOMEM.
 */
struct sdp_session *sdp_session_make(struct sdp_session_set *set,
				     const struct sdp_session_key *key,
				     const struct sdp_quota_limits *limits);

/**
 * sdp_session_hold() - take a reference to a session found under RCU.
 * @session: from sdp_session_find() or sdp_session_find_id().
 *
 * Return: false if it is being freed.
 */
bool sdp_session_hold(struct sdp_session *session);

/**
 * sdp_session_put() - drop a reference; any context.
 * @session: the session or NULL.
 */
void sdp_session_put(struct sdp_session *session);

/** sdp_session_id() - session id, host byte order. */
u32 sdp_session_id(const struct sdp_session *session);

/** sdp_session_record_size() - bytes of inner plaintext with the type byte. */
u32 sdp_session_record_size(const struct sdp_session *session);

/** sdp_session_dead() - has it been removed? A hint: may become true any time. */
bool sdp_session_dead(const struct sdp_session *session);

/** sdp_session_key_of() - what the session is found by; never changes. */
const struct sdp_session_key *
sdp_session_key_of(const struct sdp_session *session);

/**
 * sdp_session_local() - local address that the session is pinned to.
 * @session: the session.
 * @local:   written; the any-address as long as it is not pinned.
 */
void sdp_session_local(const struct sdp_session *session,
		       struct in6_addr *local);

/**
 * sdp_session_pin() - take packets to one local address alone from now on,
 *	unless that has been settled.
 * @session: the session.
 * @local:   where the peer is known to have heard us from. No tag covers where
 *           a packet was sent to, so that nothing follows from that.
 *
 * Context: any.
 */
void sdp_session_pin(struct sdp_session *session, const struct in6_addr *local);

/**
 * sdp_session_meet() - a request of the peer has come under the session.
 * @session: the session.
 * @at:      where to. Only the first one counts, and only until the session's
 *           address is settled: somebody else may have sent a copy there.
 *
 * Context: any.
 */
void sdp_session_meet(struct sdp_session *session, const struct in6_addr *at);

/**
 * sdp_session_source() - the address to send requests from.
 * @session: the session.
 * @local:   written: where it is pinned to; else where the peer's first request
 *           came to; else the any-address.
 */
void sdp_session_source(const struct sdp_session *session,
			struct in6_addr *local);

/** sdp_session_transport() - the target's state in a session. */
void *sdp_session_transport(struct sdp_session *session);

#endif /* SDP_RECORD_SESSION_H */
