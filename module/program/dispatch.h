/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From an event to its chain: a switch of direct calls, expanded from the
 * program's table. PROG_CALL(name) is the function of a processor.
 */
#ifndef SDP_PROGRAM_DISPATCH_H
#define SDP_PROGRAM_DISPATCH_H

#include "table.h"

#ifndef __always_inline
#define __always_inline inline
#endif

/* The chain ends where a processor refuses the event. */
#define DO(name, ...)						\
	PROG_CALL(name)(ev, params, __VA_ARGS__);		\
	if (out->verdict)					\
		break;
#define DO_0(name) DO(name, scratch, out)
#define DO_R(name) DO(name, rpc, scratch, out)
#define DO_C(name) DO(name, client, scratch, out)
#define DO_P(name) DO(name, peer, scratch, out)
#define DO_RC(name) DO(name, rpc, client, scratch, out)
#define DO_RP(name) DO(name, rpc, peer, scratch, out)
#define DO_RH(name) DO(name, rpc, host, scratch, out)
#define DO_RPH(name) DO(name, rpc, peer, host, scratch, out)

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
#include PROG_TABLE
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

#endif /* SDP_PROGRAM_DISPATCH_H */
