/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Orphans: sockets that are closed, and whose responses are still on their way. They
 * have no file and no port, and are found by their RPCs (socket/orphan.c).
 */
#ifndef SDP_TARGET_ORPHANS_H
#define SDP_TARGET_ORPHANS_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

/**
 * struct sdp_orphans - those of a namespace.
 * @count:  how many there are, or are about to be: packets are looked for while there
 *          is one.
 * @lock:   spinlock (bh) of the lists; a leaf, taken inside an RPC's lock.
 * @living: those with RPCs, by the time of their next look.
 * @done:   those without, which are to be released.
 * @work:   looks at the first ones of @living, and releases those of @done.
 * @over:   the namespace goes: all end at once.
 */
struct sdp_orphans {
	atomic_t count;
	spinlock_t lock;
	struct list_head living;
	struct list_head done;
	struct delayed_work work;
	bool over;
};

#endif /* SDP_TARGET_ORPHANS_H */
