// SPDX-License-Identifier: Apache-2.0
// rule: division
#include "sample.h"

u64 proc(u64 ns, u64 parts);
u64 proc(u64 ns, u64 parts)
{
	return ns / parts;
}
