// SPDX-License-Identifier: GPL-2.0-only
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/random.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "../../record/quota.h"
#include "endpoint.h"

struct sdp_endpoint *sdp_endpoint_find(struct sdp_net *sn, u16 port,
				       const struct sdp_inlet *at)
{
	const struct sdp_binding *binding = sdp_ports_first(&sn->ports, port);
	struct sdp_endpoint *best = NULL;
	u32 score, most = 0;

	for (; binding; binding = rcu_dereference(binding->next)) {
		score = sdp_binding_score(binding, sn->net, at);
		if (score <= most)
			continue;
		/*
		 * The owner may be about to have it, or have left. Pairs with
		 * use_binding(): if it has another of the port, that is behind.
		 */
		if (unlikely(smp_load_acquire(&binding->ep->binding) != binding))
			continue;
		most = score;
		best = binding->ep;
		/* Who has no device is the only one whom the packet could be for. */
		if (score == SDP_BINDING_BEST || !binding->to.device)
			break;
	}
	return best;
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

/* Have what @binding says, NULL: no port. */
static void use_binding(struct sdp_endpoint *ep, struct sdp_binding *binding)
{
	u16 port = binding ? binding->port : 0;

	lockdep_assert_held(&ep->lock);
	if (port != ep->port) {
		WRITE_ONCE(ep->id_port, (u64)permute(ep->sn, port) <<
					(SDP_ID_COUNT_BITS + 1));
		/* Not where a former owner of the port was. */
		atomic64_set(&ep->id_count, get_random_u64());
		WRITE_ONCE(ep->port, port);
	}
	/* Who sees it has a port and ids that go with it. */
	smp_store_release(&ep->binding, binding);
}

static void bound_of(const struct sdp_endpoint *ep, struct sdp_bound *to)
{
	const struct sock *sk = ep->sk;

	if (sk->sk_family == AF_INET6)
		to->addr = sk->sk_v6_rcv_saddr;
	else
		ipv6_addr_set_v4mapped(inet_sk(sk)->inet_rcv_saddr, &to->addr);
	to->device = READ_ONCE(sk->sk_bound_dev_if);
	to->v6_only = sk->sk_ipv6only;
	to->uid = sk->sk_uid;
}

static bool same_bound(const struct sdp_bound *a, const struct sdp_bound *b)
{
	return ipv6_addr_equal(&a->addr, &b->addr) && a->device == b->device &&
	       a->v6_only == b->v6_only;
}

/* What has to be had for a port and an address; NULL: nothing new, or an ERR_PTR. */
static struct sdp_binding *reserve(struct sdp_endpoint *ep, u16 port,
				   const struct sdp_bound *to)
{
	const struct sdp_binding *now = READ_ONCE(ep->binding);

	if (!port || (now && now->port == port && same_bound(&now->to, to)))
		return NULL;
	return sdp_ports_take(&ep->sn->ports, port, to, ep, GFP_KERNEL_ACCOUNT);
}

/* Give back what it does not have, or has no more. */
static void free_binding(struct sdp_endpoint *ep, struct sdp_binding *binding)
{
	if (binding)
		sdp_ports_free(&ep->sn->ports, binding);
}

static bool administers(const struct sdp_endpoint *ep, const struct net *net)
{
	const struct file *file = ep->sk->sk_socket->file;

	return file ? file_ns_capable(file, net->user_ns, CAP_NET_ADMIN) :
		      ns_capable(net->user_ns, CAP_NET_ADMIN);
}

/*
 * Who has opened the socket is counted, whoever uses it, and until it is closed. Who
 * administers the namespace is never refused; that is asked only then, for security modules
 * tell of it. To count takes a mutex of all namespaces: once for each socket.
 */
static int charge_port(struct sdp_endpoint *ep)
{
	u32 most = READ_ONCE(ep->sn->set.user_ports);
	const struct sdp_quota_limits limits = { .user = most, .owner = most };
	const struct file *file = ep->sk->sk_socket->file;
	const struct net *net = ep->sn->net;
	struct sdp_quota *quota;

	if (most >= SDP_PORTS || READ_ONCE(ep->port_quota))
		return 0;
	quota = sdp_quota_charge(SDP_QUOTA_PORT, net,
				 file ? file->f_cred : current_cred(), &limits);
	if (quota == ERR_PTR(-ENOBUFS))
		return administers(ep, net) ? 0 : -EDQUOT;
	if (IS_ERR(quota))
		return PTR_ERR(quota);
	/* Another task may have been first. */
	if (cmpxchg(&ep->port_quota, NULL, quota))
		sdp_quota_uncharge(quota);
	return 0;
}

/*
 * An RPC is found by its port and its socket, and may not stay behind at another port, but
 * with an orphan, whose RPCs are looked for first. Until it is settled that the endpoint
 * moves, it is found where it was.
 */
int sdp_endpoint_bind(struct sdp_endpoint *ep, u16 port, const struct sdp_bound *to,
		      int (*settled)(struct sdp_endpoint *ep, const void *arg),
		      const void *arg)
{
	struct sdp_binding *new, *spent;
	int err = 0;
	u16 now;

again:
	now = READ_ONCE(ep->port);
	if (port && !now) {
		err = charge_port(ep);
		if (err)
			return err;
	}
	new = reserve(ep, port ?: now, to);
	if (IS_ERR(new))
		return PTR_ERR(new);
	spin_lock_bh(&ep->lock);
	/* A message was sent meanwhile, which wanted a port. */
	if (ep->port != now) {
		spin_unlock_bh(&ep->lock);
		free_binding(ep, new);
		goto again;
	}
	spent = new;
	if (new && new->port != now && ep->rpc_count)
		err = -EBUSY;
	if (!err)
		err = settled(ep, arg);
	if (!err && new) {
		spent = ep->binding;
		use_binding(ep, new);
	}
	spin_unlock_bh(&ep->lock);
	free_binding(ep, spent);
	return err;
}

int sdp_endpoint_follow(struct sdp_endpoint *ep)
{
	struct sdp_binding *old, *new;
	struct sdp_bound to;

	spin_lock_bh(&ep->lock);
	/* If there is none, who makes it looks at the socket after this. */
	old = ep->binding;
	bound_of(ep, &to);
	spin_unlock_bh(&ep->lock);
	if (!old || same_bound(&old->to, &to))
		return 0;
	/* From programs of control groups, too. */
	new = sdp_ports_take(&ep->sn->ports, old->port, &to, ep,
			     GFP_ATOMIC | __GFP_ACCOUNT);
	if (IS_ERR(new))
		return PTR_ERR(new);
	spin_lock_bh(&ep->lock);
	use_binding(ep, new);
	spin_unlock_bh(&ep->lock);
	free_binding(ep, old);
	return 0;
}

/* The port is nobody else's, but the address may change meanwhile. */
int sdp_endpoint_autobind(struct sdp_endpoint *ep)
{
	struct sdp_bound to, now;
	struct sdp_binding *new;
	int err;

	/* Pairs with use_binding(). */
	while (unlikely(!smp_load_acquire(&ep->binding))) {
		err = charge_port(ep);
		if (err)
			return err;
		spin_lock_bh(&ep->lock);
		bound_of(ep, &to);
		spin_unlock_bh(&ep->lock);
		new = sdp_ports_take(&ep->sn->ports, 0, &to, ep, GFP_KERNEL_ACCOUNT);
		if (IS_ERR(new))
			return PTR_ERR(new);
		spin_lock_bh(&ep->lock);
		bound_of(ep, &now);
		/* Unless another task was first. */
		if (!ep->binding && same_bound(&to, &now)) {
			use_binding(ep, new);
			new = NULL;
		}
		spin_unlock_bh(&ep->lock);
		free_binding(ep, new);
	}
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
	struct sdp_quota *quota = xchg(&ep->port_quota, NULL);
	struct sdp_binding *old;

	spin_lock_bh(&ep->lock);
	old = ep->binding;
	WARN_ON_ONCE(ep->rpc_count && !ep->orphan);
	use_binding(ep, NULL);
	spin_unlock_bh(&ep->lock);
	free_binding(ep, old);
	if (quota)
		sdp_quota_uncharge(quota);
}
