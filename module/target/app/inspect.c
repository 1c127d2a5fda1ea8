// SPDX-License-Identifier: GPL-2.0-only
/*
 * Going over the RPCs of a socket: to abort some, to show them, to end those
 * of a session that is gone.
 */
#include "../../offload/nic.h"
#include "../out/nic.h"
#include "../run/exec.h"
#include "../state/rpc_table.h"
#include "message.h"
#include "session.h"

/**
 * struct walk - a way through all RPCs that an endpoint had at its start.
 * @ep:   the endpoint.
 * @here: held; the one that is being visited.
 * @next: held; the one after it: found before this one is ended.
 * @end:  serial of the last one at the start, 0: not begun.
 */
struct walk {
	struct sdp_endpoint *ep;
	struct sdp_rpc *here;
	struct sdp_rpc *next;
	u64 end;
};

/* The RPC that comes after @last, or if that has left the list, after @serial; held. */
static struct sdp_rpc *after(struct sdp_endpoint *ep, struct sdp_rpc *last,
			     u64 serial, u64 end)
{
	struct sdp_rpc *rpc;

	lockdep_assert_held(&ep->lock);
	if (last && !list_empty(&last->ep_link))
		rpc = list_next_entry(last, ep_link);
	else
		list_for_each_entry(rpc, &ep->rpcs, ep_link)
			if (rpc->serial > serial)
				break;
	if (list_entry_is_head(rpc, &ep->rpcs, ep_link) || rpc->serial > end)
		return NULL;
	sdp_rpc_hold(rpc);
	return rpc;
}

/* The next RPC, held until the next call; NULL: that was all. */
static struct sdp_rpc *walk_next(struct walk *walk)
{
	struct sdp_endpoint *ep = walk->ep;
	struct sdp_rpc *last = walk->here;

	spin_lock_bh(&ep->lock);
	if (walk->end) {
		walk->here = walk->next;
	} else {
		walk->end = ep->serial;
		walk->here = after(ep, NULL, 0, walk->end);
	}
	walk->next = walk->here ? after(ep, walk->here, walk->here->serial,
					walk->end) : NULL;
	spin_unlock_bh(&ep->lock);
	if (last)
		sdp_rpc_put(last);
	return walk->here;
}

static void walk_end(struct walk *walk)
{
	if (walk->here)
		sdp_rpc_put(walk->here);
	if (walk->next)
		sdp_rpc_put(walk->next);
}

static bool abort_one(struct sdp_rpc *rpc, int error)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);
	bool found;

	sdp_rpc_lock(rpc);
	found = rpc->hashed;
	if (found) {
		sdp_run_event(run, .error = error);
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
	return found;
}

static int abort_id(struct sdp_endpoint *ep, u64 id, int error)
{
	struct sdp_rpc *rpc;

	if (id & 1)
		return -EINVAL;
	local_bh_disable();
	rcu_read_lock();
	rpc = sdp_rpc_find_client_lock(ep, id);
	if (rpc) {
		sdp_rpc_hold(rpc);
		sdp_rpc_unlock(rpc);
	}
	rcu_read_unlock();
	local_bh_enable();
	if (!rpc)
		return -EINVAL;
	abort_one(rpc, error);
	sdp_rpc_put(rpc);
	/* Who waits for a response by its id learns that there is none to come. */
	if (!error)
		ep->sk->sk_state_change(ep->sk);
	return 0;
}

int sdp_message_abort(struct sdp_endpoint *ep, u64 id, u64 cookie,
		      bool by_cookie, int error)
{
	struct walk walk = { .ep = ep };
	struct sdp_rpc *rpc;

	if (id)
		return abort_id(ep, id, error);
	while ((rpc = walk_next(&walk))) {
		if (sdp_rpc_is_server(rpc) || READ_ONCE(rpc->error) ||
		    (by_cookie && rpc->cookie != cookie))
			continue;
		abort_one(rpc, error);
		cond_resched();
	}
	walk_end(&walk);
	if (!error)
		ep->sk->sk_state_change(ep->sk);
	return 0;
}

void sdp_message_abort_but(struct sdp_endpoint *ep,
			   bool (*spare)(const struct sdp_rpc *rpc))
{
	struct walk walk = { .ep = ep };
	struct sdp_rpc *rpc;

	while ((rpc = walk_next(&walk))) {
		if (!spare || !spare(rpc))
			abort_one(rpc, 0);
		cond_resched();
	}
	walk_end(&walk);
}

void sdp_message_forget_clear(struct sdp_endpoint *ep)
{
	struct walk walk = { .ep = ep };
	struct sdp_rpc *rpc;

	if (!READ_ONCE(ep->server) && !READ_ONCE(ep->rpc_count))
		return;
	/* Packets that the policy of before has let in make no RPC after this. */
	synchronize_net();
	while ((rpc = walk_next(&walk))) {
		/* A request of ours would wait for what is not let in. */
		if (!rpc->secure && sdp_rpc_is_server(rpc))
			abort_one(rpc, 0);
		else if (!rpc->secure && !READ_ONCE(rpc->ready))
			abort_one(rpc, ECONNRESET);
		cond_resched();
	}
	walk_end(&walk);
}

static void describe_rpc(struct sdp_rpc *rpc, struct sdp_rpc_state *state)
{
	memset(state, 0, sizeof(*state));
	state->id = rpc->who.id | (rpc->who.secure ? SDP_ID_SECURE : 0);
	state->cookie = rpc->cookie;
	state->peer.addr = rpc->who.addr;
	state->peer.port = rpc->who.pport;
	if (ipv6_addr_type(&rpc->who.addr) & IPV6_ADDR_LINKLOCAL)
		state->peer.ifindex = rpc->peer->key.oif;
	/* The peer's address of ours never changes, and no RPC changes its peer. */
	state->local = rpc->peer->local;
	state->port = rpc->who.port;
	state->server = sdp_rpc_is_server(rpc);
	state->private = rpc->private;
	state->secure = rpc->secure;
	if (rpc->secure)
		state->session = sdp_session_id(rpc->session);
	spin_lock_bh(&rpc->lock);
	/* A receiver that gives it back changes it under the socket's lock alone. */
	state->ready = READ_ONCE(rpc->ready);
	prog_rpc_info(&rpc->prog, &state->info);
	spin_unlock_bh(&rpc->lock);
}

int sdp_message_dump(struct sdp_endpoint *ep,
		     int (*fn)(const struct sdp_rpc_state *state, void *arg),
		     void *arg)
{
	struct walk walk = { .ep = ep };
	struct sdp_rpc_state state;
	struct sdp_rpc *rpc;
	int err = 0;

	while (!err && (rpc = walk_next(&walk))) {
		describe_rpc(rpc, &state);
		err = fn(&state, arg);
		cond_resched();
	}
	walk_end(&walk);
	return err;
}

/*
 * The one before is found by what it is found by, as long as it is open: then the way
 * on is one step. If it has ended, so have most before it, and the list begins near.
 */
static struct sdp_rpc *next_rpc(struct sdp_endpoint *ep,
				const struct sdp_rpc_cursor *at)
{
	struct sdp_rpc *last = NULL, *rpc;

	local_bh_disable();
	rcu_read_lock();
	if (at->serial)
		last = sdp_rpc_find_lock(&at->last);
	if (last && (last->ep != ep || last->serial != at->serial)) {
		sdp_rpc_unlock(last);
		last = NULL;
	}
	spin_lock(&ep->lock);
	rpc = after(ep, last, at->serial, at->end);
	spin_unlock(&ep->lock);
	if (last)
		sdp_rpc_unlock(last);
	rcu_read_unlock();
	local_bh_enable();
	return rpc;
}

bool sdp_message_next(struct sdp_endpoint *ep, struct sdp_rpc_cursor *at,
		      struct sdp_rpc_state *state)
{
	struct sdp_rpc *rpc;

	if (!at->end)
		at->end = READ_ONCE(ep->serial);
	rpc = at->end ? next_rpc(ep, at) : NULL;
	if (!rpc)
		return false;
	describe_rpc(rpc, state);
	at->serial = rpc->serial;
	at->last = rpc->who;
	sdp_rpc_put(rpc);
	return true;
}

static int session_begin(struct sdp_session *session)
{
	sdp_pctx_init(sdp_session_transport(session));
	return 0;
}

/* Whoever closes its socket waits until its sessions have been told to be dead. */
static struct sdp_endpoint *endpoint_of(const struct sdp_session *session)
{
	return (struct sdp_endpoint *)sdp_session_key_of(session)->owner;
}

bool sdp_session_busy(struct sdp_session *session)
{
	struct sdp_pctx *pctx = sdp_session_transport(session);
	struct sdp_endpoint *ep = endpoint_of(session);
	bool busy;

	spin_lock_bh(&ep->lock);
	busy = !hlist_empty(&pctx->rpcs);
	spin_unlock_bh(&ep->lock);
	return busy;
}

/* One of a session's RPCs that have not been looked at, held, or NULL. */
static struct sdp_rpc *take_of_session(struct sdp_endpoint *ep,
				       struct sdp_pctx *pctx)
{
	struct sdp_rpc *rpc;

	spin_lock_bh(&ep->lock);
	rpc = hlist_entry_safe(pctx->rpcs.first, struct sdp_rpc, session_link);
	if (rpc) {
		hlist_del_init(&rpc->session_link);
		sdp_rpc_hold(rpc);
	}
	spin_unlock_bh(&ep->lock);
	return rpc;
}

/*
 * A removed session ends its RPCs, and none is added any more: the client is told, a
 * server forgets.
 */
static void session_dead(struct sdp_session *session)
{
	struct sdp_endpoint *ep = endpoint_of(session);
	struct sdp_rpc *rpc;

	while ((rpc = take_of_session(ep, sdp_session_transport(session)))) {
		if (!READ_ONCE(rpc->error))
			abort_one(rpc, sdp_rpc_is_server(rpc) ? 0 : ECONNRESET);
		sdp_rpc_put(rpc);
		cond_resched();
	}
}

const struct sdp_record_ops sdp_session_ops = {
	.transport_size = sizeof(struct sdp_pctx),
	.transport_init = session_begin,
	.dead = session_dead,
	.nic_end = sdp_nic_end_key,
	.nic_flush = sdp_nic_flush,
	.nic_seals = sdp_nic_seals,
};
