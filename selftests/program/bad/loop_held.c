// SPDX-License-Identifier: Apache-2.0
// rule: loop
#include "sample.h"

u32 proc(const struct prog_rpc *rpc);
u32 proc(const struct prog_rpc *rpc)
{
	u32 sum = 0;
	u32 i;

	for (i = 0; i < 16; i++) {
		sum += rpc->gap[i];
		if (rpc->tries)
			i--;
	}
	return sum;
}
