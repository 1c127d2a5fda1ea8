// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints' code. Kbuild adds this folder to the include path of this
 * file, because the tracing headers read trace.h again by its name.
 */
#define CREATE_TRACE_POINTS
#include "trace.h"
