/* SPDX-License-Identifier: GPL-2.0-only */
/* Secure messages on their way out. */
#ifndef SDP_TARGET_SEAL_H
#define SDP_TARGET_SEAL_H

#include "../state/rpc.h"
#include "message.h"

/**
 * sdp_send_secure() - number a message, make its records, hand it on.
 * @rpc:  has a session.
 * @send: what.
 *
 * Context: process. Return: as sdp_message_send(), or a positive drop reason.
 */
int sdp_send_secure(struct sdp_rpc *rpc, const struct sdp_send *send);

#endif /* SDP_TARGET_SEAL_H */
