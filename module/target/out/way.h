/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way of packets to a peer: route, MTU, IP's header, and the hand-over to IP.
 */
#ifndef SDP_TARGET_WAY_H
#define SDP_TARGET_WAY_H

#include "../state/net.h"
#include "../state/peer.h"
#include "../state/route.h"
#include "../state/rpc.h"

struct sk_buff;

/**
 * struct sdp_way - found for a few packets, and used at once.
 * @sn:        namespace.
 * @sk:        the packets' owner.
 * @peer:      where they go.
 * @route:     borrowed.
 * @ip_header: bytes of IP's header.
 * @mtu:       of the path, at most 65,535.
 * @split:     IPv4 has to cut what is longer on its way.
 * @marking:   what the application wants in IP's header.
 * @rpc:       whose packets, or NULL; for who has found it.
 */
struct sdp_way {
	struct sdp_net *sn;
	const struct sock *sk;
	struct sdp_peer *peer;
	struct sdp_route route;
	u32 ip_header;
	u32 mtu;
	bool split;
	const struct sdp_marking *marking;
	struct sdp_rpc *rpc;
};

/**
 * sdp_way_of() - find the way to a peer.
 * @path:    written.
 * @sn:      namespace.
 * @sk:      the packets' owner.
 * @peer:    where they go.
 * @secure:  they are of a session.
 * @marking: what the application wants in IP's header; stays valid as long as @path.
 *
 * Context: RCU read lock, BH disabled. Return: 0, then it ends with sdp_way_end(); or a
 * negative errno.
 */
int sdp_way_of(struct sdp_way *path, struct sdp_net *sn, const struct sock *sk,
	       struct sdp_peer *peer, bool secure,
	       const struct sdp_marking *marking);

/** sdp_way_of_rpc() - the same, of an RPC's packets. */
int sdp_way_of_rpc(struct sdp_way *path, const struct sdp_rpc *rpc);

/** sdp_way_end() - no packet goes this way any more. */
void sdp_way_end(const struct sdp_way *path);

/**
 * sdp_way_packet() - an empty packet.
 * @path: its way.
 * @room: bytes behind IP's header.
 *
 * With room for its link's header, IP's, and what the route says that IPsec adds, as other
 * datagrams have it: of a short message, head and payload are in the memory that the kernel
 * has ready for small heads.
 *
 * Context: any. Return: the packet, or NULL.
 */
struct sk_buff *sdp_way_packet(const struct sdp_way *path, u32 room);

/**
 * sdp_way_hash() - spreads RPCs over queues and paths.
 * @id: of the RPC.
 *
 * Return: a hash that others see: none of our tables.
 */
u32 sdp_way_hash(u64 id);

/**
 * sdp_way_send() - send a packet whose data begins with the transport header.
 * @skb:  the packet; consumed.
 * @path: its way.
 * @prio: Homa's, 0 to 7.
 * @id:   of its RPC.
 *
 * Context: as for sdp_way_of(). What fails is counted.
 */
void sdp_way_send(struct sk_buff *skb, const struct sdp_way *path, u8 prio, u64 id);

#endif /* SDP_TARGET_WAY_H */
