/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Settings of programs, and what diagnostics show: the same for all of them.
 */
#ifndef SDP_PROGRAM_PARAMS_H
#define SDP_PROGRAM_PARAMS_H

#include "event.h"

/**
 * struct prog_params - settings, the same for all events until changed.
 * @resend_ns:     silence after which the receiver of a message asks for what
 *                 is missing, unless the path is known to take longer.
 * @dead_ns:       silence after which the peer of an RPC is dead; never less than
 *                 three seconds.
 * @need_ack_ns:   time from the end of a response to the first NEED_ACK where memory
 *                 is scarce, and between two.
 * @forget_ns:     how long requests of a client are remembered, at least: longer
 *                 than it may be silent between two questions. And @dead_ns.
 * @unsched_bytes: most bytes of our messages that are sent without a grant.
 * @max_unsched:   most unscheduled bytes that are taken from a peer.
 * @window:        most bytes that one message may have granted and not received;
 *                 fewer where the path has lost some.
 * @max_incoming:  bytes that all messages may have granted and not received.
 * @quantum:       grants are multiples of it (or the length); 0 or 1: any.
 * @max_message:   longest message, bytes; [0] clear, [1] secure (sealed).
 * @pace_bytes:    messages of at most so many bytes are not paced.
 * @fifo_share:    share of granted bytes that goes to the oldest message, per
 *                 mille.
 * @fifo_chunk:    bytes that the oldest message is granted at a time.
 * @cutoffs:       what we want peers to use for unscheduled data to us.
 * @cutoff_version: version of @cutoffs, not 0.
 * @overcommit:    messages (of different peers) granted to at once.
 * @prios:         priority levels; control packets go at the highest.
 * @sched_prios:   lowest levels, used for scheduled data.
 * @resend_tries:  unanswered questions before a peer may be dead.
 */
struct prog_params {
	u64 resend_ns;
	u64 dead_ns;
	u64 need_ack_ns;
	u64 forget_ns;
	u32 unsched_bytes;
	u32 max_unsched;
	u32 window;
	u32 max_incoming;
	u32 quantum;
	u32 max_message[2];
	u32 pace_bytes;
	u32 fifo_share;
	u32 fifo_chunk;
	u32 cutoffs[PROG_PRIOS];
	u16 cutoff_version;
	u8 overcommit;
	u8 prios;
	u8 sched_prios;
	u8 resend_tries;
};

/** prog_params_init() - default settings. */
static inline void prog_params_init(struct prog_params *params)
{
	static const struct prog_params defaults = {
		.resend_ns = 5000000,
		.dead_ns = 100000000,
		.need_ack_ns = 5000000,
		.forget_ns = 4000000000,
		.unsched_bytes = 66000,
		.max_unsched = 131072,
		.window = 100000,
		.max_incoming = 400000,
		.quantum = 16384,
		.max_message = { 1000000, 0x7fffffff },
		.pace_bytes = 1000,
		.fifo_share = 50,
		.fifo_chunk = 10000,
		/* Shortest messages at the highest levels; 0 to 4 take any length. */
		.cutoffs = {
			0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff,
			0xffffffff, 15000, 2800, 200,
		},
		.cutoff_version = 1,
		.overcommit = 8,
		.prios = PROG_PRIOS,
		.sched_prios = 4,
		.resend_tries = 8,
	};

	*params = defaults;
}

/**
 * struct prog_info - what diagnostics show of an RPC. Bytes.
 */
struct prog_info {
	s32 tx_length;	/* -1: none */
	u32 tx_sent;
	u32 tx_granted;
	u32 tx_prio;
	s32 rx_length;	/* -1: none */
	u32 rx_remaining;
	u32 rx_gaps;
	u32 rx_gap_bytes;
	u32 rx_granted;
	u32 state;	/* for prog_state_name() */
};

#endif /* SDP_PROGRAM_PARAMS_H */
