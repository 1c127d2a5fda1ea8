// SPDX-License-Identifier: Apache-2.0
// Messages of every interesting length, both ways, with both APIs, all families,
// in the clear and with each cipher.
#include <algorithm>
#include <fstream>
#include <set>

#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

constexpr uint16_t clear = 0;
constexpr uint32_t longest = HOMA_MAX_MESSAGE_LENGTH;
constexpr uint32_t record_content = SDP_RECORD_SIZE_DEFAULT - 1;

/// Adds lengths around @a at.
void around(std::set<uint32_t> &lengths, uint32_t at)
{
	for (uint32_t length : {at - 1, at, at + 1})
		if (length > 0 && length <= longest)
			lengths.insert(length);
}

/// Boundaries that do not depend on the path: pages, segments, buffer pages,
/// unscheduled bytes, records with and without the message header.
std::set<uint32_t> boundaries()
{
	std::set<uint32_t> lengths = {1, 2, 3, 64, 1000, 10000, 500000};
	for (uint32_t at : {4096U, 8192U, 40000U, 65536U, 2 * 65536U, longest})
		around(lengths, at);
	for (uint32_t records : {1U, 2U, 4U})
		for (uint32_t head : {0U, 16U, 24U})
			around(lengths, records * record_content - head);
	return lengths;
}

/// Boundaries of packets: @a payload bytes each.
std::set<uint32_t> packets(uint32_t payload)
{
	std::set<uint32_t> lengths;
	for (uint32_t count : {1U, 2U, 28U, 46U})
		around(lengths, count * payload);
	return lengths;
}

/// What a packet holds: the MTU less IP's and our header.
uint32_t payload_of(unsigned mtu, net::Family family, bool secure)
{
	return mtu - (family == net::Family::v6 ? 40 : 20) - (secure ? 60 : 56);
}

std::set<uint32_t> lengths_for(unsigned mtu, net::Family family, bool secure)
{
	std::set<uint32_t> lengths = boundaries();
	lengths.merge(packets(payload_of(mtu, family, secure)));
	// A sealed message is longer by its records' frames and its header.
	if (secure)
		lengths.merge(packets(payload_of(mtu, family, secure) - 22 - 16));
	return lengths;
}

template <class Socket>
void echo_one(TalkOf<Socket> &talk, uint32_t length)
{
	// The response has a neighbouring length, and bytes of its own.
	uint32_t back = length == longest ? length : length + 1;
	talk.client.request(talk.to, pattern(length, length));
	auto request = talk.server.expect();
	EQ(request.result, length);
	EQ(pattern_error(request.bytes, length), "");
	talk.server.reply(request, pattern(back, length + 7));
	auto response = talk.client.expect();
	EQ(response.result, back);
	EQ(pattern_error(response.bytes, length + 7), "");
}

template <class Socket>
void echo_all(net::Family family, uint16_t cipher, unsigned mtu = 1500)
{
	TalkOf<Socket> talk(family);
	if (cipher != clear)
		make_secure(talk, family, cipher);
	for (uint32_t length : lengths_for(mtu, family, cipher != clear)) {
		try {
			echo_one(talk, length);
		} catch (const test::Failure &failure) {
			throw test::Failure(std::to_string(length) + " bytes: " + failure.what());
		}
	}
}

/// On hosts of its own, with another MTU and other device features.
void on_link(unsigned mtu, const std::string &features, net::Family family)
{
	hosts = std::make_unique<net::Pair>(mtu);
	for (const net::Host *host : {&hosts->a, &hosts->b})
		if (!features.empty())
			host->ns.sh("ethtool -K eth0 " + features);
	echo_all<PlainSocket>(family, clear, mtu);
	echo_all<PlainSocket>(family, SDP_CIPHER_AES_128_GCM, mtu);
}

template <class Socket>
void empty(net::Family family)
{
	TalkOf<Socket> talk(family);
	make_secure(talk, family);
	talk.client.request(talk.to, {}, 9);
	auto request = talk.server.expect();
	EQ(request.result, 0);
	talk.server.reply(request, {});
	EQ(talk.client.expect().result, 0);
}

} // namespace

SETUP
{
	two_hosts();
}

TEST_LIMIT(homa_v4_clear, 120)
{
	echo_all<HomaSocket>(net::Family::v4, clear);
}
TEST_LIMIT(homa_v6_clear, 120)
{
	echo_all<HomaSocket>(net::Family::v6, clear);
}
TEST_LIMIT(homa_mapped_clear, 120)
{
	echo_all<HomaSocket>(net::Family::mapped, clear);
}
TEST_LIMIT(plain_v4_clear, 120)
{
	echo_all<PlainSocket>(net::Family::v4, clear);
}
TEST_LIMIT(plain_v6_clear, 120)
{
	echo_all<PlainSocket>(net::Family::v6, clear);
}
TEST_LIMIT(plain_mapped_clear, 120)
{
	echo_all<PlainSocket>(net::Family::mapped, clear);
}

TEST_LIMIT(homa_v4_aes128, 120)
{
	echo_all<HomaSocket>(net::Family::v4, SDP_CIPHER_AES_128_GCM);
}
TEST_LIMIT(homa_v4_aes256, 120)
{
	echo_all<HomaSocket>(net::Family::v4, SDP_CIPHER_AES_256_GCM);
}
TEST_LIMIT(homa_v4_chacha, 120)
{
	echo_all<HomaSocket>(net::Family::v4, SDP_CIPHER_CHACHA20_POLY1305);
}
TEST_LIMIT(plain_v4_aes128, 120)
{
	echo_all<PlainSocket>(net::Family::v4, SDP_CIPHER_AES_128_GCM);
}
TEST_LIMIT(plain_v4_aes256, 120)
{
	echo_all<PlainSocket>(net::Family::v4, SDP_CIPHER_AES_256_GCM);
}
TEST_LIMIT(plain_v4_chacha, 120)
{
	echo_all<PlainSocket>(net::Family::v4, SDP_CIPHER_CHACHA20_POLY1305);
}
TEST_LIMIT(plain_v6_aes128, 120)
{
	echo_all<PlainSocket>(net::Family::v6, SDP_CIPHER_AES_128_GCM);
}
TEST_LIMIT(plain_v6_chacha, 120)
{
	echo_all<PlainSocket>(net::Family::v6, SDP_CIPHER_CHACHA20_POLY1305);
}
TEST_LIMIT(plain_mapped_aes128, 120)
{
	echo_all<PlainSocket>(net::Family::mapped, SDP_CIPHER_AES_128_GCM);
}

TEST(empty_messages_secure)
{
	for (net::Family family : net::all_families) {
		empty<PlainSocket>(family);
		empty<HomaSocket>(family);
	}
}

TEST(small_records)
{
	for (unsigned size : {SDP_RECORD_SIZE_MIN, 1399, SDP_RECORD_SIZE_MAX}) {
		PlainTalk talk;
		make_secure(talk, net::Family::v4, SDP_CIPHER_AES_128_GCM,
			    static_cast<uint16_t>(size));
		for (uint32_t records : {1U, 2U, 9U})
			for (uint32_t head : {0U, 16U, 24U})
				for (uint32_t more : {0U, 1U})
					echo_one(talk, records * (size - 1) - head + more);
	}
}

// Where memory is in pieces, a task's page for small messages is a single one.
TEST(memory_in_single_pages)
{
	struct Single {
		Single() { set("1"); }
		Single(const Single &) = delete;
		Single &operator=(const Single &) = delete;
		~Single() { set("0"); }
		static void set(const char *value)
		{
			std::ofstream("/proc/sys/net/core/high_order_alloc_disable") << value;
		}
	} single;
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		for (uint32_t length : {100U, 3000U, 4030U, 4069U, 4085U, 4086U, 4096U, 5000U,
					12288U, 12289U, 100000U})
			echo_one(talk, length);
	}
}

TEST_LIMIT(mtu_576, 120)
{
	on_link(576, "", net::Family::v4);
}
TEST_LIMIT(mtu_576_cut_by_us, 120)
{
	on_link(576, "tso off gso off", net::Family::v4);
}
TEST_LIMIT(mtu_1280_v6, 120)
{
	on_link(1280, "tso off", net::Family::v6);
}
TEST_LIMIT(mtu_1500_cut_by_the_device, 120)
{
	on_link(1500, "tso off", net::Family::v4);
}
TEST_LIMIT(mtu_1500_cut_by_us, 120)
{
	on_link(1500, "tso off gso off", net::Family::v4);
}
TEST_LIMIT(mtu_1500_cut_by_us_v6, 120)
{
	on_link(1500, "tso off gso off", net::Family::v6);
}
TEST_LIMIT(mtu_1500_merging, 120)
{
	on_link(1500, "gro on tso off", net::Family::v4);
}
TEST_LIMIT(mtu_9000, 120)
{
	on_link(9000, "tso on gso on", net::Family::v4);
}
TEST_LIMIT(mtu_9000_cut, 120)
{
	on_link(9000, "tso off", net::Family::v4);
}
TEST_LIMIT(mtu_65535, 120)
{
	on_link(65535, "tso on gso on", net::Family::v4);
}
