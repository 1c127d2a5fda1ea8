/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pacing: keeps the queue of a device short, so that what is sent next can be
 * chosen late. Only devices with a parent (real ones) whose speed is known are
 * paced; where there is none this costs a test of a static key.
 */
#ifndef SDP_TARGET_PACER_H
#define SDP_TARGET_PACER_H

#include <linux/jump_label.h>
#include <linux/netdevice.h>

#include "net.h"

DECLARE_STATIC_KEY_FALSE(sdp_pacer_used);

static inline bool sdp_pacer_active(void)
{
	return static_branch_unlikely(&sdp_pacer_used);
}

/**
 * sdp_pacer_paced() - do messages to this device wait for their turn?
 * Context: RCU read lock.
 */
bool sdp_pacer_paced(const struct sdp_net *sn, const struct net_device *dev);

void sdp_pacer_sent(const struct net_device *dev, u32 bytes);

/**
 * sdp_pacer_charge() - bytes have been handed to a device.
 * Context: RCU read lock.
 */
static inline void sdp_pacer_charge(const struct net_device *dev, u32 bytes)
{
	if (sdp_pacer_active())
		sdp_pacer_sent(dev, bytes);
}

/**
 * sdp_pacer_kick() - a message waits in PROG_RANK_SEND.
 * Context: BH disabled, an RPC's lock may be held.
 */
void sdp_pacer_kick(struct sdp_net *sn);

int sdp_pacer_init_net(struct sdp_net *sn);
void sdp_pacer_exit_net(struct sdp_net *sn);
int sdp_pacer_init(void);
void sdp_pacer_exit(void);

#endif /* SDP_TARGET_PACER_H */
