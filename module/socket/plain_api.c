// SPDX-License-Identifier: GPL-2.0-only
/*
 * The plain API: messages through ordinary buffers, control messages that go
 * one way only. What language runtimes and io_uring, also its multishot
 * receive, can use.
 */
#include <linux/uio.h>

#include "socket.h"

/**
 * sdp_plain_send() - sendto(), and sendmsg() with control messages or none.
 * @s:   the socket.
 * @msg: the message; nothing is written back through it.
 * @len: its length, bytes.
 *
 * Return: @len, or a negative errno as in sdp(7).
 */
int sdp_plain_send(struct sdp_sock *s, struct msghdr *msg, size_t len)
{
	struct sdp_send send = {
		.nonblock = msg->msg_flags & MSG_DONTWAIT,
		.direct = msg->msg_flags & MSG_DONTROUTE,
		.from = &msg->msg_iter,
	};
	int err;

	if (len > INT_MAX)
		return sdp_error(s, -EMSGSIZE, NULL);
	err = sdp_address_destination(s, msg, &send.to);
	if (err)
		return sdp_error(s, err, NULL);
	if (msg->msg_controllen) {
		err = sdp_control_parse(s, msg, &send);
		if (err)
			return sdp_error(s, err, "send: bad control message");
	}
	err = sdp_address_settle(s, msg, &send);
	if (err)
		return sdp_error(s, err, NULL);
	err = sdp_message_send(&s->ep, &send);
	return err ? sdp_error(s, err, NULL) : (int)len;
}

static bool has_room_for_control(const struct msghdr *msg)
{
	size_t need = msg->msg_flags & MSG_CMSG_COMPAT ?
		      sizeof(struct sdp_rpc_cmsg) + 12 :
		      CMSG_LEN(sizeof(struct sdp_rpc_cmsg));

	return msg->msg_control && msg->msg_controllen >= need;
}

static int put_cmsg_rpc(struct msghdr *msg, const struct sdp_received *got)
{
	struct sdp_rpc_cmsg rpc = {
		.size = sizeof(rpc),
		.id = got->id,
		.cookie = got->cookie,
		.error = got->error,
		.session = got->session,
	};

	if (got->id & 1)
		rpc.flags |= SDP_RPC_REQUEST;
	if (got->secure)
		rpc.flags |= SDP_RPC_SECURE;
	if (got->error)
		rpc.flags |= SDP_RPC_FAILED;
	if (!msg->msg_controllen)
		return 0;
	return put_cmsg(msg, IPPROTO_HOMA, SDP_CMSG_RPC, sizeof(rpc), &rpc);
}

/* The claim ends, unless it was just a look. */
static void end_claim(struct sdp_received *got, int flags)
{
	if (flags & MSG_PEEK)
		sdp_message_return(got);
	else
		sdp_message_done(got);
}

/* Before the claim ends: what cannot be told has not been received. */
static int describe_message(struct sdp_sock *s, struct msghdr *msg,
			    struct sdp_received *got)
{
	int err = put_cmsg_rpc(msg, got);

	if (!err && !got->error)
		err = sdp_ancillary_put(s, msg, got);
	if (err) {
		sdp_message_return(got);
		return err;
	}
	sdp_address_source(s, msg, &got->from);
	return 0;
}

/*
 * A failed RPC is a message of no bytes whose control message says why. A
 * caller that asked for none could not tell it from an empty message: it gets
 * the error.
 */
static int deliver_failure(struct sdp_sock *s, struct msghdr *msg,
			   struct sdp_received *got, int flags)
{
	int err = has_room_for_control(msg) ? 0 : -got->error;

	if (!err) {
		err = describe_message(s, msg, got);
		if (err)
			return err;
	}
	end_claim(got, flags);
	return err;
}

static int deliver_message(struct sdp_sock *s, struct msghdr *msg,
			   struct sdp_received *got, int copied, int flags)
{
	int err = describe_message(s, msg, got);

	if (err)
		return err;
	if (copied < got->length) {
		msg->msg_flags |= MSG_TRUNC;
		if (flags & MSG_TRUNC)
			copied = got->length;
	}
	end_claim(got, flags);
	return copied;
}

/* Claim a message and copy it; again if it turns out not to verify. */
static int receive_plain(struct sdp_sock *s, struct msghdr *msg, long timeo,
			 struct sdp_received *got, ssize_t *copied)
{
	unsigned long start = jiffies;
	int err;

	for (;;) {
		err = sdp_message_claim(&s->ep, 0, sdp_time_left(timeo, start),
					got);
		if (err || got->error)
			return err;
		*copied = sdp_message_copy(got, &msg->msg_iter);
		if (*copied >= 0)
			return 0;
		if (*copied != -EBADMSG) {
			sdp_message_return(got);
			return *copied;
		}
	}
}

/**
 * sdp_plain_recv() - recv(), recvfrom(), and recvmsg() without a region.
 * @s:     the socket.
 * @msg:   where to.
 * @flags: MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC.
 *
 * Return: bytes copied; with MSG_TRUNC in @flags the length of the message; 0
 * for a failed RPC; or a negative errno as in sdp(7).
 */
int sdp_plain_recv(struct sdp_sock *s, struct msghdr *msg, int flags)
{
	long timeo = sock_rcvtimeo(sdp_sock_sk(s), flags & MSG_DONTWAIT);
	struct sdp_received got __uninitialized;
	ssize_t copied;
	int err;

	err = receive_plain(s, msg, timeo, &got, &copied);
	if (err)
		return sdp_error(s, err, NULL);
	if (got.error)
		return sdp_error(s, deliver_failure(s, msg, &got, flags), NULL);
	return deliver_message(s, msg, &got, copied, flags);
}
