/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SDP_TARGET_CONTROL_H
#define SDP_TARGET_CONTROL_H

#include "packet.h"

/**
 * sdp_receive_control() - run a control packet's event.
 * @run:    executor.
 * @packet: the packet, verified if it is secure.
 * @rpc:    the RPC it names, locked, or NULL; unlocked on return.
 *
 * Return: drop reason, or 0.
 */
enum sdp_drop sdp_receive_control(struct sdp_run *run,
				  struct sdp_packet *packet,
				  struct sdp_rpc *rpc);

/**
 * sdp_receive_stray() - run an event that has no RPC and answer to where the packet
 * came from.
 * @run:    executor.
 * @packet: the packet, verified if it is secure.
 * @kind:   enum prog_event.
 *
 * Return: drop reason, or 0.
 */
enum sdp_drop sdp_receive_stray(struct sdp_run *run, struct sdp_packet *packet,
				u32 kind);

#endif /* SDP_TARGET_CONTROL_H */
