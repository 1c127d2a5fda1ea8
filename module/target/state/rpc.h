/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RPCs: the object. How it is found and ends: rpc_table.h, docs/locking.md.
 */
#ifndef SDP_TARGET_RPC_H
#define SDP_TARGET_RPC_H

#include <linux/compiler.h>
#include <linux/rculist_nulls.h>
#include <linux/refcount.h>
#include <net/ipv6.h>

#include "../../offload/txbuf.h"
#include "../../record/open.h"
#include "endpoint.h"
#include "peer.h"

/*
 * An application answers a request by its id alone: of a secure one it is told with
 * this bit, so that a clear one of the same id, which anybody may have sent, is
 * another. Clear ones with the bit are refused where there may be secure ones.
 */
#define SDP_ID_SECURE BIT_ULL(63)

struct sdp_repair;

/**
 * struct sdp_rpc_id - what an RPC is found by. Compared as a whole.
 * @sn:    namespace.
 * @ep:    socket: several may have one port, in VRFs whose hosts have the same addresses.
 *	   Only compared.
 * @id:    as this host sees it: odd on the server.
 * @addr:  the peer; IPv4 as v4-mapped.
 * @port:  ours, host byte order.
 * @pport: the peer's.
 * @secure: of a server: a clear request and a secure one of the same id are two.
 *	Our own ids are unique: false of a client.
 */
struct sdp_rpc_id {
	struct sdp_net *sn;
	const struct sdp_endpoint *ep;
	u64 id;
	struct in6_addr addr;
	u16 port;
	u16 pport;
	bool secure;
};

/*
 * The states of an RPC. The program's own state (@prog) says what its messages
 * have come to; the words below say what the target has made of that. All change
 * under the RPC's lock, by the executor, except where another is named.
 *
 * In the table or not:
 *
 *   made    !hashed !over   in nobody else's hands yet; in no list, rank or wheel
 *   open     hashed !over   from sdp_rpc_insert() on
 *   over    !hashed  over   from sdp_rpc_end() on; in no list, rank or wheel; who
 *                           still holds it looks at @hashed before using it
 *
 * What the application knows, ep->lock as well (an open RPC only, but for
 * @claimed, whose owner may find the RPC over):
 *
 *   -                nothing has come that is whole, or the application has it: a
 *                    client's RPC is over then, a server's waits for the response
 *                    (@replying: one task is making it)
 *   ready            a message or a failure waits: in ep->ready unless it is
 *                    private; counted in ep->waiting
 *   ready claimed    one receiver has it, who alone frees what was received
 *   claimed          a record turned out bad, and the message is incomplete again:
 *                    the receiver finds out at its unclaim()
 *   error            is told as a message is: ready, or over
 *
 * Memory: @in_link, part of a message is here, which may be given up for its
 * memory; not of one that is ready and not claimed. @park_link, it waits for
 * memory before it is granted more; @parked, the ranks that it has left for that;
 * others it is in (rank[].group).
 *
 * For ever: @private of a client's, @client of a server's in the clear, @session
 * if and only if @secure.
 *
 * sdp_rpc_check() asserts this after each event, in debug builds.
 */

/* In @tos of the following: there is one. */
#define SDP_TOS_GIVEN 0x100

/**
 * struct sdp_marking - what the application wants on an RPC's packets.
 * @label: IPv6 flow label, or zero.
 * @tos:   traffic class and SDP_TOS_GIVEN, or zero: the socket's.
 * @hops:  time to live, or zero: the socket's.
 */
struct sdp_marking {
	__be32 label;
	u16 tos;
	u8 hops;
};

/**
 * struct sdp_rpc - an RPC at one of its ends. The slab is type-safe under RCU:
 *	@node and @lock are initialised once for an object's many lives.
 * @node:    in the table of RPCs, under the bucket's lock.
 * @lock:    spinlock (bh), the outermost one of the data path.
 * @hashed:  found in the table; false once it has ended. Under @lock.
 * @refs:    the table's, one per task or softirq that works without @lock.
 * @who:     what it is found by; constant while it is hashed.
 * @small:   bytes of a very short message that is sent.
 * @rank:    its places in the ranks.
 * @ep_link: in ep->rpcs, under ep->lock.
 * @session_link: in pctx->rpcs where it is a session's, likewise; a session that is
 *           gone has taken it out.
 * @ready_link: in ep->ready, under ep->lock.
 * @in_link: in ep->incoming, under ep->lock; enters and leaves under @lock too.
 * @park_link: in ep->parked, under ep->lock.
 * @secure:  belongs to @session.
 * @private: only a receiver that names it gets the response.
 * @over:    ended: no instruction is carried out any more. Under @lock.
 * @ep:      its socket; valid while it is hashed, or a task of the socket runs.
 * @peer:    route and address.
 * @pctx:    the program's peer context: of @peer, or of @session.
 * @session: held; NULL in the clear.
 * @client:  of a clear request, held; otherwise NULL.
 * @seen:    what is remembered of it and its like, held; otherwise NULL.
 * @hash:    of @who.
 * @marking: of its packets. What a response sets is read meanwhile: once.
 * @cookie:  of the application.
 * @prog:    the program's context. Under @lock.
 * @timer:   the program's timer.
 * @serial:  orders ep->rpcs.
 * @parked:  bit per rank that it left for want of memory. Under @lock.
 * @ready:   a message or a failure waits; under ep->lock.
 * @claimed: one receiver has it; under ep->lock.
 * @error:   errno of a failure, positive.
 * @replying: a task makes the response. Under @lock.
 * @ack:     acknowledgement that the first DATA of a clear message carries.
 * @tx:      the message that is sent.
 * @payer:   whose it is, if that is counted, as long as @tx is charged; or NULL.
 * @plain_node: in the table of plain messages (state/plain.h).
 * @seal:    its number in secure mode.
 * @owner:   whose the received message is, while @in_link is in its list.
 * @rx_length: bytes of the received message, 0: not known. Under @lock.
 * @rx_root: received packets by the place of their first byte. Under @lock,
 *           or the claim.
 * @rx_last: the one that comes last.
 * @rx_kept: the packet kept last; used only while it is being kept.
 * @rx_truesize: memory they take.
 * @rx_bytes: bytes of the message that they hold.
 * @open:    the received message in secure mode.
 * @app_length: bytes of application data, once the first record is open.
 * @repair:  what is known of its records once one has failed, or NULL. Of who has
 *           the claim; freed with the bytes.
 */
struct sdp_rpc {
	struct hlist_nulls_node node;
	spinlock_t lock;
	bool hashed;
	refcount_t refs;
	struct sdp_rpc_id who;
	u8 small[SDP_TXBUF_LINEAR] __aligned(16);
	struct sdp_rank_entry rank[PROG_RANKS];
	struct list_head ep_link;
	struct hlist_node session_link;
	struct list_head ready_link;
	struct list_head in_link;
	struct list_head park_link;
	/* Zeroed from here at the start of each life. */
	bool secure;
	bool private;
	bool over;
	struct sdp_endpoint *ep;
	struct sdp_peer *peer;
	struct sdp_pctx *pctx;
	struct sdp_session *session;
	struct sdp_client *client;
	struct sdp_seen *seen;
	u32 hash;
	struct sdp_marking marking;
	u64 cookie;

	struct prog_rpc prog;
	struct sdp_timer timer;
	u64 serial;
	u8 parked;
	bool ready;
	bool claimed;
	int error;

	bool replying;
	struct {
		u64 id;
		u16 port;
	} ack;
	struct sdp_txbuf tx;
	struct sdp_owner *payer;
	struct hlist_node plain_node;
	struct sdp_tx seal;

	struct sdp_owner *owner;
	u32 rx_length;
	u32 rx_truesize;
	u32 rx_bytes;
	struct rb_root rx_root;
	struct sk_buff *rx_last;
	struct sk_buff *rx_kept;
	struct sdp_rx open;
	u32 app_length;
	struct sdp_repair *repair;
};

/*
 * An RPC's lock is taken in one function and dropped in another, which sparse
 * cannot follow: it is not told.
 */
static inline void sdp_rpc_lock(struct sdp_rpc *rpc)
{
	spin_lock(&rpc->lock);
	__release(&rpc->lock);
}

static inline void sdp_rpc_unlock(struct sdp_rpc *rpc)
{
	__acquire(&rpc->lock);
	spin_unlock(&rpc->lock);
}

/** sdp_rpc_is_server() - is this the server's end? */
static inline bool sdp_rpc_is_server(const struct sdp_rpc *rpc)
{
	return rpc->who.id & 1;
}

/** sdp_rpc_record() - what grants are multiples of: records; 0: anything. */
static inline u32 sdp_rpc_record(const struct sdp_rpc *rpc)
{
	if (!rpc->session)
		return 0;
	return sdp_layout_wire_size(sdp_session_record_size(rpc->session));
}

static inline void sdp_rpc_hold(struct sdp_rpc *rpc)
{
	refcount_inc(&rpc->refs);
}

/**
 * sdp_rpc_set_ready() - a message or failure waits for the application, or not.
 * @rpc:   the RPC; its socket's lock is held.
 * @ready: whether.
 */
static inline void sdp_rpc_set_ready(struct sdp_rpc *rpc, bool ready)
{
	lockdep_assert_held(&rpc->ep->lock);
	if (rpc->ready == ready)
		return;
	WRITE_ONCE(rpc->ready, ready);
	rpc->ep->waiting[rpc->secure] += ready ? 1 : -1;
}

#endif /* SDP_TARGET_RPC_H */
