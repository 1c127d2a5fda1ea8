/* SPDX-License-Identifier: GPL-2.0-only */
/* The room's start and end. */
#ifndef SDP_RECORD_RECORD_H
#define SDP_RECORD_RECORD_H

#include "session.h"

/**
 * sdp_record_init() - set this room up, once, at module load.
 * @ops: kept.
 *
 * Return: 0, -ENOMEM, -ENOENT (a cipher is missing from the kernel).
 */
int sdp_record_init(const struct sdp_record_ops *ops);

/** sdp_record_exit() - after the last socket is gone; waits for all frees. */
void sdp_record_exit(void);

#endif /* SDP_RECORD_RECORD_H */
