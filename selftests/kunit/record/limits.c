// SPDX-License-Identifier: GPL-2.0-only
/* Counters at their ends: an error, never a wrap. */
#include "rig.h"

static struct sdp_epoch *tx_epoch(struct record_rig *rig)
{
	return rcu_dereference_protected(rig->end[CLIENT]->tx, true);
}

static int try_seal(struct kunit *test, struct record_rig *rig, u32 len)
{
	struct record_sealed sealed;
	int err;

	err = record_seal(test, rig->end[CLIENT], NULL, RPC_ID, len, 0,
			  &sealed);
	if (!err)
		sdp_tx_end(&sealed.tx);
	return err;
}

static void message_number(struct kunit *test)
{
	struct record_opened opened;
	struct record_sealed sealed;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	tx_epoch(&rig)->tx->next = SDP_MSGNO_MAX;
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 600, 0, &sealed));
	KUNIT_EXPECT_EQ(test, 0x7fffffffffffULL, sealed.tx.msgno);
	KUNIT_EXPECT_EQ(test, 0, record_receive(test, &rig, SERVER, &sealed,
						NULL, &opened));
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, try_seal(test, &rig, 1));
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, try_seal(test, &rig, 1));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* A message of 65,536 records: the last one, there and back. */
static void record_index(struct kunit *test)
{
	struct sdp_message_head head = {
		.rpc_id = RPC_ID,
		.app_len = 65536 * 255 - 16,
	};
	struct sdp_secure_data_hdr hdr = {};
	struct scatterlist src;
	struct sdp_seal seal;
	struct record_rig rig;
	struct sdp_tx tx = {};
	struct sdp_rx rx = {};
	u8 *buf, *record;

	buf = kunit_kzalloc(test, 300, GFP_KERNEL);
	record = kunit_kzalloc(test, 300, GFP_KERNEL);
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	head.app_len++;
	KUNIT_EXPECT_EQ(test, -EMSGSIZE, sdp_seal_begin(rig.end[CLIENT], &tx,
							&seal, &head, NULL, 0));
	head.app_len--;
	KUNIT_ASSERT_EQ(test, 0, sdp_seal_begin(rig.end[CLIENT], &tx, &seal,
						&head, NULL, 0));
	KUNIT_EXPECT_EQ(test, 65536, seal.records);
	memset(buf + 5, 0x41, 255);
	sg_init_one(&src, record, 277);
	KUNIT_EXPECT_EQ(test, 0, sdp_seal_record(&seal, 65535, buf, &src));

	hdr.common.sender_id = cpu_to_be64(RPC_ID);
	sdp_tx_header(&tx, &hdr);
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &hdr, &rx));
	rx.head_len = 16;
	rx.app_len = head.app_len;
	KUNIT_EXPECT_EQ(test, 255, sdp_open_record(&rx, 65535, &src, buf, 0));
	KUNIT_EXPECT_EQ(test, 0x41, buf[259]);
	sdp_rx_end(&rx);
	sdp_tx_end(&tx);
	record_rig_close(test, &rig);
}

static void blocks(struct kunit *test)
{
	struct sdp_control control = {};
	struct sdp_common_hdr *pkt;
	struct record_rig rig;

	pkt = kunit_kzalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	pkt->type = SDP_TYPE_BUSY | SDP_TYPE_SECURE;
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	/* 38 bytes sealed: 3 blocks and 1. */
	atomic64_set(&tx_epoch(&rig)->tx->blocks, SDP_MAX_BLOCKS - 3);
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, try_seal(test, &rig, 0));
	atomic64_set(&tx_epoch(&rig)->tx->blocks, SDP_MAX_BLOCKS - 4);
	KUNIT_EXPECT_EQ(test, 0, try_seal(test, &rig, 0));
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, try_seal(test, &rig, 0));
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, sdp_control_seal(rig.end[CLIENT],
							     pkt, 28,
							     &control));
	KUNIT_EXPECT_EQ(test, SDP_MAX_BLOCKS,
			(u64)atomic64_read(&tx_epoch(&rig)->tx->blocks));
	record_rig_close(test, &rig);
}

static void control_counter(struct kunit *test)
{
	struct sdp_control control = {};
	struct sdp_common_hdr *pkt;
	struct record_rig rig;
	int i;

	pkt = kunit_kzalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	pkt->type = SDP_TYPE_BUSY | SDP_TYPE_SECURE;
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	atomic64_set(&tx_epoch(&rig)->tx->counter, SDP_COUNTER_MAX - 1);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, 68, sdp_control_seal(rig.end[CLIENT], pkt,
							   28, &control));
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, -EKEYEXPIRED,
				sdp_control_seal(rig.end[CLIENT], pkt, 28,
						 &control));
	record_rig_close(test, &rig);
}

/* The last opening that may fail, and everything after it. */
static void failures(struct kunit *test)
{
	struct record_opened opened;
	struct record_sealed sealed;
	struct sdp_epoch *epoch;
	struct record_rig rig;
	struct sdp_rx rx;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	epoch = rcu_dereference_protected(rig.end[SERVER]->rx, true);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 10, 0, &sealed));
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr,
					      &opened.rx));
	atomic64_set(&epoch->rx->failed, SDP_MAX_FAILURES - 1);
	sealed.bytes[20] ^= 1;
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_open_all(test, &opened.rx,
							sealed.bytes, NULL,
							&opened));
	sealed.bytes[20] ^= 1;
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, record_open_all(test, &opened.rx,
							    sealed.bytes, NULL,
							    &opened));
	KUNIT_EXPECT_EQ(test, -EKEYEXPIRED, record_begin(&rig, SERVER,
							 &sealed.hdr, &rx));
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(message_number),
	KUNIT_CASE(record_index),
	KUNIT_CASE(blocks),
	KUNIT_CASE(control_counter),
	KUNIT_CASE(failures),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_limits",
	.test_cases = cases,
};

kunit_test_suite(suite);
