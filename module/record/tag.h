/* SPDX-License-Identifier: GPL-2.0-only */
/* Header tags of DATA. Only for this room. */
#ifndef SDP_RECORD_TAG_H
#define SDP_RECORD_TAG_H

#include <linux/siphash.h>

#include "wire.h"

/** struct sdp_tag_state - of SipHash. */
struct sdp_tag_state {
	u64 v0, v1, v2, v3;
};

/**
 * struct sdp_tag_key - a header-tag key. All headers of a session begin with the same 16
 *	bytes, as far as tags cover them: these have been hashed.
 * @key:   the key.
 * @ports: the first word of a header, as it is hashed,
 * @type:  and the second.
 * @start: what comes of both.
 */
struct sdp_tag_key {
	siphash_key_t key;
	u64 ports;
	u64 type;
	struct sdp_tag_state start;
};

/**
 * sdp_tag_setup() - prepare a key.
 * @key:   written.
 * @bytes: SDP_KDF_HDR of them.
 * @sport: port that the headers are from, host byte order.
 * @dport: port that they are for, likewise.
 */
void sdp_tag_setup(struct sdp_tag_key *key, const u8 *bytes, u16 sport, u16 dport);

/**
 * sdp_tag_compute() - header tag of a DATA header.
 * @key: header-tag key.
 * @hdr: the header; if it begins as no packet of the session does, that counts too.
 */
u64 sdp_tag_compute(const struct sdp_tag_key *key,
		    const struct sdp_secure_data_hdr *hdr);

#endif /* SDP_RECORD_TAG_H */
