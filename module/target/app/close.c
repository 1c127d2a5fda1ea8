// SPDX-License-Identifier: GPL-2.0-only
#include "../state/memory.h"
#include "../state/rpc_table.h"
#include "close.h"
#include "message.h"

/* Where no memory was given back: an RPC may have ended before we waited. Jiffies. */
#define LINGER_LOOK ((long)HZ / 10)

/* A response that the application has sent, and that is not acknowledged. */
static bool answers(const struct sdp_rpc *rpc)
{
	return sdp_rpc_is_server(rpc) && READ_ONCE(rpc->tx.length);
}

void sdp_close_linger(struct sdp_endpoint *ep, long timeo)
{
	unsigned long look = jiffies;
	struct sock *sk = ep->sk;
	DEFINE_WAIT(wait);
	long turn;

	/* Whoever calls now hears nothing, and is told once the port is free. */
	WRITE_ONCE(ep->server, false);
	for (;;) {
		/* Those that waiting does nothing for, and requests that came meanwhile. */
		if (time_after_eq(jiffies, look)) {
			sdp_message_abort_but(ep, answers);
			look = jiffies + LINGER_LOOK;
		}
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		/* An acknowledged response gives memory back, which wakes us. */
		sdp_memory_await(ep, false);
		sdp_memory_await(ep, true);
		if (!READ_ONCE(ep->rpc_count) || !timeo || signal_pending(current))
			break;
		turn = min(timeo, LINGER_LOOK);
		timeo -= turn - schedule_timeout(turn);
	}
	finish_wait(sk_sleep(sk), &wait);
}

void sdp_close_shutdown(struct sdp_endpoint *ep)
{
	struct sock *sk = ep->sk;

	spin_lock_bh(&ep->lock);
	WRITE_ONCE(ep->shutdown, true);
	spin_unlock_bh(&ep->lock);
	/* There will be no others: insertion looks at the mark under the lock. */
	sdp_message_abort_but(ep, NULL);
	sk->sk_state_change(sk);
	sk->sk_write_space(sk);
}

bool sdp_close_orphan(struct sdp_endpoint *ep)
{
	spin_lock_bh(&ep->lock);
	WRITE_ONCE(ep->shutdown, true);
	spin_unlock_bh(&ep->lock);
	WRITE_ONCE(ep->server, false);
	sdp_message_abort_but(ep, answers);
	return READ_ONCE(ep->rpc_count);
}

static int add_left(const struct sdp_rpc_state *state, void *left)
{
	const struct prog_info *info = &state->info;

	/* It may have just ended. */
	if (info->tx_length > 0)
		*(u64 *)left += info->tx_length - info->tx_sent + SDP_CLOSE_ANSWER;
	return 0;
}

u64 sdp_close_left(struct sdp_endpoint *ep)
{
	u64 left = 0;

	sdp_message_dump(ep, add_left, &left);
	return left;
}

void sdp_close_release(struct sdp_endpoint *ep)
{
	sdp_close_shutdown(ep);
	sdp_memory_stop(ep);
	sdp_peer_replace(&ep->last_peer, NULL);
	sdp_endpoint_unbind(ep);
}

void sdp_close_destruct(struct sdp_endpoint *ep)
{
	WARN_ON_ONCE(sdp_endpoint_rmem(ep) || sdp_endpoint_wmem(ep) ||
		     sdp_endpoint_served(ep) || !list_empty(&ep->incoming[0]) ||
		     !list_empty(&ep->incoming[1]));
	sdp_memory_release(ep);
}
