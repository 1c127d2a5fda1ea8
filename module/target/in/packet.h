/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet on its way in, and what is done with one whatever its mode: the RPC
 * that it names is found or made, and hears of what the packet shows.
 */
#ifndef SDP_TARGET_PACKET_H
#define SDP_TARGET_PACKET_H

#include "../../record/wire.h"
#include "../run/exec.h"
#include "../out/transmit.h"
#include "../state/rpc_table.h"

/**
 * struct sdp_packet - a received packet; its common header is linear.
 * @skb:  its data begins with the transport header.
 * @hdr:  the common header; valid until the packet is pulled.
 * @who:  the RPC that it names, as this host sees it.
 * @to:   where an answer would go.
 * @at:   where it has come to.
 * @device: what the socket is bound to, or 0.
 * @v4:   IPv4.
 * @group: it was sent to a group; the link layer need not know.
 */
struct sdp_packet {
	struct sk_buff *skb;
	const struct sdp_common_hdr *hdr;
	struct sdp_rpc_id who;
	struct sdp_origin to;
	struct sdp_inlet at;
	int device;
	bool v4;
	bool group;
};

/**
 * sdp_receive_pull() - make a header linear and find it.
 * @packet: @packet->hdr is valid again.
 * @length: bytes.
 * Return: the header, or NULL if the packet is too short.
 */
const void *sdp_receive_pull(struct sdp_packet *packet, u32 length);

/**
 * sdp_receive_find() - the RPC that a packet names, of the socket that it came to.
 * @packet: the packet.
 *
 * Context, return: as sdp_rpc_find_lock().
 */
struct sdp_rpc *sdp_receive_find(const struct sdp_packet *packet);

/**
 * sdp_receive_acks() - run ACK on each RPC that a packet acknowledges.
 * @run:    executor.
 * @packet: came under the session that the RPCs must belong to, or none.
 * @acks:   as on the wire.
 * @count:  entries of @acks.
 */
void sdp_receive_acks(struct sdp_run *run, const struct sdp_packet *packet,
		      const struct sdp_ack *acks, u32 count);

/**
 * sdp_receive_heard() - the peer has shown that it has part of what an RPC sends.
 * @rpc: secure, locked.
 * @at:  address that the sign came to; NULL: inside of a message.
 *
 * So it also has the address that the RPC sends from, which the session keeps.
 */
void sdp_receive_heard(struct sdp_rpc *rpc, const struct in6_addr *at);

/**
 * sdp_receive_new() - make the RPC of a request's first packet.
 * @packet:  the packet.
 * @session: it came under, or NULL. Not consumed.
 * @client:  of a clear request, consumed, or NULL.
 * @seen:    what is remembered of a clear request, consumed, or NULL.
 * @rpc:     written: the RPC, inserted and locked.
 *
 * Return: 0, or a drop reason: SDP_DROP_raced if the RPC exists by now.
 */
enum sdp_drop sdp_receive_new(struct sdp_packet *packet,
			      struct sdp_session *session,
			      struct sdp_client *client, struct sdp_seen *seen,
			      struct sdp_rpc **rpc);

#endif /* SDP_TARGET_PACKET_H */
