/* SPDX-License-Identifier: GPL-2.0-only */
/* Header tags of DATA. Only for this room. */
#ifndef SDP_RECORD_TAG_H
#define SDP_RECORD_TAG_H

#include <linux/siphash.h>

#include "wire.h"

/**
 * sdp_tag_compute() - header tag of a DATA header.
 * @key: header-tag key.
 * @hdr: the header.
 */
u64 sdp_tag_compute(const siphash_key_t *key,
		    const struct sdp_secure_data_hdr *hdr);

#endif /* SDP_RECORD_TAG_H */
