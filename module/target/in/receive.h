/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets as they come from IP: looked at, and given to those of their mode.
 */
#ifndef SDP_TARGET_RECEIVE_H
#define SDP_TARGET_RECEIVE_H

struct sk_buff;

/**
 * sdp_receive() - protocol handler, IPv4 and IPv6.
 * @skb: consumed.
 *
 * Context: softirq, RCU read lock. Return: 0.
 */
int sdp_receive(struct sk_buff *skb);

/**
 * sdp_receive_at_home() - the same, of a packet that has been steered (steer.h).
 * @skb: consumed.
 *
 * Context: as for sdp_receive().
 */
void sdp_receive_at_home(struct sk_buff *skb);

#endif /* SDP_TARGET_RECEIVE_H */
