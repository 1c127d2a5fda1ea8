// SPDX-License-Identifier: GPL-2.0-only
#include "memory.h"
#include "pressure.h"

void sdp_pressure_enter(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	if (!list_empty(&rpc->in_link))
		return;
	/* Even where no packet is kept: announcements are not free. */
	atomic_add(sizeof(*rpc), &ep->rmem[rpc->secure]);
	spin_lock(&ep->lock);
	list_add_tail(&rpc->in_link, &ep->incoming[rpc->secure]);
	spin_unlock(&ep->lock);
}

void sdp_pressure_leave(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	/* Changes under @rpc->lock only. */
	if (list_empty(&rpc->in_link))
		return;
	spin_lock(&ep->lock);
	list_del_init(&rpc->in_link);
	spin_unlock(&ep->lock);
	sdp_memory_uncharge_rx(ep, rpc->secure, sizeof(*rpc));
}

static struct sdp_rpc *oldest(struct sdp_endpoint *ep, bool secure)
{
	return list_first_entry_or_null(&ep->incoming[secure], struct sdp_rpc, in_link);
}

/*
 * While whole messages wait, their delivery makes room; but not beyond twice what
 * there is for the class.
 */
static bool must_go(const struct sdp_endpoint *ep, bool secure)
{
	return sdp_memory_full(ep, secure) && !sdp_memory_alone(ep, secure) &&
	       (!ep->waiting[secure] || sdp_memory_far(ep, secure));
}

struct sdp_rpc *sdp_pressure_victim(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc = NULL;

	spin_lock(&ep->lock);
	if (must_go(ep, false))
		rpc = oldest(ep, false);
	if (!rpc && must_go(ep, true))
		rpc = oldest(ep, true);
	if (rpc)
		sdp_rpc_hold(rpc);
	spin_unlock(&ep->lock);
	return rpc;
}

/* May nothing more be granted now? */
static bool must_wait(struct sdp_endpoint *ep, bool secure)
{
	if (!sdp_memory_full(ep, secure) || sdp_memory_alone(ep, secure))
		return false;
	/* No delivery will make room: the next packet has to. */
	if (!ep->waiting[secure])
		WRITE_ONCE(ep->pressed, true);
	return true;
}

bool sdp_pressure_park(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;
	bool park;

	lockdep_assert_held(&rpc->lock);
	spin_lock(&ep->lock);
	park = must_wait(ep, rpc->secure);
	if (park && list_empty(&rpc->park_link))
		list_add_tail(&rpc->park_link, &ep->parked[rpc->secure]);
	spin_unlock(&ep->lock);
	return park;
}

static struct sdp_rpc *first_parked(struct sdp_endpoint *ep, bool secure)
{
	if (list_empty(&ep->parked[secure]) || must_wait(ep, secure))
		return NULL;
	return list_first_entry(&ep->parked[secure], struct sdp_rpc, park_link);
}

struct sdp_rpc *sdp_pressure_unpark(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc;

	spin_lock(&ep->lock);
	rpc = first_parked(ep, true) ?: first_parked(ep, false);
	if (rpc) {
		list_del_init(&rpc->park_link);
		sdp_rpc_hold(rpc);
	}
	spin_unlock(&ep->lock);
	return rpc;
}
