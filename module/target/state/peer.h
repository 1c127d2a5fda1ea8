/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peers: an address, the route to it, and what the transport program remembers of
 * it; clients; and which of their requests have been received.
 */
#ifndef SDP_TARGET_PEER_H
#define SDP_TARGET_PEER_H

#include <linux/in6.h>
#include <linux/ip.h>
#include <net/dst.h>
#include <net/ipv6.h>

#include "net.h"
#include "owner.h"
#include "table.h"

/* How a session's NIC is: on; one CPU writes until when it is off; off. */
#define SDP_NIC_ON 0
#define SDP_NIC_TURNING_OFF 1
#define SDP_NIC_OFF 2

/**
 * struct sdp_nic_health - how sealing by a NIC goes, of a session (out/nic.c). Written
 *	by anybody: a lost update is a share that is a little wrong.
 * @kept:      records given to NICs, of late.
 * @again:     those asked for again.
 * @bad:       those that did not open at the peer.
 * @sealing:   the last long message was sealed by a NIC.
 * @off:       SDP_NIC_ON, or the CPU seals, until @off_until.
 * @off_until: jiffies; written by who turns it off.
 * @off_for:   how long that was, the last time; likewise.
 * @key_at:    jiffies: a key that did not come to be, or is of another device, is not
 *             replaced before.
 */
struct sdp_nic_health {
	atomic_t kept;
	atomic_t again;
	atomic_t bad;
	bool sealing;
	u8 off;
	unsigned long off_until;
	unsigned long off_for;
	unsigned long key_at;
};

/**
 * struct sdp_pctx - the program's peer context and its lock: one per peer in
 *	the clear, one per session in secure mode.
 * @lock:  spinlock (bh), inside an RPC's and a client's lock.
 * @prog:  the program's.
 * @rpcs:  of a session, its RPCs, under its socket's ep->lock; nobody is in a peer's.
 * @group: the peer's members in each rank that groups by peer.
 * @open:  requests under this session that we hold; in secure mode.
 * @owner: whose incomplete messages take memory; in secure mode.
 * @nic:   how NICs have sealed; in secure mode.
 */
struct sdp_pctx {
	spinlock_t lock;
	atomic_t open;
	struct sdp_owner owner;
	struct sdp_nic_health nic;
	struct prog_peer prog;
	struct hlist_head rpcs;
	struct sdp_rank_group group[PROG_RANKS];
};

void sdp_pctx_init(struct sdp_pctx *pctx);

/**
 * struct sdp_peer_key - all that decides about a route. Compared as bytes.
 * @sn:      namespace.
 * @daddr:   the peer; IPv4 as v4-mapped.
 * @saddr:   our address, or the any-address: the route chooses, once.
 * @oif:     interface that the socket, or a link-local address, is bound to, or
 *           that of IP_UNICAST_IF.
 * @mark:    SO_MARK.
 * @uid:     owner of the socket.
 * @secid:   its security label.
 * @tos:     IP_TOS or IPV6_TCLASS, as far as routes depend on it.
 * @flow:    FLOWI_FLAG_*: IP_TRANSPARENT.
 * @scope:   RT_SCOPE_*: SO_DONTROUTE.
 * @prefs:   IPV6_ADDR_PREFERENCES.
 * @retired: zero, but in a peer that nobody shall find any more.
 */
struct sdp_peer_key {
	struct sdp_net *sn;
	struct in6_addr daddr;
	struct in6_addr saddr;
	int oif;
	u32 mark;
	u32 uid;
	u32 secid;
	u8 tos;
	u8 flow;
	u8 scope;
	u8 prefs;
	u32 retired;
};

/** sdp_peer_key_equal() - for every message: memcmp() goes byte by byte. */
static inline bool sdp_peer_key_equal(const struct sdp_peer_key *a,
				      const struct sdp_peer_key *b)
{
	return a->sn == b->sn && ipv6_addr_equal(&a->daddr, &b->daddr) &&
	       ipv6_addr_equal(&a->saddr, &b->saddr) && a->oif == b->oif &&
	       a->mark == b->mark && a->uid == b->uid &&
	       a->secid == b->secid && a->tos == b->tos && a->flow == b->flow &&
	       a->scope == b->scope && a->prefs == b->prefs &&
	       READ_ONCE(a->retired) == READ_ONCE(b->retired);
}

/**
 * struct sdp_peer_mtu - what somebody on the way has said of it. Anybody's, without
 *	a lock.
 * @word: the longest packet that we send, less than the route's MTU, and in the low
 *        half the jiffies when that is forgotten; 0: nothing has shown any.
 */
struct sdp_peer_mtu {
	u64 word;
};

/**
 * struct sdp_peer - a peer; an RPC holds a reference. Its address of ours never
 *	changes, so that no RPC changes its own: where the route comes to prefer
 *	another, the peer retires, and new requests get another one.
 * @entry:  in the table of peers.
 * @key:    what it is found by; only @key.retired changes, under @lock.
 * @v4:     the address is IPv4.
 * @stranger: only clear packets have named it so far; exchanged.
 * @local:  our address: @key.saddr, or what the first route chose; IPv4 as
 *          v4-mapped.
 * @lock:   spinlock (bh) around a change of @dst.
 * @dst:    route, RCU; checked with @cookie before use. Shared by sockets: never
 *          one that a socket's own IPsec policy made.
 * @cookie: of an IPv6 route.
 * @mtu:    learned in clear and in secure mode: one has proof, which the other must
 *          not stand in for.
 * @pctx:   clear mode's context.
 */
struct sdp_peer {
	struct sdp_table_entry entry;
	struct sdp_peer_key key;
	bool v4;
	bool stranger;
	struct in6_addr local;
	spinlock_t lock;
	struct dst_entry __rcu *dst;
	u32 cookie;
	struct sdp_peer_mtu mtu[2];
	struct sdp_pctx pctx;
};

/**
 * sdp_peer_find() - find a peer.
 * @key: zeroed before its fields were set.
 * @stranger: as for sdp_peer_add(); one that is found for another reason is a
 *       stranger no more.
 *
 * Context: any. Return: a reference, or NULL.
 */
struct sdp_peer *sdp_peer_find(const struct sdp_peer_key *key, bool stranger);

/**
 * sdp_peer_add() - make a peer, or find the one that somebody has just made.
 * @key:   as above.
 * @local: our address: that of the key, or what the route chose.
 * @gfp:   for the memory.
 * @stranger: a clear packet, which anybody can send, is why. Such peers have no
 *       more than half of the places.
 *
 * Context: any; BH may be on. Return: a reference, or ERR_PTR: -ENOMEM,
 * -ENOBUFS (net.sdp.max_peers or the machine's bound, and none is idle).
 */
struct sdp_peer *sdp_peer_add(const struct sdp_peer_key *key,
			      const struct in6_addr *local, gfp_t gfp,
			      bool stranger);

/** sdp_ip_header() - bytes of an IP header, of IPv4 if @v4. */
static inline u32 sdp_ip_header(bool v4)
{
	return v4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
}

/**
 * sdp_peer_retire() - nobody is to find it any more; its RPCs keep it.
 * @peer: locked, not retired.
 */
void sdp_peer_retire(struct sdp_peer *peer);

/** sdp_peer_retired() - has the route come to prefer another address of ours? */
static inline bool sdp_peer_retired(const struct sdp_peer *peer)
{
	return READ_ONCE(peer->key.retired);
}

/**
 * sdp_peer_try() - a peer that was found before, if it is the one wanted.
 * @peer: valid under RCU, or NULL.
 * @key:  what is wanted.
 *
 * Context: RCU read lock. Return: a reference, or NULL.
 */
static inline struct sdp_peer *sdp_peer_try(struct sdp_peer *peer,
					    const struct sdp_peer_key *key)
{
	if (peer && sdp_peer_key_equal(&peer->key, key) &&
	    refcount_inc_not_zero(&peer->entry.refs))
		return peer;
	return NULL;
}

static inline void sdp_peer_hold(struct sdp_peer *peer)
{
	refcount_inc(&peer->entry.refs);
}

static inline void sdp_peer_put(struct sdp_peer *peer)
{
	sdp_table_put(&peer->entry);
}

/**
 * sdp_peer_replace() - hold on to a peer at a place that readers look at under RCU.
 * @place: may hold on to another.
 * @peer:  NULL: none.
 *
 * Return: whether there was another, which is let go.
 */
static inline bool sdp_peer_replace(struct sdp_peer __rcu **place,
				    struct sdp_peer *peer)
{
	struct sdp_peer *old;

	if (peer)
		sdp_peer_hold(peer);
	old = unrcu_pointer(xchg(place, RCU_INITIALIZER(peer)));
	if (old)
		sdp_peer_put(old);
	return old;
}

/**
 * struct sdp_client_key - a client at one of our ports. Compared as bytes.
 * @sn:    namespace.
 * @addr:  the client; IPv4 as v4-mapped.
 * @sport: its port, host byte order.
 * @dport: ours.
 * @network: index of the VRF, or of the interface of a link-local address, that it is met
 *	    in; otherwise 0. By what its packets say, whatever our socket is bound to.
 */
struct sdp_client_key {
	struct sdp_net *sn;
	struct in6_addr addr;
	u16 sport;
	u16 dport;
	u32 network;
};

/**
 * struct sdp_client - a client, clear mode.
 * @entry: in the table of clients.
 * @key:   what it is found by.
 * @open:  requests of it that we hold.
 * @peer:  peer of its last request, held until another wants its place, or
 *         NULL; exchanged.
 */
struct sdp_client {
	struct sdp_table_entry entry;
	struct sdp_client_key key;
	atomic_t open;
	struct sdp_peer __rcu *peer;
};

/**
 * sdp_client_get() - find or make a client.
 * @key: zeroed before its fields were set.
 *
 * Context: softirq. Return: a reference, or NULL for want of memory.
 */
struct sdp_client *sdp_client_get(const struct sdp_client_key *key);

static inline void sdp_client_put(struct sdp_client *client)
{
	sdp_table_put(&client->entry);
}

/**
 * struct sdp_seen_key - requests of a client that follow each other. Compared as
 *	bytes.
 * @client: whose; begins with the namespace.
 * @part:   number of the request (id / 2) / PROG_CLIENT_NUMBERS.
 */
struct sdp_seen_key {
	struct sdp_client_key client;
	u64 part;
};

/**
 * struct sdp_seen - which of them have been received, clear mode. It stays for as
 *	long as the client may still ask for one (prog_forget_ns() after its last
 *	use), whatever room others want.
 * @entry: in the table of them.
 * @key:   what it is found by.
 * @lock:  spinlock (bh), inside an RPC's lock.
 * @prog:  the program's.
 */
struct sdp_seen {
	struct sdp_table_entry entry;
	struct sdp_seen_key key;
	spinlock_t lock;
	struct prog_client prog;
};

/**
 * sdp_seen_get() - find or make what is remembered of a request and its like.
 * @client: of the request; zeroed before its fields were set.
 * @id:     of the request.
 *
 * Context: softirq. Return: a reference, or NULL: there is no room.
 */
struct sdp_seen *sdp_seen_get(const struct sdp_client_key *client, u64 id);

static inline void sdp_seen_put(struct sdp_seen *seen)
{
	sdp_table_put(&seen->entry);
}

/**
 * sdp_peer_tables_make() - make room for what a namespace meets, before its first socket.
 *
 * Context: process, may sleep. Return: 0 or -ENOMEM.
 */
int sdp_peer_tables_make(struct sdp_net *sn);

/**
 * sdp_peer_leave() - others need not look at a namespace any more that goes.
 * @sn: has no sockets. An RCU grace period comes before sdp_peer_forget_nets().
 *
 * Context: process.
 */
void sdp_peer_leave(struct sdp_net *sn);

/**
 * sdp_peer_forget_nets() - free what namespaces that go still have.
 * @leaving: of struct sdp_net.leaving. All are waited for at once.
 *
 * Context: process, may sleep.
 */
void sdp_peer_forget_nets(struct list_head *leaving);

int sdp_peer_init(void);
void sdp_peer_exit(void);

#endif /* SDP_TARGET_PEER_H */
