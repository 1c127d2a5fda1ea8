/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ciphers: one key, ready to seal and open in any context, with no memory
 * taken per operation.
 */
#ifndef SDP_RECORD_AEAD_H
#define SDP_RECORD_AEAD_H

#include <crypto/aead.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>

#define SDP_AEAD_NONCE	12
#define SDP_AEAD_TAG	16

struct sdp_gmac;

/**
 * struct sdp_aead - a cipher with a key.
 * @tfm:   of the kernel's crypto API.
 * @simd:  cannot run where SIMD may not be used now.
 * @async: may complete later; then only from process context, one at a time.
 * @stack: its requests take no memory of their own and can live on the stack.
 * @req:   the request of an asynchronous one.
 * @lock:  for @req.
 * @gmac:  tags without the crypto API, where @simd or @async forbids it in
 *         softirq; otherwise NULL.
 */
struct sdp_aead {
	struct crypto_aead *tfm;
	bool simd;
	bool async;
	bool stack;
	struct aead_request *req;
	struct mutex lock;
	struct sdp_gmac *gmac;
};

/**
 * struct sdp_aead_op - one operation.
 * @nonce:  SDP_AEAD_NONCE bytes.
 * @src:    associated data, then plaintext, or ciphertext and tag.
 * @dst:    room for associated data (not written), then for the output.
 * @assoc:  bytes of associated data.
 * @crypt:  sealing: bytes of plaintext; opening: of ciphertext and tag.
 * @atomic: may not sleep.
 */
struct sdp_aead_op {
	u8 nonce[SDP_AEAD_NONCE];
	struct scatterlist *src;
	struct scatterlist *dst;
	unsigned int assoc;
	unsigned int crypt;
	bool atomic;
};

/**
 * sdp_aead_init() - find the ciphers' best implementations; at module load.
 *
 * Return: 0, -ENOMEM, -ENOENT.
 */
int sdp_aead_init(void);
void sdp_aead_exit(void);

/**
 * sdp_aead_setup() - a cipher with a key.
 * @aead:   zeroed.
 * @cipher: SDP_CIPHER_*.
 * @key:    of its length.
 *
 * Context: process, may sleep. Return: 0, -ENOENT, -ENOMEM, ...; on failure
 * there is nothing to destroy.
 */
int sdp_aead_setup(struct sdp_aead *aead, u16 cipher, const u8 *key);

/**
 * sdp_aead_destroy() - wipe and free.
 * @aead: set up, or zeroed. Context: process.
 */
void sdp_aead_destroy(struct sdp_aead *aead);

/** sdp_aead_driver() - name of the implementation. */
const char *sdp_aead_driver(const struct sdp_aead *aead);

/**
 * sdp_aead_seal() - encrypt.
 * @aead: set up.
 * @op:   what.
 *
 * Context: any; process if not @op->atomic. Return: 0; -EAGAIN (atomic, and the
 * cipher cannot run now; never with @crypt 0); what the driver says.
 */
int sdp_aead_seal(struct sdp_aead *aead, struct sdp_aead_op *op);

/**
 * sdp_aead_open() - decrypt and verify.
 * @aead: set up.
 * @op:   what.
 *
 * Context: as sdp_aead_seal(). Return: as there (-EAGAIN never with @crypt
 * SDP_AEAD_TAG); -EBADMSG.
 */
int sdp_aead_open(struct sdp_aead *aead, struct sdp_aead_op *op);

/* gmac.c: AES-GCM of associated data alone, from library functions. */

struct sdp_gmac *sdp_gmac_alloc(const u8 *key, unsigned int key_len);
void sdp_gmac_free(struct sdp_gmac *gmac);

/**
 * sdp_gmac_tag() - tag over associated data, with an empty plaintext.
 * @gmac:  from sdp_gmac_alloc().
 * @nonce: SDP_AEAD_NONCE bytes.
 * @sg:    begins with the associated data.
 * @len:   bytes of it.
 * @tag:   SDP_AEAD_TAG bytes are written.
 *
 * Context: any.
 */
void sdp_gmac_tag(const struct sdp_gmac *gmac, const u8 *nonce,
		  struct scatterlist *sg, unsigned int len, u8 *tag);

#endif /* SDP_RECORD_AEAD_H */
