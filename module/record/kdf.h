/* SPDX-License-Identifier: GPL-2.0-only */
/* The key schedule: HKDF-SHA256 (RFC 5869). See docs/wire.md. */
#ifndef SDP_RECORD_KDF_H
#define SDP_RECORD_KDF_H

#include <linux/sdp.h>
#include <linux/types.h>

#define SDP_KDF_SECRET	32	/* bytes of a secret, SHA-256's digest */
#define SDP_KDF_KEY_MAX	32
#define SDP_KDF_IV	12
#define SDP_KDF_HDR	16

/**
 * struct sdp_kdf_context - what every derived value is bound to.
 * @direction:   0: client to server, 1: server to client.
 * @epoch:       from 0.
 * @cipher:      SDP_CIPHER_*.
 * @record_size: bytes of inner plaintext with the type byte.
 * @context:     what both ends know of each other.
 */
struct sdp_kdf_context {
	u8 direction;
	u64 epoch;
	u16 cipher;
	u16 record_size;
	u8 context[SDP_CONTEXT_LEN];
};

/**
 * struct sdp_kdf_keys - the keys of one direction and epoch.
 * @key:  AEAD key; 16 bytes of it with AES-128.
 * @iv:   xor-ed with the record number.
 * @hdr:  header-tag key.
 * @next: the secret of the next epoch.
 */
struct sdp_kdf_keys {
	u8 key[SDP_KDF_KEY_MAX];
	u8 iv[SDP_KDF_IV];
	u8 hdr[SDP_KDF_HDR];
	u8 next[SDP_KDF_SECRET];
};

/**
 * sdp_kdf_key_length() - bytes of a cipher's key.
 * @cipher: SDP_CIPHER_*.
 *
 * Return: 16 or 32; 0 if there is no such cipher.
 */
unsigned int sdp_kdf_key_length(u16 cipher);

/**
 * sdp_kdf_extract() - from what was installed to the secret of epoch 0.
 * @secret:       SDP_SECRET_LEN bytes.
 * @client_nonce: SDP_NONCE_LEN bytes.
 * @server_nonce: likewise.
 * @out:          SDP_KDF_SECRET bytes, of both directions.
 */
void sdp_kdf_extract(const u8 *secret, const u8 *client_nonce,
		     const u8 *server_nonce, u8 *out);

/**
 * sdp_kdf_epoch() - the keys of a direction and epoch.
 * @secret: of that epoch, SDP_KDF_SECRET bytes.
 * @ctx:    all of it counts.
 * @keys:   written; the caller wipes it.
 */
void sdp_kdf_epoch(const u8 *secret, const struct sdp_kdf_context *ctx,
		   struct sdp_kdf_keys *keys);

/**
 * sdp_kdf_id() - the session id, never 0.
 * @secret: from sdp_kdf_extract().
 * @ctx:    cipher, record size and context count.
 */
u32 sdp_kdf_id(const u8 *secret, const struct sdp_kdf_context *ctx);

#endif /* SDP_RECORD_KDF_H */
