// SPDX-License-Identifier: GPL-2.0-only
/*
 * Own nonces of a socket. One that was given is good for one session; one that
 * was used is remembered, to tell a second use from one never given.
 *
 * A copy of a virtual machine has the same nonces, and perhaps the same
 * handshake under way: when the machine may have been copied, all that were
 * given before become unknown.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "nonce.h"

/* Used nonces that are remembered. An older one reads as never given. */
#define SPENT_MAX 4096

static atomic_t generation;

struct sdp_nonce {
	struct list_head node;
	bool spent;
	u64 given;
	u8 bytes[SDP_NONCE_LEN];
};

void sdp_nonces_init(struct sdp_nonces *nonces)
{
	mutex_init(&nonces->lock);
	INIT_LIST_HEAD(&nonces->list);
	nonces->unspent = 0;
	nonces->spent = 0;
	nonces->generation = sdp_nonces_generation();
}

static void free_all(struct sdp_nonces *nonces)
{
	struct sdp_nonce *nonce, *next;

	list_for_each_entry_safe(nonce, next, &nonces->list, node)
		kfree(nonce);
	INIT_LIST_HEAD(&nonces->list);
	nonces->unspent = 0;
	nonces->spent = 0;
}

u32 sdp_nonces_generation(void)
{
	return atomic_read(&generation);
}

void sdp_nonces_invalidate(void)
{
	atomic_inc(&generation);
}

static void lock(struct sdp_nonces *nonces)
{
	u32 now;

	mutex_lock(&nonces->lock);
	now = sdp_nonces_generation();
	if (nonces->generation != now) {
		free_all(nonces);
		nonces->generation = now;
	}
}

int sdp_nonces_get(struct sdp_nonces *nonces, u8 *bytes)
{
	struct sdp_nonce *nonce;

	nonce = kzalloc(sizeof(*nonce), GFP_KERNEL_ACCOUNT);
	if (!nonce)
		return -ENOMEM;
	lock(nonces);
	if (nonces->unspent >= SDP_NONCES_MAX) {
		mutex_unlock(&nonces->lock);
		kfree(nonce);
		return -ENOBUFS;
	}
	/* Under the generation that was looked at, not before. */
	get_random_bytes(nonce->bytes, sizeof(nonce->bytes));
	memcpy(bytes, nonce->bytes, sizeof(nonce->bytes));
	nonce->given = ktime_get_ns();
	list_add(&nonce->node, &nonces->list);
	nonces->unspent++;
	mutex_unlock(&nonces->lock);
	return 0;
}

static struct sdp_nonce *find_nonce(struct sdp_nonces *nonces, const u8 *bytes)
{
	struct sdp_nonce *nonce;

	lockdep_assert_held(&nonces->lock);
	list_for_each_entry(nonce, &nonces->list, node)
		if (!memcmp(nonce->bytes, bytes, sizeof(nonce->bytes)))
			return nonce;
	return NULL;
}

static void forget_oldest_spent(struct sdp_nonces *nonces)
{
	struct sdp_nonce *nonce;

	list_for_each_entry_reverse(nonce, &nonces->list, node)
		if (nonce->spent) {
			list_del(&nonce->node);
			kfree(nonce);
			nonces->spent--;
			return;
		}
}

int sdp_nonce_spend(struct sdp_nonces *nonces, const u8 *bytes, u64 *given)
{
	struct sdp_nonce *nonce;
	int err = 0;

	lock(nonces);
	nonce = find_nonce(nonces, bytes);
	if (!nonce) {
		err = -EINVAL;
	} else if (nonce->spent) {
		err = -EEXIST;
	} else {
		nonce->spent = true;
		*given = nonce->given;
		nonces->unspent--;
		if (++nonces->spent > SPENT_MAX)
			forget_oldest_spent(nonces);
	}
	mutex_unlock(&nonces->lock);
	return err;
}

void sdp_nonce_unspend(struct sdp_nonces *nonces, const u8 *bytes)
{
	struct sdp_nonce *nonce;

	lock(nonces);
	nonce = find_nonce(nonces, bytes);
	if (nonce && nonce->spent) {
		nonce->spent = false;
		nonces->unspent++;
		nonces->spent--;
	}
	mutex_unlock(&nonces->lock);
}

void sdp_nonces_destroy(struct sdp_nonces *nonces)
{
	free_all(nonces);
}
