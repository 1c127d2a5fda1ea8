/* SPDX-License-Identifier: Apache-2.0 */
/* What pull.c offers to tests. */
#ifndef SELFTESTS_PROGRAM_PULL_H
#define SELFTESTS_PROGRAM_PULL_H

#ifdef __cplusplus
extern "C" {
#endif

#include "../../module/program/params.h"

/* An RPC of the pull program, opaque: tests see it through its instructions. */
struct pull_rpc;

struct pull_rpc *pull_rpc_new(void);
void pull_rpc_free(struct pull_rpc *rpc);
void pull_rpc_info(const struct pull_rpc *rpc, struct prog_info *info);
const char *pull_state_name(u32 state);
void pull_params(struct prog_params *params);
u32 pull_event(const char *name);
u32 pull_contexts(const char *name);
const char *pull_drop(u32 drop);
void pull_run(const struct prog_ev *ev, const struct prog_params *params,
	      struct pull_rpc *rpc, struct mtp_out *out);

#ifdef __cplusplus
}
#endif

#endif /* SELFTESTS_PROGRAM_PULL_H */
