/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions: install, find, remove; nonces of a socket. What sockets and the
 * transport's target call. The rules are in docs/wire.md, the locks in
 * docs/locking.md.
 *
 * A session is found under RCU and lives while it is referenced; a message
 * (struct sdp_tx, struct sdp_rx) holds an epoch, which holds its session. A
 * removed session is dead at once: it seals and opens nothing more, the target
 * is told and gives its messages up, and the last reference wipes the keys.
 */
#ifndef SDP_RECORD_SESSION_H
#define SDP_RECORD_SESSION_H

#include <linux/in6.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>
#include <linux/sdp.h>

#include "wire.h"

struct sdp_epoch;
struct sdp_session;

/**
 * struct sdp_session_key - what a session is found by.
 * @owner:      token of the socket: nobody else sends or receives under it.
 * @net:        namespace.
 * @bound:      index of the VRF (l3mdev) that the socket is in, otherwise 0.
 * @scope:      interface of a link-local peer, otherwise 0.
 * @peer:       address; IPv4 as v4-mapped.
 * @peer_port:  host byte order.
 * @local_port: host byte order.
 *
 * Compared as bytes: begin with a zeroed one, or sdp_session_key_init().
 */
struct sdp_session_key {
	const void *owner;
	const struct net *net;
	int bound;
	int scope;
	struct in6_addr peer;
	u16 peer_port;
	u16 local_port;
	u32 zero;
};

static inline void sdp_session_key_init(struct sdp_session_key *key,
					const void *owner,
					const struct net *net, int bound,
					int scope, const struct in6_addr *peer,
					u16 peer_port, u16 local_port)
{
	key->owner = owner;
	key->net = net;
	key->bound = bound;
	key->scope = scope;
	key->peer = *peer;
	key->peer_port = peer_port;
	key->local_port = local_port;
	key->zero = 0;
}

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
 * struct sdp_session_owner - a socket, for the calls below.
 * @net:      its namespace.
 * @token:    identifies it, the struct sock; never followed.
 * @nonces:   its pool.
 * @bound:    VRF it is in, or 0.
 * @port:     its local port, host byte order, not 0.
 * @max_user: sessions that its user may have (net.sdp.user_sessions).
 */
struct sdp_session_owner {
	const struct net *net;
	const void *token;
	struct sdp_nonces *nonces;
	int bound;
	u16 port;
	u32 max_user;
};

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
 * @window:         messages may start again after -EAGAIN; any context, no
 *                  locks of this room held; may be NULL.
 */
struct sdp_record_ops {
	size_t transport_size;
	int (*transport_init)(struct sdp_session *session);
	void (*transport_exit)(struct sdp_session *session);
	void (*dead)(struct sdp_session *session);
	void (*window)(struct sdp_session *session);
};

/**
 * sdp_record_init() - set this room up, once, at module load.
 * @ops: kept.
 *
 * Return: 0, -ENOMEM, -ENOENT (a cipher is missing from the kernel).
 */
int sdp_record_init(const struct sdp_record_ops *ops);

/** sdp_record_exit() - after the last socket is gone; waits for all frees. */
void sdp_record_exit(void);

/**
 * sdp_session_add() - SDP_SESSION_ADD.
 * @owner: the socket.
 * @add:   the argument, in kernel memory, of the full size; its secret is
 *         wiped here on every path.
 * @id:    the session's id is written; may be NULL.
 *
 * A session with the same key is replaced: removed as by sdp_session_del().
 *
 * Context: process, may sleep. Return: 0; -EINVAL (a field; an own nonce that
 * this socket never gave), -EEXIST (that nonce is spent), -EAFNOSUPPORT,
 * -ENOBUFS (@owner->max_user), -ENOMEM, -ENOENT (no such cipher here), -EBUSY
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
 * sdp_session_del() - SDP_SESSION_DEL.
 * @owner: the socket.
 * @ref:   which.
 *
 * Context: process, may sleep. Return: 0, -ENOENT, -EINVAL.
 */
int sdp_session_del(const struct sdp_session_owner *owner,
		    const struct sdp_session_ref *ref);

/**
 * sdp_session_del_owner() - remove all sessions of a socket that closes.
 * @token: as in struct sdp_session_owner.
 *
 * Context: process, may sleep. When this returns, @dead has been called for
 * each of them.
 */
void sdp_session_del_owner(const void *token);

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
 * sdp_session_info() - SDP_SESSION_INFO.
 * @owner: the socket.
 * @info:  in: id or peer; out: everything else.
 *
 * Context: process. Return: 0, -ENOENT, -EINVAL.
 */
int sdp_session_info(const struct sdp_session_owner *owner,
		     struct sdp_session_info *info);

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

/** sdp_session_transport() - the target's state in a session. */
void *sdp_session_transport(struct sdp_session *session);

/**
 * sdp_session_dump() - call back for each session of a namespace.
 * @net: the namespace.
 * @fn:  gets the state and the session's key; process context, may sleep; a
 *       non-zero return ends it.
 * @arg: handed to @fn.
 */
int sdp_session_dump(const struct net *net,
		     int (*fn)(const struct sdp_session_info *info,
			       const struct sdp_session_key *key, void *arg),
		     void *arg);

#endif /* SDP_RECORD_SESSION_H */
