// SPDX-License-Identifier: GPL-2.0-only
/* Secure control packets. */
#include <linux/rcupdate.h>
#include <linux/unaligned.h>

#include "../observe/observe.h"
#include "control.h"
#include "epoch.h"
#include "open.h"
#include "registry.h"

static void write_trailer(struct sdp_control_trailer *trailer,
			  struct sdp_epoch *epoch, u64 counter,
			  const struct sdp_control *control)
{
	trailer->session = cpu_to_be32(epoch->session->id);
	trailer->epoch = epoch->number;
	trailer->flags = control->flags;
	if (unlikely(sdp_epoch_ask(epoch->session)))
		trailer->flags |= SDP_CONTROL_REKEY;
	trailer->request_epoch = control->request_epoch;
	trailer->zero = 0;
	sdp_put48(trailer->request_msgno, control->request_msgno);
	memset(trailer->zero2, 0, sizeof(trailer->zero2));
	trailer->counter = cpu_to_be64(counter);
}

static int seal_under(struct sdp_epoch *epoch, void *pkt, unsigned int len,
		      const struct sdp_control *control)
{
	unsigned int total = len + sizeof(struct sdp_control_trailer);
	struct scatterlist sg;
	struct sdp_aead_op op = {
		.src = &sg,
		.dst = &sg,
		.assoc = total - SDP_AEAD_TAG,
		.atomic = true,
	};
	u64 counter;
	int err;

	err = sdp_epoch_next_counter(epoch, total, &counter);
	if (err)
		return err;
	write_trailer(pkt + len, epoch, counter, control);
	sg_init_one(&sg, pkt, total);
	return sdp_epoch_seal(epoch, SDP_CONTROL_RECORD | counter, &op) ?:
	       total;
}

int sdp_control_seal(struct sdp_session *session, void *pkt, unsigned int len,
		     const struct sdp_control *control)
{
	struct sdp_common_hdr *common = pkt;
	struct sdp_epoch *epoch;
	int ret = -ECONNRESET;

	if (!(common->type & SDP_TYPE_SECURE) ||
	    sdp_wire_control_length(common->type) != len)
		return -EINVAL;
	/* Unlike clear packets; nobody looks at them. */
	common->flags = 0;
	common->checksum = 0;
	common->urgent = 0;
	rcu_read_lock();
	epoch = rcu_dereference(session->tx);
	if (epoch)
		ret = seal_under(epoch, pkt, len, control);
	rcu_read_unlock();
	return ret;
}

static const struct sdp_control_trailer *find_trailer(const void *pkt,
						      unsigned int len)
{
	const struct sdp_common_hdr *common = pkt;
	unsigned int clear;

	if (len < sizeof(*common) || !(common->type & SDP_TYPE_SECURE))
		return NULL;
	clear = sdp_wire_control_length(common->type);
	if (!clear || len != clear + sizeof(struct sdp_control_trailer))
		return NULL;
	return pkt + clear;
}

u32 sdp_control_session_id(const void *pkt, unsigned int len)
{
	const struct sdp_control_trailer *trailer = find_trailer(pkt, len);

	return trailer ? be32_to_cpu(trailer->session) : 0;
}

/* Flags that a type may have. */
static u8 legal_flags(u8 type)
{
	switch (type & ~SDP_TYPE_SECURE) {
	case SDP_TYPE_RESEND:
		return SDP_CONTROL_REKEY | SDP_CONTROL_BAD_RECORD;
	case SDP_TYPE_RPC_UNKNOWN:
		return SDP_CONTROL_REKEY | SDP_CONTROL_DELIVERED;
	default:
		return SDP_CONTROL_REKEY;
	}
}

static int decode(const struct sdp_common_hdr *common,
		  const struct sdp_control_trailer *trailer,
		  struct sdp_control *control)
{
	if (trailer->flags & ~legal_flags(common->type) || trailer->zero ||
	    trailer->zero2[0] || trailer->zero2[1])
		return -EPROTO;
	control->flags = trailer->flags;
	control->request_epoch = trailer->request_epoch;
	control->request_msgno = sdp_get48(trailer->request_msgno);
	return 0;
}

static int verify(struct sdp_epoch *epoch, const void *pkt, unsigned int len,
		  u64 counter)
{
	struct scatterlist table[3];
	struct sdp_aead_op op = {
		.src = table,
		.dst = table,
		.assoc = len - SDP_AEAD_TAG,
		.crypt = SDP_AEAD_TAG,
		.atomic = true,
	};

	if (counter > SDP_COUNTER_MAX)
		return -EBADMSG;
	sg_init_table(table, ARRAY_SIZE(table));
	sdp_epoch_aad(table, pkt, len);
	return sdp_epoch_open(epoch, SDP_CONTROL_RECORD | counter, &op);
}

struct sdp_epoch *sdp_control_open(struct sdp_session *session,
				   const void *pkt, unsigned int len,
				   const struct in6_addr *local,
				   struct sdp_control *control)
{
	const struct sdp_control_trailer *trailer = find_trailer(pkt, len);
	struct sdp_epoch *epoch;
	u64 counter;
	int err;

	if (!trailer)
		return ERR_PTR(-EMSGSIZE);
	epoch = sdp_epoch_receive(session, trailer->epoch);
	if (!epoch || sdp_session_dead(session))
		return ERR_PTR(-ENOKEY);
	if (!sdp_epoch_local_ok(session, local))
		return ERR_PTR(-EADDRNOTAVAIL);
	counter = be64_to_cpu(trailer->counter);
	err = verify(epoch, pkt, len, counter);
	if (err)
		return ERR_PTR(err);
	if (!sdp_counters_take(&epoch->rx->counters, counter))
		return ERR_PTR(-EALREADY);
	sdp_epoch_heard(epoch);
	if (sdp_epoch_first(epoch))
		sdp_session_first_packet(session);
	err = decode(pkt, trailer, control);
	if (!err && unlikely(trailer->flags & SDP_CONTROL_REKEY))
		sdp_epoch_wanted(session);
	return err ? ERR_PTR(err) : epoch;
}

void sdp_control_of_request(struct sdp_control *control,
			    const struct sdp_tx *tx, const struct sdp_rx *rx)
{
	control->request_epoch = 0;
	control->request_msgno = SDP_MSGNO_NONE;
	if (tx && tx->epoch) {
		control->request_epoch = tx->epoch->number;
		control->request_msgno = tx->msgno;
	} else if (rx && rx->epoch) {
		control->request_epoch = rx->epoch->number;
		control->request_msgno = rx->msgno;
	}
}
