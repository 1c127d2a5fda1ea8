/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets on their way out: DATA segments of an RPC, control packets, answers
 * to packets that have no RPC.
 */
#ifndef SDP_TARGET_TRANSMIT_H
#define SDP_TARGET_TRANSMIT_H

#include "../state/rpc.h"

/**
 * sdp_transmit_data() - carry out TX_DATA.
 * @rpc:  held, not locked. Its message may end meanwhile: it stays in memory.
 * @insn: the instruction.
 *
 * Context: BH disabled. Losses are counted and left to retransmission.
 */
void sdp_transmit_data(struct sdp_rpc *rpc, const struct mtp_insn *insn);

/**
 * sdp_transmit_control() - carry out PACKET for an RPC.
 * @rpc:   held, not locked.
 * @insn:  the instruction, and the MTP_ACK instructions after it.
 * @count: instructions at @insn.
 */
void sdp_transmit_control(struct sdp_rpc *rpc, const struct mtp_insn *insn,
			  u32 count);

/**
 * struct sdp_origin - where a packet without an RPC came from.
 * @sn:      namespace.
 * @ep:      the socket it was sent to.
 * @peer:    the other end's address.
 * @local:   ours.
 * @port:    ours that it named, host byte order; the socket's may be another by now.
 * @pport:   the peer's port, likewise.
 * @ifindex: interface of a link-local peer, or the socket's.
 * @session: it came under, or NULL.
 */
struct sdp_origin {
	struct sdp_net *sn;
	struct sdp_endpoint *ep;
	struct in6_addr peer;
	struct in6_addr local;
	u16 port;
	u16 pport;
	int ifindex;
	struct sdp_session *session;
};

/**
 * sdp_transmit_answer() - carry out PACKET for a packet without an RPC.
 * @to:    where the packet came from.
 * @id:    the RPC it named, as this host would see it.
 * @insn:  as for sdp_transmit_control().
 * @count: likewise.
 */
void sdp_transmit_answer(const struct sdp_origin *to, u64 id,
			 const struct mtp_insn *insn, u32 count);

/**
 * sdp_origin_peer() - the peer that an origin is.
 * @to:     the origin.
 * @client: remembers it for the next time; or NULL.
 *
 * Context: in a run. Return: a reference, or ERR_PTR.
 */
struct sdp_peer *sdp_origin_peer(const struct sdp_origin *to,
				 struct sdp_client *client);

/**
 * sdp_transmit_whole() - bytes that fill whole packets.
 * @rpc:   the RPC, held.
 * @bytes: at most so many, but at least a packet.
 *
 * Receivers of secure messages take no pieces from the middle. Context: RCU
 * read lock.
 */
u32 sdp_transmit_whole(struct sdp_rpc *rpc, u32 bytes);

/** sdp_transmit_paced() - is the link to a peer kept short by pacing? */
bool sdp_transmit_paced(struct sdp_rpc *rpc);

#endif /* SDP_TARGET_TRANSMIT_H */
