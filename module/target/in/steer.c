// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet is queued for its home CPU, where a NAPI of ours takes it from, a budget at
 * a time, in turn with the devices of that CPU. Who queues the first one has taken that
 * NAPI (NAPI_STATE_SCHED), so that there is one who wakes the CPU. That is done at the
 * end of a round of packets, by another NAPI, which no other CPU schedules: an interrupt
 * for all of the round. Two are needed: two CPUs that wait to wake each other, each in
 * the NAPI that the other has taken, would wait for ever.
 *
 * What goes away: docs/locking.md.
 */
#include <linux/cpuhotplug.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/sched/isolation.h>
#include <linux/siphash.h>
#include <linux/smp.h>
#include <net/dst.h>

#include "../../observe/name.h"
#include "../../observe/observe.h"
#include "packet.h"
#include "steer.h"

/**
 * struct steer_cpu - packets that a CPU is to handle.
 * @queue:    of others' packets; its lock is also of @bytes. Softirq, and flush().
 * @bytes:    their truesize.
 * @drain:    takes from @queue; scheduled by whoever has put something there.
 * @kick:     wakes @asleep; scheduled by its own CPU only.
 * @asleep:   those whose @drain this CPU has taken and not yet scheduled.
 * @sleeper:  in another CPU's @asleep.
 * @csd:      schedules @drain there. One who has taken @drain uses it.
 * @cpu:      its number.
 */
struct steer_cpu {
	struct sk_buff_head queue;
	u32 bytes;
	struct napi_struct drain;
	struct napi_struct kick;
	struct llist_head asleep;
	struct llist_node sleeper;
	call_single_data_t csd;
	int cpu;
};

/* What a queue holds; then packets are handled where they are, as without a queue. */
static unsigned int steer_queue = 4 << 20;
module_param(steer_queue, uint, 0644);
MODULE_PARM_DESC(steer_queue, "bytes of packets that wait for another CPU, for each");

static struct steer_cpu __percpu *steer_cpus;
static struct net_device *steer_device;
static int steer_state;
static void (*handle_at_home)(struct sk_buff *skb) __read_mostly;
static siphash_key_t steer_key __read_mostly;

/*
 * CPUs that messages have a home on: homes[0] to homes[home_count - 1]. Changed by CPU
 * hotplug only; whoever reads meanwhile may find one that has just gone (kick_poll()).
 */
static u16 *homes __read_mostly;
static u32 home_count __read_mostly;

/* Not where whoever has set up the machine wants quiet: as for RPS. */
static bool may_be_home(unsigned int cpu)
{
	/* An idle CPU of PREEMPT_RT takes no softirq from an interrupt of another one. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return false;
	return cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_DOMAIN)) &&
	       cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_WQ));
}

static int cpu_comes(unsigned int cpu)
{
	if (!may_be_home(cpu))
		return 0;
	WRITE_ONCE(homes[home_count], cpu);
	/* Pairs with home_of(). */
	smp_store_release(&home_count, home_count + 1);
	return 0;
}

static int cpu_goes(unsigned int cpu)
{
	u32 i;

	for (i = 0; i < home_count; i++) {
		if (homes[i] != cpu)
			continue;
		WRITE_ONCE(homes[i], homes[home_count - 1]);
		WRITE_ONCE(home_count, home_count - 1);
		break;
	}
	return 0;
}

/* By a secret: nobody chooses whom to share a CPU with. */
static unsigned int home_of(const struct sdp_packet *packet, u32 count)
{
	const struct sdp_rpc_id *who = &packet->who;
	struct {
		struct in6_addr peer;
		struct in6_addr local;
		u64 id;
		u64 ports;
	} message = {
		.peer = packet->to.peer, .local = packet->to.local,
		.id = who->id, .ports = (u64)who->port << 16 | who->pport,
	};
	u32 hash = siphash(&message, sizeof(message), &steer_key);

	return READ_ONCE(homes[reciprocal_scale(hash, count)]);
}

/* DATA of a message that has more than this. */
static bool is_part(struct sdp_packet *packet)
{
	const struct sdp_data_hdr *hdr;

	if ((packet->hdr->type & ~SDP_TYPE_SECURE) != SDP_TYPE_DATA)
		return false;
	static_assert(offsetof(struct sdp_data_hdr, message_length) ==
		      offsetof(struct sdp_secure_data_hdr, message_length));
	hdr = sdp_receive_pull(packet, sizeof(*hdr));
	return hdr && ntohl(hdr->message_length) > packet->skb->len - sizeof(*hdr);
}

/*
 * A device that stops is told apart under the lock: what is queued before flush() looks
 * goes with it, and nothing is queued afterwards.
 */
static bool put_last(struct steer_cpu *to, struct sk_buff *skb)
{
	u32 size = skb->truesize;
	bool fits;

	spin_lock(&to->queue.lock);
	fits = (u64)to->bytes + size <= READ_ONCE(steer_queue) &&
	       netif_running(skb->dev);
	if (fits) {
		to->bytes += size;
		__skb_queue_tail(&to->queue, skb);
	}
	spin_unlock(&to->queue.lock);
	return fits;
}

static struct sk_buff *take_first(struct steer_cpu *from)
{
	struct sk_buff *skb = __skb_dequeue(&from->queue);

	if (skb)
		from->bytes -= skb->truesize;
	return skb;
}

/* One that is just being replaced is good enough for who handles the packet here. */
static bool hold_route(struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);

	if (!dst || (skb_dst_is_noref(skb) && !dst_hold_safe(dst)))
		return false;
	if (skb_dst_is_noref(skb))
		skb_dst_set(skb, dst);
	return true;
}

bool sdp_steer(struct sdp_packet *packet)
{
	/* Pairs with cpu_comes(). */
	u32 count = smp_load_acquire(&home_count);
	struct sdp_net *sn = packet->to.sn;
	struct sk_buff *skb = packet->skb;
	struct steer_cpu *to, *here;
	unsigned int cpu;

	if (count < 2 || !READ_ONCE(sn->set.steer) || !is_part(packet))
		return false;
	cpu = home_of(packet, count);
	here = this_cpu_ptr(steer_cpus);
	if (cpu == here->cpu)
		return false;
	/* Route and owner may be good for this softirq only. */
	if (!hold_route(skb))
		return false;
	skb_orphan(skb);
	to = per_cpu_ptr(steer_cpus, cpu);
	if (unlikely(!put_last(to, skb))) {
		sdp_count(sn->counts, SDP_CTR_steer_full);
		return false;
	}
	sdp_count(sn->counts, SDP_CTR_steered);
	if (napi_schedule_prep(&to->drain)) {
		sdp_count(sn->counts, SDP_CTR_steer_wakes);
		llist_add(&to->sleeper, &here->asleep);
		napi_schedule(&here->kick);
	}
	return true;
}

/* In an interrupt. */
static void woken(void *info)
{
	struct steer_cpu *self = info;

	__napi_schedule_irqoff(&self->drain);
}

/* On the CPU that it is of, or, if that has gone, on another one. */
static int kick_poll(struct napi_struct *napi, int budget)
{
	struct steer_cpu *self = container_of(napi, struct steer_cpu, kick);
	struct llist_node *asleep = llist_del_all(&self->asleep);
	struct steer_cpu *to, *next;

	/* Once woken, it may be in another list. */
	llist_for_each_entry_safe(to, next, asleep, sleeper) {
		int err = smp_call_function_single_async(to->cpu, &to->csd);

		/* Who has taken its @drain alone uses @csd: it is not in use. */
		WARN_ON_ONCE(err == -EBUSY);
		/* It has gone offline: then here. */
		if (err == -ENXIO)
			__napi_schedule(&to->drain);
	}
	napi_complete_done(napi, 0);
	return 0;
}

/* As kick_poll(). A packet is found by flush() in the queue, or waited for. */
static int drain_poll(struct napi_struct *napi, int budget)
{
	struct steer_cpu *self = container_of(napi, struct steer_cpu, drain);
	struct sk_buff_head batch;
	struct sk_buff *skb;
	int done = 0;

	__skb_queue_head_init(&batch);
	rcu_read_lock();
	spin_lock(&self->queue.lock);
	for (; done < budget; done++) {
		skb = take_first(self);
		if (!skb)
			break;
		__skb_queue_tail(&batch, skb);
	}
	spin_unlock(&self->queue.lock);
	while ((skb = __skb_dequeue(&batch)))
		handle_at_home(skb);
	rcu_read_unlock();
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

/*
 * Packets point to the device that they have come by, without a reference: those that
 * wait are dropped, those that are being handled are waited for.
 */
static void flush(const struct net_device *dev)
{
	struct sk_buff *skb, *next;
	struct sk_buff_head gone;
	bool busy = false;
	int cpu;

	__skb_queue_head_init(&gone);
	for_each_possible_cpu(cpu) {
		struct steer_cpu *from = per_cpu_ptr(steer_cpus, cpu);

		spin_lock_bh(&from->queue.lock);
		skb_queue_walk_safe(&from->queue, skb, next) {
			if (skb->dev != dev)
				continue;
			__skb_unlink(skb, &from->queue);
			from->bytes -= skb->truesize;
			__skb_queue_tail(&gone, skb);
		}
		spin_unlock_bh(&from->queue.lock);
		busy |= napi_is_scheduled(&from->drain);
	}
	__skb_queue_purge_reason(&gone, SKB_DROP_REASON_DEV_READY);
	if (busy)
		synchronize_net();
}

/* Also when it goes to another namespace. */
static int device_goes(struct notifier_block *block, unsigned long event,
		       void *ptr)
{
	if (event == NETDEV_UNREGISTER)
		flush(netdev_notifier_info_to_dev(ptr));
	return NOTIFY_DONE;
}

static struct notifier_block device_block = { .notifier_call = device_goes };

/* Nobody else may poll it: it is of no namespace. */
static void add_napi(struct napi_struct *napi,
		     int (*poll)(struct napi_struct *napi, int budget))
{
	set_bit(NAPI_STATE_NO_BUSY_POLL, &napi->state);
	netif_napi_add(steer_device, napi, poll);
	napi_enable(napi);
}

static void free_cpus(void)
{
	int cpu;

	/* Kicks first: they schedule the others. */
	for_each_possible_cpu(cpu)
		napi_disable(&per_cpu_ptr(steer_cpus, cpu)->kick);
	for_each_possible_cpu(cpu) {
		struct steer_cpu *self = per_cpu_ptr(steer_cpus, cpu);

		napi_disable(&self->drain);
		__netif_napi_del(&self->drain);
		__netif_napi_del(&self->kick);
		__skb_queue_purge(&self->queue);
	}
	/* Whoever polled one has left it, and this file. */
	synchronize_net();
	free_netdev(steer_device);
	free_percpu(steer_cpus);
	kfree(homes);
}

int sdp_steer_init(void (*handle)(struct sk_buff *skb))
{
	int cpu, err;

	handle_at_home = handle;
	get_random_bytes(&steer_key, sizeof(steer_key));
	homes = kcalloc(nr_cpu_ids, sizeof(*homes), GFP_KERNEL);
	steer_cpus = alloc_percpu(struct steer_cpu);
	steer_device = alloc_netdev_dummy(0);
	if (!homes || !steer_cpus || !steer_device) {
		if (steer_device)
			free_netdev(steer_device);
		free_percpu(steer_cpus);
		kfree(homes);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		struct steer_cpu *self = per_cpu_ptr(steer_cpus, cpu);

		skb_queue_head_init(&self->queue);
		init_llist_head(&self->asleep);
		INIT_CSD(&self->csd, woken, self);
		self->cpu = cpu;
		add_napi(&self->drain, drain_poll);
		add_napi(&self->kick, kick_poll);
	}
	err = register_netdevice_notifier(&device_block);
	if (err)
		goto free;
	err = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "net/" SDP_NAMED("") ":steer",
				cpu_comes, cpu_goes);
	if (err < 0)
		goto unregister;
	steer_state = err;
	return 0;

unregister:
	unregister_netdevice_notifier(&device_block);
free:
	free_cpus();
	return err;
}

void sdp_steer_exit(void)
{
	cpuhp_remove_state(steer_state);
	unregister_netdevice_notifier(&device_block);
	free_cpus();
}
