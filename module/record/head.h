/* SPDX-License-Identifier: GPL-2.0-only */
/* The message header in record 0. */
#ifndef SDP_RECORD_HEAD_H
#define SDP_RECORD_HEAD_H

#include "wire.h"

/**
 * struct sdp_message_head - the message header, decoded.
 * @len:           bytes of it in record 0.
 * @app_len:       bytes of application data.
 * @rpc_id:        as the sender sees it.
 * @response:      not a request.
 * @num_acks:      entries of @acks.
 * @request_epoch: of a response: low 16 bits of its request's epoch.
 * @request_msgno: of a response: its request's message number.
 * @acks:          ids of RPCs whose response has been received, as the client
 *                 sees them.
 */
struct sdp_message_head {
	u32 len;
	u32 app_len;
	u64 rpc_id;
	bool response;
	u8 num_acks;
	u16 request_epoch;
	u64 request_msgno;
	u64 acks[SDP_MAX_ACKS];
};

/**
 * sdp_head_length() - bytes of a message header.
 * @response: that of a response.
 * @num_acks: acknowledgements in it.
 */
u32 sdp_head_length(bool response, unsigned int num_acks);

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
