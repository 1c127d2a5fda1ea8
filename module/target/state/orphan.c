// SPDX-License-Identifier: GPL-2.0-only
#include "orphan.h"
#include "rpc_table.h"

void sdp_orphans_init(struct sdp_orphans *orphans, work_func_t work)
{
	spin_lock_init(&orphans->lock);
	INIT_LIST_HEAD(&orphans->living);
	INIT_LIST_HEAD(&orphans->done);
	INIT_DELAYED_WORK(&orphans->work, work);
}

void sdp_orphans_run(struct sdp_orphans *orphans, unsigned long delay)
{
	if (delay)
		queue_delayed_work(system_unbound_wq, &orphans->work, delay);
	else
		mod_delayed_work(system_unbound_wq, &orphans->work, 0);
}

struct sdp_endpoint *sdp_orphan_find(const struct sdp_rpc_id *who,
				     const struct sdp_inlet *at)
{
	struct sdp_endpoint *ep;
	struct sdp_rpc *rpc;

	/* They have no requests of their own. */
	if (!(who->id & 1))
		return NULL;
	rpc = sdp_rpc_find_at_lock(who, at, true);
	if (!rpc)
		return NULL;
	ep = rpc->ep;
	sdp_rpc_unlock(rpc);
	return ep;
}

/* Who ends the last RPC after this was looked at comes to sdp_orphan_ended(). */
void sdp_orphan_list(struct sdp_endpoint *ep, unsigned long delay)
{
	struct sdp_orphans *orphans = &ep->sn->orphans;
	bool done;

	spin_lock_bh(&orphans->lock);
	done = !READ_ONCE(ep->rpc_count);
	list_add_tail(&ep->orphan_link, done ? &orphans->done : &orphans->living);
	spin_unlock_bh(&orphans->lock);
	sdp_orphans_run(orphans, done ? 0 : delay);
}

void sdp_orphan_ended(struct sdp_endpoint *ep)
{
	struct sdp_orphans *orphans = &ep->sn->orphans;
	bool listed;

	spin_lock_bh(&orphans->lock);
	listed = !list_empty(&ep->orphan_link);
	if (listed)
		list_move_tail(&ep->orphan_link, &orphans->done);
	spin_unlock_bh(&orphans->lock);
	if (listed)
		sdp_orphans_run(orphans, 0);
}
