/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registry: the sessions of all sockets, found by the packets and messages
 * that belong to them.
 */
#ifndef SDP_RECORD_REGISTRY_H
#define SDP_RECORD_REGISTRY_H

#include "quota.h"
#include "session.h"

struct sdp_nonces;
struct sdp_session_set;

/**
 * struct sdp_session_owner - a socket, for the calls below.
 * @net:      its namespace.
 * @token:    identifies it, the target's endpoint; never followed in this room.
 * @nonces:   its pool.
 * @set:      its sessions; NULL: it never had any, and gets none by these calls.
 * @bound:    VRF it is in, or 0.
 * @port:     its local port, host byte order, not 0.
 * @limits:   how many sessions its user may have (net.sdp.user_sessions, there and
 *            in the machine's own namespace).
 * @rekey_s:  seconds under one key (net.sdp.rekey_s); lives as long as @net.
 */
struct sdp_session_owner {
	const struct net *net;
	const void *token;
	struct sdp_nonces *nonces;
	struct sdp_session_set *set;
	int bound;
	u16 port;
	struct sdp_quota_limits limits;
	const u32 *rekey_s;
};

/**
 * sdp_session_set_close() - the socket closes: remove all of its sessions.
 * @set: from sdp_session_set_new(); empty after this, and stays so.
 *
 * Context: process, may sleep; not under the socket's lock. When this returns, @dead
 * has been called for each of them.
 */
void sdp_session_set_close(struct sdp_session_set *set);

/**
 * sdp_session_set_keep() - remove the sessions of a socket that are of no use any more.
 * @set:    from sdp_session_set_new().
 * @needed: which ones stay; called under the set's lock. NULL: none.
 *
 * Context: process, may sleep; does not wait for their end.
 */
void sdp_session_set_keep(struct sdp_session_set *set,
			  bool (*needed)(struct sdp_session *session));

/**
 * sdp_session_del() - SDP_SESSION_DEL.
 * @owner: the socket.
 * @ref:   one by its id, or all with a peer.
 *
 * Waits for an RCU grace period. Context: process, may sleep; not under the socket's
 * lock. Return: 0, -ENOENT, -EINVAL.
 */
int sdp_session_del(const struct sdp_session_owner *owner,
		    const struct sdp_session_ref *ref);

/**
 * sdp_session_withdraw() - remove one without waiting for its end.
 * @owner: the socket.
 * @id:    which; there may be none.
 *
 * Context: process, may sleep.
 */
void sdp_session_withdraw(const struct sdp_session_owner *owner, u32 id);

/**
 * sdp_session_wipe_all() - remove every session, as on suspend and VM fork.
 *
 * Context: process, may sleep.
 */
void sdp_session_wipe_all(void);

/**
 * sdp_session_refuse() - whether to install no sessions for now.
 * @refuse: those that have begun to be installed are refused, too.
 *
 * Context: process, may sleep.
 */
void sdp_session_refuse(bool refuse);

/**
 * sdp_session_check_ref() - may there be such a session?
 * @owner: the socket.
 * @id:    as in struct sdp_session_ref,
 * @peer:  likewise.
 *
 * Return: 0, -EINVAL, -ENOENT: it never had any.
 */
int sdp_session_check_ref(const struct sdp_session_owner *owner, u32 id,
			  const struct sockaddr_in6 *peer);

/**
 * sdp_session_find_ref() - what a struct sdp_session_ref names: by peer the one that
 *	is used.
 * @owner: the socket; its set's lock is held, for as long as the session is looked at.
 * @id:    from the reference,
 * @peer:  likewise.
 *
 * Return: the session, or NULL.
 */
struct sdp_session *sdp_session_find_ref(const struct sdp_session_owner *owner, u32 id,
					 const struct sockaddr_in6 *peer);

/**
 * sdp_session_rekey() - SDP_SESSION_REKEY: next epoch for sending.
 * @owner: the socket.
 * @ref:   which.
 *
 * Context: process, may sleep. Return: 0, -ENOENT, -EINVAL, -EOPNOTSUPP (raw
 * keys), -EBUSY (the peer has not been heard under the present epoch), -ENOMEM.
 */
int sdp_session_rekey(const struct sdp_session_owner *owner,
		      const struct sdp_session_ref *ref);

/**
 * sdp_session_first_packet() - an authentic packet came under a session for which
 *	none had: its peer uses it.
 * @session: what was pending takes the place of the present one with its key.
 *
 * Context: softirq or process with bottom halves off, RCU read lock.
 */
void sdp_session_first_packet(struct sdp_session *session);

/**
 * sdp_session_find() - the present session with a peer, for sending.
 * @key: from sdp_session_key_init().
 *
 * Context: any, RCU read lock. Return: the session, valid under RCU, or NULL.
 */
struct sdp_session *sdp_session_find(const struct sdp_session_key *key);

/**
 * sdp_session_find_id() - the session that a packet names.
 * @key: from sdp_session_key_init(), seen from the receiver.
 * @id:  from the packet, host byte order.
 *
 * Context: any, RCU read lock. Return: the session, valid under RCU, or NULL.
 */
struct sdp_session *sdp_session_find_id(const struct sdp_session_key *key,
					u32 id);

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
 * sdp_session_publish() - put a session into the table, beside or in place of
 *	those with the same key.
 * @session: complete. On failure it stays the caller's.
 *
 * Context: process, may sleep. Return: 0, -ENOMEM, what transport_init says,
 * -EBUSY (sdp_session_refuse()).
 */
int sdp_session_publish(struct sdp_session *session);

/** sdp_session_discard() - drop a session that is not in the table. */
void sdp_session_discard(struct sdp_session *session);

int sdp_registry_init(void);
void sdp_registry_exit(void);

#endif /* SDP_RECORD_REGISTRY_H */
