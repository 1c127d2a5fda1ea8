/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a target asks about the Homa program: names, contexts of events, ranks,
 * and what the first packet of a message needs to know of its peer.
 */
#ifndef SDP_PROGRAM_HOMA_TABLES_H
#define SDP_PROGRAM_HOMA_TABLES_H

#include "context.h"

#define PROG_TABLE "homa/homa.def"
#define PROG_DROP_TABLE "homa/drop.def"
#include "../table.h"

/** prog_rank_event() - event (enum prog_event) of the winners of a rank. */
static inline u32 prog_rank_event(u32 rank)
{
	switch (rank) {
	case PROG_RANK_FIFO:
		return PROG_EV_FIFO_TURN;
	case PROG_RANK_SEND:
		return PROG_EV_SEND_TURN;
	case PROG_RANK_LEND:
		return PROG_EV_LEND_TURN;
	}
	return PROG_EV_GRANT_TURN;
}

/**
 * prog_rank_grouped() - whether members are grouped by peer context, so that
 * only the best of a group can win.
 */
static inline u32 prog_rank_grouped(u32 rank)
{
	return rank == PROG_RANK_GRANT || rank == PROG_RANK_LEND;
}

/**
 * prog_rank_apart() - whether clear and secure members have a place each, and no more.
 */
static inline u32 prog_rank_apart(u32 rank)
{
	return rank == PROG_RANK_LEND;
}

/** prog_rank_winners() - how many winners a rank has, at most, unless they are apart. */
static inline u32 prog_rank_winners(u32 rank, const struct prog_params *params)
{
	return rank == PROG_RANK_GRANT ? params->overcommit : 1;
}

/**
 * prog_peer_prio() - priority of unscheduled data to a peer.
 * @peer:   the peer; may be read without its lock.
 * @params: settings.
 * @length: bytes of the whole message.
 *
 * The largest level whose cutoff covers the length; before the peer has told
 * its cutoffs, the level below the highest.
 */
static inline u32 prog_peer_prio(const struct prog_peer *peer,
				 const struct prog_params *params, u32 length)
{
	u32 prio = 0;
	u32 i;

	if (!peer->cutoff_version)
		return params->prios > 1 ? params->prios - 2 : 0;
	for (i = 1; i < PROG_PRIOS; i++)
		if (i < params->prios && peer->cutoffs[i] >= length)
			prio = i;
	return prio;
}

/**
 * prog_forget_ns() - how long a client's requests are remembered after the last
 * sign of any of them: it may still ask for one whose RPC has ended here.
 */
static inline u64 prog_forget_ns(const struct prog_params *params)
{
	return params->forget_ns > params->dead_ns ? params->forget_ns :
						     params->dead_ns;
}

/**
 * prog_peer_unsched() - bytes that the path takes without a grant, 0: not known;
 * may be racy. For prog_ev.unsched.
 */
static inline u32 prog_peer_unsched(const struct prog_peer *peer)
{
	return peer->unsched;
}

/** prog_peer_small() - whether packets are to be small; may be racy. */
static inline u32 prog_peer_small(const struct prog_peer *peer, u64 now)
{
	return peer->small_until > now;
}

/** prog_peer_cutoff_version() - for the header of DATA; may be racy. */
static inline u32 prog_peer_cutoff_version(const struct prog_peer *peer)
{
	return peer->cutoff_version;
}

/**
 * prog_rpc_strange() - whether the RPC is a clear request from an address that is not
 * proven: what is sent for it is asked of prog_peer_spend() first. May be racy.
 */
static inline u32 prog_rpc_strange(const struct prog_rpc *rpc)
{
	return rpc->strange != HOMA_KNOWN;
}

/** prog_rpc_proving() - whether a packet of DATA is a PROOF. */
static inline u32 prog_rpc_proving(const struct prog_rpc *rpc)
{
	return rpc->strange == HOMA_HELD;
}

/** prog_peer_proven() - whether the address is proven at @now; may be racy. */
static inline u32 prog_peer_proven(const struct prog_peer *peer, u64 now)
{
	return peer->proven > now;
}

/** prog_peer_fresh() - whether no echo need be looked at yet; may be racy. */
static inline u32 prog_peer_fresh(const struct prog_peer *peer, u64 now)
{
	return prog_peer_proven(peer, now + (HOMA_PROVEN_NS >> 1));
}

/** prog_peer_budget() - bytes that may go to a strange address; may be racy. */
static inline u32 prog_peer_budget(const struct prog_peer *peer)
{
	return peer->budget;
}

/**
 * prog_peer_spend() - whether a packet may go to a strange address.
 * @peer:  locked.
 * @bytes: of the packet, with all headers.
 * @now:   the time, ns.
 */
static inline u32 prog_peer_spend(struct prog_peer *peer, u32 bytes, u64 now)
{
	if (prog_peer_proven(peer, now))
		return 1;
	if (peer->budget < bytes)
		return 0;
	peer->budget -= bytes;
	return 1;
}

/** prog_peer_acks() - acknowledgements that TAKE_ACKS would find; may be racy. */
static inline u32 prog_peer_acks(const struct prog_peer *peer)
{
	return peer->acks;
}

#endif /* SDP_PROGRAM_HOMA_TABLES_H */
