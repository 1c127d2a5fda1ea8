// SPDX-License-Identifier: GPL-2.0-only
/* testnic0 and testnic1: what one sends the other receives. */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/ip.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/rtnetlink.h>
#include <net/gso.h>
#include <net/ip.h>

#include "testnic.h"

static unsigned int queues = 4;
module_param(queues, uint, 0400);
MODULE_PARM_DESC(queues, "transmit queues of each device");

/**
 * struct queue - a ring, and the hardware behind it.
 * @ring:     struct testnic_posted.
 * @dev:      whose.
 * @number:   of the queue.
 * @task:     the hardware.
 * @wait:     for something to do, or for it to be done.
 * @posted:   entries so far; under the queue's lock.
 * @done:     entries that are; by the hardware, and by who loses them.
 */
struct queue {
	struct ptr_ring ring;
	struct net_device *dev;
	u16 number;
	struct task_struct *task;
	wait_queue_head_t wait;
	u32 posted;
	atomic_t done;
};

struct nic {
	struct net_device *peer;
	struct queue *queue;
	bool seals;
};

static struct net_device *devices[TESTNIC_DEVICES];
static struct platform_device *parents[TESTNIC_DEVICES];

/* A failure to post, after the context was asked for. */
static bool fails_to_post(void)
{
	u32 left = testnic_knob(drop_posts);

	if (!left)
		return false;
	WRITE_ONCE(testnic_knobs[TESTNIC_KNOB_drop_posts], left - 1);
	return true;
}

static netdev_tx_t drop(struct sk_buff *skb)
{
	testnic_count(dropped);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static netdev_tx_t start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	u16 number = skb_get_queue_mapping(skb);
	struct nic *nic = netdev_priv(dev);
	struct queue *queue = &nic->queue[number];
	struct testnic_posted *posted;

	if (ptr_ring_full(&queue->ring)) {
		netif_tx_stop_queue(netdev_get_tx_queue(dev, number));
		wake_up_all(&queue->wait);
		return NETDEV_TX_BUSY;
	}
	posted = kzalloc(sizeof(*posted), GFP_ATOMIC);
	if (!posted)
		return drop(skb);
	posted->skb = skb;
	posted->sealed = skb_is_decrypted(skb);
	if (posted->sealed && skb_is_gso(skb) && testnic_knob(no_cuts))
		testnic_count(misuse_cut);
	if (posted->sealed &&
	    (!sdp_offload_marked(skb) ||
	     sdp_offload_segment(skb, dev, number, &posted->segment) || fails_to_post())) {
		kfree(posted);
		return drop(skb);
	}
	if (ptr_ring_produce(&queue->ring, posted)) {
		kfree(posted);
		return drop(skb);
	}
	WRITE_ONCE(queue->posted, queue->posted + 1);
	if (posted->sealed)
		sdp_offload_posted(&posted->segment);
	wake_up_all(&queue->wait);
	return NETDEV_TX_OK;
}

static void deliver(struct sk_buff *skb, struct net_device *peer)
{
	testnic_count(packets);
	testnic_inspect(skb);
	if (!netif_running(peer)) {
		kfree_skb(skb);
		return;
	}
	skb_scrub_packet(skb, true);
	skb->protocol = eth_type_trans(skb, peer);
	skb->ip_summed = CHECKSUM_NONE;
	local_bh_disable();
	dev_sw_netstats_rx_add(peer, skb->len);
	netif_receive_skb(skb);
	local_bh_enable();
}

/*
 * As hardware cuts what it knows nothing of above IP: headers copied, the length, id and
 * checksum of IPv4 made right.
 */
static void cut(struct sk_buff *skb, u32 headers, struct net_device *peer)
{
	u32 size = skb_shinfo(skb)->gso_size, at, part, number = 0;
	struct sk_buff *piece;
	struct iphdr *ip;

	testnic_count(segments);
	for (at = headers; at < skb->len; at += part, number++) {
		part = min(size, skb->len - at);
		piece = alloc_skb(NET_SKB_PAD + headers + part, GFP_KERNEL);
		if (!piece)
			break;
		skb_reserve(piece, NET_SKB_PAD);
		skb_put_data(piece, skb->data, headers);
		skb_put_data(piece, skb->data + at, part);
		piece->protocol = skb->protocol;
		skb_reset_mac_header(piece);
		skb_set_network_header(piece, ETH_HLEN);
		ip = ip_hdr(piece);
		ip->tot_len = htons(piece->len - ETH_HLEN);
		ip->id = htons(ntohs(ip->id) + number);
		ip_send_check(ip);
		deliver(piece, peer);
	}
	consume_skb(skb);
}

/* Of other protocols: the kernel's own code is the hardware. */
static void cut_other(struct sk_buff *skb, struct net_device *peer)
{
	struct sk_buff *segs, *next;

	segs = skb_gso_segment(skb, 0);
	consume_skb(skb);
	if (IS_ERR_OR_NULL(segs))
		return;
	skb_list_walk_safe(segs, segs, next) {
		skb_mark_not_on_list(segs);
		deliver(segs, peer);
	}
}

/* Lists are given to the hardware as lists: it sends each of their packets. */
static void send_list(struct sk_buff *list, struct net_device *peer)
{
	struct sk_buff *packets = skb_gso_segment(list, 0), *next, *copy;

	if (IS_ERR_OR_NULL(packets))
		return;
	skb_list_walk_safe(packets, packets, next) {
		skb_mark_not_on_list(packets);
		copy = skb_copy(packets, GFP_KERNEL);
		consume_skb(packets);
		if (!copy)
			continue;
		copy->sk = NULL;
		deliver(copy, peer);
	}
}

/* DMA: what is in memory now. Then the packet is given back. */
static void transmit(struct queue *queue, struct testnic_posted *posted)
{
	struct nic *nic = netdev_priv(queue->dev);
	struct sk_buff *skb;

	if (testnic_knob(slow_us))
		usleep_range(testnic_knob(slow_us), 2 * testnic_knob(slow_us));
	if (skb_shinfo(posted->skb)->gso_type & SKB_GSO_FRAGLIST) {
		send_list(posted->skb, nic->peer);
		goto out;
	}
	skb = skb_copy(posted->skb, GFP_KERNEL);
	if (!skb)
		goto out;
	skb->sk = NULL;
	if (posted->sealed) {
		struct sk_buff *original = posted->skb;

		posted->skb = skb;
		testnic_seal(posted, queue->number);
		posted->skb = original;
#ifdef CONFIG_SKB_DECRYPTED
		skb->decrypted = 0;
#endif
		if (skb_is_gso(skb))
			cut(skb, posted->segment.headers, nic->peer);
		else
			deliver(skb, nic->peer);
	} else if (skb_is_gso(skb)) {
		cut_other(skb, nic->peer);
	} else if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb)) {
		kfree_skb(skb);
	} else {
		deliver(skb, nic->peer);
	}
out:
	dev_consume_skb_any(posted->skb);
	kfree(posted);
}

static void one_is_done(struct queue *queue)
{
	/* Pairs with testnic_wait(). Others count at the same time. */
	atomic_inc_return_release(&queue->done);
	wake_up_all(&queue->wait);
	if (netif_tx_queue_stopped(netdev_get_tx_queue(queue->dev, queue->number)))
		netif_tx_wake_queue(netdev_get_tx_queue(queue->dev, queue->number));
}

static int hardware(void *arg)
{
	struct queue *queue = arg;
	struct testnic_posted *posted;

	while (!kthread_should_stop()) {
		wait_event_interruptible(queue->wait, !ptr_ring_empty_bh(&queue->ring) ||
					 kthread_should_stop());
		while ((posted = ptr_ring_consume_bh(&queue->ring))) {
			transmit(queue, posted);
			one_is_done(queue);
			cond_resched();
		}
	}
	return 0;
}

void testnic_wait(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);
	u32 i;

	for (i = 0; i < queues; i++) {
		struct queue *queue = &nic->queue[i];
		u32 until = READ_ONCE(queue->posted);

		/* Who waits in the thread itself would wait for ever; nobody does. */
		wait_event(queue->wait, (int)(atomic_read_acquire(&queue->done) - until) >= 0);
	}
}

void testnic_lose(u32 device)
{
	struct net_device *dev = devices[device];
	struct nic *nic = netdev_priv(dev);
	struct testnic_posted *posted;
	u32 i;

	netif_tx_lock_bh(dev);
	for (i = 0; i < queues; i++)
		while ((posted = ptr_ring_consume(&nic->queue[i].ring))) {
			testnic_count(lost);
			dev_kfree_skb_any(posted->skb);
			kfree(posted);
			one_is_done(&nic->queue[i]);
		}
	/* Before anything more is posted. */
	sdp_offload_reset(dev);
	netif_tx_unlock_bh(dev);
}

int testnic_vanish(u32 device, bool vanish)
{
	struct nic *nic;
	int err = 0;

	if (device >= TESTNIC_DEVICES)
		return -EINVAL;
	nic = netdev_priv(devices[device]);
	if (vanish)
		sdp_offload_unregister(devices[device]);
	else if (!nic->seals)
		err = sdp_offload_register(devices[device],
					   testnic_ops(!testnic_knob(no_cuts)));
	if (!err)
		nic->seals = !vanish;
	return err;
}

static int begin(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
	netif_carrier_on(dev);
	return 0;
}

static int end(struct net_device *dev)
{
	netif_carrier_off(dev);
	netif_tx_stop_all_queues(dev);
	return 0;
}

static int set_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	if (!channels->combined_count || channels->combined_count > queues)
		return -EINVAL;
	return netif_set_real_num_tx_queues(dev, channels->combined_count);
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	channels->max_combined = queues;
	channels->combined_count = dev->real_num_tx_queues;
}

static int get_link(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	settings->base.speed = SPEED_100000;
	settings->base.duplex = DUPLEX_FULL;
	return 0;
}

static const struct ethtool_ops ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = get_link,
	.get_channels = get_channels,
	.set_channels = set_channels,
};

static const struct net_device_ops device_ops = {
	.ndo_open = begin,
	.ndo_stop = end,
	.ndo_start_xmit = start_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void forget(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);
	struct testnic_posted *posted;
	u32 i;

	for (i = 0; nic->queue && i < queues; i++) {
		struct queue *queue = &nic->queue[i];

		if (!IS_ERR_OR_NULL(queue->task))
			kthread_stop(queue->task);
		while (queue->ring.queue && (posted = ptr_ring_consume_bh(&queue->ring))) {
			dev_kfree_skb_any(posted->skb);
			kfree(posted);
		}
		if (queue->ring.queue)
			ptr_ring_cleanup(&queue->ring, NULL);
	}
	kfree(nic->queue);
}

static void setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &device_ops;
	dev->ethtool_ops = &ethtool_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_TSO | NETIF_F_TSO6 |
			   NETIF_F_HIGHDMA;
	dev->features = dev->hw_features;
	/* On request it takes segments whole that it need not seal, as veth does. */
	dev->hw_features |= NETIF_F_GSO_FRAGLIST;
	dev->vlan_features = dev->features;
	dev->max_mtu = 9000;
	eth_hw_addr_random(dev);
}

static int start_queues(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);
	u32 i;
	int err;

	nic->queue = kcalloc(queues, sizeof(*nic->queue), GFP_KERNEL);
	if (!nic->queue)
		return -ENOMEM;
	for (i = 0; i < queues; i++) {
		struct queue *queue = &nic->queue[i];

		queue->dev = dev;
		queue->number = i;
		init_waitqueue_head(&queue->wait);
		err = ptr_ring_init(&queue->ring, TESTNIC_RING, GFP_KERNEL);
		if (err)
			return err;
		queue->task = kthread_run(hardware, queue, "%s/%u", dev->name, i);
		if (IS_ERR(queue->task))
			return PTR_ERR(queue->task);
	}
	return 0;
}

static int make(u32 number)
{
	struct platform_device *parent;
	struct net_device *dev;
	char name[IFNAMSIZ];

	/* Like a real one it has a parent, and so is paced. */
	parent = platform_device_register_simple("sdp_testnic", number, NULL, 0);
	if (IS_ERR(parent))
		return PTR_ERR(parent);
	parents[number] = parent;
	snprintf(name, sizeof(name), "testnic%u", number);
	dev = alloc_netdev_mqs(sizeof(struct nic), name, NET_NAME_USER, setup, queues, 1);
	if (!dev)
		return -ENOMEM;
	devices[number] = dev;
	dev->dev_port = number;
	SET_NETDEV_DEV(dev, &parent->dev);
	netif_carrier_off(dev);
	return start_queues(dev);
}

/* Registered or not. */
static void destroy(u32 number)
{
	struct net_device *dev = devices[number];

	if (dev) {
		if (dev->reg_state == NETREG_REGISTERED) {
			unregister_netdev(dev);
			/* Nothing is posted any more; what was is gone after this. */
			testnic_wait(dev);
			sdp_offload_unregister(dev);
		}
		forget(dev);
		free_netdev(dev);
	}
	platform_device_unregister(parents[number]);
}

void testnic_devices_exit(void)
{
	u32 i;

	/* Each may be delivering to the other. */
	for (i = 0; i < TESTNIC_DEVICES; i++)
		if (devices[i] && devices[i]->reg_state == NETREG_REGISTERED) {
			rtnl_lock();
			dev_close(devices[i]);
			rtnl_unlock();
			testnic_wait(devices[i]);
		}
	for (i = 0; i < TESTNIC_DEVICES; i++)
		destroy(i);
}

int testnic_devices_init(void)
{
	int err = 0;
	u32 i;

	for (i = 0; i < TESTNIC_DEVICES && !err; i++)
		err = make(i);
	for (i = 0; i < TESTNIC_DEVICES && !err; i++) {
		struct nic *nic = netdev_priv(devices[i]);

		nic->peer = devices[!i];
	}
	for (i = 0; i < TESTNIC_DEVICES && !err; i++)
		err = register_netdev(devices[i]) ?: testnic_vanish(i, false);
	if (err)
		testnic_devices_exit();
	return err;
}

static int __init testnic_init(void)
{
	int err = testnic_engine_init();

	if (err)
		return err;
	err = testnic_devices_init();
	if (err)
		goto exit_engine;
	err = testnic_control_init();
	if (err)
		goto exit_devices;
	return 0;

exit_devices:
	testnic_devices_exit();
exit_engine:
	testnic_engine_exit();
	return err;
}

static void __exit testnic_exit(void)
{
	testnic_control_exit();
	testnic_devices_exit();
	testnic_engine_exit();
}

module_init(testnic_init);
module_exit(testnic_exit);

MODULE_DESCRIPTION("A NIC that seals, in software, for the tests of SDP");
MODULE_LICENSE("GPL");
