// SPDX-License-Identifier: Apache-2.0
// rule: float
#include "sample.h"

u32 proc(u32 bytes);
u32 proc(u32 bytes)
{
	return bytes * 0.5;
}
