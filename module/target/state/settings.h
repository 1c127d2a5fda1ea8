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
 * @set: after a change of its @max_message.
 */
void sdp_settings_derive(struct sdp_settings *set);

#endif /* SDP_TARGET_SETTINGS_H */
