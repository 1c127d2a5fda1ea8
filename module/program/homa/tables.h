/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a target asks about the program: names, contexts of events, ranks,
 * default settings.
 */
#ifndef SDP_PROGRAM_HOMA_TABLES_H
#define SDP_PROGRAM_HOMA_TABLES_H

#include "context.h"

/**
 * prog_event_contexts() - contexts (MTP_CTX_*) that an event's chain needs.
 * @kind: enum prog_event; a constant folds.
 */
static inline u32 prog_event_contexts(u32 kind)
{
	switch (kind) {
#define EVENT(name, contexts, chain)		\
	case PROG_EV_##name:			\
		return contexts;
#include "homa.def"
#undef EVENT
	}
	return 0;
}

/** prog_event_name() - name of an event, for traces and tests. */
static inline const char *prog_event_name(u32 kind)
{
	static const char *const names[] = {
#define EVENT(name, contexts, chain) #name,
#include "homa.def"
#undef EVENT
	};

	return kind < PROG_EVENTS ? names[kind] : "?";
}

/** prog_drop_name() - name of a drop reason, as counters have it. */
static inline const char *prog_drop_name(u32 drop)
{
	static const char *const names[] = {
		"NONE",
#define DROP(name, text) #name,
#include "drop.def"
#undef DROP
	};

	return drop < PROG_DROPS ? names[drop] : "?";
}

/** prog_drop_text() - what a drop reason means. */
static inline const char *prog_drop_text(u32 drop)
{
	static const char *const texts[] = {
		"not dropped",
#define DROP(name, text) text,
#include "drop.def"
#undef DROP
	};

	return drop < PROG_DROPS ? texts[drop] : "?";
}

/** prog_rank_event() - event (enum prog_event) of the winners of a rank. */
static inline u32 prog_rank_event(u32 rank)
{
	switch (rank) {
	case PROG_RANK_FIFO:
		return PROG_EV_FIFO_TURN;
	case PROG_RANK_SEND:
		return PROG_EV_SEND_TURN;
	}
	return PROG_EV_GRANT_TURN;
}

/**
 * prog_rank_grouped() - whether members are grouped by peer context, so that
 * only the best of a group can win.
 */
static inline u32 prog_rank_grouped(u32 rank)
{
	return rank == PROG_RANK_GRANT;
}

/** prog_rank_winners() - how many winners a rank has, at most. */
static inline u32 prog_rank_winners(u32 rank, const struct prog_params *params)
{
	return prog_rank_grouped(rank) ? params->overcommit : 1;
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

/** prog_peer_cutoff_version() - for the header of DATA; may be racy. */
static inline u32 prog_peer_cutoff_version(const struct prog_peer *peer)
{
	return peer->cutoff_version;
}

/** prog_peer_acks() - acknowledgements that TAKE_ACKS would find; may be racy. */
static inline u32 prog_peer_acks(const struct prog_peer *peer)
{
	return peer->acks;
}

/** prog_params_init() - default settings. */
static inline void prog_params_init(struct prog_params *params)
{
	static const struct prog_params defaults = {
		.resend_ns = 5000000,
		.dead_ns = 100000000,
		.need_ack_ns = 2000000,
		.forget_ns = 100000000,
		.unsched_bytes = 40000,
		.max_unsched = 100000,
		.window = 60000,
		.max_incoming = 400000,
		.quantum = 1,
		.max_message = { 1000000, 0x7fffffff },
		.pace_bytes = 1500,
		.fifo_share = 50,
		.fifo_chunk = 10000,
		.cutoffs = { 0x7fffffff, 0, 0, 0, 1000000, 15000, 2800, 200 },
		.cutoff_version = 1,
		.overcommit = 8,
		.prios = PROG_PRIOS,
		.sched_prios = 4,
		.resend_tries = 5,
	};

	*params = defaults;
}

#endif /* SDP_PROGRAM_HOMA_TABLES_H */
