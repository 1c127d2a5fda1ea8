// SPDX-License-Identifier: GPL-2.0-only
/*
 * Homa's API: arguments go in and out through msg_control, messages come into
 * the receive region. What is written back is always a whole structure that
 * was zeroed or copied in, and nothing is copied under a lock.
 */
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "pool.h"
#include "socket.h"

/* Messages that are looked at for one that fits a region with little room. */
#define LOOK_AHEAD 8

static int check_send_args(const struct homa_sendmsg_args *args)
{
	if (args->reserved ||
	    args->flags & ~(HOMA_SENDMSG_VALID_FLAGS | SDP_MSG_CLEAR))
		return -EINVAL;
	/* The cookie belongs to the request. */
	if (args->id && args->completion_cookie)
		return -EINVAL;
	return 0;
}

static int write_id(struct sdp_sock *s, struct homa_sendmsg_args __user *uargs,
		    u64 id)
{
	if (!copy_to_user(&uargs->id, &id, sizeof(id)))
		return 0;
	/* The application does not know of the request: it never was. */
	sdp_message_abort(&s->ep, id, 0, false, 0);
	return -EFAULT;
}

/**
 * sdp_homa_send() - sendmsg() with struct homa_sendmsg_args.
 * @s:   the socket.
 * @msg: its msg_control is the arguments, in user memory.
 *
 * Return: 0, or a negative errno as in sdp(7).
 */
int sdp_homa_send(struct sdp_sock *s, struct msghdr *msg)
{
	struct homa_sendmsg_args __user *uargs = msg->msg_control_user;
	struct homa_sendmsg_args args;
	struct sdp_send send = {
		.nonblock = msg->msg_flags & MSG_DONTWAIT,
		.direct = msg->msg_flags & MSG_DONTROUTE,
		.from = &msg->msg_iter,
	};
	int err;

	if (copy_from_user(&args, uargs, sizeof(args)))
		return sdp_error(s, -EFAULT, NULL);
	err = check_send_args(&args);
	if (err)
		return sdp_error(s, err, "sendmsg: bad homa_sendmsg_args");
	send.id = args.id;
	err = sdp_address_destination(s, msg, &send.to) ?:
	      sdp_address_settle(s, msg, &send);
	/* As Homa has it. */
	if (err == -EDESTADDRREQ)
		err = -EINVAL;
	if (err)
		return sdp_error(s, err, "sendmsg: bad destination");

	send.cookie = args.completion_cookie;
	send.private = args.flags & HOMA_SENDMSG_PRIVATE;
	send.clear = args.flags & SDP_MSG_CLEAR;
	err = sdp_message_send(&s->ep, &send);
	if (!err && !args.id)
		err = write_id(s, uargs, send.id);
	return sdp_error(s, err, NULL);
}

/*
 * A claimed message did not fit the region: look whether one of those behind
 * it does. All but that one go back to where they were.
 */
static noinline_for_stack bool claim_shorter(struct sdp_sock *s,
					     struct sdp_received *got,
					     struct sdp_pages *pages, u64 ready)
{
	struct sdp_pool *pool = s->pool;
	struct sdp_received held[LOOK_AHEAD];
	bool found = false;
	int n = 0;

	held[n++] = *got;
	while (!found && n < LOOK_AHEAD) {
		if (sdp_message_claim(&s->ep, 0, 0, got))
			break;
		found = got->error ||
			!sdp_pool_take(pool, got->length, ready, pages);
		if (!found)
			held[n++] = *got;
	}
	while (n--)
		sdp_message_return(&held[n]);
	return found;
}

/* Wait until pages have been given back, or another message may fit. */
static int wait_for_pages(struct sdp_sock *s, u64 id, u32 given, u64 ready,
			  long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = sdp_sock_sk(s);
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	while (READ_ONCE(s->pool->given) == given &&
	       (id || !sdp_pool_news(ready, sdp_endpoint_ready(&s->ep)))) {
		if (READ_ONCE(sk->sk_shutdown))
			err = -ESHUTDOWN;
		else if (!*timeo)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = sock_intr_errno(*timeo);
		if (err)
			break;
		*timeo = wait_woken(&wait, TASK_INTERRUPTIBLE, *timeo);
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/*
 * Claim a message and room for it, or a failure. A message that the region can
 * never hold is a failure too.
 */
static int claim_with_room(struct sdp_sock *s, u64 id, long timeo,
			   struct sdp_received *got, struct sdp_pages *pages)
{
	unsigned long start = jiffies;
	struct sdp_pool *pool = s->pool;
	u32 given;
	u64 ready;
	long left;
	int err;

	for (;;) {
		ready = sdp_endpoint_ready(&s->ep);
		given = READ_ONCE(pool->given);
		left = sdp_time_left(timeo, start);
		err = sdp_message_claim(&s->ep, id, left, got);
		if (err || got->error)
			return err;
		/* What one claims from, one has seen. */
		ready += !lower_32_bits(ready);
		err = sdp_pool_take(pool, got->length, id ? 0 : ready, pages);
		if (!err)
			return 0;
		if (err == -EMSGSIZE) {
			got->error = EMSGSIZE;
			return 0;
		}
		if (id)
			sdp_message_return(got);
		else if (claim_shorter(s, got, pages, ready))
			return 0;
		left = sdp_time_left(timeo, start);
		err = wait_for_pages(s, id, given, ready, &left);
		if (err)
			return err;
	}
}

static void give_pages(struct sdp_sock *s, const struct sdp_pages *pages)
{
	struct sock *sk = sdp_sock_sk(s);
	bool wake;

	sdp_pool_give(s->pool, pages->offset, pages->count, &wake);
	if (wake)
		sk->sk_data_ready(sk);
}

/* As claim_with_room(), and the message is in the region when it returns. */
static int receive_pages(struct sdp_sock *s, u64 id, long timeo,
			 struct sdp_received *got, struct sdp_pages *pages)
{
	struct iovec iov[HOMA_MAX_BPAGES];
	unsigned long start = jiffies;
	struct iov_iter iter;
	ssize_t copied;
	int err;

	for (;;) {
		pages->count = 0;
		err = claim_with_room(s, id, sdp_time_left(timeo, start), got,
				      pages);
		if (err || got->error)
			return err;
		sdp_pool_map(s->pool, pages, iov, &iter);
		copied = sdp_message_copy(got, &iter);
		if (copied >= 0)
			return 0;
		give_pages(s, pages);
		if (copied != -EBADMSG) {
			sdp_message_return(got);
			return copied;
		}
	}
}

static int check_recv_args(const struct msghdr *msg, int flags)
{
	if (!msg->msg_control || !msg->msg_control_is_user ||
	    msg->msg_controllen != sizeof(struct homa_recvmsg_args))
		return -EINVAL;
	return flags & MSG_PEEK ? -EOPNOTSUPP : 0;
}

/* Take back the pages that the application is done with. */
static int take_back(struct sdp_sock *s, const struct homa_recvmsg_args *args)
{
	struct sock *sk = sdp_sock_sk(s);
	bool wake;
	int err;

	err = sdp_pool_give(s->pool, args->bpage_offsets, args->num_bpages,
			    &wake);
	if (wake)
		sk->sk_data_ready(sk);
	return err;
}

static void fill_result(struct homa_recvmsg_args *args,
			const struct sdp_received *got,
			const struct sdp_pages *pages)
{
	args->id = got->id;
	args->completion_cookie = got->cookie;
	if (got->error)
		return;
	args->num_bpages = pages->count;
	memcpy(args->bpage_offsets, pages->offset,
	       pages->count * sizeof(pages->offset[0]));
}

/*
 * Tell the application before the claim ends: what cannot be told has not been
 * received.
 */
static int finish(struct sdp_sock *s, struct msghdr *msg,
		  struct homa_recvmsg_args *args, struct sdp_received *got,
		  const struct sdp_pages *pages)
{
	fill_result(args, got, pages);
	if (copy_to_user(msg->msg_control_user, args, sizeof(*args))) {
		give_pages(s, pages);
		sdp_message_return(got);
		return -EFAULT;
	}
	sdp_address_source(s, msg, &got->from);
	/*
	 * The system call writes back as msg_controllen by how much this has
	 * moved: all of it, so that the same msghdr can be used again.
	 */
	msg->msg_control_user += sizeof(*args);
	msg->msg_controllen -= sizeof(*args);
	sdp_message_done(got);
	return got->error ? -got->error : got->length;
}

/**
 * sdp_homa_recv() - recvmsg() with struct homa_recvmsg_args.
 * @s:     the socket; it has a pool.
 * @msg:   its msg_control is the arguments, in user memory.
 * @flags: MSG_DONTWAIT.
 *
 * Whatever fails once pages have been taken back, the arguments then say that
 * no pages are held, lest the application gives them back twice.
 *
 * Return: length of the message, or a negative errno as in sdp(7).
 */
int sdp_homa_recv(struct sdp_sock *s, struct msghdr *msg, int flags)
{
	long timeo = sock_rcvtimeo(sdp_sock_sk(s), flags & MSG_DONTWAIT);
	struct homa_recvmsg_args args;
	struct sdp_received got;
	struct sdp_pages pages;
	u64 id;
	int err;

	err = check_recv_args(msg, flags);
	if (err)
		return sdp_error(s, err, "recvmsg: bad msg_control");
	if (unlikely(!sdp_pool_usable(s->pool)))
		return sdp_error(s, -EFAULT, "recvmsg: the region is another process's");
	if (copy_from_user(&args, msg->msg_control_user, sizeof(args)))
		return sdp_error(s, -EFAULT, NULL);
	if (args.reserved || args.num_bpages > HOMA_MAX_BPAGES)
		return sdp_error(s, -EINVAL, "recvmsg: bad homa_recvmsg_args");
	id = args.id;
	err = take_back(s, &args);
	if (err)
		sdp_error(s, err, "recvmsg: pages that were not handed out");
	else
		err = sdp_error(s, receive_pages(s, id, timeo, &got, &pages), NULL);

	memset(&args, 0, sizeof(args));
	if (!err)
		return sdp_error(s, finish(s, msg, &args, &got, &pages), NULL);
	/* The system call starts over: for the same RPC, without the pages. */
	if (err == -ERESTARTSYS)
		args.id = id;
	if (copy_to_user(msg->msg_control_user, &args, sizeof(args)))
		err = sdp_error(s, -EFAULT, NULL);
	return err;
}
