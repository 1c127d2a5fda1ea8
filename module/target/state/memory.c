// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>
#include <net/sock.h>

#include "memory.h"

#define STEP 65536

/*
 * A socket begins with that part of what its group may have each way, and no less, bytes:
 * what others send would have the OOM killer called for the rest of the program.
 */
#define GROUP_SHARE 8
#define GROUP_SHARE_LEAST (4ULL * STEP)

/* Room is made for packets that often at most, jiffies. */
#define RECLAIM_INTERVAL (HZ / 100 ?: 1)

static long used(const struct sdp_endpoint *ep)
{
	return (long)sdp_endpoint_rmem(ep) + sdp_endpoint_wmem(ep) +
	       sdp_endpoint_served(ep);
}

/*
 * As received, whatever it is for: of what is sent the kernel would look at packets
 * that have yet to leave. Return: 0, -ENOBUFS, or -ENOMEM: the group has no room.
 */
static int schedule_upto(struct sdp_endpoint *ep, long want)
{
	struct sock *sk = ep->sk;
	int err = 0;

	spin_lock_bh(&ep->mem_lock);
	while (want > ep->quota) {
		/* Here the charge is forced, and would go beyond the group's limit. */
		if (!sdp_group_room(sk, STEP))
			err = -ENOMEM;
		else if (!__sk_mem_schedule(sk, STEP, SK_MEM_RECV))
			err = -ENOBUFS;
		if (err)
			break;
		/* Taken at once: the quota is what we account for. */
		sk_forward_alloc_add(sk, -STEP);
		WRITE_ONCE(ep->quota, ep->quota + STEP);
	}
	spin_unlock_bh(&ep->mem_lock);
	return err;
}

/* With room made where the group has none. */
static int schedule_with_room(struct sdp_endpoint *ep, long want)
{
	long before;
	int err;

	for (;;) {
		before = READ_ONCE(ep->quota);
		err = schedule_upto(ep, want);
		if (err != -ENOMEM || !sdp_group_reclaim(ep->sk, STEP))
			return err;
		err = schedule_upto(ep, want);
		/* What is reclaimed may be others' at once, or not be counted. */
		if (err != -ENOMEM || READ_ONCE(ep->quota) == before)
			return err;
	}
}

/* Packets are refused meanwhile, and come again. */
static void make_group_room(struct work_struct *work)
{
	struct sdp_endpoint *ep = container_of(work, struct sdp_endpoint, make_room);

	/* A step, for those that come again first. */
	schedule_with_room(ep, used(ep) + STEP);
}

/* In softirq: what there is. */
static bool schedule_now(struct sdp_endpoint *ep)
{
	unsigned long last = READ_ONCE(ep->room_made);
	int err = schedule_upto(ep, used(ep));

	if (unlikely(err == -ENOMEM) && time_after_eq(jiffies, last + RECLAIM_INTERVAL)) {
		WRITE_ONCE(ep->room_made, jiffies);
		queue_work(system_unbound_wq, &ep->make_room);
	}
	return !err;
}

/* Keep a step in hand, so that a ping-pong of messages does not come here. */
static void give_back(struct sdp_endpoint *ep, int keep)
{
	struct sock *sk = ep->sk;
	long spare;

	spin_lock_bh(&ep->mem_lock);
	spare = (ep->quota - used(ep) - keep) / STEP * STEP;
	if (spare > 0) {
		WRITE_ONCE(ep->quota, ep->quota - spare);
		sk_forward_alloc_add(sk, spare);
		__sk_mem_reclaim(sk, spare);
	}
	spin_unlock_bh(&ep->mem_lock);
}

/* What has been added to a counter has to be scheduled, or is taken off again. */
static bool charge(struct sdp_endpoint *ep, atomic_t *counter, int bytes)
{
	atomic_add(bytes, counter);
	if (likely(used(ep) <= READ_ONCE(ep->quota)) || schedule_now(ep))
		return true;
	atomic_sub(bytes, counter);
	return false;
}

/* Return: what is left of the counter. */
static int uncharge(struct sdp_endpoint *ep, atomic_t *counter, int bytes)
{
	int left = atomic_sub_return(bytes, counter);

	if (unlikely(READ_ONCE(ep->quota) - used(ep) > 4 * STEP))
		give_back(ep, STEP);
	return left;
}

bool sdp_memory_rules(const struct sdp_rpc *rpc)
{
	int held = atomic_read(&rpc->ep->rmem[rpc->secure]);
	int room = sdp_memory_room(rpc->ep, rpc->secure);
	u64 most = 2ULL * room + (u64)READ_ONCE(rpc->rx_length) * SDP_RX_SPREAD;
	/* sdp_pressure_enter() has charged the RPC: alone it may be more than half. */
	int own = sizeof(*rpc) + READ_ONCE(rpc->rx_truesize);

	return (u32)held <= most && held - own < room / 2;
}

bool sdp_memory_alone(const struct sdp_endpoint *ep, bool secure)
{
	const struct list_head *incoming = &ep->incoming[secure];
	const struct sdp_rpc *rpc = ep->longest[secure];

	lockdep_assert_held(&ep->lock);
	if (!rpc && list_is_singular(incoming))
		rpc = list_first_entry(incoming, struct sdp_rpc, in_link);
	return rpc && sdp_memory_rules(rpc);
}

static bool message_alone(struct sdp_endpoint *ep, bool secure)
{
	bool ret;

	spin_lock(&ep->lock);
	ret = sdp_memory_alone(ep, secure);
	spin_unlock(&ep->lock);
	return ret;
}

bool sdp_memory_charge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	if (likely(!sdp_memory_far(ep, secure) || message_alone(ep, secure)) &&
	    charge(ep, &ep->rmem[secure], truesize))
		return true;
	WRITE_ONCE(ep->pressed, true);
	return false;
}

void sdp_memory_charge_head(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	/* Scheduled with the next packet. */
	atomic_add(truesize, &ep->rmem[secure]);
	if (sdp_memory_far(ep, secure))
		WRITE_ONCE(ep->pressed, true);
}

void sdp_memory_uncharge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize)
{
	uncharge(ep, &ep->rmem[secure], truesize);
}

bool sdp_memory_charge_rpc(struct sdp_endpoint *ep, bool secure, bool few)
{
	int most = sdp_memory_served_room(ep, secure);

	if (secure && few)
		most *= 2;
	return likely(atomic_read(&ep->served[secure]) <= most) &&
	       charge(ep, &ep->served[secure], sizeof(struct sdp_rpc));
}

void sdp_memory_uncharge_rpc(struct sdp_endpoint *ep, bool secure)
{
	uncharge(ep, &ep->served[secure], sizeof(struct sdp_rpc));
}

void sdp_memory_await(struct sdp_endpoint *ep, bool secure)
{
	WRITE_ONCE(ep->awaited[secure], true);
	set_bit(SOCK_NOSPACE, &ep->sk->sk_socket->flags);
	/* Pairs with sdp_memory_uncharge_tx(). */
	smp_mb__after_atomic();
}

/*
 * What a class's messages may hold when one more goes to who has none, bytes; not where
 * clear ones get what is left.
 */
static int tx_room_alone(const struct sdp_endpoint *ep, bool secure)
{
	int room = sdp_endpoint_tx_room(ep, secure);

	return secure || READ_ONCE(ep->policy) != SDP_POLICY_MIXED ? 2 * room : room;
}

/* May a message go to @to now? */
static bool may_send(const struct sdp_endpoint *ep, bool secure, const struct sdp_owner *to)
{
	return sdp_endpoint_writable(ep, secure) ||
	       (to && !atomic_read(&to->sending) &&
		atomic_read(&ep->wmem[secure]) < tx_room_alone(ep, secure));
}

static int wait_for_memory(struct sdp_endpoint *ep, bool secure, const struct sdp_owner *to,
			   long *timeo)
{
	struct sock *sk = ep->sk;
	DEFINE_WAIT(wait);
	int err = 0;

	for (;;) {
		/* First: room of the other class may have the mark taken off. */
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		sdp_memory_await(ep, secure);
		if (READ_ONCE(ep->shutdown))
			err = -ESHUTDOWN;
		else if (may_send(ep, secure, to))
			break;
		else if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		*timeo = schedule_timeout(*timeo);
	}
	finish_wait(sk_sleep(sk), &wait);
	return err;
}

/* Is there room of a class of which somebody has waited for it? */
static bool wanted_room(const struct sdp_endpoint *ep)
{
	return (READ_ONCE(ep->awaited[1]) && sdp_endpoint_writable(ep, true)) ||
	       (READ_ONCE(ep->awaited[0]) && sdp_endpoint_writable(ep, false));
}

/*
 * There may be room to send, after @bytes were taken off ep->wmem, which @left it: of
 * either class, or for a message to somebody to whom no other is on its way; with @last,
 * to somebody to whom none is any more.
 */
static void tell_senders(struct sdp_endpoint *ep, bool secure, int left, int bytes, bool last)
{
	struct sock *sk = ep->sk;
	struct socket *socket;
	int most;

	/* Pairs with sdp_memory_await(), after which room is looked for. */
	smp_mb__after_atomic();
	if (likely(!READ_ONCE(ep->awaited[0]) && !READ_ONCE(ep->awaited[1])))
		return;
	most = tx_room_alone(ep, secure);
	rcu_read_lock();
	socket = READ_ONCE(sk->sk_socket);
	if (socket && test_bit(SOCK_NOSPACE, &socket->flags) &&
	    ((left < most && (last || left + bytes >= most)) || wanted_room(ep))) {
		clear_bit(SOCK_NOSPACE, &socket->flags);
		sk->sk_write_space(sk);
	}
	rcu_read_unlock();
}

/* Return: whether no message that was counted goes to @to any more. */
static bool one_less(struct sdp_owner *to)
{
	return to && atomic_dec_and_test(&to->sending);
}

/* However many send at once, a class's room is passed by one message at most. */
static bool add_tx(struct sdp_endpoint *ep, bool secure, struct sdp_owner *to, int bytes)
{
	bool alone = to && atomic_inc_return(&to->sending) == 1;
	int held = atomic_read(&ep->wmem[secure]);
	int room;

	do {
		room = alone ? tx_room_alone(ep, secure) :
			       sdp_endpoint_tx_room(ep, secure);
		if (held < room)
			continue;
		/* Who has seen ours may have gone to sleep for that. */
		tell_senders(ep, secure, held, 0, one_less(to));
		return false;
	} while (!atomic_try_cmpxchg(&ep->wmem[secure], &held, held + bytes));
	return true;
}

int sdp_memory_charge_tx(struct sdp_endpoint *ep, bool secure, struct sdp_owner *to,
			 u32 length, bool nonblock)
{
	long timeo = sock_sndtimeo(ep->sk, nonblock);
	int bytes = length + SDP_MEMORY_OVERHEAD;
	int left, err;

	while (!add_tx(ep, secure, to, bytes)) {
		if (nonblock) {
			sdp_memory_await(ep, secure);
			if (!add_tx(ep, secure, to, bytes))
				return -EAGAIN;
			break;
		}
		err = wait_for_memory(ep, secure, to, &timeo);
		if (err)
			return err;
	}
	if (likely(used(ep) <= READ_ONCE(ep->quota)) || !schedule_with_room(ep, used(ep)))
		return 0;
	left = atomic_sub_return(bytes, &ep->wmem[secure]);
	/* Others may have found no room for as long as ours was in it. */
	tell_senders(ep, secure, left, bytes, one_less(to));
	return -ENOBUFS;
}

void sdp_memory_uncharge_tx(struct sdp_endpoint *ep, bool secure, struct sdp_owner *to,
			    u32 length)
{
	int bytes = length + SDP_MEMORY_OVERHEAD;
	int left = uncharge(ep, &ep->wmem[secure], bytes);

	tell_senders(ep, secure, left, bytes, one_less(to));
}

void sdp_memory_start(struct sdp_endpoint *ep)
{
	const struct sdp_settings *set = &ep->sn->set;
	u64 share = max(sdp_group_limit(ep->sk) / GROUP_SHARE, GROUP_SHARE_LEAST);

	INIT_WORK(&ep->make_room, make_group_room);
	ep->sk->sk_rcvbuf = min_t(u64, READ_ONCE(set->rcvbuf), share);
	ep->sk->sk_sndbuf = min_t(u64, READ_ONCE(set->sndbuf), share);
}

void sdp_memory_stop(struct sdp_endpoint *ep)
{
	disable_work_sync(&ep->make_room);
}

void sdp_memory_release(struct sdp_endpoint *ep)
{
	give_back(ep, 0);
}
