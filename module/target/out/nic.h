/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages that a NIC seals (docs/offload.md): which, and that no packet of theirs
 * leaves the machine as it is.
 */
#ifndef SDP_TARGET_NIC_H
#define SDP_TARGET_NIC_H

#include "../../observe/observe.h"
#include "../state/rpc.h"

/**
 * sdp_nic_sealer() - who is to seal a message?
 * @rpc:    its RPC; the message has its number.
 * @length: bytes of application data.
 *
 * Context: process. Return: SDP_CTR_seal_nic, or the counter that says why it is the CPU.
 */
enum sdp_counter sdp_nic_sealer(struct sdp_rpc *rpc, u32 length);

/**
 * sdp_nic_records() - how many records can leave as one segment for a NIC?
 * @rpc:    held.
 * @insn:   the instruction.
 * @dst:    the route.
 * @offset: of the first byte.
 * @end:    of the instruction.
 * @payload: bytes of payload per packet.
 *
 * Context: RCU. Return: 0: what begins there has to be sealed by the CPU.
 */
u32 sdp_nic_records(const struct sdp_rpc *rpc, const struct mtp_insn *insn,
		    const struct dst_entry *dst, u32 offset, u32 end, u32 payload);

/**
 * sdp_nic_seal() - seal what is to be sent of a plain message and is not sealed.
 * @rpc:    held.
 * @insn:   the instruction.
 * @offset: of the first byte.
 * @length: bytes.
 *
 * Context: in a run. Return: false: it could not be done now; counted.
 */
bool sdp_nic_seal(struct sdp_rpc *rpc, const struct mtp_insn *insn, u32 offset,
		  u32 length);

/**
 * sdp_nic_mark_segment() - the packet holds records for a NIC to seal.
 * @skb:     headers, then whole records.
 * @payload: bytes of payload per packet.
 * @bytes:   of payload in @skb.
 */
void sdp_nic_mark_segment(struct sk_buff *skb, u32 payload, u32 bytes);

/**
 * sdp_nic_seal_packet() - a packet for a NIC is about to be cut.
 * @skb: as sk_validate_xmit_skb or a GSO callback gets it; stays the caller's.
 *
 * Context: softirq. Return: a copy that is sealed, or NULL; counted.
 */
struct sk_buff *sdp_nic_seal_packet(struct sk_buff *skb);

/* See struct sdp_record_ops. */
void sdp_nic_end_key(void *nic);
bool sdp_nic_seals(struct sdp_session *session, const void *nic, u64 *records);

/* of a namespace that ends: waits for its keys. */
void sdp_nic_exit_net(struct sdp_net *sn);

int sdp_nic_attach(void);
void sdp_nic_detach(void);

#endif /* SDP_TARGET_NIC_H */
