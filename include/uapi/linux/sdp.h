/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * SDP: sessions, keys, policy, and the plain socket API. See sdp(7).
 *
 * Structures begin with their size. A call may pass an older, shorter form, or
 * a newer, longer one whose unknown tail is zero (otherwise E2BIG). They hold
 * no pointers and have the same layout for 32 and 64 bit.
 */
#ifndef _UAPI_LINUX_SDP_H
#define _UAPI_LINUX_SDP_H

#include <linux/types.h>
#include <linux/homa.h>

/* Socket options, level IPPROTO_HOMA. */

/** SDP_NONCE - get: SDP_NONCE_LEN fresh random bytes for one SDP_SESSION_ADD. */
#define SDP_NONCE 64
/** SDP_SESSION_ADD - set: struct sdp_session_add. */
#define SDP_SESSION_ADD 65
/** SDP_SESSION_DEL - set: struct sdp_session_ref. */
#define SDP_SESSION_DEL 66
/** SDP_SESSION_REKEY - set: struct sdp_session_ref; next epoch for sending. */
#define SDP_SESSION_REKEY 67
/** SDP_SESSION_INFO - get: struct sdp_session_info, its ref filled in. */
#define SDP_SESSION_INFO 68
/** SDP_POLICY - get, set: int, one of SDP_POLICY_*. */
#define SDP_POLICY 69
/**
 * SDP_RAW_KEYS - set: struct sdp_raw_keys. Test vectors and benchmarks only:
 * refused with EPERM unless the module was loaded with test_raw_keys=1.
 */
#define SDP_RAW_KEYS 70
/**
 * SDP_PADDING - get, set: int, 0 to SDP_PADDING_MAX. What a secure message of
 * this socket holds (message header and data) is filled up with zeros to a
 * multiple of that many bytes, so that its length tells the network less.
 * 0 (the default) and 1: none.
 */
#define SDP_PADDING 71
#define SDP_PADDING_MAX 65536
/** SDP_VERSION - get: struct sdp_version. */
#define SDP_VERSION 72

/* What this header describes: struct sdp_version.uapi. */
#define SDP_UAPI_VERSION 2

/**
 * struct sdp_version - what the kernel's module speaks.
 * @size:     sizeof(struct sdp_version).
 * @uapi:     SDP_UAPI_VERSION of its header. Structures only grow: an older
 *            program runs as before, a newer one gets E2BIG for what the module
 *            does not know.
 * @wire:     version of the secure wire format. Ends of different versions share
 *            no keys: a handshake compares it before it installs a session.
 * @reserved: zero.
 */
struct sdp_version {
	__u32 size;
	__u32 uapi;
	__u32 wire;
	__u32 reserved;
};

/** SDP_CMSG_RPC - control message, level IPPROTO_HOMA: struct sdp_rpc_cmsg. */
#define SDP_CMSG_RPC 64

/* Values of SDP_POLICY. */
#define SDP_POLICY_CLEAR 0	/* messages in the clear only (the default) */
#define SDP_POLICY_SECURE 1	/* secure messages only */
#define SDP_POLICY_MIXED 2	/* secure unless a call says SDP_MSG_CLEAR */

/* Ciphers (TLS 1.3 code points, RFC 8446 B.4). */
#define SDP_CIPHER_AES_128_GCM 0x1301
#define SDP_CIPHER_AES_256_GCM 0x1302
#define SDP_CIPHER_CHACHA20_POLY1305 0x1303

#define SDP_NONCE_LEN 16
#define SDP_SECRET_LEN 32
#define SDP_CONTEXT_LEN 32

/* Roles of struct sdp_session_add. */
#define SDP_ROLE_CLIENT 0
#define SDP_ROLE_SERVER 1

/** SDP_RECORD_SIZE_DEFAULT - bytes of inner plaintext with the type byte. */
#define SDP_RECORD_SIZE_DEFAULT 16256
#define SDP_RECORD_SIZE_MIN 256
#define SDP_RECORD_SIZE_MAX 16385

/*
 * Addresses are struct sockaddr_in6 throughout; an IPv4 address is written
 * v4-mapped (::ffff:a.b.c.d), on AF_INET sockets too.
 */

/**
 * struct sdp_session_add - install a session.
 * @size:        sizeof(struct sdp_session_add).
 * @flags:       zero.
 * @local:       local address; the any-address: the one from which the
 *               peer is first known to have heard this end. Its port is the socket's, or zero.
 * @peer:        address and port of the other end.
 * @role:        SDP_ROLE_*: the two ends differ. Who opened the handshake is
 *               the client; either end may send requests.
 * @cipher:      SDP_CIPHER_*.
 * @record_size: bytes of inner plaintext of a full record with the type byte;
 *               0: SDP_RECORD_SIZE_DEFAULT. Both ends agree on it.
 * @reserved:    zero.
 * @secret:      shared by both ends, from a handshake.
 * @own_nonce:   from SDP_NONCE of this socket.
 * @peer_nonce:  from SDP_NONCE at the other end.
 * @context:     what both ends know of each other, as a hash: identities,
 *               roles, ports, the handshake's transcript. Both ends give the
 *               same; keys of ends that do not have nothing in common. Zeros in
 *               the form without this field, of SDP_SESSION_ADD_V1 bytes.
 *
 * Sessions with the same peer: a new one of @role client is the present one at
 * once, one of @role server with the first packet that the peer sends under it;
 * requests begin under the present one. A replaced one receives and ends RPCs for
 * a minute more. Of two handshakes at once, one from either end, the one with the
 * smaller nonce of its client stays.
 *
 * Errors: EINVAL (a field, an unknown own nonce), EEXIST (nonce spent),
 * ENOBUFS (sessions of this user), EPERM (policy), ENOENT (no such cipher),
 * EBUSY (the machine is going to sleep), EADDRINUSE, EDQUOT (no port, or too many of
 * this user), EFAULT, ESHUTDOWN, ENOMEM, E2BIG, EAFNOSUPPORT.
 */
struct sdp_session_add {
	__u32 size;
	__u32 flags;
	struct sockaddr_in6 local;
	struct sockaddr_in6 peer;
	__u16 role;
	__u16 cipher;
	__u16 record_size;
	__u16 reserved;
	__u8 secret[SDP_SECRET_LEN];
	__u8 own_nonce[SDP_NONCE_LEN];
	__u8 peer_nonce[SDP_NONCE_LEN];
	__u8 context[SDP_CONTEXT_LEN];
};

#define SDP_SESSION_ADD_V1 136

/**
 * struct sdp_session_ref - names a session of the socket.
 * @size: sizeof(struct sdp_session_ref).
 * @id:   the session's id, or zero: the present session with @peer, and for
 *        SDP_SESSION_DEL all with @peer.
 * @peer: address and port, where @id is zero.
 */
struct sdp_session_ref {
	__u32 size;
	__u32 id;
	struct sockaddr_in6 peer;
};

/* Values of sdp_session_info.offload. */
#define SDP_OFFLOAD_CPU 0
#define SDP_OFFLOAD_NIC 1

/**
 * struct sdp_session_info - state of a session; never key bytes.
 * @size:           sizeof(struct sdp_session_info).
 * @id:             in: as in struct sdp_session_ref; out: the session.
 * @peer:           likewise.
 * @local:          local address, the any-address while not yet fixed.
 * @role:           SDP_ROLE_*.
 * @cipher:         SDP_CIPHER_*.
 * @record_size:    bytes.
 * @offload:        SDP_OFFLOAD_*: who has sealed the last long message.
 * @tx_epoch:       epoch of messages sent now.
 * @rx_epoch:       newest epoch heard from the peer.
 * @tx_messages:    messages sent in this epoch.
 * @tx_messages_left: messages left in it.
 * @tx_blocks:      AES blocks sealed in it.
 * @tx_blocks_left: blocks left in it.
 * @rx_messages:    messages opened.
 * @rx_failed:      records and tags that failed in the newest epoch.
 * @silent_ns:      nanoseconds since the last authenticated packet.
 * @driver:         name of the AEAD implementation, NUL-terminated.
 * @wire:           version of the wire format, as in struct sdp_version.
 * @state:          SDP_SESSION_*.
 * @nic_records:    records that NICs have sealed in this epoch.
 *
 * Shorter forms stay: SDP_SESSION_INFO_V1 bytes, without @wire and what follows, and
 * SDP_SESSION_INFO_V2, without @nic_records.
 */
struct sdp_session_info {
	__u32 size;
	__u32 id;
	struct sockaddr_in6 peer;
	struct sockaddr_in6 local;
	__u16 role;
	__u16 cipher;
	__u16 record_size;
	__u16 offload;
	__u64 tx_epoch;
	__u64 rx_epoch;
	__u64 tx_messages;
	__u64 tx_messages_left;
	__u64 tx_blocks;
	__u64 tx_blocks_left;
	__u64 rx_messages;
	__u64 rx_failed;
	__u64 silent_ns;
	char driver[64];
	__u32 wire;
	__u32 state;
	__u64 nic_records;
};

#define SDP_SESSION_INFO_V1 208
#define SDP_SESSION_INFO_V2 216

/* Bits of sdp_session_info.state. */
#define SDP_SESSION_PENDING 0x1	/* the peer has not used it yet, another one is */
#define SDP_SESSION_REPLACED 0x2 /* begins no requests, and ends soon */
/*
 * A virtual machine that is not told when it is copied: copies of it would use
 * the same keys for different messages.
 */
#define SDP_SESSION_COPY_UNNOTICED 0x4

/**
 * struct sdp_raw_keys - install keys as they are, for tests.
 * @session:   as for SDP_SESSION_ADD; secret and nonces are ignored.
 * @id:        session id.
 * @reserved:  zero.
 * @tx_key:    16 or 32 bytes are used.
 * @rx_key:    must differ from @tx_key (EINVAL); installed once (EEXIST).
 * @tx_iv:     12 bytes are used.
 * @rx_iv:     likewise.
 * @tx_hdr:    header-tag key.
 * @rx_hdr:    likewise.
 *
 * Such a session has one epoch: SDP_SESSION_REKEY gives EOPNOTSUPP.
 */
struct sdp_raw_keys {
	struct sdp_session_add session;
	__u32 id;
	__u32 reserved;
	__u8 tx_key[32];
	__u8 rx_key[32];
	__u8 tx_iv[16];
	__u8 rx_iv[16];
	__u8 tx_hdr[16];
	__u8 rx_hdr[16];
};

/* Flags of struct sdp_rpc_cmsg. */
#define SDP_RPC_PRIVATE 0x1	/* send: only a recvmsg naming the id gets it */
#define SDP_RPC_REQUEST 0x2	/* received: a request (otherwise a response) */
#define SDP_RPC_SECURE 0x4	/* received: came over a session */
#define SDP_RPC_FAILED 0x8	/* received: no data, the RPC failed with error */
/** SDP_MSG_CLEAR - send this request in the clear (mixed sockets only). */
#define SDP_MSG_CLEAR 0x80000000

/** SDP_RPC_CMSG_SHORT - bytes of struct sdp_rpc_cmsg that a send has to give. */
#define SDP_RPC_CMSG_SHORT 16

/**
 * struct sdp_rpc_cmsg - control message of the plain API.
 * @size:    sizeof(struct sdp_rpc_cmsg). A send may end after @id, with
 *           SDP_RPC_CMSG_SHORT here: the rest is zero.
 * @flags:   SDP_RPC_*, SDP_MSG_CLEAR.
 * @id:      send: 0 for a request, otherwise the RPC to which this is the
 *           response; received: the RPC, odd if the message is a request.
 *           recvmsg() writes it whenever there is room for a control message.
 * @cookie:  send: returned with the response; zero in a response.
 * @error:   received: errno of a failed RPC (SDP_RPC_FAILED), otherwise zero.
 * @session: received: id of the session, zero in the clear.
 */
struct sdp_rpc_cmsg {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 cookie;
	__u32 error;
	__u32 session;
};

/**
 * struct sdp_abort_args - argument of SDPIOCABORT.
 * @size:   sizeof(struct sdp_abort_args).
 * @error:  0: forget the RPC; otherwise it completes with this errno.
 * @id:     request to abort, or zero:
 * @cookie: abort the requests that were sent with this cookie.
 */
struct sdp_abort_args {
	__u32 size;
	__u32 error;
	__u64 id;
	__u64 cookie;
};

#define SDPIOCABORT _IOWR('h', 0xa0, struct sdp_abort_args)

#endif /* _UAPI_LINUX_SDP_H */
