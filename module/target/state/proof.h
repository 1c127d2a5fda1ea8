/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether who sends clear requests from an address has it (program/homa/prove.h): what
 * CUTOFFS tell an address, and what may go to one that has not told it back.
 */
#ifndef SDP_TARGET_PROOF_H
#define SDP_TARGET_PROOF_H

#include "rpc.h"

/** sdp_proof_init() - make the key of a new namespace. */
void sdp_proof_init(struct sdp_net *sn);

/**
 * sdp_proof_version() - version of the cutoffs that a clear peer is told.
 * @peer: the peer.
 *
 * A keyed hash of both addresses and the minute, or what all are told where addresses
 * need not be proven (net.sdp.prove_addresses). Context: any. Return: never 0.
 */
u16 sdp_proof_version(const struct sdp_peer *peer);

/**
 * sdp_proof_look() - look at what a clear packet of DATA shows of its address.
 * @ev:    its event, which is completed.
 * @rpc:   of the packet, locked.
 * @fresh: the packet has just made it.
 */
void sdp_proof_look(struct prog_ev *ev, const struct sdp_rpc *rpc, bool fresh);

/**
 * sdp_proof_of_response() - what is known of the address that a response goes to.
 * @ev:  its event, which is completed.
 * @rpc: locked.
 */
void sdp_proof_of_response(struct prog_ev *ev, const struct sdp_rpc *rpc);

/** sdp_proof_spend() - see sdp_proof_allows(); of an RPC that is strange. */
bool sdp_proof_spend(struct sdp_rpc *rpc, u32 bytes);

/**
 * sdp_proof_allows() - may a packet of an RPC go to its address? It goes then.
 * @rpc:   held, not locked.
 * @bytes: with all headers.
 *
 * Context: BH disabled.
 */
static inline bool sdp_proof_allows(struct sdp_rpc *rpc, u32 bytes)
{
	return likely(!prog_rpc_strange(&rpc->prog)) ||
	       sdp_proof_spend(rpc, bytes);
}

#endif /* SDP_TARGET_PROOF_H */
