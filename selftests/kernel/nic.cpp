// SPDX-License-Identifier: Apache-2.0
// Messages that a NIC seals, on the test back end of selftests/testnic: whole, once, never
// in the clear, under no record number twice, and counted.
#include <atomic>
#include <chrono>
#include <memory>
#include <poll.h>
#include <thread>

#include "lib/load.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"
#include "lib/testnic.hpp"
#include "lib/trace.hpp"

namespace {

using testnic::echo;
using testnic::Load;

uint64_t by_cpu(const proc::Counters &counters)
{
	return counters.moved("seal_aes_128_gcm_cpu") + counters.moved("seal_aes_256_gcm_cpu") +
	       counters.moved("seal_chacha20_poly1305_cpu");
}

/// Of the CPU's: what they were sealed there for.
uint64_t with_reason(const proc::Counters &counters)
{
	uint64_t sum = 0;
	for (const char *name : {"small", "cipher", "no_nic", "route", "no_key", "off", "memory",
				 "no_context", "device", "cut", "again"})
		sum += counters.moved(std::string("seal_cpu_") + name);
	return sum;
}

session::Keys secure(const PlainTalk &talk, uint16_t cipher = SDP_CIPHER_AES_128_GCM)
{
	return make_secure(talk, net::Family::v4, cipher);
}

void set_resend(const std::string &microseconds)
{
	for (const net::Host *host : {&hosts->a, &hosts->b})
		CHECK(host->ns.sysctl("resend_us", microseconds));
}

} // namespace

SETUP
{
	testnic::two_hosts();
}

EACH
{
	testnic::set("contexts_max", 64);
	testnic::clear();
}

// Around the ends of records, segments, batches; both ciphers.
TEST_LIMIT(all_lengths, 240)
{
	for (const uint16_t cipher :
	     {uint16_t{SDP_CIPHER_AES_128_GCM}, uint16_t{SDP_CIPHER_AES_256_GCM}}) {
		PlainTalk talk;
		secure(talk, cipher);
		testnic::warm(talk);
		uint64_t seed = 1;
		for (const size_t length :
		     {size_t{1}, size_t{8191}, size_t{8192}, size_t{16200}, size_t{16239},
		      size_t{16240}, size_t{16255}, size_t{32400}, size_t{48700}, size_t{64900},
		      size_t{65000}, size_t{65100}, size_t{81300}, size_t{200000}, size_t{1000000}})
			echo(talk, length, seed += 2);
		testnic::clean();
	}
	CHECK(testnic::counters()["sealed_records"] > 150);
}

// What was sealed is by the NIC's count and ours the same, and by all reasons all.
TEST(counters_add_up)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	const proc::Counters a(hosts->a.ns);
	const proc::Counters b(hosts->b.ns);
	testnic::clear();
	for (const size_t length : {100U, 5000U, 20000U, 100000U, 300000U})
		echo(talk, length);
	testnic::clean();
	auto nic = testnic::counters();
	EQ(nic["sealed_records"], a.moved("seal_nic") + b.moved("seal_nic"));
	EQ(nic["resyncs"], a.moved("nic_resyncs") + b.moved("nic_resyncs"));
	for (const proc::Counters *counters : {&a, &b}) {
		EQ(by_cpu(*counters), with_reason(*counters));
		// 20,000: two records; 100,000: seven; 300,000: 19. A queue's first ones
		// come before it has a context.
		EQ(counters->moved("seal_nic") + counters->moved("seal_cpu_no_context"), 28);
		EQ(counters->moved("seal_cpu_small"), 2);
	}
}

TEST(session_says_who_seals)
{
	PlainTalk talk;
	const Trace trace("sdp/sdp_session");
	secure(talk);
	EQ(session::info(talk.client.fd(), talk.to).offload, SDP_OFFLOAD_CPU);
	testnic::warm(talk);
	sdp_session_info info = session::info(talk.client.fd(), talk.to);
	EQ(info.offload, SDP_OFFLOAD_NIC);
	CHECK(info.nic_records > 0);
	testnic::set("vanish", 1);
	echo(talk, 100000);
	EQ(session::info(talk.client.fd(), talk.to).offload, SDP_OFFLOAD_CPU);
	testnic::set("vanish", 0);
	std::map<std::string, unsigned> told;
	Trace::lines("change=sealed by ", [&](const std::string &line) {
		told[line.substr(line.find("sealed by "), 13)]++;
	});
	CHECK(told["sealed by NIC"] >= 2 && told["sealed by CPU"] >= 1);
	testnic::clean();
}

TEST(other_ciphers_by_the_cpu)
{
	PlainTalk talk;
	secure(talk, SDP_CIPHER_CHACHA20_POLY1305);
	const proc::Counters a(hosts->a.ns);
	for (int i = 0; i < 5; i++)
		echo(talk, 100000);
	EQ(a.moved("seal_cpu_cipher"), 35);
	EQ(testnic::counters()["keys"], 0);
}

TEST(ipv6_by_the_cpu)
{
	PlainTalk talk(net::Family::v6);
	make_secure(talk, net::Family::v6);
	const proc::Counters a(hosts->a.ns);
	for (int i = 0; i < 5; i++)
		echo(talk, 100000);
	EQ(a.moved("seal_cpu_route"), 35);
	EQ(testnic::counters()["sealed_records"], 0);
	testnic::clean();
}

// Packets that are lost after the context was asked for: the next one is told anew, and
// what was lost is sealed by the CPU.
TEST(not_posted)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	const proc::Counters a(hosts->a.ns);
	const proc::Counters b(hosts->b.ns);
	for (int i = 0; i < 6; i++) {
		testnic::set("drop_posts", 3);
		echo(talk, 200000, static_cast<uint64_t>(i));
	}
	testnic::clean();
	// Where a busy machine asks for much again, the NIC is turned off meanwhile.
	const bool off = a.moved("nic_off") + b.moved("nic_off") > 0;
	CHECK(testnic::counters()["dropped"] >= (off ? 1 : 12));
	CHECK(a.moved("seal_cpu_again") + b.moved("seal_cpu_again") > 0);
}

// More sessions than the devices have contexts for: those idle give way.
TEST_LIMIT(more_sessions_than_contexts, 120)
{
	testnic::set("contexts_max", 3);
	std::vector<std::unique_ptr<PlainSocket>> clients;
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	const net::Address to = hosts->b.at(net::Family::v4, server_port);
	for (int i = 0; i < 8; i++) {
		clients.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		session::join(clients.back()->fd(),
			      hosts->a.at(net::Family::v4, clients.back()->port()), server.fd(),
			      to);
	}
	const proc::Counters a(hosts->a.ns);
	for (uint64_t round = 0; round < 12; round++) {
		for (auto &client : clients)
			client->request(to, testnic::secret(100000, round));
		for (size_t i = 0; i < clients.size(); i++)
			server.echo();
		for (auto &client : clients)
			EQ(testnic::secret_error(client->expect().bytes, round), "");
		std::this_thread::sleep_for(std::chrono::milliseconds(50));
	}
	testnic::clean();
	CHECK(a.moved("seal_nic") > 0);
	CHECK(testnic::counters()["refused_contexts"] > 0);
}

// The key's end comes with the next epoch's beginning; nothing waits for either.
TEST_LIMIT(rekey_under_load, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	testnic::set("slow_ms", 20);
	Load load(talk);
	for (int i = 0; i < 8; i++) {
		load.more(5);
		session::rekey(talk.client.fd(), talk.to);
	}
	load.check();
	testnic::set("slow_ms", 0);
	testnic::until("keys of old epochs are gone",
		       [] { return testnic::counters()["keys_now"] <= 6; });
	testnic::clean();
}

// Numbers begin anew with each epoch: what is left of a message of the epoch before is not
// taken for the message of the same number, though both are on their way.
TEST_LIMIT(same_number_in_the_next_epoch, 120)
{
	constexpr unsigned number = 20;
	PlainTalk talk;
	secure(talk);
	const int room = 4 << 20;
	OK(setsockopt(talk.client.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)));
	testnic::warm(talk);
	OK(session::rekey(talk.client.fd(), talk.to));
	unsigned sent = 0;
	testnic::until("the next key is there", [&] {
		const proc::Counters of_this(hosts->a.ns);
		echo(talk, 20000);
		sent++;
		return of_this.moved("seal_nic") != 0;
	});
	for (; sent < number; sent++)
		echo(talk, 100);
	EQ(sent, number);
	const proc::Counters a(hosts->a.ns);
	// Nobody asks for anything while the devices are held up, and so no grant comes.
	set_resend("1000000");
	testnic::set("slow_us", 500000);
	talk.client.request(talk.to, testnic::secret(900000, 1), 1);
	OK(session::rekey(talk.client.fd(), talk.to));
	talk.client.request(talk.to, testnic::secret(20000, 2), 2);
	testnic::until("and the one after", [&] { return a.moved("nic_keys") != 0; });
	for (unsigned i = 1; i < number; i++)
		talk.client.request(talk.to, testnic::secret(100, 3), 3);
	const uint64_t no_key = a.moved("seal_cpu_no_key");
	talk.client.request(talk.to, testnic::secret(100000, 4), 4);
	testnic::set("slow_us", 0);
	for (unsigned i = 0; i < number + 2; i++)
		talk.server.echo();
	for (unsigned i = 0; i < number + 2; i++) {
		const PlainMessage response = talk.client.expect();
		EQ(testnic::secret_error(response.bytes, response.rpc->cookie), "");
	}
	set_resend("5000");
	testnic::clean();
	EQ(a.moved("nic_drop_packet"), 0);
	EQ(a.moved("nic_off"), 0);
	// The second one was for the NIC, too.
	EQ(a.moved("seal_cpu_no_key"), no_key);
}

TEST_LIMIT(device_vanishes_under_load, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	Load load(talk);
	for (int i = 0; i < 6; i++) {
		load.more(4);
		testnic::set("vanish", 1);
		testnic::set("vanish", 3);
		load.more(4);
		testnic::set("vanish", 0);
		testnic::set("vanish", 2);
	}
	load.check();
	testnic::clean();
}

// What was posted is lost, as when a queue is reset: nobody seals on from where it was.
TEST_LIMIT(queues_lose_what_was_posted, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	testnic::set("slow_us", 300);
	Load load(talk);
	for (int i = 0; i < 20; i++) {
		load.more(1);
		testnic::set("lose", 0);
		testnic::set("lose", 1);
	}
	load.check();
	testnic::set("slow_us", 0);
	testnic::clean();
	CHECK(testnic::counters()["lost"] > 0);
}

// Also while the device goes, whose contexts seal until the last of them is gone.
TEST_LIMIT(queues_lose_while_the_device_goes, 180)
{
	PlainTalk one;
	PlainSocket other(hosts->a.ns, AF_INET);
	secure(one);
	session::join(other.fd(), hosts->a.at(net::Family::v4, other.port()), one.server.fd(),
		      one.to);
	std::atomic<bool> stop = false;
	std::atomic<unsigned> bad = 0;
	testnic::warm(one);
	testnic::set("slow_us", 300);
	for (int i = 0; i < 2; i++) {
		testnic::warm(one);
		Load load(one);
		std::thread more([&] {
			for (uint64_t seed = 1; !stop; seed++) {
				other.request(one.to, testnic::secret(150000, seed));
				bad += !testnic::secret_error(other.expect().bytes, seed).empty();
			}
		});
		load.more(4);
		testnic::set("slow_ms", 100);
		std::thread going([] { testnic::set("vanish", 1); });
		for (int n = 0; n < 30; n++) {
			testnic::set("lose", 0);
			std::this_thread::sleep_for(std::chrono::milliseconds(10));
		}
		going.join();
		testnic::set("slow_ms", 0);
		testnic::set("vanish", 0);
		stop = true;
		more.join();
		stop = false;
		load.check();
	}
	EQ(bad.load(), 0U);
	testnic::set("slow_us", 0);
	testnic::clean();
}

// Who finds another device in the key's place again and again does not make a key each time.
TEST_LIMIT(keys_are_not_replaced_at_every_message, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	testnic::clear();
	const auto start = std::chrono::steady_clock::now();
	for (uint64_t i = 0; i < 30; i++) {
		testnic::set("vanish", 1);
		echo(talk, 100000, i);
		testnic::set("vanish", 0);
		echo(talk, 100000, i);
	}
	const auto took = std::chrono::steady_clock::now() - start;
	const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(took).count();
	// One for each second and each host.
	CHECK(testnic::counters()["keys"] <= 2 * (static_cast<uint64_t>(seconds) + 2));
	testnic::until("the device seals again", [&] {
		const proc::Counters a(hosts->a.ns);
		echo(talk, 100000);
		return a.moved("seal_nic") != 0;
	});
	testnic::clean();
}

TEST_LIMIT(device_refuses, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::set("fail_keys", ENOSPC);
	for (int i = 0; i < 5; i++)
		echo(talk, 100000);
	EQ(testnic::counters()["sealed_records"], 0);
	CHECK(testnic::counters()["refused_keys"] > 0);
	testnic::set("fail_keys", 0);
	testnic::set("fail_contexts", ENOMEM);
	std::this_thread::sleep_for(std::chrono::milliseconds(1200));
	for (int i = 0; i < 5; i++)
		echo(talk, 100000);
	EQ(testnic::counters()["sealed_records"], 0);
	testnic::set("fail_contexts", 0);
	testnic::warm(talk);
	testnic::clean();
}

// Bad records are asked for again, sealed by the CPU, and the session moves to its next
// epoch; too many, and the CPU has it for a while.
TEST_LIMIT(bad_records, 120)
{
	PlainTalk talk;
	secure(talk);
	testnic::warm(talk);
	const proc::Counters a(hosts->a.ns);
	testnic::set("corrupt", 20);
	for (uint64_t i = 0; i < 12; i++)
		echo(talk, 300000, i);
	testnic::set("corrupt", 0);
	CHECK(a.moved("nic_off") >= 1);
	CHECK(a.moved("epochs_sent") >= 1);
	testnic::warm(talk);
	testnic::clean();
}

// However many records one burst has cost, it is one burst.
TEST_LIMIT(a_burst_turns_the_nic_off_once, 120)
{
	PlainTalk talk;
	secure(talk);
	const int room = 4 << 20;
	OK(setsockopt(talk.client.fd(), SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)));
	testnic::warm(talk);
	const proc::Counters a(hosts->a.ns);
	testnic::set("drop_posts", 60);
	for (uint64_t i = 0; i < 30; i++)
		talk.client.request(talk.to, testnic::secret(60000, i), i);
	for (uint64_t i = 0; i < 30; i++)
		talk.server.echo();
	for (uint64_t i = 0; i < 30; i++) {
		const PlainMessage response = talk.client.expect();
		EQ(testnic::secret_error(response.bytes, response.rpc->cookie), "");
	}
	testnic::set("drop_posts", 0);
	CHECK(a.moved("seal_cpu_again") > 60);
	EQ(a.moved("nic_off"), 1);
	testnic::clean();
}

// Slow, and many at once: many messages in the rings while sockets are closed.
TEST_LIMIT(sockets_closed_with_packets_on_their_way, 120)
{
	testnic::set("slow_us", 500);
	for (int i = 0; i < 10; i++) {
		PlainTalk talk;
		secure(talk);
		echo(talk, 100000);
		for (int n = 0; n < 20; n++)
			talk.client.request(talk.to, testnic::secret(100000));
	}
	testnic::set("slow_us", 0);
	testnic::until("keys are gone", [] {
		auto nic = testnic::counters();
		return nic["keys_now"] == 0 && nic["contexts_now"] == 0;
	});
	testnic::clean();
}
