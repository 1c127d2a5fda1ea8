/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which bytes of a message have arrived: everything below rx_end but for the
 * gaps, which are kept in order, apart from each other, and at most HOMA_GAPS.
 * A gap may be marked to be filled by authenticated packets only.
 */
#ifndef SDP_PROGRAM_HOMA_RANGE_H
#define SDP_PROGRAM_HOMA_RANGE_H

#include "rpc.h"

static inline void homa_range_add(struct prog_rpc *rpc, u32 start, u32 end,
				  struct mtp_out *out)
{
	rpc->rx_received += end - start;
	homa_emit(out, MTP_RX_ADD, 0, start, end);
}

/* Put a gap at the end of the list that is being written. */
static inline void homa_range_push(struct prog_scratch *scratch, u32 start,
				   u32 end, u32 auth, u32 due)
{
	if (start >= end)
		return;
	scratch->range[scratch->count].start = start;
	scratch->range[scratch->count].end = end;
	scratch->range[scratch->count].due = due;
	scratch->auth |= auth << scratch->count;
	scratch->count++;
}

/* The list written becomes the RPC's; it fits. */
static inline void homa_range_store(struct prog_rpc *rpc,
				    const struct prog_scratch *scratch)
{
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++)
		rpc->gap[i] = scratch->range[i];
	rpc->gaps = scratch->count;
	rpc->gap_auth = scratch->auth;
}

/*
 * Whether a packet with bytes [@start, @end) may need one gap more than there
 * is room for: by starting beyond rx_end or in the middle of a gap.
 */
static inline u32 homa_range_full(const struct prog_rpc *rpc, u32 start, u32 end)
{
	u32 i;

	if (rpc->gaps < HOMA_GAPS)
		return 0;
	if (start > rpc->rx_end)
		return 1;
	for (i = 0; i < HOMA_GAPS; i++)
		if (start > rpc->gap[i].start && end < rpc->gap[i].end)
			return 1;
	return 0;
}

/* Bytes [@start, @end) fill gaps, where they lie in any. */
static inline void homa_range_fill(struct prog_rpc *rpc, u32 start, u32 end,
				   u32 authentic, struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 i;

	scratch->count = 0;
	scratch->auth = 0;
	for (i = 0; i < HOMA_GAPS; i++) {
		u32 auth = rpc->gap_auth >> i & 1;
		u32 low = homa_max(start, rpc->gap[i].start);
		u32 high = homa_min(end, rpc->gap[i].end);

		if (i >= rpc->gaps)
			break;
		if (low >= high || (auth && !authentic)) {
			homa_range_push(scratch, rpc->gap[i].start,
					rpc->gap[i].end, auth, rpc->gap[i].due);
			continue;
		}
		homa_range_add(rpc, low, high, out);
		homa_range_push(scratch, rpc->gap[i].start, low, auth,
				rpc->gap[i].due);
		homa_range_push(scratch, high, rpc->gap[i].end, auth,
				rpc->gap[i].due);
	}
	homa_range_store(rpc, scratch);
}

/* Bytes [@start, @end) have arrived, with room for the gaps they make. */
static inline void homa_range_insert(struct prog_rpc *rpc, u32 start, u32 end,
				     u32 authentic, struct prog_scratch *scratch,
				     struct mtp_out *out)
{
	if (start > rpc->rx_end) {
		rpc->gap[rpc->gaps].start = rpc->rx_end;
		rpc->gap[rpc->gaps].end = start;
		rpc->gap[rpc->gaps].due = 0;
		rpc->gaps++;
	} else if (rpc->gaps && start < rpc->rx_end) {
		homa_range_fill(rpc, start, end, authentic, scratch, out);
	}
	if (end > rpc->rx_end) {
		homa_range_add(rpc, homa_max(start, rpc->rx_end), end, out);
		rpc->rx_end = end;
	}
}

/*
 * Bytes [@start, @end), all of them received, are missing again, and asked for
 * until @due. There is room for one more gap.
 */
static inline void homa_range_lose(struct prog_rpc *rpc, u32 start, u32 end,
				   u32 due, struct prog_scratch *scratch,
				   struct mtp_out *out)
{
	u32 placed = 0;
	u32 i;

	scratch->count = 0;
	scratch->auth = 0;
	for (i = 0; i < HOMA_GAPS; i++) {
		if (i >= rpc->gaps)
			continue;
		if (!placed && rpc->gap[i].start >= end) {
			homa_range_push(scratch, start, end, 1, due);
			placed = 1;
		}
		homa_range_push(scratch, rpc->gap[i].start, rpc->gap[i].end,
				rpc->gap_auth >> i & 1, rpc->gap[i].due);
	}
	if (!placed)
		homa_range_push(scratch, start, end, 1, due);
	homa_emit(out, MTP_RX_FLUSH, 0, start, end);
	rpc->rx_received -= end - start;
	homa_range_store(rpc, scratch);
}

/*
 * Whether a packet with bytes [@start, @end), not in authenticated form, has any
 * that are missing and that it may fill.
 */
static inline u32 homa_range_news(const struct prog_rpc *rpc, u32 start, u32 end)
{
	u32 i;

	if (end > rpc->rx_end)
		return 1;
	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps && rpc->gap[i].start < end &&
		    rpc->gap[i].end > start && !(rpc->gap_auth >> i & 1))
			return 1;
	return 0;
}

/* Whether byte @start, which any packet may bring, has been asked for. */
static inline u32 homa_range_asked(const struct prog_rpc *rpc, u32 start)
{
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps && rpc->gap[i].start <= start &&
		    rpc->gap[i].end > start)
			return (rpc->gap[i].due & HOMA_ASKED) > 1 &&
			       !(rpc->gap_auth >> i & 1);
	return 0;
}

/* Whether a gap ends at byte @end. */
static inline u32 homa_range_closes(const struct prog_rpc *rpc, u32 end)
{
	u32 i;

	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps && rpc->gap[i].end == end)
			return 1;
	return 0;
}

/* Whether bytes [@start, @end) have all been received. */
static inline u32 homa_range_whole(const struct prog_rpc *rpc, u32 start, u32 end)
{
	u32 i;

	if (end > rpc->rx_end)
		return 0;
	for (i = 0; i < HOMA_GAPS; i++)
		if (i < rpc->gaps && rpc->gap[i].start < end &&
		    rpc->gap[i].end > start)
			return 0;
	return 1;
}

#endif /* SDP_PROGRAM_HOMA_RANGE_H */
