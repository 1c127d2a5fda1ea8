// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of each network namespace and /proc/net/sdp/counters.
 */
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "name.h"
#include "observe.h"
#include "trace.h"

unsigned int sdp_observe_net_id;

static const char *const counter_names[SDP_COUNTERS] = {
#define COUNTER(name, text) [SDP_CTR_##name] = #name,
#include "counters.def"
#undef COUNTER
};

static const char *const drop_names[SDP_DROPS] = {
	[SDP_DROP_none] = "none",
#define DROP(name, text) [SDP_DROP_##name] = #name,
#include "drops.def"
#undef DROP
};

const char *sdp_drop_name(enum sdp_drop reason)
{
	return (unsigned int)reason < SDP_DROPS ? drop_names[reason] : "none";
}

void sdp_count_drop(const struct net *net, enum sdp_drop reason,
		    const struct sk_buff *skb)
{
	this_cpu_inc(sdp_observe_net(net)->counts->drop[reason]);
	trace_sdp_drop(net, reason, skb);
}

/* Both members of struct sdp_counts are plain arrays of u64. */
static u64 sum(const struct sdp_counts __percpu *counts, size_t offset)
{
	u64 total = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const void *own = per_cpu_ptr(counts, cpu);

		total += READ_ONCE(*(const u64 *)(own + offset));
	}
	return total;
}

static int counters_show(struct seq_file *seq, void *unused)
{
	struct net *net = seq_file_single_net(seq);
	const struct sdp_counts __percpu *counts = sdp_observe_net(net)->counts;
	unsigned int i;

	for (i = 0; i < SDP_COUNTERS; i++)
		seq_printf(seq, "%s %llu\n", counter_names[i],
			   sum(counts, offsetof(struct sdp_counts, count[i])));
	for (i = SDP_DROP_none + 1; i < SDP_DROPS; i++)
		seq_printf(seq, "drop_%s %llu\n", drop_names[i],
			   sum(counts, offsetof(struct sdp_counts, drop[i])));
	return 0;
}

static int __net_init observe_net_init(struct net *net)
{
	struct sdp_observe_net *on = sdp_observe_net(net);

	on->counts = alloc_percpu(struct sdp_counts);
	if (!on->counts)
		return -ENOMEM;
	on->dir = proc_net_mkdir(net, SDP_NAMED(""), net->proc_net);
	if (!on->dir ||
	    !proc_create_net_single("counters", 0444, on->dir, counters_show,
				    NULL)) {
		proc_remove(on->dir);
		free_percpu(on->counts);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit observe_net_exit(struct net *net)
{
	struct sdp_observe_net *on = sdp_observe_net(net);

	proc_remove(on->dir);
	free_percpu(on->counts);
}

static struct pernet_operations observe_net_ops = {
	.init = observe_net_init,
	.exit = observe_net_exit,
	.id = &sdp_observe_net_id,
	.size = sizeof(struct sdp_observe_net),
};

int sdp_observe_init(void)
{
	return register_pernet_subsys(&observe_net_ops);
}

void sdp_observe_exit(void)
{
	unregister_pernet_subsys(&observe_net_ops);
}
