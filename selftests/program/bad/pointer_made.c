// SPDX-License-Identifier: Apache-2.0
// rule: pointer-cast
#include "sample.h"

u64 proc(u64 address);
u64 proc(u64 address)
{
	return ((const struct prog_rpc *)address)->active;
}
