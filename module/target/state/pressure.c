// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jhash.h>
#include <linux/net.h>

#include "memory.h"
#include "pressure.h"

/* Messages that are looked at for one that has to go. */
#define LOOKED_AT 32

/*
 * In the clear anybody has any address of a network of his, which is 64 bits long in
 * IPv6; whom he shares a place with he cannot know.
 */
static struct sdp_owner *stranger(struct sdp_endpoint *ep, const struct in6_addr *addr)
{
	static u32 secret __read_mostly;
	u32 from = ipv6_addr_v4mapped(addr) ? 2 : 0;
	u32 hash;

	net_get_random_once(&secret, sizeof(secret));
	hash = jhash_2words((__force u32)addr->s6_addr32[from],
			    (__force u32)addr->s6_addr32[from + 1], secret);
	return &ep->strangers[hash % SDP_OWNERS];
}

struct sdp_owner *sdp_pressure_owner(struct sdp_rpc *rpc)
{
	return rpc->secure ? &rpc->pctx->owner : stranger(rpc->ep, &rpc->who.addr);
}

void sdp_pressure_enter(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	if (rpc->owner)
		return;
	rpc->owner = sdp_pressure_owner(rpc);
	/* Even where no packet is kept: announcements are not free. */
	atomic_add(sizeof(*rpc), &ep->rmem[rpc->secure]);
	sdp_pressure_count(rpc, sizeof(*rpc) + rpc->rx_truesize);
	spin_lock(&ep->lock);
	list_add_tail(&rpc->in_link, &ep->incoming[rpc->secure]);
	spin_unlock(&ep->lock);
}

void sdp_pressure_unlist(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	lockdep_assert_held(&ep->lock);
	if (!rpc->owner)
		return;
	list_del_init(&rpc->in_link);
	if (ep->longest[rpc->secure] == rpc)
		ep->longest[rpc->secure] = NULL;
}

void sdp_pressure_left(struct sdp_rpc *rpc)
{
	struct sdp_endpoint *ep = rpc->ep;

	lockdep_assert_held(&rpc->lock);
	if (!rpc->owner)
		return;
	sdp_pressure_count(rpc, -(int)(sizeof(*rpc) + rpc->rx_truesize));
	rpc->owner = NULL;
	sdp_memory_uncharge_rx(ep, rpc->secure, sizeof(*rpc));
}

/* Does nobody hold twice as much? How many hold little does not matter. */
static bool among_heaviest(const struct sdp_endpoint *ep, bool secure, u32 bytes)
{
	u32 size = fls(bytes);

	while (++size < SDP_OWNER_SIZES)
		if (atomic_read(&ep->sizes[secure][size]) > 0)
			return false;
	return true;
}

/*
 * A message of the owner who holds most, of those looked at; the first, if he has
 * several. Nobody loses one while somebody else holds twice as much: then the list
 * goes on with others, and the next packet looks at those, until that one's turn
 * comes.
 */
static struct sdp_rpc *heaviest(struct sdp_endpoint *ep, bool secure)
{
	struct list_head *incoming = &ep->incoming[secure];
	struct sdp_rpc *rpc, *found = NULL;
	u32 seen = 0, most = 0;

	list_for_each_entry(rpc, incoming, in_link) {
		u32 bytes = atomic_read(&rpc->owner->bytes);

		if (bytes > most) {
			most = bytes;
			found = rpc;
		}
		if (++seen == LOOKED_AT)
			break;
	}
	if (seen < LOOKED_AT || list_is_last(&rpc->in_link, incoming) ||
	    among_heaviest(ep, secure, most))
		return found;
	list_rotate_to_front(rpc->in_link.next, incoming);
	WRITE_ONCE(ep->pressed, true);
	return NULL;
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

/* While a class is over its room, no more than one message rules it. */
static bool stays(struct sdp_endpoint *ep, struct sdp_rpc *rpc)
{
	if (!rpc->owner || !sdp_memory_rules(rpc))
		return false;
	ep->longest[rpc->secure] = rpc;
	return true;
}

static struct sdp_rpc *find_victim(struct sdp_endpoint *ep, bool secure)
{
	struct sdp_rpc *rpc = must_go(ep, secure) ? heaviest(ep, secure) : NULL;

	return rpc && !stays(ep, rpc) ? rpc : NULL;
}

struct sdp_rpc *sdp_pressure_victim(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc;

	spin_lock(&ep->lock);
	rpc = find_victim(ep, false) ?: find_victim(ep, true);
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
	park = !stays(ep, rpc) && must_wait(ep, rpc->secure);
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
