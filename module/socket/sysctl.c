// SPDX-License-Identifier: GPL-2.0-only
/*
 * net.sdp.*: settings of each network namespace, explained in docs/sysctl.md.
 * The protocol's and a user's own limits are for the namespace's root; limits
 * that protect the machine from its users are not, where that root is no root
 * of the machine: such a namespace inherits and shows them.
 */
#include <linux/slab.h>
#include <linux/sysctl.h>
#include <linux/time64.h>
#include <net/net_namespace.h>

#include "../observe/name.h"
#include "../target/state/memory.h"
#include "../target/state/settings.h"
#include "socket.h"

static const unsigned int one = 1;
static const unsigned int policy_max = SDP_POLICY_MIXED;
static const unsigned int policies = BIT(SDP_POLICY_CLEAR) |
				     BIT(SDP_POLICY_SECURE) |
				     BIT(SDP_POLICY_MIXED);
static const unsigned int buffer_min = 65536;
static const unsigned int buffer_max = SDP_MEMORY_MOST;
static const unsigned int message_min = 1024;
static const unsigned int message_max = SDP_MAX_MESSAGE_LIMIT;
static const unsigned int bytes_max = 1 << 28;
static const unsigned int window_min = 1500;
static const unsigned int count_max = 1 << 24;
static const unsigned int minute_us = 60 * USEC_PER_SEC;
static const unsigned int rekey_max = 86400;
static const unsigned int pace_max = 10 * NSEC_PER_MSEC;
static const unsigned int permille = 1000;
static const unsigned int most_grants = SDP_RANK_WINNERS;

/* Microseconds for people, nanoseconds in struct prog_params. */
static int do_time(const struct ctl_table *table, int write, void *buffer,
		   size_t *len, loff_t *pos)
{
	u64 *ns = table->data;
	unsigned int us = div_u64(READ_ONCE(*ns), NSEC_PER_USEC);
	struct ctl_table temp = *table;
	int err;

	temp.data = &us;
	temp.maxlen = sizeof(us);
	err = proc_douintvec_minmax(&temp, write, buffer, len, pos);
	if (!err && write)
		WRITE_ONCE(*ns, (u64)us * NSEC_PER_USEC);
	return err;
}

static int do_small(const struct ctl_table *table, int write, void *buffer,
		    size_t *len, loff_t *pos)
{
	u8 *data = table->data;
	unsigned int value = READ_ONCE(*data);
	struct ctl_table temp = *table;
	int err;

	temp.data = &value;
	temp.maxlen = sizeof(value);
	err = proc_douintvec_minmax(&temp, write, buffer, len, pos);
	if (!err && write)
		WRITE_ONCE(*data, value);
	return err;
}

/* .data is an offset in struct sdp_settings until a namespace has its copy. */
#define SETTING(name, field, handler, min, max)				\
	{								\
		.procname = name,					\
		.data = (void *)offsetof(struct sdp_settings, field),	\
		.maxlen = sizeof_field(struct sdp_settings, field),	\
		.mode = 0644,						\
		.proc_handler = handler,				\
		.extra1 = (void *)(min),				\
		.extra2 = (void *)(max),				\
	}

#define UINT(name, field, min, max) \
	SETTING(name, field, proc_douintvec_minmax, min, max)
#define PROG(name, field, min, max) SETTING(name, field, do_program, min, max)

static proc_handler do_program;

/* Inherited where the namespace's root is not the machine's. */
static const struct ctl_table limits[] = {
	PROG("max_message", max_message, &message_min, &message_max),
	UINT("rcvbuf", rcvbuf, &buffer_min, &buffer_max),
	UINT("sndbuf", sndbuf, &buffer_min, &buffer_max),
	UINT("peer_rpcs", peer_rpcs, &one, &count_max),
	UINT("max_peers", max_peers, &one, &count_max),
	UINT("user_sessions", user_sessions, SYSCTL_ZERO, &count_max),
	UINT("user_orphans", user_orphans, SYSCTL_ZERO, &count_max),
	UINT("steer", steer, SYSCTL_ZERO, &one),
};

static const struct ctl_table settings[] = {
	UINT("policy", policy, SYSCTL_ZERO, &policy_max),
	UINT("policy_allowed", policy_allowed, SYSCTL_ZERO, &policies),
	UINT("user_ports", user_ports, SYSCTL_ZERO, &count_max),
	UINT("rekey_s", rekey_s, &one, &rekey_max),
	UINT("pace_ns", pace_ns, SYSCTL_ZERO, &pace_max),
	UINT("nic_min_bytes", nic_min_bytes, SYSCTL_ZERO, SYSCTL_INT_MAX),
	UINT("prove_addresses", prove_addresses, SYSCTL_ZERO, &one),
	PROG("unsched_bytes", prog.unsched_bytes, SYSCTL_ZERO, &bytes_max),
	PROG("max_unsched", prog.max_unsched, SYSCTL_ZERO, &bytes_max),
	PROG("window", prog.window, &window_min, &bytes_max),
	PROG("max_incoming", prog.max_incoming, &window_min, &bytes_max),
	PROG("grant_quantum", prog.quantum, SYSCTL_ZERO, &bytes_max),
	PROG("fifo_share", prog.fifo_share, SYSCTL_ZERO, &permille),
	PROG("overcommit", prog.overcommit, &one, &most_grants),
	PROG("resend_us", prog.resend_ns, &one, &minute_us),
	PROG("dead_us", prog.dead_ns, &one, &minute_us),
	PROG("need_ack_us", prog.need_ack_ns, &one, &minute_us),
};

/* Of the namespace that has this entry of a table. */
static struct sdp_settings *settings_of(const struct ctl_table *table)
{
	const struct ctl_table *like = settings;

	if (!strcmp(table->procname, "max_message"))
		return container_of((u32 *)table->data, struct sdp_settings, max_message);
	while (like->procname != table->procname)
		like++;
	return table->data - (size_t)like->data;
}

/* The program's: the rest of it is copied with what is written. */
static int do_program(const struct ctl_table *table, int write, void *buffer,
		      size_t *len, loff_t *pos)
{
	struct sdp_settings *set = settings_of(table);
	int err;

	mutex_lock(&set->lock);
	switch (table->maxlen) {
	case sizeof(u64):
		err = do_time(table, write, buffer, len, pos);
		break;
	case sizeof(u8):
		err = do_small(table, write, buffer, len, pos);
		break;
	default:
		err = proc_douintvec_minmax(table, write, buffer, len, pos);
	}
	if (!err && write)
		sdp_settings_publish(set);
	mutex_unlock(&set->lock);
	return err;
}

#define TABLE_SIZE (ARRAY_SIZE(limits) + ARRAY_SIZE(settings))

static void inherit_limits(struct sdp_settings *set)
{
	const struct sdp_settings *from = &sdp_net(&init_net)->set;

	set->max_message = READ_ONCE(from->max_message);
	set->rcvbuf = READ_ONCE(from->rcvbuf);
	set->sndbuf = READ_ONCE(from->sndbuf);
	set->peer_rpcs = READ_ONCE(from->peer_rpcs);
	set->max_peers = READ_ONCE(from->max_peers);
	set->user_sessions = READ_ONCE(from->user_sessions);
	set->user_orphans = READ_ONCE(from->user_orphans);
	set->steer = READ_ONCE(from->steer);
	sdp_settings_derive(set);
}

int sdp_sysctl_net_init(struct net *net)
{
	struct sdp_net *sn = sdp_net(net);
	struct ctl_table *table;
	unsigned int i;

	table = kmalloc_array(TABLE_SIZE, sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	memcpy(table, limits, sizeof(limits));
	memcpy(table + ARRAY_SIZE(limits), settings, sizeof(settings));
	for (i = 0; i < TABLE_SIZE; i++)
		table[i].data = (void *)&sn->set + (size_t)table[i].data;
	if (net->user_ns != &init_user_ns) {
		inherit_limits(&sn->set);
		for (i = 0; i < ARRAY_SIZE(limits); i++)
			table[i].mode = 0444;
	}

	sn->sysctl = register_net_sysctl_sz(net, "net/" SDP_NAMED(""), table,
					    TABLE_SIZE);
	if (!sn->sysctl) {
		kfree(table);
		return -ENOMEM;
	}
	sn->sysctl_table = table;
	return 0;
}

void sdp_sysctl_net_exit(struct net *net)
{
	struct sdp_net *sn = sdp_net(net);

	unregister_net_sysctl_table(sn->sysctl);
	kfree(sn->sysctl_table);
}
