// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "pace.h"

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

/* Changed under RTNL, read under RCU. Few: one per real device. */
static LIST_HEAD(links);
DEFINE_STATIC_KEY_FALSE(sdp_pace_used);

static struct link *link_of(const struct net_device *dev)
{
	struct link *link;

	list_for_each_entry_rcu(link, &links, node, lockdep_rtnl_is_held())
		if (link->dev == dev)
			return link;
	return NULL;
}

bool sdp_pace_applies(const struct sdp_net *sn, const struct net_device *dev)
{
	return READ_ONCE(sn->set.pace_ns) && link_of(dev);
}

static u64 time_of(const struct link *link, u32 bytes)
{
	return div_u64((u64)bytes * 8000, READ_ONCE(link->mbps));
}

void sdp_pace_sent(const struct net_device *dev, u32 bytes)
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

u64 sdp_pace_wait(const struct net_device *dev, u32 pace, u32 *bytes)
{
	struct link *link = dev ? link_of(dev) : NULL;
	u64 now = ktime_get_ns(), ahead, clear;

	*bytes = TURN_BYTES;
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
	static_branch_dec(&sdp_pace_used);
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
		static_branch_inc(&sdp_pace_used);
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

int sdp_pace_init(void)
{
	/* Replays NETDEV_UP for devices that are up. */
	return register_netdevice_notifier(&device_block);
}

void sdp_pace_exit(void)
{
	unregister_netdevice_notifier(&device_block);
}
