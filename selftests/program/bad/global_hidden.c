// SPDX-License-Identifier: Apache-2.0
// rule: global
#include "sample.h"

u32 proc(void);
u32 proc(void)
{
	static u32 calls = 7;

	return calls++;
}
