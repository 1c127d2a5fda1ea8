// SPDX-License-Identifier: GPL-2.0-only
#include "../observe/observe.h"
#include "memory.h"
#include "reclaim.h"

/* Memory that the bytes of a message take, at worst for honest senders. */
#define SPREAD 4

/* Messages that one packet may cause to be given up. */
#define VICTIMS_MOST 16

void sdp_reclaim_enter(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	if (!list_empty(&rpc->in_link))
		return;
	/* Even where no packet is kept: announcements are not free. */
	atomic_add(sizeof(*rpc), &ep->rmem);
	spin_lock(&ep->lock);
	list_add_tail(&rpc->in_link, &ep->incoming);
	spin_unlock(&ep->lock);
}

void sdp_reclaim_leave(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	/* Changes under @rpc->lock only. */
	if (list_empty(&rpc->in_link))
		return;
	spin_lock(&ep->lock);
	list_del_init(&rpc->in_link);
	spin_unlock(&ep->lock);
	sdp_memory_uncharge_rx(ep, sizeof(*rpc));
}

static bool alone(const struct sdp_endpoint *ep)
{
	const struct sdp_rpc *rpc;
	u64 most = 2ULL * sdp_memory_share(ep);

	lockdep_assert_held(&ep->lock);
	if (ep->waiting || !list_is_singular(&ep->incoming))
		return false;
	rpc = list_first_entry(&ep->incoming, struct sdp_rpc, in_link);
	most += (u64)READ_ONCE(rpc->rx_length) * SPREAD;
	return (u32)atomic_read(&ep->rmem) <= most;
}

bool sdp_reclaim_alone(struct sdp_endpoint *ep)
{
	bool ret;

	spin_lock(&ep->lock);
	ret = alone(ep);
	spin_unlock(&ep->lock);
	return ret;
}

/*
 * The message to be given up. While whole ones wait, their delivery makes room;
 * but not beyond twice the socket's share.
 */
static struct sdp_rpc *victim(struct sdp_endpoint *ep)
{
	bool far = atomic_read(&ep->rmem) / 2 > sdp_memory_share(ep);
	struct sdp_rpc *rpc = NULL;

	spin_lock(&ep->lock);
	if (sdp_memory_full(ep) && !alone(ep) && (far || !ep->waiting))
		rpc = list_first_entry_or_null(&ep->incoming, struct sdp_rpc,
					       in_link);
	if (rpc)
		sdp_rpc_hold(rpc);
	spin_unlock(&ep->lock);
	return rpc;
}

/* A run each: the RPCs that come into its places are told at its end. */
static void give_up(struct sdp_rpc *rpc)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);

	sdp_rpc_lock(rpc);
	if (!list_empty(&rpc->in_link)) {
		sdp_count(run->sn->counts, SDP_CTR_mem_reclaimed);
		/* A server forgets, and the client starts over when it asks. */
		run->ev.error = sdp_rpc_is_server(rpc) ? 0 : ENOBUFS;
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
	sdp_run_finish(run);
}

void sdp_reclaim_oldest(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc = NULL;
	u32 i;

	WRITE_ONCE(ep->pressed, false);
	for (i = 0; i < VICTIMS_MOST; i++) {
		rpc = victim(ep);
		if (!rpc)
			break;
		give_up(rpc);
	}
	/* The rest with the next packet. */
	if (rpc)
		WRITE_ONCE(ep->pressed, true);
}

/* May nothing more be granted now? */
static bool must_wait(struct sdp_endpoint *ep)
{
	if (!sdp_memory_full(ep) || alone(ep))
		return false;
	/* No delivery will make room: the next packet has to. */
	if (!ep->waiting)
		WRITE_ONCE(ep->pressed, true);
	return true;
}

bool sdp_reclaim_park(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;
	bool park;

	lockdep_assert_held(&rpc->lock);
	spin_lock(&ep->lock);
	park = must_wait(ep);
	if (park && list_empty(&rpc->park_link))
		list_add_tail(&rpc->park_link, &ep->parked);
	spin_unlock(&ep->lock);
	return park;
}

struct sdp_rpc *sdp_reclaim_unpark(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc = NULL;

	spin_lock(&ep->lock);
	if (!must_wait(ep))
		rpc = list_first_entry_or_null(&ep->parked, struct sdp_rpc,
					       park_link);
	if (rpc) {
		list_del_init(&rpc->park_link);
		sdp_rpc_hold(rpc);
	}
	spin_unlock(&ep->lock);
	return rpc;
}
