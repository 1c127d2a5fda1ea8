/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A NIC that seals, in software: what hardware of this kind is known to do and not to do.
 *
 * ndo_start_xmit() only posts to a ring, as a driver does; a thread for each queue is the
 * hardware, which seals, cuts segments and puts packets on the wire, later and on its
 * own. The engine (engine.c) is strict where hardware is dumb: a segment that does not
 * fit what its context expects leaves corrupted, and is counted as misuse. Nothing here
 * is told what a packet should be but by the contract; whether plaintext leaves, or a
 * record number is used for two plaintexts, it finds out by itself.
 */
#ifndef SDP_TESTNIC_H
#define SDP_TESTNIC_H

#include <linux/netdevice.h>
#include <linux/ptr_ring.h>

#include "registry/sdp_offload.h"

#define TESTNIC_DEVICES 2
#define TESTNIC_RING 256

/* What can be counted; shown in debugfs by these names. */
#define TESTNIC_COUNTERS(X)						\
	X(packets) X(segments) X(sealed_segments) X(sealed_records)	\
	X(sealed_bytes) X(resyncs) X(keys) X(contexts)	\
	X(refused_keys) X(refused_contexts) X(dropped) X(lost)	\
	/* What must never happen. */					\
	X(leaks) X(nonce_reuse) X(misuse_record) X(misuse_queue)	\
	X(misuse_gone) X(misuse_frame) X(misuse_key) X(misuse_cut)

enum testnic_counter {
#define X(name) TESTNIC_##name,
	TESTNIC_COUNTERS(X)
#undef X
	TESTNIC_COUNT
};

/* What a test can set; in debugfs by these names. */
#define TESTNIC_KNOBS(X)						\
	X(contexts_max)		/* of each device */			\
	X(fail_keys)		/* errno of key_add(), 0: none */	\
	X(fail_contexts)						\
	X(slow_ms)		/* each operation takes so long */	\
	X(slow_us)		/* each posted packet */		\
	X(drop_posts)		/* so many packets fail to be posted */	\
	X(no_cuts)		/* from its next registration on */	\
	X(corrupt)		/* one record of so many is sealed wrong */

enum testnic_knob {
#define X(name) TESTNIC_KNOB_##name,
	TESTNIC_KNOBS(X)
#undef X
	TESTNIC_KNOBS_COUNT
};

extern atomic_t testnic_counters[TESTNIC_COUNT];
extern atomic_t testnic_keys_now, testnic_contexts_now;
extern u32 testnic_knobs[TESTNIC_KNOBS_COUNT];

#define testnic_count(name) atomic_inc(&testnic_counters[TESTNIC_##name])
#define testnic_add(name, n) atomic_add(n, &testnic_counters[TESTNIC_##name])
#define testnic_knob(name) READ_ONCE(testnic_knobs[TESTNIC_KNOB_##name])

/**
 * struct testnic_posted - an entry of a ring.
 * @skb:     the packet.
 * @sealed:  it is to be sealed as @segment says; otherwise it leaves as it is.
 * @segment: of the contract.
 */
struct testnic_posted {
	struct sk_buff *skb;
	bool sealed;
	struct sdp_offload_segment segment;
};

/* engine.c: keys, contexts, sealing; a detector of what must not leave. */

/** testnic_ops() - of a device that cuts segments, or does not. */
const struct sdp_offload_ops *testnic_ops(bool cuts);

/**
 * testnic_seal() - the hardware's part for one segment.
 * @posted: its packet is linear and private; sealed in place.
 * @queue:  that it was posted to.
 */
void testnic_seal(struct testnic_posted *posted, u16 queue);

/** testnic_inspect() - does a packet on the wire hold plaintext of records? */
void testnic_inspect(const struct sk_buff *skb);
int testnic_engine_init(void);
void testnic_engine_exit(void);

/* device.c */
int testnic_devices_init(void);
void testnic_devices_exit(void);

/** testnic_vanish() - stop sealing, or begin again, while everything goes on. */
int testnic_vanish(u32 device, bool vanish);

/** testnic_lose() - the queues forget what was posted, as after a reset. */
void testnic_lose(u32 device);

/** testnic_wait() - until the hardware has done with what is posted now. */
void testnic_wait(struct net_device *dev);

/* control.c */
int testnic_control_init(void);
void testnic_control_exit(void);

#endif /* SDP_TESTNIC_H */
