// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys, contexts and sealing. What a context expects is known here only, from what it was
 * told and what it sealed, as in hardware; only the queue's thread touches it.
 */
#include <crypto/aead.h>
#include <crypto/sha2.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "testnic.h"

#define RECORD_HEADER 5
#define TAG 16
#define ALIVE 0x600dc0de
#define DETECTOR_SHIFT 15

/* What secure messages of the tests consist of, again and again. */
#define MARK "not to be seen! "
#define MARK_LENGTH 16

struct nic_key {
	u32 alive;
	struct crypto_aead *tfm;
	u8 iv[12];
	u64 name;
	atomic_t contexts;
};

struct nic_context {
	u32 alive;
	struct nic_key *key;
	u16 queue;
	bool told;
	u64 expected;
};

atomic_t testnic_keys_now, testnic_contexts_now;

static atomic_t contexts_there[TESTNIC_DEVICES];

/* The last plaintext of a (key, record number), by hash. */
struct nic_used {
	u64 key;
	u64 record;
	u64 bytes;
};

static struct nic_used *detector;
static DEFINE_SPINLOCK(detector_lock);

static void take_time(void)
{
	if (testnic_knob(slow_ms))
		msleep(testnic_knob(slow_ms));
}

static int key_add(struct net_device *dev, const struct sdp_offload_key *from, void **handle)
{
	unsigned int len = from->cipher == SDP_OFFLOAD_AES_128_GCM ? 16 : 32;
	u8 digest[SHA256_DIGEST_SIZE];
	struct nic_key *key;
	int err;

	take_time();
	if (testnic_knob(fail_keys)) {
		testnic_count(refused_keys);
		return -(int)testnic_knob(fail_keys);
	}
	if (WARN_ON(from->kind != SDP_OFFLOAD_TLS13))
		return -EINVAL;
	key = kzalloc(sizeof(*key), GFP_KERNEL);
	if (!key)
		return -ENOMEM;
	key->tfm = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(key->tfm)) {
		err = PTR_ERR(key->tfm);
		kfree(key);
		return err;
	}
	err = crypto_aead_setkey(key->tfm, from->key, len) ?:
	      crypto_aead_setauthsize(key->tfm, TAG);
	if (err) {
		crypto_free_aead(key->tfm);
		kfree(key);
		return err;
	}
	memcpy(key->iv, from->iv, sizeof(key->iv));
	sha256(from->key, len, digest);
	key->name = get_unaligned_le64(digest) ^ get_unaligned_le64(key->iv);
	key->alive = ALIVE;
	testnic_count(keys);
	atomic_inc(&testnic_keys_now);
	*handle = key;
	return 0;
}

static void key_del(struct net_device *dev, void *handle)
{
	struct nic_key *key = handle;

	take_time();
	atomic_dec(&testnic_keys_now);
	if (key->alive != ALIVE || atomic_read(&key->contexts))
		testnic_count(misuse_key);
	key->alive = 0;
	crypto_free_aead(key->tfm);
	kfree_sensitive(key);
}

static int context_add(struct net_device *dev, void *of, u16 queue, void **handle)
{
	atomic_t *there = &contexts_there[dev->dev_port];
	struct nic_context *context;

	take_time();
	if (testnic_knob(fail_contexts)) {
		testnic_count(refused_contexts);
		return -(int)testnic_knob(fail_contexts);
	}
	if (atomic_inc_return(there) > testnic_knob(contexts_max)) {
		atomic_dec(there);
		testnic_count(refused_contexts);
		return -ENOSPC;
	}
	context = kzalloc(sizeof(*context), GFP_KERNEL);
	if (!context) {
		atomic_dec(there);
		return -ENOMEM;
	}
	context->key = of;
	context->queue = queue;
	context->alive = ALIVE;
	atomic_inc(&context->key->contexts);
	testnic_count(contexts);
	atomic_inc(&testnic_contexts_now);
	*handle = context;
	return 0;
}

static void context_del(struct net_device *dev, void *handle)
{
	struct nic_context *context = handle;

	take_time();
	testnic_wait(dev);
	atomic_dec(&testnic_contexts_now);
	if (context->alive != ALIVE)
		testnic_count(misuse_gone);
	context->alive = 0;
	atomic_dec(&context->key->contexts);
	atomic_dec(&contexts_there[dev->dev_port]);
	kfree(context);
}

#define OPS(can_cut)							\
	{								\
		.version = SDP_OFFLOAD_VERSION,				\
		.kinds = BIT(SDP_OFFLOAD_TLS13),			\
		.ciphers = BIT(SDP_OFFLOAD_AES_128_GCM) |		\
			   BIT(SDP_OFFLOAD_AES_256_GCM),		\
		/* What it really has is a knob's. */			\
		.contexts = 1 << 20,					\
		.cuts = (can_cut),					\
		.key_add = key_add,					\
		.key_del = key_del,					\
		.context_add = context_add,				\
		.context_del = context_del,				\
	}

const struct sdp_offload_ops *testnic_ops(bool cuts)
{
	static const struct sdp_offload_ops ops[] = { OPS(false), OPS(true) };

	return &ops[cuts];
}

static void detect_reuse(const struct nic_key *key, u64 record, const u8 *plain, u32 length)
{
	u8 digest[SHA256_DIGEST_SIZE];
	struct nic_used *used;
	u64 bytes;

	sha256(plain, length, digest);
	bytes = get_unaligned_le64(digest) | 1;
	used = &detector[hash_64(key->name ^ hash_64(record, 64), DETECTOR_SHIFT)];
	spin_lock_bh(&detector_lock);
	if (used->key == key->name && used->record == record && used->bytes != bytes)
		testnic_count(nonce_reuse);
	used->key = key->name;
	used->record = record;
	used->bytes = bytes;
	spin_unlock_bh(&detector_lock);
}

/* One record, in place. Return: its bytes; 0: it is none. */
static u32 seal_record(struct nic_context *context, u8 *data, u32 left)
{
	DECLARE_CRYPTO_WAIT(wait);
	struct aead_request *req;
	struct scatterlist sg;
	u32 length;
	u8 iv[12];

	if (left < RECORD_HEADER + TAG + 1 || data[0] != 0x17 || data[1] != 3 || data[2] != 3)
		return 0;
	length = get_unaligned_be16(data + 3);
	if (length < TAG + 1 || length > left - RECORD_HEADER)
		return 0;
	detect_reuse(context->key, context->expected, data, RECORD_HEADER + length - TAG);
	req = aead_request_alloc(context->key->tfm, GFP_KERNEL);
	if (!req)
		return 0;
	memcpy(iv, context->key->iv, 4);
	put_unaligned_be64(get_unaligned_be64(context->key->iv + 4) ^ context->expected, iv + 4);
	sg_init_one(&sg, data, RECORD_HEADER + length);
	aead_request_set_callback(req, CRYPTO_TFM_REQ_MAY_SLEEP, crypto_req_done, &wait);
	aead_request_set_crypt(req, &sg, &sg, length - TAG, iv);
	aead_request_set_ad(req, RECORD_HEADER);
	WARN_ON(crypto_wait_req(crypto_aead_encrypt(req), &wait));
	aead_request_free(req);
	testnic_count(sealed_records);
	if (testnic_knob(corrupt) &&
	    !(atomic_read(&testnic_counters[TESTNIC_sealed_records]) % testnic_knob(corrupt)))
		data[RECORD_HEADER] ^= 1;
	context->expected++;
	return RECORD_HEADER + length;
}

void testnic_seal(struct testnic_posted *posted, u16 queue)
{
	const struct sdp_offload_segment *segment = &posted->segment;
	struct nic_context *context = segment->context;
	u8 *data = posted->skb->data + segment->headers;
	u32 left = posted->skb->len - segment->headers, records = 0, bytes;

	if (context->alive != ALIVE || context->key->alive != ALIVE) {
		testnic_count(misuse_gone);
		memset(data, 0xee, left);
		return;
	}
	if (context->queue != queue)
		testnic_count(misuse_queue);
	if (segment->resync) {
		testnic_count(resyncs);
		context->told = true;
		context->expected = segment->record;
	}
	/* Hardware cannot see this: what it seals then is of no use to anybody. */
	if (!context->told || context->expected != segment->record)
		testnic_count(misuse_record);
	testnic_count(sealed_segments);
	testnic_add(sealed_bytes, left);
	for (; left; left -= bytes, data += bytes, records++) {
		bytes = seal_record(context, data, left);
		if (!bytes)
			break;
	}
	if (left || records != segment->records) {
		testnic_count(misuse_frame);
		memset(data, 0xee, left);
	}
}

/*
 * Secure messages of the tests are full of these bytes, clear ones have none; sealed, they
 * are not seen. A packet that ends a record has no room for a tag that is zero.
 */
void testnic_inspect(const struct sk_buff *skb)
{
	static const u8 unsealed[1 + TAG] = { 0x17 };
	const u8 *data = skb->data, *end = data + skb_headlen(skb);

	if (skb_is_nonlinear(skb) || skb_headlen(skb) < ETH_HLEN + sizeof(unsealed))
		return;
	if (!memcmp(end - sizeof(unsealed), unsealed, sizeof(unsealed))) {
		testnic_count(leaks);
		return;
	}
	for (data += ETH_HLEN; data + MARK_LENGTH <= end; data++)
		if (*data == MARK[0] && !memcmp(data, MARK, MARK_LENGTH)) {
			testnic_count(leaks);
			return;
		}
}

int testnic_engine_init(void)
{
	detector = vzalloc(sizeof(*detector) << DETECTOR_SHIFT);
	return detector ? 0 : -ENOMEM;
}

void testnic_engine_exit(void)
{
	vfree(detector);
}
