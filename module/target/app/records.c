// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "../../offload/buffer.h"
#include "../../record/open.h"
#include "../../record/piece.h"
#include "../run/exec.h"
#include "../state/kept.h"
#include "../state/rpc_table.h"
#include "records.h"

/* Copy bytes of the received message. Return: 0, -ENODATA: some are missing. */
static int gather(struct sdp_rpc *rpc, u32 offset, u32 length, u8 *memory)
{
	struct sk_buff *skb = sdp_rpc_rx_find(rpc, offset);

	while (length) {
		const struct sdp_rx_cb *cb = sdp_rx_cb(skb);
		u32 part;

		/* Forgetting takes memory; without, too much is forgotten. */
		if (!skb || cb->offset > offset)
			return -ENODATA;
		part = min(length, cb->end - offset);
		skb_copy_bits(skb, cb->start + offset - cb->offset, memory,
			      part);
		memory += part;
		offset += part;
		length -= part;
		skb = skb_rb_next(skb);
	}
	return 0;
}

int sdp_opener_begin(struct sdp_opener *opener, struct sdp_rpc *rpc, u32 index)
{
	u32 record_size = sdp_session_record_size(rpc->session);

	opener->rpc = rpc;
	opener->size = sdp_layout_wire_length(record_size, rpc->open.sealed,
					      index);
	opener->memory = NULL;
	opener->plain = sdp_buffer_alloc(opener->size);
	return opener->plain ? 0 : -ENOMEM;
}

void sdp_opener_end(struct sdp_opener *opener)
{
	sdp_buffer_free(opener->memory, opener->size);
	sdp_buffer_free(opener->plain, opener->size);
}

/*
 * A record in one piece of one packet is opened from there. Others are
 * gathered: packets cut a record where it suits them, and the cipher's walk
 * over odd pieces costs more than a copy (docs/perf.md).
 */
int sdp_opener_source(struct sdp_opener *opener, u32 index)
{
	struct sdp_rpc *rpc = opener->rpc;
	u32 record_size = sdp_session_record_size(rpc->session);
	u32 offset = sdp_layout_offset(record_size, index);
	u32 length = sdp_layout_wire_length(record_size, rpc->open.sealed,
					    index);
	struct sk_buff *skb = sdp_rpc_rx_find(rpc, offset);
	const struct sdp_rx_cb *cb;
	u32 start;

	if (unlikely(!skb))
		return -ENODATA;
	cb = sdp_rx_cb(skb);
	start = cb->start + offset - cb->offset;
	if (offset + length <= cb->end && start + length <= skb_headlen(skb)) {
		sdp_piece(&opener->sg, skb->data + start, length);
		return 0;
	}
	sg_init_table(&opener->sg, 1);
	if (offset + length <= cb->end &&
	    skb_to_sgvec(skb, &opener->sg, start, length) == 1)
		return 0;
	if (!opener->memory)
		opener->memory = sdp_buffer_alloc(opener->size);
	if (!opener->memory)
		return -ENOMEM;
	sdp_piece(&opener->sg, opener->memory, length);
	return gather(rpc, offset, length, opener->memory);
}

/*
 * What is known of a record, from the first pass that finds a bad one. Nothing
 * changes a record that is here: a good one stays so. The bytes of one that is
 * asked for come in authenticated form: if it does not open even so, its sender
 * has made it so.
 */
enum record_state {
	RECORD_UNKNOWN,
	RECORD_GOOD,
	RECORD_BAD,
	RECORD_ASKED,
	RECORD_FINAL,
};

static u32 count_of(const struct sdp_rpc *rpc)
{
	return sdp_layout_records(sdp_session_record_size(rpc->session),
				  rpc->open.sealed);
}

static bool make_repair(struct sdp_rpc *rpc)
{
	struct sdp_repair *repair;

	if (rpc->repair)
		return true;
	repair = kvzalloc(struct_size(repair, state, count_of(rpc)),
			  GFP_KERNEL_ACCOUNT);
	if (!repair)
		return false;
	repair->count = count_of(rpc);
	rpc->repair = repair;
	return true;
}

/* The verdict on a record that did not open. */
static void judge(struct sdp_repair *repair, u32 index, int err)
{
	u8 *state = &repair->state[index];

	if (*state == RECORD_BAD || *state == RECORD_FINAL)
		return;
	/* Not all of it is here: forgetting other bytes took these along. */
	if (err == -ENODATA)
		*state = RECORD_BAD;
	else if (err != -EBADMSG || *state == RECORD_ASKED)
		*state = RECORD_FINAL;
	else
		*state = RECORD_BAD;
	repair->bad += *state == RECORD_BAD;
	repair->final |= *state == RECORD_FINAL;
}

int sdp_records_failed(struct sdp_rpc *rpc, u32 index, int err)
{
	if (!make_repair(rpc))
		return -ENOMEM;
	memset(rpc->repair->state, RECORD_GOOD, index);
	judge(rpc->repair, index, err);
	return 0;
}

/* Does it open? What it says is not looked at. */
static int check_record(struct sdp_opener *opener, u32 index)
{
	int err = sdp_opener_source(opener, index);

	return err ?: sdp_open_check(&opener->rpc->open, index, &opener->sg,
				     opener->plain);
}

int sdp_records_look(struct sdp_rpc *rpc)
{
	struct sdp_repair *repair = rpc->repair;
	struct sdp_opener opener;
	int err;
	u32 i;

	err = sdp_opener_begin(&opener, rpc, 0);
	for (i = 0; i < repair->count && !err && !repair->final; i++) {
		if (repair->state[i] != RECORD_UNKNOWN &&
		    repair->state[i] != RECORD_ASKED)
			continue;
		err = check_record(&opener, i);
		if (sdp_records_transient(err))
			break;
		if (err)
			judge(repair, i, err);
		else
			repair->state[i] = RECORD_GOOD;
		err = 0;
		cond_resched();
	}
	sdp_opener_end(&opener);
	return err;
}

/* RECORD_BAD on records [@from, @to). Return: the verdict. */
static int tell_bad(struct sdp_run *run, struct sdp_rpc *rpc, u32 from, u32 to,
		    bool final)
{
	u32 size = sdp_session_record_size(rpc->session);
	u32 offset = sdp_layout_offset(size, from);
	u32 last = to - 1;

	sdp_rpc_lock(rpc);
	if (!rpc->hashed) {
		sdp_rpc_unlock(rpc);
		return -ECONNRESET;
	}
	sdp_run_event(run, .offset = offset,
		      .length = sdp_layout_offset(size, last) - offset +
				sdp_layout_wire_length(size, rpc->open.sealed,
						       last),
		      .final = final);
	return sdp_exec(run, rpc, PROG_EV_RECORD_BAD);
}

static void ask_for_bad(struct sdp_run *run, struct sdp_rpc *rpc)
{
	struct sdp_repair *repair = rpc->repair;
	u32 from, to;

	for (from = 0; from < repair->count && repair->bad; from = to) {
		for (to = from; to < repair->count &&
		     repair->state[to] == RECORD_BAD; to++)
			;
		if (to == from) {
			to++;
			continue;
		}
		/* No gap is left: the rest when these are here. */
		if (tell_bad(run, rpc, from, to, false))
			break;
		memset(repair->state + from, RECORD_ASKED, to - from);
		repair->bad -= to - from;
	}
}

void sdp_records_give_back(struct sdp_rpc *rpc)
{
	struct sdp_repair *repair = rpc->repair;
	struct sdp_run *run;
	const u8 *final;

	final = memchr(repair->state, RECORD_FINAL, repair->count);
	run = sdp_run_begin(rpc->who.sn);
	if (final) {
		sdp_rx_commit(&rpc->open);
		tell_bad(run, rpc, final - repair->state, final - repair->state + 1,
			 true);
	} else {
		ask_for_bad(run, rpc);
	}
	sdp_run_finish(run);
}
