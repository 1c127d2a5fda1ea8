/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * State of a network namespace: settings, the program's host context, ranks,
 * peers, ports, timers' owner. See docs/locking.md for the locks.
 */
#ifndef SDP_TARGET_NET_H
#define SDP_TARGET_NET_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/siphash.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "../../observe/observe.h"
#include "orphans.h"
#include "program.h"
#include "places.h"
#include "ports.h"

/**
 * struct sdp_settings - sysctls of a namespace, net.sdp.*. A word at a time, by READ_ONCE().
 * @prog:           the transport program's, as they are written.
 * @seen:           copies of @prog for the program, see sdp_params().
 * @now:            the one of these that is not written; RCU.
 * @lock:           of writing the three.
 * @policy:         SDP_POLICY_* of new sockets.
 * @policy_allowed: bit mask of the policies that a socket may take.
 * @max_message:    bytes in the longest secure message.
 * @rcvbuf:         default SO_RCVBUF of a socket, bytes of truesize.
 * @sndbuf:         default SO_SNDBUF of a socket, bytes of truesize.
 * @peer_rpcs:      requests that a peer may have open at one server socket.
 * @max_peers:      peers remembered in the namespace; half for strangers.
 * @user_sessions:  sessions that one user may have.
 * @user_orphans:   orphans that one user may have; all in a namespace four times as many.
 * @user_ports:     sockets with a port that one user may have.
 * @rekey_s:        seconds that a session sends under one key.
 * @nic_min_bytes:  shortest message that a NIC seals.
 * @prove_addresses: clear clients have to show that their address is theirs.
 * @steer:          packets of messages of several are handled on the message's home CPU.
 * @pace_ns:        length of the device queue that pacing aims at, 0: off.
 */
struct sdp_settings {
	struct prog_params prog;
	struct prog_params seen[2];
	const struct prog_params __rcu *now;
	struct mutex lock;
	u32 policy;
	u32 policy_allowed;
	u32 max_message;
	u32 rcvbuf;
	u32 sndbuf;
	u32 peer_rpcs;
	u32 max_peers;
	u32 user_sessions;
	u32 user_orphans;
	u32 user_ports;
	u32 rekey_s;
	u32 pace_ns;
	u32 nic_min_bytes;
	u32 prove_addresses;
	u32 steer;
};

struct sdp_rpc_bucket;
struct sdp_peer_tables;

/* What a namespace remembers of others (peer.h): peers, clients, their requests. */
enum sdp_met {
	SDP_MET_PEER,
	SDP_MET_CLIENT,
	SDP_MET_SEEN,
	SDP_MET_KINDS
};

/**
 * struct sdp_net - per network namespace.
 * @net:       the namespace.
 * @counts:    its counters.
 * @rpcs:      the table of its RPCs; NULL before there was a socket.
 * @rpc_ends:  what ends the first bucket of that; set once, see rpc_table.c.
 * @tables:    of what it has met; NULL before there was a socket.
 * @set:       sysctls.
 * @id_key:    which part of RPC ids a port has, see sdp_endpoint_next_id().
 * @proof_key: of what shows that a clear client has its address (state/proof.c).
 * @host_lock: protects @host. Innermost but for @ranks' locks.
 * @host:      the program's host context.
 * @ranks:     members that wait, by rank.
 * @kick:      gives turns to winners that missed theirs.
 * @send_timer: soft; gives turns to those that wait for a device's queue.
 * @met:       how many it remembers of each kind.
 * @strangers: those peers whom only clear packets have named.
 * @leaving:   in a list of those that go together.
 * @nic_lock:  of @nic_hooked.
 * @nic_hooked: what is plain is looked at before it leaves IP (out/nic_ip.c).
 * @ports:     who has which.
 * @orphans:   sockets whose last responses are on their way.
 * @sysctl:    owned by socket/sysctl.c.
 */
struct sdp_net {
	struct net *net;
	struct sdp_counts __percpu *counts;
	struct sdp_rpc_bucket *rpcs;
	unsigned long rpc_ends;
	struct sdp_peer_tables *tables;
	struct sdp_settings set;
	siphash_key_t id_key;
	siphash_key_t proof_key;
	spinlock_t host_lock ____cacheline_aligned_in_smp;
	struct prog_host host;
	struct sdp_rank ranks[PROG_RANKS];
	struct work_struct kick;
	struct hrtimer send_timer;
	atomic_t met[SDP_MET_KINDS];
	atomic_t strangers;
	struct list_head leaving;
	struct mutex nic_lock;
	bool nic_hooked;
	struct sdp_ports ports;
	struct sdp_orphans orphans;
	struct ctl_table_header *sysctl;
	struct ctl_table *sysctl_table;
};

extern unsigned int sdp_net_id;

static inline struct sdp_net *sdp_net(const struct net *net)
{
	return net_generic(net, sdp_net_id);
}

/**
 * sdp_params() - the transport program's settings.
 * @sn: namespace.
 *
 * A chain reads them many times, and takes them for the same: they are, under one RCU read
 * lock. Context: that is held.
 */
static inline const struct prog_params *sdp_params(const struct sdp_net *sn)
{
	return rcu_dereference(sn->set.now);
}

#endif /* SDP_TARGET_NET_H */
