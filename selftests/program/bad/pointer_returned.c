// SPDX-License-Identifier: Apache-2.0
// rule: pointer-return
#include "sample.h"

const struct prog_rpc *proc(const struct prog_rpc *rpc);
const struct prog_rpc *proc(const struct prog_rpc *rpc)
{
	return rpc;
}
