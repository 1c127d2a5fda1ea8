// SPDX-License-Identifier: Apache-2.0
// Peers with sessions that take grants and do not send what they were granted, or hardly:
// beside many of them a long message of another peer, to another socket, is granted to and
// arrives, while they go on.
#include <chrono>
#include <map>
#include <memory>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "lib/keyed.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"

using namespace keyed;

namespace {

constexpr uint8_t secure_grant = packet::grant | packet::secure_bit;
constexpr uint32_t announced = 100; // bytes that come unasked
constexpr uint16_t first_port = 5000;

/// A message of a peer in the hands of the test, sent as it likes.
struct Outgoing {
	Outgoing(secure::Peer &by, uint16_t server, uint64_t number, uint64_t id, size_t length)
		: peer(&by),
		  server_port(server),
		  message(secure::request(number, id, pattern(length))),
		  sealed(sdp_test::seal_message(by.out(), message))
	{
	}

	/// The next bytes, up to @a until, in packets of @a piece.
	void send(uint32_t until, uint32_t piece)
	{
		while (sent < until) {
			uint32_t length = std::min(piece, until - sent);
			sdp_test::DataHeader header;
			header.source = peer->self().port();
			header.destination = server_port;
			header.sequence = sent;
			header.rpc_id = message.rpc_id;
			header.message_number = message.number;
			header.message_length = static_cast<uint32_t>(sealed.size());
			header.incoming = std::max(announced, granted);
			header.cutoff_version = 1;
			header.packet_payload = static_cast<uint16_t>(piece);
			Bytes homa = sdp_test::data_header(peer->out(), header);
			homa.insert(homa.end(), sealed.begin() + sent,
				    sealed.begin() + sent + length);
			peer->send(homa);
			sent += length;
		}
	}

	secure::Peer *peer;
	uint16_t server_port;
	secure::Message message;
	Bytes sealed;
	uint32_t sent = 0;
	uint32_t granted = announced;
};

/// What comes at the peers, and what they do of themselves.
class Peers {
public:
	void add(Outgoing &message, bool honest)
	{
		messages_[{message.peer->self().port(), message.message.rpc_id}] = {&message,
										    honest};
		message.send(announced, announced);
	}

	/// All that the host sends, for @a milliseconds without a packet at most; who is honest
	/// sends what it is granted at once, the others say that they are busy.
	void answer(int milliseconds)
	{
		for (;;) {
			auto raw = place->wire.receive(milliseconds);
			if (raw.empty())
				return;
			milliseconds = 0;
			packet::Datagram ip = packet::parse_ip(raw);
			if (ip.next != packet::protocol || !secure::is_secure(ip.payload))
				continue;
			auto found = messages_.find({static_cast<uint16_t>(get(ip.payload, 2, 2)),
						     get(ip.payload, 20, 8) & ~1ULL});
			if (found != messages_.end())
				heard(*found->second.first, found->second.second, ip.payload);
		}
	}

private:
	static void heard(Outgoing &m, bool honest, const Bytes &homa)
	{
		const uint8_t type = secure::type_of(homa);
		if (type == secure_grant)
			m.granted = std::max(m.granted, static_cast<uint32_t>(get(homa, 28, 4)));
		if (type == secure_resend)
			m.peer->send(m.peer->control(packet::busy, m.message.rpc_id, {}));
		if (honest)
			m.send(m.granted, 1400);
	}

	std::map<std::pair<uint16_t, uint64_t>, std::pair<Outgoing *, bool>> messages_;
};

/// Takers, each with several messages, of which they send @a piece bytes now and then.
void beside_takers(unsigned count, uint32_t length, uint32_t piece)
{
	constexpr unsigned each = 3;
	PlainSocket theirs(place->host.ns, AF_INET, port);
	PlainSocket server(place->host.ns, AF_INET, port + 1);
	secure::Peer honest(place->wire, net::Address::of("10.0.0.200", 4999), host_at(port + 1),
			    server.fd());
	std::vector<std::unique_ptr<secure::Peer>> takers;
	std::vector<std::unique_ptr<Outgoing>> taken;
	Peers peers;
	for (unsigned i = 0; i < count; i++) {
		takers.push_back(std::make_unique<secure::Peer>(
			place->wire,
			net::Address::of("10.0.0." + std::to_string(20 + i),
					 static_cast<uint16_t>(first_port + i)),
			host_at(), theirs.fd()));
		for (unsigned k = 0; k < each; k++) {
			taken.push_back(std::make_unique<Outgoing>(
				*takers.back(), port, k, 1000 + 2 * (each * i + k), length));
			peers.add(*taken.back(), false);
		}
	}
	auto act = [&] {
		peers.answer(2);
		if (piece != 0)
			for (auto &m : taken)
				m->send(std::min(m->granted, m->sent + piece), piece);
	};
	for (unsigned i = 0; i < 50; i++)
		act();
	unsigned granted = 0;
	for (auto &m : taken)
		granted += m->granted > announced ? 1 : 0;
	CHECK(granted >= (count > 1 ? 4 : 1)); // they have all that there is
	for (uint64_t number = 0; number < 2; number++) {
		Outgoing message(honest, port + 1, number, 7000 + 2 * number, 300000);
		peers.add(message, true);
		const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
		while (!server.ready(POLLIN, 0)) {
			act();
			CHECK(std::chrono::steady_clock::now() < end);
		}
		PlainMessage got = server.expect();
		EQ(got.result, 300000);
		EQ(pattern_error(got.bytes), "");
	}
}

} // namespace

SETUP
{
	alone();
}

// So late that quanta come in time on a slow machine.
EACH
{
	CHECK(place->host.ns.sysctl("resend_us", "50000"));
}

TEST_LIMIT(many_that_are_silent, 120)
{
	beside_takers(20, 180000, 0);
}

TEST_LIMIT(many_that_are_granted_whole, 120)
{
	beside_takers(20, 99800, 0);
}

// A byte at a time is progress: they hold what they were granted for ever.
TEST_LIMIT(many_that_trickle, 120)
{
	beside_takers(20, 180000, 1);
}

TEST_LIMIT(one_that_trickles, 120)
{
	beside_takers(1, 99800, 1);
}

// One asks for long responses, takes none of them, and says that it is busy. Others have their
// answers: those that ask for the first time at once, the next when that has been taken.
TEST_LIMIT(responses_that_nobody_takes, 120)
{
	constexpr uint16_t taker_port = first_port, honest_port = first_port + 1;
	PlainSocket server(place->host.ns, AF_INET, port);
	int size = 1 << 20;
	OK(setsockopt(server.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	secure::Peer taker(place->wire, net::Address::of("10.0.0.20", taker_port), host_at(port),
			   server.fd());
	const auto asked = [&](secure::Peer &by, uint64_t number) {
		by.send_message(secure::request(number, 1000 + 2 * number, pattern(20)));
		return server.expect();
	};
	const auto answer = [&](PlainMessage &to, size_t length, int flags) {
		auto rpc = rpc_cmsg(to.rpc->id);
		return server.send(&to.from, pattern(length), &rpc, flags);
	};
	for (uint64_t i = 0; i < 2; i++) { // half a megabyte
		PlainMessage got = asked(taker, i);
		CHECK(answer(got, 400000, MSG_DONTWAIT) == 400000);
	}
	PlainMessage more = asked(taker, 2);
	// Whoever tries again and again uses up nothing of the key.
	const auto blocks = [&] {
		return session::info(server.fd(), net::Address::of("10.0.0.20", taker_port))
			.tx_blocks;
	};
	const uint64_t before = blocks();
	for (int i = 0; i < 10; i++)
		FAILS(answer(more, 100, MSG_DONTWAIT), EAGAIN);
	EQ(blocks(), before);

	secure::Peer honest(place->wire, net::Address::of("10.0.0.21", honest_port), host_at(port),
			    server.fd());
	PlainMessage first = asked(honest, 0), second = asked(honest, 1);
	CHECK(answer(first, 100, MSG_DONTWAIT) == 100);
	FAILS(answer(second, 100, MSG_DONTWAIT), EAGAIN);
	pollfd writable{server.fd(), POLLOUT, 0};
	CHECK(poll(&writable, 1, 0) == 0);
	// Who waits is woken though there is no room for all.
	std::thread acknowledges([&] {
		usleep(100000);
		honest.acknowledge(1000);
	});
	const ssize_t then = answer(second, 100, 0);
	acknowledges.join();
	CHECK(then == 100);
	CHECK(poll(&writable, 1, 0) == 0);
}
