/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CUTOFFS: which priorities a peer wants for unscheduled data, by message
 * length. Ours go to peers whose DATA shows that they do not have them
 * (data.h).
 */
#ifndef SDP_PROGRAM_HOMA_CUTOFFS_H
#define SDP_PROGRAM_HOMA_CUTOFFS_H

#include "context.h"

static inline void homa_cutoffs_store(const struct prog_ev *ev,
				      const struct prog_params *params,
				      struct prog_peer *peer,
				      struct prog_scratch *scratch,
				      struct mtp_out *out)
{
	u32 i;

	for (i = 0; i < PROG_PRIOS; i++)
		peer->cutoffs[i] = ev->cutoffs[i];
	peer->cutoff_version = ev->cutoff_version;
}

#endif /* SDP_PROGRAM_HOMA_CUTOFFS_H */
