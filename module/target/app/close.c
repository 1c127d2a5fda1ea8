// SPDX-License-Identifier: GPL-2.0-only
#include "../run/exec.h"
#include "../state/memory.h"
#include "../state/rpc_table.h"
#include "close.h"

static struct sdp_rpc *first_rpc(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc;

	spin_lock_bh(&ep->lock);
	rpc = list_first_entry_or_null(&ep->rpcs, struct sdp_rpc, ep_link);
	if (rpc)
		sdp_rpc_hold(rpc);
	spin_unlock_bh(&ep->lock);
	return rpc;
}

void sdp_close_shutdown(struct sdp_endpoint *ep)
{
	struct sock *sk = ep->sk;
	struct sdp_rpc *rpc;

	spin_lock_bh(&ep->lock);
	ep->shutdown = true;
	spin_unlock_bh(&ep->lock);

	while ((rpc = first_rpc(ep))) {
		struct sdp_run *run = sdp_run_begin(ep->sn);

		sdp_rpc_lock(rpc);
		if (rpc->hashed) {
			sdp_run_event(run, .error = 0);
			sdp_exec(run, rpc, PROG_EV_ABORT);
		} else {
			sdp_rpc_unlock(rpc);
		}
		sdp_rpc_put(rpc);
		sdp_run_finish(run);
		cond_resched();
	}
	sk->sk_state_change(sk);
	sk->sk_write_space(sk);
}

void sdp_close_release(struct sdp_endpoint *ep)
{
	sdp_close_shutdown(ep);
	sdp_memory_stop(ep);
	sdp_peer_replace(&ep->last_peer, NULL);
	sdp_endpoint_unbind(ep);
}

void sdp_close_destruct(struct sdp_endpoint *ep)
{
	WARN_ON_ONCE(sdp_endpoint_rmem(ep) || sdp_endpoint_wmem(ep) ||
		     sdp_endpoint_served(ep) || !list_empty(&ep->incoming[0]) ||
		     !list_empty(&ep->incoming[1]));
	sdp_memory_release(ep);
}
