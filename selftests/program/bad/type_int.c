// SPDX-License-Identifier: Apache-2.0
// rule: type
#include "sample.h"

u32 proc(int length);
u32 proc(int length)
{
	return length;
}
