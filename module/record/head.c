// SPDX-License-Identifier: GPL-2.0-only
/* The message header at the start of record 0's plaintext. */
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "head.h"

/*
 * version u8, flags u8, acks u8, zero u8, application length u32, RPC id u64;
 * in a response: request's epoch u16, request's message number u48; the acks,
 * u64 each.
 */

u32 sdp_head_length(bool response, unsigned int num_acks)
{
	return (response ? SDP_MESSAGE_HEAD_RESPONSE :
			   SDP_MESSAGE_HEAD_REQUEST) + 8 * num_acks;
}

void sdp_head_encode(const struct sdp_message_head *head, u8 *buf)
{
	u8 *p = buf;
	int i;

	*p++ = SDP_MESSAGE_VERSION;
	*p++ = head->response ? SDP_MESSAGE_RESPONSE : 0;
	*p++ = head->num_acks;
	*p++ = 0;
	put_unaligned_be32(head->app_len, p);
	put_unaligned_be64(head->rpc_id, p + 4);
	p += 12;
	if (head->response) {
		put_unaligned_be16(head->request_epoch, p);
		sdp_put48(p + 2, head->request_msgno);
		p += 8;
	}
	for (i = 0; i < head->num_acks; i++, p += 8)
		put_unaligned_be64(head->acks[i], p);
}

int sdp_head_decode(struct sdp_message_head *head, const u8 *buf, u32 len)
{
	const u8 *p = buf;
	int i;

	if (len < SDP_MESSAGE_HEAD_REQUEST || p[0] != SDP_MESSAGE_VERSION ||
	    p[1] & ~SDP_MESSAGE_RESPONSE || p[2] > SDP_MAX_ACKS || p[3])
		return -EPROTO;
	memset(head, 0, sizeof(*head));
	head->response = p[1];
	head->num_acks = p[2];
	head->len = sdp_head_length(head->response, head->num_acks);
	if (len < head->len)
		return -EPROTO;
	head->app_len = get_unaligned_be32(p + 4);
	head->rpc_id = get_unaligned_be64(p + 8);
	p += SDP_MESSAGE_HEAD_REQUEST;
	if (head->response) {
		head->request_epoch = get_unaligned_be16(p);
		head->request_msgno = sdp_get48(p + 2);
		p += 8;
	}
	for (i = 0; i < head->num_acks; i++, p += 8)
		head->acks[i] = get_unaligned_be64(p);
	return 0;
}
