// SPDX-License-Identifier: Apache-2.0
// rule: pointer-parameter
#include "sample.h"

u32 proc(const u8 *bytes);
u32 proc(const u8 *bytes)
{
	return *bytes;
}
