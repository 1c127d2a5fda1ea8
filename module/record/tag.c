// SPDX-License-Identifier: GPL-2.0-only
/*
 * Header tags: SipHash-2-4 of the first 52 bytes of a DATA header, straight
 * from the packet. Bytes that a NIC or segmentation writes count as zero.
 */
#include <linux/bitops.h>
#include <linux/unaligned.h>

#include "tag.h"

/* Little-endian masks: bytes 4-7, byte 13, bytes 16-17 of the header. */
#define MASK_SEQUENCE	0x00000000ffffffffULL
#define MASK_FLAGS	0xffff00ffffffffffULL
#define MASK_CHECKSUM	0xffffffffffff0000ULL

#define TAGGED_BYTES	offsetof(struct sdp_secure_data_hdr, tag)

struct sip {
	u64 v0, v1, v2, v3;
};

static __always_inline void sip_word(struct sip *s, u64 word)
{
	s->v3 ^= word;
	SIPHASH_PERMUTATION(s->v0, s->v1, s->v2, s->v3);
	SIPHASH_PERMUTATION(s->v0, s->v1, s->v2, s->v3);
	s->v0 ^= word;
}

u64 sdp_tag_compute(const siphash_key_t *key,
		    const struct sdp_secure_data_hdr *hdr)
{
	const u8 *p = (const u8 *)hdr;
	struct sip s = {
		.v0 = SIPHASH_CONST_0 ^ key->key[0],
		.v1 = SIPHASH_CONST_1 ^ key->key[1],
		.v2 = SIPHASH_CONST_2 ^ key->key[0],
		.v3 = SIPHASH_CONST_3 ^ key->key[1],
	};
	int i;

	static_assert(TAGGED_BYTES == 52);

	sip_word(&s, get_unaligned_le64(p) & MASK_SEQUENCE);
	sip_word(&s, get_unaligned_le64(p + 8) & MASK_FLAGS);
	sip_word(&s, get_unaligned_le64(p + 16) & MASK_CHECKSUM);
	sip_word(&s, get_unaligned_le64(p + 24));
	sip_word(&s, get_unaligned_le64(p + 32));
	sip_word(&s, get_unaligned_le64(p + 40));
	sip_word(&s, (u64)TAGGED_BYTES << 56 | get_unaligned_le32(p + 48));
	s.v2 ^= 0xff;
	for (i = 0; i < 4; i++)
		SIPHASH_PERMUTATION(s.v0, s.v1, s.v2, s.v3);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
