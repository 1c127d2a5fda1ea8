// SPDX-License-Identifier: GPL-2.0-only
#include "../run/exec.h"
#include "../state/memory.h"
#include "../state/rpc_table.h"
#include "close.h"

/* Where no memory was given back: an RPC may have ended before we waited. Jiffies. */
#define LINGER_LOOK ((long)HZ / 10)

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

/* A response that the application has sent, and that is not acknowledged. */
static bool answers(const struct sdp_rpc *rpc)
{
	return sdp_rpc_is_server(rpc) && READ_ONCE(rpc->tx.length);
}

/* The first RPC that waiting does nothing for, held; or NULL. @left: there are others. */
static struct sdp_rpc *first_useless(struct sdp_endpoint *ep, bool *left)
{
	struct sdp_rpc *rpc;

	*left = false;
	spin_lock_bh(&ep->lock);
	list_for_each_entry(rpc, &ep->rpcs, ep_link) {
		if (!answers(rpc)) {
			sdp_rpc_hold(rpc);
			spin_unlock_bh(&ep->lock);
			return rpc;
		}
		*left = true;
	}
	spin_unlock_bh(&ep->lock);
	return NULL;
}

static void abort_rpc(struct sdp_endpoint *ep, struct sdp_rpc *rpc)
{
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

void sdp_close_linger(struct sdp_endpoint *ep, long timeo)
{
	struct sock *sk = ep->sk;
	struct sdp_rpc *rpc;
	DEFINE_WAIT(wait);
	bool left;

	/* Whoever calls now hears nothing, and is told once the port is free. */
	WRITE_ONCE(ep->server, false);
	for (;;) {
		while ((rpc = first_useless(ep, &left)))
			abort_rpc(ep, rpc);
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		/* An acknowledged response gives memory back, which wakes us. */
		sdp_memory_await(ep, false);
		sdp_memory_await(ep, true);
		if (!left || !timeo || signal_pending(current))
			break;
		timeo -= min(timeo, LINGER_LOOK) - schedule_timeout(min(timeo, LINGER_LOOK));
	}
	finish_wait(sk_sleep(sk), &wait);
}

void sdp_close_shutdown(struct sdp_endpoint *ep)
{
	struct sock *sk = ep->sk;
	struct sdp_rpc *rpc;

	spin_lock_bh(&ep->lock);
	ep->shutdown = true;
	spin_unlock_bh(&ep->lock);

	while ((rpc = first_rpc(ep)))
		abort_rpc(ep, rpc);
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
