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
	atomic_add(sizeof(*rpc), &ep->rmem);
	spin_lock(&ep->lock);
	list_add_tail(&rpc->in_link, &ep->incoming);
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
	sdp_memory_uncharge_rx(ep, sizeof(*rpc));
}

/*
 * While whole messages wait, their delivery makes room; but not beyond twice the
 * socket's share.
 */
struct sdp_rpc *sdp_pressure_victim(struct sdp_endpoint *ep)
{
	bool far = atomic_read(&ep->rmem) / 2 > sdp_memory_share(ep);
	struct sdp_rpc *rpc = NULL;

	spin_lock(&ep->lock);
	if (sdp_memory_full(ep) && !sdp_memory_alone(ep) && (far || !ep->waiting))
		rpc = list_first_entry_or_null(&ep->incoming, struct sdp_rpc,
					       in_link);
	if (rpc)
		sdp_rpc_hold(rpc);
	spin_unlock(&ep->lock);
	return rpc;
}

/* May nothing more be granted now? */
static bool must_wait(struct sdp_endpoint *ep)
{
	if (!sdp_memory_full(ep) || sdp_memory_alone(ep))
		return false;
	/* No delivery will make room: the next packet has to. */
	if (!ep->waiting)
		WRITE_ONCE(ep->pressed, true);
	return true;
}

bool sdp_pressure_park(struct sdp_rpc *rpc)
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

struct sdp_rpc *sdp_pressure_unpark(struct sdp_endpoint *ep)
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
