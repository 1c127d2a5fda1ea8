// SPDX-License-Identifier: Apache-2.0
// rule: chain
#include "sample.h"

#include "chain_context.def"
