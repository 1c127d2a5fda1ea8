/* SPDX-License-Identifier: GPL-2.0-only */
/* Complains when a nonce is used for two plaintexts. Only for this room. */
#ifndef SDP_RECORD_AUDIT_H
#define SDP_RECORD_AUDIT_H

#include "aead.h"

#ifdef SDP_NONCE_AUDIT
int sdp_audit_init(void);
void sdp_audit_exit(void);
u64 sdp_audit_key(const u8 *key, unsigned int len, const u8 *iv);
void sdp_audit_seal(u64 key, u64 record, const struct sdp_aead_op *op);
/* Number of complaints since the last call; and whether to keep quiet now. */
unsigned int sdp_audit_take_failures(bool expected);
#else
static inline int sdp_audit_init(void) { return 0; }
static inline void sdp_audit_exit(void) { }
static inline u64 sdp_audit_key(const u8 *key, unsigned int len, const u8 *iv)
{
	return 0;
}

static inline void sdp_audit_seal(u64 key, u64 record,
				  const struct sdp_aead_op *op)
{
}
#endif

#endif /* SDP_RECORD_AUDIT_H */
