// SPDX-License-Identifier: Apache-2.0
// rule: call
#include "sample.h"

u64 ktime_get_ns(void);

u64 proc(void);
u64 proc(void)
{
	return ktime_get_ns();
}
