/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sessions of one socket, in order, under a lock of their own: no other socket's
 * are in the way.
 */
#ifndef SDP_RECORD_SET_H
#define SDP_RECORD_SET_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct sdp_session;

/**
 * struct sdp_session_set - of a socket.
 * @refs:     the socket's, and one per session, be it still in the set or not.
 * @leaving:  sessions that have been removed, and of which the target has not been
 *            told yet. Grows under @lock; who waits for zero waits for the variable.
 * @lock:     adding, removing and looking for sessions; process context. Inside the
 *            list of all sets.
 * @sessions: by id, and those of one id as they were installed.
 * @node:     in the list of all sets.
 */
struct sdp_session_set {
	refcount_t refs;
	atomic_t leaving;
	struct mutex lock;
	struct rb_root sessions;
	struct list_head node;
};

/**
 * sdp_session_set_new() - what holds the sessions of a socket; ends with
 *	sdp_session_set_close(), and sdp_set_put() when nobody looks at it any more.
 *
 * Context: process, may sleep. Return: the set, or NULL: no memory.
 */
struct sdp_session_set *sdp_session_set_new(void);

void sdp_set_hold(struct sdp_session_set *set);

/** sdp_set_put() - drop a reference; any context. */
void sdp_set_put(struct sdp_session_set *set);

/** sdp_set_insert() - add a session, whose id and serial are final; under @set->lock. */
void sdp_set_insert(struct sdp_session_set *set, struct sdp_session *session);

/** sdp_set_remove() - take out one that is in it; under @set->lock. */
void sdp_set_remove(struct sdp_session_set *set, struct sdp_session *session);

/**
 * sdp_set_from() - the first session from a place on, or NULL.
 * @set:    its lock is held.
 * @id:     the place,
 * @serial: and which of that id: those installed before it come before it.
 */
struct sdp_session *sdp_set_from(const struct sdp_session_set *set, u32 id, u64 serial);

/** sdp_set_end() - the socket closes: no more sessions get in. */
void sdp_set_end(struct sdp_session_set *set);

/**
 * sdp_set_visit_all() - look at all sockets' sets.
 * @visit: called under the set's lock.
 * @arg:   handed to @visit.
 *
 * Context: process, may sleep.
 */
void sdp_set_visit_all(void (*visit)(struct sdp_session_set *set, void *arg), void *arg);

#endif /* SDP_RECORD_SET_H */
