// SPDX-License-Identifier: Apache-2.0
// Requests in the clear whose source address is not their sender's: what the server
// sends to the victim, and what clients that have their address pay for that.
#include <map>
#include <poll.h>

#include "lib/homa_peer.hpp"
#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"

namespace {

std::unique_ptr<net::Alone> place;

constexpr uint16_t port = 4000;
constexpr uint16_t peer_port = 0x8123;
constexpr uint32_t long_response = 1000000;

/// An address of its own for each case, so that the host remembers nothing of it.
net::Address peer_at(bool v6 = false)
{
	auto number = static_cast<unsigned>(getpid());
	std::string last = std::to_string(number / 250 % 250 + 1) + (v6 ? ":" : ".") +
			   std::to_string(number % 250 + 3);
	return net::Address::of((v6 ? "fd00::" : "10.0.") + last, peer_port);
}

HomaPeer peer_of_host(bool v6 = false)
{
	return {place->wire, peer_at(v6),
		place->host.at(v6 ? net::Family::v6 : net::Family::v4, port)};
}

/// Bytes with IP headers, packets by type.
struct Traffic {
	size_t bytes = 0;
	std::map<uint8_t, unsigned> packets;
};

/// Sends in the victim's name, and listens on its wire.
class Forger {
public:
	explicit Forger(bool v6 = false) : peer(peer_of_host(v6)), header_(v6 ? 40 : 20) {}

	void send(const Bytes &homa)
	{
		sent += homa.size() + header_;
		peer.send(homa);
	}

	void request(uint64_t id, uint16_t version = 0, uint32_t length = 100)
	{
		packet::Data fields{
			.message_length = length, .incoming = length, .cutoff_version = version};
		send(packet::make_data(peer.ends(id), fields, pattern(length)));
	}

	/// What comes until there is silence.
	void listen(int milliseconds = 100)
	{
		while (auto seen = peer.next(milliseconds)) {
			victim.bytes += seen->ip.payload.size() + header_;
			victim.packets[seen->homa.type]++;
			if (seen->homa.type == packet::cutoffs)
				told = seen->homa.cutoff_version;
		}
	}

	HomaPeer peer;
	size_t sent = 0;
	Traffic victim;
	uint16_t told = 0;

private:
	size_t header_;
};

/// What threat-model.md has measured: GRANT, and all of it again and again.
void attack(Forger &forger, const PlainSocket &server, int rounds)
{
	forger.request(1000);
	server.reply(server.expect(), pattern(long_response));
	forger.listen();
	for (int i = 0; i < rounds; i++) {
		forger.send(packet::make_grant(forger.peer.ends(1000), long_response));
		forger.send(packet::make_resend(forger.peer.ends(1000), 0, long_response));
		forger.send(packet::make_resend(forger.peer.ends(1000), 0, packet::everything));
		forger.listen(20);
	}
}

} // namespace

SETUP
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
}

EACH
{
	CHECK(place->host.ns.sysctl("prove_addresses", "1"));
	CHECK(place->host.ns.sysctl("resend_us", "5000"));
}

TEST(a_forger_gets_three_times_its_bytes_sent)
{
	for (bool v6 : {false, true}) {
		PlainSocket server(place->host.ns, v6 ? AF_INET6 : AF_INET, port);
		proc::Counters counters(place->host.ns);
		Forger forger(v6);
		attack(forger, server, 20);
		CHECK(forger.victim.bytes <= 3 * forger.sent);
		EQ(forger.victim.packets[packet::data], 0);
		CHECK(forger.victim.packets[packet::resend] > 0);
		EQ(counters.moved("unproven_held"), 1);
		forger.send(packet::make_ack(forger.peer.ends(1000), {}));
	}
}

TEST(a_sysctl_turns_it_off)
{
	CHECK(place->host.ns.sysctl("prove_addresses", "0"));
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	Forger forger;
	attack(forger, server, 3);
	CHECK(forger.victim.bytes > 100 * forger.sent);
	EQ(counters.moved("unproven_held"), 0);
	EQ(forger.told, 1);
	forger.send(packet::make_ack(forger.peer.ends(1000), {}));
}

TEST(who_waits_goes_on_when_it_is_turned_off)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = peer_of_host();
	peer.send_data(peer.ends(1000), pattern(100), 0, 100);
	server.reply(server.expect(), pattern(5000));
	peer.expect(packet::resend);
	CHECK(place->host.ns.sysctl("prove_addresses", "0"));
	peer.send_data(peer.ends(1000), pattern(100), 0, 1, 1);
	EQ(peer.expect(packet::data).homa.message_length, 5000);
	peer.send(packet::make_ack(peer.ends(1000), {}));
}

TEST(a_long_request_is_asked_for_within_the_bound)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	Forger forger;
	packet::Data fields{.message_length = 100000, .incoming = 1};
	forger.send(packet::make_data(forger.peer.ends(1000), fields, pattern(1)));
	EVENTUALLY(counters.moved("unproven_unsent") > 0);
	forger.listen();
	CHECK(forger.victim.bytes <= 3 * forger.sent);
	CHECK(forger.victim.packets[packet::resend] > 0);
}

TEST_LIMIT(a_first_response_of_a_megabyte, 120)
{
	for (bool v6 : {false, true}) {
		for (uint32_t length : {1U, 64U, 9000U}) {
			PlainSocket server(place->host.ns, v6 ? AF_INET6 : AF_INET, port);
			proc::Counters counters(place->host.ns);
			HomaPeer peer = peer_of_host(v6);
			peer.payload = 1404;
			peer.next_id = 2000 + length * 2;
			test::Thread serving(
				[&] { server.reply(server.expect(), pattern(long_response)); });
			Bytes response = peer.call(pattern(length));
			serving.join();
			EQ(response.size(), long_response);
			EQ(pattern_error(response), "");
			// The first of this address has shown it for all.
			EQ(counters.moved("unproven_held"), length == 1 ? 1 : 0);
		}
	}
}

TEST(a_short_first_response_is_sent_at_once)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	CHECK(place->host.ns.sysctl("resend_us", "900000"));
	Forger forger;
	forger.request(1000, 0, 64);
	server.reply(server.expect(), pattern(64));
	forger.listen();
	EQ(forger.victim.packets[packet::cutoffs], 1);
	EQ(forger.victim.packets[packet::data], 1);
	EQ(forger.victim.packets[packet::resend], 0);
	CHECK(forger.victim.bytes <= 3 * forger.sent);
	forger.send(packet::make_ack(forger.peer.ends(1000), {}));
}

TEST(addresses_are_told_different_versions)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	std::map<uint16_t, unsigned> versions;
	for (unsigned i = 10; i < 30; i++) {
		HomaPeer peer(place->wire, net::Address::of("10.0.0." + std::to_string(i), 999),
			      place->host.at(net::Family::v4, port));
		peer.send_data(peer.ends(1000), pattern(10), 0, 10);
		uint16_t version = peer.expect(packet::cutoffs).homa.cutoff_version;
		CHECK(version != 0);
		versions[version]++;
	}
	// Two of them may be the same, by chance of 1 in 345.
	CHECK(versions.size() >= 18);
}

/// Guesses are counted, and from the eighth on nothing is believed.
TEST(an_address_is_unproven_after_eight_guesses)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	Forger forger;
	forger.request(1000);
	server.expect();
	forger.listen();
	for (uint16_t i = 1; i <= 8; i++)
		forger.request(1000 + 2 * i, static_cast<uint16_t>(forger.told + i));
	EVENTUALLY(counters.moved("wrong_echoes") == 8);
	forger.request(2000, forger.told);
	PlainMessage last;
	do {
		last = server.expect();
	} while (last.rpc->id != 2001);
	server.reply(last, pattern(long_response));
	forger.listen();
	forger.request(2000, forger.told);
	forger.listen();
	EQ(forger.victim.packets[packet::data], 0);
	EQ(counters.moved("unproven_held"), 1);
}

TEST(a_version_of_before_is_one_guess)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	HomaPeer peer = peer_of_host();
	// Of a former boot, in many requests at once.
	packet::Data fields{.message_length = 100, .incoming = 100, .cutoff_version = 7};
	for (unsigned i = 0; i < 20; i++)
		peer.send(packet::make_data(peer.ends(1000 + 2 * i), fields, pattern(100)));
	for (unsigned i = 0; i < 20; i++)
		server.expect();
	peer.next_id = 3000;
	test::Thread serving([&] { server.reply(server.expect(), pattern(long_response)); });
	EQ(peer.call(pattern(100)).size(), long_response);
	serving.join();
}

TEST(a_proven_client_stays_so)
{
	PlainSocket server(place->host.ns, AF_INET, port);
	proc::Counters counters(place->host.ns);
	HomaPeer peer = peer_of_host();
	auto call = [&](uint64_t id) {
		peer.next_id = id;
		test::Thread serving([&] {
			PlainMessage request;
			do {
				request = server.expect();
			} while (request.rpc->id != id + 1);
			server.reply(request, pattern(long_response));
		});
		EQ(peer.call(pattern(100)).size(), long_response);
		serving.join();
	};
	call(1000);
	EQ(counters.moved("unproven_held"), 1);
	// Somebody sends in its name.
	packet::Data fields{.message_length = 100, .incoming = 100};
	for (uint16_t i = 1; i <= 100; i++) {
		fields.cutoff_version = i;
		peer.send(packet::make_data(peer.ends(2000 + 2 * i), fields, pattern(100)));
	}
	call(3000);
	EQ(counters.moved("unproven_held"), 1);
	EQ(counters.moved("wrong_echoes"), 1);
}
