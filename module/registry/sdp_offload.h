/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NICs that seal: where their drivers and transports meet. A module of its own,
 * sdp_offload.ko, on which both depend and neither on the other.
 *
 * A driver registers each net device that can seal. A transport gives it keys, and
 * lets it make contexts for its queues; then packets come to ndo_start_xmit() that
 * hold plaintext, for which sdp_offload_marked() is true. Of each of them the driver
 * asks sdp_offload_segment() what to seal it with. Rules for drivers:
 *
 * - A marked packet for which that fails, or which cannot be posted with what it says,
 *   is dropped, with kfree_skb_reason(), and counted. It never leaves as it is.
 * - A packet with skb->decrypted that is not marked holds plaintext that nobody answers
 *   for any more, as where its transport has gone: it is dropped, too, and counted. A TCP
 *   socket's is kTLS's, whatever its bits, and goes the way that it goes without this.
 * - Once the packet is in the queue for good, sdp_offload_posted() is called. Until
 *   then the context is not thought to have sealed anything: it is resynchronised by
 *   the next packet. A call that was forgotten costs time; a call for a packet that the
 *   device then does not seal would seal two plaintexts under one record number.
 * - Where a device loses what was posted (a queue that is reset or made anew), the
 *   driver calls sdp_offload_reset() before anything more is posted.
 *
 * Nothing here knows what a record looks like: that is a matter of a key's kind, which
 * transport and driver agree on.
 */
#ifndef SDP_OFFLOAD_REGISTRY_H
#define SDP_OFFLOAD_REGISTRY_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

#define SDP_OFFLOAD_VERSION 1

/** enum sdp_offload_kind - how packets are sealed. */
enum sdp_offload_kind {
	SDP_OFFLOAD_TLS13,	/* records of TLS 1.3, nonce = IV xor record number */
	SDP_OFFLOAD_KINDS,
};

/** enum sdp_offload_cipher - with what. */
enum sdp_offload_cipher {
	SDP_OFFLOAD_AES_128_GCM,
	SDP_OFFLOAD_AES_256_GCM,
	SDP_OFFLOAD_CIPHERS,
};

/**
 * struct sdp_offload_key - what one sender seals with.
 * @kind:   enum sdp_offload_kind.
 * @cipher: enum sdp_offload_cipher.
 * @key:    16 or 32 bytes.
 * @iv:     12 bytes.
 */
struct sdp_offload_key {
	u8 kind;
	u8 cipher;
	u8 key[32];
	u8 iv[12];
};

/**
 * struct sdp_offload_segment - how to seal a marked packet.
 * @context: what context_add() made: of this device and queue.
 * @record:  number of the first record in it.
 * @records: how many there are, all whole, of consecutive numbers.
 * @headers: bytes before the first record, from the start of the packet.
 * @resync:  the context does not expect this record: it has to be told.
 * @cookie:  the transport's.
 */
struct sdp_offload_segment {
	void *context;
	u64 record;
	u32 records;
	u32 headers;
	bool resync;
	void *cookie;
};

/**
 * struct sdp_offload_ops - what a driver does for a device.
 * @version:     SDP_OFFLOAD_VERSION.
 * @kinds:       bit mask of the kinds that it can do.
 * @ciphers:     bit mask of the ciphers.
 * @contexts:    most contexts that the device has for this.
 * @cuts:        the device cuts large segments of protocol 146 as it cuts TCP's: the
 *               headers copied, IPv4's length, id and checksum made right, nothing above
 *               them.
 * @key_add:     take a key; it is copied. Gives a handle. Context: process, may sleep;
 *               must not take RTNL. Return: 0, -ENOSPC, -EOPNOTSUPP, -ENODEV, ...
 * @key_del:     forget it; it has no context any more. Context: as above.
 * @context_add: make a context of a key for a transmit queue. It expects no record.
 *               Context: as above. Return: as above.
 * @context_del: remove it. No packet will be told of it any more; those that were may
 *               be in the queue still: waits until the device has done with them, or
 *               resets the queue; in bounded time, as everything that ends waits for it
 *               (a session's close, suspend, the device's removal). Context: as above.
 */
struct sdp_offload_ops {
	u16 version;
	u32 kinds;
	u32 ciphers;
	u32 contexts;
	bool cuts;
	int (*key_add)(struct net_device *dev, const struct sdp_offload_key *key,
		       void **handle);
	void (*key_del)(struct net_device *dev, void *key);
	int (*context_add)(struct net_device *dev, void *key, u16 queue,
			   void **handle);
	void (*context_del)(struct net_device *dev, void *context);
};

/* For drivers. */

/**
 * sdp_offload_register() - a device can seal.
 * @dev: registered, or about to be.
 * @ops: stays until sdp_offload_unregister() has returned.
 *
 * Context: process, may sleep. Return: 0; -EEXIST; -EINVAL (@ops lacks something, or is
 * of another version); -ENOMEM.
 */
int sdp_offload_register(struct net_device *dev, const struct sdp_offload_ops *ops);

/**
 * sdp_offload_unregister() - it cannot any more, or goes.
 * @dev: the device; nothing happens if it is not registered.
 *
 * All keys and contexts are removed, by the operations, before it returns. Packets that
 * are marked come still, and are refused by sdp_offload_segment().
 *
 * Context: process, may sleep; not from an operation.
 */
void sdp_offload_unregister(struct net_device *dev);

/**
 * sdp_offload_marked() - does a packet hold plaintext for the NIC to seal?
 * @skb: any packet.
 *
 * Context: any, as in ndo_start_xmit(): BH disabled.
 */
bool sdp_offload_marked(const struct sk_buff *skb);

/**
 * sdp_offload_segment() - what to seal a marked packet with.
 * @skb:     marked.
 * @dev:     the device.
 * @queue:   the transmit queue, whose lock is held.
 * @segment: filled in.
 *
 * Context: ndo_start_xmit(). Return: 0; -ENODEV (not this device's, or it is going),
 * -ENOENT (no context for this queue), -EINVAL (not what was marked: it was changed on
 * its way). The packet has to be dropped then.
 */
int sdp_offload_segment(const struct sk_buff *skb, struct net_device *dev, u16 queue,
			struct sdp_offload_segment *segment);

/**
 * sdp_offload_posted() - a segment is in the queue: the context will seal it.
 * @segment: from sdp_offload_segment().
 *
 * Context: as there, before the queue's lock is given back.
 */
void sdp_offload_posted(const struct sdp_offload_segment *segment);

/**
 * sdp_offload_reset() - what was posted may be lost: no context expects anything now.
 * @dev: the device.
 *
 * Context: any; nothing is posted to the queue that was reset meanwhile. Also while
 * sdp_offload_unregister() runs.
 */
void sdp_offload_reset(struct net_device *dev);

/* For transports. */

struct sdp_offload_device;

/**
 * struct sdp_offload_transport - what a transport answers.
 * @marked:  whether a packet with skb->decrypted is one of its own.
 * @segment: as sdp_offload_segment().
 * @posted:  as sdp_offload_posted().
 * @gone:    a device goes: let go of all its keys. No new one can be made. Context:
 *           process, may sleep. When it returns there is none.
 */
struct sdp_offload_transport {
	bool (*marked)(const struct sk_buff *skb);
	int (*segment)(const struct sk_buff *skb, struct net_device *dev, u16 queue,
		       struct sdp_offload_segment *segment);
	void (*posted)(const struct sdp_offload_segment *segment);
	void (*gone)(struct sdp_offload_device *device);
};

/**
 * sdp_offload_attach() - the transport; there is one.
 * @transport: stays until sdp_offload_detach() has returned.
 *
 * Context: process. Return: 0 or -EBUSY.
 */
int sdp_offload_attach(const struct sdp_offload_transport *transport);

/**
 * sdp_offload_detach() - it goes, and has no keys any more.
 *
 * Its sockets are closed; packets of theirs that wait somewhere are not marked any
 * more. The kernel drops most of them, but not those that it had looked at before and a
 * device had no room for: the driver drops these. Context: process, may sleep.
 */
void sdp_offload_detach(void);

/** sdp_offload_any() - is any device registered? Context: any. */
bool sdp_offload_any(void);

/**
 * sdp_offload_find() - the registration of a device that can do something.
 * @dev:    the device.
 * @kind:   enum sdp_offload_kind.
 * @cipher: enum sdp_offload_cipher.
 *
 * Context: RCU. Return: NULL if there is none, or it is going; it may begin to go.
 */
struct sdp_offload_device *sdp_offload_find(const struct net_device *dev, u8 kind,
					    u8 cipher);

/** sdp_offload_hold() - keep a registration in memory; false if it is going. */
bool sdp_offload_hold(struct sdp_offload_device *device);
void sdp_offload_put(struct sdp_offload_device *device);

/** sdp_offload_going() - has its unregistration begun? Context: any. */
bool sdp_offload_going(const struct sdp_offload_device *device);

/** sdp_offload_cuts() - see struct sdp_offload_ops. Context: any. */
bool sdp_offload_cuts(const struct sdp_offload_device *device);

/** sdp_offload_resets() - changes with each sdp_offload_reset(). Context: any. */
u32 sdp_offload_resets(const struct sdp_offload_device *device);

/**
 * sdp_offload_key_add() - see struct sdp_offload_ops; also counts what is there.
 * @device: held.
 *
 * Context: process, may sleep. Return: as there; -ENODEV: it is going.
 */
int sdp_offload_key_add(struct sdp_offload_device *device,
			const struct sdp_offload_key *key, void **handle);
void sdp_offload_key_del(struct sdp_offload_device *device, void *key);

/**
 * sdp_offload_context_add() - likewise.
 *
 * Return: also -ENOSPC where the device has its most.
 */
int sdp_offload_context_add(struct sdp_offload_device *device, void *key, u16 queue,
			    void **handle);
void sdp_offload_context_del(struct sdp_offload_device *device, void *context);

#endif /* SDP_OFFLOAD_REGISTRY_H */
