/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At most once in clear mode: a request that was received whole is not received
 * again, even after its RPC is gone. A client that starts afresh with lower ids
 * is heard once its memory has been idle for prog_params.forget_ns.
 *
 * In secure mode the record layer's replay window does this.
 */
#ifndef SDP_PROGRAM_HOMA_CLIENT_H
#define SDP_PROGRAM_HOMA_CLIENT_H

#include "rpc.h"

static inline u32 homa_client_idle(const struct prog_ev *ev,
				   const struct prog_params *params,
				   const struct prog_client *client)
{
	return ev->now - client->seen >= params->forget_ns;
}

/* Whether a block lies before those that are remembered. */
static inline u32 homa_client_old(const struct prog_client *client, u64 block)
{
	return block + HOMA_BLOCKS < client->top;
}

/* REQUEST_NEW_CLEAR: the request has not been received before. */
static inline void homa_client_check(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_client *client,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u64 number = ev->id >> 1;
	u64 block = number >> 6;
	u32 slot = block & (HOMA_BLOCKS - 1);

	if (homa_client_idle(ev, params, client))
		return;
	if (homa_client_old(client, block))
		out->verdict = PROG_DROP_OLD;
	else if (client->block[slot] == (u32)block &&
		 client->done[slot] >> (number & 63) & 1)
		out->verdict = PROG_DROP_EXECUTED;
}

/* REQUEST_DONE: remember a request that is whole, or one that ends late. */
static inline void homa_client_done(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_client *client,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	u64 number = ev->id >> 1;
	u64 block = number >> 6;
	u32 slot = block & (HOMA_BLOCKS - 1);

	if (homa_client_idle(ev, params, client))
		*client = (struct prog_client){ .seen = ev->now };
	client->seen = ev->now;
	if (homa_client_old(client, block))
		return;
	if (block >= client->top)
		client->top = block + 1;
	if (client->block[slot] != (u32)block) {
		client->block[slot] = block;
		client->done[slot] = 0;
	}
	client->done[slot] |= 1ull << (number & 63);
}

/* REQUEST_NEW_CLEAR, at its end: the message of one packet is whole. */
static inline void homa_client_finish(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_rpc *rpc,
				      struct prog_client *client,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	if (rpc->state == HOMA_READY)
		homa_client_done(ev, params, rpc, client, scratch, out);
}

#endif /* SDP_PROGRAM_HOMA_CLIENT_H */
