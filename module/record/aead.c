// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which implementation of a cipher runs, and where its requests live.
 *
 * On x86 the fast gcm(aes) is registered twice: as an internal, synchronous
 * algorithm that needs SIMD, and as a wrapper around it that is marked
 * asynchronous because it defers where SIMD cannot be used. Asking the wrapper
 * to be synchronous selects C code that is 15 times slower. So the internal
 * one is taken where it exists, and the cases without SIMD are dealt with here:
 * a tag alone is made by gmac.c, anything longer is left to process context.
 *
 * Requests of implementations that need memory in them are per CPU, one for
 * tasks and one for softirqs, which may interrupt them.
 */
#include <crypto/internal/aead.h>
#include <crypto/internal/simd.h>
#include <crypto/utils.h>
#include <linux/cpumask.h>
#include <linux/local_lock.h>
#include <linux/sdp.h>
#include <linux/slab.h>
#ifdef CONFIG_X86
#include <asm/simd.h>
#else
#include <asm-generic/simd.h>
#endif

#include "aead.h"
#include "kdf.h"

/* Room for a request per CPU, with what its implementation needs. */
#define REQUEST_SIZE 2048

struct request_slot {
	local_lock_t lock;
	struct aead_request *req;
};

static DEFINE_PER_CPU(struct request_slot, task_slot) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static DEFINE_PER_CPU(struct request_slot, softirq_slot) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

/* Is there an internal synchronous gcm(aes)? Found at module load. */
static bool gcm_internal __read_mostly;

typedef int (*crypt_fn)(struct aead_request *req);

static void set_request(struct aead_request *req, struct sdp_aead *aead,
			struct sdp_aead_op *op, u32 flags)
{
	aead_request_set_tfm(req, aead->tfm);
	aead_request_set_callback(req, flags, NULL, NULL);
	aead_request_set_crypt(req, op->src, op->dst, op->crypt, op->nonce);
	aead_request_set_ad(req, op->assoc);
}

static int run_on_stack(struct sdp_aead *aead, struct sdp_aead_op *op,
			crypt_fn crypt)
{
	struct aead_request req __uninitialized;

	set_request(&req, aead, op, 0);
	return crypt(&req);
}

static int run_in_slot(struct sdp_aead *aead, struct sdp_aead_op *op,
		       crypt_fn crypt, struct aead_request *req)
{
	int err;

	set_request(req, aead, op, 0);
	err = crypt(req);
	/* Parts of the key stream, and Poly1305's key. */
	memzero_explicit(aead_request_ctx(req), crypto_aead_reqsize(aead->tfm));
	return err;
}

static int run_per_cpu(struct sdp_aead *aead, struct sdp_aead_op *op,
		       crypt_fn crypt)
{
	int err;

	if (in_softirq()) {
		local_lock(&softirq_slot.lock);
		err = run_in_slot(aead, op, crypt,
				  this_cpu_read(softirq_slot.req));
		local_unlock(&softirq_slot.lock);
	} else {
		local_lock(&task_slot.lock);
		err = run_in_slot(aead, op, crypt,
				  this_cpu_read(task_slot.req));
		local_unlock(&task_slot.lock);
	}
	return err;
}

static int run_async(struct sdp_aead *aead, struct sdp_aead_op *op,
		     crypt_fn crypt)
{
	DECLARE_CRYPTO_WAIT(wait);
	int err;

	mutex_lock(&aead->lock);
	set_request(aead->req, aead, op, CRYPTO_TFM_REQ_MAY_SLEEP |
		CRYPTO_TFM_REQ_MAY_BACKLOG);
	aead_request_set_callback(aead->req, CRYPTO_TFM_REQ_MAY_SLEEP |
				  CRYPTO_TFM_REQ_MAY_BACKLOG, crypto_req_done,
				  &wait);
	err = crypto_wait_req(crypt(aead->req), &wait);
	mutex_unlock(&aead->lock);
	return err;
}

/* Can the implementation run here and now? */
static bool runnable(const struct sdp_aead *aead, const struct sdp_aead_op *op)
{
	if (aead->async)
		return !op->atomic;
	return !aead->simd || crypto_simd_usable();
}

static int run(struct sdp_aead *aead, struct sdp_aead_op *op, crypt_fn crypt)
{
	bool undisturbed = aead->simd && !op->atomic &&
			   !IS_ENABLED(CONFIG_PREEMPT_RT);
	int err;

	if (aead->async)
		return run_async(aead, op, crypt);
	/* A softirq in the midst of it would have to do without these registers. */
	if (undisturbed)
		local_bh_disable();
	if (aead->stack)
		err = run_on_stack(aead, op, crypt);
	else
		err = run_per_cpu(aead, op, crypt);
	if (undisturbed)
		local_bh_enable();
	return err;
}

int sdp_aead_seal(struct sdp_aead *aead, struct sdp_aead_op *op)
{
	u8 tag[SDP_AEAD_TAG];

	if (likely(runnable(aead, op)))
		return run(aead, op, crypto_aead_encrypt);
	if (op->crypt || !aead->gmac)
		return -EAGAIN;
	sdp_gmac_tag(aead->gmac, op->nonce, op->src, op->assoc, tag);
	sg_pcopy_from_buffer(op->dst, sg_nents(op->dst), tag, sizeof(tag),
			     op->assoc);
	return 0;
}

int sdp_aead_open(struct sdp_aead *aead, struct sdp_aead_op *op)
{
	u8 tag[SDP_AEAD_TAG], got[SDP_AEAD_TAG];

	if (likely(runnable(aead, op)))
		return run(aead, op, crypto_aead_decrypt);
	if (op->crypt != SDP_AEAD_TAG || !aead->gmac)
		return -EAGAIN;
	sdp_gmac_tag(aead->gmac, op->nonce, op->src, op->assoc, tag);
	sg_pcopy_to_buffer(op->src, sg_nents(op->src), got, sizeof(got),
			   op->assoc);
	return crypto_memneq(tag, got, sizeof(tag)) ? -EBADMSG : 0;
}

static struct crypto_aead *alloc_tfm(u16 cipher, bool internal)
{
	if (cipher == SDP_CIPHER_CHACHA20_POLY1305)
		return crypto_alloc_aead("rfc7539(chacha20,poly1305)", 0, 0);
	if (internal)
		return crypto_alloc_aead("__gcm(aes)", CRYPTO_ALG_INTERNAL,
					 CRYPTO_ALG_INTERNAL |
					 CRYPTO_ALG_ASYNC);
	return crypto_alloc_aead("gcm(aes)", 0, 0);
}

static bool is_async(const struct crypto_aead *tfm)
{
	return crypto_aead_alg((struct crypto_aead *)tfm)->base.cra_flags &
	       CRYPTO_ALG_ASYNC;
}

static int setup_request(struct sdp_aead *aead)
{
	unsigned int size = crypto_aead_reqsize(aead->tfm);

	aead->stack = !aead->async && !size;
	/* One that needs more room than a slot has is used like a slow one. */
	if (!aead->async && sizeof(*aead->req) + size > REQUEST_SIZE)
		aead->async = true;
	if (!aead->async)
		return 0;
	mutex_init(&aead->lock);
	aead->req = aead_request_alloc(aead->tfm, GFP_KERNEL_ACCOUNT);
	return aead->req ? 0 : -ENOMEM;
}

static int setup_gmac(struct sdp_aead *aead, u16 cipher, const u8 *key)
{
	if (cipher == SDP_CIPHER_CHACHA20_POLY1305 ||
	    (!aead->simd && !aead->async))
		return 0;
	aead->gmac = sdp_gmac_alloc(key, sdp_kdf_key_length(cipher));
	return aead->gmac ? 0 : -ENOMEM;
}

int sdp_aead_setup(struct sdp_aead *aead, u16 cipher, const u8 *key)
{
	struct crypto_aead *tfm;
	int err;

	tfm = alloc_tfm(cipher, gcm_internal);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	aead->tfm = tfm;
	aead->simd = gcm_internal && cipher != SDP_CIPHER_CHACHA20_POLY1305;
	aead->async = is_async(tfm);
	err = crypto_aead_setkey(tfm, key, sdp_kdf_key_length(cipher));
	if (!err)
		err = crypto_aead_setauthsize(tfm, SDP_AEAD_TAG);
	if (!err)
		err = setup_request(aead);
	if (!err)
		err = setup_gmac(aead, cipher, key);
	if (err)
		sdp_aead_destroy(aead);
	return err;
}

void sdp_aead_destroy(struct sdp_aead *aead)
{
	sdp_gmac_free(aead->gmac);
	if (aead->req)
		aead_request_free(aead->req);
	if (aead->tfm)
		crypto_free_aead(aead->tfm);
	memset(aead, 0, sizeof(*aead));
}

const char *sdp_aead_driver(const struct sdp_aead *aead)
{
	return crypto_tfm_alg_driver_name(crypto_aead_tfm(aead->tfm));
}

static void free_slots(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		kfree(per_cpu(task_slot, cpu).req);
		kfree(per_cpu(softirq_slot, cpu).req);
		per_cpu(task_slot, cpu).req = NULL;
		per_cpu(softirq_slot, cpu).req = NULL;
	}
}

static int alloc_slots(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct aead_request **task = &per_cpu(task_slot, cpu).req;
		struct aead_request **soft = &per_cpu(softirq_slot, cpu).req;
		int node = cpu_to_node(cpu);

		*task = kzalloc_node(REQUEST_SIZE, GFP_KERNEL, node);
		*soft = kzalloc_node(REQUEST_SIZE, GFP_KERNEL, node);
		if (!*task || !*soft) {
			free_slots();
			return -ENOMEM;
		}
	}
	return 0;
}

int sdp_aead_init(void)
{
	struct crypto_aead *tfm;

	/* Looking for the public name loads the module with both. */
	tfm = alloc_tfm(SDP_CIPHER_AES_128_GCM, false);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	crypto_free_aead(tfm);
	tfm = alloc_tfm(SDP_CIPHER_AES_128_GCM, true);
	gcm_internal = !IS_ERR(tfm);
	if (gcm_internal)
		crypto_free_aead(tfm);
	return alloc_slots();
}

void sdp_aead_exit(void)
{
	free_slots();
}
