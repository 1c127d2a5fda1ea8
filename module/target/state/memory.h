/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a socket's messages: counted per packet with one atomic addition,
 * scheduled with the protocol and the cgroup in steps of 64 KB.
 */
#ifndef SDP_TARGET_MEMORY_H
#define SDP_TARGET_MEMORY_H

#include <linux/sdp.h>

#include "group.h"
#include "rpc.h"

/* What a message costs beside its bytes: the RPC, a packet's head, slack. */
#define SDP_MEMORY_OVERHEAD 1024

/* Memory that received bytes may take, times their number; and beyond that. */
#define SDP_RX_SPREAD 4
#define SDP_RX_SLACK 4096

/** sdp_memory_share() - SO_RCVBUF as far as it counts, bytes. */
static inline int sdp_memory_share(const struct sdp_endpoint *ep)
{
	return min(READ_ONCE(ep->sk->sk_rcvbuf), SDP_MEMORY_MOST);
}

/**
 * sdp_memory_served_room() - what the RPCs of a class's requests may hold, bytes.
 * @ep:     the socket.
 * @secure: the class.
 */
static inline int sdp_memory_served_room(const struct sdp_endpoint *ep, bool secure)
{
	int share = sdp_memory_share(ep);

	if (likely(secure || READ_ONCE(ep->policy) != SDP_POLICY_MIXED))
		return share;
	return share / 2;
}

/**
 * sdp_memory_scarce() - is half of the memory for RPCs that wait for their clients
 * to acknowledge a response used up?
 * @ep:     the socket.
 * @secure: their class.
 */
static inline bool sdp_memory_scarce(const struct sdp_endpoint *ep, bool secure)
{
	return atomic_read(&ep->wmem[secure]) > sdp_endpoint_tx_room(ep, secure) / 2 ||
	       atomic_read(&ep->served[secure]) > sdp_memory_served_room(ep, secure) / 2;
}

/**
 * sdp_memory_ample() - is less than half of the memory for what is sent used up?
 * @ep:     the socket.
 * @secure: the class.
 */
static inline bool sdp_memory_ample(const struct sdp_endpoint *ep, bool secure)
{
	return atomic_read(&ep->wmem[secure]) < sdp_endpoint_tx_room(ep, secure) / 2;
}

/* What clear messages on a mixed socket may hold in any case, bytes. */
#define SDP_MEMORY_QUANTUM 16384

/**
 * sdp_memory_room() - what the messages of a class may hold, bytes.
 * @ep:     the socket.
 * @secure: the class.
 *
 * Anybody can send clear messages: on a socket for both, secure ones have all of
 * SO_RCVBUF, whatever clear ones do, and these get what is left, at most half.
 */
static inline int sdp_memory_room(const struct sdp_endpoint *ep, bool secure)
{
	int share = sdp_memory_share(ep), left;

	if (likely(secure || READ_ONCE(ep->policy) != SDP_POLICY_MIXED))
		return share;
	left = min(share - atomic_read(&ep->rmem[1]), share / 2);
	return max(left, min(share, SDP_MEMORY_QUANTUM));
}

/**
 * sdp_memory_full() - have the messages of a class taken more than their room?
 * @ep:     the socket.
 * @secure: the class.
 *
 * Then no message begins, and none is granted more; those that have begun may
 * take as much again. Where reclaim is hard for the control group, a quarter is enough
 * for that.
 */
static inline bool sdp_memory_full(const struct sdp_endpoint *ep, bool secure)
{
	int room = sdp_memory_room(ep, secure);

	if (unlikely(sdp_group_pressed(ep->sk)))
		room /= 4;
	return atomic_read(&ep->rmem[secure]) > room;
}

/** sdp_memory_was_full() - had they, without a packet that has been charged? */
static inline bool sdp_memory_was_full(const struct sdp_endpoint *ep, bool secure,
				       u32 truesize)
{
	return atomic_read(&ep->rmem[secure]) - (int)truesize >
	       sdp_memory_room(ep, secure);
}

/** sdp_memory_far() - have they taken as much again? */
static inline bool sdp_memory_far(const struct sdp_endpoint *ep, bool secure)
{
	return atomic_read(&ep->rmem[secure]) / 2 > sdp_memory_room(ep, secure);
}

/**
 * sdp_memory_rules() - has a message its class's memory for itself, without taking more
 *	than its length and the class's room explain?
 * @rpc: of a message that has not ended, and is counted (sdp_pressure_enter()).
 *
 * It has, if all others take less than half of the room, whole ones too.
 */
bool sdp_memory_rules(const struct sdp_rpc *rpc);

/**
 * sdp_memory_alone() - is there such a message of a class, that is known?
 * @ep:     the socket.
 * @secure: the class.
 *
 * Context: BH disabled, the socket's lock is held.
 */
bool sdp_memory_alone(const struct sdp_endpoint *ep, bool secure);

/**
 * sdp_memory_charge_rx() - charge a received packet.
 * @ep:       the socket.
 * @secure:   its class.
 * @truesize: bytes.
 *
 * Context: BH disabled; the socket's lock is not held. Return: false if twice
 * the class's room is used up, unless one message rules it, or memory is
 * short: nothing is charged then, and ep->pressed is set.
 */
bool sdp_memory_charge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize);

/**
 * sdp_memory_charge_head() - charge another head of a packet that is charged.
 * @ep:       the socket.
 * @secure:   its class.
 * @truesize: bytes; what both share is among them.
 *
 * Never refused, as little is taken: a message must not end because others hold the
 * memory. Undone by sdp_memory_uncharge_rx(). Context: BH disabled.
 */
void sdp_memory_charge_head(struct sdp_endpoint *ep, bool secure, u32 truesize);

/** sdp_memory_uncharge_rx() - the packets are gone; any context. */
void sdp_memory_uncharge_rx(struct sdp_endpoint *ep, bool secure, u32 truesize);

/**
 * sdp_memory_charge_rpc() - charge the RPC of a request received, for all its life.
 * @ep:     the socket.
 * @secure: its class.
 * @few:    its client has few others here.
 *
 * Requests that are never answered may take as much as SO_RCVBUF; what waits to be
 * read is another share. Clear ones on a socket for both may take half; a session's
 * few may go beyond, up to as much again. Context: BH disabled. Return: false if that
 * is used up, or memory is short: nothing is charged then.
 */
bool sdp_memory_charge_rpc(struct sdp_endpoint *ep, bool secure, bool few);

/** sdp_memory_uncharge_rpc() - the RPC is gone; any context. */
void sdp_memory_uncharge_rpc(struct sdp_endpoint *ep, bool secure);

/**
 * sdp_memory_charge_tx() - charge a message to send, waiting for room.
 * @ep:       the socket.
 * @secure:   its class.
 * @to:       whom it is for, see sdp_pressure_owner(), or NULL: as if others were on their
 *            way there.
 * @length:   bytes; SDP_MEMORY_OVERHEAD is added.
 * @nonblock: do not wait.
 *
 * A message may be larger than what is free: it waits only until something is. Whom
 * nothing else that was counted is on its way to does not wait for others who take
 * nothing of what they are sent: such messages may have as much room again.
 * Context: process. Return: 0, -EAGAIN, -ENOBUFS (memory is short), -EINTR or
 * -ERESTARTSYS, -ESHUTDOWN.
 */
int sdp_memory_charge_tx(struct sdp_endpoint *ep, bool secure, struct sdp_owner *to,
			 u32 length, bool nonblock);

/**
 * sdp_memory_charge_sealed() - a record of a message was sealed into pages of its own.
 *
 * Nobody waits: it is scheduled with the next message. Context: any.
 */
static inline void sdp_memory_charge_sealed(struct sdp_endpoint *ep, u32 bytes)
{
	atomic_add(bytes, &ep->wmem[1]);
}

/** sdp_memory_uncharge_tx() - the message is gone; wakes who waits. */
void sdp_memory_uncharge_tx(struct sdp_endpoint *ep, bool secure, struct sdp_owner *to,
			    u32 length);

/** sdp_memory_await() - somebody will wait, unless there is room for the class by now. */
void sdp_memory_await(struct sdp_endpoint *ep, bool secure);

/** sdp_memory_start() - limits that a socket begins with, and what makes room for packets. */
void sdp_memory_start(struct sdp_endpoint *ep);

/** sdp_memory_stop() - no room is made any more; process context, may sleep. */
void sdp_memory_stop(struct sdp_endpoint *ep);

/** sdp_memory_release() - give all that is scheduled back; when @ep is idle. */
void sdp_memory_release(struct sdp_endpoint *ep);

#endif /* SDP_TARGET_MEMORY_H */
