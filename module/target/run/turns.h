/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Places of RPCs in the namespace's ranks, as instructions have it. Winners whose
 * place or key changed are noted in the run, which gives them their turn at its
 * end; those who want to send get theirs from run/pacer.c.
 *
 * Context of all: in a run; the RPC, where there is one, is locked.
 */
#ifndef SDP_TARGET_TURNS_H
#define SDP_TARGET_TURNS_H

#include "run.h"

/** sdp_turns_set() - RANK_SET. A parked RPC gets its place when it is unparked. */
void sdp_turns_set(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank, u64 key);

/** sdp_turns_clear() - RANK_CLEAR; nothing happens if it is not in the rank. */
void sdp_turns_clear(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank);

/** sdp_turns_place() - RANK_PLACE. */
void sdp_turns_place(struct sdp_run *run, struct sdp_rpc *rpc, u32 rank, u64 place,
		     u32 number);

/** sdp_turns_kick() - RANK_KICK. */
void sdp_turns_kick(struct sdp_run *run, u32 rank);

/**
 * sdp_turns_park() - leave all ranks whose turns give the peer leave to send.
 *
 * They are noted in @rpc->parked.
 */
void sdp_turns_park(struct sdp_run *run, struct sdp_rpc *rpc);

#endif /* SDP_TARGET_TURNS_H */
