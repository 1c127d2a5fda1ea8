/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport program that this module's target runs. Another module may
 * compile the same target with another program.
 */
#ifndef SDP_TARGET_PROGRAM_H
#define SDP_TARGET_PROGRAM_H

#ifdef SDP_PROGRAM_HEADER
#include SDP_PROGRAM_HEADER
#else
#include "../../program/homa/program.h"
#endif

#endif /* SDP_TARGET_PROGRAM_H */
