// SPDX-License-Identifier: Apache-2.0
// rule: asm
#include "sample.h"

void proc(void);
void proc(void)
{
	__asm__ volatile("nop");
}
