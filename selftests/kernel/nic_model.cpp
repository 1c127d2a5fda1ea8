// SPDX-License-Identifier: Apache-2.0
// mlx5's patched driver on the model of a ConnectX (selftests/connectx): its engine seals to
// the bytes that the CPU would, and all who count records count the same. To be run by
// selftests/connectx/run.
#include <algorithm>
#include <iterator>
#include <map>
#include <net/ethernet.h>

#include "lib/mlx5.hpp"
#include "lib/packet.hpp"
#include "lib/proc.hpp"
#include "lib/secure.hpp"
#include "lib/test.hpp"
#include "lib/testnic.hpp"

namespace {

using testnic::echo;

constexpr uint16_t sealed_by_nics[] = {SDP_CIPHER_AES_128_GCM, SDP_CIPHER_AES_256_GCM};

/// Around the ends of the shortest message for a NIC, of records, segments, grants.
constexpr size_t lengths[] = {1,     8191,  8192,  16200, 16238, 16239, 16240,  16255,  32400,
			      32494, 48700, 64900, 65000, 65100, 81300, 200000, 1000000};

/// Of both hosts.
struct Both {
	proc::Counters a{hosts->a.ns};
	proc::Counters b{hosts->b.ns};

	[[nodiscard]] uint64_t moved(const std::string &name) const
	{
		return a.moved(name) + b.moved(name);
	}
};

/// So many records has a message of @a length bytes, of a request without acks.
size_t records_of(size_t length)
{
	constexpr size_t chunk = 16255;
	return (16 + length + chunk - 1) / chunk;
}

} // namespace

SETUP
{
	mlx5::two_hosts();
}

EACH
{
	mlx5::ask("wire loss=0");
}

TEST_LIMIT(all_lengths, 240)
{
	const mlx5::Moved nic;
	const Both hosts_moved;
	for (const uint16_t cipher : sealed_by_nics) {
		PlainTalk talk;
		make_secure(talk, net::Family::v4, cipher);
		testnic::warm(talk);
		uint64_t seed = 1;
		for (const size_t length : lengths)
			echo(talk, length, seed += 2);
	}
	mlx5::clean();
	CHECK(hosts_moved.moved("seal_nic") > 150);
	EQ(nic("detector_unknown"), 0);
	CHECK(nic("detector_records") > 150);
}

// What the detector sees twice is compared: first as the NIC has sealed it, then, as the path
// loses it all, as the CPU does. Both have the key, the record's number and the message in
// common, and so each byte.
TEST_LIMIT(the_cpu_repeats_what_the_nic_has_sealed, 240)
{
	for (const uint16_t cipher : sealed_by_nics)
		for (const size_t length :
		     {8192U, 16238U, 16239U, 16240U, 32493U, 32494U, 60000U}) {
			PlainTalk talk;
			make_secure(talk, net::Family::v4, cipher);
			testnic::warm(talk);
			// Each message has a queue of its own: all of them get a context.
			for (uint64_t i = 0; i < 8; i++)
				echo(talk, 100000, 50 + i);
			const mlx5::Moved nic;
			const Both sealed;
			mlx5::ask("wire loss=1000000");
			talk.client.request(talk.to, testnic::secret(length));
			testnic::until("all of it was lost", [&] {
				return sealed.a.moved("seal_nic") +
					       sealed.a.moved("seal_cpu_no_context") >=
				       records_of(length);
			});
			CHECK(sealed.a.moved("seal_nic") > 0);
			mlx5::ask("wire loss=0");
			EQ(testnic::secret_error(talk.server.expect().bytes), "");
			CHECK(sealed.a.moved("seal_cpu_again") > 0);
			CHECK(nic("detector_again") > 0);
			mlx5::clean();
		}
}

namespace {

/// What host a sends, as it comes to host b: sealed messages by their number.
class Arriving {
public:
	Arriving() : tap_(hosts->b.ns.socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)))
	{
		const int room = 1 << 26;
		OK(setsockopt(tap_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)));
	}

	[[nodiscard]] std::map<uint64_t, Bytes> messages() const
	{
		std::map<uint64_t, Bytes> all;
		Bytes packet(65536);
		for (ssize_t got = 0;
		     (got = recv(tap_, packet.data(), packet.size(), MSG_DONTWAIT)) >= 0;)
			take(packet::parse_ip(View(packet).first(static_cast<size_t>(got))), all);
		return all;
	}

private:
	static void take(const packet::Datagram &ip, std::map<uint64_t, Bytes> &all)
	{
		if (ip.next != packet::protocol ||
		    secure::type_of(ip.payload) != secure::data_type ||
		    !(ip.from == hosts->a.at(net::Family::v4, 0)))
			return;
		const auto data = secure::parse_data(ip.payload);
		// By index, where the NIC has cut it.
		const size_t at = (data.sequence & 0x7fffffff) +
				  (data.sequence >> 31) * size_t{ip.ident} * data.packet_payload;
		Bytes &message = all[data.number];
		message.resize(data.message_length);
		CHECK(at + data.payload.size() <= message.size());
		std::copy(data.payload.begin(), data.payload.end(),
			  message.begin() + static_cast<ptrdiff_t>(at));
	}

	Fd tap_;
};

/// Messages of all lengths, and what they are on the wire.
void same_by_the_second_implementation(uint16_t cipher)
{
	PlainTalk talk;
	const session::Keys keys = make_secure(talk, net::Family::v4, cipher);
	for (int i = 0; i < 3; i++)
		echo(talk, 100000);
	const Arriving arriving;
	for (const size_t length : lengths) {
		talk.client.request(talk.to, testnic::secret(length));
		const PlainMessage request = talk.server.expect();
		EQ(testnic::secret_error(request.bytes), "");
		talk.server.reply(request, testnic::secret(1));
		talk.client.expect();
	}
	const auto messages = arriving.messages();
	EQ(messages.size(), std::size(lengths));
	const auto sender = sdp_test::sender(secure::parameters(keys.client),
					     sdp_test::Direction::ClientToServer, 0);
	size_t i = 0;
	for (const auto &[number, sealed] : messages) {
		const auto opened = sdp_test::open_message(sender, number, sealed);
		CHECK(opened.has_value());
		CHECK(opened->data == testnic::secret(lengths[i++]));
		CHECK(sdp_test::seal_message(sender, *opened) == sealed);
	}
}

} // namespace

// What arrives at a host is what the second implementation of the wire format makes of the
// message, whoever has sealed it: the NIC, or the CPU.
TEST_LIMIT(second_implementation_agrees, 240)
{
	hosts->b.ns.sh("ethtool -K " + hosts->b.device + " gro off");
	for (const bool by_nic : {true, false}) {
		CHECK(hosts->a.ns.sysctl("nic_min_bytes", by_nic ? "8192" : "2000000"));
		const proc::Counters a(hosts->a.ns);
		for (const uint16_t cipher : sealed_by_nics)
			same_by_the_second_implementation(cipher);
		if (by_nic)
			CHECK(a.moved("seal_nic") > 100);
		else
			EQ(a.moved("seal_nic"), 0);
	}
	CHECK(hosts->a.ns.sysctl("nic_min_bytes", "8192"));
	hosts->b.ns.sh("ethtool -K " + hosts->b.device + " gro on");
	mlx5::clean();
}

TEST(other_ciphers_by_the_cpu)
{
	PlainTalk talk;
	make_secure(talk, net::Family::v4, SDP_CIPHER_CHACHA20_POLY1305);
	const mlx5::Moved nic;
	const Both moved;
	for (int i = 0; i < 5; i++)
		echo(talk, 100000);
	EQ(moved.moved("seal_cpu_cipher"), 70);
	EQ(nic("engine_records"), 0);
	CHECK(nic("detector_records") >= 70);
	mlx5::clean();
}

// Packets that a NIC has cut cannot be told apart there.
TEST(ipv6_by_the_cpu)
{
	for (const uint16_t cipher : sealed_by_nics) {
		PlainTalk talk(net::Family::v6);
		make_secure(talk, net::Family::v6, cipher);
		const mlx5::Moved nic;
		const Both moved;
		for (const size_t length : lengths)
			echo(talk, length);
		EQ(moved.moved("seal_nic"), 0);
		CHECK(moved.moved("seal_cpu_route") > 100);
		EQ(nic("engine_records"), 0);
		CHECK(nic("detector_records") > 100);
	}
	mlx5::clean();
}

// The module, the driver and the engine count the same records.
TEST_LIMIT(counters_add_up, 120)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	const mlx5::Moved nic;
	const Both moved;
	const auto by_driver = [] {
		return mlx5::statistic(hosts->a, "tx_sdp_tls_records") +
		       mlx5::statistic(hosts->b, "tx_sdp_tls_records");
	};
	const uint64_t before = by_driver();
	for (const size_t length : {100U, 5000U, 20000U, 100000U, 300000U})
		echo(talk, length);
	mlx5::clean();
	uint64_t cpu = 0;
	uint64_t reasons = 0;
	for (const char *name : {"aes_128_gcm", "aes_256_gcm", "chacha20_poly1305"})
		cpu += moved.moved("seal_" + std::string(name) + "_cpu");
	for (const char *name : {"small", "cipher", "no_nic", "route", "no_key", "off", "memory",
				 "no_context", "device", "cut", "again"})
		reasons += moved.moved("seal_cpu_" + std::string(name));
	EQ(cpu, reasons);
	// 100 and 5,000: one record each; 20,000: two; 100,000: seven; 300,000: 19.
	// What a slow host asks for again is sealed again.
	EQ(moved.moved("seal_nic") + cpu - moved.moved("seal_cpu_again"), 2 * (1 + 1 + 2 + 7 + 19));
	EQ(nic("engine_records"), moved.moved("seal_nic"));
	EQ(nic("engine_resyncs"), moved.moved("nic_resyncs"));
	EQ(by_driver() - before, moved.moved("seal_nic"));
}
