/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Layout of a sealed message: records one after another, all but the last of
 * the session's record size, so that the sealed length alone tells where each
 * begins and ends. Pure functions, for user space too. See docs/wire.md.
 */
#ifndef SDP_RECORD_LAYOUT_H
#define SDP_RECORD_LAYOUT_H

#include "wire.h"

/* Bytes that a record adds to the content it holds: header, type byte, tag. */
#define SDP_LAYOUT_EXTRA	(SDP_RECORD_OVERHEAD + 1)

/**
 * sdp_layout_wire_size() - bytes of a full record in the sealed message.
 * @record_size: bytes of inner plaintext with the type byte.
 */
static inline __u32 sdp_layout_wire_size(__u32 record_size)
{
	return record_size + SDP_RECORD_OVERHEAD;
}

/**
 * sdp_layout_sealed() - length of the sealed message.
 * @record_size: of the session.
 * @content:     bytes of message header, application data and padding.
 *
 * Return: bytes, below 2^31; or 0 if the message needs too many records.
 */
static inline __u32 sdp_layout_sealed(__u32 record_size, __u64 content)
{
	__u32 room = record_size - 1;
	__u32 records;

	if (!content || content > (SDP_RECORD_INDEX_MAX + 1ULL) * room)
		return 0;
	records = ((__u32)content - 1) / room + 1;
	return (__u32)content + records * SDP_LAYOUT_EXTRA;
}

/**
 * sdp_layout_records() - number of records.
 * @record_size: of the session.
 * @sealed:      length of the sealed message, not 0.
 */
static inline __u32 sdp_layout_records(__u32 record_size, __u32 sealed)
{
	return (sealed - 1) / sdp_layout_wire_size(record_size) + 1;
}

/**
 * sdp_layout_offset() - place of a record in the sealed message, bytes.
 * @record_size: of the session.
 * @index:       of the record, from 0.
 */
static inline __u32 sdp_layout_offset(__u32 record_size, __u32 index)
{
	return index * sdp_layout_wire_size(record_size);
}

/**
 * sdp_layout_wire_length() - bytes of a record in the sealed message.
 * @record_size: of the session.
 * @sealed:      length of the sealed message.
 * @index:       below sdp_layout_records().
 */
static inline __u32 sdp_layout_wire_length(__u32 record_size, __u32 sealed,
					   __u32 index)
{
	__u32 left = sealed - sdp_layout_offset(record_size, index);
	__u32 size = sdp_layout_wire_size(record_size);

	return left < size ? left : size;
}

/**
 * sdp_layout_content() - bytes of content in a record.
 * @record_size: of the session.
 * @sealed:      length of the sealed message.
 * @index:       below sdp_layout_records().
 */
static inline __u32 sdp_layout_content(__u32 record_size, __u32 sealed,
				       __u32 index)
{
	return sdp_layout_wire_length(record_size, sealed, index) -
	       SDP_LAYOUT_EXTRA;
}

/**
 * sdp_layout_valid() - can a sealed message have this length?
 * @record_size: of the session.
 * @sealed:      as a packet says.
 *
 * The last record holds at least one byte of content, the first at least the
 * shortest message header.
 */
static inline int sdp_layout_valid(__u32 record_size, __u32 sealed)
{
	__u32 size = sdp_layout_wire_size(record_size);
	__u32 records, last;

	if (sealed < SDP_LAYOUT_EXTRA + SDP_MESSAGE_HEAD_REQUEST)
		return 0;
	records = sdp_layout_records(record_size, sealed);
	last = sealed - (records - 1) * size;
	return records <= SDP_RECORD_INDEX_MAX + 1 && last > SDP_LAYOUT_EXTRA;
}

/**
 * sdp_layout_max_app() - bytes of application data that a message can have.
 * @record_size: of the session.
 * @sealed:      a valid length.
 *
 * For sizing a buffer before the first record is open: its message header may
 * be longer, and there may be padding.
 */
static inline __u32 sdp_layout_max_app(__u32 record_size, __u32 sealed)
{
	return sealed - sdp_layout_records(record_size, sealed) *
	       SDP_LAYOUT_EXTRA - SDP_MESSAGE_HEAD_REQUEST;
}

/**
 * sdp_layout_app_start() - where a record's application data is in the message.
 * @record_size: of the session.
 * @head_len:    length of the message header.
 * @index:       of the record.
 *
 * Return: application bytes in the records before it. May be past the
 * message's application data: then the record holds padding.
 */
static inline __u32 sdp_layout_app_start(__u32 record_size, __u32 head_len,
					 __u32 index)
{
	return index ? index * (record_size - 1) - head_len : 0;
}

/**
 * sdp_layout_app_length() - bytes of application data in a record.
 * @record_size: of the session.
 * @sealed:      length of the sealed message.
 * @head_len:    length of the message header.
 * @app_len:     length of the application data.
 * @index:       of the record.
 */
static inline __u32 sdp_layout_app_length(__u32 record_size, __u32 sealed,
					  __u32 head_len, __u32 app_len,
					  __u32 index)
{
	__u32 start = sdp_layout_app_start(record_size, head_len, index);
	__u32 room = sdp_layout_content(record_size, sealed, index) -
		     (index ? 0 : head_len);

	if (start >= app_len)
		return 0;
	return app_len - start < room ? app_len - start : room;
}

#endif /* SDP_RECORD_LAYOUT_H */
