// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on their way out: to whom, from where, under what; their bytes are copied, or
 * sealed (seal.c), in the task that sends.
 */
#include <linux/slab.h>
#include <net/l3mdev.h>
#include <net/ipv6.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "../../record/registry.h"
#include "../out/transmit.h"
#include "../run/exec.h"
#include "../state/memory.h"
#include "../state/plain.h"
#include "../state/route.h"
#include "../state/rpc_table.h"
#include "hand_on.h"
#include "message.h"
#include "seal.h"

/*
 * The address that the socket is bound to, or the any-address. From the binding, which
 * never changes: bind() may be writing the socket's fields, and half of one address and
 * half of another is neither.
 */
static struct in6_addr bound_address(const struct sdp_endpoint *ep, bool v4)
{
	struct in6_addr addr = in6addr_any;
	const struct sdp_binding *binding;

	rcu_read_lock();
	/* Pairs with use_binding(). Closing alone takes it away, and sends nothing. */
	binding = smp_load_acquire(&ep->binding);
	if (binding && v4)
		ipv6_addr_set_v4mapped(sdp_bound_v4(&binding->to.addr), &addr);
	else if (binding && !ipv6_addr_v4mapped(&binding->to.addr))
		addr = binding->to.addr;
	rcu_read_unlock();
	return addr;
}

/* The address is to be @want, unless that is any. Return: false: it is another one. */
static bool narrow(struct in6_addr *addr, const struct in6_addr *want)
{
	if (sdp_route_any(want))
		return true;
	if (!sdp_route_any(addr))
		return ipv6_addr_equal(addr, want);
	*addr = *want;
	return true;
}

/*
 * A session has one address of ours: to another one its peer sends nothing, and
 * from another one it takes nothing. Likewise a socket that is bound to one.
 */
static int peer_key(struct sdp_peer_key *key, const struct sdp_endpoint *ep,
		    const struct sdp_send *send, const struct sdp_session *session)
{
	const struct sdp_address *to = &send->to;
	const struct sock *sk = ep->sk;
	bool v4 = ipv6_addr_v4mapped(&to->addr);
	struct in6_addr from = bound_address(ep, v4), own = in6addr_any;

	if (session)
		sdp_session_source(session, &own);
	if (!narrow(&from, &own) || !narrow(&from, &send->source))
		return -EADDRNOTAVAIL;
	sdp_peer_key_init(key, sk, &to->addr, &from,
			  READ_ONCE(sk->sk_bound_dev_if) ?: to->ifindex ?: send->ifindex);
	if (unlikely(send->marked))
		key->mark = send->mark;
	if (unlikely(send->marking.tos))
		key->tos = send->marking.tos & INET_DSCP_MASK;
	if (unlikely(send->direct))
		key->scope = RT_SCOPE_LINK;
	return 0;
}

/* The session for a request; NULL: in the clear. */
static struct sdp_session *choose_session(struct sdp_endpoint *ep,
					  const struct sdp_send *send)
{
	u8 policy = READ_ONCE(ep->policy);
	const struct sock *sk = ep->sk;
	struct sdp_session *session;
	struct sdp_session_key key;
	int device, bound;

	if (send->clear && policy == SDP_POLICY_SECURE)
		return ERR_PTR(-EPERM);
	if (send->clear || policy == SDP_POLICY_CLEAR)
		return NULL;
	rcu_read_lock();
	/* Answers have to find it: by the device that it has, not by one that it may get. */
	device = sdp_endpoint_device(ep);
	bound = device ? l3mdev_master_ifindex_by_index(sock_net(sk), device) : 0;
	sdp_session_key_init(&key, ep, sock_net(sk), bound,
			     ipv6_addr_type(&send->to.addr) &
			     IPV6_ADDR_LINKLOCAL ? send->to.ifindex : 0,
			     &send->to.addr, send->to.port, READ_ONCE(ep->port));
	session = sdp_session_find(&key);
	if (!session || !sdp_session_hold(session))
		session = ERR_PTR(-ENOKEY);
	rcu_read_unlock();
	return session;
}

static int send_clear(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	u32 length = iov_iter_count(send->from);
	int err;

	if (!length)
		return -EINVAL;
	if (length > rpc->who.sn->set.prog.max_message[0])
		return -EMSGSIZE;
	err = sdp_make_buffer(rpc, length, 0, send->nonblock);
	if (err)
		return err;
	err = sdp_txbuf_copy_from_iter(&rpc->tx, 0, length, send->from);
	if (err)
		return err;
	return sdp_hand_on(rpc, length, true);
}

static int seal_and_send(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	int err = rpc->secure ? sdp_send_secure(rpc, send) : send_clear(rpc, send);

	/* What a program refuses by a drop reason is our caller's mistake. */
	return err > 0 ? -EINVAL : err;
}

/* A peer of this key: most often that of the request before. */
static struct sdp_peer *get_peer(struct sdp_endpoint *ep,
				 const struct sdp_peer_key *key)
{
	struct sdp_peer *peer;

	rcu_read_lock();
	peer = sdp_peer_try(rcu_dereference(ep->last_peer), key);
	rcu_read_unlock();
	if (likely(peer))
		return peer;
	peer = sdp_route_peer(key, ep->sk, GFP_KERNEL, false);
	if (!IS_ERR(peer))
		sdp_peer_replace(&ep->last_peer, peer);
	return peer;
}

/* Without a route, the caller is told. */
static int check_route(const struct sdp_endpoint *ep, struct sdp_peer *peer)
{
	struct sdp_route route;
	int err;

	rcu_read_lock();
	err = sdp_peer_route(peer, ep->sk, &route);
	if (!err) {
		/* Routes to one's own addresses stay when lo is down. */
		if (unlikely(!(READ_ONCE(route.dst->dev->flags) & IFF_UP)))
			err = -ENETDOWN;
		sdp_route_end(&route);
	}
	rcu_read_unlock();
	return err;
}

/* The peer of a request, and so our address for as long as that lasts. */
static struct sdp_peer *find_peer(struct sdp_endpoint *ep,
				  const struct sdp_send *send,
				  const struct sdp_session *session)
{
	struct sdp_peer_key key;
	struct sdp_peer *peer;
	int err;

	err = peer_key(&key, ep, send, session);
	if (err)
		return ERR_PTR(err);
	for (;;) {
		peer = get_peer(ep, &key);
		if (IS_ERR(peer))
			return peer;
		err = check_route(ep, peer);
		if (!err && likely(!sdp_peer_retired(peer)))
			return peer;
		sdp_peer_put(peer);
		if (err)
			return ERR_PTR(err);
	}
}

static int send_request(struct sdp_endpoint *ep, struct sdp_send *send)
{
	struct sdp_session *session;
	struct sdp_rpc_id who;
	struct sdp_peer *peer;
	struct sdp_rpc *rpc;
	int err;

	err = sdp_endpoint_autobind(ep);
	if (err)
		return err;
	session = choose_session(ep, send);
	if (IS_ERR(session))
		return PTR_ERR(session);
	peer = find_peer(ep, send, session);
	if (IS_ERR(peer)) {
		err = PTR_ERR(peer);
		goto put_session;
	}
	who.sn = ep->sn;
	who.ep = ep;
	who.id = sdp_endpoint_next_id(ep);
	who.addr = send->to.addr;
	who.port = READ_ONCE(ep->port);
	who.pport = send->to.port;
	who.secure = false;
	rpc = sdp_rpc_alloc(ep, &who, peer, session, GFP_KERNEL);
	if (!rpc) {
		err = -ENOMEM;
		sdp_peer_put(peer);
		goto put_session;
	}
	rpc->cookie = send->cookie;
	rpc->marking = send->marking;
	rpc->marking.label = send->to.label;
	rpc->private = send->private;
	/* Before the response can arrive. */
	send->id = who.id;
	err = seal_and_send(rpc, send);
	if (err)
		send->id = 0;
	sdp_rpc_put(rpc);
	return err;

put_session:
	sdp_session_put(session);
	return err;
}

/* The request that the application was told of by this id, locked; or NULL. */
static struct sdp_rpc *find_request(struct sdp_endpoint *ep,
				    const struct sdp_send *send)
{
	struct sdp_rpc_id who = {
		.sn = ep->sn, .ep = ep, .id = send->id, .addr = send->to.addr,
		.port = READ_ONCE(ep->port), .pport = send->to.port,
	};

	/*
	 * No second look for a clear one of the same number: an answer to a
	 * secure request that has ended would leave in the clear.
	 */
	if (READ_ONCE(ep->marks) && who.id & SDP_ID_SECURE) {
		who.id &= ~SDP_ID_SECURE;
		who.secure = true;
	}
	return sdp_rpc_find_lock(&who);
}

/* The way of a response is that of its request, whoever names another is told. */
static bool leaves_from(const struct sdp_peer *peer, const struct sdp_send *send)
{
	return !send->marked &&
	       (!send->direct || peer->key.scope == RT_SCOPE_LINK) &&
	       (sdp_route_any(&send->source) ||
		ipv6_addr_equal(&send->source, &peer->local));
}

/* Take the right to make the response. */
static int begin_reply(struct sdp_endpoint *ep, const struct sdp_send *send,
		       struct sdp_rpc **found)
{
	struct sdp_rpc *rpc;
	int err = 0;

	*found = NULL;
	if (!(send->id & 1))
		return -EINVAL;
	local_bh_disable();
	rcu_read_lock();
	rpc = find_request(ep, send);
	if (rpc) {
		if (rpc->replying || !leaves_from(rpc->peer, send)) {
			err = -EINVAL;
		} else {
			rpc->replying = true;
			WRITE_ONCE(rpc->marking.tos, send->marking.tos);
			WRITE_ONCE(rpc->marking.hops, send->marking.hops);
			sdp_rpc_hold(rpc);
			*found = rpc;
		}
		sdp_rpc_unlock(rpc);
	}
	rcu_read_unlock();
	local_bh_enable();
	return err;
}

/*
 * A response that failed. If nothing of it was handed on it is taken back: no packet of
 * its holds anything. One whose header somebody has changed may name it, though, and be
 * looked at this moment, with BH disabled.
 */
static void withdraw_response(struct sdp_rpc *rpc)
{
	if (!READ_ONCE(rpc->tx.ready) && sdp_plain_remove(rpc))
		synchronize_net();
	spin_lock_bh(&rpc->lock);
	if (!rpc->tx.ready) {
		/* The application may try again. */
		sdp_rpc_drop_tx(rpc);
		sdp_tx_end(&rpc->seal);
		memset(&rpc->seal, 0, sizeof(rpc->seal));
		rpc->replying = false;
	}
	spin_unlock_bh(&rpc->lock);
}

static int send_response(struct sdp_endpoint *ep, struct sdp_send *send)
{
	struct sdp_rpc *rpc;
	int err = begin_reply(ep, send, &rpc);

	if (err || !rpc)
		return err;
	if (!rpc->secure && READ_ONCE(ep->policy) == SDP_POLICY_SECURE)
		err = -EPERM;
	else
		err = seal_and_send(rpc, send);
	if (err)
		withdraw_response(rpc);
	sdp_rpc_put(rpc);
	return err;
}

int sdp_message_send(struct sdp_endpoint *ep, struct sdp_send *send)
{
	if (READ_ONCE(ep->shutdown))
		return -ESHUTDOWN;
	if (send->id)
		return send_response(ep, send);
	return send_request(ep, send);
}
