// SPDX-License-Identifier: GPL-2.0-only
/*
 * Known answers: every value of the test vectors, which OpenSSL computed from
 * another implementation of docs/wire.md.
 */
#include <linux/unaligned.h>

#include "rig.h"
#include "../../record/vectors.h"

#define REQUEST_MSGNO	0x010203040506ULL
#define VECTOR_RPC	0x123456789abcdef0ULL

struct epoch_vector {
	const u8 *key, *iv, *hdr, *next;
};

struct cipher_vector {
	const char *name;
	u16 cipher;
	const u8 *id;
	struct epoch_vector epoch[2][2];	/* direction, epoch */
	const u8 *request, *response, *data_header, *authenticated;
	size_t request_len, response_len, authenticated_len;
};

#define EPOCH(c, d) { c##_##d##_key, c##_##d##_iv, c##_##d##_hdr, c##_##d##_next }
#define CIPHER(c, code) {						\
	.name = #c, .cipher = code, .id = c##_id,			\
	.epoch = { { EPOCH(c, c2s_0), EPOCH(c, c2s_1) },		\
		   { EPOCH(c, s2c_0), EPOCH(c, s2c_1) } },		\
	.request = c##_request, .request_len = sizeof(c##_request),	\
	.response = c##_response, .response_len = sizeof(c##_response),	\
	.data_header = c##_data_header,					\
	.authenticated = c##_authenticated_data,			\
	.authenticated_len = sizeof(c##_authenticated_data),		\
}

static const struct cipher_vector ciphers[] = {
	CIPHER(aes_128_gcm, SDP_CIPHER_AES_128_GCM),
	CIPHER(aes_256_gcm, SDP_CIPHER_AES_256_GCM),
	CIPHER(chacha20_poly1305, SDP_CIPHER_CHACHA20_POLY1305),
};

static void counting(u8 *to, u8 first, size_t len)
{
	while (len--)
		*to++ = first++;
}

/* One end with the vectors' keys, in nobody's table. */
static struct sdp_session *vector_end(struct kunit *test, int who, u16 cipher,
				      u16 record_size)
{
	struct sdp_session_owner owner = {
		.net = &init_net,
		.limits = { .user = 100, .owner = 100 },
	};
	struct sdp_session_key key = { .net = &init_net };
	struct sdp_session_add add = {};
	struct sdp_session *session;

	counting(add.secret, 0x00, SDP_SECRET_LEN);
	counting(who == CLIENT ? add.own_nonce : add.peer_nonce, 0x20, 16);
	counting(who == CLIENT ? add.peer_nonce : add.own_nonce, 0x30, 16);
	counting(add.context, 0x40, SDP_CONTEXT_LEN);
	add.role = who;
	owner.set = sdp_session_set_new();
	KUNIT_ASSERT_NOT_NULL(test, owner.set);
	session = sdp_session_alloc(&owner, &key);
	KUNIT_ASSERT_FALSE(test, IS_ERR(session));
	/* It lives on with the session. */
	sdp_session_set_close(owner.set);
	sdp_set_put(owner.set);
	session->role = who;
	session->cipher = cipher;
	session->record_size = record_size;
	KUNIT_ASSERT_EQ(test, 0, sdp_install_derive(session, &add));
	return session;
}

static void vector_rig(struct kunit *test, struct record_rig *rig, u16 cipher,
		       u16 record_size)
{
	int i;

	record_rig_sockets(test, rig);
	for (i = CLIENT; i <= SERVER; i++)
		rig->end[i] = vector_end(test, i, cipher, record_size);
}

static void vector_close(struct record_rig *rig)
{
	int i;

	for (i = CLIENT; i <= SERVER; i++) {
		sdp_session_discard(rig->end[i]);
		sdp_session_set_close(rig->owner[i].set);
		sdp_set_put(rig->owner[i].set);
	}
}

static void check_epoch(struct kunit *test, const struct cipher_vector *c,
			const u8 *secret, int direction, int epoch, u8 *next)
{
	const struct epoch_vector *v = &c->epoch[direction][epoch];
	struct sdp_kdf_context ctx = {
		.direction = direction,
		.epoch = epoch,
		.cipher = c->cipher,
		.record_size = 16256,
	};
	struct sdp_kdf_keys keys;

	counting(ctx.context, 0x40, SDP_CONTEXT_LEN);
	sdp_kdf_epoch(secret, &ctx, &keys);
	KUNIT_EXPECT_MEMEQ(test, keys.key, v->key,
			   sdp_kdf_key_length(c->cipher));
	KUNIT_EXPECT_MEMEQ(test, keys.iv, v->iv, sizeof(keys.iv));
	KUNIT_EXPECT_MEMEQ(test, keys.hdr, v->hdr, sizeof(keys.hdr));
	KUNIT_EXPECT_MEMEQ(test, keys.next, v->next, sizeof(keys.next));
	memcpy(next, keys.next, sizeof(keys.next));
}

static void key_schedule(struct kunit *test)
{
	u8 secret[32], nonces[2][16], root[32], next[32];
	struct sdp_kdf_context ctx = { .record_size = 16256 };
	int i, d;

	counting(secret, 0x00, 32);
	counting(nonces[0], 0x20, 16);
	counting(nonces[1], 0x30, 16);
	counting(ctx.context, 0x40, SDP_CONTEXT_LEN);
	sdp_kdf_extract(secret, nonces[0], nonces[1], root);
	for (i = 0; i < ARRAY_SIZE(ciphers); i++) {
		ctx.cipher = ciphers[i].cipher;
		KUNIT_EXPECT_EQ(test, sdp_kdf_id(root, &ctx),
				get_unaligned_be32(ciphers[i].id));
		for (d = 0; d < 2; d++) {
			check_epoch(test, &ciphers[i], root, d, 0, next);
			check_epoch(test, &ciphers[i], next, d, 1, next);
		}
	}
}

/* A context of zeros counts too. */
static void without_context(struct kunit *test)
{
	struct sdp_kdf_context ctx = {
		.cipher = SDP_CIPHER_AES_128_GCM, .record_size = 16256,
	};
	u8 secret[32], nonces[2][16], root[32];
	struct sdp_kdf_keys keys;

	counting(secret, 0x00, 32);
	counting(nonces[0], 0x20, 16);
	counting(nonces[1], 0x30, 16);
	sdp_kdf_extract(secret, nonces[0], nonces[1], root);
	KUNIT_EXPECT_EQ(test, sdp_kdf_id(root, &ctx),
			get_unaligned_be32(no_context_id));
	sdp_kdf_epoch(root, &ctx, &keys);
	KUNIT_EXPECT_MEMEQ(test, keys.key, no_context_c2s_key, 16);
	ctx.direction = 1;
	sdp_kdf_epoch(root, &ctx, &keys);
	KUNIT_EXPECT_MEMEQ(test, keys.key, no_context_s2c_key, 16);
}

/* Seal as the vectors were: bytes that count up from @first. */
static void vector_seal(struct kunit *test, struct sdp_session *session,
			const struct sdp_message_head *head,
			const struct sdp_rx *request, u32 pad, u8 first,
			struct record_sealed *out)
{
	u32 i, n, size;
	struct scatterlist dst;
	u8 *buf;

	memset(out, 0, sizeof(*out));
	KUNIT_ASSERT_EQ(test, 0, sdp_seal_begin(session, &out->tx, &out->seal,
						head, request, pad));
	size = out->seal.record_size;
	buf = kunit_kmalloc(test, size + SDP_RECORD_HEADER, GFP_KERNEL);
	out->len = out->tx.sealed;
	out->bytes = kunit_kzalloc(test, out->len, GFP_KERNEL);
	for (i = 0; i < out->seal.records; i++) {
		for (n = 0; n < sdp_seal_app_length(&out->seal, i); n++)
			buf[sdp_seal_lead(&out->seal, i) + n] = first++;
		sg_init_one(&dst, out->bytes + sdp_layout_offset(size, i),
			    sdp_layout_wire_length(size, out->len, i));
		KUNIT_EXPECT_EQ(test, 0, sdp_seal_record(&out->seal, i, buf,
							 &dst));
	}
}

static void vector_request(struct kunit *test, struct sdp_session *session,
			   struct record_sealed *out)
{
	static const struct sdp_message_head head = {
		.app_len = 48,
		.rpc_id = VECTOR_RPC,
		.num_acks = 2,
		.acks = { 0x1111111111111110, 0x2222222222222220 },
	};

	rcu_dereference_protected(session->tx, true)->tx->next = REQUEST_MSGNO;
	vector_seal(test, session, &head, NULL, 0, 0x40, out);
	out->hdr.common.sport = htons(40000);
	out->hdr.common.dport = htons(99);
	out->hdr.common.sender_id = cpu_to_be64(VECTOR_RPC);
	out->hdr.incoming = cpu_to_be32(out->len);
	out->hdr.cutoff_version = htons(3);
	out->hdr.packet_payload = htons(1404);
	sdp_tx_header(&out->tx, &out->hdr);
}

static void check_authenticated(struct kunit *test, struct record_rig *rig,
				const struct cipher_vector *c,
				struct record_sealed *sealed)
{
	unsigned int len = c->authenticated_len;
	struct sdp_secure_data_hdr *hdr;
	struct scatterlist sg[2];
	struct sdp_epoch *epoch;
	u8 *pkt = kunit_kzalloc(test, len, GFP_KERNEL);

	hdr = (void *)pkt;
	*hdr = sealed->hdr;
	hdr->flags = SDP_DATA_RETRANSMIT | SDP_DATA_AUTHENTICATED;
	hdr->common.sequence = htonl(16);
	sdp_tx_header(&sealed->tx, hdr);
	memcpy(hdr + 1, sealed->bytes + 16, sealed->len - 16);
	atomic64_set(&sealed->tx.epoch->tx->counter, 0x123456789);
	sg_init_table(sg, 2);
	sg_set_buf(&sg[0], pkt, len - 24);
	sg_set_buf(&sg[1], pkt + len - 24, 24);
	KUNIT_EXPECT_EQ(test, 0, sdp_tx_authenticate(&sealed->tx, sg, len));
	KUNIT_EXPECT_MEMEQ(test, pkt, c->authenticated, len);

	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_open_header(rig->end[SERVER], hdr, &rig->addr[SERVER]);
	KUNIT_EXPECT_FALSE(test, IS_ERR(epoch));
	sg_init_one(sg, pkt + 60, len - 60);
	if (!IS_ERR(epoch)) {
		KUNIT_EXPECT_EQ(test, 0,
				sdp_open_authenticated(epoch, hdr, sg, len - 60));
		KUNIT_EXPECT_EQ(test, -EALREADY,
				sdp_open_authenticated(epoch, hdr, sg, len - 60));
		pkt[70] ^= 1;
		KUNIT_EXPECT_EQ(test, -EBADMSG,
				sdp_open_authenticated(epoch, hdr, sg, len - 60));
	}
	rcu_read_unlock();
	local_bh_enable();
}

static void check_response(struct kunit *test, struct record_rig *rig,
			   const struct cipher_vector *c,
			   const struct sdp_rx *request)
{
	static const struct sdp_message_head head = {
		.app_len = 20,
		.rpc_id = VECTOR_RPC | 1,
	};
	struct record_sealed sealed;

	rcu_dereference_protected(rig->end[SERVER]->tx, true)->tx->next = 7;
	vector_seal(test, NULL, &head, request, 11, 0x80, &sealed);
	KUNIT_EXPECT_EQ(test, sealed.len, c->response_len);
	KUNIT_EXPECT_MEMEQ(test, sealed.bytes, c->response, c->response_len);
	sdp_tx_end(&sealed.tx);
}

static void messages_of(struct kunit *test, const struct cipher_vector *c)
{
	struct record_sealed *sealed;
	struct record_opened opened;
	struct record_rig *rig;

	rig = kunit_kzalloc(test, sizeof(*rig), GFP_KERNEL);
	sealed = kunit_kzalloc(test, sizeof(*sealed), GFP_KERNEL);
	vector_rig(test, rig, c->cipher, 16256);
	vector_request(test, rig->end[CLIENT], sealed);
	KUNIT_EXPECT_EQ(test, sealed->len, c->request_len);
	KUNIT_EXPECT_MEMEQ(test, sealed->bytes, c->request, c->request_len);
	KUNIT_EXPECT_MEMEQ(test, &sealed->hdr, c->data_header, 60);
	check_authenticated(test, rig, c, sealed);

	KUNIT_EXPECT_EQ(test, 0, record_begin(rig, SERVER, &sealed->hdr,
					      &opened.rx));
	KUNIT_EXPECT_EQ(test, 0, record_open_all(test, &opened.rx, sealed->bytes,
						 NULL, &opened));
	KUNIT_EXPECT_EQ(test, opened.head.num_acks, 2);
	KUNIT_EXPECT_EQ(test, opened.head.acks[1], 0x2222222222222220);
	KUNIT_EXPECT_EQ(test, opened.len, 48);
	check_response(test, rig, c, &opened.rx);
	sdp_rx_end(&opened.rx);
	sdp_tx_end(&sealed->tx);
	vector_close(rig);
}

static void messages(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ciphers); i++)
		messages_of(test, &ciphers[i]);
}

static void several_records(struct kunit *test)
{
	static const struct sdp_message_head head = {
		.app_len = 480,
		.rpc_id = VECTOR_RPC,
		.num_acks = 2,
		.acks = { 0x1111111111111110, 0x2222222222222220 },
	};
	struct record_sealed sealed;
	struct sdp_session *session;
	struct sdp_epoch *epoch;

	session = vector_end(test, CLIENT, SDP_CIPHER_AES_128_GCM, 256);
	epoch = rcu_dereference_protected(session->tx, true);
	epoch->tx->confirmed = true;
	KUNIT_ASSERT_EQ(test, 0, sdp_epoch_send_next(session, NULL));
	rcu_dereference_protected(session->tx, true)->tx->next = REQUEST_MSGNO;
	vector_seal(test, session, &head, NULL, 40, 0, &sealed);
	KUNIT_EXPECT_EQ(test, sealed.seal.records, 3);
	KUNIT_EXPECT_EQ(test, sealed.len, sizeof(three_records));
	KUNIT_EXPECT_MEMEQ(test, sealed.bytes, three_records,
			   sizeof(three_records));
	sdp_tx_end(&sealed.tx);
	sdp_session_discard(session);
}

struct control_vector {
	u16 cipher;
	u8 type;
	int from;
	u64 counter;
	u8 flags;
	const u8 *bytes;
	size_t len;
};

#define CONTROL(c, name, type, from, counter, flags)			\
	{ c, type, from, counter, flags, name, sizeof(name) }
#define AES128 SDP_CIPHER_AES_128_GCM

static const struct control_vector controls[] = {
	CONTROL(AES128, aes_128_gcm_grant,       0x11, SERVER, 0, 0),
	CONTROL(AES128, aes_128_gcm_resend,      0x12, SERVER, 1, 1),
	CONTROL(AES128, aes_128_gcm_rpc_unknown, 0x13, SERVER, 2, 2),
	CONTROL(AES128, aes_128_gcm_busy,        0x14, SERVER, 3, 0),
	CONTROL(AES128, aes_128_gcm_cutoffs,     0x15, SERVER, 4, 0),
	CONTROL(AES128, aes_128_gcm_need_ack,    0x17, SERVER, 5, 0),
	CONTROL(AES128, aes_128_gcm_ack,         0x18, CLIENT, 6, 0),
	CONTROL(AES128, aes_128_gcm_abort,       0x19, SERVER, 7, 0),
	CONTROL(SDP_CIPHER_AES_256_GCM, aes_256_gcm_busy, 0x14, SERVER, 8, 0),
	CONTROL(SDP_CIPHER_CHACHA20_POLY1305, chacha20_poly1305_busy, 0x14,
		SERVER, 9, 0),
};

static void check_control(struct kunit *test, const struct control_vector *v)
{
	struct sdp_control control = {
		.flags = v->flags,
		.request_msgno = REQUEST_MSGNO,
	};
	unsigned int clear = sdp_wire_control_length(v->type);
	struct sdp_control got = {};
	struct sdp_epoch *epoch;
	struct record_rig rig;
	u8 *pkt;

	KUNIT_ASSERT_EQ(test, v->len, clear + 40);
	pkt = kunit_kmalloc(test, v->len, GFP_KERNEL);
	memcpy(pkt, v->bytes, v->len);
	memset(pkt + clear, 0xaa, 40);
	vector_rig(test, &rig, v->cipher, 16256);
	epoch = rcu_dereference_protected(rig.end[v->from]->tx, true);
	atomic64_set(&epoch->tx->counter, v->counter);
	KUNIT_EXPECT_EQ(test, (int)v->len,
			sdp_control_seal(rig.end[v->from], pkt, clear,
					 &control));
	KUNIT_EXPECT_MEMEQ(test, pkt, v->bytes, v->len);
	KUNIT_EXPECT_EQ(test, sdp_control_session_id(pkt, v->len),
			sdp_session_id(rig.end[SERVER]));

	/* A checksum that a device wrote does not matter. */
	pkt[16] = 0x12;
	pkt[17] = 0x34;
	local_bh_disable();
	rcu_read_lock();
	epoch = sdp_control_open(rig.end[!v->from], pkt, v->len,
				 &rig.addr[!v->from], &got);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_FALSE(test, IS_ERR(epoch));
	KUNIT_EXPECT_EQ(test, got.flags, v->flags);
	KUNIT_EXPECT_EQ(test, got.request_msgno, REQUEST_MSGNO);
	vector_close(&rig);
}

static void control_packets(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(controls); i++)
		check_control(test, &controls[i]);
}

/* A header tag by the kernel's own SipHash-2-4, of a copy with what is left out as zero. */
static u64 plain_tag(const u8 *bytes, const struct sdp_secure_data_hdr *hdr)
{
	const siphash_key_t key = {
		.key = { get_unaligned_le64(bytes), get_unaligned_le64(bytes + 8) },
	};
	struct sdp_secure_data_hdr copy = *hdr;

	copy.common.sequence = 0;
	copy.common.flags = 0;
	copy.common.checksum = 0;
	return siphash(&copy, offsetof(struct sdp_secure_data_hdr, tag), &key);
}

/* Headers begin as those of the session do, or otherwise, in each of their first bytes. */
static void header_tags(struct kunit *test)
{
	struct sdp_secure_data_hdr hdr;
	struct sdp_tag_key key;
	u8 bytes[16];
	int i;

	counting(bytes, 0x50, sizeof(bytes));
	sdp_tag_setup(&key, bytes, 0x1234, 0x5678);
	counting((u8 *)&hdr, 0x60, sizeof(hdr));
	KUNIT_EXPECT_EQ(test, sdp_tag_compute(&key, &hdr), plain_tag(bytes, &hdr));
	memset(&hdr.common, 0, offsetof(struct sdp_common_hdr, sender_id));
	hdr.common.sport = htons(0x1234);
	hdr.common.dport = htons(0x5678);
	hdr.common.type = SDP_TYPE_DATA | SDP_TYPE_SECURE;
	hdr.common.doff = SDP_DOFF_SECURE_DATA;
	KUNIT_EXPECT_EQ(test, sdp_tag_compute(&key, &hdr), plain_tag(bytes, &hdr));
	for (i = 0; i < (int)offsetof(struct sdp_secure_data_hdr, tag); i++) {
		((u8 *)&hdr)[i] ^= 0x81;
		KUNIT_EXPECT_EQ(test, sdp_tag_compute(&key, &hdr), plain_tag(bytes, &hdr));
	}
}

/* The tag without the crypto API, against the one with it. */
static void gmac(struct kunit *test)
{
	static const unsigned int lengths[] = { 1, 15, 16, 17, 68, 120, 1484 };
	u16 cipher = SDP_CIPHER_AES_128_GCM;
	struct sdp_aead aead = {};
	struct sdp_gmac *gmac;
	struct scatterlist sg[3];
	u8 *buf, tag[16];
	int i;

	buf = kunit_kzalloc(test, 2048, GFP_KERNEL);
	counting(buf, 3, 1500);
	for (i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
		unsigned int len = lengths[i / 2];
		struct sdp_aead_op op = { .src = sg, .dst = sg, .assoc = len };

		cipher = i & 1 ? SDP_CIPHER_AES_256_GCM : cipher;
		KUNIT_ASSERT_EQ(test, 0, sdp_aead_setup(&aead, cipher, buf));
		gmac = sdp_gmac_alloc(buf, sdp_kdf_key_length(cipher));
		KUNIT_ASSERT_NOT_NULL(test, gmac);
		memcpy(op.nonce, buf + 100, 12);
		sg_init_table(sg, 3);
		sg_set_buf(&sg[0], buf, len / 2 + 1);
		sg_set_buf(&sg[1], buf + len / 2 + 1, len - len / 2 - 1 + 16);
		sg_set_buf(&sg[2], buf, 1);
		KUNIT_EXPECT_EQ(test, 0, sdp_aead_seal(&aead, &op));
		sdp_gmac_tag(gmac, op.nonce, sg, len, tag);
		KUNIT_EXPECT_MEMEQ(test, tag, buf + len, 16);
		counting(buf, 3, 1500);
		sdp_gmac_free(gmac);
		sdp_aead_destroy(&aead);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(key_schedule),
	KUNIT_CASE(without_context),
	KUNIT_CASE(messages),
	KUNIT_CASE(several_records),
	KUNIT_CASE(control_packets),
	KUNIT_CASE(header_tags),
	KUNIT_CASE(gmac),
	{}
};

static struct kunit_suite suite = {
	.name = "sdp_record_vectors",
	.test_cases = cases,
};

kunit_test_suite(suite);
