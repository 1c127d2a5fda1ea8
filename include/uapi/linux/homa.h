/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Homa's socket API, as programs written for Homa/Linux expect it. See sdp(7).
 * Keys, sessions, policy and the plain API are in <linux/sdp.h>.
 */
#ifndef _UAPI_LINUX_HOMA_H
#define _UAPI_LINUX_HOMA_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>
#else
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#endif

/** IPPROTO_HOMA - IP protocol number, and level of the socket options below. */
#define IPPROTO_HOMA 146

/** HOMA_MAX_MESSAGE_LENGTH - bytes in the longest message of clear mode. */
#define HOMA_MAX_MESSAGE_LENGTH 1000000

/** HOMA_BPAGE_SIZE - unit in which a receive region is handed out, bytes. */
#define HOMA_BPAGE_SHIFT 16
#define HOMA_BPAGE_SIZE (1 << HOMA_BPAGE_SHIFT)

/** HOMA_MAX_BPAGES - buffer pages that the longest message can span. */
#define HOMA_MAX_BPAGES \
	((HOMA_MAX_MESSAGE_LENGTH + HOMA_BPAGE_SIZE - 1) >> HOMA_BPAGE_SHIFT)

/** HOMA_MIN_DEFAULT_PORT - first of the ports assigned to unbound sockets. */
#define HOMA_MIN_DEFAULT_PORT 0x8000

/* Socket options, level IPPROTO_HOMA. */

/** SO_HOMA_RCVBUF - receive region; struct homa_rcvbuf_args. */
#define SO_HOMA_RCVBUF 10
/** SO_HOMA_SERVER - int: accept requests (bind() turns it on). */
#define SO_HOMA_SERVER 11

/**
 * struct homa_rcvbuf_args - receive region of a socket.
 * @start:  page-aligned address in the calling process.
 * @length: bytes; at least one buffer page, a trailing part of one is unused.
 */
struct homa_rcvbuf_args {
	__u64 start;
	__u64 length;
};

/* Flags of struct homa_sendmsg_args. */

/** HOMA_SENDMSG_PRIVATE - only a recvmsg() naming the id gets the response. */
#define HOMA_SENDMSG_PRIVATE 0x01
#define HOMA_SENDMSG_VALID_FLAGS (HOMA_SENDMSG_PRIVATE)

/**
 * struct homa_sendmsg_args - msg_control of sendmsg(); msg_controllen is zero.
 * @id:                0 for a new request (its id is written back), otherwise
 *                     the RPC to which this message is the response.
 * @completion_cookie: returned with the response; zero in a response.
 * @flags:             HOMA_SENDMSG_*, and SDP_MSG_CLEAR of <linux/sdp.h>.
 * @reserved:          zero.
 */
struct homa_sendmsg_args {
	__u64 id;
	__u64 completion_cookie;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct homa_recvmsg_args - msg_control of recvmsg(); msg_controllen is its
 *	size.
 * @id:                in: 0 for any message, or the id of a private RPC; out:
 *                     the RPC, odd if the message is a request.
 * @completion_cookie: out: as given with the request.
 * @num_bpages:        in: buffer pages given back; out: pages of the message.
 * @reserved:          zero.
 * @bpage_offsets:     offsets in the receive region; all but the last page of
 *                     a message are full.
 */
struct homa_recvmsg_args {
	__u64 id;
	__u64 completion_cookie;
	__u32 num_bpages;
	__u32 reserved;
	__u32 bpage_offsets[HOMA_MAX_BPAGES];
};

/**
 * struct homa_abort_args - argument of HOMAIOCABORT.
 * @id:    request to abort; 0: all outgoing requests of the socket.
 * @error: 0: forget the RPC; otherwise it completes with this errno.
 * @_pad1: zero.
 * @_pad2: zero.
 */
struct homa_abort_args {
	__u64 id;
	__u32 error;
	__u32 _pad1;
	__u64 _pad2[2];
};

/* Flags of struct homa_rpc_info. */

/** HOMA_RPC_BUF_STALL - waits for space in the receive region. */
#define HOMA_RPC_BUF_STALL 1
/** HOMA_RPC_PRIVATE - was sent with HOMA_SENDMSG_PRIVATE. */
#define HOMA_RPC_PRIVATE 2
/** HOMA_RPC_RX_READY - a complete message waits for recvmsg(). */
#define HOMA_RPC_RX_READY 4
/** HOMA_RPC_RX_COPY - received data waits to be copied. */
#define HOMA_RPC_RX_COPY 8

/**
 * struct homa_rpc_info - one RPC, as HOMAIOCINFO tells it.
 * @id:                as this socket sees it.
 * @peer:              the other end.
 * @completion_cookie: of a request of ours.
 * @tx_length:         bytes of the message we send; -1 if there is none yet.
 * @tx_sent:           bytes sent at least once.
 * @tx_granted:        bytes that may be sent.
 * @tx_prio:           priority of the scheduled part.
 * @rx_length:         bytes of the message we receive; -1 if unknown yet.
 * @rx_remaining:      bytes still missing.
 * @rx_gaps:           missing ranges before the last byte received.
 * @rx_gap_bytes:      bytes in these.
 * @rx_granted:        bytes granted to the sender.
 * @flags:             HOMA_RPC_*.
 */
struct homa_rpc_info {
	__u64 id;
	union {
		struct sockaddr_storage storage;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} peer;
	__u64 completion_cookie;
	__s32 tx_length;
	__u32 tx_sent;
	__u32 tx_granted;
	__u32 tx_prio;
	__s32 rx_length;
	__u32 rx_remaining;
	__u32 rx_gaps;
	__u32 rx_gap_bytes;
	__u32 rx_granted;
	__u16 flags;
};

#define HOMA_ERROR_MSG_SIZE 104

/**
 * struct homa_info - argument of HOMAIOCINFO.
 * @rpc_info:          in: address of an array of struct homa_rpc_info.
 * @rpc_info_length:   in: its size in bytes; out: bytes filled.
 * @bpool_avail_bytes: out: free bytes of the receive region.
 * @port:              out: the socket's port.
 * @num_rpcs:          out: RPCs of the socket, also those that had no room.
 * @error_msg:         out: text for the last error of this socket.
 */
struct homa_info {
	__u64 rpc_info;
	__u64 rpc_info_length;
	__u64 bpool_avail_bytes;
	__u32 port;
	__u32 num_rpcs;
	char error_msg[HOMA_ERROR_MSG_SIZE];
};

/** HOMA_FLAG_DONT_THROTTLE - accepted for compatibility, has no effect. */
#define HOMA_FLAG_DONT_THROTTLE 2

#define HOMAIOCINFO _IOWR('h', 0x90, struct homa_info)
#define HOMAIOCABORT _IOWR('h', 0x91, struct homa_abort_args)
/** HOMAIOCFREEZE - accepted for compatibility, does nothing. */
#define HOMAIOCFREEZE _IO('h', 0x92)

#endif /* _UAPI_LINUX_HOMA_H */
