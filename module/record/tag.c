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

static __always_inline void sip_word(struct sdp_tag_state *s, u64 word)
{
	s->v3 ^= word;
	SIPHASH_PERMUTATION(s->v0, s->v1, s->v2, s->v3);
	SIPHASH_PERMUTATION(s->v0, s->v1, s->v2, s->v3);
	s->v0 ^= word;
}

/* The first two words of a header, as they are hashed. */
static __always_inline u64 ports_word(const u8 *p)
{
	return get_unaligned_le64(p) & MASK_SEQUENCE;
}

static __always_inline u64 type_word(const u8 *p)
{
	return get_unaligned_le64(p + 8) & MASK_FLAGS;
}

static void hash_start(struct sdp_tag_state *s, const siphash_key_t *key, u64 ports,
		       u64 type)
{
	s->v0 = SIPHASH_CONST_0 ^ key->key[0];
	s->v1 = SIPHASH_CONST_1 ^ key->key[1];
	s->v2 = SIPHASH_CONST_2 ^ key->key[0];
	s->v3 = SIPHASH_CONST_3 ^ key->key[1];
	sip_word(s, ports);
	sip_word(s, type);
}

void sdp_tag_setup(struct sdp_tag_key *key, const u8 *bytes, u16 sport, u16 dport)
{
	struct sdp_secure_data_hdr hdr = {
		.common.sport = htons(sport),
		.common.dport = htons(dport),
		.common.type = SDP_TYPE_DATA | SDP_TYPE_SECURE,
		.common.doff = SDP_DOFF_SECURE_DATA,
	};

	key->key.key[0] = get_unaligned_le64(bytes);
	key->key.key[1] = get_unaligned_le64(bytes + 8);
	key->ports = ports_word((const u8 *)&hdr);
	key->type = type_word((const u8 *)&hdr);
	hash_start(&key->start, &key->key, key->ports, key->type);
}

u64 sdp_tag_compute(const struct sdp_tag_key *key,
		    const struct sdp_secure_data_hdr *hdr)
{
	const u8 *p = (const u8 *)hdr;
	u64 ports = ports_word(p), type = type_word(p);
	struct sdp_tag_state s = key->start;
	int i;

	static_assert(TAGGED_BYTES == 52);

	if (unlikely(ports != key->ports || type != key->type))
		hash_start(&s, &key->key, ports, type);
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
