// SPDX-License-Identifier: Apache-2.0
// rule: type
#include "sample.h"

struct prog_peer {
	unsigned long asked;
};

u64 proc(const struct prog_peer *peer);
u64 proc(const struct prog_peer *peer)
{
	return peer->asked;
}
