/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target as a whole: what main.c sets up.
 */
#ifndef SDP_TARGET_TARGET_H
#define SDP_TARGET_TARGET_H

#include <linux/types.h>

/**
 * sdp_target_init() - tables, timers, state of namespaces.
 * Return: 0 or a negative errno.
 */
int sdp_target_init(void);
void sdp_target_exit(void);

/**
 * sdp_target_listen() - take packets of a protocol.
 * @protocol: IP protocol number.
 * Return: 0 or a negative errno.
 */
int sdp_target_listen(u8 protocol);
void sdp_target_unlisten(u8 protocol);

#endif /* SDP_TARGET_TARGET_H */
