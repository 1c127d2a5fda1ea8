/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is done to orphans (orphans.h) from packets and events, and by who releases them.
 */
#ifndef SDP_TARGET_ORPHAN_H
#define SDP_TARGET_ORPHAN_H

#include "orphans.h"
#include "rpc.h"

/**
 * sdp_orphans_init() - set up those of a new namespace.
 * @orphans: zeroed.
 * @work:    function of the work; process context, may sleep.
 */
void sdp_orphans_init(struct sdp_orphans *orphans, work_func_t work);

/** sdp_orphans_run() - have the work run in @delay jiffies, if not before; any context. */
void sdp_orphans_run(struct sdp_orphans *orphans, unsigned long delay);

/**
 * sdp_orphan_find() - the orphan that has an RPC.
 * @who: what the RPC is found by, but for the socket.
 * @at:  where the packet has come to that names it.
 *
 * Context: RCU read lock, BH disabled. Return: its endpoint, valid under RCU, or NULL.
 */
struct sdp_endpoint *sdp_orphan_find(const struct sdp_rpc_id *who,
				     const struct sdp_inlet *at);

/**
 * sdp_orphan_list() - an endpoint has become an orphan in all respects.
 * @ep:    its RPCs may all have ended meanwhile. It may be released before this returns.
 * @delay: when it is looked at, jiffies from now.
 *
 * Context: process; the namespace stays until this returns.
 */
void sdp_orphan_list(struct sdp_endpoint *ep, unsigned long delay);

/**
 * sdp_orphan_ended() - the last RPC of an orphan has ended.
 * @ep: it may not be listed yet.
 *
 * Context: any, RCU read lock.
 */
void sdp_orphan_ended(struct sdp_endpoint *ep);

#endif /* SDP_TARGET_ORPHAN_H */
