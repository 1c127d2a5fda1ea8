// SPDX-License-Identifier: GPL-2.0-only
/* Control packets: forged, replayed, reordered, of any length. */
#include "rig.h"

struct fixture {
	struct record_rig rig;
	u8 *pkt;
	unsigned int len;
};

static struct fixture *begin(struct kunit *test, u16 cipher)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	f->pkt = kunit_kzalloc(test, 2 * SDP_CONTROL_MAX, GFP_KERNEL);
	record_rig_open(test, &f->rig, cipher, 0);
	return f;
}

static void seal(struct kunit *test, struct fixture *f, u8 type)
{
	struct sdp_control control = { .request_msgno = SDP_MSGNO_NONE };
	struct sdp_common_hdr *common = (void *)f->pkt;
	unsigned int clear = sdp_wire_control_length(type);

	memset(f->pkt, 0, SDP_CONTROL_MAX);
	common->type = type | SDP_TYPE_SECURE;
	common->sender_id = cpu_to_be64(RPC_ID);
	f->len = clear + sizeof(struct sdp_control_trailer);
	KUNIT_ASSERT_EQ(test, (int)f->len,
			sdp_control_seal(f->rig.end[CLIENT], f->pkt, clear,
					 &control));
}

static int open_at(struct fixture *f, int who, const u8 *pkt, unsigned int len)
{
	struct sdp_control control;
	struct sdp_epoch *epoch;

	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_control_open(f->rig.end[who], pkt, len, &f->rig.addr[who],
				 &control);
	rcu_read_unlock();
	local_bh_enable();
	return PTR_ERR_OR_ZERO(epoch);
}

/* What each byte of a RESEND is, and the outcome with bit 7 or 0 flipped. */
static const struct {
	unsigned int from, to;
	int bit7, bit0;
	const char *field;
} bytes[] = {
	{  0, 11, -EBADMSG,  -EBADMSG,  "ports, sequence, zero" },
	{ 11, 12, -EMSGSIZE, -EMSGSIZE, "type" },
	{ 12, 16, -EBADMSG,  -EBADMSG,  "data offset, flags, window" },
	{ 16, 18, 0,         0,         "checksum" },
	{ 18, 28, -EBADMSG,  -EBADMSG,  "urgent, sender id" },
	{ 28, 40, -EBADMSG,  -EBADMSG,  "body, padding" },
	{ 40, 44, -EBADMSG,  -EBADMSG,  "session" },
	{ 44, 45, -ENOKEY,   -EBADMSG,  "epoch: none such, the next one" },
	{ 45, 56, -EBADMSG,  -EBADMSG,  "flags, request, zero" },
	{ 56, 64, -EBADMSG,  -EBADMSG,  "counter" },
	{ 64, 80, -EBADMSG,  -EBADMSG,  "tag" },
};

static void check_flip(struct kunit *test, struct fixture *f, unsigned int at,
		       u8 bit, int outcome, const char *field)
{
	/* Good ones are used up: each of them is sealed anew. */
	seal(test, f, SDP_TYPE_RESEND);
	f->pkt[at] ^= bit;
	KUNIT_EXPECT_EQ_MSG(test, outcome,
			    open_at(f, SERVER, f->pkt, f->len),
			    "%s, byte %u bit %x", field, at, bit);
}

static void every_byte(struct kunit *test)
{
	struct fixture *f = begin(test, SDP_CIPHER_AES_128_GCM);
	unsigned int i, at;

	for (i = 0; i < ARRAY_SIZE(bytes); i++)
		for (at = bytes[i].from; at < bytes[i].to; at++) {
			check_flip(test, f, at, 0x80, bytes[i].bit7,
				   bytes[i].field);
			check_flip(test, f, at, 0x01, bytes[i].bit0,
				   bytes[i].field);
		}
	record_rig_close(test, &f->rig);
}

static const u16 ciphers[] = {
	SDP_CIPHER_AES_128_GCM,
	SDP_CIPHER_AES_256_GCM,
	SDP_CIPHER_CHACHA20_POLY1305,
};

static void once(struct kunit *test)
{
	struct fixture *f;
	int i;

	for (i = 0; i < ARRAY_SIZE(ciphers); i++) {
		f = begin(test, ciphers[i]);
		seal(test, f, SDP_TYPE_GRANT);
		KUNIT_EXPECT_EQ(test, 0, open_at(f, SERVER, f->pkt, f->len));
		KUNIT_EXPECT_EQ(test, -EALREADY, open_at(f, SERVER, f->pkt,
							 f->len));
		KUNIT_EXPECT_EQ(test, -EBADMSG, open_at(f, CLIENT, f->pkt,
							f->len));
		f->pkt[70] ^= 4;
		KUNIT_EXPECT_EQ(test, -EBADMSG, open_at(f, SERVER, f->pkt,
							f->len));
		record_rig_close(test, &f->rig);
	}
}

static void reordered(struct kunit *test)
{
	struct fixture *f = begin(test, SDP_CIPHER_AES_128_GCM);
	u8 *early = kunit_kmalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	u8 *old = kunit_kmalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	unsigned int i;

	seal(test, f, SDP_TYPE_BUSY);
	memcpy(old, f->pkt, f->len);
	seal(test, f, SDP_TYPE_BUSY);
	memcpy(early, f->pkt, f->len);
	for (i = 1; i < SDP_CONTROL_WINDOW; i++)
		seal(test, f, SDP_TYPE_BUSY);
	KUNIT_EXPECT_EQ(test, 0, open_at(f, SERVER, f->pkt, f->len));
	KUNIT_EXPECT_EQ(test, 0, open_at(f, SERVER, early, f->len));
	KUNIT_EXPECT_EQ(test, -EALREADY, open_at(f, SERVER, early, f->len));
	/* Never seen, but too old to tell. */
	KUNIT_EXPECT_EQ(test, -EALREADY, open_at(f, SERVER, old, f->len));
	record_rig_close(test, &f->rig);
}

static void lengths(struct kunit *test)
{
	struct fixture *f = begin(test, SDP_CIPHER_AES_128_GCM);
	unsigned int len;
	u8 type;

	for (type = SDP_TYPE_GRANT; type <= SDP_TYPE_ABORT; type++) {
		if (type == SDP_TYPE_FREEZE)
			continue;
		seal(test, f, type);
		for (len = 0; len < 2 * SDP_CONTROL_MAX; len++) {
			int wanted = len == f->len ? 0 : -EMSGSIZE;

			KUNIT_EXPECT_EQ(test, wanted, open_at(f, SERVER, f->pkt,
							      len));
		}
	}
	record_rig_close(test, &f->rig);
}

/* Types that have no secure form, and lengths that are not a type's. */
static void cannot_be_sealed(struct kunit *test)
{
	struct fixture *f = begin(test, SDP_CIPHER_AES_128_GCM);
	struct sdp_common_hdr *common = (void *)f->pkt;
	struct sdp_control control = {};
	static const struct {
		u8 type;
		unsigned int len;
	} bad[] = {
		{ SDP_TYPE_DATA | SDP_TYPE_SECURE,   60 },
		{ SDP_TYPE_FREEZE | SDP_TYPE_SECURE, 28 },
		{ SDP_TYPE_BUSY,                     28 },
		{ SDP_TYPE_BUSY | SDP_TYPE_SECURE,   32 },
		{ SDP_TYPE_GRANT | SDP_TYPE_SECURE,  33 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		common->type = bad[i].type;
		KUNIT_EXPECT_EQ(test, -EINVAL,
				sdp_control_seal(f->rig.end[CLIENT], f->pkt,
						 bad[i].len, &control));
	}
	record_rig_close(test, &f->rig);
}

/* Bits that mean nothing, from a sender that has the key. */
static void illegal_flags(struct kunit *test)
{
	static const struct {
		u8 type, flags;
		int outcome;
	} flags[] = {
		{ SDP_TYPE_RESEND,      1, 0 },
		{ SDP_TYPE_RESEND,      2, -EPROTO },
		{ SDP_TYPE_RPC_UNKNOWN, 2, 0 },
		{ SDP_TYPE_RPC_UNKNOWN, 1, -EPROTO },
		{ SDP_TYPE_GRANT,       1, -EPROTO },
		{ SDP_TYPE_GRANT,       4, 0 },
		{ SDP_TYPE_BUSY,        8, -EPROTO },
		{ SDP_TYPE_BUSY,     0x80, -EPROTO },
	};
	struct fixture *f = begin(test, SDP_CIPHER_AES_128_GCM);
	struct sdp_common_hdr *common = (void *)f->pkt;
	int i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct sdp_control control = { .flags = flags[i].flags };
		int len;

		memset(f->pkt, 0, SDP_CONTROL_MAX);
		common->type = flags[i].type | SDP_TYPE_SECURE;
		len = sdp_control_seal(f->rig.end[CLIENT], f->pkt,
				       sdp_wire_control_length(flags[i].type),
				       &control);
		KUNIT_EXPECT_EQ(test, flags[i].outcome,
				open_at(f, SERVER, f->pkt, len));
	}
	record_rig_close(test, &f->rig);
}

/* Without the crypto API, as in a softirq that interrupts SIMD code. */
static void by_library(struct kunit *test)
{
	struct fixture *f = begin(test, SDP_CIPHER_AES_256_GCM);
	struct sdp_aead *aead[2];
	u8 key[32];
	int i;

	aead[0] = &rcu_dereference_protected(f->rig.end[CLIENT]->tx,
					     true)->aead;
	aead[1] = &rcu_dereference_protected(f->rig.end[SERVER]->rx,
					     true)->aead;
	memset(key, 0x3c, sizeof(key));
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, crypto_aead_setkey(aead[i]->tfm, key,
							    sizeof(key)));
		KUNIT_ASSERT_NULL(test, aead[i]->gmac);
		aead[i]->gmac = sdp_gmac_alloc(key, sizeof(key));
		KUNIT_ASSERT_NOT_NULL(test, aead[i]->gmac);
	}
	/* An asynchronous one may not run in softirq. */
	for (i = 0; i < 4; i++) {
		aead[0]->async = i & 1;
		aead[1]->async = i & 2;
		seal(test, f, SDP_TYPE_CUTOFFS);
		f->pkt[33] ^= 1;
		KUNIT_EXPECT_EQ(test, -EBADMSG, open_at(f, SERVER, f->pkt,
							f->len));
		f->pkt[33] ^= 1;
		KUNIT_EXPECT_EQ(test, 0, open_at(f, SERVER, f->pkt, f->len));
	}
	aead[0]->async = false;
	aead[1]->async = false;
	record_rig_close(test, &f->rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(every_byte),
	KUNIT_CASE(once),
	KUNIT_CASE_SLOW(reordered),
	KUNIT_CASE(lengths),
	KUNIT_CASE(cannot_be_sealed),
	KUNIT_CASE(illegal_flags),
	KUNIT_CASE(by_library),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_control",
	.test_cases = cases,
};

kunit_test_suite(suite);
