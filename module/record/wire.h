/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire: packet formats and constants, clear (Homa's) and secure. All
 * fields are big-endian but the header tag. docs/wire.md is the specification.
 * Compiles in user space too.
 */
#ifndef SDP_RECORD_WIRE_H
#define SDP_RECORD_WIRE_H

#include <linux/types.h>

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/unaligned.h>
#else
#ifndef __packed
#define __packed __attribute__((__packed__))
#endif
#endif

/*
 * Version of everything secure here and in the key schedule, whose labels it is
 * part of. Ends of different versions share no keys and no session id.
 */
#define SDP_WIRE_VERSION	2

/* Packet types. A secure packet is the clear type with SDP_TYPE_SECURE set. */
#define SDP_TYPE_SECURE		0x40
#define SDP_TYPE_DATA		0x10
#define SDP_TYPE_GRANT		0x11
#define SDP_TYPE_RESEND		0x12
#define SDP_TYPE_RPC_UNKNOWN	0x13
#define SDP_TYPE_BUSY		0x14
#define SDP_TYPE_CUTOFFS	0x15
#define SDP_TYPE_FREEZE		0x16	/* clear only, ignored */
#define SDP_TYPE_NEED_ACK	0x17
#define SDP_TYPE_ACK		0x18
#define SDP_TYPE_ABORT		0x19	/* secure only */

#define SDP_MAX_ACKS		5
#define SDP_NUM_CUTOFFS		8

/* Byte 13 and bytes 18-19, as Homa/Linux sends them; receivers ignore both. */
#define SDP_CLEAR_FLAGS		0x06
#define SDP_CLEAR_URGENT	0xb97d

/* Data offset byte: header length in 4-byte units, in the high 4 bits. */
#define SDP_DOFF_DATA_NIC	0xd0	/* offsets repeat before each payload */
#define SDP_DOFF_DATA		0xe0	/* offset is in @sequence */
#define SDP_DOFF_CONTROL	0x50
#define SDP_DOFF_SECURE_DATA	0xf0

/* struct sdp_data_hdr.offset: look at @sequence instead. */
#define SDP_OFFSET_IN_SEQUENCE	0xffffffffu

/* struct sdp_resend_hdr.length: nothing of the message has arrived. */
#define SDP_RESEND_ALL		0xffffffffu

/**
 * struct sdp_common_hdr - first 28 bytes of every packet.
 * @sport:     sender's port.
 * @dport:     receiver's port.
 * @sequence:  DATA: place of the first payload byte in the message.
 * @zero:      zero.
 * @type:      SDP_TYPE_*.
 * @doff:      SDP_DOFF_*.
 * @flags:     NIC segmentation may write it.
 * @window:    zero.
 * @checksum:  NIC segmentation may write it.
 * @urgent:    zero; SDP_CLEAR_URGENT in clear packets.
 * @sender_id: RPC id as the sender sees it: even on the client, the same with
 *             the low bit set on the server.
 */
struct sdp_common_hdr {
	__be16 sport;
	__be16 dport;
	__be32 sequence;
	__u8 zero[3];
	__u8 type;
	__u8 doff;
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
	__be64 sender_id;
} __packed;

/**
 * struct sdp_ack - an RPC whose response the client has.
 * @client_id:   its id on the client, even; 0: none.
 * @server_port: the server's port.
 */
struct sdp_ack {
	__be64 client_id;
	__be16 server_port;
} __packed;

/** struct sdp_data_hdr - clear DATA, 56 bytes, then payload. */
struct sdp_data_hdr {
	struct sdp_common_hdr common;
	__be32 message_length;
	__be32 incoming;
	struct sdp_ack ack;
	__be16 cutoff_version;
	__u8 retransmit;
	__u8 pad[3];
	__be32 offset;
} __packed;

/* Bytes of a clear DATA header that a segmenting NIC repeats. */
#define SDP_DATA_NIC_HEADER	52

/* struct sdp_secure_data_hdr.flags; bits 2 to 7 are zero. */
#define SDP_DATA_RETRANSMIT	0x01
#define SDP_DATA_AUTHENTICATED	0x02	/* ends in struct sdp_data_trailer */

/* struct sdp_secure_data_hdr.common.sequence: place mode. */
#define SDP_PLACE_INDEXED	0x80000000u

/**
 * struct sdp_secure_data_hdr - secure DATA, 60 bytes, then sealed bytes.
 * @common:         type SDP_TYPE_DATA | SDP_TYPE_SECURE, doff
 *                  SDP_DOFF_SECURE_DATA; flags, window, urgent zero.
 * @message_length: bytes of the sealed message.
 * @incoming:       sealed bytes that will come without further grants.
 * @session:        session id.
 * @msgno:          message number, 48 bits, the top bit zero.
 * @cutoff_version: of the receiver's cutoffs that the sender has.
 * @flags:          SDP_DATA_*.
 * @epoch:          low 8 bits of the message's epoch.
 * @packet_payload: sealed bytes in every packet of the segment but its last;
 *                  the stride where SDP_PLACE_INDEXED is set.
 * @tag:            header tag, little-endian SipHash-2-4 of bytes 0 to 51 with
 *                  @common.sequence, flags and checksum as zero.
 */
struct sdp_secure_data_hdr {
	struct sdp_common_hdr common;
	__be32 message_length;
	__be32 incoming;
	__be32 session;
	__u8 msgno[6];
	__be16 cutoff_version;
	__u8 flags;
	__u8 epoch;
	__be16 packet_payload;
	__u8 tag[8];
} __packed;

/**
 * struct sdp_grant_hdr - GRANT; 33 bytes without @resend_all are legal.
 * @offset:     bytes of the message that may be sent.
 * @priority:   to send them at.
 * @resend_all: the receiver has nothing of the message.
 */
struct sdp_grant_hdr {
	struct sdp_common_hdr common;
	__be32 offset;
	__u8 priority;
	__u8 resend_all;
} __packed;

/* Shortest legal clear GRANT. */
#define SDP_GRANT_MIN		33

/** struct sdp_resend_hdr - RESEND, 37 bytes. */
struct sdp_resend_hdr {
	struct sdp_common_hdr common;
	__be32 offset;
	__be32 length;
	__u8 priority;
} __packed;

/** struct sdp_cutoffs_hdr - CUTOFFS, 62 bytes. */
struct sdp_cutoffs_hdr {
	struct sdp_common_hdr common;
	__be32 cutoffs[SDP_NUM_CUTOFFS];
	__be16 version;
} __packed;

/** struct sdp_ack_hdr - ACK, 80 bytes; fewer acks may be left off when clear. */
struct sdp_ack_hdr {
	struct sdp_common_hdr common;
	__be16 num_acks;
	struct sdp_ack acks[SDP_MAX_ACKS];
} __packed;

/** struct sdp_abort_hdr - ABORT, 32 bytes, secure only. */
struct sdp_abort_hdr {
	struct sdp_common_hdr common;
	__be32 reason;
} __packed;

/* struct sdp_abort_hdr.reason */
#define SDP_ABORT_BAD_MESSAGE	1	/* a record failed for good */
#define SDP_ABORT_REFUSED	2	/* the receiver gives the message up */

/* struct sdp_control_trailer.flags; the other bits are zero. */
#define SDP_CONTROL_BAD_RECORD	0x01	/* RESEND: in authenticated form */
#define SDP_CONTROL_DELIVERED	0x02	/* RPC_UNKNOWN: delivered before */
#define SDP_CONTROL_REKEY	0x04	/* any: please send under the next epoch */

/**
 * struct sdp_control_trailer - last 40 bytes of a secure control packet, after
 *	the clear form padded with zeros to a multiple of 4.
 * @session:       session id.
 * @epoch:         low 8 bits of the sender's epoch.
 * @flags:         SDP_CONTROL_*.
 * @request_epoch: low 8 bits of the epoch of the RPC's request.
 * @zero:          zero.
 * @request_msgno: message number of the RPC's request; all ones: not known.
 * @zero2:         zero.
 * @counter:       of the sender, for its direction and epoch; top bit zero.
 * @tag:           AEAD of everything before it, the checksum as zero.
 */
struct sdp_control_trailer {
	__be32 session;
	__u8 epoch;
	__u8 flags;
	__u8 request_epoch;
	__u8 zero;
	__u8 request_msgno[6];
	__u8 zero2[2];
	__be64 counter;
	__u8 tag[16];
} __packed;

/**
 * struct sdp_data_trailer - last 24 bytes of DATA in authenticated form.
 * @counter: a control counter of the message's epoch.
 * @tag:     AEAD of everything before it, the checksum as zero.
 */
struct sdp_data_trailer {
	__be64 counter;
	__u8 tag[16];
} __packed;

/* Longest secure control packet. */
#define SDP_CONTROL_MAX \
	(sizeof(struct sdp_ack_hdr) + sizeof(struct sdp_control_trailer))

/* A TLS 1.3 record: header, inner plaintext (last byte: type), tag. */
#define SDP_RECORD_HEADER	5
#define SDP_RECORD_TAG		16
#define SDP_RECORD_TYPE		23
#define SDP_RECORD_OVERHEAD	(SDP_RECORD_HEADER + SDP_RECORD_TAG)

/* The message header, at the start of record 0's plaintext. */
#define SDP_MESSAGE_VERSION	1
#define SDP_MESSAGE_RESPONSE	0x01
#define SDP_MESSAGE_HEAD_REQUEST	16
#define SDP_MESSAGE_HEAD_RESPONSE	24
#define SDP_MESSAGE_HEAD_MAX \
	(SDP_MESSAGE_HEAD_RESPONSE + 8 * SDP_MAX_ACKS)

/* Message numbers, record indexes, counters. */
#define SDP_MSGNO_MAX		((1ULL << 47) - 1)
#define SDP_MSGNO_NONE		((1ULL << 48) - 1)
#define SDP_RECORD_INDEX_MAX	65535
#define SDP_COUNTER_MAX		((1ULL << 63) - 1)
#define SDP_CONTROL_RECORD	(1ULL << 63)

/* Windows. */
#define SDP_REPLAY_WINDOW	(1ULL << 22)
#define SDP_CONTROL_WINDOW	8192

/* Limits of a key. */
#define SDP_REKEY_BLOCKS	(1ULL << 33)
#define SDP_REKEY_MESSAGES	(1ULL << 46)
#define SDP_MAX_BLOCKS		24296003999ULL	/* 2^34.5 */
#define SDP_MAX_FAILURES	(1ULL << 36)
#define SDP_ASK_FAILURES	(1ULL << 32)	/* ask for the next epoch */

/**
 * sdp_get48() - read a 48-bit big-endian number.
 * @p: 6 bytes.
 */
static inline __u64 sdp_get48(const __u8 *p)
{
	return (__u64)p[0] << 40 | (__u64)p[1] << 32 | (__u64)p[2] << 24 |
	       (__u64)p[3] << 16 | (__u64)p[4] << 8 | p[5];
}

/**
 * sdp_put48() - write a 48-bit big-endian number.
 * @p: 6 bytes.
 * @v: the number.
 */
static inline void sdp_put48(__u8 *p, __u64 v)
{
	p[0] = v >> 40;
	p[1] = v >> 32;
	p[2] = v >> 24;
	p[3] = v >> 16;
	p[4] = v >> 8;
	p[5] = v;
}

/**
 * sdp_wire_control_length() - bytes of a secure control packet's clear part.
 * @type: packet type, with or without SDP_TYPE_SECURE.
 *
 * Return: length before the trailer, padding included; 0 if the type is not a
 * control packet with a secure form.
 */
static inline unsigned int sdp_wire_control_length(__u8 type)
{
	switch (type & ~SDP_TYPE_SECURE) {
	case SDP_TYPE_GRANT:
		return 36;
	case SDP_TYPE_RESEND:
		return 40;
	case SDP_TYPE_RPC_UNKNOWN:
	case SDP_TYPE_BUSY:
	case SDP_TYPE_NEED_ACK:
		return 28;
	case SDP_TYPE_CUTOFFS:
		return 64;
	case SDP_TYPE_ACK:
		return 80;
	case SDP_TYPE_ABORT:
		return 32;
	default:
		return 0;
	}
}

#ifdef __KERNEL__
static_assert(sizeof(struct sdp_common_hdr) == 28);
static_assert(sizeof(struct sdp_data_hdr) == 56);
static_assert(sizeof(struct sdp_secure_data_hdr) == 60);
static_assert(sizeof(struct sdp_grant_hdr) == 34);
static_assert(sizeof(struct sdp_resend_hdr) == 37);
static_assert(sizeof(struct sdp_cutoffs_hdr) == 62);
static_assert(sizeof(struct sdp_ack_hdr) == 80);
static_assert(sizeof(struct sdp_abort_hdr) == 32);
static_assert(sizeof(struct sdp_control_trailer) == 40);
static_assert(sizeof(struct sdp_data_trailer) == 24);
#endif

#endif /* SDP_RECORD_WIRE_H */
