// SPDX-License-Identifier: Apache-2.0
/*
 * The pull program as a host-side object. Its names are those of any program,
 * so tests that also know another one see it through opaque words.
 */
#include <stdlib.h>
#include <string.h>

#include "../../module/program/pull/program.h"
#include "pull.h"

struct pull_rpc {
	struct prog_rpc ctx;
};

struct pull_rpc *pull_rpc_new(void)
{
	return calloc(1, sizeof(struct pull_rpc));
}

void pull_rpc_free(struct pull_rpc *rpc)
{
	free(rpc);
}

void pull_rpc_info(const struct pull_rpc *rpc, struct prog_info *info)
{
	prog_rpc_info(&rpc->ctx, info);
}

const char *pull_state_name(u32 state)
{
	return prog_state_name(state);
}

void pull_params(struct prog_params *params)
{
	static const struct prog_peer peer;

	prog_params_init(params);
	/* A target may ask, and gets answers that change nothing. */
	if (prog_peer_prio(&peer, params, 1) || prog_peer_cutoff_version(&peer) ||
	    prog_peer_acks(&peer) || prog_rank_grouped(PROG_RANK_SEND) ||
	    prog_rank_winners(PROG_RANK_SEND, params) != 1 ||
	    prog_rank_event(PROG_RANK_SEND) != PROG_EV_SEND_TURN)
		abort();
}

u32 pull_event(const char *name)
{
	u32 kind;

	for (kind = 0; kind < PROG_EVENTS; kind++)
		if (!strcmp(prog_event_name(kind), name))
			return kind;
	abort();
}

u32 pull_contexts(const char *name)
{
	return prog_event_contexts(pull_event(name));
}

const char *pull_drop(u32 drop)
{
	return prog_drop_name(drop);
}

void pull_run(const struct prog_ev *ev, const struct prog_params *params,
	      struct pull_rpc *rpc, struct mtp_out *out)
{
	struct prog_scratch scratch;

	prog_dispatch(ev, params, rpc ? &rpc->ctx : NULL, NULL, NULL, NULL,
		      &scratch, out);
}
