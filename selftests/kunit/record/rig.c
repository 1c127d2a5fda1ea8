// SPDX-License-Identifier: GPL-2.0-only
#include <linux/unaligned.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "rig.h"

atomic_t record_rig_dead;
atomic_t record_rig_window;

/* Sessions of cases before are counted until they are freed: their epochs, then they. */
static void all_freed(void)
{
	int i;

	for (i = 0; i < 2; i++) {
		rcu_barrier();
		flush_workqueue(sdp_record_wq);
	}
}

void record_rig_sockets(struct kunit *test, struct record_rig *rig)
{
	int i;

	all_freed();
	memset(rig, 0, sizeof(*rig));
	for (i = CLIENT; i <= SERVER; i++) {
		sdp_nonces_init(&rig->nonces[i]);
		rig->owner[i].net = &init_net;
		rig->owner[i].token = &rig->nonces[i];
		rig->owner[i].nonces = &rig->nonces[i];
		rig->owner[i].set = sdp_session_set_new();
		KUNIT_ASSERT_NOT_NULL(test, rig->owner[i].set);
		rig->owner[i].port = i == CLIENT ? 40000 : 99;
		rig->owner[i].limits.user = 100;
		ipv6_addr_set_v4mapped(htonl(0x0a000001 + i), &rig->addr[i]);
	}
}

void record_rig_add(struct record_rig *rig, int who, u16 cipher,
		    u16 record_size, struct sdp_session_add *add)
{
	memset(add, 0, sizeof(*add));
	add->size = sizeof(*add);
	add->local.sin6_family = AF_INET6;
	add->peer.sin6_family = AF_INET6;
	add->peer.sin6_addr = rig->addr[!who];
	add->peer.sin6_port = htons(rig->owner[!who].port);
	add->role = who == CLIENT ? SDP_ROLE_CLIENT : SDP_ROLE_SERVER;
	add->cipher = cipher;
	add->record_size = record_size;
	memset(add->secret, 0x5a, sizeof(add->secret));
	memset(add->peer_nonce, 0xee, sizeof(add->peer_nonce));
}

void record_rig_key(const struct record_rig *rig, int who,
		    struct sdp_session_key *key)
{
	sdp_session_key_init(key, rig->owner[who].token, &init_net, 0, 0,
			     &rig->addr[!who],
			     rig->owner[!who].port, rig->owner[who].port);
}

static void hold_end(struct kunit *test, struct record_rig *rig, int who,
		     u32 id)
{
	struct sdp_session_key key;

	record_rig_key(rig, who, &key);
	rcu_read_lock();
	rig->end[who] = sdp_session_find_id(&key, id);
	if (rig->end[who] && !sdp_session_hold(rig->end[who]))
		rig->end[who] = NULL;
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, rig->end[who]);
}

void record_rig_install(struct kunit *test, struct record_rig *rig, u16 cipher,
			u16 record_size)
{
	struct sdp_session_add add[2];
	u32 id[2];
	int i;

	for (i = CLIENT; i <= SERVER; i++) {
		record_rig_add(rig, i, cipher, record_size, &add[i]);
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig->nonces[i],
							add[i].own_nonce));
	}
	for (i = CLIENT; i <= SERVER; i++)
		memcpy(add[!i].peer_nonce, add[i].own_nonce, SDP_NONCE_LEN);
	for (i = CLIENT; i <= SERVER; i++) {
		sdp_session_put(rig->end[i]);
		rig->end[i] = NULL;
		KUNIT_ASSERT_EQ(test, 0, sdp_session_add(&rig->owner[i],
							 &add[i], &id[i]));
		hold_end(test, rig, i, id[i]);
	}
	KUNIT_EXPECT_EQ(test, id[CLIENT], id[SERVER]);
	KUNIT_EXPECT_EQ(test, id[CLIENT], sdp_session_id(rig->end[CLIENT]));
}

void record_rig_open(struct kunit *test, struct record_rig *rig, u16 cipher,
		     u16 record_size)
{
	record_rig_sockets(test, rig);
	record_rig_install(test, rig, cipher, record_size);
}

void record_rig_close(struct kunit *test, struct record_rig *rig)
{
	int i;

	for (i = CLIENT; i <= SERVER; i++) {
		sdp_session_put(rig->end[i]);
		sdp_session_set_close(rig->owner[i].set);
		sdp_set_put(rig->owner[i].set);
		sdp_nonces_destroy(&rig->nonces[i]);
	}
	KUNIT_EXPECT_EQ(test, 0, sdp_audit_take_failures(false));
}

/* Seal all records one after another into @out->bytes. */
static int seal_records(struct kunit *test, struct record_sealed *out)
{
	u32 size = out->seal.record_size, i, at = 0;
	u8 *buf = kunit_kmalloc(test, SDP_RECORD_HEADER + size, GFP_KERNEL);
	struct scatterlist dst;
	int err = 0;

	out->len = out->tx.sealed;
	out->bytes = kunit_kzalloc(test, out->len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	KUNIT_ASSERT_NOT_NULL(test, out->bytes);
	for (i = 0; i < out->seal.records && !err; i++) {
		u32 lead = sdp_seal_lead(&out->seal, i), n;

		for (n = 0; n < sdp_seal_app_length(&out->seal, i); n++)
			buf[lead + n] = at++;
		sg_init_one(&dst, out->bytes + sdp_layout_offset(size, i),
			    sdp_layout_wire_length(size, out->len, i));
		err = sdp_seal_record(&out->seal, i, buf, &dst);
	}
	return err;
}

void record_retag(const struct sdp_tx *tx, struct sdp_secure_data_hdr *hdr)
{
	put_unaligned_le64(sdp_tag_compute(&tx->epoch->hdr, hdr), hdr->tag);
}

int record_seal(struct kunit *test, struct sdp_session *session,
		const struct sdp_rx *request, u64 rpc_id, u32 len, u32 pad,
		struct record_sealed *out)
{
	struct sdp_message_head head = { .rpc_id = rpc_id, .app_len = len };
	int err;

	memset(out, 0, sizeof(*out));
	err = sdp_seal_begin(session, &out->tx, &out->seal, &head, request,
			     pad);
	if (err)
		return err;
	err = seal_records(test, out);
	out->hdr.common.sender_id = cpu_to_be64(rpc_id);
	sdp_tx_header(&out->tx, &out->hdr);
	if (err)
		sdp_tx_end(&out->tx);
	return err;
}

int record_begin(struct record_rig *rig, int who,
		 const struct sdp_secure_data_hdr *hdr, struct sdp_rx *rx)
{
	struct sdp_epoch *epoch;
	int err;

	memset(rx, 0, sizeof(*rx));
	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_open_header(rig->end[who], hdr, &rig->addr[who]);
	err = PTR_ERR_OR_ZERO(epoch);
	if (!err)
		err = record_in_bh(sdp_rx_begin(rx, epoch, hdr));
	rcu_read_unlock();
	local_bh_enable();
	return err;
}

int record_open_all(struct kunit *test, struct sdp_rx *rx, const u8 *bytes,
		    const struct sdp_tx *request, struct record_opened *out)
{
	u32 size = sdp_session_record_size(sdp_rx_session(rx)), i;
	u8 *buf = kunit_kmalloc(test, SDP_RECORD_HEADER + size, GFP_KERNEL);
	struct scatterlist src;
	int got;

	out->len = 0;
	out->data = kunit_kzalloc(test, rx->sealed, GFP_KERNEL);
	for (i = 0; i < sdp_layout_records(size, rx->sealed); i++) {
		u32 lead = SDP_RECORD_HEADER;

		sg_init_one(&src, bytes + sdp_layout_offset(size, i),
			    sdp_layout_wire_length(size, rx->sealed, i));
		got = i ? sdp_open_record(rx, i, &src, buf, 0) :
			  sdp_open_first(rx, &src, buf, request, &out->head, 0);
		if (got < 0)
			return got;
		lead += i ? 0 : out->head.len;
		memcpy(out->data + out->len, buf + lead, got);
		out->len += got;
	}
	return 0;
}

int record_receive(struct kunit *test, struct record_rig *rig, int who,
		   const struct record_sealed *sealed,
		   const struct sdp_tx *request, struct record_opened *out)
{
	int err;

	err = record_begin(rig, who, &sealed->hdr, &out->rx);
	if (err)
		return err;
	err = record_open_all(test, &out->rx, sealed->bytes, request, out);
	if (!err && !record_in_bh(sdp_rx_commit(&out->rx)))
		err = -EALREADY;
	sdp_rx_end(&out->rx);
	return err;
}
