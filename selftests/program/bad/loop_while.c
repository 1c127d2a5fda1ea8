// SPDX-License-Identifier: Apache-2.0
// rule: loop
#include "sample.h"

void proc(struct prog_rpc *rpc);
void proc(struct prog_rpc *rpc)
{
	while (rpc->tries)
		rpc->tries--;
}
