/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory in one piece, as the crypto API wants it described. */
#ifndef SDP_RECORD_PIECE_H
#define SDP_RECORD_PIECE_H

#include <linux/scatterlist.h>

/** sdp_piece() - as sg_init_one(), which takes two calls for it, several times a message. */
static inline void sdp_piece(struct scatterlist *sg, const void *memory,
			     unsigned int length)
{
	*sg = (struct scatterlist){};
	sg_set_buf(sg, memory, length);
	sg_mark_end(sg);
}

#endif /* SDP_RECORD_PIECE_H */
