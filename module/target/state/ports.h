/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports of a namespace: who has which. Finding one is two loads, taking one a
 * look at a bitmap; no other namespace is in the way.
 */
#ifndef SDP_TARGET_PORTS_H
#define SDP_TARGET_PORTS_H

#include <linux/bitmap.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#define SDP_PORTS 0x10000
/* Ports from here up are assigned. */
#define SDP_PORTS_AUTO 0x8000
#define SDP_PORTS_LEAF 256

struct sdp_endpoint;

/**
 * struct sdp_ports_leaf - ports that differ in their last byte.
 * @owners: of each port, or NULL.
 * @taken:  how many of them are taken, under the lock; at 0 the leaf goes.
 * @rcu:    to free it.
 */
struct sdp_ports_leaf {
	struct sdp_endpoint __rcu *owners[SDP_PORTS_LEAF];
	u32 taken;
	struct rcu_head rcu;
};

/**
 * struct sdp_ports - of a namespace.
 * @lock:   spinlock, process context; a leaf. Of all that is written here.
 * @taken:  ports that somebody has, or is about to have.
 * @leaves: by the first byte of ports.
 */
struct sdp_ports {
	spinlock_t lock;
	DECLARE_BITMAP(taken, SDP_PORTS);
	struct sdp_ports_leaf __rcu *leaves[SDP_PORTS / SDP_PORTS_LEAF];
};

/** sdp_ports_init() - set up those of a new namespace, which are zeroed. */
void sdp_ports_init(struct sdp_ports *ports);

/**
 * sdp_ports_take() - take a port.
 * @ports: of the namespace.
 * @port:  1 to 0xffff in host byte order, or 0: any from SDP_PORTS_AUTO up, from a
 *	   random one on, so that they are hard to guess.
 * @owner: whom sdp_ports_find() finds there from now on.
 *
 * Context: process, may sleep. Return: the port, -EADDRINUSE, -ENOMEM.
 */
int sdp_ports_take(struct sdp_ports *ports, u16 port, struct sdp_endpoint *owner);

/**
 * sdp_ports_free() - give a port back.
 * @ports: of the namespace.
 * @port:  from sdp_ports_take().
 *
 * Context: process. The owner may be found until an RCU grace period is over.
 */
void sdp_ports_free(struct sdp_ports *ports, u16 port);

/**
 * sdp_ports_find() - who has a port.
 * @ports: of the namespace.
 * @port:  host byte order.
 *
 * Context: any, RCU read lock.
 */
static inline struct sdp_endpoint *sdp_ports_find(const struct sdp_ports *ports,
						  u16 port)
{
	struct sdp_ports_leaf *leaf;

	leaf = rcu_dereference(ports->leaves[port / SDP_PORTS_LEAF]);
	if (unlikely(!leaf))
		return NULL;
	return rcu_dereference(leaf->owners[port % SDP_PORTS_LEAF]);
}

#endif /* SDP_TARGET_PORTS_H */
