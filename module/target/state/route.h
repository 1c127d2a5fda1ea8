/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The route to a peer, from the one address of ours that it has.
 */
#ifndef SDP_TARGET_ROUTE_H
#define SDP_TARGET_ROUTE_H

#include "peer.h"

/** sdp_route_any() - is it the any-address, of either family (v4 as v4-mapped)? */
static inline bool sdp_route_any(const struct in6_addr *addr)
{
	return ipv6_addr_any(addr) ||
	       (ipv6_addr_v4mapped(addr) && !addr->s6_addr32[3]);
}

/**
 * sdp_peer_key_init() - the key of a socket's peer.
 * @key:   written.
 * @sk:    the socket.
 * @daddr: the peer.
 * @saddr: our address, or the any-address.
 * @oif:   interface, or 0: that of IP_UNICAST_IF or IPV6_UNICAST_IF, if any.
 */
void sdp_peer_key_init(struct sdp_peer_key *key, const struct sock *sk,
		       const struct in6_addr *daddr,
		       const struct in6_addr *saddr, int oif);

/**
 * sdp_route_peer() - find or make the peer of a key.
 * @key: from sdp_peer_key_init().
 * @sk:  the socket that the key is of.
 * @gfp: for a new one.
 * @stranger: as for sdp_peer_add().
 *
 * Context: any; BH may be on. Return: a reference, or ERR_PTR: as from
 * sdp_peer_add(), or why there is no route that could choose our address.
 */
struct sdp_peer *sdp_route_peer(const struct sdp_peer_key *key,
				const struct sock *sk, gfp_t gfp,
				bool stranger);

/**
 * struct sdp_route - a route for what is sent now.
 * @dst:  valid under RCU.
 * @held: for this once: sdp_route_end() lets go of it.
 */
struct sdp_route {
	struct dst_entry *dst;
	bool held;
};

/**
 * sdp_peer_route() - a route to the peer that is valid now.
 * @peer:  the peer.
 * @sk:    the socket that sends: one with an IPsec policy of its own gets a route
 *         of its own.
 * @route: filled in; end with sdp_route_end().
 *
 * Context: RCU read lock until the end. Return: 0 or a negative errno; then there
 * is nothing to end.
 */
int sdp_peer_route(struct sdp_peer *peer, const struct sock *sk,
		   struct sdp_route *route);

/**
 * sdp_peer_lower_mtu() - send shorter packets to a peer for a while.
 * @peer: the peer.
 * @secure: secure ones; otherwise clear ones.
 * @mtu:  bytes of a whole packet that gets through. Longer than now, or than the
 *        route has it: nothing changes. Shorter than IPv6 allows: likewise.
 *
 * As the kernel's own path MTUs, for net.ipv4.route.mtu_expires or
 * net.ipv6.route.mtu_expires; the route itself, which others use, stays.
 * Context: any, RCU read lock.
 */
void sdp_peer_lower_mtu(struct sdp_peer *peer, bool secure, u32 mtu);

/**
 * sdp_peer_mtu() - how long packets to a peer may be now.
 * @peer:  the peer.
 * @secure: are they secure?
 * @sk:    the socket that sends; IP_MTU_DISCOVER and IPV6_MTU count.
 * @dst:   the route.
 * @split: written: routers may have to fragment these (IPv4).
 *
 * Context: any. Return: bytes of a whole packet.
 */
u32 sdp_peer_mtu(struct sdp_peer *peer, bool secure, const struct sock *sk,
		 const struct dst_entry *dst, bool *split);

/**
 * sdp_route_whole() - may no router fragment packets of a socket?
 * @sk:  the socket.
 * @dst: the route, of IPv4.
 *
 * As other datagram sockets: IP_PMTUDISC_PROBE says so, although it does not believe
 * path MTUs. Context: any. Return: true: they have IP_DF.
 */
bool sdp_route_whole(const struct sock *sk, const struct dst_entry *dst);

static inline void sdp_route_end(const struct sdp_route *route)
{
	if (unlikely(route->held))
		dst_release(route->dst);
}

#endif /* SDP_TARGET_ROUTE_H */
