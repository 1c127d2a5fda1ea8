/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pacing: keeps the queue of a device short, so that what is sent next can be
 * chosen late. Only devices with a parent (real ones) whose speed is known are
 * paced; where there is none this costs a test of a static key.
 */
#ifndef SDP_TARGET_PACE_H
#define SDP_TARGET_PACE_H

#include <linux/jump_label.h>
#include <linux/netdevice.h>

#include "../state/net.h"

DECLARE_STATIC_KEY_FALSE(sdp_pace_used);

static inline bool sdp_pace_active(void)
{
	return static_branch_unlikely(&sdp_pace_used);
}

/**
 * sdp_pace_applies() - do messages to this device wait for their turn?
 * Context: RCU read lock.
 */
bool sdp_pace_applies(const struct sdp_net *sn, const struct net_device *dev);

void sdp_pace_sent(const struct net_device *dev, u32 bytes);

/**
 * sdp_pace_wait() - how long what goes to a device should wait.
 * @dev:   the device, or NULL.
 * @pace:  length of its queue that is aimed at, ns; 0: any.
 * @bytes: written: how many may be sent when the time has come.
 *
 * Context: RCU read lock. Return: ns, 0: now; so it is where @dev is not paced.
 */
u64 sdp_pace_wait(const struct net_device *dev, u32 pace, u32 *bytes);

/**
 * sdp_pace_charge() - bytes have been handed to a device.
 * Context: RCU read lock.
 */
static inline void sdp_pace_charge(const struct net_device *dev, u32 bytes)
{
	if (sdp_pace_active())
		sdp_pace_sent(dev, bytes);
}

int sdp_pace_init(void);
void sdp_pace_exit(void);

#endif /* SDP_TARGET_PACE_H */
