/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happens when a socket has received more than SO_RCVBUF lets it keep, clear and
 * secure messages apart: messages do not begin, peers get no leave to send more, and
 * while no whole message waits whose delivery would give memory back, an incomplete
 * one is given up (run/reclaim.h). It is one of a session, or in the clear of
 * addresses, but not while another holds twice as much. Whole messages are never
 * dropped; a message that has its class's memory for itself, but for less than half,
 * may be longer than it.
 */
#ifndef SDP_TARGET_PRESSURE_H
#define SDP_TARGET_PRESSURE_H

#include "rpc.h"

/**
 * sdp_pressure_owner() - whose an RPC is.
 * @rpc: with its peer or session; the owner lives as long as it, at least.
 */
struct sdp_owner *sdp_pressure_owner(struct sdp_rpc *rpc);

/**
 * sdp_pressure_enter() - part of a message is here: it can be given up.
 * @rpc: locked.
 *
 * Its memory is charged from now on, though it may hold no packet yet.
 */
void sdp_pressure_enter(struct sdp_rpc *rpc);

/** sdp_pressure_count() - its message takes so much more, or less; @rpc is locked. */
static inline void sdp_pressure_count(struct sdp_rpc *rpc, int bytes)
{
	atomic_t *sizes = rpc->ep->sizes[rpc->secure];
	int held = atomic_add_return(bytes, &rpc->owner->bytes);

	if (fls(held) != fls(held - bytes)) {
		atomic_dec(&sizes[fls(held - bytes)]);
		atomic_inc(&sizes[fls(held)]);
	}
}

/**
 * sdp_pressure_resize() - change what the packets of a message take.
 * @rpc:   locked, or of nobody else.
 * @bytes: by so much.
 */
static inline void sdp_pressure_resize(struct sdp_rpc *rpc, int bytes)
{
	WRITE_ONCE(rpc->rx_truesize, rpc->rx_truesize + bytes);
	if (rpc->owner)
		sdp_pressure_count(rpc, bytes);
}

/**
 * sdp_pressure_unlist() - the message is whole, or its RPC over: it is no victim any more.
 * @rpc: locked, and so is its socket. sdp_pressure_left() follows, when the latter is not.
 */
void sdp_pressure_unlist(struct sdp_rpc *rpc);

/** sdp_pressure_left() - nor is it anybody's; @rpc is still locked. */
void sdp_pressure_left(struct sdp_rpc *rpc);

/**
 * sdp_pressure_victim() - the message to be given up, if one must go.
 * @ep: the socket.
 *
 * Looks at a bounded number of messages. Context: BH disabled. Return: its RPC, held,
 * or NULL: none has to go, or none was found, and ep->pressed is set.
 */
struct sdp_rpc *sdp_pressure_victim(struct sdp_endpoint *ep);

/**
 * sdp_pressure_park() - put an RPC aside whose peer would be granted more.
 * @rpc: locked.
 *
 * Return: false if it need not wait. Otherwise the caller takes it out of the
 * ranks and notes them in @rpc->parked.
 */
bool sdp_pressure_park(struct sdp_rpc *rpc);

/**
 * sdp_pressure_unpark() - an RPC that need not wait any longer.
 * @ep: the socket.
 *
 * Context: BH disabled. Return: held, no longer in ep->parked; or NULL.
 */
struct sdp_rpc *sdp_pressure_unpark(struct sdp_endpoint *ep);

#endif /* SDP_TARGET_PRESSURE_H */
