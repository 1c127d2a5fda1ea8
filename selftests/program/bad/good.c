// SPDX-License-Identifier: Apache-2.0
// rule: none
#include "sample.h"

void proc(const struct prog_ev *ev, const struct prog_params *params,
	  struct prog_rpc *rpc, struct prog_scratch *scratch,
	  struct mtp_out *out);
void proc(const struct prog_ev *ev, const struct prog_params *params,
	  struct prog_rpc *rpc, struct prog_scratch *scratch,
	  struct mtp_out *out)
{
	u32 i;

	for (i = 0; i < 16; i++)
		if (i < scratch->count)
			rpc->gap[i] = ev->offset % 1000;
	*rpc = (struct prog_rpc){ .active = ev->now - params->resend_ns };
	out->verdict = 0;
}
