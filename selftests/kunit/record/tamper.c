// SPDX-License-Identifier: GPL-2.0-only
/* Every byte of a packet changed, and what comes of each. */
#include "rig.h"

static const u16 ciphers[] = {
	SDP_CIPHER_AES_128_GCM,
	SDP_CIPHER_AES_256_GCM,
	SDP_CIPHER_CHACHA20_POLY1305,
};

struct span {
	unsigned int from, to;
	int bit7;	/* outcome with bit 7 flipped */
	int bit0;	/* outcome with bit 0 flipped */
	const char *field;
};

/* 0: the header is still good. The others change nothing at the receiver. */
static const struct span header[] = {
	{  0,  4, -EBADMSG, -EBADMSG, "ports" },
	{  4,  8, 0,        0,        "sequence" },
	{  8, 13, -EBADMSG, -EBADMSG, "zero, type, data offset" },
	{ 13, 14, 0,        0,        "flags that segmentation writes" },
	{ 14, 16, -EBADMSG, -EBADMSG, "window" },
	{ 16, 18, 0,        0,        "checksum" },
	{ 18, 20, -EBADMSG, -EBADMSG, "urgent" },
	{ 20, 28, -EBADMSG, -EBADMSG, "sender id" },
	{ 28, 36, -EBADMSG, -EBADMSG, "message length, incoming" },
	{ 36, 40, -EBADMSG, -EBADMSG, "session" },
	{ 40, 46, -EBADMSG, -EBADMSG, "message number" },
	{ 46, 49, -EBADMSG, -EBADMSG, "cutoff version, flags" },
	{ 49, 50, -ENOKEY,  -EBADMSG, "epoch: none such, the next one" },
	{ 50, 52, -EBADMSG, -EBADMSG, "payload bytes per packet" },
	{ 52, 60, -EBADMSG, -EBADMSG, "tag" },
};

static int open_header(struct record_rig *rig,
		       const struct sdp_secure_data_hdr *hdr)
{
	struct sdp_epoch *epoch;

	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_open_header(rig->end[SERVER], hdr, &rig->addr[SERVER]);
	rcu_read_unlock();
	local_bh_enable();
	return PTR_ERR_OR_ZERO(epoch);
}

static void header_bytes(struct kunit *test)
{
	struct record_sealed sealed;
	struct record_rig rig;
	unsigned int i, at;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	for (i = 0; i < ARRAY_SIZE(header); i++)
		for (at = header[i].from; at < header[i].to; at++) {
			u8 *byte = (u8 *)&sealed.hdr + at;

			*byte ^= 0x80;
			KUNIT_EXPECT_EQ_MSG(test, header[i].bit7,
					    open_header(&rig, &sealed.hdr),
					    "%s", header[i].field);
			*byte ^= 0x81;
			KUNIT_EXPECT_EQ_MSG(test, header[i].bit0,
					    open_header(&rig, &sealed.hdr),
					    "%s", header[i].field);
			*byte ^= 0x01;
		}
	KUNIT_EXPECT_EQ(test, 0, open_header(&rig, &sealed.hdr));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

struct illegal {
	unsigned int at;
	u8 value;
	const char *what;
};

/* Authentic, since the sender itself writes them. */
static const struct illegal illegal[] = {
	{ 40, 0x80, "message number with its top bit" },
	{ 48, 0x04, "unknown flag" },
	{ 31, 37,   "message length that no message has" },
};

static void illegal_fields(struct kunit *test)
{
	struct sdp_secure_data_hdr hdr;
	struct record_sealed sealed;
	struct record_rig rig;
	int i;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	for (i = 0; i < ARRAY_SIZE(illegal); i++) {
		hdr = sealed.hdr;
		((u8 *)&hdr)[illegal[i].at] = illegal[i].value;
		record_retag(&sealed.tx, &hdr);
		KUNIT_EXPECT_EQ_MSG(test, -EPROTO, open_header(&rig, &hdr),
				    "%s", illegal[i].what);
	}
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* Each byte of three records: the record it is in does not verify. */
static void sealed_bytes_of(struct kunit *test, u16 cipher)
{
	struct record_opened opened;
	struct record_sealed sealed;
	struct record_rig rig;
	u32 at, wrong = 0;

	record_rig_open(test, &rig, cipher, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 500, 30, &sealed));
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr,
					      &opened.rx));
	for (at = 0; at < sealed.len; at++) {
		sealed.bytes[at] ^= 0x20;
		wrong += record_open_all(test, &opened.rx, sealed.bytes, NULL,
					 &opened) != -EBADMSG;
		sealed.bytes[at] ^= 0x20;
	}
	KUNIT_EXPECT_EQ(test, 0, wrong);
	/* It can still come right, once. */
	KUNIT_EXPECT_EQ(test, 0, record_open_all(test, &opened.rx, sealed.bytes,
						 NULL, &opened));
	KUNIT_EXPECT_TRUE(test, record_in_bh(sdp_rx_commit(&opened.rx)));
	KUNIT_EXPECT_FALSE(test, record_in_bh(sdp_rx_commit(&opened.rx)));
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

static void sealed_bytes(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ciphers); i++)
		sealed_bytes_of(test, ciphers[i]);
}

/* A header that the sender could have made, over the same records. */
struct forged {
	u64 rpc_id;
	s32 longer;
	int outcome;
	const char *what;
};

static const struct forged forged[] = {
	{ RPC_ID,     0,    0,        "as sent" },
	{ RPC_ID + 2, 0,    -EPROTO,  "another RPC" },
	{ RPC_ID | 1, 0,    -EPROTO,  "a response" },
	{ RPC_ID,     -1,   -EPROTO,  "one byte less" },
	{ RPC_ID,     1,    -EBADMSG, "one byte more" },
	{ RPC_ID,     -77,  -EPROTO,  "without the last record" },
	{ RPC_ID,     23,   -EBADMSG, "a larger last record" },
	{ RPC_ID,     223,  -EBADMSG, "one more record" },
};

/*
 * Two records of 277 and one of 77. Should the header tag's key be lost, the
 * records still tell where they belong.
 */
static void forged_headers(struct kunit *test)
{
	struct record_opened opened;
	struct record_sealed sealed;
	struct record_rig rig;
	u8 *bytes;
	int i, err;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 549, 0, &sealed));
	KUNIT_ASSERT_EQ(test, sealed.len, 277 + 277 + 77);
	bytes = kunit_kzalloc(test, sealed.len + 300, GFP_KERNEL);
	memcpy(bytes, sealed.bytes, sealed.len);
	for (i = 0; i < ARRAY_SIZE(forged); i++) {
		struct sdp_secure_data_hdr hdr = sealed.hdr;

		hdr.common.sender_id = cpu_to_be64(forged[i].rpc_id);
		hdr.message_length = cpu_to_be32(sealed.len + forged[i].longer);
		record_retag(&sealed.tx, &hdr);
		KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &hdr,
						      &opened.rx));
		err = record_open_all(test, &opened.rx, bytes, NULL, &opened);
		KUNIT_EXPECT_EQ_MSG(test, forged[i].outcome, err, "%s",
				    forged[i].what);
		sdp_rx_end(&opened.rx);
	}
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* The same packet back at its sender. */
static void reflected(struct kunit *test)
{
	struct record_sealed sealed;
	struct record_rig rig;
	struct sdp_rx rx;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_begin(&rig, CLIENT, &sealed.hdr,
						     &rx));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* Records in other places: of the same message, and of another. */
static void spliced(struct kunit *test)
{
	struct record_sealed a, b;
	struct record_opened opened;
	struct record_rig rig;
	u8 *mixed;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 700, 0, &a));
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 700, 0, &b));
	mixed = kunit_kmalloc(test, a.len, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &a.hdr,
					      &opened.rx));

	memcpy(mixed, a.bytes, a.len);
	memcpy(mixed + 277, b.bytes + 277, 277);
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_open_all(test, &opened.rx, mixed,
							NULL, &opened));
	memcpy(mixed, a.bytes, a.len);
	memcpy(mixed + 277, a.bytes, 277);
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_open_all(test, &opened.rx, mixed,
							NULL, &opened));
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_open_all(test, &opened.rx,
							b.bytes, NULL,
							&opened));
	KUNIT_EXPECT_EQ(test, 0, record_open_all(test, &opened.rx, a.bytes,
						 NULL, &opened));
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&a.tx);
	sdp_tx_end(&b.tx);
	record_rig_close(test, &rig);
}

/* A response is bound to the request that it answers. */
static void responses(struct kunit *test)
{
	struct record_sealed *sent;
	struct record_opened got[2], answer;
	struct record_rig rig;
	int i;

	/* Two requests of the same RPC id, as after a client's restart. */
	sent = kunit_kcalloc(test, 4, sizeof(*sent), GFP_KERNEL);
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT],
						     NULL, RPC_ID, 10, 0,
						     &sent[i]));
		KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER,
						      &sent[i].hdr,
						      &got[i].rx));
		KUNIT_ASSERT_EQ(test, 0, record_seal(test, NULL, &got[i].rx,
						     RPC_ID | 1, 20, 0,
						     &sent[2 + i]));
	}
	KUNIT_EXPECT_EQ(test, -EPROTO, record_receive(test, &rig, CLIENT,
						      &sent[2], &sent[1].tx,
						      &answer));
	KUNIT_EXPECT_EQ(test, -EPROTO, record_receive(test, &rig, CLIENT,
						      &sent[2], NULL, &answer));
	KUNIT_EXPECT_EQ(test, 0, record_receive(test, &rig, CLIENT, &sent[2],
						&sent[0].tx, &answer));
	KUNIT_EXPECT_EQ(test, 0, record_receive(test, &rig, CLIENT, &sent[3],
						&sent[1].tx, &answer));
	KUNIT_EXPECT_EQ(test, -EALREADY, record_receive(test, &rig, CLIENT,
							&sent[3], &sent[1].tx,
							&answer));
	for (i = 0; i < 4; i++)
		sdp_tx_end(&sent[i].tx);
	for (i = 0; i < 2; i++)
		sdp_rx_end(&got[i].rx);
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(header_bytes),
	KUNIT_CASE(illegal_fields),
	KUNIT_CASE(sealed_bytes),
	KUNIT_CASE(forged_headers),
	KUNIT_CASE(reflected),
	KUNIT_CASE(spliced),
	KUNIT_CASE(responses),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_tamper",
	.test_cases = cases,
};

kunit_test_suite(suite);
