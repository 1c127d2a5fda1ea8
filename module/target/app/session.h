/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the record room calls when sessions come and go.
 */
#ifndef SDP_TARGET_SESSION_H
#define SDP_TARGET_SESSION_H

#include "../../record/session.h"

extern const struct sdp_record_ops sdp_session_ops;

/**
 * sdp_session_busy() - has a session RPCs?
 * @session: its socket has not been closed.
 *
 * Context: process.
 */
bool sdp_session_busy(struct sdp_session *session);

#endif /* SDP_TARGET_SESSION_H */
