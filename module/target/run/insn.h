/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a transport program may ask for (program/mtp.h), as the target can tell.
 */
#ifndef SDP_TARGET_INSN_H
#define SDP_TARGET_INSN_H

#include "run.h"

/**
 * sdp_insn_sound() - may all instructions of a chain be carried out?
 * @run: its event, its packet and what it answered.
 * @rpc: the RPC as it was before, locked; NULL: the event has none.
 *
 * Looks at counts, ranges of bytes, ranks, events, types, flags; not at what is
 * sensible. Return: false if one of them may not.
 */
bool sdp_insn_sound(const struct sdp_run *run, const struct sdp_rpc *rpc);

#endif /* SDP_TARGET_INSN_H */
