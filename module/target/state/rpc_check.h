/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SDP_TARGET_RPC_CHECK_H
#define SDP_TARGET_RPC_CHECK_H

#include "rpc.h"

/**
 * sdp_rpc_check() - do the words of an RPC's state contradict each other?
 * @rpc: locked; the socket's lock is not held.
 *
 * The rules are in rpc.h. Only in kernels with CONFIG_DEBUG_NET.
 * Return: what is wrong, or NULL.
 */
const char *sdp_rpc_check(struct sdp_rpc *rpc);

#endif /* SDP_TARGET_RPC_CHECK_H */
