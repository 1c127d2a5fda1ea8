// SPDX-License-Identifier: GPL-2.0-only
#include <linux/random.h>
#include <linux/rculist_nulls.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "endpoint.h"

#define PORT_BUCKETS 1024
#define FIRST_AUTO 0x8000

/*
 * A socket that binds moves from the port it was given to another: a reader may
 * be led from one list into the other, and notices by its end.
 */
static struct hlist_nulls_head ports[PORT_BUCKETS];
static DEFINE_SPINLOCK(ports_lock);

static u32 port_slot(const struct sdp_net *sn, u16 port)
{
	return (port ^ sn->net->ns.inum) % PORT_BUCKETS;
}

struct sdp_endpoint *sdp_endpoint_find(struct sdp_net *sn, u16 port)
{
	u32 slot = port_slot(sn, port);
	struct hlist_nulls_node *pos;
	struct sdp_endpoint *ep;

begin:
	hlist_nulls_for_each_entry_rcu(ep, pos, &ports[slot], port_node)
		if (READ_ONCE(ep->port) == port && ep->sn == sn)
			return ep;
	if (unlikely(get_nulls_value(pos) != slot))
		goto begin;
	return NULL;
}

static bool port_taken(const struct sdp_endpoint *self, u16 port)
{
	const struct hlist_nulls_node *pos;
	const struct sdp_endpoint *ep;

	hlist_nulls_for_each_entry(ep, pos, &ports[port_slot(self->sn, port)],
				   port_node)
		if (ep->port == port && ep->sn == self->sn && ep != self)
			return true;
	return false;
}

/* A free port from a random place on, so that ports are hard to guess. */
static u16 free_port(const struct sdp_endpoint *ep)
{
	u32 count = 0x10000 - FIRST_AUTO;
	u32 from = get_random_u32_below(count);
	u32 i;

	for (i = 0; i < count; i++) {
		u16 port = FIRST_AUTO + (from + i) % count;

		if (!port_taken(ep, port))
			return port;
	}
	return 0;
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

/*
 * An RPC is found by its port, and lives no longer than its socket: it may not stay
 * behind for the port's next owner to find.
 */
static bool move_to(struct sdp_endpoint *ep, u16 port)
{
	bool idle;

	lockdep_assert_held(&ports_lock);
	if (ep->port)
		hlist_nulls_del_rcu(&ep->port_node);
	spin_lock(&ep->lock);
	idle = !ep->rpc_count;
	if (idle) {
		WRITE_ONCE(ep->port, port);
		WRITE_ONCE(ep->id_port, (u64)permute(ep->sn, port) <<
					(SDP_ID_COUNT_BITS + 1));
		/* Not where a former owner of the port was. */
		atomic64_set(&ep->id_count, get_random_u64());
	}
	spin_unlock(&ep->lock);
	if (ep->port)
		hlist_nulls_add_head_rcu(&ep->port_node,
					 &ports[port_slot(ep->sn, ep->port)]);
	return idle;
}

int sdp_endpoint_bind(struct sdp_endpoint *ep, u16 port)
{
	int err = 0;

	spin_lock_bh(&ports_lock);
	if (!port && ep->port)
		goto out;
	if (!port)
		port = free_port(ep);
	if (!port || port_taken(ep, port))
		err = -EADDRINUSE;
	else if (port != ep->port && !move_to(ep, port))
		err = -EBUSY;
out:
	spin_unlock_bh(&ports_lock);
	return err;
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
	spin_lock_bh(&ports_lock);
	WARN_ON_ONCE(!move_to(ep, 0));
	spin_unlock_bh(&ports_lock);
}

void sdp_endpoint_init_ports(void)
{
	u32 i;

	for (i = 0; i < PORT_BUCKETS; i++)
		INIT_HLIST_NULLS_HEAD(&ports[i], i);
}
