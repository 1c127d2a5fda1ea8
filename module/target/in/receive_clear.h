/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SDP_TARGET_RECEIVE_CLEAR_H
#define SDP_TARGET_RECEIVE_CLEAR_H

#include "packet.h"

/** sdp_receive_clear() - a packet without SDP_TYPE_SECURE. */
enum sdp_drop sdp_receive_clear(struct sdp_packet *packet);

#endif /* SDP_TARGET_RECEIVE_CLEAR_H */
