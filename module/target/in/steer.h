/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPU handles a packet: those of a message of several are handled on its home
 * CPU. NICs tell flows apart by ports, and know no ports of this protocol: they give
 * all packets of two hosts to one CPU.
 */
#ifndef SDP_TARGET_STEER_H
#define SDP_TARGET_STEER_H

struct sdp_packet;
struct sk_buff;

/**
 * sdp_steer() - have a packet handled on its message's home CPU.
 * @packet: known type, good addresses; nothing of it has been looked up or counted.
 *
 * Not if it is a control packet, has all of its message, is at home, or where its
 * namespace does not want it.
 *
 * Context: softirq, RCU read lock. Return: true: it is there, or on its way; false:
 * it stays the caller's.
 */
bool sdp_steer(struct sdp_packet *packet);

/**
 * sdp_steer_init() - before packets come.
 * @handle: what to do with a packet at home, which it consumes; in softirq, with the RCU
 *	    read lock.
 *
 * Return: 0 or a negative errno.
 */
int sdp_steer_init(void (*handle)(struct sk_buff *skb));

/**
 * sdp_steer_exit() - no more packets come, and whoever handled one has gone.
 *
 * Those that are queued are dropped.
 */
void sdp_steer_exit(void);

#endif /* SDP_TARGET_STEER_H */
