// SPDX-License-Identifier: GPL-2.0-only
#include "rpc_check.h"

static bool waits_anywhere(const struct sdp_rpc *rpc)
{
	u32 rank;

	for (rank = 0; rank < PROG_RANKS; rank++)
		if (rpc->rank[rank].group)
			return true;
	return rpc->parked || rpc->timer.deadline;
}

static bool in_a_list(const struct sdp_rpc *rpc)
{
	return !list_empty(&rpc->ep_link) || !list_empty(&rpc->ready_link) ||
	       !list_empty(&rpc->in_link) || !list_empty(&rpc->park_link);
}

/* Being in the table, and all that follows from not being there. */
static const char *wrong_life(const struct sdp_rpc *rpc)
{
	if (rpc->hashed && rpc->over)
		return "over, and found";
	if (rpc->hashed)
		return NULL;
	if (waits_anywhere(rpc))
		return "not found, and waits for a turn or a timer";
	if (in_a_list(rpc))
		return "not found, and in a list of its socket";
	return rpc->ready ? "not found, and ready" : NULL;
}

static const char *wrong_delivery(const struct sdp_rpc *rpc)
{
	bool listed = !list_empty(&rpc->ready_link);

	lockdep_assert_held(&rpc->ep->lock);
	if (listed != (rpc->ready && !rpc->private && !rpc->claimed))
		return "in ep->ready, and not for any receiver, or the reverse";
	if (rpc->error && !rpc->ready && !rpc->over)
		return "failed, and nobody will be told";
	if (!list_empty(&rpc->in_link) && rpc->ready && !rpc->claimed)
		return "ready, and to be given up";
	if (list_empty(&rpc->in_link) != !rpc->owner)
		return "to be given up, and of nobody, or the reverse";
	return NULL;
}

static const char *wrong_kind(const struct sdp_rpc *rpc)
{
	bool server = sdp_rpc_is_server(rpc);

	if (rpc->private && server)
		return "a server's, and private";
	if (rpc->client && (!server || rpc->secure))
		return "at-most-once of a client's or a secure RPC";
	if (rpc->secure != !!rpc->session ||
	    rpc->who.secure != (server && rpc->secure))
		return "secure, and no session, or the reverse";
	if (rpc->replying && !server)
		return "a client's, and replying";
	if (RB_EMPTY_ROOT(&rpc->rx_root) != !rpc->rx_truesize ||
	    RB_EMPTY_ROOT(&rpc->rx_root) != !rpc->rx_last)
		return "packets kept, and none counted, or the reverse";
	return NULL;
}

static const char *wrong_rank(const struct sdp_rpc *rpc)
{
	u32 rank;

	for (rank = 0; rank < PROG_RANKS; rank++)
		if (rpc->parked & BIT(rank) && rpc->rank[rank].group)
			return "parked, and in the rank";
	return NULL;
}

const char *sdp_rpc_check(struct sdp_rpc *rpc)
{
	const char *wrong;

	lockdep_assert_held(&rpc->lock);
	spin_lock(&rpc->ep->lock);
	wrong = wrong_life(rpc) ?: wrong_delivery(rpc) ?: wrong_kind(rpc) ?:
		wrong_rank(rpc);
	spin_unlock(&rpc->ep->lock);
	return wrong;
}
