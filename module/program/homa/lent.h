/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For how long a quantum is lent, and a message waits for one (lend.h): whatever sets the
 * timer of a message that is being received may not put the end of these off.
 */
#ifndef SDP_PROGRAM_HOMA_LENT_H
#define SDP_PROGRAM_HOMA_LENT_H

#include "rpc.h"

/* Since when the message has held nothing, though it wants to; 0: it does not wait so. */
static inline u64 homa_lent_wanted(const struct prog_rpc *rpc)
{
	return rpc->ranked && !rpc->waiting && !rpc->held && !rpc->rx_stale ?
		       rpc->active : 0;
}

/* ns for which a quantum is lent yet; 0: it is not. */
static inline u64 homa_lent_left(const struct prog_ev *ev,
				 const struct prog_rpc *rpc)
{
	s32 ticks = rpc->lent - homa_tick(ev->now);

	return rpc->lent && ticks > 0 ? (u64)ticks << 10 : 0;
}

/* The time to look again: @due, or before that the end of what is lent, or of the wait. */
static inline u64 homa_lent_wake(const struct prog_ev *ev,
				 const struct prog_params *params,
				 const struct prog_rpc *rpc, u64 due)
{
	u64 wants = homa_lent_wanted(rpc);
	u64 lent = homa_lent_left(ev, rpc);

	if (lent)
		due = homa_shorter(due, ev->now + lent);
	if (wants && wants + params->resend_ns > ev->now)
		due = homa_shorter(due, wants + params->resend_ns);
	return due;
}

/* Whether lend.h has to hear of it. */
static inline u32 homa_lent_due(const struct prog_ev *ev,
				const struct prog_params *params,
				const struct prog_rpc *rpc)
{
	u64 wants = homa_lent_wanted(rpc);

	return (rpc->lent && !homa_lent_left(ev, rpc)) ||
	       (wants && ev->now - wants >= params->resend_ns);
}

#endif /* SDP_PROGRAM_HOMA_LENT_H */
