/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SDP_TARGET_RECEIVE_SECURE_H
#define SDP_TARGET_RECEIVE_SECURE_H

#include "packet.h"

/** sdp_receive_secure() - a packet with SDP_TYPE_SECURE. */
enum sdp_drop sdp_receive_secure(struct sdp_packet *packet);

#endif /* SDP_TARGET_RECEIVE_SECURE_H */
