/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pull program: stop and wait. The receiver of a message asks for one piece
 * after the other (GRANT) and takes bytes in order only; what is lost is asked
 * for again after a silence. Clear mode, no priorities, no memory of what was
 * executed. It exists so that the target stays free of Homa.
 */
#ifndef SDP_PROGRAM_PULL_PROGRAM_H
#define SDP_PROGRAM_PULL_PROGRAM_H

#include "../params.h"

#define PROG_TABLE "pull/pull.def"
#define PROG_DROP_TABLE "pull/drop.def"
#include "../table.h"

enum prog_rank {
	PROG_RANK_SEND,		/* never set */
	PROG_RANKS
};

enum pull_state {
	PULL_NEW, PULL_OUT, PULL_IN, PULL_READY, PULL_SERVICE, PULL_REPLY,
	PULL_FAILED, PULL_STATES
};

/**
 * struct prog_rpc - one RPC at one of its ends.
 * @heard:  when the peer was last heard.
 * @tx_length, @tx_granted: of our message.
 * @rx_length, @rx_granted, @rx_received: of the peer's.
 * @state:  enum pull_state.
 * @server: our role.
 */
struct prog_rpc {
	u64 heard;
	u32 tx_length;
	u32 tx_granted;
	u32 rx_length;
	u32 rx_granted;
	u32 rx_received;
	u8 state;
	u8 server;
};

#define PROG_CLIENT_NUMBERS 1024

struct prog_client {
	u8 unused;
};

struct prog_peer {
	u8 unused;
};

struct prog_host {
	u8 unused;
};

struct prog_scratch {
	u32 unused;
};

/* What a target asks. */

static inline u32 prog_rank_event(u32 rank)
{
	return PROG_EV_SEND_TURN;
}

static inline u32 prog_rank_grouped(u32 rank)
{
	return 0;
}

static inline u32 prog_rank_apart(u32 rank)
{
	return 0;
}

static inline u32 prog_rank_winners(u32 rank, const struct prog_params *params)
{
	return 1;
}

static inline u32 prog_peer_prio(const struct prog_peer *peer,
				 const struct prog_params *params, u32 length)
{
	return 0;
}

static inline u32 prog_peer_unsched(const struct prog_peer *peer)
{
	return 0;
}

static inline u32 prog_peer_small(const struct prog_peer *peer, u64 now)
{
	return 0;
}

static inline u64 prog_forget_ns(const struct prog_params *params)
{
	return params->forget_ns;
}

static inline u32 prog_peer_cutoff_version(const struct prog_peer *peer)
{
	return 0;
}

static inline u32 prog_rpc_strange(const struct prog_rpc *rpc)
{
	return 0;
}

static inline u32 prog_rpc_proving(const struct prog_rpc *rpc)
{
	return 0;
}

static inline u32 prog_peer_proven(const struct prog_peer *peer, u64 now)
{
	return 1;
}

static inline u32 prog_peer_fresh(const struct prog_peer *peer, u64 now)
{
	return 1;
}

static inline u32 prog_peer_budget(const struct prog_peer *peer)
{
	return 0;
}

static inline u32 prog_peer_spend(struct prog_peer *peer, u32 bytes, u64 now)
{
	return 1;
}

static inline u32 prog_peer_acks(const struct prog_peer *peer)
{
	return 0;
}

static inline const char *prog_state_name(u32 state)
{
	static const char *const names[] = {
		"new", "out", "in", "ready", "service", "reply", "failed",
	};

	return state < PULL_STATES ? names[state] : "?";
}

static inline void prog_rpc_info(const struct prog_rpc *rpc,
				 struct prog_info *info)
{
	*info = (struct prog_info){
		.tx_length = rpc->tx_length ? (s32)rpc->tx_length : -1,
		.tx_sent = rpc->tx_granted,
		.tx_granted = rpc->tx_granted,
		.rx_length = rpc->rx_length ? (s32)rpc->rx_length : -1,
		.rx_remaining = rpc->rx_length - rpc->rx_received,
		.rx_granted = rpc->rx_granted,
		.state = rpc->state,
	};
}

#include "chains.h"

#define PROG_CALL(name) pull_##name
#include "../dispatch.h"

#endif /* SDP_PROGRAM_PULL_PROGRAM_H */
