// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on their way out: bytes are copied, or sealed, in the task that
 * sends; the transport program gets them segment by segment.
 */
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/l3mdev.h>
#include <net/ipv6.h>
#include <linux/sdp.h>

#include "../../observe/observe.h"
#include "../../offload/buffer.h"
#include "../../record/registry.h"
#include "../../record/seal.h"
#include "../out/transmit.h"
#include "../run/exec.h"
#include "../state/memory.h"
#include "../state/route.h"
#include "../state/rpc_table.h"
#include "message.h"

/* Sealed bytes that are handed on at a time: a segment. */
#define BATCH_BYTES 65536

/* Most chunks of a send buffer that a record touches, single pages included. */
#define RECORD_PIECES 8

/* The address that the socket is bound to, or the any-address. */
static struct in6_addr bound_address(const struct sock *sk, bool v4)
{
	struct in6_addr addr = in6addr_any;

	if (v4)
		ipv6_addr_set_v4mapped(inet_sk(sk)->inet_saddr, &addr);
	else if (sk->sk_family == AF_INET6 &&
		 !ipv6_addr_v4mapped(&inet6_sk(sk)->saddr))
		addr = inet6_sk(sk)->saddr;
	return addr;
}

/*
 * A session has one address of ours: to another one its peer sends nothing, and
 * from another one it takes nothing.
 */
static int peer_key(struct sdp_peer_key *key, const struct sdp_endpoint *ep,
		    const struct sdp_address *to,
		    const struct sdp_session *session)
{
	const struct sock *sk = ep->sk;
	bool v4 = ipv6_addr_v4mapped(&to->addr);
	struct in6_addr from = bound_address(sk, v4), own = in6addr_any;

	if (session)
		sdp_session_source(session, &own);
	if (!ipv6_addr_any(&own)) {
		bool bound = v4 ? from.s6_addr32[3] != 0 : !ipv6_addr_any(&from);

		if (bound && !ipv6_addr_equal(&from, &own))
			return -EADDRNOTAVAIL;
		from = own;
	}
	sdp_peer_key_init(key, sk, &to->addr, &from,
			  READ_ONCE(sk->sk_bound_dev_if) ?: to->ifindex);
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
	int bound;

	if (send->clear && policy == SDP_POLICY_SECURE)
		return ERR_PTR(-EPERM);
	if (send->clear || policy == SDP_POLICY_CLEAR)
		return NULL;
	rcu_read_lock();
	bound = sk->sk_bound_dev_if ?
		l3mdev_master_ifindex_by_index(sock_net(sk),
					       sk->sk_bound_dev_if) : 0;
	sdp_session_key_init(&key, sk, sock_net(sk), bound,
			     ipv6_addr_type(&send->to.addr) &
			     IPV6_ADDR_LINKLOCAL ? send->to.ifindex : 0,
			     &send->to.addr, send->to.port, ep->port);
	session = sdp_session_find(&key);
	if (!session || !sdp_session_hold(session))
		session = ERR_PTR(-ENOKEY);
	rcu_read_unlock();
	return session;
}

/* Acknowledgements to ride in this message. Returns how many. */
static u32 take_acks(struct sdp_run *run, struct sdp_rpc *rpc, u64 *ids,
		     u16 *port, u32 most)
{
	u32 count = 0, i;

	if (!prog_peer_acks(&rpc->pctx->prog))
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
		take_acks(run, rpc, &rpc->ack.id, &rpc->ack.port, 1);
}

/* What the path to the peer is known to take, and where records end. */
static void describe_path(struct prog_ev *ev, const struct sdp_rpc *rpc)
{
	const struct prog_peer *peer = &rpc->pctx->prog;

	ev->prio = prog_peer_prio(peer, &rpc->who.sn->set.prog, rpc->tx.length);
	ev->unsched = prog_peer_unsched(peer);
	/* Hardly ever. Where they never were, the clock is not read. */
	ev->small = prog_peer_small(peer, 0) &&
		    prog_peer_small(peer, ktime_get_ns());
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
		run->ev.scarce = sdp_memory_scarce(rpc->ep, rpc->secure);
		err = sdp_exec_send_response(run, rpc);
		/* Refused, so nobody has looked at it: it may be made anew. */
		if (err)
			WRITE_ONCE(rpc->tx.ready, 0);
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

/* First bytes: the event that begins the message; then that there are more. */
static int hand_on(struct sdp_rpc *rpc, u32 ready, bool first)
{
	if (!first)
		return run_send(rpc, PROG_EV_READY_MORE, ready);
	if (sdp_rpc_is_server(rpc))
		return run_send(rpc, PROG_EV_SEND_RESPONSE, ready);
	return run_request(rpc, ready);
}

static int make_buffer(struct sdp_rpc *rpc, u32 length, u32 unit, bool nonblock)
{
	int err = sdp_memory_charge_tx(rpc->ep, rpc->secure, length, nonblock);

	if (err)
		return err;
	err = sdp_txbuf_alloc(&rpc->tx, length, unit, rpc->small);
	if (err) {
		rpc->tx.length = 0;
		sdp_memory_uncharge_tx(rpc->ep, rpc->secure, length);
	}
	return err;
}

static void drop_buffer(struct sdp_rpc *rpc)
{
	if (!rpc->tx.length)
		return;
	sdp_memory_uncharge_tx(rpc->ep, rpc->secure, rpc->tx.length);
	sdp_txbuf_free(&rpc->tx);
	rpc->tx.length = 0;
}

static int send_clear(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	u32 length = iov_iter_count(send->from);
	int err;

	if (!length)
		return -EINVAL;
	if (length > rpc->who.sn->set.prog.max_message[0])
		return -EMSGSIZE;
	err = make_buffer(rpc, length, 0, send->nonblock);
	if (err)
		return err;
	err = sdp_txbuf_copy_from_iter(&rpc->tx, 0, length, send->from);
	if (err)
		return err;
	return hand_on(rpc, length, true);
}

static int seal_record(struct sdp_rpc *rpc, struct sdp_seal *seal, u32 index,
		       u8 *plain, struct iov_iter *from)
{
	u32 length = sdp_seal_app_length(seal, index);
	u32 sealed = sdp_seal_buffer(seal, index) + SDP_RECORD_TAG;
	u32 offset = sdp_layout_offset(seal->record_size, index);
	struct scatterlist sg[RECORD_PIECES];
	struct bio_vec vec[RECORD_PIECES];
	u32 pieces, i;

	if (length && !copy_from_iter_full(plain + sdp_seal_lead(seal, index),
					   length, from))
		return -EFAULT;
	pieces = sdp_txbuf_map(&rpc->tx, offset, sealed, vec, RECORD_PIECES);
	sg_init_table(sg, pieces);
	for (i = 0; i < pieces; i++)
		sg_set_page(&sg[i], vec[i].bv_page, vec[i].bv_len,
			    vec[i].bv_offset);
	return sdp_seal_record(seal, index, plain, sg);
}

static int seal_all(struct sdp_rpc *rpc, struct sdp_seal *seal, u8 *plain,
		    struct iov_iter *from)
{
	u32 handed = 0, sealed = 0, i;
	int err;

	for (i = 0; i < seal->records; i++) {
		err = seal_record(rpc, seal, i, plain, from);
		if (err)
			return err;
		sealed = i + 1 < seal->records ?
			 sdp_layout_offset(seal->record_size, i + 1) :
			 rpc->tx.length;
		if (sealed - handed < BATCH_BYTES && i + 1 < seal->records)
			continue;
		err = hand_on(rpc, sealed, !handed);
		if (err)
			return err;
		handed = sealed;
		/* Over before all of it was needed: that is no error. */
		if (READ_ONCE(rpc->over))
			break;
	}
	return 0;
}

/* The message was partly handed on when it failed: take it all back. */
static void abandon(struct sdp_rpc *rpc)
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

/* Zeros behind the data, so that the content is of a length that tells less. */
static u32 padding(const struct sdp_rpc *rpc,
		   const struct sdp_message_head *head)
{
	u32 unit = READ_ONCE(rpc->ep->padding), content;

	if (likely(unit <= 1))
		return 0;
	content = head->app_len +
		  sdp_head_length(sdp_rpc_is_server(rpc), head->num_acks);
	return unit - 1 - (content - 1) % unit;
}

/* So many messages are under way that the peer's window is full: rare. */
static int begin_sealing(struct sdp_rpc *rpc, struct sdp_seal *seal,
			 const struct sdp_message_head *head, bool nonblock)
{
	bool server = sdp_rpc_is_server(rpc);
	u32 pad = padding(rpc, head);
	int err;

	for (;;) {
		err = sdp_seal_begin(server ? NULL : rpc->session, &rpc->seal,
				     seal, head, server ? &rpc->open : NULL,
				     pad);
		if (err != -EAGAIN || nonblock)
			return err;
		if (READ_ONCE(rpc->ep->shutdown))
			return -ESHUTDOWN;
		if (schedule_timeout_interruptible(1) || signal_pending(current))
			return -EINTR;
	}
}

static int send_secure(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	u32 length = iov_iter_count(send->from);
	struct sdp_message_head head = {
		.app_len = length, .rpc_id = rpc->who.id,
	};
	struct sdp_seal seal;
	struct sdp_run *run;
	u16 port;
	u8 *plain;
	int err;

	if (length > READ_ONCE(rpc->who.sn->set.max_message))
		return -EMSGSIZE;
	run = sdp_run_begin(rpc->who.sn);
	head.num_acks = take_acks(run, rpc, head.acks, &port, SDP_MAX_ACKS);
	sdp_run_finish(run);
	err = begin_sealing(rpc, &seal, &head, send->nonblock);
	if (err)
		return err;
	err = make_buffer(rpc, rpc->seal.sealed,
			  sdp_layout_wire_size(seal.record_size),
			  send->nonblock);
	if (err)
		return err;
	/* Plaintext on its way: nobody else can write it. */
	plain = sdp_buffer_alloc(sdp_seal_buffer(&seal, 0));
	if (!plain)
		return -ENOMEM;
	err = seal_all(rpc, &seal, plain, send->from);
	sdp_buffer_free(plain, sdp_seal_buffer(&seal, 0));
	if (err)
		abandon(rpc);
	return err;
}

static int seal_and_send(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	int err = rpc->secure ? send_secure(rpc, send) : send_clear(rpc, send);

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
	if (!err)
		sdp_route_end(&route);
	rcu_read_unlock();
	return err;
}

/* The peer of a request, and so our address for as long as that lasts. */
static struct sdp_peer *find_peer(struct sdp_endpoint *ep,
				  const struct sdp_address *to,
				  const struct sdp_session *session)
{
	struct sdp_peer_key key;
	struct sdp_peer *peer;
	int err;

	err = peer_key(&key, ep, to, session);
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

	if (unlikely(!ep->port)) {
		err = sdp_endpoint_bind(ep, 0);
		if (err)
			return err;
	}
	session = choose_session(ep, send);
	if (IS_ERR(session))
		return PTR_ERR(session);
	peer = find_peer(ep, &send->to, session);
	if (IS_ERR(peer)) {
		err = PTR_ERR(peer);
		goto put_session;
	}
	who.sn = ep->sn;
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
	rpc->label = send->to.label;
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
		.sn = ep->sn, .id = send->id, .addr = send->to.addr,
		.port = READ_ONCE(ep->port), .pport = send->to.port,
	};
	struct sdp_rpc *rpc;

	/*
	 * No second look for a clear one of the same number: an answer to a
	 * secure request that has ended would leave in the clear.
	 */
	if (READ_ONCE(ep->marks) && who.id & SDP_ID_SECURE) {
		who.id &= ~SDP_ID_SECURE;
		who.secure = true;
	}
	rpc = sdp_rpc_find_lock(&who);
	/* The port may have changed hands. */
	if (rpc && unlikely(rpc->ep != ep)) {
		sdp_rpc_unlock(rpc);
		rpc = NULL;
	}
	return rpc;
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
		if (rpc->replying) {
			err = -EINVAL;
		} else {
			rpc->replying = true;
			sdp_rpc_hold(rpc);
			*found = rpc;
		}
		sdp_rpc_unlock(rpc);
	}
	rcu_read_unlock();
	local_bh_enable();
	return err;
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
	if (err) {
		/* The application may try again. */
		spin_lock_bh(&rpc->lock);
		if (!rpc->tx.ready) {
			drop_buffer(rpc);
			sdp_tx_end(&rpc->seal);
			memset(&rpc->seal, 0, sizeof(rpc->seal));
			rpc->replying = false;
		}
		spin_unlock_bh(&rpc->lock);
	}
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
