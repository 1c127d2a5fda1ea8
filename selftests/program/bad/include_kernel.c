// SPDX-License-Identifier: Apache-2.0
// rule: include
#include "sample.h"

#include <limits.h>

u32 proc(void);
u32 proc(void)
{
	return INT_MAX;
}
