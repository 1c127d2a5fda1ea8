/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of the kernel knows this module by. Another module made of the
 * same rooms (selftests/pull) gives all three, and both can be loaded.
 *
 * SDP_NAME:       slab caches, tracepoints, /proc/net/, net.*
 * SDP_PROTO_NAME: /proc/net/protocols
 * SDP_PROTOCOL:   of IP; the level of socket options is always IPPROTO_HOMA,
 *                 for it names the API.
 */
#ifndef SDP_OBSERVE_NAME_H
#define SDP_OBSERVE_NAME_H

#include <linux/stringify.h>

#ifndef SDP_NAME
#include <linux/build_bug.h>
#include <linux/homa.h>

#define SDP_NAME sdp
#define SDP_PROTO_NAME SDP
#define SDP_PROTOCOL 146
static_assert(SDP_PROTOCOL == IPPROTO_HOMA);
#endif

/* The module's name and what follows, a string literal. */
#define SDP_NAMED(rest) __stringify(SDP_NAME) rest

#endif /* SDP_OBSERVE_NAME_H */
