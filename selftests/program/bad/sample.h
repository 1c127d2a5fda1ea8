/* SPDX-License-Identifier: Apache-2.0 */
/* What the samples of broken chains have in common; by itself it is good. */
#ifndef SELFTESTS_PROGRAM_BAD_SAMPLE_H
#define SELFTESTS_PROGRAM_BAD_SAMPLE_H

#include "../../../module/program/types.h"

struct prog_ev {
	u64 now;
	u32 offset;
	u32 word[8];
};

struct prog_params {
	u64 resend_ns;
};

struct prog_rpc {
	u64 active;
	u32 tries;
	u32 gap[16];
};

struct prog_scratch {
	u32 count;
};

struct mtp_out {
	s32 verdict;
};

#endif /* SELFTESTS_PROGRAM_BAD_SAMPLE_H */
