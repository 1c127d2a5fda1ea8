/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All RPCs, by namespace: how they are found, and how long they live
 * (docs/locking.md).
 */
#ifndef SDP_TARGET_RPC_TABLE_H
#define SDP_TARGET_RPC_TABLE_H

#include "rpc.h"

/**
 * sdp_rpc_alloc() - a new RPC, not yet to be found.
 * @ep:   its socket.
 * @who:  what it is found by.
 * @peer: a reference that the RPC takes over.
 * @session: likewise, or NULL.
 * @gfp:  for the memory.
 *
 * Return: the RPC with one reference, which is the table's once it is
 * inserted; or NULL: then @peer and @session stay the caller's.
 */
struct sdp_rpc *sdp_rpc_alloc(struct sdp_endpoint *ep,
			      const struct sdp_rpc_id *who,
			      struct sdp_peer *peer,
			      struct sdp_session *session, gfp_t gfp);

/**
 * sdp_rpc_insert() - make an RPC findable; its lock is taken.
 * @rpc: from sdp_rpc_alloc().
 *
 * Context: BH disabled. Return: 0 with the lock held; -ESHUTDOWN (the socket is
 * shut down), -EADDRNOTAVAIL (it has another port), -ECONNRESET (the session has
 * been removed) or -EEXIST (there is one, or, at other sockets, there are too many)
 * without it: the reference stays the caller's.
 */
int sdp_rpc_insert(struct sdp_rpc *rpc);

/**
 * sdp_rpc_find_lock() - find an RPC and take its lock.
 * @who: what it is found by.
 *
 * Context: RCU read lock, BH disabled. Return: the RPC, locked and hashed, or
 * NULL. Valid until it is unlocked.
 */
struct sdp_rpc *sdp_rpc_find_lock(const struct sdp_rpc_id *who);

/**
 * sdp_rpc_find_at_lock() - the same, whichever socket it is of.
 * @who:    what it is found by. @who->ep, if not NULL, has it, wherever it was sent to.
 * @at:     where the packet has come to that names it: to the address that the RPC has of
 *	    ours, and, if we are the server, to where its socket is bound to.
 * @orphan: only those of orphans.
 *
 * Context, return: as sdp_rpc_find_lock().
 */
struct sdp_rpc *sdp_rpc_find_at_lock(const struct sdp_rpc_id *who,
				     const struct sdp_inlet *at, bool orphan);

/**
 * sdp_rpc_find_client_lock() - find a request of ours by its id alone.
 * @ep: the socket.
 * @id: even.
 *
 * Context, return: as sdp_rpc_find_lock().
 */
struct sdp_rpc *sdp_rpc_find_client_lock(struct sdp_endpoint *ep, u64 id);

/**
 * sdp_rpc_spend_tx() - the message that is sent is not needed any more: free it, unless
 *	somebody uses it or it is a plain one; then it goes with the RPC.
 * @rpc: the caller has a reference.
 *
 * Context: BH disabled, the RPC is not locked. Wakes who waits for memory.
 */
void sdp_rpc_spend_tx(struct sdp_rpc *rpc);

/**
 * sdp_rpc_drop_tx() - the message that is sent is not needed any more.
 * @rpc: nobody else uses it, or has seen the message.
 */
void sdp_rpc_drop_tx(struct sdp_rpc *rpc);

/** sdp_rpc_put() - drop a reference; any context. */
void sdp_rpc_put(struct sdp_rpc *rpc);

/**
 * sdp_rpc_end() - take an RPC out of everything; its memory goes with the last
 *	reference. The table's is dropped here, the caller holds one.
 * @rpc: locked. It has left its ranks, and its timer has been removed.
 */
void sdp_rpc_end(struct sdp_rpc *rpc);

/** sdp_rpc_table_init() - for a new namespace, which is zeroed. */
void sdp_rpc_table_init(struct sdp_net *sn);

/**
 * sdp_rpc_table_make() - make room for the RPCs of a namespace, before its first socket's.
 *
 * Context: process, may sleep; charged to the caller. Return: 0 or -ENOMEM.
 */
int sdp_rpc_table_make(struct sdp_net *sn);

/**
 * sdp_rpc_table_free() - the namespace has no sockets and no packets any more.
 *
 * Context: process, may sleep.
 */
void sdp_rpc_table_free(struct sdp_net *sn);

int sdp_rpc_init(void);
void sdp_rpc_exit(void);

#endif /* SDP_TARGET_RPC_TABLE_H */
