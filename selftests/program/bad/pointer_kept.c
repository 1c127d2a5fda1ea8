// SPDX-License-Identifier: Apache-2.0
// rule: pointer-field
#include "sample.h"

struct prog_peer {
	struct prog_rpc *first;
};

u64 proc(const struct prog_peer *peer);
u64 proc(const struct prog_peer *peer)
{
	return peer->first->active;
}
