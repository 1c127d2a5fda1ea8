/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receiving: verify packet headers, begin a message, open its records, and the
 * one step that makes it delivered.
 *
 * A DATA packet: sdp_session_find_id(), sdp_open_header(); if the (epoch,
 * message number) has no live state, sdp_rx_begin(); complete: sdp_open_first(),
 * sdp_open_record(); sdp_rx_commit() in one step with delivery; sdp_rx_end().
 */
#ifndef SDP_RECORD_OPEN_H
#define SDP_RECORD_OPEN_H

#include "seal.h"

/**
 * sdp_open_header() - verify the header tag of a secure DATA packet.
 * @session: from sdp_session_find_id().
 * @hdr:     in the packet, which is long enough for it.
 * @local:   address that the packet was sent to; IPv4 as v4-mapped.
 *
 * On success the session has heard from its peer: the receive epoch moves if
 * the tag is of the next one, the window's top moves. Nothing has changed
 * otherwise.
 *
 * Context: softirq or process with bottom halves off, RCU read lock. Return:
 * the epoch, valid under RCU, or ERR_PTR: -EBADMSG (tag), -ENOKEY (no such
 * epoch now; the session is being removed), -EADDRNOTAVAIL (pinned to another
 * local address), -EKEYEXPIRED, -EPROTO (authentic, but fields are illegal).
 */
struct sdp_epoch *sdp_open_header(struct sdp_session *session,
				  const struct sdp_secure_data_hdr *hdr,
				  const struct in6_addr *local);

/**
 * sdp_rx_check() - may a message without live state begin?
 * @epoch: from sdp_open_header().
 * @msgno: message number.
 *
 * Context: as sdp_open_header(). Return: 0, -EALREADY (delivered or refused
 * before), -ERANGE (below the window), -ESTALE (the epoch takes no new ones).
 */
int sdp_rx_check(struct sdp_epoch *epoch, u64 msgno);

/**
 * sdp_rx_begin() - begin to receive a message: hold the epoch, reserve the
 *	memory that committing needs.
 * @rx:    zeroed.
 * @epoch: from sdp_open_header().
 * @hdr:   the verified header; RPC id and length are taken from it.
 *
 * Context: as sdp_open_header(). Return: as sdp_rx_check(), -ENOMEM.
 */
int sdp_rx_begin(struct sdp_rx *rx, struct sdp_epoch *epoch,
		 const struct sdp_secure_data_hdr *hdr);

/**
 * sdp_rx_agrees() - does a verified header belong to this message?
 * @rx:  begun.
 * @hdr: verified, of the same epoch and message number.
 */
static inline bool sdp_rx_agrees(const struct sdp_rx *rx,
				 const struct sdp_secure_data_hdr *hdr)
{
	return be64_to_cpu(hdr->common.sender_id) == rx->rpc_id &&
	       be32_to_cpu(hdr->message_length) == rx->sealed;
}

/* Flags of opening. */
#define SDP_OPEN_ATOMIC 0x1	/* softirq: -EAGAIN where it would have to wait */

/**
 * sdp_open_buffer() - bytes of the buffer that a record is opened into.
 * @rx:    begun.
 * @index: of the record.
 */
u32 sdp_open_buffer(const struct sdp_rx *rx, u32 index);

/**
 * sdp_open_first() - open record 0 and check the message header.
 * @rx:      begun.
 * @src:     the record as received, sdp_layout_wire_length() bytes; never
 *           written.
 * @buf:     linear kernel memory of sdp_open_buffer() bytes; application data
 *           stands at SDP_RECORD_HEADER + @head->len. Undefined on failure.
 * @request: for a response: its request as sent; NULL for a request.
 * @head:    filled in.
 * @flags:   SDP_OPEN_*.
 *
 * Context: process, may sleep; with SDP_OPEN_ATOMIC also softirq. Return: bytes
 * of application data in the record; -EBADMSG (the record does not verify: its
 * bytes may be asked for again); -EPROTO (authentic, but not what was asked
 * for or malformed: the message fails for good); -EAGAIN, -EKEYEXPIRED,
 * -ECONNRESET (session removed), -ENOMEM.
 */
int sdp_open_first(struct sdp_rx *rx, struct scatterlist *src, u8 *buf,
		   const struct sdp_tx *request, struct sdp_message_head *head,
		   unsigned int flags);

/**
 * sdp_open_record() - open a record after the first into a buffer.
 * @rx:    record 0 has been opened.
 * @index: of the record, 1 or more.
 * @src:   as for sdp_open_first().
 * @buf:   as for sdp_open_first(); application data at SDP_RECORD_HEADER.
 * @flags: SDP_OPEN_*.
 *
 * Context, return: as sdp_open_first().
 */
int sdp_open_record(struct sdp_rx *rx, u32 index, struct scatterlist *src,
		    u8 *buf, unsigned int flags);

/**
 * sdp_open_check() - does a record verify?
 * @rx:    begun; record 0 need not have been opened.
 * @index: of the record, 0 or more.
 * @src:   as for sdp_open_first().
 * @buf:   as for sdp_open_first(); what is in it says nothing about the message
 *         header or padding yet.
 *
 * Context: process, may sleep. Return: 0, or as sdp_open_first().
 */
int sdp_open_check(struct sdp_rx *rx, u32 index, struct scatterlist *src, u8 *buf);

/**
 * sdp_open_record_to() - open a record after the first to where it belongs.
 * @rx:    record 0 has been opened.
 * @index: of the record, 1 or more; one without padding
 *         (sdp_open_unpadded()).
 * @src:   as for sdp_open_first().
 * @dst:   table of @nents + 2 entries; entries 1 to @nents are set to the place
 *         for the record's application data, sdp_layout_app_length() bytes, and
 *         the first and last get written here.
 * @nents: number of entries in the middle.
 *
 * Context: process, may sleep. On failure what was written to @dst has to be
 * cleared by the caller. Return: as sdp_open_first().
 */
int sdp_open_record_to(struct sdp_rx *rx, u32 index, struct scatterlist *src,
		       struct scatterlist *dst, unsigned int nents);

/**
 * sdp_open_unpadded() - does a record hold application data alone?
 * @rx:    record 0 has been opened.
 * @index: of the record, 1 or more.
 */
bool sdp_open_unpadded(const struct sdp_rx *rx, u32 index);

/**
 * sdp_open_authenticated() - verify DATA in authenticated form.
 * @epoch: from sdp_open_header() of this packet.
 * @hdr:   its header.
 * @sg:    what follows the header: payload and struct sdp_data_trailer; never
 *         written.
 * @len:   bytes of @sg; the payload is shorter by the trailer.
 *
 * Context: softirq or process with bottom halves off, RCU read lock. Return: 0,
 * -EBADMSG, -EALREADY (replayed), -EMSGSIZE (no room for a trailer),
 * -EKEYEXPIRED.
 */
int sdp_open_authenticated(struct sdp_epoch *epoch,
			   const struct sdp_secure_data_hdr *hdr,
			   struct scatterlist *sg, unsigned int len);

/**
 * sdp_rx_commit() - the message is delivered, or finally refused.
 * @rx: begun. In one step with delivery: under the RPC's lock.
 *
 * Context: BH disabled. Return: false if it was committed before: then do not deliver.
 */
bool sdp_rx_commit(struct sdp_rx *rx);

/**
 * sdp_rx_end() - drop the message's epoch. Without sdp_rx_commit(), the message
 *	may begin again from a later packet.
 * @rx: the message; may be ended, or not begun.
 *
 * Context: any.
 */
void sdp_rx_end(struct sdp_rx *rx);

/**
 * sdp_rx_delivered() - may a message have been delivered before, or can it not
 *	begin any more?
 * @session: it came under.
 * @epoch:   low 8 bits of its epoch.
 * @msgno:   its message number.
 *
 * Context: RCU read lock. Return: true also where that is not known any more.
 */
bool sdp_rx_delivered(struct sdp_session *session, u8 epoch, u64 msgno);

/** sdp_rx_session() - session of a begun message. */
struct sdp_session *sdp_rx_session(const struct sdp_rx *rx);

/** sdp_epoch_session() - session of an epoch. */
struct sdp_session *sdp_epoch_session(const struct sdp_epoch *epoch);

#endif /* SDP_RECORD_OPEN_H */
