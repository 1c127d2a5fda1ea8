// SPDX-License-Identifier: Apache-2.0
// The TLS engine against records that OpenSSL, by another way, seals.
#include <gtest/gtest.h>

#include "selftests/connectx/engine.hpp"
#include "selftests/record/crypto.hpp"

namespace {

using cx::Engine;
using cx::Misuse;
using cx::Sealed;
using sdp_test::aead_seal;
using sdp_test::Cipher;

constexpr uint32_t tis = 7;
constexpr uint32_t sq = 3;
constexpr uint32_t dek = 5;
constexpr uint8_t sdp = 146;
constexpr uint8_t tcp = 6;

const Bytes iv = sdp_test::counting(0x40, 12);

Bytes static_of(uint64_t record, uint8_t version = 3, uint32_t key = dek)
{
	Bytes params(cx::static_params_length);
	set(params, 0, 0x80U | version << 2U | 1U, 1);
	set(params, 3, 1, 1);
	set(params, 8, record, 8);
	std::copy(iv.begin(), iv.begin() + 4, params.begin() + 0x14);
	if (version == 3)
		std::copy(iv.begin() + 4, iv.end(), params.begin() + 0x18);
	set(params, 0x21, key, 3);
	return params;
}

const Bytes progress(cx::progress_params_length);

/// TLS 1.3, with room for the tag.
Bytes plain_record(size_t content, uint8_t fill = 0x61)
{
	Bytes record = {23, 3, 3};
	put(record, content + 1 + 16, 2);
	record.insert(record.end(), content, fill);
	record.push_back(23);
	record.resize(record.size() + 16);
	return record;
}

Bytes sealed_record(View plain, uint64_t record, View key)
{
	Bytes nonce = iv;
	set(nonce, 4, get(nonce, 4, 8) ^ record, 8);
	const Cipher cipher = key.size() == 32 ? Cipher::Aes256Gcm : Cipher::Aes128Gcm;
	const View aad = plain.first(5);
	Bytes out(aad.begin(), aad.end());
	const Bytes body = aead_seal(cipher, key, nonce, aad, plain.subspan(5, plain.size() - 21));
	out.insert(out.end(), body.begin(), body.end());
	return out;
}

/// TLS 1.2.
Bytes plain_record_1_2(size_t content, uint64_t nonce)
{
	Bytes record = {23, 3, 3};
	put(record, 8 + content + 16, 2);
	put(record, nonce, 8);
	record.insert(record.end(), content, 0x62);
	record.resize(record.size() + 16);
	return record;
}

Bytes sealed_record_1_2(View plain, uint64_t record, View key)
{
	Bytes nonce(iv.begin(), iv.begin() + 4);
	nonce.insert(nonce.end(), plain.begin() + 5, plain.begin() + 13);
	Bytes aad;
	put(aad, record, 8);
	aad.insert(aad.end(), plain.begin(), plain.begin() + 3);
	put(aad, plain.size() - 5 - 8 - 16, 2);
	Bytes out(plain.begin(), plain.begin() + 13);
	const Bytes body = aead_seal(Cipher::Aes128Gcm, key, nonce, aad,
				     plain.subspan(13, plain.size() - 13 - 16));
	out.insert(out.end(), body.begin(), body.end());
	return out;
}

Bytes joined(const std::vector<Bytes> &parts)
{
	Bytes out;
	for (const Bytes &part : parts)
		out.insert(out.end(), part.begin(), part.end());
	return out;
}

struct TlsEngine : testing::Test {
	explicit TlsEngine(cx::EngineOptions options = {}) : engine(std::move(options))
	{
		engine.key_create(dek, key);
		engine.tis_create(tis, true);
	}

	void start(uint64_t record, uint8_t version = 3)
	{
		engine.static_params(sq, tis, true, static_of(record, version));
		engine.progress_params(sq, tis, false, progress);
		engine.nop(sq, true);
	}

	Bytes send(Bytes payload, uint8_t protocol = sdp, uint32_t queue = sq)
	{
		engine.seal({.sq = queue, .tis = tis, .fenced = false, .protocol = protocol},
			    payload);
		return payload;
	}

	Bytes key = sdp_test::counting(1, 16);
	Engine engine;
};

TEST_F(TlsEngine, KeysOfBothLengths)
{
	for (const size_t length : {16U, 32U}) {
		key = sdp_test::counting(9, length);
		engine.key_create(dek, key);
		start(0x0000123456780001);
		const Bytes plain = plain_record(1000);
		EXPECT_EQ(send(plain), sealed_record(plain, 0x0000123456780001, key));
	}
	EXPECT_EQ(engine.errors(), 0U);
}

TEST_F(TlsEngine, RecordsCountUp)
{
	start(100);
	std::vector<Bytes> plain;
	std::vector<Bytes> sealed;
	for (size_t i = 0; i < 4; i++) {
		plain.push_back(plain_record(100 * i));
		sealed.push_back(sealed_record(plain.back(), 100 + i, key));
	}
	EXPECT_EQ(send(joined(plain)), joined(sealed));
	plain = {plain_record(5)};
	EXPECT_EQ(send(plain[0]), sealed_record(plain[0], 104, key));
	EXPECT_EQ(engine.counters().records, 5U);
	EXPECT_EQ(engine.counters().packets, 2U);
	EXPECT_EQ(engine.errors(), 0U);
}

// Every way to cut two records in two, for TCP.
TEST_F(TlsEngine, RecordsSpanRequests)
{
	const Bytes plain = joined({plain_record(20), plain_record(30)});
	const Bytes sealed = joined(
		{sealed_record(plain_record(20), 8, key), sealed_record(plain_record(30), 9, key)});
	for (size_t cut = 0; cut <= plain.size(); cut++) {
		start(8);
		Bytes got = send(Bytes(plain.begin(), plain.begin() + static_cast<long>(cut)), tcp);
		const Bytes rest =
			send(Bytes(plain.begin() + static_cast<long>(cut), plain.end()), tcp);
		got.insert(got.end(), rest.begin(), rest.end());
		ASSERT_EQ(got, sealed) << cut;
	}
	EXPECT_EQ(engine.errors(), 0U);
}

TEST_F(TlsEngine, DumpRunsThrough)
{
	const Bytes plain = plain_record(500);
	const Bytes sealed = sealed_record(plain, 77, key);
	start(77);
	engine.dump({.sq = sq, .tis = tis, .protocol = tcp}, View(plain).first(200));
	const Bytes rest = send(Bytes(plain.begin() + 200, plain.end()), tcp);
	EXPECT_TRUE(std::equal(rest.begin(), rest.end(), sealed.begin() + 200));
	EXPECT_EQ(engine.counters().dumped, 200U);
	EXPECT_EQ(engine.errors(), 0U);
}

TEST_F(TlsEngine, ExplicitNonces)
{
	start(4, 2);
	for (uint64_t i = 0; i < 3; i++) {
		const Bytes plain = plain_record_1_2(300, 0x1000 + i);
		EXPECT_EQ(send(plain, tcp), sealed_record_1_2(plain, 4 + i, key));
	}
	EXPECT_EQ(engine.errors(), 0U);
	send(plain_record_1_2(300, 0x2000), tcp);
	EXPECT_EQ(engine.count(Misuse::bad_nonce), 1U);
}

// Progress parameters alone go back to where the static ones were.
TEST_F(TlsEngine, StartRewinds)
{
	const Bytes plain = plain_record(100);
	start(50);
	send(plain);
	engine.progress_params(sq, tis, true, progress);
	engine.nop(sq, true);
	EXPECT_EQ(send(plain), sealed_record(plain, 50, key));
	EXPECT_EQ(engine.errors(), 0U);
}

TEST_F(TlsEngine, WithoutParametersInTheClear)
{
	const Bytes plain = plain_record(100);
	EXPECT_EQ(send(plain), plain);
	EXPECT_EQ(engine.count(Misuse::no_parameters), 1U);
	engine.static_params(sq, tis, true, static_of(1));
	EXPECT_EQ(send(plain), plain);
	EXPECT_EQ(engine.count(Misuse::no_start), 1U);
	EXPECT_EQ(engine.counters().clear, 2U);
}

TEST_F(TlsEngine, UnexpectedRecordLeavesCorrupted)
{
	const Bytes plain = plain_record(100);
	start(3);
	const Bytes got = send(plain);
	EXPECT_NE(got, plain);
	EXPECT_NE(got, sealed_record(plain, 4, key));
}

TEST_F(TlsEngine, TwoQueues)
{
	start(1);
	send(plain_record(10), sdp, sq + 1);
	EXPECT_EQ(engine.count(Misuse::two_queues), 1U);
	// What has been reset may be taken on by another.
	engine.sq_reset(sq + 1);
	send(plain_record(10), sdp, sq + 2);
	EXPECT_EQ(engine.count(Misuse::two_queues), 1U);
}

TEST_F(TlsEngine, Fences)
{
	// The first time either of the two is fenced.
	engine.static_params(sq, tis, false, static_of(1));
	engine.progress_params(sq, tis, true, progress);
	engine.nop(sq, true);
	send(plain_record(10));
	EXPECT_EQ(engine.count(Misuse::unfenced), 0U);
	// Once it is used, the static ones have to be.
	engine.static_params(sq, tis, false, static_of(9));
	engine.progress_params(sq, tis, true, progress);
	EXPECT_EQ(engine.count(Misuse::unfenced), 1U);
	// And what follows.
	send(plain_record(10));
	EXPECT_EQ(engine.count(Misuse::unfenced), 2U);
	engine.progress_params(sq, tis, false, progress);
	EXPECT_EQ(engine.count(Misuse::unfenced), 3U);
}

TEST_F(TlsEngine, AnotherQueuesFenceIsNone)
{
	engine.static_params(sq, tis, true, static_of(1));
	engine.progress_params(sq, tis, false, progress);
	engine.nop(sq + 1, true);
	send(plain_record(10));
	EXPECT_EQ(engine.count(Misuse::unfenced), 1U);
}

TEST_F(TlsEngine, SplitRecords)
{
	const Bytes plain = plain_record(100);
	for (const size_t length : {3U, 5U, 60U, 115U}) {
		start(length);
		send(Bytes(plain.begin(), plain.begin() + static_cast<long>(length)));
	}
	EXPECT_EQ(engine.count(Misuse::split_record), 4U);
	EXPECT_EQ(engine.errors(), 4U);
}

TEST_F(TlsEngine, NoRecordAfterStart)
{
	start(1);
	const Bytes junk(100, 0x20);
	const Bytes got = send(junk);
	EXPECT_TRUE(std::equal(got.begin(), got.begin() + 5, junk.begin()));
	EXPECT_NE(got, junk);
	EXPECT_EQ(engine.count(Misuse::not_at_record), 1U);
}

TEST_F(TlsEngine, BadHeaderLater)
{
	Bytes second = plain_record(20);
	second[0] = 22;
	start(1);
	send(joined({plain_record(20), second}));
	EXPECT_EQ(engine.count(Misuse::bad_header), 1U);
	// Other types are for TCP to send.
	start(40);
	send(second, tcp);
	EXPECT_EQ(engine.errors(), 1U);
}

TEST_F(TlsEngine, ShortRecordGoesOnUntilStart)
{
	Bytes record = {23, 3, 3, 0, 16};
	record.resize(100, 0x33);
	start(1);
	send(record);
	EXPECT_EQ(engine.count(Misuse::not_at_record), 1U);
	const Bytes plain = plain_record(20);
	EXPECT_NE(send(plain), sealed_record(plain, 2, key));
	start(2);
	EXPECT_EQ(send(plain), sealed_record(plain, 2, key));
}

TEST_F(TlsEngine, Keys)
{
	start(1);
	engine.key_destroy(dek);
	send(plain_record(10));
	EXPECT_EQ(engine.count(Misuse::no_key), 1U);
	engine.key_create(dek, Bytes(24));
	EXPECT_EQ(engine.count(Misuse::key_size), 1U);
	engine.key_destroy(99);
	EXPECT_EQ(engine.count(Misuse::no_key), 2U);
	engine.static_params(sq, tis, true, static_of(1, 3, 99));
	EXPECT_EQ(engine.count(Misuse::no_key), 3U);
}

TEST_F(TlsEngine, KeyDestroyedWithinARecord)
{
	const Bytes plain = plain_record(100);
	start(1);
	send(Bytes(plain.begin(), plain.begin() + 50), tcp);
	engine.key_destroy(dek);
	EXPECT_EQ(engine.count(Misuse::no_key), 1U);
}

TEST_F(TlsEngine, Contexts)
{
	EXPECT_EQ(engine.contexts(), 1U);
	engine.tis_create(tis + 1, false);
	EXPECT_EQ(engine.contexts(), 1U);
	engine.seal({.sq = sq, .tis = tis + 1}, {});
	EXPECT_EQ(engine.count(Misuse::no_context), 1U);
	engine.tis_destroy(tis + 1, true);
	EXPECT_EQ(engine.count(Misuse::deleted_in_use), 0U);
	engine.tis_destroy(tis, true);
	EXPECT_EQ(engine.count(Misuse::deleted_in_use), 1U);
	const Bytes plain = plain_record(10);
	EXPECT_EQ(send(plain), plain);
	EXPECT_EQ(engine.count(Misuse::no_context), 2U);
}

TEST_F(TlsEngine, Parameters)
{
	engine.static_params(sq, tis, true, static_of(1, 4));
	EXPECT_EQ(engine.count(Misuse::bad_version), 1U);
	for (const size_t at : {0U, 3U, 0x13U}) {
		Bytes params = static_of(1);
		params[at] ^= at == 0 ? 0x40 : 3;
		engine.static_params(sq, tis, true, params);
	}
	engine.static_params(sq, tis, true, Bytes(3));
	EXPECT_EQ(engine.count(Misuse::bad_static), 4U);
	engine.static_params(sq, tis, true, static_of(1));
	for (const size_t at : {2U, 8U}) {
		Bytes params = progress;
		params[at] = 0x50;
		engine.progress_params(sq, tis, true, params);
	}
	engine.progress_params(sq, tis, true, Bytes(11));
	EXPECT_EQ(engine.count(Misuse::bad_progress), 3U);
}

TEST_F(TlsEngine, NumbersUsedTwice)
{
	start(1);
	send(plain_record(100, 1));
	start(1);
	send(plain_record(100, 1));
	EXPECT_EQ(engine.count(Misuse::number_reused), 0U);
	start(1);
	send(plain_record(100, 2));
	EXPECT_EQ(engine.count(Misuse::number_reused), 1U);
	// By another key it is another nonce.
	engine.key_create(dek, sdp_test::counting(2, 16));
	start(1);
	send(plain_record(100, 3));
	EXPECT_EQ(engine.count(Misuse::number_reused), 1U);
}

TEST(Engine, TakesLayoutsApart)
{
	const cx::StaticParams params = cx::parse_static(static_of(0x1122334455667788));
	EXPECT_EQ(params.version, 3);
	EXPECT_EQ(params.record, 0x1122334455667788U);
	EXPECT_EQ(params.dek, dek);
	EXPECT_TRUE(std::equal(params.iv.begin(), params.iv.end(), iv.begin()));
	EXPECT_TRUE(params.well_formed);
	EXPECT_FALSE(cx::parse_static({}).well_formed);
}

TEST(Engine, NamesItsMisuses)
{
	for (size_t i = 0; i < cx::misuses; i++) {
		const auto misuse = static_cast<Misuse>(i);
		EXPECT_EQ(cx::misuse_named(cx::misuse_name(misuse)), misuse);
	}
	EXPECT_FALSE(cx::misuse_named("none such"));
}

TEST(Engine, VersionsOfTheDevice)
{
	Engine engine({.tls_1_3 = false});
	engine.key_create(dek, Bytes(16));
	engine.tis_create(tis, true);
	engine.static_params(sq, tis, true, static_of(1, 2));
	EXPECT_EQ(engine.errors(), 0U);
	engine.static_params(sq, tis, true, static_of(1, 3));
	EXPECT_EQ(engine.count(Misuse::bad_version), 1U);
}

TEST(Engine, Tolerates)
{
	std::string told;
	Engine engine({.tolerated = {Misuse::no_context},
		       .tell = [&told](Misuse what, const std::string &) {
			       told = cx::misuse_name(what);
		       }});
	engine.seal({.sq = sq, .tis = tis}, {});
	EXPECT_EQ(engine.errors(), 0U);
	EXPECT_EQ(engine.count(Misuse::no_context), 1U);
	EXPECT_EQ(told, "no_context");
	EXPECT_NE(engine.report().find("misuse_no_context 1\n"), std::string::npos);
}

TEST(Engine, ForgetsTheOldestNumbers)
{
	Engine engine({.remembered = 2});
	engine.key_create(dek, Bytes(16));
	engine.tis_create(tis, true);
	const auto seal = [&engine](uint64_t record, uint8_t fill) {
		engine.static_params(sq, tis, true, static_of(record));
		engine.progress_params(sq, tis, false, progress);
		engine.nop(sq, true);
		Bytes plain = plain_record(10, fill);
		engine.seal({.sq = sq, .tis = tis, .protocol = sdp}, plain);
	};
	for (uint64_t record = 1; record <= 3; record++)
		seal(record, 1);
	seal(3, 2);
	EXPECT_EQ(engine.count(Misuse::number_reused), 1U);
	seal(1, 2);
	EXPECT_EQ(engine.count(Misuse::number_reused), 1U);
}

} // namespace
