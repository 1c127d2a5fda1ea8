// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "endpoint.h"

struct sdp_endpoint *sdp_endpoint_find(struct sdp_net *sn, u16 port)
{
	struct sdp_endpoint *ep = sdp_ports_find(&sn->ports, port);

	/* It may be about to move there, or have left. */
	return likely(ep && READ_ONCE(ep->port) == port) ? ep : NULL;
}

/* A keyed permutation of 16 bits: four rounds of a Feistel network. */
static u16 permute(const struct sdp_net *sn, u16 port)
{
	u8 left = port >> 8, right = port, next;
	u32 round;

	for (round = 0; round < 4; round++) {
		next = left ^ siphash_2u32(round, right, &sn->id_key);
		left = right;
		right = next;
	}
	return left << 8 | right;
}

/* Have @port, 0: none. */
static void set_port(struct sdp_endpoint *ep, u16 port)
{
	lockdep_assert_held(&ep->lock);
	WRITE_ONCE(ep->id_port, (u64)permute(ep->sn, port) <<
				(SDP_ID_COUNT_BITS + 1));
	/* Not where a former owner of the port was. */
	atomic64_set(&ep->id_count, get_random_u64());
	/* Who sees the port has ids that go with it: sdp_endpoint_autobind(). */
	smp_store_release(&ep->port, port);
}

/*
 * An RPC is found by its port, and may not stay behind for the port's next owner to find,
 * but with an orphan, whose RPCs are looked for first. Until it is settled that the endpoint
 * moves, it is found where it was.
 */
int sdp_endpoint_bind(struct sdp_endpoint *ep, u16 port,
		      int (*settled)(struct sdp_endpoint *ep, const void *arg),
		      const void *arg)
{
	int err = 0, taken = 0;
	u16 old;

	if (port != READ_ONCE(ep->port)) {
		taken = sdp_ports_take(&ep->sn->ports, port, ep);
		if (taken < 0)
			return taken;
	}
	spin_lock_bh(&ep->lock);
	old = ep->port;
	if (taken && ep->rpc_count)
		err = -EBUSY;
	if (!err && settled)
		err = settled(ep, arg);
	if (!err && taken)
		set_port(ep, taken);
	spin_unlock_bh(&ep->lock);
	/* The new one where it was refused, the old one where it has moved. */
	if (taken && (err || old))
		sdp_ports_free(&ep->sn->ports, err ? taken : old);
	return err;
}

int sdp_endpoint_autobind(struct sdp_endpoint *ep)
{
	int taken;
	bool had;

	/* Pairs with set_port(). */
	if (likely(smp_load_acquire(&ep->port)))
		return 0;
	taken = sdp_ports_take(&ep->sn->ports, 0, ep);
	if (taken < 0)
		return taken;
	spin_lock_bh(&ep->lock);
	had = ep->port;
	if (!had)
		set_port(ep, taken);
	spin_unlock_bh(&ep->lock);
	/* Another task was first. */
	if (had)
		sdp_ports_free(&ep->sn->ports, taken);
	return 0;
}

/* Room is what ep->wmem leaves: the default looks at packets that have yet to leave. */
static void write_space(struct sock *sk)
{
	struct socket_wq *wq;

	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_sync_poll(&wq->wait,
						EPOLLOUT | EPOLLWRNORM |
							EPOLLWRBAND);
	sk_wake_async_rcu(sk, SOCK_WAKE_SPACE, POLL_OUT);
	rcu_read_unlock();
}

int sdp_endpoint_init(struct sdp_endpoint *ep, struct sock *sk)
{
	ep->sk = sk;
	ep->sn = sdp_net(sock_net(sk));
	ep->policy = READ_ONCE(ep->sn->set.policy);
	/* A session may come, while the application holds ids of before. */
	ep->marks = ep->policy != SDP_POLICY_CLEAR ||
		    READ_ONCE(ep->sn->set.policy_allowed) & ~BIT(SDP_POLICY_CLEAR);
	spin_lock_init(&ep->lock);
	spin_lock_init(&ep->mem_lock);
	INIT_LIST_HEAD(&ep->orphan_link);
	INIT_LIST_HEAD(&ep->rpcs);
	INIT_LIST_HEAD(&ep->ready);
	INIT_LIST_HEAD(&ep->incoming[0]);
	INIT_LIST_HEAD(&ep->incoming[1]);
	INIT_LIST_HEAD(&ep->parked[0]);
	INIT_LIST_HEAD(&ep->parked[1]);
	sock_set_flag(sk, SOCK_RCU_FREE);
	/* Whoever waits for room waits for memory of ours, not for packets that left. */
	sock_set_flag(sk, SOCK_USE_WRITE_QUEUE);
	sk->sk_write_space = write_space;
	return 0;
}

void sdp_endpoint_unbind(struct sdp_endpoint *ep)
{
	u16 old;

	spin_lock_bh(&ep->lock);
	old = ep->port;
	WARN_ON_ONCE(ep->rpc_count && !ep->orphan);
	set_port(ep, 0);
	spin_unlock_bh(&ep->lock);
	if (old)
		sdp_ports_free(&ep->sn->ports, old);
}
