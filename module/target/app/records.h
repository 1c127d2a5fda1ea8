/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of a secure message that has arrived: opened one by one; and those
 * that do not open are found, all at once, and asked for again.
 */
#ifndef SDP_TARGET_RECORDS_H
#define SDP_TARGET_RECORDS_H

#include <linux/scatterlist.h>

#include "../state/rpc.h"

/**
 * struct sdp_opener - opens the records of a message, one after another.
 * @rpc:    the message's RPC, claimed.
 * @size:   bytes of a record's memory: of the longest.
 * @memory: of a record as received, where it is in more than one packet.
 * @plain:  of a record opened.
 * @sg:     the record.
 */
struct sdp_opener {
	struct sdp_rpc *rpc;
	u32 size;
	u8 *memory;
	u8 *plain;
	struct scatterlist sg;
};

/**
 * sdp_opener_begin() - prepare to open records.
 * @opener: written.
 * @rpc:    claimed.
 * @index:  of the longest record.
 *
 * Context: process. Return: 0 or -ENOMEM; sdp_opener_end() follows in any case.
 */
int sdp_opener_begin(struct sdp_opener *opener, struct sdp_rpc *rpc, u32 index);

/** sdp_opener_end() - give the memory back. */
void sdp_opener_end(struct sdp_opener *opener);

/**
 * sdp_opener_source() - where a record is, in @opener->sg.
 * @opener: begun.
 * @index:  of the record.
 *
 * Return: 0, -ENODATA (part of it is not here), -ENOMEM.
 */
int sdp_opener_source(struct sdp_opener *opener, u32 index);

/**
 * struct sdp_repair - what is known of a message's records, once one was bad.
 * @count: records.
 * @bad:   those that failed and have not been asked for.
 * @final: one is bad for good.
 * @state: of each: enum record_state.
 */
struct sdp_repair {
	u32 count;
	u32 bad;
	bool final;
	u8 state[] __counted_by(count);
};

/** sdp_records_transient() - is an error of opening no verdict on the record? */
static inline bool sdp_records_transient(long err)
{
	return err == -ENOMEM || err == -EAGAIN;
}

/**
 * sdp_records_failed() - a record did not open.
 * @rpc:   claimed.
 * @index: of the record; those before it have opened.
 * @err:   what opening it said, no transient error.
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int sdp_records_failed(struct sdp_rpc *rpc, u32 index, int err);

/**
 * sdp_records_left() - are there records that failed and have not been asked for?
 * @rpc: claimed.
 *
 * A message has only so many gaps.
 */
static inline bool sdp_records_left(const struct sdp_rpc *rpc)
{
	return unlikely(rpc->repair) && (rpc->repair->bad || rpc->repair->final);
}

/**
 * sdp_records_look() - open all records of which nothing is known.
 * @rpc: claimed, after sdp_records_failed().
 *
 * Those that open are remembered, and not looked at again. Context: process, may
 * sleep. Return: 0, or a transient error.
 */
int sdp_records_look(struct sdp_rpc *rpc);

/**
 * sdp_records_give_back() - ask for what has failed, as far as there are gaps for
 *	it; or let the message fail, if a record is bad for good.
 * @rpc: claimed, after sdp_records_look().
 *
 * Context: process.
 */
void sdp_records_give_back(struct sdp_rpc *rpc);

#endif /* SDP_TARGET_RECORDS_H */
