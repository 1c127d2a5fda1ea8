/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Secure control packets: the clear form, padded, and a trailer with a counter
 * and a tag. See docs/wire.md.
 */
#ifndef SDP_RECORD_CONTROL_H
#define SDP_RECORD_CONTROL_H

#include "seal.h"

/**
 * struct sdp_control - what a trailer says beside its proof.
 * @flags:         SDP_CONTROL_*.
 * @request_epoch: low 8 bits of the epoch of the RPC's request.
 * @request_msgno: message number of the RPC's request, or SDP_MSGNO_NONE.
 */
struct sdp_control {
	u8 flags;
	u8 request_epoch;
	u64 request_msgno;
};

/**
 * sdp_control_of_request() - fill in which request a packet is about.
 * @control: @request_epoch and @request_msgno are written.
 * @tx:      on the client: the request as sent; NULL on the server.
 * @rx:      on the server: the request as received; NULL on the client.
 *
 * With neither (not begun, or an RPC that is not known): SDP_MSGNO_NONE.
 */
struct sdp_rx;
void sdp_control_of_request(struct sdp_control *control,
			    const struct sdp_tx *tx, const struct sdp_rx *rx);

/**
 * sdp_control_seal() - complete a control packet with the next counter.
 * @session: to seal for.
 * @pkt:     linear kernel memory from kmalloc or an skb: the clear form with
 *           its type | SDP_TYPE_SECURE, zero-padded; room for the trailer.
 * @len:     bytes before the trailer, sdp_wire_control_length().
 * @control: what the trailer says.
 *
 * A packet that is sent again is sealed again. Context: any. Return: bytes of
 * the whole packet; -EINVAL (type, length), -EKEYEXPIRED, -ECONNRESET (session
 * removed).
 */
int sdp_control_seal(struct sdp_session *session, void *pkt, unsigned int len,
		     const struct sdp_control *control);

/**
 * sdp_control_open() - verify a control packet.
 * @session: from sdp_session_find_id().
 * @pkt:     the packet, linear; never written.
 * @len:     its length in bytes, the trailer included.
 * @local:   address that it was sent to; IPv4 as v4-mapped.
 * @control: written on success.
 *
 * On success the session has heard from its peer, as with sdp_open_header().
 *
 * Context: softirq or process with bottom halves off, RCU read lock. Return:
 * the epoch that it came under, valid under RCU, or ERR_PTR: -EMSGSIZE (length
 * not that of its type), -EBADMSG (tag), -EALREADY (replayed, or below the
 * window), -ENOKEY, -EADDRNOTAVAIL, -EKEYEXPIRED, -EPROTO (authentic, but
 * fields are illegal).
 */
struct sdp_epoch *sdp_control_open(struct sdp_session *session,
				   const void *pkt, unsigned int len,
				   const struct in6_addr *local,
				   struct sdp_control *control);

/**
 * sdp_control_session_id() - session id that a control packet names.
 * @pkt: the packet, linear.
 * @len: its length.
 *
 * Return: id in host byte order, or 0 if the length is not that of its type.
 */
u32 sdp_control_session_id(const void *pkt, unsigned int len);

#endif /* SDP_RECORD_CONTROL_H */
