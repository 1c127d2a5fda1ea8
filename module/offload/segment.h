/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two levels of segmentation: we cut a message into segments, the device or
 * the kernel cuts each segment into packets whose headers are copies.
 */
#ifndef SDP_OFFLOAD_SEGMENT_H
#define SDP_OFFLOAD_SEGMENT_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* Most payload bytes of a segment: with all headers, an IP length holds it. */
#define SDP_SEGMENT_MAX 65280

/**
 * sdp_segment_room() - most payload bytes of a segment to a device.
 * @dev:     where the route leads.
 * @header:  bytes of IP and transport header.
 * @payload: bytes of payload per packet.
 * @v6:      IPv6.
 *
 * Return: a multiple of @payload, at least one.
 */
u32 sdp_segment_room(const struct net_device *dev, u32 header, u32 payload,
		     bool v6);

/**
 * sdp_segment_mark() - have a segment cut into packets on its way.
 * @skb:     the segment.
 * @payload: bytes of payload per packet.
 * @bytes:   bytes of payload in @skb, more than @payload.
 * @v6:      IPv6.
 */
void sdp_segment_mark(struct sk_buff *skb, u32 payload, u32 bytes, bool v6);

/**
 * sdp_segment_limit() - most payload bytes of a segment that a device cuts itself.
 * @dev, @header, @payload: as above; IPv4.
 */
u32 sdp_segment_limit(const struct net_device *dev, u32 header, u32 payload);

/** sdp_segment_mark_device() - have a segment cut by a device that is known to. IPv4. */
void sdp_segment_mark_device(struct sk_buff *skb, u32 payload, u32 bytes);

/** sdp_segment_mark_kernel() - have it cut by the kernel after all. */
void sdp_segment_mark_kernel(struct sk_buff *skb);

/**
 * sdp_segment_init() - register the callbacks that cut segments.
 * @protocol: IP protocol number.
 * @seal:     makes a sealed copy of a segment with skb->decrypted; NULL: it cannot.
 * Return: 0 or a negative errno.
 */
int sdp_segment_init(u8 protocol, struct sk_buff *(*seal)(struct sk_buff *skb));
void sdp_segment_exit(u8 protocol);

#endif /* SDP_OFFLOAD_SEGMENT_H */
