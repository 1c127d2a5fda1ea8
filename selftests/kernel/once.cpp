// SPDX-License-Identifier: Apache-2.0
// At most once in the clear: which requests a server remembers, and the ids that it
// knows them by.
#include <memory>
#include <poll.h>
#include <set>

#include "lib/homa_peer.hpp"
#include "lib/leaks.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"

namespace {

std::unique_ptr<net::Alone> place;

constexpr uint16_t port = 4000;
constexpr uint16_t peer_port = 0x8123;
/// Requests that the host remembers together.
constexpr unsigned together = 1024;

/// A client of an address of its own for each case, a server on the host.
struct Sides {
	PlainSocket server{place->host.ns, AF_INET, port};
	HomaPeer peer;
	proc::Counters counters{place->host.ns};

	Sides()
		: peer(place->wire,
		       net::Address::of("10.0.7." + std::to_string(getpid() % 250 + 3), peer_port),
		       place->host.at(net::Family::v4, port))
	{
	}

	void ask(uint64_t id) const { peer.send(packet::make_message(peer.ends(id), pattern(10))); }

	/// The host executes request @a id, and is told that its answer has come.
	void done(uint64_t id) const
	{
		ask(id);
		server.echo();
		peer.expect(packet::data);
		peer.send(packet::make_ack(peer.ends(id), {{id, port}}));
	}

	/// It is refused, as it has been executed.
	void refused(uint64_t id) const
	{
		uint64_t before = counters.moved("drop_program");
		ask(id);
		EVENTUALLY(counters.moved("drop_program") == before + 1);
		CHECK(!server.ready(POLLIN));
	}
};

/// The id of a request that a socket of the host sends, as it is on the wire.
uint64_t id_of_request(const PlainSocket &client, uint16_t to)
{
	net::Address there = net::Address::of("10.0.6.1", to);
	HomaPeer peer(place->wire, there, place->host.at(net::Family::v4, client.port()));

	client.request(there, pattern(10));
	return peer.expect(packet::data).homa.ends.id;
}

} // namespace

SETUP
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
}

EACH
{
	CHECK(place->host.ns.sysctl("max_peers", "65536"));
	place->host.ns.patient(true);
}

// However many others have been answered since: here some from all of 9,000.
TEST(one_lost_among_many)
{
	Sides sides;
	uint64_t lost = 100000;
	for (unsigned i = 1; i <= 70; i++)
		sides.done(lost + 128ULL * i);
	sides.done(lost - 2);
	sides.done(lost);
	sides.refused(lost);
	sides.refused(lost - 2);
	sides.refused(lost + 128ULL * 3);
	sides.refused(lost + 128ULL * 70);
}

// The server gave up before it heard that its answer had come, the client did not.
TEST(given_up_by_the_server)
{
	Sides sides;
	place->host.ns.patient(false);
	sides.ask(100);
	sides.server.echo();
	EVENTUALLY(proc::lines(place->host.ns, "rpcs").empty());
	place->host.ns.patient(true);
	for (unsigned i = 0; i < 4; i++) {
		sides.refused(100);
		usleep(500000);
	}
}

// Nothing is forgotten for the sake of others: these have to wait.
TEST(no_room_to_remember)
{
	Sides sides;
	CHECK(place->host.ns.sysctl("max_peers", "8"));
	auto full = [&] { return sides.counters.moved("drop_seen_limit"); };
	unsigned parts = 0;
	for (;; parts++) {
		sides.ask(2ULL * together * parts);
		EVENTUALLY(full() || sides.server.ready(POLLIN));
		if (full())
			break;
		sides.server.echo();
		sides.peer.expect(packet::data);
	}
	CHECK(parts > 0 && parts <= 8);
	sides.peer.expect(packet::busy);
	sides.ask(2ULL * together * 20);
	sides.peer.expect(packet::busy);
	EQ(full(), 2U);
	CHECK(!sides.server.ready(POLLIN));
	CHECK(place->host.ns.sysctl("max_peers", "65536"));
	sides.done(2ULL * together * 20);
	for (unsigned i = 0; i < parts; i++) {
		uint64_t id = 2ULL * together * i;
		size_t open = proc::lines(place->host.ns, "rpcs").size();
		sides.peer.send(packet::make_ack(sides.peer.ends(id), {{id, port}}));
		EVENTUALLY(proc::lines(place->host.ns, "rpcs").size() < open);
		sides.refused(id);
	}
}

// Bit 63 is zero, 16 bits are the port's, the rest counts what the socket sends.
TEST(ids_tell_nothing_of_other_sockets)
{
	auto of_port = [](uint64_t id) { return id >> 47; };
	PlainSocket one(place->host.ns, AF_INET, 5001);
	PlainSocket two(place->host.ns, AF_INET, 5002);
	uint64_t first = id_of_request(one, 9);
	uint64_t other = id_of_request(two, 9);
	uint64_t second = id_of_request(one, 10);
	EQ(first >> 63, 0U);
	EQ(other >> 63, 0U);
	EQ(first & 1, 0U);
	EQ(second, first + 2);
	CHECK(of_port(first) != of_port(other));
	one.abort(0, 0, 0);
	two.abort(0, 0, 0);
	one.close();
	// The port's next owner does not go on where the former one was.
	PlainSocket next(place->host.ns, AF_INET, 5001);
	uint64_t third = id_of_request(next, 9);
	EQ(of_port(third), of_port(first));
	CHECK(third < first || third - first > 1000000);
	next.abort(0, 0, 0);
}

TEST(no_two_ports_share_ids)
{
	std::set<uint64_t> seen;
	for (uint16_t at = 6000; at < 6020; at++) {
		PlainSocket client(place->host.ns, AF_INET, at);
		CHECK(seen.insert(id_of_request(client, 9) >> 47).second);
		client.abort(0, 0, 0);
	}
}
