// SPDX-License-Identifier: Apache-2.0
// rule: address
#include "sample.h"

u32 helper(const struct prog_ev *ev);
u32 helper(const struct prog_ev *ev)
{
	return ev->offset;
}

u32 proc(void);
u32 proc(void)
{
	struct prog_ev ev = { .offset = 1 };

	return helper(&ev);
}
