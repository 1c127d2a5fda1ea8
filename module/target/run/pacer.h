/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns of those who wait in PROG_RANK_SEND: one at a time, as the queues of
 * devices (out/pace.h) have room. sn->send_timer starts them.
 */
#ifndef SDP_TARGET_PACER_H
#define SDP_TARGET_PACER_H

struct sdp_net;

void sdp_pacer_init_net(struct sdp_net *sn);

/** sdp_pacer_exit_net() - the namespace goes; nothing starts turns any more. */
void sdp_pacer_exit_net(struct sdp_net *sn);

#endif /* SDP_TARGET_PACER_H */
