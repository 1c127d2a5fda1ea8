// SPDX-License-Identifier: GPL-2.0-only
/* Sessions with one peer that replace each other. */
#include "rig.h"

/* The session that an end sends under, held. */
static struct sdp_session *present(struct kunit *test,
				   const struct record_rig *rig, int who)
{
	struct sdp_session_key key;
	struct sdp_session *session;

	record_rig_key(rig, who, &key);
	rcu_read_lock();
	session = sdp_session_find(&key);
	if (session && !sdp_session_hold(session))
		session = NULL;
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(test, session);
	return session;
}

static u32 present_id(struct kunit *test, const struct record_rig *rig, int who)
{
	struct sdp_session *session = present(test, rig, who);
	u32 id = sdp_session_id(session);

	sdp_session_put(session);
	return id;
}

static bool has(const struct record_rig *rig, int who, u32 id)
{
	struct sdp_session_key key;
	bool found;

	record_rig_key(rig, who, &key);
	rcu_read_lock();
	found = sdp_session_find_id(&key, id);
	rcu_read_unlock();
	return found;
}

static u32 state(const struct record_rig *rig, int who, u32 id)
{
	struct sdp_session_info info = { .size = sizeof(info), .id = id };

	return sdp_session_info(&rig->owner[who], &info) ? U32_MAX :
	       info.state & ~SDP_SESSION_COPY_UNNOTICED;
}

/* A request under a session of one end comes to the other's; 0 or an errno. */
static int send_under(struct kunit *test, struct record_rig *rig, int from,
		      struct sdp_session *session)
{
	struct sdp_session *kept = rig->end[!from];
	struct record_sealed sealed;
	struct sdp_session_key key;
	struct sdp_rx rx;
	int err;

	err = record_seal(test, session, NULL, RPC_ID, 100, 0, &sealed);
	if (err)
		return err;
	record_rig_key(rig, !from, &key);
	rcu_read_lock();
	rig->end[!from] = sdp_session_find_id(&key, sdp_session_id(session));
	rcu_read_unlock();
	err = -ENOKEY;
	if (rig->end[!from])
		err = record_begin(rig, !from, &sealed.hdr, &rx);
	rig->end[!from] = kept;
	if (!err)
		sdp_rx_end(&rx);
	sdp_tx_end(&sealed.tx);
	return err;
}

static int send(struct kunit *test, struct record_rig *rig, int from)
{
	struct sdp_session *session = present(test, rig, from);
	int err = send_under(test, rig, from, session);

	sdp_session_put(session);
	return err;
}

/* The client's end uses a new one at once, the server's when the client does. */
static void pending_until_used(struct kunit *test)
{
	struct sdp_session *old[2];
	struct record_rig rig;
	u32 before, after;
	int i;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, send(test, &rig, CLIENT));
	for (i = CLIENT; i <= SERVER; i++) {
		old[i] = rig.end[i];
		KUNIT_ASSERT_TRUE(test, sdp_session_hold(old[i]));
	}
	before = sdp_session_id(old[CLIENT]);
	record_rig_install(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	after = sdp_session_id(rig.end[CLIENT]);
	KUNIT_EXPECT_EQ(test, after, present_id(test, &rig, CLIENT));
	KUNIT_EXPECT_EQ(test, before, present_id(test, &rig, SERVER));
	KUNIT_EXPECT_EQ(test, SDP_SESSION_REPLACED, state(&rig, CLIENT, before));
	KUNIT_EXPECT_EQ(test, 0, state(&rig, CLIENT, after));
	KUNIT_EXPECT_EQ(test, 0, state(&rig, SERVER, before));
	KUNIT_EXPECT_EQ(test, SDP_SESSION_PENDING, state(&rig, SERVER, after));

	/* The server sends under the old one, and is understood. */
	KUNIT_EXPECT_EQ(test, 0, send(test, &rig, SERVER));
	KUNIT_EXPECT_EQ(test, before, present_id(test, &rig, SERVER));
	KUNIT_EXPECT_EQ(test, 0, send(test, &rig, CLIENT));
	KUNIT_EXPECT_EQ(test, after, present_id(test, &rig, SERVER));
	KUNIT_EXPECT_EQ(test, SDP_SESSION_REPLACED, state(&rig, SERVER, before));

	/* What is late moves nothing back. */
	KUNIT_EXPECT_EQ(test, 0, send_under(test, &rig, CLIENT, old[CLIENT]));
	KUNIT_EXPECT_EQ(test, after, present_id(test, &rig, SERVER));
	for (i = CLIENT; i <= SERVER; i++) {
		KUNIT_EXPECT_FALSE(test, sdp_session_dead(old[i]));
		sdp_session_put(old[i]);
	}
	record_rig_close(test, &rig);
}

/* A replaced session ends, but not before the peer is known to use the other. */
static void replaced_ends(struct kunit *test)
{
	struct sdp_session *old;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	old = rig.end[CLIENT];
	KUNIT_ASSERT_TRUE(test, sdp_session_hold(old));
	KUNIT_ASSERT_EQ(test, 0, send(test, &rig, CLIENT));
	record_rig_install(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_EXPECT_TRUE(test, old->replaced);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&old->retire));
	KUNIT_ASSERT_EQ(test, 0, send(test, &rig, CLIENT));
	KUNIT_ASSERT_EQ(test, 0, send(test, &rig, SERVER));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&old->retire));

	atomic_set(&record_rig_dead, 0);
	mod_delayed_work(sdp_record_wq, &old->retire, 0);
	flush_workqueue(sdp_record_wq);
	KUNIT_EXPECT_TRUE(test, sdp_session_dead(old));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&record_rig_dead));
	KUNIT_EXPECT_FALSE(test, has(&rig, CLIENT, sdp_session_id(old)));
	sdp_session_put(old);
	record_rig_close(test, &rig);
}

/**
 * struct handshake - one that is under way.
 * @add: what each end installs.
 */
struct handshake {
	struct sdp_session_add add[2];
};

static void begin(struct kunit *test, struct record_rig *rig, int client,
		  struct handshake *h)
{
	int i;

	for (i = CLIENT; i <= SERVER; i++) {
		record_rig_add(rig, i, SDP_CIPHER_AES_128_GCM, 0, &h->add[i]);
		h->add[i].role = i == client ? SDP_ROLE_CLIENT :
					       SDP_ROLE_SERVER;
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig->nonces[i],
							h->add[i].own_nonce));
	}
	for (i = CLIENT; i <= SERVER; i++)
		memcpy(h->add[!i].peer_nonce, h->add[i].own_nonce,
		       SDP_NONCE_LEN);
}

static u32 finish(struct kunit *test, struct record_rig *rig,
		  struct handshake *h, int who)
{
	u32 id = 0;

	KUNIT_ASSERT_EQ(test, 0, sdp_session_add(&rig->owner[who], &h->add[who],
						 &id));
	return id;
}

/* Who installs when: the end, and the handshake that it is the client of. */
static const struct {
	const char *name;
	struct { u8 who, client; } step[4];
} orders[] = {
	{ "crossed", { { SERVER, CLIENT }, { CLIENT, SERVER },
		       { CLIENT, CLIENT }, { SERVER, SERVER } } },
	{ "crossed, the other first", { { CLIENT, SERVER }, { SERVER, CLIENT },
					{ SERVER, SERVER }, { CLIENT, CLIENT } } },
	{ "one within the other", { { SERVER, CLIENT }, { CLIENT, SERVER },
				    { SERVER, SERVER }, { CLIENT, CLIENT } } },
	{ "one after the other", { { SERVER, CLIENT }, { CLIENT, CLIENT },
				   { CLIENT, SERVER }, { SERVER, SERVER } } },
};

static void one_order(struct kunit *test, int n, bool talk)
{
	u8 nonce[2][SDP_NONCE_LEN];
	struct handshake h[2];
	struct record_rig rig;
	int i, smaller;
	u32 id[2] = {};

	record_rig_sockets(test, &rig);
	for (i = CLIENT; i <= SERVER; i++) {
		begin(test, &rig, i, &h[i]);
		memcpy(nonce[i], h[i].add[i].own_nonce, SDP_NONCE_LEN);
	}
	for (i = 0; i < 4; i++) {
		int client = orders[n].step[i].client;
		int who = orders[n].step[i].who;

		id[client] = finish(test, &rig, &h[client], who);
		/* A client's end uses what it has at once. */
		if (talk && who == client)
			send(test, &rig, who);
	}
	send(test, &rig, CLIENT);
	send(test, &rig, SERVER);
	smaller = memcmp(nonce[CLIENT], nonce[SERVER], SDP_NONCE_LEN) < 0 ?
		  CLIENT : SERVER;
	/* Used before the other is there: then the later one may stay. */
	if (!talk)
		KUNIT_EXPECT_EQ_MSG(test, id[smaller],
				    present_id(test, &rig, CLIENT),
				    "%s", orders[n].name);
	KUNIT_EXPECT_EQ_MSG(test, present_id(test, &rig, CLIENT),
			    present_id(test, &rig, SERVER), "%s",
			    orders[n].name);
	KUNIT_EXPECT_EQ(test, 0, send(test, &rig, CLIENT));
	KUNIT_EXPECT_EQ(test, 0, send(test, &rig, SERVER));
	record_rig_close(test, &rig);
}

/* Both ends agree in the end, whatever the order and whoever's nonce is smaller. */
static void handshakes_at_once(struct kunit *test)
{
	int n, i;

	for (n = 0; n < ARRAY_SIZE(orders); n++)
		for (i = 0; i < 8; i++)
			one_order(test, n, i & 1);
}

/* A handshake of later does not lose against what has long been in use. */
static void later_handshake(struct kunit *test)
{
	struct record_rig rig;
	struct handshake h;
	int i;

	for (i = 0; i < 8; i++) {
		u32 id;

		record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
		KUNIT_ASSERT_EQ(test, 0, send(test, &rig, CLIENT));
		KUNIT_ASSERT_EQ(test, 0, send(test, &rig, SERVER));
		begin(test, &rig, SERVER, &h);
		finish(test, &rig, &h, CLIENT);
		id = finish(test, &rig, &h, SERVER);
		KUNIT_EXPECT_EQ(test, id, present_id(test, &rig, SERVER));
		KUNIT_EXPECT_EQ(test, 0, send(test, &rig, SERVER));
		KUNIT_EXPECT_EQ(test, id, present_id(test, &rig, CLIENT));
		record_rig_close(test, &rig);
	}
}

/* Handshakes that lead to nothing are not kept without bound. */
static void pending_are_few(struct kunit *test)
{
	struct record_rig rig;
	struct handshake h;
	u32 first, id[12];
	int i, left = 0;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, send(test, &rig, CLIENT));
	first = sdp_session_id(rig.end[SERVER]);
	for (i = 0; i < ARRAY_SIZE(id); i++) {
		begin(test, &rig, CLIENT, &h);
		id[i] = finish(test, &rig, &h, SERVER);
	}
	for (i = 0; i < ARRAY_SIZE(id); i++)
		left += has(&rig, SERVER, id[i]);
	KUNIT_EXPECT_EQ(test, 7, left);
	KUNIT_EXPECT_TRUE(test, has(&rig, SERVER, id[ARRAY_SIZE(id) - 1]));
	KUNIT_EXPECT_EQ(test, first, present_id(test, &rig, SERVER));
	record_rig_close(test, &rig);
}

/* By id one is deleted, by peer all; nothing takes the place of the present one. */
static void deleted(struct kunit *test)
{
	struct sdp_session_ref ref = { .size = sizeof(ref) };
	struct sdp_session_key key;
	struct record_rig rig;
	u32 before, after;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	before = sdp_session_id(rig.end[CLIENT]);
	record_rig_install(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	after = sdp_session_id(rig.end[CLIENT]);
	ref.id = after;
	KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[CLIENT], &ref));
	KUNIT_EXPECT_TRUE(test, has(&rig, CLIENT, before));
	record_rig_key(&rig, CLIENT, &key);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, sdp_session_find(&key));
	rcu_read_unlock();
	ref.id = 0;
	ref.peer.sin6_family = AF_INET6;
	ref.peer.sin6_addr = rig.addr[CLIENT];
	ref.peer.sin6_port = htons(rig.owner[CLIENT].port);
	KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[SERVER], &ref));
	KUNIT_EXPECT_FALSE(test, has(&rig, SERVER, before));
	KUNIT_EXPECT_FALSE(test, has(&rig, SERVER, after));
	KUNIT_EXPECT_EQ(test, -ENOENT, sdp_session_del(&rig.owner[SERVER],
						       &ref));
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(pending_until_used),
	KUNIT_CASE(replaced_ends),
	KUNIT_CASE(handshakes_at_once),
	KUNIT_CASE(later_handshake),
	KUNIT_CASE(pending_are_few),
	KUNIT_CASE(deleted),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_overlap",
	.test_cases = cases,
};

kunit_test_suite(suite);
