// SPDX-License-Identifier: Apache-2.0
// rule: global
#include "sample.h"

static u32 calls;

u32 proc(void);
u32 proc(void)
{
	return calls++;
}
