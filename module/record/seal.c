// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing messages.
 *
 * A message's number is taken under the epoch's lock and never given back. The
 * rule that message n waits for a sign of n - 2^22 is kept by the chunk: the
 * first number of a chunk waits until every message of the chunk one window
 * before has been heard of, or has ended here (then nobody waits for it).
 */
#include <crypto/utils.h>
#include <linux/rcupdate.h>
#include <linux/unaligned.h>

#include "../observe/observe.h"
#include "../observe/trace.h"
#include "audit.h"
#include "epoch.h"
#include "head.h"
#include "piece.h"
#include "seal.h"
#include "session.h"
#include "tag.h"

static unsigned int chunk_slot(u64 msgno)
{
	return (msgno >> SDP_REPLAY_CHUNK_SHIFT) % SDP_UNHEARD_CHUNKS;
}

static bool starts_chunk(u64 msgno)
{
	return !(msgno & (SDP_REPLAY_CHUNK - 1));
}

/* The present epoch for sending, held. */
static struct sdp_epoch *present_epoch(struct sdp_session *session)
{
	struct sdp_epoch *epoch;

	rcu_read_lock();
	do {
		epoch = rcu_dereference(session->tx);
	} while (epoch && !refcount_inc_not_zero(&epoch->ref));
	rcu_read_unlock();
	return epoch;
}

/* Is it time to move on, or has the peer asked for it? */
static bool is_due(const struct sdp_session *session,
		   const struct sdp_epoch *epoch)
{
	const u32 *seconds = session->rekey_s;

	if (likely(!READ_ONCE(session->tx_asked)) &&
	    (!seconds || !READ_ONCE(epoch->tx->next) ||
	     time_before(jiffies, READ_ONCE(epoch->tx->since) +
			 READ_ONCE(*seconds) * HZ)))
		return false;
	return time_after(jiffies, READ_ONCE(session->tx_tried) +
			  SDP_EPOCH_RETRY);
}

static bool wants_rekey(struct sdp_session *session,
			const struct sdp_epoch *epoch)
{
	if (READ_ONCE(epoch->tx->next) >= SDP_REKEY_MESSAGES ||
	    atomic64_read(&epoch->tx->blocks) >= SDP_REKEY_BLOCKS)
		return true;
	if (likely(!is_due(session, epoch)) || session->raw)
		return false;
	WRITE_ONCE(session->tx_tried, jiffies);
	return true;
}

/* The epoch of a new message, held; moves on by the limits. */
static struct sdp_epoch *sending_epoch(struct sdp_session *session)
{
	struct sdp_epoch *epoch = present_epoch(session);

	if (epoch && unlikely(wants_rekey(session, epoch))) {
		/* If it cannot move now, the next message tries again. */
		sdp_epoch_send_next(session, epoch);
		sdp_epoch_put(epoch);
		epoch = present_epoch(session);
	}
	return epoch;
}

static int take_number(struct sdp_epoch *epoch, u64 *msgno)
{
	struct sdp_epoch_tx *tx = epoch->tx;
	unsigned int slot;
	int err = 0;

	spin_lock_bh(&tx->lock);
	slot = chunk_slot(tx->next);
	if (unlikely(tx->next > SDP_MSGNO_MAX)) {
		err = -EKEYEXPIRED;
	} else if (unlikely(starts_chunk(tx->next) && tx->unheard[slot])) {
		tx->waiting = true;
		err = -EAGAIN;
	} else {
		*msgno = tx->next;
		if (unlikely(!tx->next))
			WRITE_ONCE(tx->since, jiffies);
		WRITE_ONCE(tx->next, tx->next + 1);
		tx->unheard[slot]++;
	}
	spin_unlock_bh(&tx->lock);
	return err;
}

/* Upper bound of the AES blocks that a message takes, with those of its tags. */
static u64 message_blocks(u32 sealed, u32 records)
{
	return DIV_ROUND_UP(sealed, 16) + records;
}

static int begin_in_epoch(struct sdp_epoch *epoch, struct sdp_tx *tx,
			  const struct sdp_seal *seal)
{
	u64 blocks = message_blocks(tx->sealed, seal->records);
	int err;

	if (sdp_session_dead(epoch->session))
		return -ECONNRESET;
	err = sdp_epoch_charge(epoch, blocks);
	if (err)
		return err;
	err = take_number(epoch, &tx->msgno);
	/* Nothing will be sealed; whoever waits tries again and again. */
	if (err)
		atomic64_sub(blocks, &epoch->tx->blocks);
	return err;
}

static void freeze_head(struct sdp_seal *seal,
			const struct sdp_message_head *given,
			const struct sdp_rx *request)
{
	struct sdp_message_head head = *given;

	head.response = request;
	head.len = seal->head_len;
	if (request) {
		head.request_epoch = request->epoch->number & 0xffff;
		head.request_msgno = request->msgno;
	}
	sdp_head_encode(&head, seal->head);
}

int sdp_seal_begin(struct sdp_session *session, struct sdp_tx *tx,
		   struct sdp_seal *seal, const struct sdp_message_head *head,
		   const struct sdp_rx *request, u32 pad)
{
	struct sdp_epoch *epoch;
	int err;

	if (!session)
		session = request->epoch->session;
	seal->tx = tx;
	seal->app_len = head->app_len;
	seal->head_len = sdp_head_length(request, head->num_acks);
	seal->record_size = session->record_size;
	tx->sealed = sdp_layout_sealed(session->record_size,
				       (u64)seal->head_len + head->app_len +
				       pad);
	if (!tx->sealed)
		return -EMSGSIZE;
	seal->records = sdp_layout_records(session->record_size, tx->sealed);
	epoch = sending_epoch(session);
	if (!epoch)
		return -ECONNRESET;
	err = begin_in_epoch(epoch, tx, seal);
	if (err) {
		sdp_epoch_put(epoch);
		return err;
	}
	tx->heard = 0;
	/* Packets may be looked at against it: pairs with sdp_tx_heard(). */
	smp_store_release(&tx->epoch, epoch);
	freeze_head(seal, head, request);
	return 0;
}

void sdp_seal_unspend(const struct sdp_seal *seal)
{
	const struct sdp_tx *tx = seal->tx;

	atomic64_sub(message_blocks(tx->sealed, seal->records), &tx->epoch->tx->blocks);
}

/* Everything of a record's buffer but the application data. */
void sdp_seal_plain(const struct sdp_seal *seal, u32 index, u8 *buf)
{
	u32 app_end = sdp_seal_lead(seal, index) +
		      sdp_seal_app_length(seal, index);
	u32 end = sdp_seal_buffer(seal, index);

	buf[0] = SDP_RECORD_TYPE;
	buf[1] = 3;
	buf[2] = 3;
	put_unaligned_be16(end - SDP_RECORD_HEADER + SDP_RECORD_TAG, buf + 3);
	if (!index)
		memcpy(buf + SDP_RECORD_HEADER, seal->head, seal->head_len);
	memset(buf + app_end, 0, end - 1 - app_end);
	buf[end - 1] = SDP_RECORD_TYPE;
}

static enum sdp_counter seal_counter(const struct sdp_session *session)
{
	switch (session->cipher) {
	case SDP_CIPHER_AES_128_GCM:
		return SDP_CTR_seal_aes_128_gcm_cpu;
	case SDP_CIPHER_AES_256_GCM:
		return SDP_CTR_seal_aes_256_gcm_cpu;
	default:
		return SDP_CTR_seal_chacha20_poly1305_cpu;
	}
}

static void copy_record_header(struct scatterlist *dst, struct scatterlist *src)
{
	u8 header[SDP_RECORD_HEADER];

	if (likely(src->length >= SDP_RECORD_HEADER &&
		   dst->length >= SDP_RECORD_HEADER)) {
		memcpy(sg_virt(dst), sg_virt(src), SDP_RECORD_HEADER);
		return;
	}
	sg_copy_to_buffer(src, sg_nents(src), header, sizeof(header));
	sg_copy_from_buffer(dst, sg_nents(dst), header, sizeof(header));
}

int sdp_seal_inner(struct sdp_tx *tx, u32 index, struct scatterlist *src,
		   struct scatterlist *dst, unsigned int len, bool atomic)
{
	struct sdp_session *session = tx->epoch->session;
	struct sdp_aead_op op = {
		.src = src,
		.dst = dst,
		.assoc = SDP_RECORD_HEADER,
		.crypt = len - SDP_RECORD_HEADER,
		.atomic = atomic,
	};
	int err;

	if (dst != src)
		copy_record_header(dst, src);
	err = sdp_epoch_seal(tx->epoch, sdp_epoch_record(tx->msgno, index),
			     &op);
	if (!err)
		sdp_count(session->counts, seal_counter(session));
	return err;
}

int sdp_seal_record(struct sdp_seal *seal, u32 index, u8 *buf,
		    struct scatterlist *dst)
{
	unsigned int len = sdp_seal_buffer(seal, index);
	struct scatterlist src;

	sdp_seal_plain(seal, index, buf);
	sdp_piece(&src, buf, dst ? len : len + SDP_RECORD_TAG);
	return sdp_seal_inner(seal->tx, index, &src, dst ?: &src, len, false);
}

void sdp_tx_header(const struct sdp_tx *tx, struct sdp_secure_data_hdr *hdr)
{
	const struct sdp_epoch *epoch = tx->epoch;

	memset(hdr->common.zero, 0, sizeof(hdr->common.zero));
	hdr->common.type = SDP_TYPE_DATA | SDP_TYPE_SECURE;
	hdr->common.doff = SDP_DOFF_SECURE_DATA;
	hdr->common.flags = 0;
	hdr->common.window = 0;
	hdr->common.checksum = 0;
	hdr->common.urgent = 0;
	hdr->message_length = cpu_to_be32(tx->sealed);
	hdr->session = cpu_to_be32(epoch->session->id);
	sdp_put48(hdr->msgno, tx->msgno);
	hdr->epoch = epoch->number;
	put_unaligned_le64(sdp_tag_compute(&epoch->hdr, hdr), hdr->tag);
}

bool sdp_tx_named(const struct sdp_tx *tx, const struct sdp_secure_data_hdr *hdr)
{
	const struct sdp_epoch *epoch = tx->epoch;

	/* Each epoch counts from 0, and messages of several are on their way. */
	return epoch && hdr->session == cpu_to_be32(epoch->session->id) &&
	       hdr->epoch == (u8)epoch->number && sdp_get48(hdr->msgno) == tx->msgno;
}

bool sdp_tx_made(const struct sdp_tx *tx, const struct sdp_secure_data_hdr *hdr)
{
	u64 tag;

	if (!sdp_tx_named(tx, hdr))
		return false;
	tag = sdp_tag_compute(&tx->epoch->hdr, hdr);
	return !crypto_memneq(&tag, hdr->tag, sizeof(tag));
}

int sdp_tx_authenticate(struct sdp_tx *tx, struct scatterlist *sg,
			unsigned int len)
{
	struct scatterlist *last = sg_last(sg, sg_nents(sg));
	struct sdp_aead_op op = {
		.src = sg,
		.dst = sg,
		.assoc = len - SDP_AEAD_TAG,
		.atomic = true,
	};
	struct sdp_data_trailer *trailer = sg_virt(last);
	u64 counter;
	int err;

	err = sdp_epoch_next_counter(tx->epoch, len, &counter);
	if (err)
		return err;
	trailer->counter = cpu_to_be64(counter);
	return sdp_epoch_seal(tx->epoch, SDP_CONTROL_RECORD | counter, &op);
}

/* The message is no longer outstanding; true if that lets others begin. BH is disabled. */
static bool settle(struct sdp_epoch_tx *tx, u64 msgno)
{
	unsigned int slot = chunk_slot(msgno);
	bool wake;

	spin_lock(&tx->lock);
	tx->unheard[slot]--;
	wake = tx->waiting && slot == chunk_slot(tx->next) &&
	       !tx->unheard[slot];
	if (wake)
		tx->waiting = false;
	spin_unlock(&tx->lock);
	return wake;
}

static void settle_once(struct sdp_tx *tx)
{
	struct sdp_session *session = tx->epoch->session;

	if (test_and_set_bit(0, &tx->heard))
		return;
	if (settle(tx->epoch->tx, tx->msgno) && sdp_record_ops->window)
		sdp_record_ops->window(session);
}

bool sdp_tx_heard(struct sdp_tx *tx)
{
	/* Pairs with sdp_seal_begin(). */
	struct sdp_epoch *epoch = smp_load_acquire(&tx->epoch);

	if (!epoch || test_bit(0, &tx->heard))
		return false;
	if (unlikely(!READ_ONCE(epoch->tx->confirmed)))
		WRITE_ONCE(epoch->tx->confirmed, true);
	settle_once(tx);
	return true;
}

void sdp_tx_end(struct sdp_tx *tx)
{
	struct sdp_epoch *epoch = tx->epoch;

	if (!epoch)
		return;
	if (!test_bit(0, &tx->heard)) {
		local_bh_disable();
		settle_once(tx);
		local_bh_enable();
	}
	tx->epoch = NULL;
	sdp_epoch_put(epoch);
}

void __rcu **sdp_tx_nic(const struct sdp_tx *tx)
{
	return &tx->epoch->nic;
}

u16 sdp_tx_cipher(const struct sdp_tx *tx)
{
	return tx->epoch->session->cipher;
}

u16 sdp_tx_secret(const struct sdp_tx *tx, u8 *key, u8 *iv)
{
	memcpy(key, tx->epoch->key, sizeof(tx->epoch->key));
	memcpy(iv, tx->epoch->iv, sizeof(tx->epoch->iv));
	return sdp_tx_cipher(tx);
}

bool sdp_tx_atomic(const struct sdp_tx *tx)
{
	return !tx->epoch->aead.async;
}

u64 sdp_tx_record(const struct sdp_tx *tx, u32 index)
{
	return sdp_epoch_record(tx->msgno, index);
}

void sdp_tx_left(const struct sdp_tx *tx, u32 index, struct scatterlist *src,
		 unsigned int len)
{
	const struct sdp_aead_op op = {
		.src = src,
		.assoc = SDP_RECORD_HEADER,
		.crypt = len - SDP_RECORD_HEADER,
	};

	sdp_audit_seal(tx->epoch->audit, sdp_tx_record(tx, index), &op);
}

void sdp_tx_suspect(const struct sdp_tx *tx)
{
	sdp_epoch_wanted(tx->epoch->session);
}

void sdp_tx_sealer(const struct sdp_tx *tx, bool nic)
{
	const struct sdp_session *session = tx->epoch->session;

	trace_sdp_session(session->key.net, session->id, session->key.local_port,
			  nic ? "sealed by NIC" : "sealed by CPU", tx->epoch->number);
}
