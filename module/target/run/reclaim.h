/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Giving messages up for their memory: who has to go, state/pressure.h says.
 */
#ifndef SDP_TARGET_RECLAIM_H
#define SDP_TARGET_RECLAIM_H

#include "exec.h"

/**
 * sdp_reclaim_pressed() - give incomplete messages up, if any must go.
 * @ep: the socket; its @pressed is cleared.
 *
 * Context: softirq, RCU read lock, not in a run.
 */
void sdp_reclaim_pressed(struct sdp_endpoint *ep);

#endif /* SDP_TARGET_RECLAIM_H */
