/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the socket room calls: send a message, receive one, abort, look.
 */
#ifndef SDP_TARGET_MESSAGE_H
#define SDP_TARGET_MESSAGE_H

#include <linux/uio.h>

#include "../state/rpc.h"

/**
 * struct sdp_address - an address with its port.
 * @addr: IPv6, or IPv4 as v4-mapped.
 * @port: host byte order.
 * @ifindex: interface of a link-local address, otherwise 0.
 * @label: IPv6 flow label, of a destination; otherwise not used.
 */
struct sdp_address {
	struct in6_addr addr;
	u16 port;
	int ifindex;
	__be32 label;
};

/**
 * struct sdp_send - a message to send.
 * @to:      the peer.
 * @id:      0: a request; otherwise the RPC that this is the response to.
 * @cookie:  comes back with the response.
 * @private: only a receive that names the id gets the response.
 * @clear:   send in the clear on a mixed socket.
 * @from:    the bytes; iov_iter_count() is the message's length.
 * @nonblock: EAGAIN rather than wait for memory.
 * @direct:  MSG_DONTROUTE; of a response, that its request came so.
 * @source:  of a request, the address of ours that it leaves from; of a response, that
 *           which it has anyway; or the any-address (v4 or v6).
 * @ifindex: of a request, the interface that it leaves by, or 0.
 * @marked:  of a request: by @mark in the place of the socket's.
 * @marking: of its packets; the label is that of @to.
 */
struct sdp_send {
	struct sdp_address to;
	u64 id;
	u64 cookie;
	bool private;
	bool clear;
	bool nonblock;
	bool direct;
	bool marked;
	u32 mark;
	struct in6_addr source;
	int ifindex;
	struct sdp_marking marking;
	struct iov_iter *from;
};

/**
 * sdp_message_send() - send a request or a response.
 * @ep:   the endpoint; gets a port if it has none.
 * @send: what; @send->id is written for a request, before its response can
 *        arrive.
 *
 * In secure mode seals the message before it returns. The response to an RPC
 * that is gone succeeds without effect.
 *
 * Context: process, may sleep. Return: 0, or -EINVAL (length; a response by
 * the client), -EMSGSIZE (too long), -ENOKEY (no session), -EKEYEXPIRED,
 * -EPERM (the policy forbids @clear), -ENOMEM, -EAGAIN, -ESHUTDOWN, -EINTR,
 * -EFAULT, or what routing says (-ENETUNREACH, -EHOSTUNREACH, ...).
 */
int sdp_message_send(struct sdp_endpoint *ep, struct sdp_send *send);

/**
 * struct sdp_received - a message claimed by one receiver.
 * @rpc:     the RPC, held; private to the target.
 * @from:    the peer.
 * @id:      as this socket sees it; odd for a request.
 * @cookie:  of the request.
 * @error:   positive errno: the RPC failed, there is no message.
 * @length:  bytes of the message.
 * @secure:  came over a session.
 * @session: its id.
 * @verified: all of a secure message has, and the program has not heard of that; private
 *           to the target.
 * @first:   the first record, opened; private to the target.
 * @first_size: bytes of its memory.
 * @first_start: where its application data begins.
 * @first_length: bytes of that.
 */
struct sdp_received {
	struct sdp_rpc *rpc;
	struct sdp_address from;
	u64 id;
	u64 cookie;
	int error;
	u32 length;
	bool secure;
	bool verified;
	u32 session;
	u8 *first;
	u32 first_size;
	u32 first_start;
	u32 first_length;
};

/**
 * sdp_message_claim() - wait for a message and claim it.
 * @ep:    the endpoint.
 * @id:    0: any message that is not private; otherwise that RPC's response.
 * @timeo: longest wait in jiffies, 0: none (sock_rcvtimeo()).
 * @got:   filled in.
 *
 * In secure mode the first record has been opened when this returns, so that
 * @got->length is known; the rest is by sdp_message_copy(). A message may turn
 * out bad: then this goes on waiting.
 *
 * Context: process, may sleep. Return: 0 (also for a failed RPC: look at
 * @got->error), -EAGAIN, -EINTR or -ERESTARTSYS, -ESHUTDOWN, -EINVAL (no RPC
 * @id, or a request of somebody else).
 */
int sdp_message_claim(struct sdp_endpoint *ep, u64 id, long timeo,
		      struct sdp_received *got);

/**
 * struct sdp_arrival - how a message came.
 * @local:   address that it was sent to; IPv4 as v4-mapped.
 * @ifindex: interface of its first packet, 0: not known. The rest is that packet's too.
 * @tos:     type of service, or traffic class.
 * @hops:    time to live, or hop limit.
 * @stamp:   when it came, by the wall clock; 0: not known.
 */
struct sdp_arrival {
	struct in6_addr local;
	int ifindex;
	u8 tos;
	u8 hops;
	ktime_t stamp;
};

/**
 * sdp_message_arrival() - how a claimed message came.
 * @got: from sdp_message_claim(), no failure.
 * @how: filled in.
 *
 * Context: process. Return: false if it is in nothing but memory of ours, into which its
 * packets were copied: then only @how->local is known.
 */
bool sdp_message_arrival(const struct sdp_received *got, struct sdp_arrival *how);

/**
 * sdp_message_copy() - copy a claimed message out, opening it in secure mode.
 * @got: from sdp_message_claim().
 * @to:  where to; may be shorter than the message. All of the message is
 *       verified even so.
 *
 * Context: process, may sleep. Return: bytes copied; -EBADMSG if a record
 * failed: what was written is cleared, @to stands where it stood, the claim is
 * over, the RPC waits for the bytes again (or fails), and the caller claims
 * again; -EFAULT, -ENOMEM: the claim stands.
 */
ssize_t sdp_message_copy(struct sdp_received *got, struct iov_iter *to);

/**
 * sdp_message_done() - the application has it: end the claim.
 * @got: from sdp_message_claim(). A response, or a failure, ends the RPC.
 */
void sdp_message_done(struct sdp_received *got);

/**
 * sdp_message_return() - put a claimed message back in front (MSG_PEEK, a
 *	failed copy).
 * @got: from sdp_message_claim().
 */
void sdp_message_return(struct sdp_received *got);

/**
 * sdp_message_forget_clear() - end RPCs in the clear: those of clients are
 *	forgotten, our own fail with ECONNRESET unless their response is here.
 * @ep: the endpoint; its policy does not allow them any more.
 *
 * Context: process, sleeps for as long as packets are on their way in.
 */
void sdp_message_forget_clear(struct sdp_endpoint *ep);

/**
 * sdp_message_abort() - abort requests of ours.
 * @ep:     the endpoint.
 * @id:     an RPC, or 0: all that match @cookie.
 * @cookie: with @id 0 and @by_cookie: those sent with this cookie.
 * @by_cookie: whether @cookie counts; otherwise all requests.
 * @error:  0: forget them; otherwise they complete with this errno.
 *
 * Context: process. Return: 0, or -EINVAL if @id is no request of ours.
 */
int sdp_message_abort(struct sdp_endpoint *ep, u64 id, u64 cookie,
		      bool by_cookie, int error);

/**
 * struct sdp_rpc_state - what diagnostics tell about an RPC.
 */
struct sdp_rpc_state {
	u64 id;
	u64 cookie;
	struct sdp_address peer;
	struct in6_addr local;
	u16 port;
	bool server;
	bool private;
	bool ready;
	bool secure;
	u32 session;
	struct prog_info info;
};

/**
 * sdp_message_abort_but() - end RPCs of an endpoint, of both roles; nobody is told.
 * @ep:    the endpoint.
 * @spare: which ones stay; called without locks. NULL: none.
 *
 * Of those that there are when it is called. Context: process, may sleep.
 */
void sdp_message_abort_but(struct sdp_endpoint *ep,
			   bool (*spare)(const struct sdp_rpc *rpc));

/**
 * sdp_message_dump() - call back for each RPC of an endpoint.
 * @ep:  the endpoint.
 * @fn:  called in process context without locks; a non-zero return ends it.
 * @arg: handed to @fn.
 *
 * Shows a state that each RPC had at one moment, not all at the same.
 */
int sdp_message_dump(struct sdp_endpoint *ep,
		     int (*fn)(const struct sdp_rpc_state *state, void *arg),
		     void *arg);

/**
 * struct sdp_rpc_cursor - how far a way through the RPCs of an endpoint is; zeroed at
 *	its start. It holds nothing.
 * @serial: of the last one, 0: none yet.
 * @end:    of the last one that there was at the start.
 * @last:   what the last one is found by.
 */
struct sdp_rpc_cursor {
	u64 serial;
	u64 end;
	struct sdp_rpc_id last;
};

/**
 * sdp_message_next() - one RPC of an endpoint after the other.
 * @ep:    the endpoint.
 * @at:    moves on.
 * @state: filled in, if there is one.
 *
 * Context: process, no locks. Return: is there one?
 */
bool sdp_message_next(struct sdp_endpoint *ep, struct sdp_rpc_cursor *at,
		      struct sdp_rpc_state *state);

#endif /* SDP_TARGET_MESSAGE_H */
