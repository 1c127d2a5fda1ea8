/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the record room calls when sessions come and go.
 */
#ifndef SDP_TARGET_SESSION_H
#define SDP_TARGET_SESSION_H

#include "../../record/session.h"

extern const struct sdp_record_ops sdp_session_ops;

#endif /* SDP_TARGET_SESSION_H */
