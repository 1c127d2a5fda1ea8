/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values that the sysctls of a namespace begin with.
 */
#ifndef SDP_TARGET_SETTINGS_H
#define SDP_TARGET_SETTINGS_H

#include "net.h"

/* Bytes that sysctl net.sdp.max_message may reach. */
#define SDP_MAX_MESSAGE_LIMIT (1u << 28)

/**
 * sdp_settings_init() - defaults, as docs/sysctl.md lists them.
 * @set: of a new namespace; zeroed.
 */
void sdp_settings_init(struct sdp_settings *set);

/**
 * sdp_settings_derive() - recompute what follows from other settings.
 * @set: of a namespace without sockets, after a change.
 */
void sdp_settings_derive(struct sdp_settings *set);

/**
 * sdp_settings_publish() - the same, and have the program see it.
 * @set: after a change of its @prog or @max_message; its lock is held.
 *
 * Context: process, may sleep: waits for an RCU grace period.
 */
void sdp_settings_publish(struct sdp_settings *set);

#endif /* SDP_TARGET_SETTINGS_H */
