// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secure messages on their way out: sealed record by record in the task that sends, or
 * left plain where a NIC will do that.
 */
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>

#include "../../offload/buffer.h"
#include "../../offload/segment.h"
#include "../../record/seal.h"
#include "../out/nic.h"
#include "../run/exec.h"
#include "../state/plain.h"
#include "hand_on.h"
#include "seal.h"

/* Most chunks of a send buffer that a record touches, single pages included. */
#define RECORD_PIECES 8

/* A message while its records are made. */
struct outgoing {
	struct sdp_rpc *rpc;
	struct sdp_seal seal;
	struct iov_iter *from;
	u8 *buffer;		/* plaintext on its way: nobody else can write it; NULL: in place */
	enum sdp_counter sealer;	/* SDP_CTR_seal_nic, or why it is the CPU */
};

/* A record in one piece is sealed where it is sent from: nothing sends it before. */
static u8 *place_of_record(const struct outgoing *out, u32 index)
{
	return sdp_txbuf_record(&out->rpc->tx,
				sdp_layout_wire_size(out->seal.record_size), index);
}

static int seal_in_place(struct outgoing *out, u32 index)
{
	struct sdp_seal *seal = &out->seal;
	u32 offset = sdp_layout_offset(seal->record_size, index);
	u32 length = sdp_seal_app_length(seal, index);
	u8 *place = place_of_record(out, index);
	int err = -EFAULT;

	if (!length || !sdp_txbuf_copy_from_iter(&out->rpc->tx,
						 offset + sdp_seal_lead(seal, index),
						 length, out->from))
		err = sdp_seal_record(seal, index, place, NULL);
	/* The memory goes back to everybody. */
	if (unlikely(err))
		memzero_explicit(place, sdp_seal_buffer(seal, index));
	return err;
}

static int seal_from_buffer(struct outgoing *out, u32 index)
{
	struct sdp_seal *seal = &out->seal;
	u32 sealed = sdp_seal_buffer(seal, index) + SDP_RECORD_TAG;
	u32 offset = sdp_layout_offset(seal->record_size, index);
	u32 length = sdp_seal_app_length(seal, index);
	struct scatterlist sg[RECORD_PIECES];
	struct bio_vec vec[RECORD_PIECES];
	u32 pieces, i;

	if (length && !copy_from_iter_full(out->buffer + sdp_seal_lead(seal, index),
					   length, out->from))
		return -EFAULT;
	pieces = sdp_txbuf_map(&out->rpc->tx, offset, sealed, vec, RECORD_PIECES);
	sg_init_table(sg, pieces);
	for (i = 0; i < pieces; i++)
		sg_set_page(&sg[i], vec[i].bv_page, vec[i].bv_len,
			    vec[i].bv_offset);
	return sdp_seal_record(seal, index, out->buffer, sg);
}

static int seal_record(struct outgoing *out, u32 index)
{
	int err = out->buffer ? seal_from_buffer(out, index) : seal_in_place(out, index);

	if (!err)
		sdp_count(out->rpc->who.sn->counts, out->sealer);
	return err;
}

/* The NIC writes the tag over what stands in its place. */
static int frame_record(struct outgoing *out, u32 index)
{
	u8 *frame = sdp_txbuf_frame(&out->rpc->tx, index);
	struct sdp_seal *seal = &out->seal;
	u32 length = sdp_seal_app_length(seal, index);

	if (length && !copy_from_iter_full(frame + sdp_seal_lead(seal, index), length,
					   out->from))
		return -EFAULT;
	sdp_seal_plain(seal, index, frame);
	memset(frame + sdp_seal_buffer(seal, index), 0, SDP_RECORD_TAG);
	return 0;
}

/* Handed on at a time: what a segment holds, in whole records. */
static u32 batch_of(const struct sdp_seal *seal)
{
	u32 record = sdp_layout_wire_size(seal->record_size);

	return max(SDP_SEGMENT_MAX / record, 1U) * record;
}

static int make_records(struct outgoing *out)
{
	bool plain = out->sealer == SDP_CTR_seal_nic;
	u32 handed = 0, ready = 0, batch, i;
	struct sdp_seal *seal = &out->seal;
	struct sdp_rpc *rpc = out->rpc;
	int err;

	batch = batch_of(seal);
	for (i = 0; i < seal->records; i++) {
		err = plain ? frame_record(out, i) : seal_record(out, i);
		if (err)
			return err;
		ready = i + 1 < seal->records ?
			sdp_layout_offset(seal->record_size, i + 1) :
			rpc->tx.length;
		if (ready - handed < batch && i + 1 < seal->records)
			continue;
		/* Not before: until then it may be dropped, and nobody else has seen it. */
		if (plain && !handed)
			sdp_plain_add(rpc);
		err = sdp_hand_on(rpc, ready, !handed);
		if (err)
			return err;
		handed = ready;
		/* Over before all of it was needed: that is no error. */
		if (READ_ONCE(rpc->over))
			break;
		/* A long message is not to hold up short ones of this processor. */
		cond_resched();
	}
	return 0;
}

/* Who seals it: known once its number is, and its buffer. */
static void choose_sealer(struct outgoing *out)
{
	struct sdp_rpc *rpc = out->rpc;

	out->sealer = sdp_nic_sealer(rpc, out->seal.app_len);
	if (likely(out->sealer != SDP_CTR_seal_nic))
		return;
	if (!sdp_txbuf_make_plain(&rpc->tx, sdp_layout_wire_size(out->seal.record_size)))
		out->sealer = SDP_CTR_seal_cpu_memory;
}

/* Zeros behind the data, so that the content is of a length that tells less. */
static u32 padding(const struct sdp_rpc *rpc,
		   const struct sdp_message_head *head)
{
	u32 unit = READ_ONCE(rpc->ep->padding), content;

	if (likely(unit <= 1))
		return 0;
	content = head->app_len +
		  sdp_head_length(sdp_rpc_is_server(rpc), head->num_acks);
	return unit - 1 - (content - 1) % unit;
}

/* How often a sender looks whether the window has room again, jiffies. */
#define WINDOW_TURN ((long)HZ / 20)

/* So many messages are under way that the peer's window is full: rare. */
static int begin_sealing(struct sdp_rpc *rpc, struct sdp_seal *seal,
			 const struct sdp_message_head *head, bool nonblock)
{
	long timeo = sock_sndtimeo(rpc->ep->sk, nonblock);
	bool server = sdp_rpc_is_server(rpc);
	u32 pad = padding(rpc, head);
	long turn;
	int err;

	for (;;) {
		err = sdp_seal_begin(server ? NULL : rpc->session, &rpc->seal,
				     seal, head, server ? &rpc->open : NULL,
				     pad);
		if (err != -EAGAIN || !timeo)
			return err;
		if (READ_ONCE(rpc->ep->shutdown))
			return -ESHUTDOWN;
		if (signal_pending(current))
			return sock_intr_errno(timeo);
		turn = min(timeo, WINDOW_TURN);
		turn -= schedule_timeout_interruptible(turn);
		if (timeo != MAX_SCHEDULE_TIMEOUT)
			timeo -= turn;
	}
}

static void take_acks(struct sdp_rpc *rpc, struct sdp_message_head *head)
{
	struct sdp_run *run = sdp_run_begin(rpc->who.sn);
	u16 port;

	head->num_acks = sdp_take_acks(run, rpc, head->acks, &port, SDP_MAX_ACKS);
	sdp_run_finish(run);
}

int sdp_send_secure(struct sdp_rpc *rpc, const struct sdp_send *send)
{
	u32 length = iov_iter_count(send->from);
	struct sdp_message_head head = {
		.app_len = length, .rpc_id = rpc->who.id,
	};
	struct outgoing out __uninitialized;
	int err;

	out.rpc = rpc;
	out.from = send->from;
	out.buffer = NULL;

	if (length > READ_ONCE(rpc->who.sn->set.max_message))
		return -EMSGSIZE;
	/* Others that come meanwhile ride in the next message. */
	if (data_race(prog_peer_acks(&rpc->pctx->prog)))
		take_acks(rpc, &head);
	err = begin_sealing(rpc, &out.seal, &head, send->nonblock);
	if (err)
		return err;
	err = sdp_make_buffer(rpc, rpc->seal.sealed,
			      sdp_layout_wire_size(out.seal.record_size),
			      send->nonblock);
	if (err) {
		sdp_seal_unspend(&out.seal);
		return err;
	}
	choose_sealer(&out);
	if (out.sealer != SDP_CTR_seal_nic && unlikely(!place_of_record(&out, 0))) {
		out.buffer = sdp_buffer_alloc(sdp_seal_buffer(&out.seal, 0));
		if (!out.buffer) {
			sdp_seal_unspend(&out.seal);
			return -ENOMEM;
		}
	}
	err = make_records(&out);
	sdp_buffer_free(out.buffer, sdp_seal_buffer(&out.seal, 0));
	if (err)
		sdp_abandon(rpc);
	return err;
}
