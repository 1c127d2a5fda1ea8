/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What diagnostics show of an RPC. Not part of a chain.
 */
#ifndef SDP_PROGRAM_HOMA_INFO_H
#define SDP_PROGRAM_HOMA_INFO_H

#include "context.h"

/** prog_state_name() - name of prog_info.state. */
static inline const char *prog_state_name(u32 state)
{
	static const char *const names[] = {
		"new", "out", "in", "ready", "service", "reply", "failed", "over",
	};

	return state < HOMA_STATES ? names[state] : "?";
}

/** prog_rpc_info() - describe an RPC; its lock is held, or it may tear. */
static inline void prog_rpc_info(const struct prog_rpc *rpc,
				 struct prog_info *info)
{
	u32 i;

	info->state = rpc->state;
	info->tx_length = rpc->tx_length ? (s32)rpc->tx_length : -1;
	info->tx_sent = rpc->tx_sent;
	info->tx_granted = rpc->tx_granted;
	info->tx_prio = rpc->tx_sent < rpc->tx_unsched ? rpc->tx_prio :
							 rpc->tx_sched_prio;
	info->rx_length = rpc->rx_length ? (s32)rpc->rx_length : -1;
	info->rx_remaining = rpc->rx_length - rpc->rx_received;
	info->rx_gaps = rpc->gaps;
	info->rx_gap_bytes = 0;
	info->rx_granted = rpc->rx_granted;
	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps)
			info->rx_gap_bytes += rpc->gap[i].end - rpc->gap[i].start;
}

#endif /* SDP_PROGRAM_HOMA_INFO_H */
