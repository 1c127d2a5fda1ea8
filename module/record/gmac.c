// SPDX-License-Identifier: GPL-2.0-only
/*
 * AES-GCM with an empty plaintext, from the kernel's library functions.
 *
 * A softirq that has interrupted a task in the middle of its own SIMD code
 * cannot use SIMD, and control packets cannot wait for it. The C version of
 * gcm(aes) would cost another key with 4 KB of tables per epoch; this takes
 * 500 bytes and needs no memory to run. It is slow and seldom used.
 */
#include <crypto/aes.h>
#include <crypto/gf128mul.h>
#include <crypto/utils.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "aead.h"

/**
 * struct sdp_gmac - an AES key ready for tags.
 * @aes: key schedule.
 * @h:   the hash key: a block of zeros, encrypted.
 */
struct sdp_gmac {
	struct crypto_aes_ctx aes;
	be128 h;
};

/* The hash while it runs: @used bytes of the block have been mixed in. */
struct ghash {
	const struct sdp_gmac *gmac;
	be128 sum;
	unsigned int used;
};

static void ghash_block_end(struct ghash *hash)
{
	gf128mul_lle(&hash->sum, &hash->gmac->h);
	hash->used = 0;
}

static void ghash_update(struct ghash *hash, const u8 *data, size_t len)
{
	while (len) {
		size_t part = min(len, AES_BLOCK_SIZE - hash->used);

		crypto_xor((u8 *)&hash->sum + hash->used, data, part);
		hash->used += part;
		data += part;
		len -= part;
		if (hash->used == AES_BLOCK_SIZE)
			ghash_block_end(hash);
	}
}

static void ghash_sg(struct ghash *hash, struct scatterlist *sg,
		     unsigned int len)
{
	while (len) {
		unsigned int part = min(len, sg->length);

		ghash_update(hash, sg_virt(sg), part);
		len -= part;
		sg = sg_next(sg);
	}
	if (hash->used)
		ghash_block_end(hash);
}

void sdp_gmac_tag(const struct sdp_gmac *gmac, const u8 *nonce,
		  struct scatterlist *sg, unsigned int len, u8 *tag)
{
	struct ghash hash = { .gmac = gmac };
	__be64 lengths[2] = { cpu_to_be64((u64)len * 8), 0 };
	u8 block[AES_BLOCK_SIZE] = {};

	ghash_sg(&hash, sg, len);
	ghash_update(&hash, (const u8 *)lengths, sizeof(lengths));

	memcpy(block, nonce, SDP_AEAD_NONCE);
	block[AES_BLOCK_SIZE - 1] = 1;
	aes_encrypt(&gmac->aes, tag, block);
	crypto_xor(tag, (const u8 *)&hash.sum, SDP_AEAD_TAG);
}

struct sdp_gmac *sdp_gmac_alloc(const u8 *key, unsigned int key_len)
{
	struct sdp_gmac *gmac;

	gmac = kzalloc(sizeof(*gmac), GFP_KERNEL_ACCOUNT);
	if (!gmac)
		return NULL;
	if (aes_expandkey(&gmac->aes, key, key_len)) {
		kfree_sensitive(gmac);
		return NULL;
	}
	aes_encrypt(&gmac->aes, (u8 *)&gmac->h, (const u8 *)&gmac->h);
	return gmac;
}

void sdp_gmac_free(struct sdp_gmac *gmac)
{
	kfree_sensitive(gmac);
}
