// SPDX-License-Identifier: Apache-2.0
// rule: nested-loop
#include "sample.h"

u32 proc(const struct prog_rpc *rpc);
u32 proc(const struct prog_rpc *rpc)
{
	u32 sum = 0;
	u32 i;
	u32 j;

	for (i = 0; i < 16; i++)
		for (j = 0; j < 16; j++)
			sum += rpc->gap[i] - rpc->gap[j];
	return sum;
}
