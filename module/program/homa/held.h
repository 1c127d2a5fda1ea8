/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A response that waits until its client has shown that it has its address (prove.h).
 */
#ifndef SDP_PROGRAM_HOMA_HELD_H
#define SDP_PROGRAM_HOMA_HELD_H

#include "send.h"

/* PROOF: DATA of a request that is here. Something answers at the address. */
static inline void homa_held_answer(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_peer *peer,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	u32 patience = homa_min(rpc->patience + rpc->asking, HOMA_DOUBLES);

	homa_prove_credit(ev, peer);
	homa_prove_echo(ev, peer);
	peer->heard = ev->now;
	/* A client whose echoes nobody believes has to wait, not to end. */
	if (!prog_peer_proven(peer, ev->now) && ev->now >= peer->shut &&
	    homa_barren(ev, params, rpc, out))
		return;
	homa_heard(ev, rpc, out);
	rpc->patience = patience;
	if (prog_peer_proven(peer, ev->now))
		homa_send_proven(ev, params, rpc, out);
}

/*
 * A client that may not have its address asks for the response. Returns whether that
 * is all it gets now, or the response goes out.
 */
static inline u32 homa_held_resend(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc,
				   struct prog_peer *peer,
				   struct mtp_out *out)
{
	u32 waited = rpc->strange == HOMA_HELD;

	if (prog_peer_proven(peer, ev->now)) {
		homa_send_proven(ev, params, rpc, out);
		return waited;
	}
	/* Where any has gone out, the client may have no request to answer from any more. */
	if (!waited && (rpc->tx_sent || homa_prove_small(rpc, peer->budget)))
		return 0;
	homa_prove_hold(ev, params, rpc, out);
	return 1;
}

#endif /* SDP_PROGRAM_HOMA_HELD_H */
