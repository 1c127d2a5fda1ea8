// SPDX-License-Identifier: Apache-2.0
// rule: recursion
#include "sample.h"

u32 proc(u32 depth);
u32 proc(u32 depth)
{
	return depth ? proc(depth - 1) + 1 : 0;
}
