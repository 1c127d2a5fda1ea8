/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys and contexts on NICs that seal (registry/sdp_offload.h, docs/offload.md): a key is
 * an epoch's, on one device; its contexts are each of one queue. Both are made by work
 * items, when they are first wanted, and are there or not for who asks.
 */
#ifndef SDP_OFFLOAD_NIC_H
#define SDP_OFFLOAD_NIC_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "../registry/sdp_offload.h"

/* Contexts of a key on a queue: messages that it seals in turn without resynchronising. */
#define SDP_NIC_CONTEXTS 4

struct sdp_counts;
struct sdp_nic_key;

/** sdp_nic_mark() - the packet holds plaintext. */
static inline void sdp_nic_mark(struct sk_buff *skb, bool plain)
{
#ifdef CONFIG_SKB_DECRYPTED
	skb->decrypted = plain;
#endif
}

/* Can a kernel carry such packets at all? */
#define SDP_NIC_POSSIBLE \
	(IS_ENABLED(CONFIG_SKB_DECRYPTED) && IS_ENABLED(CONFIG_SOCK_VALIDATE_XMIT))

/** enum sdp_nic_ability - what a device seals. */
enum sdp_nic_ability {
	SDP_NIC_NOTHING,
	SDP_NIC_PACKETS,	/* what it need not cut */
	SDP_NIC_SEGMENTS,
};

/**
 * sdp_nic_can() - does a device seal records of TLS with a cipher?
 * @dev:    the device.
 * @cipher: SDP_CIPHER_*.
 *
 * Context: RCU read lock.
 */
enum sdp_nic_ability sdp_nic_can(const struct net_device *dev, u16 cipher);

/**
 * struct sdp_nic_secret - what a key is made of.
 * @cipher: SDP_CIPHER_*.
 * @key:    16 or 32 bytes are used.
 * @iv:     of the nonces.
 */
struct sdp_nic_secret {
	u16 cipher;
	u8 key[32];
	u8 iv[12];
};

/**
 * sdp_nic_key_make() - have a device get a key.
 * @dev:    the device, valid under RCU, which is held.
 * @secret: of the key; copied.
 * @counts: of the namespace, which ends with sdp_nic_wait_gone().
 *
 * Context: atomic. Return: the key, which is not ready yet; NULL: for want of memory, or
 * the device cannot, or is going.
 */
struct sdp_nic_key *sdp_nic_key_make(const struct net_device *dev,
				     const struct sdp_nic_secret *secret,
				     struct sdp_counts __percpu *counts);

/**
 * sdp_nic_key_ready() - does the device have the key?
 * @key: of the epoch, or NULL.
 * @dev: the device.
 *
 * Context: any, RCU read lock.
 */
bool sdp_nic_key_ready(const struct sdp_nic_key *key, const struct net_device *dev);

/** sdp_nic_key_cuts() - does its device cut segments? */
bool sdp_nic_key_cuts(const struct sdp_nic_key *key);

/** sdp_nic_key_want() - a key that is not ready: is it time to ask the device again? */
void sdp_nic_key_want(struct sdp_nic_key *key);

/**
 * sdp_nic_key_stale() - is it of another device, or one that is gone?
 * @key: of the epoch.
 * @dev: the device that would be used now.
 */
bool sdp_nic_key_stale(const struct sdp_nic_key *key, const struct net_device *dev);

/**
 * sdp_nic_key_end() - the key is not needed any more.
 * @key: nobody can find it, an RCU grace period is over; or NULL.
 *
 * Context: process, may sleep.
 */
void sdp_nic_key_end(struct sdp_nic_key *key);

/** sdp_nic_key_drop() - the same after a grace period, by a work item. Context: any. */
void sdp_nic_key_drop(struct sdp_nic_key *key);

/** sdp_nic_key_records() - records that NICs have sealed under it. */
u64 sdp_nic_key_records(const struct sdp_nic_key *key);

/**
 * sdp_nic_ready() - is there a context of a key for a queue?
 * @key:   ready.
 * @queue: of its device.
 *
 * If not, one is made for the next time. Context: softirq, RCU.
 */
bool sdp_nic_ready(struct sdp_nic_key *key, u16 queue);

/**
 * sdp_nic_take() - choose a context for records that a driver is about to post.
 * @key:     of their epoch, or NULL.
 * @dev:     the driver's device.
 * @queue:   whose lock is held.
 * @segment: @record and @records are set; @context, @resync, @cookie are written.
 *
 * Context: ndo_start_xmit(). Return: 0; -ENODEV, -ENOENT as sdp_offload_segment().
 */
int sdp_nic_take(struct sdp_nic_key *key, const struct net_device *dev, u16 queue,
		 struct sdp_offload_segment *segment);

/** sdp_nic_posted() - see struct sdp_offload_transport. */
void sdp_nic_posted(const struct sdp_offload_segment *segment);

/** sdp_nic_gone() - likewise. */
void sdp_nic_gone(struct sdp_offload_device *device);

/**
 * sdp_nic_wait_gone() - until a namespace has no keys.
 * @counts: of the namespace, whose epochs are ending.
 *
 * Context: process, may sleep.
 */
void sdp_nic_wait_gone(const struct sdp_counts __percpu *counts);

/** sdp_nic_flush() - until what was dropped is gone. Context: process, may sleep. */
void sdp_nic_flush(void);

/** sdp_nic_init() - before the first key. Return: 0, -ENOMEM. */
int sdp_nic_init(void);

/** sdp_nic_exit() - after the last one; waits for what sdp_nic_key_drop() has begun. */
void sdp_nic_exit(void);

#endif /* SDP_OFFLOAD_NIC_H */
