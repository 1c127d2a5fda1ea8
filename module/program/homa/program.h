/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Homa program, as a target includes it: everything is static, in one
 * translation unit of the target. Every program offers the names prog_* and
 * PROG_*; a target is instantiated for one of them at compile time.
 *
 * What the program relies on, beyond mtp.h:
 *
 * - Raised events run in the order they were raised. CTX_END takes effect when
 *   they have run; instructions of an RPC after that are not carried out.
 * - An RPC is created for SEND_REQUEST and for REQUEST_NEW_*; it is destroyed
 *   by CTX_END or by a verdict of these three events only. A socket that closes
 *   ends its RPCs with ABORT, error 0.
 * - DATA of a request without an RPC is REQUEST_NEW_*, whatever its offset;
 *   DATA of a response without an RPC is STRAY_DATA.
 * - TIMER_SET moves the deadline; there is one per RPC. TIMEOUT is raised once
 *   for it, not before its time. A stale one does no harm.
 * - A winner of a rank stays in it until RANK_CLEAR. RANK_CLEAR of an RPC that
 *   is not in the rank does nothing. CTX_END clears all its ranks.
 * - An application is told of READY and FAILED once each; a READY that is
 *   overtaken by RECORD_BAD or an end is forgotten.
 * - SEND_TURN comes for the winner whenever the device queue has room.
 */
#ifndef SDP_PROGRAM_HOMA_PROGRAM_H
#define SDP_PROGRAM_HOMA_PROGRAM_H

#include "tables.h"
#include "info.h"
#include "path.h"
#include "prove.h"
#include "send.h"
#include "data.h"
#include "client.h"
#include "grant.h"
#include "held.h"
#include "resend.h"
#include "timeout.h"
#include "ack.h"
#include "cutoffs.h"
#include "end.h"
#include "sealed.h"
#include "stray.h"

#define PROG_CALL(name) homa_##name
#include "../dispatch.h"

#endif /* SDP_PROGRAM_HOMA_PROGRAM_H */
