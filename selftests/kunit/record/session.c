// SPDX-License-Identifier: GPL-2.0-only
/* Installing, finding and removing sessions; nonces; raw keys. */
#include <net/ipv6.h>

#include "record/nonce.h"
#include "rig.h"

/* Bytes to write over a good argument, and the answer. */
#define SET(field, ...)							\
	offsetof(struct sdp_session_add, field),			\
	sizeof((u8[]){ __VA_ARGS__ }), (const u8[]){ __VA_ARGS__ }
#define EE4 0xee, 0xee, 0xee, 0xee

static const struct {
	int outcome;
	const char *what;
	size_t at, len;
	const u8 *bytes;
} arguments[] = {
	{ 0,             "nothing",            SET(flags, 0) },
	{ -EINVAL,       "flags",              SET(flags, 1) },
	{ -EINVAL,       "reserved",           SET(reserved, 1) },
	{ -EINVAL,       "role",               SET(role, 2) },
	{ -EINVAL,       "cipher",             SET(cipher, 0x04, 0x13) },
	{ -EINVAL,       "record size 255",    SET(record_size, 0xff, 0x00) },
	{ -EINVAL,       "record size 16386",  SET(record_size, 0x02, 0x40) },
	{ -EINVAL,       "no peer port",       SET(peer.sin6_port, 0, 0) },
	{ -EINVAL,       "no peer",            SET(peer.sin6_addr, [15] = 0) },
	{ -EINVAL,       "multicast peer",     SET(peer.sin6_addr, 0xff, 2) },
	{ -EINVAL,       "multicast, IPv4",    SET(peer.sin6_addr.s6_addr[12], 224) },
	{ -EINVAL,       "other socket's port", SET(local.sin6_port, 0, 7) },
	{ -EAFNOSUPPORT, "peer's family",      SET(peer.sin6_family, 2, 0) },
	{ -EAFNOSUPPORT, "local family",       SET(local.sin6_family, 2, 0) },
	{ -EINVAL,       "local is IPv6",      SET(local.sin6_addr, 0x20, 1) },
	{ -EINVAL,       "no interface",       SET(peer.sin6_addr, 0xfe, 0x80) },
	{ -EINVAL,       "nonces are equal",   SET(own_nonce, EE4, EE4, EE4, EE4) },
	{ -EINVAL,       "nonce never given",  SET(own_nonce, 1, 2, 3, 4, 5) },
};

static void arguments_of_add(struct kunit *test)
{
	struct sdp_session_add add;
	struct record_rig rig;
	int i;

	record_rig_sockets(test, &rig);
	for (i = 0; i < ARRAY_SIZE(arguments); i++) {
		record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
							add.own_nonce));
		memcpy((u8 *)&add + arguments[i].at, arguments[i].bytes,
		       arguments[i].len);
		KUNIT_EXPECT_EQ_MSG(test, arguments[i].outcome,
				    sdp_session_add(&rig.owner[CLIENT], &add,
						    NULL),
				    "%s", arguments[i].what);
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(&add, 0, sizeof(add)),
				      "%s: the secret stays in memory",
				      arguments[i].what);
	}
	record_rig_close(test, &rig);
}

static void nonces(struct kunit *test)
{
	struct sdp_session_add add, copy;
	struct record_rig rig;
	u8 nonce[SDP_NONCE_LEN];
	int i;

	record_rig_sockets(test, &rig);
	record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
	KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
						add.own_nonce));
	copy = add;
	KUNIT_EXPECT_EQ(test, 0, sdp_session_add(&rig.owner[CLIENT], &add,
						 NULL));
	add = copy;
	KUNIT_EXPECT_EQ(test, -EEXIST, sdp_session_add(&rig.owner[CLIENT],
						       &add, NULL));
	/* Another socket's nonce is none of this one's. */
	add = copy;
	add.peer = add.local;
	add.peer.sin6_addr = rig.addr[CLIENT];
	add.peer.sin6_port = htons(40000);
	KUNIT_EXPECT_EQ(test, -EINVAL, sdp_session_add(&rig.owner[SERVER], &add,
						       NULL));
	for (i = 0; i < SDP_NONCES_MAX; i++)
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
							nonce));
	KUNIT_EXPECT_EQ(test, -ENOBUFS, sdp_nonces_get(&rig.nonces[CLIENT],
						       nonce));
	record_rig_close(test, &rig);
}

/* A copy of the machine has the same nonces. */
static void nonces_of_a_copy(struct kunit *test)
{
	struct sdp_session_add add, fresh;
	struct record_rig rig;

	record_rig_sockets(test, &rig);
	record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
	fresh = add;
	KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
						add.own_nonce));
	sdp_nonces_invalidate();
	KUNIT_EXPECT_EQ(test, -EINVAL, sdp_session_add(&rig.owner[CLIENT], &add,
						       NULL));
	KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
						fresh.own_nonce));
	KUNIT_EXPECT_EQ(test, 0, sdp_session_add(&rig.owner[CLIENT], &fresh,
						 NULL));
	record_rig_close(test, &rig);
}

static void sessions_per_user(struct kunit *test)
{
	struct sdp_session_add add;
	struct record_rig rig;
	int i;

	record_rig_sockets(test, &rig);
	rig.owner[CLIENT].limits.user = 3;
	for (i = 0; i < 4; i++) {
		record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
		add.peer.sin6_port = htons(100 + i);
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
							add.own_nonce));
		KUNIT_EXPECT_EQ(test, i < 3 ? 0 : -ENOBUFS,
				sdp_session_add(&rig.owner[CLIENT], &add,
						NULL));
	}
	record_rig_close(test, &rig);
}

/* The same secret twice: nothing in common. */
static void same_secret_twice(struct kunit *test)
{
	struct sdp_epoch *first, *second;
	struct record_rig rig;
	u32 id;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	first = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	sdp_epoch_hold(first);
	id = sdp_session_id(rig.end[CLIENT]);
	record_rig_install(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	second = rcu_dereference_protected(rig.end[CLIENT]->tx, true);
	KUNIT_EXPECT_NE(test, id, sdp_session_id(rig.end[CLIENT]));
	KUNIT_EXPECT_NE(test, first->audit, second->audit);
	KUNIT_EXPECT_MEMNEQ(test, first->iv, second->iv, 12);
	KUNIT_EXPECT_MEMNEQ(test, &first->hdr, &second->hdr, 16);
	sdp_epoch_put(first);
	record_rig_close(test, &rig);
}

/* A session that goes while a message is being opened. */
static void removed_mid_message(struct kunit *test)
{
	struct sdp_session_ref ref = { .size = sizeof(ref) };
	struct record_sealed sealed;
	struct record_opened opened;
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	KUNIT_ASSERT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr,
					      &opened.rx));
	ref.id = sdp_session_id(rig.end[SERVER]);
	KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[SERVER], &ref));
	KUNIT_EXPECT_EQ(test, -ENOENT, sdp_session_del(&rig.owner[SERVER],
						       &ref));
	KUNIT_EXPECT_EQ(test, -ECONNRESET,
			record_open_all(test, &opened.rx, sealed.bytes, NULL,
					&opened));
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

static void wipe_all(struct kunit *test)
{
	struct sdp_session_info info = { .size = sizeof(info) };
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	info.id = sdp_session_id(rig.end[CLIENT]);
	KUNIT_EXPECT_EQ(test, 0, sdp_session_info(&rig.owner[CLIENT], &info));
	KUNIT_EXPECT_EQ(test, SDP_CIPHER_AES_128_GCM, info.cipher);
	atomic_set(&record_rig_dead, 0);
	sdp_session_wipe_all();
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&record_rig_dead));
	KUNIT_EXPECT_EQ(test, -ENOENT, sdp_session_info(&rig.owner[CLIENT],
							&info));
	record_rig_close(test, &rig);
}

/* Between the wipe before a suspend and its end. */
static void refused(struct kunit *test)
{
	struct sdp_session_add add, again;
	struct record_rig rig;

	record_rig_sockets(test, &rig);
	record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
	KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
						add.own_nonce));
	again = add;
	sdp_session_refuse(true);
	KUNIT_EXPECT_EQ(test, -EBUSY, sdp_session_add(&rig.owner[CLIENT], &add,
						      NULL));
	KUNIT_EXPECT_NULL(test, memchr_inv(&add, 0, sizeof(add)));
	sdp_session_refuse(false);
	KUNIT_EXPECT_EQ(test, 0, sdp_session_add(&rig.owner[CLIENT], &again,
						 NULL));
	record_rig_close(test, &rig);
}

static void found_by(struct kunit *test)
{
	struct sdp_session_key key;
	struct record_rig rig;
	u32 id;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	id = sdp_session_id(rig.end[CLIENT]);
	key = *sdp_session_key_of(rig.end[CLIENT]);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, rig.end[CLIENT], sdp_session_find(&key));
	KUNIT_EXPECT_PTR_EQ(test, rig.end[CLIENT],
			    sdp_session_find_id(&key, id));
	KUNIT_EXPECT_NULL(test, sdp_session_find_id(&key, id + 1));
	key.bound = 3;
	KUNIT_EXPECT_NULL(test, sdp_session_find(&key));
	key.bound = 0;
	key.scope = 2;
	KUNIT_EXPECT_NULL(test, sdp_session_find(&key));
	key.scope = 0;
	key.peer_port++;
	KUNIT_EXPECT_NULL(test, sdp_session_find(&key));
	rcu_read_unlock();
	record_rig_close(test, &rig);
}

/* Who has the port now has not the sessions of who had it before. */
static void of_another_socket(struct kunit *test)
{
	struct sdp_session_add add;
	struct sdp_session_key key;
	struct sdp_session *theirs;
	struct record_rig rig, next;
	u32 id;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	id = sdp_session_id(rig.end[CLIENT]);
	record_rig_sockets(test, &next);
	sdp_session_key_init(&key, next.owner[CLIENT].token, &init_net, 0, 0,
			     &rig.addr[SERVER], 99, 40000);
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, sdp_session_find(&key));
	KUNIT_EXPECT_NULL(test, sdp_session_find_id(&key, id));
	rcu_read_unlock();

	record_rig_add(&next, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
	KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&next.nonces[CLIENT],
						add.own_nonce));
	KUNIT_ASSERT_EQ(test, 0, sdp_session_add(&next.owner[CLIENT], &add,
						 NULL));
	rcu_read_lock();
	theirs = sdp_session_find(&key);
	rcu_read_unlock();
	KUNIT_EXPECT_NOT_NULL(test, theirs);
	KUNIT_EXPECT_PTR_NE(test, theirs, rig.end[CLIENT]);
	KUNIT_EXPECT_FALSE(test, sdp_session_dead(rig.end[CLIENT]));
	record_rig_close(test, &rig);
	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, theirs, sdp_session_find(&key));
	rcu_read_unlock();
	record_rig_close(test, &next);
}

/*
 * A good tag pins no local address: it says nothing of where the packet was sent
 * to. What does pin it does so once.
 */
static void local_address(struct kunit *test)
{
	struct record_sealed sealed;
	struct in6_addr local;
	struct record_rig rig;
	struct sdp_rx rx;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	KUNIT_ASSERT_EQ(test, 0, record_seal(test, rig.end[CLIENT], NULL,
					     RPC_ID, 100, 0, &sealed));
	rig.addr[SERVER].s6_addr[15]++;
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr, &rx));
	sdp_rx_end(&rx);
	rig.addr[SERVER].s6_addr[15]--;
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr, &rx));
	sdp_rx_end(&rx);
	sdp_session_local(rig.end[SERVER], &local);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_any(&local));

	sdp_session_pin(rig.end[SERVER], &rig.addr[SERVER]);
	KUNIT_EXPECT_EQ(test, 0, record_begin(&rig, SERVER, &sealed.hdr, &rx));
	sdp_rx_end(&rx);
	rig.addr[SERVER].s6_addr[15]++;
	KUNIT_EXPECT_EQ(test, -EADDRNOTAVAIL,
			record_begin(&rig, SERVER, &sealed.hdr, &rx));
	sdp_session_pin(rig.end[SERVER], &rig.addr[SERVER]);
	sdp_session_local(rig.end[SERVER], &local);
	KUNIT_EXPECT_FALSE(test, ipv6_addr_equal(&local, &rig.addr[SERVER]));
	sdp_tx_end(&sealed.tx);
	record_rig_close(test, &rig);
}

static void make_raw(struct record_rig *rig, struct sdp_raw_keys *raw)
{
	static u8 fresh = 1;

	memset(raw, 0, sizeof(*raw));
	record_rig_add(rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &raw->session);
	raw->id = 0x1234;
	memset(raw->tx_key, 0x77, sizeof(raw->tx_key));
	raw->tx_key[0] = fresh++;
	memset(raw->rx_key, 0x88, sizeof(raw->rx_key));
}

static void raw_keys(struct kunit *test)
{
	struct sdp_session_ref ref = { .size = sizeof(ref), .id = 0x1234 };
	struct sdp_raw_keys raw, copy;
	struct record_rig rig;

	record_rig_sockets(test, &rig);
	make_raw(&rig, &raw);
	memcpy(raw.rx_key, raw.tx_key, 16);
	KUNIT_EXPECT_EQ(test, -EINVAL, sdp_session_add_raw(&rig.owner[CLIENT],
							   &raw));
	make_raw(&rig, &raw);
	raw.id = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL, sdp_session_add_raw(&rig.owner[CLIENT],
							   &raw));
	make_raw(&rig, &raw);
	copy = raw;
	KUNIT_EXPECT_EQ(test, 0, sdp_session_add_raw(&rig.owner[CLIENT], &raw));
	KUNIT_EXPECT_NULL(test, memchr_inv(&raw, 0, sizeof(raw)));
	KUNIT_EXPECT_EQ(test, -EEXIST, sdp_session_add_raw(&rig.owner[CLIENT],
							   &copy));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, sdp_session_rekey(&rig.owner[CLIENT],
							     &ref));
	record_rig_close(test, &rig);
}

/* Sessions of a socket with many peers: each is found and removed by id and by peer. */
#define PEERS 200

static void with_peer(struct record_rig *rig, u32 i, struct sdp_session_ref *ref)
{
	memset(ref, 0, sizeof(*ref));
	ref->size = sizeof(*ref);
	ref->peer.sin6_family = AF_INET6;
	ref->peer.sin6_addr = rig->addr[SERVER];
	ref->peer.sin6_addr.s6_addr16[7] = htons(i);
	ref->peer.sin6_port = htons(99);
}

static void many_peers(struct kunit *test)
{
	struct sdp_session_place place = {};
	struct sdp_session_info info;
	struct sdp_session_ref ref;
	struct sdp_session_key key;
	struct sdp_session_add add;
	struct record_rig rig;
	u32 i, id, left = 0;

	record_rig_sockets(test, &rig);
	rig.owner[CLIENT].limits.user = 2 * PEERS;
	for (i = 0; i < PEERS; i++) {
		with_peer(&rig, i, &ref);
		record_rig_add(&rig, CLIENT, SDP_CIPHER_AES_128_GCM, 0, &add);
		add.peer = ref.peer;
		KUNIT_ASSERT_EQ(test, 0, sdp_nonces_get(&rig.nonces[CLIENT],
							add.own_nonce));
		KUNIT_ASSERT_EQ(test, 0, sdp_session_add(&rig.owner[CLIENT],
							 &add, &id));
		memset(&info, 0, sizeof(info));
		info.peer = ref.peer;
		KUNIT_ASSERT_EQ(test, 0, sdp_session_info(&rig.owner[CLIENT],
							  &info));
		KUNIT_ASSERT_EQ(test, id, info.id);
	}
	for (i = 0; i < PEERS; i += PEERS / 4) {
		with_peer(&rig, i, &ref);
		KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[CLIENT], &ref));
		KUNIT_EXPECT_EQ(test, -ENOENT, sdp_session_del(&rig.owner[CLIENT],
							       &ref));
	}
	memset(&ref, 0, sizeof(ref));
	ref.id = id;
	KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[CLIENT], &ref));
	KUNIT_EXPECT_EQ(test, -ENOENT, sdp_session_del(&rig.owner[CLIENT], &ref));
	/* The others one after the other, one of them removed under way. */
	while (sdp_session_next(rig.owner[CLIENT].set, &place, &info, &key)) {
		if (left++)
			continue;
		ref.id = info.id;
		KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[CLIENT],
							 &ref));
	}
	KUNIT_EXPECT_EQ(test, left, PEERS - 5);
	record_rig_close(test, &rig);
}

/* What one socket's calls wait for keeps no other socket's waiting. */
static void sockets_apart(struct kunit *test)
{
	struct sdp_session_ref ref = { .size = sizeof(ref) };
	struct sdp_session_info info = {};
	struct record_rig rig;

	record_rig_open(test, &rig, SDP_CIPHER_AES_128_GCM, 0);
	info.id = sdp_session_id(rig.end[SERVER]);
	ref.id = info.id;
	mutex_lock_nested(&rig.owner[CLIENT].set->lock, SINGLE_DEPTH_NESTING);
	KUNIT_EXPECT_EQ(test, 0, sdp_session_info(&rig.owner[SERVER], &info));
	KUNIT_EXPECT_EQ(test, 0, sdp_session_del(&rig.owner[SERVER], &ref));
	mutex_unlock(&rig.owner[CLIENT].set->lock);
	KUNIT_EXPECT_FALSE(test, sdp_session_dead(rig.end[CLIENT]));
	record_rig_close(test, &rig);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(arguments_of_add),
	KUNIT_CASE(nonces),
	KUNIT_CASE(nonces_of_a_copy),
	KUNIT_CASE(sessions_per_user),
	KUNIT_CASE(same_secret_twice),
	KUNIT_CASE(removed_mid_message),
	KUNIT_CASE(wipe_all),
	KUNIT_CASE(refused),
	KUNIT_CASE(found_by),
	KUNIT_CASE(of_another_socket),
	KUNIT_CASE(local_address),
	KUNIT_CASE(raw_keys),
	KUNIT_CASE(many_peers),
	KUNIT_CASE(sockets_apart),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_session",
	.test_cases = cases,
};

kunit_test_suite(suite);
