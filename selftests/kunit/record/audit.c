// SPDX-License-Identifier: GPL-2.0-only
/* The nonce audit itself: it must fail on a deliberate reuse. */
#include "rig.h"

static void seal_again(struct kunit *test, struct record_sealed *sealed, u8 xor)
{
	u8 *buf = kunit_kmalloc(test, 2000, GFP_KERNEL);
	u8 *out = kunit_kmalloc(test, 2000, GFP_KERNEL);
	struct scatterlist dst;
	unsigned int i;

	for (i = 0; i < 100; i++)
		buf[sdp_seal_lead(&sealed->seal, 0) + i] = i ^ xor;
	sg_init_one(&dst, out, sealed->len);
	KUNIT_EXPECT_EQ(test, 0, sdp_seal_record(&sealed->seal, 0, buf, &dst));
}

static void reuse(struct kunit *test)
{
	struct record_sealed sealed;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	KUNIT_EXPECT_EQ(test, 0, sdp_audit_take_failures(true));
	seal_again(test, &sealed, 0);
	KUNIT_EXPECT_EQ(test, 0, sdp_audit_take_failures(true));
	seal_again(test, &sealed, 1);
	KUNIT_EXPECT_EQ(test, 1, sdp_audit_take_failures(true));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

/* The same key in another session, message number 0 again. */
static void reuse_across_sessions(struct kunit *test)
{
	struct sdp_kdf_keys keys = { .key = { 1 } };
	struct record_sealed sealed[2];
	struct record_rig rig;
	int i;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	sdp_audit_take_failures(true);
	for (i = 0; i < 2; i++) {
		struct sdp_epoch *epoch = sdp_epoch_alloc(rig.end[CLIENT],
							  true, 0, &keys);
		struct sdp_epoch *old;

		KUNIT_ASSERT_FALSE(test, IS_ERR(epoch));
		old = rcu_replace_pointer(rig.end[CLIENT]->tx, epoch, true);
		sdp_epoch_put(old);
		KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT],
						     NULL, RPC_ID, 100 + i, 0,
						     &sealed[i]));
		KUNIT_EXPECT_EQ(test, i, sdp_audit_take_failures(true));
		sdp_tx_end(&sealed[i].tx);
	}
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reuse),
	KUNIT_CASE(reuse_across_sessions),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_audit",
	.test_cases = cases,
};

kunit_test_suite(suite);
