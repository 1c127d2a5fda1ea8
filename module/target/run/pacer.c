// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hrtimer.h>

#include "../../observe/observe.h"
#include "../out/pace.h"
#include "../out/transmit.h"
#include "../state/route.h"
#include "../state/rpc_table.h"
#include "exec.h"
#include "pacer.h"

static struct sdp_rpc *first_waiting(struct sdp_net *sn)
{
	struct sdp_rank *rank = &sn->ranks[PROG_RANK_SEND];
	struct sdp_rpc *rpc = NULL;

	spin_lock(&rank->lock);
	if (rank->count) {
		rpc = container_of(rank->winners[0], struct sdp_rpc,
				   rank[PROG_RANK_SEND]);
		sdp_rpc_hold(rpc);
	}
	spin_unlock(&rank->lock);
	return rpc;
}

/*
 * How long the winner has to wait, ns; 0: @bytes may be sent now. A winner
 * without a paced link goes at once.
 */
static u64 wait_of(struct sdp_net *sn, struct sdp_rpc *rpc, u32 *bytes)
{
	u32 pace = READ_ONCE(sn->set.pace_ns);
	struct sdp_route route;
	u64 wait;

	if (sdp_peer_route(rpc->peer, rpc->ep->sk, &route))
		return sdp_pace_wait(NULL, pace, bytes);
	wait = sdp_pace_wait(route.dst->dev, pace, bytes);
	sdp_route_end(&route);
	return wait;
}

/* One turn. Return: ns until the next, 0: nothing waits. */
static u64 send_turn(struct sdp_net *sn)
{
	struct sdp_rpc *rpc = first_waiting(sn);
	struct sdp_run *run;
	u32 bytes;
	u64 wait;

	if (!rpc)
		return 0;
	wait = wait_of(sn, rpc, &bytes);
	if (wait) {
		sdp_count(sn->counts, SDP_CTR_paced);
		sdp_rpc_put(rpc);
		return wait;
	}
	run = sdp_run_begin(sn);
	sdp_rpc_lock(rpc);
	if (rpc->hashed) {
		sdp_run_event(run, .length = sdp_transmit_whole(rpc, bytes),
			      .paced = true);
		sdp_exec(run, rpc, PROG_EV_SEND_TURN);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
	sdp_run_finish(run);
	return 1;
}

static enum hrtimer_restart expire(struct hrtimer *timer)
{
	struct sdp_net *sn = container_of(timer, struct sdp_net, send_timer);
	u64 wait;
	u32 i;

	rcu_read_lock();
	/* Bounded: the rest comes with the next expiry. */
	for (i = 0; i < 16; i++) {
		wait = send_turn(sn);
		if (wait != 1)
			break;
	}
	rcu_read_unlock();
	if (wait)
		hrtimer_start(timer, ns_to_ktime(wait), HRTIMER_MODE_REL_SOFT);
	return HRTIMER_NORESTART;
}

void sdp_pacer_init_net(struct sdp_net *sn)
{
	hrtimer_init(&sn->send_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	sn->send_timer.function = expire;
}

void sdp_pacer_exit_net(struct sdp_net *sn)
{
	hrtimer_cancel(&sn->send_timer);
}
