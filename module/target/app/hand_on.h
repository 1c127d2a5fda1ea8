/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A message that is being sent, on its way to the transport program: room for it, and
 * the events that say that there is more of it.
 */
#ifndef SDP_TARGET_HAND_ON_H
#define SDP_TARGET_HAND_ON_H

#include "../run/run.h"
#include "../state/rpc.h"

/**
 * sdp_take_acks() - acknowledgements to ride in a message.
 * @run:  begun.
 * @rpc:  whose message.
 * @ids:  written.
 * @port: of the peer, written if there is one.
 * @most: places in @ids.
 *
 * Return: how many.
 */
u32 sdp_take_acks(struct sdp_run *run, struct sdp_rpc *rpc, u64 *ids,
		  u16 *port, u32 most);

/**
 * sdp_make_buffer() - memory for a message.
 * @rpc:      whose.
 * @length:   bytes.
 * @unit:     as for sdp_txbuf_alloc().
 * @nonblock: EAGAIN rather than wait for room.
 *
 * Context: process. Return: 0, or as sdp_memory_charge_tx(); -ENOMEM.
 */
int sdp_make_buffer(struct sdp_rpc *rpc, u32 length, u32 unit, bool nonblock);

/**
 * sdp_hand_on() - bytes of the message are ready.
 * @rpc:   whose.
 * @ready: how many, from its start.
 * @first: the first ones: the event that begins the message.
 *
 * Context: process. Return: 0; a negative errno, or a positive drop reason of the
 * program.
 */
int sdp_hand_on(struct sdp_rpc *rpc, u32 ready, bool first);

/** sdp_abandon() - it was partly handed on when it failed: take it all back. */
void sdp_abandon(struct sdp_rpc *rpc);

#endif /* SDP_TARGET_HAND_ON_H */
