// SPDX-License-Identifier: Apache-2.0
// rule: recursion
#include "sample.h"

u32 other(u32 depth);
u32 proc(u32 depth);
u32 proc(u32 depth)
{
	return depth ? other(depth - 1) + 1 : 0;
}

u32 other(u32 depth)
{
	return proc(depth) + 1;
}
