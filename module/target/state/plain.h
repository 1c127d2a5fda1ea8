/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plain messages: those whose records a NIC is to seal (docs/offload.md). Packets that
 * hold them are traced back to their RPC by the message that the header names, whatever has
 * become of their addresses.
 */
#ifndef SDP_TARGET_PLAIN_H
#define SDP_TARGET_PLAIN_H

#include "../../observe/observe.h"
#include "rpc.h"

/**
 * sdp_plain_add() - packets may be made of it from now on.
 * @rpc: its message is plain, has its number, and is about to be handed on first.
 *
 * Context: process.
 */
void sdp_plain_add(struct sdp_rpc *rpc);

/**
 * sdp_plain_remove() - no more; before the message is freed.
 * @rpc: whose message; nobody adds it meanwhile.
 *
 * Who has found it may look at the message still: with BH disabled, or a reference that
 * is not given back before. Context: any. Return: whether it was there.
 */
bool sdp_plain_remove(struct sdp_rpc *rpc);

/**
 * sdp_plain_find() - whose packet is this?
 * @sk:  its owner.
 * @hdr: of the packet; its tag is not checked.
 *
 * Context: softirq. Return: the RPC, held; NULL: it has ended, or @hdr is not ours.
 */
struct sdp_rpc *sdp_plain_find(const struct sock *sk,
			       const struct sdp_secure_data_hdr *hdr);

/**
 * sdp_plain_seal() - seal records here after all.
 * @rpc:    held.
 * @first:  record.
 * @count:  of records.
 * @reason: to count it by.
 *
 * Two who do so at once make the same bytes. Context: atomic. Return: 0; -ENOMEM,
 * -EAGAIN (the cipher cannot run now), -ECONNRESET, or what the cipher says: some are
 * not sealed.
 */
int sdp_plain_seal(struct sdp_rpc *rpc, u32 first, u32 count, enum sdp_counter reason);

/** sdp_plain_run() - how many records from @first on are plain, of at most @most. */
u32 sdp_plain_run(const struct sdp_rpc *rpc, u32 first, u32 most);

/** sdp_plain_count() - how many of @count records from @first on are plain. */
u32 sdp_plain_count(const struct sdp_rpc *rpc, u32 first, u32 count);

#endif /* SDP_TARGET_PLAIN_H */
