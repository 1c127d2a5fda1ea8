/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies of the machine. Only for this room. */
#ifndef SDP_RECORD_COPY_H
#define SDP_RECORD_COPY_H

#include <linux/types.h>

/**
 * sdp_copy_noticed() - is this no virtual machine, or one that is told when it has
 *	been copied?
 *
 * Where neither is known, the answer is no. Context: process.
 */
bool sdp_copy_noticed(void);

#endif /* SDP_RECORD_COPY_H */
