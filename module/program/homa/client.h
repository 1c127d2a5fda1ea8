/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * At most once in clear mode: a request that was received whole is not received
 * again, even after its RPC is gone. What is remembered is a set of ids, a bit
 * each, never an order: that later requests have been answered says nothing about
 * one that was lost. A context holds PROG_CLIENT_NUMBERS of them; the target keeps
 * it for prog_forget_ns() after its last use, or refuses new requests.
 *
 * In secure mode the record layer's replay window does this.
 */
#ifndef SDP_PROGRAM_HOMA_CLIENT_H
#define SDP_PROGRAM_HOMA_CLIENT_H

#include "rpc.h"

/*
 * The client asks for none of these requests any more. One that does ask, for an
 * RPC that has ended here, is answered no longer than ours would go on: later it
 * is one that has restarted and counts its requests as it did before.
 */
static inline u32 homa_client_idle(const struct prog_ev *ev,
				   const struct prog_params *params,
				   const struct prog_client *client)
{
	return ev->now - client->seen >= prog_forget_ns(params) ||
	       ev->now - client->received >= HOMA_RETRY_NS;
}

/* REQUEST_NEW_CLEAR: the request has not been received before. */
static inline void homa_client_check(const struct prog_ev *ev,
				     const struct prog_params *params,
				     struct prog_client *client,
				     struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	u32 number = ev->id >> 1 & (PROG_CLIENT_NUMBERS - 1);

	if (homa_client_idle(ev, params, client) ||
	    !(client->done[number >> 6] >> (number & 63) & 1))
		return;
	client->seen = ev->now;
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
	u32 number = ev->id >> 1 & (PROG_CLIENT_NUMBERS - 1);

	if (homa_client_idle(ev, params, client))
		*client = (struct prog_client){ 0 };
	client->seen = ev->now;
	client->received = ev->now;
	client->done[number >> 6] |= 1ull << (number & 63);
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
