// SPDX-License-Identifier: Apache-2.0
/*
 * The Homa program as a host-side object: what is static in a target gets a
 * name here. Compiled with coverage, so that the figures are those of the same
 * source that runs in the kernel.
 */
#include "homa.h"
#include "../../module/program/homa/program.h"

void homa_run(const struct prog_ev *ev, const struct prog_params *params,
	      struct prog_rpc *rpc, struct prog_client *client,
	      struct prog_peer *peer, struct prog_host *host,
	      struct prog_scratch *scratch, struct mtp_out *out)
{
	prog_dispatch(ev, params, rpc, client, peer, host, scratch, out);
}
