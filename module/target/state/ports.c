// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <linux/slab.h>

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

/* Take @port, or any; nobody is found there yet. */
static u16 reserve(struct sdp_ports *ports, u16 port)
{
	lockdep_assert_held(&ports->lock);
	if (!port)
		port = any_port(ports);
	if (!port || __test_and_set_bit(port, ports->taken))
		return 0;
	return port;
}

static void publish(struct sdp_ports_leaf *leaf, u16 port,
		    struct sdp_endpoint *owner)
{
	rcu_assign_pointer(leaf->owners[port % SDP_PORTS_LEAF], owner);
	leaf->taken++;
}

/* The port's leaf is not there. */
static int publish_in_new(struct sdp_ports *ports, u16 port,
			  struct sdp_endpoint *owner)
{
	struct sdp_ports_leaf *leaf, *new;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	spin_lock(&ports->lock);
	leaf = leaf_of(ports, port);
	if (!leaf && new) {
		leaf = new;
		new = NULL;
		rcu_assign_pointer(ports->leaves[port / SDP_PORTS_LEAF], leaf);
	}
	if (leaf)
		publish(leaf, port, owner);
	else
		__clear_bit(port, ports->taken);
	spin_unlock(&ports->lock);
	kfree(new);
	return leaf ? 0 : -ENOMEM;
}

int sdp_ports_take(struct sdp_ports *ports, u16 port, struct sdp_endpoint *owner)
{
	struct sdp_ports_leaf *leaf = NULL;
	int err = 0;

	spin_lock(&ports->lock);
	port = reserve(ports, port);
	if (port)
		leaf = leaf_of(ports, port);
	if (leaf)
		publish(leaf, port, owner);
	spin_unlock(&ports->lock);
	if (!port)
		return -EADDRINUSE;
	if (!leaf)
		err = publish_in_new(ports, port, owner);
	return err ?: port;
}

void sdp_ports_free(struct sdp_ports *ports, u16 port)
{
	struct sdp_ports_leaf *leaf;

	spin_lock(&ports->lock);
	leaf = leaf_of(ports, port);
	RCU_INIT_POINTER(leaf->owners[port % SDP_PORTS_LEAF], NULL);
	__clear_bit(port, ports->taken);
	if (--leaf->taken)
		leaf = NULL;
	else
		RCU_INIT_POINTER(ports->leaves[port / SDP_PORTS_LEAF], NULL);
	spin_unlock(&ports->lock);
	if (leaf)
		kfree_rcu(leaf, rcu);
}

void sdp_ports_init(struct sdp_ports *ports)
{
	spin_lock_init(&ports->lock);
}
