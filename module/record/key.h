/* SPDX-License-Identifier: GPL-2.0-only */
/* What a session is found by. */
#ifndef SDP_RECORD_KEY_H
#define SDP_RECORD_KEY_H

#include <linux/in6.h>
#include <net/net_namespace.h>

/**
 * struct sdp_session_key - what a session is found by.
 * @owner:      token of the socket: nobody else sends or receives under it, not the next
 *              one with this port either.
 * @peer:       address; IPv4 as v4-mapped.
 * @peer_port:  host byte order.
 * @local_port: host byte order.
 * @bound:      index of the VRF (l3mdev) that the socket is in, otherwise 0.
 * @scope:      interface of a link-local peer, otherwise 0.
 * @net:        namespace.
 *
 * Compared as bytes, up to @bound by who looks for all sessions with a peer: begin with a
 * zeroed one, or sdp_session_key_init().
 */
struct sdp_session_key {
	const void *owner;
	struct in6_addr peer;
	u16 peer_port;
	u16 local_port;
	int bound;
	int scope;
	u32 zero;
	const struct net *net;
};

static inline void sdp_session_key_init(struct sdp_session_key *key,
					const void *owner,
					const struct net *net, int bound,
					int scope, const struct in6_addr *peer,
					u16 peer_port, u16 local_port)
{
	key->owner = owner;
	key->net = net;
	key->bound = bound;
	key->scope = scope;
	key->peer = *peer;
	key->peer_port = peer_port;
	key->local_port = local_port;
	key->zero = 0;
}

#endif /* SDP_RECORD_KEY_H */
