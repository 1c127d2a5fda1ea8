// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nonce audit, for test builds (-DSDP_NONCE_AUDIT): remembers which plaintext
 * each (key, record number) sealed, and complains about a second one. It works
 * on keys, not sessions, so it also sees a key that was installed twice.
 */
#ifdef SDP_NONCE_AUDIT

#include <crypto/sha2.h>
#include <linux/hash.h>
#include <linux/spinlock.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "audit.h"

#define ENTRIES_SHIFT 17

struct entry {
	u64 key;
	u64 record;
	u64 bytes;
};

/* A newer entry replaces an older one with the same hash. */
static struct entry *entries;
static DEFINE_SPINLOCK(entries_lock);
static unsigned int failures;
static bool quiet;

int sdp_audit_init(void)
{
	entries = vzalloc(sizeof(*entries) << ENTRIES_SHIFT);
	return entries ? 0 : -ENOMEM;
}

void sdp_audit_exit(void)
{
	vfree(entries);
}

static u64 digest_end(struct sha256_state *state)
{
	u8 digest[SHA256_DIGEST_SIZE];

	sha256_final(state, digest);
	return get_unaligned_le64(digest) | 1;
}

u64 sdp_audit_key(const u8 *key, unsigned int len, const u8 *iv)
{
	struct sha256_state state;

	sha256_init(&state);
	sha256_update(&state, key, len);
	sha256_update(&state, iv, SDP_AEAD_NONCE);
	return digest_end(&state);
}

/* Associated data and plaintext. */
static u64 digest_of(const struct sdp_aead_op *op)
{
	unsigned int left = op->assoc + op->crypt;
	struct scatterlist *sg = op->src;
	struct sha256_state state;

	sha256_init(&state);
	while (left) {
		unsigned int part = min(left, sg->length);

		sha256_update(&state, sg_virt(sg), part);
		left -= part;
		sg = sg_next(sg);
	}
	return digest_end(&state);
}

void sdp_audit_seal(u64 key, u64 record, const struct sdp_aead_op *op)
{
	u64 bytes = digest_of(op);
	struct entry *entry;
	bool reused;

	entry = &entries[hash_64(key ^ hash_64(record, 64), ENTRIES_SHIFT)];
	spin_lock_bh(&entries_lock);
	reused = entry->key == key && entry->record == record &&
		 entry->bytes != bytes;
	entry->key = key;
	entry->record = record;
	entry->bytes = bytes;
	failures += reused;
	spin_unlock_bh(&entries_lock);
	if (reused && !quiet)
		pr_warn("sdp: WARNING: record number %llx used for two plaintexts\n",
			record);
}

unsigned int sdp_audit_take_failures(bool expected)
{
	unsigned int count;

	spin_lock_bh(&entries_lock);
	count = failures;
	failures = 0;
	quiet = expected;
	spin_unlock_bh(&entries_lock);
	return count;
}

#endif /* SDP_NONCE_AUDIT */
