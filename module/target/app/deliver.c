// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages on their way to the application: claimed by one receiver, opened
 * and copied in its task, announced only when all of it has verified.
 */
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/sdp.h>
#include <net/dsfield.h>

#include "../../observe/observe.h"
#include "../../offload/buffer.h"
#include "../../record/open.h"
#include "../in/packet.h"
#include "../out/transmit.h"
#include "../run/exec.h"
#include "../state/kept.h"
#include "../state/memory.h"
#include "../state/rpc_table.h"
#include "message.h"
#include "records.h"

static void wake_next(struct sdp_endpoint *ep)
{
	if (sdp_endpoint_readable(ep))
		ep->sk->sk_data_ready(ep->sk);
}

/* A private one is in no list: those who wait for it look for themselves. */
static void wake_for(const struct sdp_rpc *rpc)
{
	if (rpc->private)
		rpc->ep->sk->sk_data_ready(rpc->ep->sk);
	else
		wake_next(rpc->ep);
}

/* Under ep->lock: the receiver gets a reference. */
static struct sdp_rpc *claim(struct sdp_endpoint *ep, struct sdp_rpc *rpc)
{
	if (!list_empty(&rpc->ready_link)) {
		list_del_init(&rpc->ready_link);
		WRITE_ONCE(ep->ready_count, ep->ready_count - 1);
	}
	rpc->claimed = true;
	sdp_rpc_hold(rpc);
	return rpc;
}

/* Return: a claimed RPC, NULL: none is ready, or ERR_PTR. */
static struct sdp_rpc *claim_any(struct sdp_endpoint *ep)
{
	struct sdp_rpc *rpc = NULL;

	if (!sdp_endpoint_readable(ep))
		return READ_ONCE(ep->shutdown) ? ERR_PTR(-ESHUTDOWN) : NULL;
	spin_lock_bh(&ep->lock);
	if (!list_empty(&ep->ready))
		rpc = claim(ep, list_first_entry(&ep->ready, struct sdp_rpc,
						 ready_link));
	spin_unlock_bh(&ep->lock);
	return rpc;
}

static struct sdp_rpc *claim_one(struct sdp_endpoint *ep, u64 id)
{
	struct sdp_rpc *found = NULL, *rpc;

	if (READ_ONCE(ep->shutdown))
		return ERR_PTR(-ESHUTDOWN);
	if (id & 1)
		return ERR_PTR(-EINVAL);
	local_bh_disable();
	rcu_read_lock();
	rpc = sdp_rpc_find_client_lock(ep, id);
	if (!rpc) {
		found = ERR_PTR(-EINVAL);
	} else if (!rpc->private) {
		/* Who takes that one wakes nobody for it. */
		found = ERR_PTR(-EINVAL);
		sdp_rpc_unlock(rpc);
	} else {
		spin_lock(&ep->lock);
		if (rpc->ready && !rpc->claimed)
			found = claim(ep, rpc);
		spin_unlock(&ep->lock);
		sdp_rpc_unlock(rpc);
	}
	rcu_read_unlock();
	local_bh_enable();
	return found;
}

static struct sdp_rpc *try_claim(struct sdp_endpoint *ep, u64 id)
{
	return id ? claim_one(ep, id) : claim_any(ep);
}

static struct sdp_rpc *wait_and_claim(struct sdp_endpoint *ep, u64 id,
				      long *timeo)
{
	struct sock *sk = ep->sk;
	struct sdp_rpc *rpc;
	DEFINE_WAIT(wait);

	rpc = try_claim(ep, id);
	if (rpc)
		return rpc;
	for (;;) {
		/* One receiver a message, but those who name one all look. */
		if (id)
			prepare_to_wait(sk_sleep(sk), &wait,
					TASK_INTERRUPTIBLE);
		else
			prepare_to_wait_exclusive(sk_sleep(sk), &wait,
						  TASK_INTERRUPTIBLE);
		rpc = try_claim(ep, id);
		if (rpc)
			break;
		if (!*timeo) {
			rpc = ERR_PTR(-EAGAIN);
			break;
		}
		if (signal_pending(current)) {
			rpc = ERR_PTR(sock_intr_errno(*timeo));
			break;
		}
		*timeo = schedule_timeout(*timeo);
		/* Who was woken is in the queue no more, and most often for a message. */
		rpc = try_claim(ep, id);
		if (rpc)
			break;
	}
	finish_wait(sk_sleep(sk), &wait);
	/* An exclusive wake-up that came with a signal belongs to another. */
	if (IS_ERR(rpc) && !id)
		wake_next(ep);
	return rpc;
}

/*
 * The claim ends, and what came meanwhile is looked at: a failure, or all bytes that
 * were missing.
 */
static void unclaim(struct sdp_rpc *rpc, bool ready)
{
	struct sdp_endpoint *ep = rpc->ep;
	bool free;

	spin_lock_bh(&rpc->lock);
	spin_lock(&ep->lock);
	rpc->claimed = false;
	ready |= rpc->ready;
	sdp_rpc_set_ready(rpc, rpc->hashed && (ready || rpc->error));
	if (rpc->ready && !rpc->private) {
		list_add(&rpc->ready_link, &ep->ready);
		WRITE_ONCE(ep->ready_count, ep->ready_count + 1);
	}
	free = !rpc->hashed;
	spin_unlock(&ep->lock);
	if (free)
		sdp_rpc_rx_free(rpc);
	spin_unlock_bh(&rpc->lock);
	/* Who was woken for a failure meanwhile found it claimed. */
	if (ready || READ_ONCE(rpc->error))
		wake_for(rpc);
}

static void release(struct sdp_received *got)
{
	sdp_buffer_free(got->first, got->first_size);
	got->first = NULL;
	sdp_rpc_put(got->rpc);
	got->rpc = NULL;
}

/*
 * Records did not open: all that are bad are found, and asked for again, or the
 * message fails. The claim is over, unless memory is short. Return: 0, or -ENOMEM,
 * -EAGAIN: the claim stands.
 */
static int mend(struct sdp_received *got)
{
	struct sdp_rpc *rpc = got->rpc;
	struct sdp_endpoint *ep = rpc->ep;
	int err = sdp_records_look(rpc);

	if (err)
		return err;
	/* Not ready before the events: their chains may say so anew. */
	spin_lock_bh(&ep->lock);
	sdp_rpc_set_ready(rpc, false);
	spin_unlock_bh(&ep->lock);
	sdp_records_give_back(rpc);
	unclaim(rpc, false);
	release(got);
	return 0;
}

static void receive_acks(struct sdp_rpc *rpc, const struct sdp_message_head *head)
{
	struct sdp_rpc_id who = rpc->who;
	struct sdp_run *run;
	u32 i;

	if (!head->num_acks)
		return;
	run = sdp_run_begin(who.sn);
	rcu_read_lock();
	who.secure = true;
	for (i = 0; i < head->num_acks; i++) {
		struct sdp_rpc *acked;

		who.id = head->acks[i] | 1;
		acked = sdp_rpc_find_lock(&who);
		if (!acked)
			continue;
		if (acked->session != rpc->session) {
			sdp_rpc_unlock(acked);
			continue;
		}
		sdp_receive_heard(acked, NULL);
		sdp_run_event(run);
		sdp_exec_ack(run, acked);
	}
	rcu_read_unlock();
	sdp_run_finish(run);
}

/* Open the first record: only then the length is known. */
static int open_head(struct sdp_received *got)
{
	struct sdp_rpc *rpc = got->rpc;
	bool again = rpc->open.head_len;
	struct sdp_message_head head __uninitialized;
	struct sdp_opener opener __uninitialized;
	int err;

	err = sdp_opener_begin(&opener, rpc, 0);
	if (err)
		return err;
	err = sdp_opener_source(&opener, 0);
	if (!err)
		err = sdp_open_first(&rpc->open, &opener.sg, opener.plain,
				     sdp_rpc_is_server(rpc) ? NULL : &rpc->seal,
				     &head, 0);
	if (err >= 0) {
		/* Kept until it is copied out. */
		got->first = opener.plain;
		got->first_size = opener.size;
		got->first_length = err;
		got->first_start = SDP_RECORD_HEADER + head.len;
		got->length = head.app_len;
		opener.plain = NULL;
	}
	sdp_opener_end(&opener);
	if (err < 0)
		return err;
	if (!again)
		receive_acks(rpc, &head);
	return 0;
}

/* Return: 1, 0 (the first record is bad, which has been noted), or an error. */
static int claim_head(struct sdp_received *got)
{
	int err = open_head(got);

	if (!err)
		return 1;
	if (sdp_records_transient(err))
		return err;
	return sdp_records_failed(got->rpc, 0, err);
}

static void fill_in(struct sdp_received *got, struct sdp_rpc *rpc)
{
	memset(got, 0, sizeof(*got));
	got->rpc = rpc;
	got->from.addr = rpc->who.addr;
	got->from.port = rpc->who.pport;
	if (!rpc->peer->v4 &&
	    ipv6_addr_type(&rpc->who.addr) & IPV6_ADDR_LINKLOCAL)
		got->from.ifindex = rpc->peer->key.oif;
	got->id = rpc->who.id;
	got->cookie = rpc->cookie;
	got->error = READ_ONCE(rpc->error);
	got->length = rpc->rx_length;
	got->secure = rpc->secure;
	if (rpc->who.secure)
		got->id |= SDP_ID_SECURE;
	if (rpc->secure)
		got->session = sdp_session_id(rpc->session);
}

int sdp_message_claim(struct sdp_endpoint *ep, u64 id, long timeo,
		      struct sdp_received *got)
{
	for (;;) {
		struct sdp_rpc *rpc = wait_and_claim(ep, id, &timeo);
		int err;

		if (IS_ERR(rpc))
			return PTR_ERR(rpc);
		fill_in(got, rpc);
		if (got->error || !got->secure)
			return 0;
		err = sdp_records_left(rpc) ? 0 : claim_head(got);
		if (err > 0)
			return 0;
		if (!err)
			err = mend(got);
		if (err) {
			sdp_message_return(got);
			return err;
		}
	}
}

bool sdp_message_arrival(const struct sdp_received *got, struct sdp_arrival *how)
{
	struct sk_buff *skb = skb_rb_first(&got->rpc->rx_root);

	memset(how, 0, sizeof(*how));
	how->local = got->rpc->peer->key.saddr;
	while (skb && sdp_rx_cb(skb)->region)
		skb = skb_rb_next(skb);
	if (!skb)
		return false;
	how->ifindex = skb->skb_iif;
	how->stamp = skb->tstamp;
	if (got->rpc->peer->v4) {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, &how->local);
		how->tos = ip_hdr(skb)->tos;
		how->hops = ip_hdr(skb)->ttl;
	} else {
		how->local = ipv6_hdr(skb)->daddr;
		how->tos = ipv6_get_dsfield(ipv6_hdr(skb));
		how->hops = ipv6_hdr(skb)->hop_limit;
	}
	return true;
}

static ssize_t copy_clear(struct sdp_received *got, struct iov_iter *to)
{
	size_t left = min_t(size_t, got->length, iov_iter_count(to));
	struct sk_buff *skb = skb_rb_first(&got->rpc->rx_root);
	ssize_t copied = 0;

	for (; left && skb; skb = skb_rb_next(skb)) {
		const struct sdp_rx_cb *cb = sdp_rx_cb(skb);
		size_t part = min_t(size_t, left, cb->end - cb->offset);

		if (skb_copy_datagram_iter(skb, cb->start, to, part))
			return -EFAULT;
		left -= part;
		copied += part;
	}
	return copied;
}

/* A message of this number has been delivered before: this one ends. */
static void end_repeated(struct sdp_rpc *rpc)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);

	sdp_rpc_lock(rpc);
	if (rpc->hashed) {
		sdp_run_event(run, .error = sdp_rpc_is_server(rpc) ? 0 :
								  ECONNRESET);
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
}

/*
 * All of the message has verified: it is delivered here, or nowhere. The program hears of
 * it when the message is taken, or put back. An RPC that ends meanwhile has ended just
 * after this, as one of a message in the clear may.
 */
static int verified(struct sdp_received *got)
{
	struct sdp_rpc *rpc = got->rpc;
	bool first, ended;

	if (rpc->open.committed)
		return 0;
	/* Of one that has ended another copy may be alive, which is the one to be delivered. */
	spin_lock_bh(&rpc->lock);
	ended = !rpc->hashed;
	first = !ended && sdp_rx_commit(&rpc->open);
	spin_unlock_bh(&rpc->lock);
	if (unlikely(ended))
		return -ECONNRESET;
	if (unlikely(!first)) {
		end_repeated(rpc);
		return -ECONNRESET;
	}
	got->verified = true;
	return 0;
}

/* A message that stays has verified. */
static void tell_verified(struct sdp_rpc *rpc)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);

	sdp_rpc_lock(rpc);
	if (rpc->hashed) {
		sdp_run_event(run);
		sdp_exec(run, rpc, PROG_EV_VERIFIED);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_run_finish(run);
}

static int copy_record(struct sdp_received *got, struct sdp_opener *opener,
		       u32 index, struct iov_iter *to, ssize_t *copied)
{
	u8 *from = got->first + got->first_start;
	int length = got->first_length;
	size_t part;

	if (index) {
		length = sdp_opener_source(opener, index);
		if (!length)
			length = sdp_open_record(&got->rpc->open, index,
						 &opener->sg, opener->plain, 0);
		if (length < 0)
			return length;
		from = opener->plain + SDP_RECORD_HEADER;
	}
	part = min_t(size_t, length, iov_iter_count(to));
	if (copy_to_iter(from, part, to) != part)
		return -EFAULT;
	*copied += part;
	return 0;
}

static ssize_t copy_sealed(struct sdp_received *got, struct iov_iter *to)
{
	struct sdp_rpc *rpc = got->rpc;
	u32 records = sdp_layout_records(sdp_session_record_size(rpc->session),
					 rpc->open.sealed);
	struct sdp_opener opener = {};
	size_t room = iov_iter_count(to);
	ssize_t copied = 0;
	int err = 0;
	u32 i;

	if (records > 1)
		err = sdp_opener_begin(&opener, rpc, 1);
	for (i = 0; i < records && !err; i++) {
		err = copy_record(got, &opener, i, to, &copied);
		cond_resched();
	}
	sdp_opener_end(&opener);
	if (!err)
		err = verified(got);
	if (!err)
		return copied;
	/* Nothing of a message that failed may stay, be it part of a record. */
	copied = room - iov_iter_count(to);
	iov_iter_revert(to, copied);
	/* Memory may go meanwhile: less can be cleared than was written. */
	iov_iter_revert(to, iov_iter_zero(copied, to));
	if (err == -EFAULT || sdp_records_transient(err))
		return err;
	/* It has been opened before, with MSG_PEEK: no record is to blame. */
	if (rpc->open.committed && err != -ECONNRESET)
		return -EIO;
	if (err == -ECONNRESET) {
		unclaim(rpc, false);
		release(got);
	} else {
		err = sdp_records_failed(rpc, i - 1, err) ?: mend(got);
		if (err)
			return err;
	}
	return -EBADMSG;
}

ssize_t sdp_message_copy(struct sdp_received *got, struct iov_iter *to)
{
	return got->secure ? copy_sealed(got, to) : copy_clear(got, to);
}

/*
 * A message that was not copied out, since there is no room for it. A secure one has
 * not been verified, a request's sender is not told: it is dropped, for good.
 */
static void drop_unread(struct sdp_run *run, struct sdp_rpc *rpc)
{
	sdp_rpc_lock(rpc);
	if (rpc->hashed) {
		if (rpc->secure)
			sdp_rx_commit(&rpc->open);
		sdp_run_event(run, .error = 0);
		sdp_exec(run, rpc, PROG_EV_ABORT);
	} else {
		sdp_rpc_unlock(rpc);
	}
}

/* Acknowledgements of clear RPCs do not ride in requests under a session. */
static int deliver(struct sdp_run *run, struct sdp_rpc *rpc, bool verified)
{
	sdp_run_event(run, .verified = verified,
		      .ack_now = !rpc->secure &&
		      READ_ONCE(rpc->ep->policy) == SDP_POLICY_MIXED);
	return sdp_exec_delivered(run, rpc);
}

void sdp_message_done(struct sdp_received *got)
{
	struct sdp_rpc *rpc = got->rpc;
	struct sdp_net *sn = rpc->who.sn;
	struct sdp_run *run;

	if (got->error)
		sdp_count(sn->counts, SDP_CTR_rpcs_failed);
	else if (sdp_rpc_is_server(rpc))
		sdp_count(sn->counts, SDP_CTR_requests_delivered);
	else
		sdp_count(sn->counts, SDP_CTR_responses_delivered);
	run = sdp_run_begin(rpc->who.sn);
	sdp_rpc_lock(rpc);
	spin_lock(&rpc->ep->lock);
	rpc->claimed = false;
	sdp_rpc_set_ready(rpc, false);
	spin_unlock(&rpc->ep->lock);
	sdp_rpc_rx_free(rpc);
	if (!rpc->hashed)
		sdp_rpc_unlock(rpc);
	else if (unlikely(deliver(run, rpc, got->verified)) ||
		 unlikely(got->error && sdp_rpc_is_server(rpc)))
		drop_unread(run, rpc);
	/* Others may wait for this one by its id. */
	if (unlikely(rpc->private))
		wake_for(rpc);
	sdp_run_finish(run);
	release(got);
}

void sdp_message_return(struct sdp_received *got)
{
	if (got->verified)
		tell_verified(got->rpc);
	unclaim(got->rpc, true);
	release(got);
}
