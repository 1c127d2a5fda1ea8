// SPDX-License-Identifier: GPL-2.0-only
#include "../../observe/observe.h"
#include "../out/transmit.h"
#include "../run/exec.h"
#include "../state/memory.h"
#include "../state/pressure.h"
#include "../state/proof.h"
#include "../state/rpc_table.h"
#include "hand_on.h"

u32 sdp_take_acks(struct sdp_run *run, struct sdp_rpc *rpc, u64 *ids,
		  u16 *port, u32 most)
{
	u32 count = 0, i;

	/* One that comes meanwhile rides in the next message. */
	if (!data_race(prog_peer_acks(&rpc->pctx->prog)))
		return 0;
	sdp_run_event(run, .length = most, .secure = rpc->secure);
	sdp_exec_take_acks(run, rpc->pctx);
	for (i = 0; i < run->out.count && count < most; i++) {
		if (run->out.insn[i].op != MTP_ACK)
			continue;
		*port = run->out.insn[i].a;
		ids[count++] = run->out.insn[i].key;
	}
	return count;
}

/* In the clear there is room for one, in the header of a packet. */
static void ride_along(struct sdp_run *run, struct sdp_rpc *rpc)
{
	if (!rpc->secure)
		sdp_take_acks(run, rpc, &rpc->ack.id, &rpc->ack.port, 1);
}

/* What the path to the peer is known to take, and where records end. */
static void describe_path(struct prog_ev *ev, const struct sdp_rpc *rpc)
{
	const struct prog_peer *peer = &rpc->pctx->prog;

	/* Other RPCs' chains may be learning it: how the first bytes go is a guess. */
	ev->prio = data_race(prog_peer_prio(peer, sdp_params(rpc->who.sn), rpc->tx.length));
	/* Likewise. */
	ev->unsched = data_race(prog_peer_unsched(peer));
	/* Likewise. Hardly ever: where they never were, the clock is not read. */
	ev->small = data_race(prog_peer_small(peer, 0) &&
			      prog_peer_small(peer, ktime_get_ns()));
	ev->record = sdp_rpc_record(rpc);
}

static int run_send(struct sdp_rpc *rpc, u32 kind, u32 ready)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);
	int err = 0;

	if (kind == PROG_EV_SEND_RESPONSE)
		ride_along(run, rpc);
	sdp_rpc_lock(rpc);
	if (!rpc->hashed) {
		sdp_rpc_unlock(rpc);
		goto out;
	}
	WRITE_ONCE(rpc->tx.ready, ready);
	sdp_run_event(run, .message_length = rpc->tx.length, .length = ready,
		      .paced = sdp_transmit_paced(rpc));
	if (kind == PROG_EV_SEND_RESPONSE) {
		describe_path(&run->ev, rpc);
		sdp_proof_of_response(&run->ev, rpc);
		run->ev.scarce = sdp_memory_scarce(rpc->ep, rpc->secure);
		err = sdp_exec_send_response(run, rpc);
		/* Refused, so nobody has looked at it: it may be made anew. */
		if (err)
			WRITE_ONCE(rpc->tx.ready, 0);
		else if (unlikely(prog_rpc_proving(&rpc->prog)))
			sdp_count(run->sn->counts, SDP_CTR_unproven_held);
	} else {
		err = sdp_exec(run, rpc, kind);
	}
out:
	sdp_run_finish(run);
	return err;
}

static int run_request(struct sdp_rpc *rpc, u32 ready)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);
	int err;

	ride_along(run, rpc);
	sdp_rpc_hold(rpc);
	err = sdp_rpc_insert(rpc);
	if (err) {
		sdp_rpc_put(rpc);
		goto out;
	}
	WRITE_ONCE(rpc->tx.ready, ready);
	sdp_run_event(run, .message_length = rpc->tx.length, .length = ready,
		      .paced = sdp_transmit_paced(rpc));
	describe_path(&run->ev, rpc);
	err = sdp_exec_send_request(run, rpc);
	sdp_count(rpc->who.sn->counts, SDP_CTR_client_rpcs);
out:
	sdp_run_finish(run);
	return err;
}

int sdp_hand_on(struct sdp_rpc *rpc, u32 ready, bool first)
{
	if (!first)
		return run_send(rpc, PROG_EV_READY_MORE, ready);
	if (sdp_rpc_is_server(rpc))
		return run_send(rpc, PROG_EV_SEND_RESPONSE, ready);
	return run_request(rpc, ready);
}

/* Whose a message is does not matter, and is not counted, while there is room for all. */
static int charge_message(struct sdp_rpc *rpc, u32 length, bool nonblock)
{
	struct sdp_endpoint *ep = rpc->ep;
	int err = -EAGAIN;

	rpc->payer = NULL;
	if (likely(sdp_memory_ample(ep, rpc->secure)))
		err = sdp_memory_charge_tx(ep, rpc->secure, NULL, length, true);
	if (likely(err != -EAGAIN))
		return err;
	rpc->payer = sdp_pressure_owner(rpc);
	return sdp_memory_charge_tx(ep, rpc->secure, rpc->payer, length, nonblock);
}

int sdp_make_buffer(struct sdp_rpc *rpc, u32 length, u32 unit, bool nonblock)
{
	int err = charge_message(rpc, length, nonblock);

	if (err)
		return err;
	err = sdp_txbuf_alloc(&rpc->tx, length, unit, rpc->small);
	if (err) {
		rpc->tx.length = 0;
		sdp_memory_uncharge_tx(rpc->ep, rpc->secure, rpc->payer, length);
	}
	return err;
}

void sdp_abandon(struct sdp_rpc *rpc)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);

	sdp_rpc_lock(rpc);
	if (rpc->hashed && rpc->tx.ready) {
		sdp_run_event(run, .error = 0);
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
}
