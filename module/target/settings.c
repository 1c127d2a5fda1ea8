// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values that the sysctls of a namespace begin with. docs/sysctl.md explains
 * them; those of the protocol are the defaults of Homa/Linux.
 */
#include <linux/homa.h>
#include <linux/limits.h>
#include <linux/sdp.h>
#include <linux/time64.h>

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
	WRITE_ONCE(set->prog.max_message[0], HOMA_MAX_MESSAGE_LENGTH);
	WRITE_ONCE(set->prog.max_message[1], sealed_bound(set->max_message));
}

static void init_program(struct prog_params *prog)
{
	/* Shortest messages at the highest levels; 0 to 4 take any length. */
	static const u32 cutoffs[PROG_PRIOS] = {
		U32_MAX, U32_MAX, U32_MAX, U32_MAX, U32_MAX, 15000, 2800, 200,
	};

	prog->resend_ns = 5 * NSEC_PER_MSEC;
	prog->dead_ns = 100 * NSEC_PER_MSEC;
	prog->need_ack_ns = 2 * NSEC_PER_MSEC;
	prog->forget_ns = 100 * NSEC_PER_MSEC;
	prog->unsched_bytes = 66000;
	prog->max_unsched = 131072;
	prog->window = 100000;
	prog->max_incoming = 400000;
	prog->quantum = 16384;
	prog->pace_bytes = 1000;
	prog->fifo_share = 50;
	prog->fifo_chunk = 10000;
	memcpy(prog->cutoffs, cutoffs, sizeof(cutoffs));
	prog->cutoff_version = 1;
	prog->overcommit = 8;
	prog->prios = PROG_PRIOS;
	prog->sched_prios = 4;
	prog->resend_tries = 5;
}

void sdp_settings_init(struct sdp_settings *set)
{
	init_program(&set->prog);
	set->policy = SDP_POLICY_CLEAR;
	set->policy_allowed = BIT(SDP_POLICY_CLEAR) | BIT(SDP_POLICY_SECURE) |
			      BIT(SDP_POLICY_MIXED);
	set->max_message = HOMA_MAX_MESSAGE_LENGTH;
	set->rcvbuf = 32 << 20;
	set->sndbuf = 32 << 20;
	set->peer_rpcs = 16384;
	set->max_peers = 65536;
	set->user_sessions = 4096;
	set->pace_ns = 5000;
	sdp_settings_derive(set);
}
