// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/hrtimer.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "../observe/observe.h"
#include "exec.h"
#include "pacer.h"

/* Longest burst of one turn, bytes: a segment. */
#define TURN_BYTES 65536
#define LEAST_BYTES 1500

/**
 * struct link - a device that is paced.
 * @node:  in @links.
 * @dev:   the device; not held, gone with NETDEV_UNREGISTER.
 * @mbps:  megabits per second.
 * @clear: ns of ktime_get_ns() when what was handed to it has left.
 * @rcu:   frees it.
 */
struct link {
	struct list_head node;
	const struct net_device *dev;
	u32 mbps;
	atomic64_t clear;
	struct rcu_head rcu;
};

/**
 * struct sdp_pacer - per namespace.
 * @timer: soft; runs when a device's queue has room again.
 * @sn:    the namespace.
 */
struct sdp_pacer {
	struct hrtimer timer;
	struct sdp_net *sn;
};

/* Changed under RTNL, read under RCU. Few: one per real device. */
static LIST_HEAD(links);
DEFINE_STATIC_KEY_FALSE(sdp_pacer_used);

static struct link *link_of(const struct net_device *dev)
{
	struct link *link;

	list_for_each_entry_rcu(link, &links, node, lockdep_rtnl_is_held())
		if (link->dev == dev)
			return link;
	return NULL;
}

bool sdp_pacer_paced(const struct sdp_net *sn, const struct net_device *dev)
{
	return READ_ONCE(sn->set.pace_ns) && link_of(dev);
}

static u64 time_of(const struct link *link, u32 bytes)
{
	return div_u64((u64)bytes * 8000, READ_ONCE(link->mbps));
}

void sdp_pacer_sent(const struct net_device *dev, u32 bytes)
{
	struct link *link = link_of(dev);
	u64 now = ktime_get_ns();
	s64 clear;

	if (!link)
		return;
	clear = atomic64_read(&link->clear);
	if ((u64)clear < now)
		atomic64_try_cmpxchg(&link->clear, &clear, now);
	atomic64_add(time_of(link, bytes), &link->clear);
}

void sdp_pacer_kick(struct sdp_net *sn)
{
	struct hrtimer *timer = &sn->pacer->timer;

	if (!hrtimer_is_queued(timer))
		hrtimer_start(timer, 0, HRTIMER_MODE_REL_SOFT);
}

static struct sdp_rpc *first_waiting(struct sdp_net *sn)
{
	struct sdp_rank *rank = &sn->ranks[PROG_RANK_SEND];
	struct sdp_rpc *rpc = NULL;

	spin_lock(&rank->lock);
	if (rank->count) {
		rpc = container_of(rank->winners[0], struct sdp_rpc,
				   rank[PROG_RANK_SEND]);
		sdp_rpc_hold(rpc);
	}
	spin_unlock(&rank->lock);
	return rpc;
}

/*
 * How long the winner has to wait, ns; 0: @bytes may be sent now. A winner
 * without a paced link goes at once.
 */
static u64 wait_of(struct sdp_net *sn, struct sdp_rpc *rpc, u32 *bytes)
{
	u64 now = ktime_get_ns(), ahead, clear;
	u32 pace = READ_ONCE(sn->set.pace_ns);
	struct dst_entry *dst;
	struct link *link;

	*bytes = TURN_BYTES;
	dst = sdp_peer_route(rpc->peer, rpc->ep->sk);
	link = IS_ERR(dst) ? NULL : link_of(dst->dev);
	if (!link || !pace)
		return 0;
	clear = atomic64_read(&link->clear);
	ahead = clear > now ? clear - now : 0;
	if (ahead >= pace)
		return ahead - pace / 2;
	*bytes = clamp_t(u64, div_u64((pace - ahead) * READ_ONCE(link->mbps),
				      8000), LEAST_BYTES, TURN_BYTES);
	return 0;
}

/* One turn. Return: ns until the next, 0: nothing waits. */
static u64 turn(struct sdp_net *sn)
{
	struct sdp_rpc *rpc = first_waiting(sn);
	struct sdp_run *run;
	u32 bytes;
	u64 wait;

	if (!rpc)
		return 0;
	wait = wait_of(sn, rpc, &bytes);
	if (wait) {
		sdp_count(sn->counts, SDP_CTR_paced);
		sdp_rpc_put(rpc);
		return wait;
	}
	run = sdp_run_begin(sn);
	sdp_rpc_lock(rpc);
	if (rpc->hashed) {
		run->ev.length = bytes;
		run->ev.paced = true;
		sdp_exec(run, rpc, PROG_EV_SEND_TURN);
	} else {
		sdp_rpc_unlock(rpc);
	}
	sdp_rpc_put(rpc);
	sdp_run_finish(run);
	return 1;
}

static enum hrtimer_restart expire(struct hrtimer *timer)
{
	struct sdp_pacer *pacer = container_of(timer, struct sdp_pacer, timer);
	u64 wait;
	u32 i;

	rcu_read_lock();
	/* Bounded: the rest comes with the next expiry. */
	for (i = 0; i < 16; i++) {
		wait = turn(pacer->sn);
		if (wait != 1)
			break;
	}
	rcu_read_unlock();
	if (wait)
		hrtimer_start(timer, ns_to_ktime(wait), HRTIMER_MODE_REL_SOFT);
	return HRTIMER_NORESTART;
}

static u32 speed_of(struct net_device *dev)
{
	struct ethtool_link_ksettings settings;

	if (!dev->dev.parent || !netif_running(dev) ||
	    __ethtool_get_link_ksettings(dev, &settings))
		return 0;
	/* Unknown is all ones; beyond a terabit, nobody needs pacing. */
	return settings.base.speed <= 1000000 ? settings.base.speed : 0;
}

static void forget(struct link *link)
{
	list_del_rcu(&link->node);
	static_branch_dec(&sdp_pacer_used);
	kfree_rcu(link, rcu);
}

static void learn(struct net_device *dev)
{
	struct link *link = link_of(dev);
	u32 mbps = speed_of(dev);

	if (link && mbps) {
		WRITE_ONCE(link->mbps, mbps);
	} else if (link) {
		forget(link);
	} else if (mbps) {
		link = kzalloc(sizeof(*link), GFP_KERNEL);
		if (!link)
			return;
		link->dev = dev;
		link->mbps = mbps;
		list_add_rcu(&link->node, &links);
		static_branch_inc(&sdp_pacer_used);
	}
}

static int device_event(struct notifier_block *block, unsigned long event,
			void *info)
{
	struct net_device *dev = netdev_notifier_info_to_dev(info);
	struct link *link;

	switch (event) {
	case NETDEV_UP:
	case NETDEV_CHANGE:
		learn(dev);
		break;
	case NETDEV_DOWN:
	case NETDEV_UNREGISTER:
		link = link_of(dev);
		if (link)
			forget(link);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block device_block = { .notifier_call = device_event };

int sdp_pacer_init_net(struct sdp_net *sn)
{
	sn->pacer = kzalloc(sizeof(*sn->pacer), GFP_KERNEL);
	if (!sn->pacer)
		return -ENOMEM;
	sn->pacer->sn = sn;
	hrtimer_init(&sn->pacer->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	sn->pacer->timer.function = expire;
	return 0;
}

void sdp_pacer_exit_net(struct sdp_net *sn)
{
	hrtimer_cancel(&sn->pacer->timer);
	kfree(sn->pacer);
}

int sdp_pacer_init(void)
{
	/* Replays NETDEV_UP for devices that are up. */
	return register_netdevice_notifier(&device_block);
}

void sdp_pacer_exit(void)
{
	unregister_netdevice_notifier(&device_block);
}
