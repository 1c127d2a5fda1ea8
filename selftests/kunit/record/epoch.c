// SPDX-License-Identifier: GPL-2.0-only
/* Epochs: moving on, the previous and the next one. */
#include "rig.h"

static struct sdp_session_ref peer_ref(const struct record_rig *rig, int who)
{
	struct sdp_session_ref ref = { .size = sizeof(ref) };

	ref.peer.sin6_family = AF_INET6;
	ref.peer.sin6_addr = rig->addr[!who];
	ref.peer.sin6_port = htons(rig->owner[!who].port);
	return ref;
}

static int rekey(struct record_rig *rig)
{
	struct sdp_session_ref ref = peer_ref(rig, CLIENT);

	return sdp_session_rekey(&rig->owner[CLIENT], &ref);
}

static u64 tx_epoch(const struct record_rig *rig)
{
	return rcu_dereference_protected(rig->end[CLIENT]->tx, true)->number;
}

static struct sdp_epoch *rx_epoch(const struct record_rig *rig)
{
	return rcu_dereference_protected(rig->end[SERVER]->rx, true);
}

/* A request from seal to delivery, and the sign that it has come. */
static int request(struct kunit *test, struct record_rig *rig)
{
	struct record_sealed sealed;
	struct record_opened opened;
	int err;

	err = record_seal(test, rig->end[CLIENT], NULL, RPC_ID, 300, 0,
			  &sealed);
	if (err)
		return err;
	err = record_receive(test, rig, SERVER, &sealed, NULL, &opened);
	if (!err)
		record_in_bh(sdp_tx_heard(&sealed.tx));
	sdp_tx_end(&sealed.tx);
	/* What the works do, now. */
	flush_workqueue(sdp_record_wq);
	return err;
}

static void rekeys(struct kunit *test)
{
	struct record_rig rig;
	int i;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_EXPECT_EQ(test, -EBUSY, rekey(&rig));	/* not heard yet */
	for (i = 0; i < 300; i++) {
		KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
		KUNIT_ASSERT_EQ(test, (u64)i, tx_epoch(&rig));
		KUNIT_ASSERT_EQ(test, (u64)i, rx_epoch(&rig)->number);
		KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
		KUNIT_ASSERT_EQ(test, -EBUSY, rekey(&rig));
	}
	record_rig_close(test, &rig);
}

/* A message keeps its epoch; the sender waits for it before the one after. */
static void message_keeps_epoch(struct kunit *test)
{
	struct record_sealed old;
	struct record_opened opened;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 300, 0, &old));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	KUNIT_EXPECT_EQ(test, -EBUSY, rekey(&rig));

	/* It comes late, and the receiver stays where it is. */
	KUNIT_EXPECT_EQ(test, 0, record_receive(test, &rig, SERVER, &old, NULL,
						&opened));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	sdp_tx_end(&old.tx);
	KUNIT_EXPECT_EQ(test, 0, rekey(&rig));
	record_rig_close(test, &rig);
}

static bool delivered(const struct record_rig *rig, u64 msgno)
{
	bool told;

	rcu_read_lock();
	told = record_in_bh(sdp_rx_delivered(rig->end[SERVER], 0, msgno));
	rcu_read_unlock();
	return told;
}

/* The previous epoch: begins messages for 1 s, continues them up to 60 s. */
static void previous_epoch(struct kunit *test)
{
	struct record_sealed late, live;
	struct record_opened opened;
	struct sdp_epoch *previous;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 300, 0, &late));
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID + 2, 300, 0, &live));
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &live.hdr,
					      &opened.rx));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));

	previous = rcu_dereference_protected(rig.end[SERVER]->rx_prev, true);
	KUNIT_ASSERT_NOT_NULL(test, previous);
	/* Message 2 has been delivered, and nobody may begin it again. */
	KUNIT_EXPECT_EQ(test, 0, record_in_bh(sdp_rx_check(previous, late.tx.msgno)));
	KUNIT_EXPECT_FALSE(test, delivered(&rig, late.tx.msgno));
	KUNIT_EXPECT_EQ(test, -EALREADY, record_in_bh(sdp_rx_check(previous, 2)));
	KUNIT_EXPECT_TRUE(test, delivered(&rig, 2));
	previous->rx->retired = jiffies - SDP_EPOCH_GRACE - 1;
	{
		struct sdp_rx rx;

		KUNIT_EXPECT_EQ(test, -ESTALE, record_begin(&rig, SERVER,
							    &late.hdr, &rx));
	}
	KUNIT_EXPECT_EQ(test, -ESTALE, record_in_bh(sdp_rx_check(previous, late.tx.msgno)));
	KUNIT_EXPECT_TRUE(test, delivered(&rig, late.tx.msgno));
	KUNIT_EXPECT_EQ(test, -EALREADY, record_in_bh(sdp_rx_check(previous, 2)));
	KUNIT_EXPECT_TRUE(test, delivered(&rig, 2));
	mod_delayed_work(sdp_record_wq, &rig.end[SERVER]->expire, 0);
	flush_workqueue(sdp_record_wq);
	{
		struct sdp_rx rx;

		KUNIT_EXPECT_EQ(test, -ENOKEY, record_begin(&rig, SERVER,
							    &late.hdr, &rx));
	}
	/* What has all arrived can still be opened. */
	KUNIT_EXPECT_EQ(test, 0, record_open_all(test, &opened.rx, live.bytes,
						 NULL, &opened));
	KUNIT_EXPECT_TRUE(test, record_in_bh(sdp_rx_commit(&opened.rx)));
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&late.tx);
	sdp_tx_end(&live.tx);
	record_rig_close(test, &rig);
}

/* A wrong tag under the next epoch moves nothing; nor does a replayed one. */
static void only_authentic_moves(struct kunit *test)
{
	struct record_sealed first, next;
	struct record_rig rig;
	struct sdp_rx rx;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 300, 0, &first));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 300, 0, &next));
	next.hdr.tag[0] ^= 1;
	KUNIT_EXPECT_EQ(test, -EBADMSG, record_begin(&rig, SERVER, &next.hdr,
						     &rx));
	KUNIT_EXPECT_EQ(test, 0, rx_epoch(&rig)->number);
	next.hdr.tag[0] ^= 1;
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &next.hdr, &rx));
	sdp_rx_end(&rx);
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &first.hdr, &rx));
	sdp_rx_end(&rx);
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	sdp_tx_end(&first.tx);
	sdp_tx_end(&next.tx);
	record_rig_close(test, &rig);
}

/* A control packet moves the receiver too. */
static void control_moves(struct kunit *test)
{
	struct sdp_control control = { .request_msgno = SDP_MSGNO_NONE };
	struct sdp_common_hdr *pkt;
	struct sdp_epoch *epoch;
	struct record_rig rig;

	pkt = kunit_kzalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	pkt->type = SDP_TYPE_BUSY | SDP_TYPE_SECURE;
	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	KUNIT_ASSERT_EQ(test, 68, sdp_control_seal(rig.end[CLIENT], pkt, 28,
						   &control));
	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_control_open(rig.end[SERVER], pkt, 68, &rig.addr[SERVER],
				 &control);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_PTR_EQ(test, epoch, rx_epoch(&rig));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	record_rig_close(test, &rig);
}

/* The limits at which a sender moves by itself. */
static void moves_by_itself(struct kunit *test)
{
	struct sdp_epoch *epoch;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	epoch = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	epoch->tx->next = SDP_REKEY_MESSAGES;
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));	/* not heard before */
	KUNIT_EXPECT_EQ(test, 0, tx_epoch(&rig));
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, tx_epoch(&rig));
	epoch = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	atomic64_set(&epoch->tx->blocks, SDP_REKEY_BLOCKS);
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 2, tx_epoch(&rig));
	KUNIT_EXPECT_EQ(test, 2, rx_epoch(&rig)->number);
	record_rig_close(test, &rig);
}

/* Two minutes after the first message of an epoch, not after its begin. */
static void moves_with_time(struct kunit *test)
{
	static const u32 seconds = 120;
	struct sdp_epoch *epoch;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	rig.end[CLIENT]->rekey_s = &seconds;
	epoch = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	epoch->tx->since = jiffies - 200 * HZ;
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, tx_epoch(&rig));
	epoch->tx->since = jiffies - 121 * HZ;
	/* Not before the peer has been heard under the present one. */
	epoch->tx->confirmed = false;
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, tx_epoch(&rig));
	rig.end[CLIENT]->tx_tried = jiffies - SDP_EPOCH_RETRY - 1;
	KUNIT_EXPECT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, tx_epoch(&rig));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	record_rig_close(test, &rig);
}

/* A control packet of the server to the client; its flags, or an errno. */
static int control(struct kunit *test, struct record_rig *rig)
{
	struct sdp_control control = { .request_msgno = SDP_MSGNO_NONE };
	struct sdp_common_hdr *pkt;
	struct sdp_epoch *epoch;

	pkt = kunit_kzalloc(test, SDP_CONTROL_MAX, GFP_KERNEL);
	pkt->type = SDP_TYPE_BUSY | SDP_TYPE_SECURE;
	KUNIT_ASSERT_EQ(test, 68, sdp_control_seal(rig->end[SERVER], pkt, 28,
						   &control));
	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_control_open(rig->end[CLIENT], pkt, 68, &rig->addr[CLIENT],
				 &control);
	rcu_read_unlock();
	local_bh_enable();
	return IS_ERR(epoch) ? PTR_ERR(epoch) : control.flags;
}

/* Who sees many failures asks for the next epoch: now and then, and is heeded so. */
static void asked_for(struct kunit *test)
{
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, control(test, &rig));
	atomic64_set(&rx_epoch(&rig)->rx->failed, SDP_ASK_FAILURES);
	KUNIT_EXPECT_EQ(test, SDP_CONTROL_REKEY, control(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, control(test, &rig));
	KUNIT_EXPECT_EQ(test, 0, tx_epoch(&rig));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, tx_epoch(&rig));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);

	/* A peer that asks again and again. */
	atomic64_set(&rx_epoch(&rig)->rx->failed, SDP_ASK_FAILURES);
	rig.end[SERVER]->asked = jiffies - SDP_EPOCH_ASK - 1;
	KUNIT_EXPECT_EQ(test, SDP_CONTROL_REKEY, control(test, &rig));
	rig.end[CLIENT]->tx_tried = jiffies - SDP_EPOCH_RETRY - 1;
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, tx_epoch(&rig));
	record_rig_close(test, &rig);
}

/* No memory for the next receiving epoch: it is made later. */
static void next_is_made_later(struct kunit *test)
{
	struct sdp_session *server;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 256);
	server = rig.end[SERVER];
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	server->cipher = 0;	/* as good as none */
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 1, rx_epoch(&rig)->number);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(server->rx_next));
	server->cipher = SDP_CIPHER_AES_128_GCM;
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&server->make_next));
	if (delayed_work_pending(&server->make_next))
		mod_delayed_work(sdp_record_wq, &server->make_next, 0);
	flush_workqueue(sdp_record_wq);
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(server->rx_next));
	KUNIT_ASSERT_EQ(test, 0, rekey(&rig));
	KUNIT_ASSERT_EQ(test, 0, request(test, &rig));
	KUNIT_EXPECT_EQ(test, 2, rx_epoch(&rig)->number);
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(rekeys),
	KUNIT_CASE(message_keeps_epoch),
	KUNIT_CASE(previous_epoch),
	KUNIT_CASE(only_authentic_moves),
	KUNIT_CASE(control_moves),
	KUNIT_CASE(moves_by_itself),
	KUNIT_CASE(moves_with_time),
	KUNIT_CASE(asked_for),
	KUNIT_CASE(next_is_made_later),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_epoch",
	.test_cases = cases,
};

kunit_test_suite(suite);
