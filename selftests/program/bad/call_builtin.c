// SPDX-License-Identifier: Apache-2.0
// rule: call
#include "sample.h"

u32 proc(u32 bits);
u32 proc(u32 bits)
{
	return __builtin_popcount(bits);
}
