/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clear mode: a request may come from an address that is not its sender's, and what
 * answers it go to a victim. Until a host has shown that it gets what is sent to its
 * address, that is at most HOMA_AMPLIFY times what came from there: prog_peer.budget,
 * which the target asks for each packet (prog_peer_spend()).
 *
 * A response that does not fit there, or into one small packet, waits. CUTOFFS tell the
 * address a version that nobody else can know, and a RESEND asks for a byte of the request,
 * which the client still has: nothing of the response has gone out, or all in the one
 * packet that has not arrived. DATA brings the version back.
 *
 * The versions have 16 bits, so guesses are counted: after HOMA_WRONGS in a while no
 * echo is believed, also none that would prove for longer what is proven. Nothing makes
 * that shorter.
 */
#ifndef SDP_PROGRAM_HOMA_PROVE_H
#define SDP_PROGRAM_HOMA_PROVE_H

#include "due.h"

/* Bytes have come from the address. */
static inline void homa_prove_credit(const struct prog_ev *ev,
				     struct prog_peer *peer)
{
	u32 room = HOMA_BUDGET_MAX - peer->budget;

	peer->budget += homa_min(homa_min(ev->wire, HOMA_BUDGET_MAX / 4) *
				 HOMA_AMPLIFY, room);
}

/* A version that is not what we told. Each counts once. */
static inline void homa_prove_wrong(const struct prog_ev *ev,
				    struct prog_peer *peer)
{
	u32 i;

	if (ev->now - peer->wrong_since >= HOMA_SHUT_NS)
		peer->wrongs = 0;
	for (i = 0; i < HOMA_WRONGS; i++)
		if (i < peer->wrongs && peer->wrong[i] == ev->cutoff_version)
			return;
	if (!peer->wrongs)
		peer->wrong_since = ev->now;
	peer->wrong[peer->wrongs] = ev->cutoff_version;
	peer->wrongs++;
	if (peer->wrongs < HOMA_WRONGS)
		return;
	peer->wrongs = 0;
	peer->shut = ev->now + HOMA_SHUT_NS;
}

/* What a version that came back shows. */
static inline void homa_prove_echo(const struct prog_ev *ev,
				   struct prog_peer *peer)
{
	if (ev->now < peer->shut)
		return;
	if (ev->echo == PROG_ECHO_RIGHT)
		peer->proven = ev->now + HOMA_PROVEN_NS;
	else if (ev->echo == PROG_ECHO_WRONG && ev->cutoff_version)
		homa_prove_wrong(ev, peer);
}

/* ECHO: DATA has come of a request from an address that may be forged. */
static inline void homa_prove_heard(const struct prog_ev *ev,
				    const struct prog_params *params,
				    struct prog_rpc *rpc,
				    struct prog_peer *peer,
				    struct prog_scratch *scratch,
				    struct mtp_out *out)
{
	if (rpc->strange)
		homa_prove_credit(ev, peer);
	homa_prove_echo(ev, peer);
	if (prog_peer_proven(peer, ev->now))
		rpc->strange = HOMA_KNOWN;
}

/* Whether the response fits into one packet on any path, and that into @budget. */
static inline u32 homa_prove_small(const struct prog_rpc *rpc, u32 budget)
{
	return rpc->tx_length <= MTP_SMALL &&
	       rpc->tx_length + HOMA_HEADERS <= budget;
}

/* Ask the client to show that it has its address. */
static inline void homa_prove_ask(const struct prog_params *params,
				  struct mtp_out *out)
{
	homa_packet(out, PROG_PACKET_CUTOFFS);
	homa_packet_resend(out, params, 0, 1, 0);
}

/* The response waits until it has. */
static inline void homa_prove_hold(const struct prog_ev *ev,
				   const struct prog_params *params,
				   struct prog_rpc *rpc, struct mtp_out *out)
{
	if (rpc->strange != HOMA_HELD) {
		rpc->strange = HOMA_HELD;
		rpc->tries = 0;
		homa_timer_set(out, ev->now + params->resend_ns);
	}
	rpc->active = ev->now;
	rpc->asked = ev->now;
	rpc->asking = 1;
	homa_prove_ask(params, out);
}

#endif /* SDP_PROGRAM_HOMA_PROVE_H */
