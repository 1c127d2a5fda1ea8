/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Plain packets and IP: what the kernel cuts into fragments loses its mark, and what it
 * sends an error about is quoted there. Neither happens to those that pass this hook.
 */
#ifndef SDP_TARGET_NIC_IP_H
#define SDP_TARGET_NIC_IP_H

#include "../state/net.h"

#if IS_ENABLED(CONFIG_NETFILTER)

/**
 * sdp_nic_ip_guard() - look at all plain packets of a namespace before they leave IP.
 * @sn: of the namespace.
 *
 * Context: process, may sleep. Return: false: it could not be done.
 */
bool sdp_nic_ip_guard(struct sdp_net *sn);

/** sdp_nic_ip_exit_net() - the namespace ends. */
void sdp_nic_ip_exit_net(struct sdp_net *sn);

#else /* Nobody changes packets on their way through IP. */

static inline bool sdp_nic_ip_guard(struct sdp_net *sn)
{
	return true;
}

static inline void sdp_nic_ip_exit_net(struct sdp_net *sn)
{
}

#endif

#endif /* SDP_TARGET_NIC_IP_H */
