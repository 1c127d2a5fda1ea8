// SPDX-License-Identifier: GPL-2.0-only
#include <linux/siphash.h>
#include <linux/timekeeping.h>

#include "../../observe/observe.h"
#include "../../record/wire.h"
#include "proof.h"

#define MINUTE 60

void sdp_proof_init(struct sdp_net *sn)
{
	get_random_bytes(&sn->proof_key, sizeof(sn->proof_key));
}

/* Sockets of one host that differ in their routes tell an address the same. */
static u16 version_of(const struct sdp_peer *peer, u32 minute)
{
	const struct {
		struct in6_addr local;
		struct in6_addr peer;
		u64 minute;
	} __aligned(SIPHASH_ALIGNMENT) words = {
		.local = peer->local, .peer = peer->key.daddr, .minute = minute,
	};

	return 1 + reciprocal_scale(siphash(&words, sizeof(words),
					    &peer->key.sn->proof_key), U16_MAX);
}

static u32 this_minute(void)
{
	return (u32)ktime_get_seconds() / MINUTE;
}

static bool wanted(const struct sdp_net *sn)
{
	return READ_ONCE(sn->set.prove_addresses);
}

u16 sdp_proof_version(const struct sdp_peer *peer)
{
	const struct sdp_net *sn = peer->key.sn;

	if (!wanted(sn))
		return READ_ONCE(sn->set.prog.cutoff_version);
	return version_of(peer, this_minute());
}

/* What was told in the minute before may be on its way. */
static u8 echo_of(const struct sdp_peer *peer, u16 version)
{
	u32 minute = this_minute();

	if (!version)
		return PROG_ECHO_WRONG;
	if (version == version_of(peer, minute) ||
	    version == version_of(peer, minute - 1))
		return PROG_ECHO_RIGHT;
	sdp_count(peer->key.sn->counts, SDP_CTR_wrong_echoes);
	return PROG_ECHO_WRONG;
}

void sdp_proof_look(struct prog_ev *ev, const struct sdp_rpc *rpc, bool fresh)
{
	const struct prog_peer *known = &rpc->pctx->prog;
	bool strange = prog_rpc_strange(&rpc->prog);

	if (unlikely(!wanted(rpc->who.sn))) {
		/* One that waits for a proof is not to wait any more. */
		if (strange)
			ev->echo = PROG_ECHO_RIGHT;
		return;
	}
	ev->echo = ev->cutoff_version ? PROG_ECHO_SPARED : PROG_ECHO_WRONG;
	if (fresh) {
		u64 now = ktime_get_coarse_ns();

		/* A look that is a moment late does no harm: the chain looks again. */
		if (likely(data_race(prog_peer_fresh(known, now))))
			return;
		/* Likewise. */
		ev->strange = !data_race(prog_peer_proven(known, now));
	} else if (likely(!strange)) {
		return;
	}
	ev->echo = echo_of(rpc->peer, ev->cutoff_version);
	ev->wire = ev->length + sizeof(struct sdp_data_hdr) +
		   sdp_ip_header(rpc->peer->v4);
}

void sdp_proof_of_response(struct prog_ev *ev, const struct sdp_rpc *rpc)
{
	const struct prog_peer *known = &rpc->pctx->prog;

	if (likely(!prog_rpc_strange(&rpc->prog)))
		return;
	/* As above; who spends looks again. */
	ev->strange = !data_race(prog_peer_proven(known, ktime_get_coarse_ns())) &&
		      wanted(rpc->who.sn);
	/* Likewise. */
	ev->budget = data_race(prog_peer_budget(known));
}

bool sdp_proof_spend(struct sdp_rpc *rpc, u32 bytes)
{
	struct sdp_pctx *pctx = rpc->pctx;
	bool may;

	if (!wanted(rpc->who.sn))
		return true;
	spin_lock(&pctx->lock);
	may = prog_peer_spend(&pctx->prog, bytes, ktime_get_ns());
	spin_unlock(&pctx->lock);
	if (!may)
		sdp_count(rpc->who.sn->counts, SDP_CTR_unproven_unsent);
	return may;
}
