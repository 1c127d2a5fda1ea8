// SPDX-License-Identifier: GPL-2.0-only
/*
 * The key schedule: HKDF-SHA256 (RFC 5869) of a secret that both ends salt.
 *
 * The output of the extraction is the secret of epoch 0 in both directions.
 * From a direction's secret come its keys and the next epoch's secret, never
 * the other way, so that what has been wiped stays unknown.
 */
#include <crypto/sha2.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "kdf.h"
#include "wire.h"

/*
 * "sdp2 " | label | direction u8 | epoch u64 | cipher u8 | record size u16 |
 * context (32). The digit is SDP_WIRE_VERSION: ends of which only one speaks a
 * version have other keys and other session ids.
 */
#define KDF_PREFIX	"sdp2 "
#define KDF_INFO_MAX	(sizeof(KDF_PREFIX) - 1 + 4 + 1 + 8 + 1 + 2 + \
			 SDP_CONTEXT_LEN)
static_assert(SDP_WIRE_VERSION == 2);

static void hmac_sha256(const u8 *key, size_t key_len, const u8 *data,
			size_t len, u8 *out)
{
	u8 block[SHA256_BLOCK_SIZE] = {};
	struct sha256_state state;
	size_t i;

	/* Keys here are a salt or a secret: 32 bytes, never over a block. */
	memcpy(block, key, key_len);
	for (i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	sha256_init(&state);
	sha256_update(&state, block, sizeof(block));
	sha256_update(&state, data, len);
	sha256_final(&state, out);

	for (i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	sha256_init(&state);
	sha256_update(&state, block, sizeof(block));
	sha256_update(&state, out, SHA256_DIGEST_SIZE);
	sha256_final(&state, out);
	memzero_explicit(block, sizeof(block));
	memzero_explicit(&state, sizeof(state));
}

static size_t encode_info(const struct sdp_kdf_context *ctx, const char *label,
			  u8 *info)
{
	size_t label_len = strlen(label);
	u8 *p = info;

	memcpy(p, KDF_PREFIX, sizeof(KDF_PREFIX) - 1);
	p += sizeof(KDF_PREFIX) - 1;
	memcpy(p, label, label_len);
	p += label_len;
	*p++ = ctx->direction;
	put_unaligned_be64(ctx->epoch, p);
	p += 8;
	*p++ = ctx->cipher & 0xff;
	put_unaligned_be16(ctx->record_size, p);
	p += 2;
	memcpy(p, ctx->context, sizeof(ctx->context));
	return p + sizeof(ctx->context) - info;
}

/* HKDF-Expand; one block is all that is ever needed. */
static void expand(const u8 *secret, const struct sdp_kdf_context *ctx,
		   const char *label, u8 *out, size_t len)
{
	u8 digest[SHA256_DIGEST_SIZE];
	u8 info[KDF_INFO_MAX + 1];
	size_t info_len;

	info_len = encode_info(ctx, label, info);
	info[info_len] = 1;
	hmac_sha256(secret, SDP_KDF_SECRET, info, info_len + 1, digest);
	memcpy(out, digest, len);
	memzero_explicit(digest, sizeof(digest));
}

unsigned int sdp_kdf_key_length(u16 cipher)
{
	switch (cipher) {
	case SDP_CIPHER_AES_128_GCM:
		return 16;
	case SDP_CIPHER_AES_256_GCM:
	case SDP_CIPHER_CHACHA20_POLY1305:
		return 32;
	default:
		return 0;
	}
}

void sdp_kdf_extract(const u8 *secret, const u8 *client_nonce,
		     const u8 *server_nonce, u8 *out)
{
	u8 salt[2 * SDP_NONCE_LEN];

	memcpy(salt, client_nonce, SDP_NONCE_LEN);
	memcpy(salt + SDP_NONCE_LEN, server_nonce, SDP_NONCE_LEN);
	hmac_sha256(salt, sizeof(salt), secret, SDP_SECRET_LEN, out);
}

void sdp_kdf_epoch(const u8 *secret, const struct sdp_kdf_context *ctx,
		   struct sdp_kdf_keys *keys)
{
	memset(keys, 0, sizeof(*keys));
	expand(secret, ctx, "key", keys->key, sdp_kdf_key_length(ctx->cipher));
	expand(secret, ctx, "iv", keys->iv, sizeof(keys->iv));
	expand(secret, ctx, "hdr", keys->hdr, sizeof(keys->hdr));
	expand(secret, ctx, "next", keys->next, sizeof(keys->next));
}

u32 sdp_kdf_id(const u8 *secret, const struct sdp_kdf_context *ctx)
{
	struct sdp_kdf_context id_ctx = *ctx;
	u8 id[4];

	id_ctx.direction = 0;
	id_ctx.epoch = 0;
	expand(secret, &id_ctx, "id", id, sizeof(id));
	return get_unaligned_be32(id) ?: 1;
}
