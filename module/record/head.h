/* SPDX-License-Identifier: GPL-2.0-only */
/* The message header in record 0; only for this room. */
#ifndef SDP_RECORD_HEAD_H
#define SDP_RECORD_HEAD_H

#include "seal.h"

/**
 * sdp_head_encode() - write a message header.
 * @head: what; @head->len bytes are written.
 * @buf:  SDP_MESSAGE_HEAD_MAX bytes.
 */
void sdp_head_encode(const struct sdp_message_head *head, u8 *buf);

/**
 * sdp_head_decode() - read a message header.
 * @head: written.
 * @buf:  authentic content of record 0.
 * @len:  bytes of it.
 *
 * Return: 0, -EPROTO.
 */
int sdp_head_decode(struct sdp_message_head *head, const u8 *buf, u32 len);

#endif /* SDP_RECORD_HEAD_H */
