// SPDX-License-Identifier: GPL-2.0-only
#include "../../observe/observe.h"
#include "../state/pressure.h"
#include "../state/rpc_table.h"
#include "reclaim.h"

/* Messages that one packet may cause to be given up. */
#define VICTIMS_MOST 16

/* A run each: the RPCs that come into its places are told at its end. */
static void evict(struct sdp_rpc *rpc)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);

	sdp_rpc_lock(rpc);
	if (rpc->owner) {
		sdp_count(run->sn->counts, SDP_CTR_mem_reclaimed);
		/* A server forgets, and the client starts over when it asks. */
		sdp_run_event(run, .error = sdp_rpc_is_server(rpc) ? 0 :
								  ENOBUFS);
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
	sdp_run_finish(run);
}

void sdp_reclaim_pressed(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc = NULL;
	u32 i;

	WRITE_ONCE(ep->pressed, false);
	for (i = 0; i < VICTIMS_MOST; i++) {
		rpc = sdp_pressure_victim(ep);
		if (!rpc)
			break;
		evict(rpc);
	}
	/* The rest with the next packet. */
	if (rpc)
		WRITE_ONCE(ep->pressed, true);
}
