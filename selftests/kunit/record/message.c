// SPDX-License-Identifier: GPL-2.0-only
/* Whole messages, there and back: lengths, padding, scattered memory. */
#include "rig.h"

static const struct {
	u16 cipher;
	u16 record_size;
} sizes[] = {
	{ SDP_CIPHER_AES_128_GCM,       0 },
	{ SDP_CIPHER_AES_128_GCM,       256 },
	{ SDP_CIPHER_AES_256_GCM,       1389 },
	{ SDP_CIPHER_CHACHA20_POLY1305, 256 },
	{ SDP_CIPHER_CHACHA20_POLY1305, 16385 },
};

static void there_and_back(struct kunit *test, struct record_rig *rig, u32 len,
			   u32 pad)
{
	struct record_opened opened;
	struct record_sealed sealed;
	u32 i, wrong = 0;

	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig->end[CLIENT], NULL,
					     RPC_ID, len, pad, &sealed));
	KUNIT_EXPECT_EQ(test, sealed.len,
			sdp_layout_sealed(sealed.seal.record_size,
					  16 + (u64)len + pad));
	KUNIT_ASSERT_EQ(test, 0, record_receive(test, rig, SERVER, &sealed,
						NULL, &opened));
	KUNIT_ASSERT_EQ(test, len, opened.len);
	for (i = 0; i < len; i++)
		wrong += opened.data[i] != (u8)i;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	sdp_tx_end(&sealed.tx);
}

/* Around the end of the first, second and fifth record. */
static void lengths(struct kunit *test)
{
	struct record_rig rig;
	u32 room, pad;
	int i, n, d;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		record_rig_open(test, &rig, sizes[i].cipher,
				sizes[i].record_size);
		room = sdp_session_record_size(rig.end[CLIENT]) - 1;
		there_and_back(test, &rig, 0, 0);
		there_and_back(test, &rig, 1, 0);
		for (n = 1; n <= 5; n += n)
			for (d = -1; d <= 1; d++)
				there_and_back(test, &rig, n * room - 16 + d,
					       0);
		for (pad = 1; pad < 3 * room; pad += room - 1)
			there_and_back(test, &rig, 100, pad);
		record_rig_close(test, &rig);
	}
}

/* Source and destination in pieces, across pages. */
struct pieces {
	u32 first, step;
};

static const struct pieces pieces[] = {
	{ 1, 1420 }, { 3, 7 }, { 5, 16 }, { 4, 1 }, { 1000, 1000 },
};

static unsigned int cut(struct scatterlist *sg, unsigned int max, u8 *bytes,
			u32 len, const struct pieces *how)
{
	u32 part = how->first;
	unsigned int n = 0;

	sg_init_table(sg, max);
	while (len) {
		part = min(part, len);
		sg_set_buf(&sg[n++], bytes, part);
		bytes += part;
		len -= part;
		part = how->step;
	}
	sg_mark_end(&sg[n - 1]);
	return n;
}

#define MAX_PIECES 6000

static void scattered_one(struct kunit *test, struct record_rig *rig,
			  const struct pieces *how)
{
	u32 size = sdp_session_record_size(rig->end[CLIENT]), wire, len;
	struct scatterlist *sg, *dst;
	struct record_sealed sealed;
	struct record_opened opened;
	u8 *buf, *data, *again;
	unsigned int n;

	sg = kunit_kcalloc(test, MAX_PIECES, sizeof(*sg), GFP_KERNEL);
	dst = kunit_kcalloc(test, MAX_PIECES, sizeof(*sg), GFP_KERNEL);
	buf = kunit_kmalloc(test, size + 5, GFP_KERNEL);
	data = kunit_kzalloc(test, size, GFP_KERNEL);
	again = kunit_kzalloc(test, size + 21, GFP_KERNEL);
	/* Kept by the caller; the message's own struct has to be so too. */
	struct sdp_rx *rx = kunit_kzalloc(test, sizeof(*rx), GFP_KERNEL);

	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig->end[CLIENT], NULL,
					     RPC_ID, 2 * size, 0, &sealed));
	/* Record 1 again, into pieces: the same bytes. */
	wire = sdp_layout_wire_length(size, sealed.len, 1);
	len = sdp_seal_app_length(&sealed.seal, 1);
	for (n = 0; n < len; n++)
		buf[5 + n] = size - 1 - 16 + n;
	cut(sg, MAX_PIECES, again, wire, how);
	KUNIT_EXPECT_EQ(test, 0, sdp_seal_record(&sealed.seal, 1, buf, sg));
	KUNIT_EXPECT_MEMEQ(test, again, sealed.bytes + size + 21, wire);

	/* Opened from pieces to pieces. */
	KUNIT_ASSERT_EQ(test, 0, record_begin(rig, SERVER, &sealed.hdr, rx));
	cut(sg, MAX_PIECES, sealed.bytes, size + 21, how);
	KUNIT_EXPECT_EQ(test, (int)(size - 1 - 16),
			sdp_open_first(rx, sg, buf, NULL, &opened.head, 0));
	KUNIT_EXPECT_TRUE(test, sdp_open_unpadded(rx, 1));
	cut(sg, MAX_PIECES, sealed.bytes + size + 21, wire, how);
	n = cut(dst + 1, MAX_PIECES - 2, data, len, how);
	sg_unmark_end(&dst[n]);
	sg_init_table(dst + n + 1, 1);
	KUNIT_EXPECT_EQ(test, (int)len, sdp_open_record_to(rx, 1, sg, dst, n));
	for (n = 0; n < len; n++)
		if (data[n] != (u8)(size - 1 - 16 + n))
			break;
	KUNIT_EXPECT_EQ(test, n, len);
	sdp_rx_end(rx);
	sdp_tx_end(&sealed.tx);
}

static void scattered(struct kunit *test)
{
	static const u16 ciphers[] = {
		SDP_CIPHER_AES_128_GCM, SDP_CIPHER_CHACHA20_POLY1305,
	};
	struct record_rig rig;
	int c, i;

	for (c = 0; c < ARRAY_SIZE(ciphers); c++) {
		record_rig_open(test, &rig, ciphers[c], 5000);
		for (i = 0; i < ARRAY_SIZE(pieces); i++)
			scattered_one(test, &rig, &pieces[i]);
		record_rig_close(test, &rig);
	}
}

/* In softirq, a message of one packet. */
static void one_packet_in_softirq(struct kunit *test)
{
	struct record_sealed sealed;
	struct sdp_message_head head;
	struct record_rig rig;
	struct scatterlist src;
	struct sdp_rx rx;
	u8 *buf;

	buf = kunit_kmalloc(test, 2000, GFP_KERNEL);
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 1000, 0, &sealed));
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr, &rx));
	sg_init_one(&src, sealed.bytes, sealed.len);
	local_bh_disable();
	rcu_read_lock();
	KUNIT_EXPECT_EQ(test, 1000, sdp_open_first(&rx, &src, buf, NULL, &head,
						   SDP_OPEN_ATOMIC));
	KUNIT_EXPECT_TRUE(test, record_in_bh(sdp_rx_commit(&rx)));
	rcu_read_unlock();
	local_bh_enable();
	sdp_rx_end(&rx);
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(lengths),
	KUNIT_CASE(scattered),
	KUNIT_CASE(one_packet_in_softirq),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_message",
	.test_cases = cases,
};

kunit_test_suite(suite);
