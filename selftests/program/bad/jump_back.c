// SPDX-License-Identifier: Apache-2.0
// rule: jump
#include "sample.h"

void proc(struct prog_rpc *rpc);
void proc(struct prog_rpc *rpc)
{
again:
	rpc->tries--;
	if (rpc->tries)
		goto again;
}
