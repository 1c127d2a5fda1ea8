/* SPDX-License-Identifier: Apache-2.0 */
/* What homa.c offers to tests. */
#ifndef SELFTESTS_PROGRAM_HOMA_H
#define SELFTESTS_PROGRAM_HOMA_H

#ifdef __cplusplus
extern "C" {
#endif

#include "../../module/program/homa/context.h"
#include "../../module/program/homa/info.h"
#include "../../module/program/homa/tables.h"

void homa_run(const struct prog_ev *ev, const struct prog_params *params,
	      struct prog_rpc *rpc, struct prog_client *client,
	      struct prog_peer *peer, struct prog_host *host,
	      struct prog_scratch *scratch, struct mtp_out *out);

#ifdef __cplusplus
}
#endif

#endif /* SELFTESTS_PROGRAM_HOMA_H */
