// SPDX-License-Identifier: Apache-2.0
// rule: processor
#include "sample.h"

u32 proc(const struct prog_ev *ev, const struct prog_params *params,
	 struct prog_scratch *scratch, struct mtp_out *out);
u32 proc(const struct prog_ev *ev, const struct prog_params *params,
	 struct prog_scratch *scratch, struct mtp_out *out)
{
	return ev->offset;
}
