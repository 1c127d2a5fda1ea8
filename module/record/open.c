// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening messages. Nothing read here is trusted before its tag has verified;
 * what has verified and is still wrong is the peer's fault and final (EPROTO),
 * what has not may have been changed on the way and may come again (EBADMSG).
 */
#include <linux/unaligned.h>

#include "../observe/observe.h"
#include "epoch.h"
#include "head.h"
#include "open.h"
#include "piece.h"
#include "registry.h"
#include "tag.h"

static int check_fields(const struct sdp_session *session,
			const struct sdp_secure_data_hdr *hdr, u64 msgno)
{
	if (msgno > SDP_MSGNO_MAX ||
	    hdr->flags & ~(SDP_DATA_RETRANSMIT | SDP_DATA_AUTHENTICATED) ||
	    !sdp_layout_valid(session->record_size,
			      be32_to_cpu(hdr->message_length)))
		return -EPROTO;
	return 0;
}

struct sdp_epoch *sdp_open_header(struct sdp_session *session,
				  const struct sdp_secure_data_hdr *hdr,
				  const struct in6_addr *local)
{
	struct sdp_epoch *epoch = sdp_epoch_receive(session, hdr->epoch);
	u64 msgno = sdp_get48(hdr->msgno);

	if (!epoch || sdp_session_dead(session))
		return ERR_PTR(-ENOKEY);
	if (!sdp_epoch_local_ok(session, local))
		return ERR_PTR(-EADDRNOTAVAIL);
	if (sdp_epoch_exhausted(epoch))
		return ERR_PTR(-EKEYEXPIRED);
	if (sdp_tag_compute(&epoch->hdr, hdr) != get_unaligned_le64(hdr->tag))
		return ERR_PTR(-EBADMSG);
	sdp_epoch_heard(epoch);
	if (sdp_epoch_first(epoch))
		sdp_session_first_packet(session);
	if (check_fields(session, hdr, msgno))
		return ERR_PTR(-EPROTO);
	sdp_replay_advance(&epoch->rx->replay, msgno);
	return epoch;
}

/* Has the time passed in which the previous epoch begins messages? */
static bool retired(const struct sdp_epoch *epoch)
{
	unsigned long since = READ_ONCE(epoch->rx->retired);

	return unlikely(since) && time_after(jiffies, since + SDP_EPOCH_GRACE);
}

int sdp_rx_check(struct sdp_epoch *epoch, u64 msgno)
{
	int err = sdp_replay_query(&epoch->rx->replay, msgno);

	if (!err && retired(epoch))
		err = -ESTALE;
	return err;
}

int sdp_rx_begin(struct sdp_rx *rx, struct sdp_epoch *epoch,
		 const struct sdp_secure_data_hdr *hdr)
{
	u64 msgno = sdp_get48(hdr->msgno);
	int err;

	if (retired(epoch) || !refcount_inc_not_zero(&epoch->ref))
		return -ESTALE;
	err = sdp_replay_reserve(&epoch->rx->replay, msgno);
	if (err) {
		sdp_epoch_put(epoch);
		return err;
	}
	rx->msgno = msgno;
	rx->rpc_id = be64_to_cpu(hdr->common.sender_id);
	rx->sealed = be32_to_cpu(hdr->message_length);
	rx->head_len = 0;
	rx->committed = false;
	rx->epoch = epoch;
	return 0;
}

static u32 wire_length(const struct sdp_rx *rx, u32 index)
{
	return sdp_layout_wire_length(rx->epoch->session->record_size,
				      rx->sealed, index);
}

u32 sdp_open_buffer(const struct sdp_rx *rx, u32 index)
{
	return wire_length(rx, index) - SDP_RECORD_TAG;
}

/* Is the record header the one that the layout has here? */
static bool record_header_ok(struct scatterlist *src, u32 wire)
{
	u8 copy[SDP_RECORD_HEADER];
	const u8 *header = copy;

	if (likely(src->length >= sizeof(copy)))
		header = sg_virt(src);
	else
		sg_copy_to_buffer(src, sg_nents(src), copy, sizeof(copy));
	return header[0] == SDP_RECORD_TYPE && header[1] == 3 &&
	       header[2] == 3 &&
	       get_unaligned_be16(header + 3) == wire - SDP_RECORD_HEADER;
}

static enum sdp_counter open_counter(const struct sdp_session *session)
{
	switch (session->cipher) {
	case SDP_CIPHER_AES_128_GCM:
		return SDP_CTR_open_aes_128_gcm;
	case SDP_CIPHER_AES_256_GCM:
		return SDP_CTR_open_aes_256_gcm;
	default:
		return SDP_CTR_open_chacha20_poly1305;
	}
}

static int open_to(struct sdp_rx *rx, u32 index, struct scatterlist *src,
		   struct scatterlist *dst, unsigned int flags)
{
	struct sdp_session *session = rx->epoch->session;
	u32 wire = wire_length(rx, index);
	struct sdp_aead_op op = {
		.src = src,
		.dst = dst,
		.assoc = SDP_RECORD_HEADER,
		.crypt = wire - SDP_RECORD_HEADER,
		.atomic = flags & SDP_OPEN_ATOMIC,
	};
	int err = -EBADMSG;

	if (record_header_ok(src, wire))
		err = sdp_epoch_open(rx->epoch,
				     sdp_epoch_record(rx->msgno, index), &op);
	if (!err)
		sdp_count(session->counts, open_counter(session));
	else if (err == -EBADMSG)
		sdp_count(session->counts, SDP_CTR_bad_records);
	return err;
}

static u32 app_length(const struct sdp_rx *rx, u32 index)
{
	return sdp_layout_app_length(rx->epoch->session->record_size,
				     rx->sealed, rx->head_len, rx->app_len,
				     index);
}

/* After @used bytes of content: zeros up to the type byte. */
static int check_end(const u8 *inner, u32 len, u32 used)
{
	if (inner[len - 1] != SDP_RECORD_TYPE)
		return -EPROTO;
	if (used < len - 1 && memchr_inv(inner + used, 0, len - 1 - used))
		return -EPROTO;
	return 0;
}

static int check_request(const struct sdp_rx *rx, const struct sdp_tx *request,
			 const struct sdp_message_head *head)
{
	if (head->response != !!(rx->rpc_id & 1) || head->response != !!request)
		return -EPROTO;
	if (request && (request->epoch->session != rx->epoch->session ||
			head->request_epoch !=
			(u16)request->epoch->number ||
			head->request_msgno != request->msgno))
		return -EPROTO;
	return 0;
}

/* Bytes of content in all records. */
static u32 content_length(const struct sdp_rx *rx)
{
	u32 records = sdp_layout_records(rx->epoch->session->record_size,
					 rx->sealed);

	return rx->sealed - records * SDP_LAYOUT_EXTRA;
}

/* Check an authentic record 0 against the clear header and its layout. */
static int accept_first(struct sdp_rx *rx, const u8 *inner, u32 len,
			const struct sdp_tx *request,
			struct sdp_message_head *head)
{
	int err;

	err = sdp_head_decode(head, inner, len - 1);
	if (err)
		return err;
	if (head->rpc_id != rx->rpc_id ||
	    (u64)head->len + head->app_len > content_length(rx))
		return -EPROTO;
	err = check_request(rx, request, head);
	if (err)
		return err;
	rx->head_len = head->len;
	rx->app_len = head->app_len;
	err = check_end(inner, len, head->len + app_length(rx, 0));
	if (err)
		rx->head_len = 0;
	return err;
}

int sdp_open_first(struct sdp_rx *rx, struct scatterlist *src, u8 *buf,
		   const struct sdp_tx *request, struct sdp_message_head *head,
		   unsigned int flags)
{
	u32 len = sdp_open_buffer(rx, 0);
	struct scatterlist dst;
	int err;

	sdp_piece(&dst, buf, len);
	err = open_to(rx, 0, src, &dst, flags);
	if (!err)
		err = accept_first(rx, buf + SDP_RECORD_HEADER,
				   len - SDP_RECORD_HEADER, request, head);
	return err ?: app_length(rx, 0);
}

int sdp_open_record(struct sdp_rx *rx, u32 index, struct scatterlist *src,
		    u8 *buf, unsigned int flags)
{
	u32 len = sdp_open_buffer(rx, index);
	struct scatterlist dst;
	int err;

	sdp_piece(&dst, buf, len);
	err = open_to(rx, index, src, &dst, flags);
	if (!err)
		err = check_end(buf + SDP_RECORD_HEADER,
				len - SDP_RECORD_HEADER, app_length(rx, index));
	return err ?: app_length(rx, index);
}

int sdp_open_check(struct sdp_rx *rx, u32 index, struct scatterlist *src, u8 *buf)
{
	u32 len = sdp_open_buffer(rx, index);
	struct scatterlist dst;
	int err;

	sdp_piece(&dst, buf, len);
	err = open_to(rx, index, src, &dst, 0);
	if (!err && buf[len - 1] != SDP_RECORD_TYPE)
		err = -EPROTO;
	return err;
}

bool sdp_open_unpadded(const struct sdp_rx *rx, u32 index)
{
	return app_length(rx, index) ==
	       sdp_open_buffer(rx, index) - SDP_RECORD_HEADER - 1;
}

int sdp_open_record_to(struct sdp_rx *rx, u32 index, struct scatterlist *src,
		       struct scatterlist *dst, unsigned int nents)
{
	u8 *type = rx->scratch + SDP_RECORD_HEADER;
	int err;

	sg_set_buf(&dst[0], rx->scratch, SDP_RECORD_HEADER);
	sg_set_buf(&dst[nents + 1], type, 1);
	err = open_to(rx, index, src, dst, 0);
	if (!err && *type != SDP_RECORD_TYPE)
		err = -EPROTO;
	return err ?: app_length(rx, index);
}

int sdp_open_authenticated(struct sdp_epoch *epoch,
			   const struct sdp_secure_data_hdr *hdr,
			   struct scatterlist *sg, unsigned int len)
{
	struct scatterlist table[4];
	struct sdp_aead_op op = {
		.src = table,
		.dst = table,
		.assoc = sizeof(*hdr) + len - SDP_AEAD_TAG,
		.crypt = SDP_AEAD_TAG,
		.atomic = true,
	};
	__be64 field;
	u64 counter;
	int err;

	if (len <= sizeof(struct sdp_data_trailer))
		return -EMSGSIZE;
	sg_pcopy_to_buffer(sg, sg_nents(sg), &field, sizeof(field),
			   len - sizeof(struct sdp_data_trailer));
	counter = be64_to_cpu(field);
	if (counter > SDP_COUNTER_MAX)
		return -EBADMSG;
	sg_init_table(table, ARRAY_SIZE(table));
	sdp_epoch_aad(table, hdr, sizeof(*hdr));
	sg_chain(table, ARRAY_SIZE(table), sg);
	err = sdp_epoch_open(epoch, SDP_CONTROL_RECORD | counter, &op);
	if (err == -EBADMSG)
		sdp_count(epoch->session->counts, SDP_CTR_bad_data_tags);
	if (err)
		return err;
	return sdp_counters_take(&epoch->rx->counters, counter) ? 0 : -EALREADY;
}

bool sdp_rx_commit(struct sdp_rx *rx)
{
	if (rx->committed)
		return false;
	rx->committed = true;
	atomic64_inc(&rx->epoch->session->opened);
	return sdp_replay_commit(&rx->epoch->rx->replay, rx->msgno);
}

void sdp_rx_end(struct sdp_rx *rx)
{
	struct sdp_epoch *epoch = rx->epoch;

	if (!epoch)
		return;
	if (!rx->committed)
		sdp_replay_cancel(&epoch->rx->replay, rx->msgno);
	rx->epoch = NULL;
	sdp_epoch_put(epoch);
}

struct sdp_session *sdp_rx_session(const struct sdp_rx *rx)
{
	return rx->epoch->session;
}

struct sdp_session *sdp_epoch_session(const struct sdp_epoch *epoch)
{
	return epoch->session;
}

bool sdp_rx_delivered(struct sdp_session *session, u8 epoch, u64 msgno)
{
	struct sdp_epoch *rx = sdp_epoch_receive(session, epoch);

	/*
	 * Of an epoch that is gone nothing is known: it may have been. And who
	 * asks about what cannot begin any more is not to start over.
	 */
	return !rx || sdp_rx_check(rx, msgno);
}
