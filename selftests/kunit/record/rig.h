/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two ends of a session in one kernel, and messages between them, for the
 * suites of the record layer.
 */
#ifndef SDP_KUNIT_RECORD_RIG_H
#define SDP_KUNIT_RECORD_RIG_H

#include <kunit/test.h>

#include "record/audit.h"
#include "record/control.h"
#include "record/epoch.h"
#include "record/info.h"
#include "record/install.h"
#include "record/nonce.h"
#include "record/open.h"
#include "record/set.h"
#include "record/tag.h"

#define CLIENT 0
#define SERVER 1

#define RPC_ID 0x1000ULL

/**
 * struct record_rig - two sockets and their ends of one session.
 * @nonces: their pools.
 * @owner:  their names.
 * @end:    the session at each, held.
 * @addr:   their addresses.
 */
struct record_rig {
	struct sdp_nonces nonces[2];
	struct sdp_session_owner owner[2];
	struct sdp_session *end[2];
	struct in6_addr addr[2];
};

/* A sealed message with its packet header. */
struct record_sealed {
	struct sdp_tx tx;
	struct sdp_seal seal;
	struct sdp_secure_data_hdr hdr;
	u8 *bytes;
	u32 len;
};

/* What opening gave. */
struct record_opened {
	struct sdp_rx rx;
	struct sdp_message_head head;
	u8 *data;
	u32 len;
};

/* Calls of ops->dead and ops->window since the last look. */
extern atomic_t record_rig_dead;
extern atomic_t record_rig_window;

/* The sockets without sessions. */
void record_rig_sockets(struct kunit *test, struct record_rig *rig);

/* A complete argument for one end; the peer's nonce is still to be set. */
void record_rig_add(struct record_rig *rig, int who, u16 cipher,
		    u16 record_size, struct sdp_session_add *add);

/* Sockets and a session, installed as a program would, always with new keys. */
void record_rig_open(struct kunit *test, struct record_rig *rig, u16 cipher,
		     u16 record_size);

/* What a session at one end is found by. */
void record_rig_key(const struct record_rig *rig, int who,
		    struct sdp_session_key *key);

/* Another session between the same sockets. */
void record_rig_install(struct kunit *test, struct record_rig *rig, u16 cipher,
			u16 record_size);

/* Close both sockets; fails the test if a nonce was used twice. */
void record_rig_close(struct kunit *test, struct record_rig *rig);

/* A call whose context is a softirq's, or that of a run. */
#define record_in_bh(call) ({			\
	typeof(call) __result;			\
						\
	local_bh_disable();			\
	__result = (call);			\
	local_bh_enable();			\
	__result;				\
})

/* Seal LEN bytes that count up, in one go; 0 or an errno. */
int record_seal(struct kunit *test, struct sdp_session *session,
		const struct sdp_rx *request, u64 rpc_id, u32 len, u32 pad,
		struct record_sealed *out);

/* Verify the header and begin; 0 or an errno. */
int record_begin(struct record_rig *rig, int who,
		 const struct sdp_secure_data_hdr *hdr, struct sdp_rx *rx);

/* Open all records; 0 or an errno. The message stays begun. */
int record_open_all(struct kunit *test, struct sdp_rx *rx, const u8 *bytes,
		    const struct sdp_tx *request, struct record_opened *out);

/* Receive a whole message at an end, commit it and end it; 0 or an errno. */
int record_receive(struct kunit *test, struct record_rig *rig, int who,
		   const struct record_sealed *sealed,
		   const struct sdp_tx *request, struct record_opened *out);

/* Put a fresh tag on a header, as the sender could. */
void record_retag(const struct sdp_tx *tx, struct sdp_secure_data_hdr *hdr);

#endif /* SDP_KUNIT_RECORD_RIG_H */
