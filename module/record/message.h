/* SPDX-License-Identifier: GPL-2.0-only */
/* A message on its way: what it needs for its life, in its RPC. */
#ifndef SDP_RECORD_MESSAGE_H
#define SDP_RECORD_MESSAGE_H

#include <linux/types.h>

#include "wire.h"

struct sdp_epoch;

/**
 * struct sdp_tx - a sealed message; embedded in the RPC.
 * @epoch:  held; NULL: not begun, or ended.
 * @msgno:  message number.
 * @sealed: length of the sealed message, bytes.
 * @heard:  bit 0 is set once the peer has shown that it has a packet of it.
 */
struct sdp_tx {
	struct sdp_epoch *epoch;
	u64 msgno;
	u32 sealed;
	unsigned long heard;
};

/**
 * struct sdp_rx - a message being received; embedded in the RPC, which is in
 *	memory from kmalloc or a slab.
 * @epoch:    held; NULL: not begun, or ended.
 * @msgno:    message number.
 * @rpc_id:   as the sender sees it, from the first valid header.
 * @sealed:   length of the sealed message, likewise.
 * @app_len:  bytes of application data; known once record 0 is open.
 * @head_len: bytes of the message header; 0: record 0 is not open yet.
 * @committed: sdp_rx_commit() was called.
 * @scratch:  for ends of records that are no application data.
 */
struct sdp_rx {
	struct sdp_epoch *epoch;
	u64 msgno;
	u64 rpc_id;
	u32 sealed;
	u32 app_len;
	u8 head_len;
	bool committed;
	u8 scratch[6];
};

#endif /* SDP_RECORD_MESSAGE_H */
