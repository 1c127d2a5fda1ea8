/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters and drop reasons of a network namespace. Every room may use this.
 */
#ifndef SDP_OBSERVE_H
#define SDP_OBSERVE_H

#include <linux/percpu.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

enum sdp_counter {
#define COUNTER(name, text) SDP_CTR_##name,
#include "counters.def"
#undef COUNTER
	SDP_COUNTERS
};

enum sdp_drop {
	SDP_DROP_none,
#define DROP(name, text) SDP_DROP_##name,
#include "drops.def"
#undef DROP
	SDP_DROPS
};

struct sdp_counts {
	u64 count[SDP_COUNTERS];
	u64 drop[SDP_DROPS];
};

/**
 * struct sdp_observe_net - what this room keeps per network namespace.
 * @counts: written by the CPU that counts, summed by readers.
 * @dir:    /proc/net/sdp.
 */
struct sdp_observe_net {
	struct sdp_counts __percpu *counts;
	struct proc_dir_entry *dir;
};

extern unsigned int sdp_observe_net_id;

static inline struct sdp_observe_net *sdp_observe_net(const struct net *net)
{
	return net_generic(net, sdp_observe_net_id);
}

/** sdp_counts() - counters of a namespace, for as long as that lives. */
static inline struct sdp_counts __percpu *sdp_counts(const struct net *net)
{
	return sdp_observe_net(net)->counts;
}

/**
 * sdp_count_add() - add to a counter; any context.
 * @counts: of the namespace; looking them up for each would cost more than this.
 * @ctr:    which.
 * @n:      how much.
 */
static inline void sdp_count_add(struct sdp_counts __percpu *counts,
				 enum sdp_counter ctr, u64 n)
{
	this_cpu_add(counts->count[ctr], n);
}

static inline void sdp_count(struct sdp_counts __percpu *counts,
			     enum sdp_counter ctr)
{
	sdp_count_add(counts, ctr, 1);
}

/**
 * sdp_count_drop() - count a dropped packet and trace it; any context.
 * @net:    the namespace.
 * @reason: why.
 * @skb:    the packet, or NULL; it stays the caller's.
 */
void sdp_count_drop(const struct net *net, enum sdp_drop reason,
		    const struct sk_buff *skb);

/**
 * sdp_drop_name() - name of a drop reason.
 * @reason: which.
 */
const char *sdp_drop_name(enum sdp_drop reason);

int sdp_observe_init(void);
void sdp_observe_exit(void);

#endif /* SDP_OBSERVE_H */
