/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport's end of a socket: its port, its RPCs, the messages that wait
 * for the application, and the memory they take.
 */
#ifndef SDP_TARGET_ENDPOINT_H
#define SDP_TARGET_ENDPOINT_H

#include <linux/list.h>
#include <linux/sdp.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "net.h"
#include "owner.h"

struct sdp_peer;
struct sdp_quota;
struct sdp_rpc;

/**
 * struct sdp_endpoint - embedded in a socket of ours.
 * @sk:        the socket; sockets are freed after an RCU grace period.
 * @sn:        its namespace.
 * @binding:   what it has of its port, NULL while there is none: by this alone packets
 *             find it. Written under @lock.
 * @port:      local port, 0 while there is none; host byte order. Likewise.
 * @port_quota: where it is counted that it has one, or has wanted one; NULL: it never did,
 *             or its user has too many and administers the namespace. Exchanged.
 * @server:    accepts requests.
 * @policy:    SDP_POLICY_*.
 * @marks:     ids of secure requests are told with a mark, which no id of a clear
 *             one may look like: wherever there may be secure ones; once set, stays.
 * @padding:   secure messages have a multiple of so many bytes; 0: any.
 * @shutdown:  set once, under @lock: nothing starts or waits any more.
 * @orphan:    set once, under @lock: closed, and answers are still on their way.
 * @orphan_link: in a list of sn->orphans, under its lock.
 * @last_peer: peer of the last request, held, or NULL; exchanged.
 * @id_port:   bits 47 to 62 of the ids of RPCs that begin here, by @port.
 * @id_count:  the last one's number; from a random one on.
 * @lock:      spinlock (bh) of the lists below. Taken inside an RPC's lock.
 * @rpcs:      all RPCs, the oldest first.
 * @serial:    counts them, for @serial of each.
 * @ready:     RPCs with a message or a failure for any recvmsg.
 * @incoming:  RPCs with part of a message. By class, as all that follows: [0]
 *             clear, [1] secure.
 * @longest:   the one of these that was seen to have the memory for itself, or NULL.
 * @parked:    RPCs whose peers have to wait for leave to send: there is no
 *             memory.
 * @waiting:   RPCs with a whole message or a failure, private and claimed ones
 *             too.
 * @rpc_count: entries of @rpcs.
 * @ready_count: entries of @ready.
 * @ready_gone: how many have left it without being claimed.
 * @pressed:   a packet found no memory: see reclaim.h.
 * @awaited:   somebody has waited for room to send of the class; stays so.
 * @rmem:      truesize of received packets held, bytes.
 * @sizes:     owners of incomplete messages, their number by size; [0] is of no use.
 * @wmem:      bytes of messages being sent.
 * @served:    bytes of RPCs whose requests came here.
 * @quota:     bytes scheduled with the protocol and the cgroup, both ways.
 * @mem_lock:  spinlock (bh) around scheduling memory.
 * @make_room: in the memory control group, for packets.
 * @room_made: when that was begun last, jiffies.
 * @strangers: owners of clear messages, by their addresses: see pressure.h.
 */
struct sdp_endpoint {
	struct sock *sk;
	struct sdp_net *sn;
	struct sdp_binding *binding;
	struct sdp_quota *port_quota;
	u16 port;
	bool server;
	u8 policy;
	bool marks;
	bool shutdown;
	bool orphan;
	u32 padding;
	struct list_head orphan_link;
	struct sdp_peer __rcu *last_peer;
	u64 id_port;
	atomic64_t id_count;

	spinlock_t lock ____cacheline_aligned_in_smp;
	struct list_head rpcs;
	struct list_head ready;
	struct list_head incoming[2];
	struct sdp_rpc *longest[2];
	struct list_head parked[2];
	u64 serial;
	u32 rpc_count;
	u32 ready_count;
	u32 ready_gone;
	u32 waiting[2];
	bool pressed;
	bool awaited[2];

	atomic_t rmem[2] ____cacheline_aligned_in_smp;
	atomic_t sizes[2][SDP_OWNER_SIZES];
	atomic_t wmem[2];
	atomic_t served[2];
	long quota;
	spinlock_t mem_lock;
	struct work_struct make_room;
	unsigned long room_made;
	struct sdp_owner strangers[SDP_OWNERS];
};

/**
 * sdp_endpoint_init() - set up the endpoint of a new socket.
 * @ep: zeroed.
 * @sk: its socket; SOCK_RCU_FREE gets set.
 *
 * Context: process. Return: 0 or a negative errno.
 */
int sdp_endpoint_init(struct sdp_endpoint *ep, struct sock *sk);

/**
 * sdp_endpoint_bind() - take a port, or move to another, or to another address.
 * @ep:      the endpoint.
 * @port:    1 to 0xffff in host byte order; 0: its present one, if it has any.
 * @to:      what it is bound to, beside the port, once @settled has set that.
 * @settled: called when nothing else can fail any more, before a packet can come to a
 *           new port or address, under ep->lock; it may refuse by an errno.
 * @arg:     handed to @settled.
 *
 * One that is refused has changed nothing, not for a moment (but see settle_binding()
 * in address.c), and of one that succeeds packets see all or nothing. Context: process,
 * may sleep; calls for one endpoint, and of sdp_endpoint_follow(), do not overlap.
 * Return: 0, -EADDRINUSE, -ENOBUFS: the port has too many owners, -EDQUOT: the user has too
 * many, -ENOMEM, -EBUSY: it has RPCs at its present port, or what @settled says.
 */
int sdp_endpoint_bind(struct sdp_endpoint *ep, u16 port, const struct sdp_bound *to,
		      int (*settled)(struct sdp_endpoint *ep, const void *arg),
		      const void *arg);

/**
 * sdp_endpoint_follow() - the socket's device or address may be another: packets are to
 *	find it by that.
 * @ep: the endpoint.
 *
 * Context: process; calls for one endpoint, and of sdp_endpoint_bind(), do not overlap.
 * Return: 0; or as there, and it is found by what it was.
 */
int sdp_endpoint_follow(struct sdp_endpoint *ep);

/**
 * sdp_endpoint_autobind() - see that the endpoint has a port, be it an assigned one.
 * @ep: the endpoint.
 *
 * Context: process, may sleep. Return: 0, -EADDRINUSE: no port is left, -EDQUOT: the
 * user has too many, -ENOMEM.
 */
int sdp_endpoint_autobind(struct sdp_endpoint *ep);

/**
 * sdp_endpoint_unbind() - give the port back; for close().
 * @ep: the endpoint; it is shut down, and has no RPCs any more, or is an orphan.
 *
 * Context: process.
 */
void sdp_endpoint_unbind(struct sdp_endpoint *ep);

/**
 * sdp_endpoint_find() - the endpoint that a packet is for.
 * @sn:   namespace.
 * @port: its destination, host byte order.
 * @at:   where it has come to.
 *
 * Context: RCU read lock; valid while that is held.
 */
struct sdp_endpoint *sdp_endpoint_find(struct sdp_net *sn, u16 port,
				       const struct sdp_inlet *at);

/**
 * sdp_endpoint_device() - the device that packets find it by; 0: any.
 * @ep: the endpoint.
 *
 * That of the socket may be one that it never gets: while a program looks at it, or until
 * it is known that another socket is in the way. Context: RCU read lock.
 */
static inline int sdp_endpoint_device(const struct sdp_endpoint *ep)
{
	/* Pairs with use_binding(). */
	const struct sdp_binding *binding = smp_load_acquire(&ep->binding);

	/* An orphan has none, and stays as it was. */
	return binding ? binding->to.device : READ_ONCE(ep->sk->sk_bound_dev_if);
}

/* Bits of the number in an id, above the bit that tells the roles apart. */
#define SDP_ID_COUNT_BITS 46

/**
 * sdp_endpoint_next_id() - an id for a new RPC of ours, even.
 * @ep: the endpoint; has a port.
 *
 * No other RPC of the host has it: servers find an RPC by address and id. Bit 63
 * is zero (SDP_ID_SECURE), 16 bits are the port's, in a keyed order, and the rest
 * counts what this socket does, so that it tells nothing of others.
 *
 * Sockets that share a port have other addresses, which are others to a server, unless
 * they are bound to two devices or VRFs that have one address. Then, as between a socket
 * and the port's next owner, nothing but the random 46 bits that each begins its count at
 * keeps them apart: of two that send 2^n requests each, one comes to where the other is
 * with a probability of 2^(n-45). One count for both would tell each how much the
 * other does.
 */
static inline u64 sdp_endpoint_next_id(struct sdp_endpoint *ep)
{
	u64 number = atomic64_inc_return(&ep->id_count);

	return READ_ONCE(ep->id_port) |
	       (number & (BIT_ULL(SDP_ID_COUNT_BITS) - 1)) << 1;
}

/**
 * sdp_endpoint_readable() - does a message wait for recvmsg()?
 * @ep: the endpoint.
 */
static inline bool sdp_endpoint_readable(const struct sdp_endpoint *ep)
{
	/* Whoever takes one looks again, under ep->lock. */
	return !list_empty(&ep->ready);
}

/* Largest share of a socket, bytes: sums stay far from the end of an int. */
#define SDP_MEMORY_MOST (1 << 28)

/** sdp_endpoint_rmem() - truesize of all received packets held, bytes. */
static inline int sdp_endpoint_rmem(const struct sdp_endpoint *ep)
{
	return atomic_read(&ep->rmem[0]) + atomic_read(&ep->rmem[1]);
}

/** sdp_endpoint_served() - bytes of all RPCs whose requests came here. */
static inline int sdp_endpoint_served(const struct sdp_endpoint *ep)
{
	return atomic_read(&ep->served[0]) + atomic_read(&ep->served[1]);
}

/** sdp_endpoint_wmem() - bytes of all messages being sent. */
static inline int sdp_endpoint_wmem(const struct sdp_endpoint *ep)
{
	return atomic_read(&ep->wmem[0]) + atomic_read(&ep->wmem[1]);
}

/** sdp_endpoint_sndbuf() - SO_SNDBUF as far as it counts, bytes. */
static inline int sdp_endpoint_sndbuf(const struct sdp_endpoint *ep)
{
	return min(READ_ONCE(ep->sk->sk_sndbuf), SDP_MEMORY_MOST);
}

/**
 * sdp_endpoint_tx_room() - what the messages of a class that are sent may hold, bytes.
 * @ep:     the endpoint.
 * @secure: the class.
 *
 * Anybody can have answers made to clear requests, and take none of them: on a socket
 * for both, secure messages have all of SO_SNDBUF, whatever clear ones do, and these
 * get what is left, at most half; but one, where none is.
 */
static inline int sdp_endpoint_tx_room(const struct sdp_endpoint *ep, bool secure)
{
	int sndbuf = sdp_endpoint_sndbuf(ep), left;

	if (likely(secure || READ_ONCE(ep->policy) != SDP_POLICY_MIXED))
		return sndbuf;
	left = min(sndbuf - atomic_read(&ep->wmem[1]), sndbuf / 2);
	return max(left, 1);
}

/**
 * sdp_endpoint_ready() - what there is to be claimed, to be compared with what there was.
 * @ep: the endpoint.
 *
 * Return: ready messages, and in the upper half how many have gone without being claimed.
 */
static inline u64 sdp_endpoint_ready(const struct sdp_endpoint *ep)
{
	/* Of whom it is known here that it has gone, it is not counted as ready. */
	u64 gone = smp_load_acquire(&ep->ready_gone);

	return gone << 32 | READ_ONCE(ep->ready_count);
}

/**
 * sdp_endpoint_writable() - is there memory for another message?
 * @ep:     the endpoint.
 * @secure: its class.
 */
static inline bool sdp_endpoint_writable(const struct sdp_endpoint *ep, bool secure)
{
	return atomic_read(&ep->wmem[secure]) < sdp_endpoint_tx_room(ep, secure);
}

#endif /* SDP_TARGET_ENDPOINT_H */
