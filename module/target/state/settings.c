// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values that the sysctls of a namespace begin with; docs/sysctl.md explains them.
 */
#include <linux/netdevice.h>
#include <linux/sdp.h>

#include "settings.h"

/*
 * Sealing adds 22 bytes a record: at most a tenth, at the smallest record. The
 * peer may pad.
 */
static u32 sealed_bound(u32 length)
{
	length += SDP_PADDING_MAX;
	return length + length / 8 + 4096;
}

void sdp_settings_derive(struct sdp_settings *set)
{
	set->prog.max_message[1] = sealed_bound(set->max_message);
	set->seen[0] = set->prog;
	RCU_INIT_POINTER(set->now, &set->seen[0]);
}

void sdp_settings_publish(struct sdp_settings *set)
{
	bool next = rcu_access_pointer(set->now) == &set->seen[0];

	lockdep_assert_held(&set->lock);
	set->prog.max_message[1] = sealed_bound(set->max_message);
	set->seen[next] = set->prog;
	rcu_assign_pointer(set->now, &set->seen[next]);
	/* A chain may have the other one, which is the next to be written. */
	synchronize_net();
}

void sdp_settings_init(struct sdp_settings *set)
{
	mutex_init(&set->lock);
	prog_params_init(&set->prog);
	set->policy = SDP_POLICY_CLEAR;
	set->policy_allowed = BIT(SDP_POLICY_CLEAR) | BIT(SDP_POLICY_SECURE) |
			      BIT(SDP_POLICY_MIXED);
	set->max_message = set->prog.max_message[0];
	set->rcvbuf = 32 << 20;
	set->sndbuf = 32 << 20;
	set->peer_rpcs = 16384;
	set->max_peers = 65536;
	set->user_sessions = 4096;
	set->user_orphans = 4096;
	set->user_ports = (SDP_PORTS - SDP_PORTS_AUTO) / 2;
	set->rekey_s = 120;
	set->pace_ns = 5000;
	set->nic_min_bytes = 8192;
	set->prove_addresses = 1;
	set->steer = 0;
	sdp_settings_derive(set);
}
