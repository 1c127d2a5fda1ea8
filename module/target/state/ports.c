// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/l3mdev.h>

#include "ports.h"

static struct sdp_ports_leaf *leaf_of(const struct sdp_ports *ports, u16 port)
{
	return rcu_dereference_protected(ports->leaves[port / SDP_PORTS_LEAF],
					 lockdep_is_held(&ports->lock));
}

/* A free port, or 0. */
static u16 any_port(const struct sdp_ports *ports)
{
	u32 from = SDP_PORTS_AUTO +
		   get_random_u32_below(SDP_PORTS - SDP_PORTS_AUTO);
	u32 port = find_next_zero_bit(ports->taken, SDP_PORTS, from);

	if (port < SDP_PORTS)
		return port;
	port = find_next_zero_bit(ports->taken, from, SDP_PORTS_AUTO);
	return port < from ? port : 0;
}

/* Has it any address of IPv6 [0], of IPv4 [1]? */
static bool has(const struct sdp_binding *binding, bool v4)
{
	return binding->any[v4] ||
	       ipv6_addr_v4mapped(&binding->to.addr) == v4;
}

static bool is_vrf_of(const struct sdp_ports *ports, int vrf, int device)
{
	return l3mdev_master_ifindex_by_index(ports->net, device) == vrf;
}

/*
 * May both have one address? Packets to a device go to who is bound to that, before who is
 * bound to its VRF: no user takes those of another one away, and the RPCs they are about.
 */
static bool apart(const struct sdp_ports *ports, const struct sdp_bound *a,
		  const struct sdp_bound *b)
{
	if (!a->device || !b->device || a->device == b->device)
		return false;
	if (uid_eq(a->uid, b->uid))
		return true;
	return !is_vrf_of(ports, a->device, b->device) &&
	       !is_vrf_of(ports, b->device, a->device);
}

/* Could a packet be for both? As inet_rcv_saddr_equal() and UDP have it, but for users. */
static bool conflicts(const struct sdp_ports *ports, const struct sdp_binding *a,
		      const struct sdp_binding *b)
{
	int v4;

	if (apart(ports, &a->to, &b->to))
		return false;
	if (ipv6_addr_equal(&a->to.addr, &b->to.addr))
		return true;
	for (v4 = 0; v4 < 2; v4++)
		if ((a->any[v4] && has(b, v4)) || (b->any[v4] && has(a, v4)))
			return true;
	return false;
}

static struct sdp_binding *next_of(const struct sdp_ports *ports,
				   struct sdp_binding __rcu *const *at)
{
	return rcu_dereference_protected(*at, lockdep_is_held(&ports->lock));
}

/* The end of a port's owners, where @new may go, or ERR_PTR. */
static struct sdp_binding __rcu **admit(const struct sdp_ports *ports,
					struct sdp_ports_leaf *leaf,
					const struct sdp_binding *new)
{
	struct sdp_binding __rcu **at = &leaf->first[new->port % SDP_PORTS_LEAF];
	struct sdp_binding *other;
	u32 count = 0;

	for (; (other = next_of(ports, at)); at = &other->next) {
		if (other->ep == new->ep)
			continue;
		if (conflicts(ports, other, new))
			return ERR_PTR(-EADDRINUSE);
		if (++count == SDP_PORTS_OWNERS)
			return ERR_PTR(-ENOBUFS);
	}
	return at;
}

/*
 * Last of its port: whoever passes the owner's former one, which is not its any more, comes
 * by this. -EAGAIN: a leaf is missing.
 */
static int publish(struct sdp_ports *ports, struct sdp_binding *new,
		   struct sdp_ports_leaf **spare)
{
	struct sdp_ports_leaf *leaf = leaf_of(ports, new->port);
	struct sdp_binding __rcu **at;

	if (!leaf) {
		if (!*spare)
			return -EAGAIN;
		leaf = *spare;
		*spare = NULL;
		rcu_assign_pointer(ports->leaves[new->port / SDP_PORTS_LEAF], leaf);
	}
	at = admit(ports, leaf, new);
	if (IS_ERR(at))
		return PTR_ERR(at);
	rcu_assign_pointer(*at, new);
	if (!__test_and_set_bit(new->port, ports->taken))
		leaf->taken++;
	return 0;
}

static int claim_port(struct sdp_ports *ports, u16 port, struct sdp_binding *new,
		      struct sdp_ports_leaf **spare)
{
	int err = -EADDRINUSE;

	spin_lock(&ports->lock);
	new->port = port ?: any_port(ports);
	if (new->port)
		err = publish(ports, new, spare);
	spin_unlock(&ports->lock);
	return err;
}

struct sdp_binding *sdp_ports_take(struct sdp_ports *ports, u16 port,
				   const struct sdp_bound *to,
				   struct sdp_endpoint *ep, gfp_t gfp)
{
	struct sdp_ports_leaf *spare = NULL;
	struct sdp_binding *new;
	int err;

	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->ep = ep;
	new->to = *to;
	new->any[0] = ipv6_addr_any(&to->addr);
	new->any[1] = new->any[0] ? !to->v6_only :
		      ipv6_addr_v4mapped(&to->addr) && !to->addr.s6_addr32[3];
	while ((err = claim_port(ports, port, new, &spare)) == -EAGAIN) {
		spare = kzalloc(sizeof(*spare), gfp);
		if (!spare) {
			err = -ENOMEM;
			break;
		}
	}
	kfree(spare);
	if (!err)
		return new;
	kfree(new);
	return ERR_PTR(err);
}

void sdp_ports_free(struct sdp_ports *ports, struct sdp_binding *binding)
{
	struct sdp_binding __rcu **at;
	struct sdp_ports_leaf *leaf;
	u16 port = binding->port;

	spin_lock(&ports->lock);
	leaf = leaf_of(ports, port);
	at = &leaf->first[port % SDP_PORTS_LEAF];
	while (next_of(ports, at) != binding)
		at = &next_of(ports, at)->next;
	/* Who stands there goes on from it. */
	rcu_assign_pointer(*at, next_of(ports, &binding->next));
	if (next_of(ports, &leaf->first[port % SDP_PORTS_LEAF])) {
		leaf = NULL;
	} else {
		__clear_bit(port, ports->taken);
		if (--leaf->taken)
			leaf = NULL;
		else
			RCU_INIT_POINTER(ports->leaves[port / SDP_PORTS_LEAF], NULL);
	}
	spin_unlock(&ports->lock);
	kfree_rcu(binding, rcu);
	if (leaf)
		kfree_rcu(leaf, rcu);
}

void sdp_ports_init(struct sdp_ports *ports, struct net *net)
{
	ports->net = net;
	spin_lock_init(&ports->lock);
}
