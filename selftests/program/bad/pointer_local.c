// SPDX-License-Identifier: Apache-2.0
// rule: pointer-variable
#include "sample.h"

u64 proc(const struct prog_rpc *rpc);
u64 proc(const struct prog_rpc *rpc)
{
	const struct prog_rpc *other = rpc;

	return other->active;
}
