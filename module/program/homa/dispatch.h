/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From an event to its chain: a switch of direct calls, expanded from the
 * table.
 */
#ifndef SDP_PROGRAM_HOMA_DISPATCH_H
#define SDP_PROGRAM_HOMA_DISPATCH_H

#include "context.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#endif

/* A processor runs unless one before it has refused the event. */
#define DO_0(name)
#define DO_R(name)
#define DO_C(name)
#define DO_P(name)
#define DO_RC(name)
#define DO_RP(name)
#define DO_RH(name)

/**
 * prog_dispatch_as() - run the chain of an event whose kind the caller knows.
 * @kind:    enum prog_event, the same as @ev->kind; a constant folds.
 * @ev:      the event.
 * @params:  settings.
 * @rpc, @client, @peer, @host: contexts, locked, as prog_event_contexts() has
 *           them for this kind; the others are not touched and may be NULL.
 * @scratch: memory for the chain, not initialised.
 * @out:     answer; count and verdict are set.
 */
static __always_inline void
prog_dispatch_as(u32 kind, const struct prog_ev *ev,
		 const struct prog_params *params, struct prog_rpc *rpc,
		 struct prog_client *client, struct prog_peer *peer,
		 struct prog_host *host, struct prog_scratch *scratch,
		 struct mtp_out *out)
{
	out->verdict = 0;
	out->count = 0;
	switch (kind) {
#define EVENT(name, contexts, chain)		\
	case PROG_EV_##name:			\
		chain				\
		break;
#include "homa.def"
#undef EVENT
	}
}

/** prog_dispatch() - run the chain of any event. */
static inline void
prog_dispatch(const struct prog_ev *ev, const struct prog_params *params,
	      struct prog_rpc *rpc, struct prog_client *client,
	      struct prog_peer *peer, struct prog_host *host,
	      struct prog_scratch *scratch, struct mtp_out *out)
{
	prog_dispatch_as(ev->kind, ev, params, rpc, client, peer, host, scratch,
			 out);
}

#endif /* SDP_PROGRAM_HOMA_DISPATCH_H */
