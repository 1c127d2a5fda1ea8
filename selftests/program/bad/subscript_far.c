// SPDX-License-Identifier: Apache-2.0
// rule: subscript
#include "sample.h"

u64 proc(const struct prog_rpc *rpc);
u64 proc(const struct prog_rpc *rpc)
{
	return rpc[1].active;
}
