/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ports of a namespace: who has which. A port may have several owners, as long as no
 * packet could be meant for two of them: of different addresses of ours, devices, or
 * families, by the rules that UDP has, but that two users may not have a VRF and a device
 * of it. Finding the first owner is two loads, and most ports have no other; taking one is
 * a look at a bitmap, or at the port's owners. No other namespace is in the way.
 *
 * A port has SDP_PORTS_OWNERS of them at most, one behind the other. Any user may bind to
 * each of the 16 million addresses of 127.0.0.0/8, and every packet to that port would have
 * to be compared with all of them, in softirq. A second table, by address, would not do for
 * this alone: who takes a wildcard address has to be compared with all others in any case,
 * with the lock held, and RPCs of one name at different sockets share a bucket
 * (rpc_table.c). Who takes all places of a port keeps others from it, but no more than who
 * takes its wildcard address.
 */
#ifndef SDP_TARGET_PORTS_H
#define SDP_TARGET_PORTS_H

#include <linux/bitmap.h>
#include <linux/in6.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <net/inet_sock.h>
#include <net/ipv6.h>
#include <net/transp_v6.h>

#define SDP_PORTS 0x10000
/* Ports from here up are assigned. */
#define SDP_PORTS_AUTO 0x8000
#define SDP_PORTS_LEAF 256
/* Owners of a port. */
#define SDP_PORTS_OWNERS 64

struct sdp_endpoint;

/**
 * struct sdp_bound - what a socket is bound to, beside its port.
 * @addr:    of ours; IPv4 as v4-mapped, its any-address too.
 * @device:  SO_BINDTODEVICE, or that of a link-local address; 0: any.
 * @v6_only: no IPv4, where @addr is the any-address of IPv6.
 * @uid:     of whom.
 */
struct sdp_bound {
	struct in6_addr addr;
	int device;
	bool v6_only;
	kuid_t uid;
};

/**
 * sdp_bound_v4() - the IPv4 address that goes with an address, as for other sockets.
 * @addr: what a socket is bound to.
 */
static inline __be32 sdp_bound_v4(const struct in6_addr *addr)
{
	if (ipv6_addr_v4mapped(addr))
		return addr->s6_addr32[3];
	return ipv6_addr_any(addr) ? 0 : LOOPBACK4_IPV6;
}

/**
 * struct sdp_binding - an owner of a port. Does not change: whoever is bound to something
 *	else gets another one.
 * @next: of the same port, in the order in which they came; under the lock.
 * @ep:   the owner. It has this binding if ep->binding says so; else it is about to, or
 *	  has had it.
 * @to:   what it is bound to.
 * @port: host byte order.
 * @any:  takes packets to all addresses of IPv6 [0], of IPv4 [1].
 * @rcu:  to free it.
 */
struct sdp_binding {
	struct sdp_binding __rcu *next;
	struct sdp_endpoint *ep;
	struct sdp_bound to;
	u16 port;
	bool any[2];
	struct rcu_head rcu;
};

/**
 * struct sdp_inlet - where a packet has come to.
 * @local: its destination; IPv4 as v4-mapped.
 * @dif:   device, or the VRF that this belongs to.
 * @sdif:  the device, in a VRF; else 0.
 * @v4:    it is IPv4.
 */
struct sdp_inlet {
	const struct in6_addr *local;
	int dif;
	int sdif;
	bool v4;
};

/**
 * struct sdp_ports_leaf - ports that differ in their last byte.
 * @first: owner of each port, or NULL.
 * @taken: how many of them have any, under the lock; at 0 the leaf goes.
 * @rcu:   to free it.
 */
struct sdp_ports_leaf {
	struct sdp_binding __rcu *first[SDP_PORTS_LEAF];
	u32 taken;
	struct rcu_head rcu;
};

/**
 * struct sdp_ports - of a namespace.
 * @net:    the namespace.
 * @lock:   spinlock, process context; a leaf. Of all that is written here.
 * @taken:  ports that somebody has.
 * @leaves: by the first byte of ports.
 */
struct sdp_ports {
	struct net *net;
	spinlock_t lock;
	DECLARE_BITMAP(taken, SDP_PORTS);
	struct sdp_ports_leaf __rcu *leaves[SDP_PORTS / SDP_PORTS_LEAF];
};

/** sdp_ports_init() - set up those of a new namespace, which are zeroed. */
void sdp_ports_init(struct sdp_ports *ports, struct net *net);

/**
 * sdp_ports_take() - take a port, alone or beside others.
 * @ports: of the namespace.
 * @port:  1 to 0xffff in host byte order, or 0: any from SDP_PORTS_AUTO up that nobody
 *	   has, from a random one on, so that they are hard to guess.
 * @to:    what its owner is bound to.
 * @ep:    the owner. What it has already does not count.
 * @gfp:   for memory; accounted.
 *
 * Context: process. Return: what sdp_ports_first() leads to from now on, or ERR_PTR:
 * -EADDRINUSE, -ENOBUFS: the port has too many owners, -ENOMEM.
 */
struct sdp_binding *sdp_ports_take(struct sdp_ports *ports, u16 port,
				   const struct sdp_bound *to,
				   struct sdp_endpoint *ep, gfp_t gfp);

/**
 * sdp_ports_free() - give it back.
 * @ports:   of the namespace.
 * @binding: from sdp_ports_take().
 *
 * Context: process. It may be found until an RCU grace period is over.
 */
void sdp_ports_free(struct sdp_ports *ports, struct sdp_binding *binding);

/**
 * sdp_ports_first() - who has a port: the first one, @next leads to the others.
 * @ports: of the namespace.
 * @port:  host byte order.
 *
 * Context: any, RCU read lock.
 */
static inline const struct sdp_binding *
sdp_ports_first(const struct sdp_ports *ports, u16 port)
{
	struct sdp_ports_leaf *leaf;

	leaf = rcu_dereference(ports->leaves[port / SDP_PORTS_LEAF]);
	if (unlikely(!leaf))
		return NULL;
	return rcu_dereference(leaf->first[port % SDP_PORTS_LEAF]);
}

/* The address and the device: nothing is better. */
#define SDP_BINDING_BEST 7

/**
 * sdp_binding_score() - how well does a packet fit?
 * @binding: the binding.
 * @net:     its namespace: packets from a VRF are for unbound sockets, too, if
 *	     net.ipv4.tcp_l3mdev_accept says so.
 * @at:      of the packet.
 *
 * Return: 0: it is for others; else more for the address than for any, then for the device
 * than for its VRF, and for that than for any. Those of one port never have the same.
 */
static inline u32 sdp_binding_score(const struct sdp_binding *binding,
				    const struct net *net,
				    const struct sdp_inlet *at)
{
	int device = binding->to.device;
	u32 score = 1;

	if (!inet_sk_bound_dev_eq(net, device, at->dif, at->sdif))
		return 0;
	if (!binding->any[at->v4]) {
		if (!ipv6_addr_equal(&binding->to.addr, at->local))
			return 0;
		score += 4;
	}
	if (device)
		score += device == (at->sdif ?: at->dif) ? 2 : 1;
	return score;
}

#endif /* SDP_TARGET_PORTS_H */
