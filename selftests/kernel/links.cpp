// SPDX-License-Identifier: Apache-2.0
// Links that are not kind: slow ones with deep and with short queues, a tunnel that
// encrypts, paths that only short packets pass, neighbours that take their time. What
// is sent for a message is counted; every RPC ends.
#include <poll.h>

#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"

namespace {

constexpr uint16_t port = 4000;

enum class Mode { clear, secure };

const char *name(Mode mode)
{
	return mode == Mode::clear ? "clear" : "secure";
}

/// Two hosts and a router between them, whose packets are cut before they get there.
struct Path {
	explicit Path(unsigned mtu = 1500) : net(mtu)
	{
		for (const net::Host *host : {&net.a, &net.b}) {
			host->ns.sh("ethtool -K eth0 tso off gso off");
			host->ns.patient(false);
		}
	}

	/// @a netem: what both of the router's devices do with packets.
	void shape(const std::string &netem) const
	{
		for (const char *device : {"to_a", "to_b"})
			net.router.sh(std::string("tc qdisc replace dev ") + device +
				      " root netem " + netem);
	}

	/// Drops IPv4 packets of 1,024 bytes and more (to 8,191) on the way to both hosts,
	/// without a word.
	void drop_long() const
	{
		for (const char *device : {"to_a", "to_b"}) {
			std::string dev = std::string(" dev ") + device;
			net.router.sh("tc qdisc add" + dev + " clsact");
			for (const char *match :
			     {"0x0400 0xfc00", "0x0800 0xf800", "0x1000 0xf000"})
				net.router.sh("tc filter add" + dev +
					      " egress protocol ip u32 match u16 " + match +
					      " at 2 action drop");
		}
	}

	net::Routed net;
};

struct Ends {
	Ends(const net::Netns &from, const net::Address &from_at, const net::Netns &at,
	     const net::Address &server_at, Mode mode)
		: client(from, AF_INET), server(at, AF_INET, port), to(server_at)
	{
		if (mode == Mode::clear)
			return;
		OK(net::bind_to(client.fd(), net::Address::any(AF_INET, 0)));
		net::Address own = net::Address::of(
			from_at.text().substr(0, from_at.text().find('#')), client.port());
		session::join(client.fd(), own, server.fd(), to);
	}

	Ends(const Path &path, Mode mode)
		: Ends(path.net.a.ns, path.net.a.at(net::Family::v4, port), path.net.b.ns,
		       path.net.b.at(net::Family::v4, port), mode)
	{
	}

	PlainSocket client;
	PlainSocket server;
	net::Address to;
};

/// What an end has sent since then.
struct Sent {
	explicit Sent(const net::Netns &ns) : counters(ns) {}

	[[nodiscard]] uint64_t bytes() const { return counters.moved("tx_bytes"); }
	[[nodiscard]] uint64_t packets() const { return counters.moved("tx_data"); }
	[[nodiscard]] uint64_t control() const
	{
		uint64_t sum = 0;
		for (const char *type : {"grant", "resend", "rpc_unknown", "busy", "cutoffs",
					 "need_ack", "ack", "abort"})
			sum += counters.moved(std::string("tx_") + type);
		return sum;
	}

	proc::Counters counters;
};

/// Answers each request with @a back bytes until the socket is shut down.
void answer(const PlainSocket &server, size_t back)
{
	for (;;) {
		PlainMessage request = server.receive();
		if (request.result < 0)
			return;
		if (request.is_request())
			server.reply(request, pattern(back));
	}
}

/// Sends @a count requests of @a length bytes at once; all are answered.
void send_all(const Ends &ends, unsigned count, size_t length, size_t back = 2)
{
	test::Thread serving([&] { answer(ends.server, back); });
	for (unsigned i = 0; i < count; i++)
		ends.client.request(ends.to, pattern(length, i), i);
	for (unsigned i = 0; i < count; i++)
		EQ(ends.client.expect().bytes.size(), back);
	shutdown(ends.server.fd(), SHUT_RDWR);
	serving.join();
}

/// No more is sent than docs/congestion.md says: 1.2 times what is needed where nothing
/// is lost (and what one path has in flight before it is known); control packets at most
/// 4 for each RPC (here 8, as a machine that stops for a while makes both ends ask), one for each
/// 16 KB, and two for each packet that was sent again;
/// @a grants times as many of the second where losses keep the window small.
void bounded(const Ends &ends, const Sent &from, const Sent &to, unsigned count, size_t length,
	     double factor, unsigned grants = 1)
{
	send_all(ends, count, length);
	double needed = static_cast<double>(count * length) * 1.002;
	test::note(std::to_string(from.bytes()) + " bytes sent of " +
		   std::to_string(static_cast<uint64_t>(needed)) + ", " +
		   std::to_string(from.control() + to.control()) + " control packets");
	CHECK(static_cast<double>(from.bytes()) <= factor * needed + 1500);
	CHECK(from.control() + to.control() <= 8 * count + grants * count * length / 16384 + 4 +
						       2 * (from.counters.moved("tx_retransmits") +
							    to.counters.moved("tx_retransmits")));
}

void slow(const std::string &netem, Mode mode, unsigned count, size_t length, double factor = 1.2,
	  unsigned grants = 1)
{
	Path path;
	path.shape(netem);
	Ends ends(path, mode);
	Sent from(path.net.a.ns);
	Sent to(path.net.b.ns);
	bounded(ends, from, to, count, length, factor, grants);
}

/// Whether a request and a response of @a length end, within what a dead peer is given;
/// returns the DATA packets that it took.
uint64_t ends_somehow(const Path &path, Mode mode, size_t length)
{
	Ends ends(path, mode);
	Sent from(path.net.a.ns);
	Sent to(path.net.b.ns);
	ends.client.request(ends.to, pattern(length), 1);
	if (ends.server.ready(POLLIN, 30000)) {
		PlainMessage request = ends.server.receive();
		if (request.is_request())
			ends.server.reply(request, pattern(length));
	}
	PlainMessage response = ends.client.receive();
	CHECK(response.rpc);
	test::note(std::string(name(mode)) + ": " +
		   (response.failed() ? test::errno_name(static_cast<int>(response.rpc->error))
				      : "answered") +
		   ", " + std::to_string(from.packets() + to.packets()) + " DATA packets");
	if (response.failed())
		EQ(response.rpc->error, ETIMEDOUT);
	return from.packets() + to.packets();
}

} // namespace

TEST_LIMIT(one_long_message_at_20_mbit, 120)
{
	for (Mode mode : {Mode::clear, Mode::secure})
		slow("rate 20mbit limit 1000", mode, 1, 700000);
}

TEST_LIMIT(six_long_messages_at_5_mbit, 240)
{
	slow("rate 5mbit limit 1000", Mode::clear, 6, 500000);
}

TEST_LIMIT(six_long_messages_at_5_mbit_secure, 240)
{
	slow("rate 5mbit limit 1000", Mode::secure, 6, 500000);
}

/// What the clients ask for stands in the router's queue, behind other responses.
TEST_LIMIT(six_responses_at_1_and_5_mbit, 240)
{
	constexpr unsigned count = 6;
	constexpr size_t length = 60000;
	for (const char *rate : {"1mbit", "5mbit"})
		for (Mode mode : {Mode::clear, Mode::secure}) {
			Path path;
			path.shape(std::string("limit 1000 rate ") + rate);
			Ends ends(path, mode);
			Sent from(path.net.b.ns);
			send_all(ends, count, 100, length);
			test::note(std::to_string(from.bytes()) + " bytes sent of " +
				   std::to_string(count * length));
			CHECK(static_cast<double>(from.bytes()) <= 1.2 * count * length);
		}
}

TEST_LIMIT(six_long_messages_at_100_mbit, 120)
{
	for (Mode mode : {Mode::clear, Mode::secure})
		slow("rate 100mbit limit 1000", mode, 6, 500000);
}

/// What a short queue drops is sent again, and little else.
TEST_LIMIT(six_long_messages_through_a_short_queue, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure})
		slow("rate 20mbit limit 40", mode, 6, 500000, 1.5);
}

/// Before a path has been measured, what is on its way for so long is asked for once.
TEST_LIMIT(far_away, 120)
{
	slow("delay 50ms rate 100mbit limit 10000", Mode::secure, 3, 300000, 1.4);
}

/// 2 % lost each way. The link is fast: where the machine stands still for 5 ms, more is
/// asked for than is lost.
TEST_LIMIT(some_loss, 240)
{
	for (Mode mode : {Mode::clear, Mode::secure})
		slow("rate 100mbit loss 2% limit 1000", mode, 10, 200000, 1.8, 2);
}

TEST_LIMIT(only_short_packets_pass, 240)
{
	Path path;
	path.drop_long();
	for (Mode mode : {Mode::clear, Mode::secure})
		CHECK(ends_somehow(path, mode, 5000) < 400);
}

/// A router's link with a smaller MTU, whose ICMP errors never arrive.
TEST_LIMIT(black_hole_of_long_packets, 240)
{
	Path path;
	path.net.router.ip("link set to_b mtu 1400");
	path.net.b.ns.ip("link set eth0 mtu 1400");
	path.net.router.sh("tc qdisc add dev to_a clsact; tc filter add dev to_a egress "
			   "protocol ip u32 match ip protocol 1 0xff action drop");
	CHECK(ends_somehow(path, Mode::clear, 30000) < 1000);
	CHECK(ends_somehow(path, Mode::secure, 30000) < 1000);
}

/// A neighbour that answers ARP half a second late: the first RPC waits for it.
TEST_LIMIT(neighbour_that_is_slow_to_answer, 120)
{
	for (Mode mode : {Mode::clear, Mode::secure}) {
		Path path;
		path.net.router.sh(
			"tc qdisc add dev to_a root handle 1: prio; "
			"tc qdisc add dev to_a parent 1:3 netem delay 500ms; "
			"tc filter add dev to_a parent 1: protocol arp u32 match u32 0 0 "
			"flowid 1:3");
		path.net.a.ns.sh("ip neigh flush dev eth0");
		Ends ends(path, mode);
		send_all(ends, 1, 100);
	}
}

/// Through WireGuard, which adds a queue of its own, on one processor or several.
TEST_LIMIT(through_wireguard, 240)
{
	Path path;
	std::string output;
	if (!path.net.a.ns.try_sh("modprobe wireguard && command -v wg", &output))
		throw test::Skip("no WireGuard here");
	const net::Host *hosts[] = {&path.net.a, &path.net.b};
	path.net.a.ns.sh("umask 077; for x in 0 1; do wg genkey >/run/links-key$x; "
			 "wg pubkey </run/links-key$x >/run/links-pub$x; done");
	for (int i : {0, 1}) {
		std::string me = std::to_string(i);
		std::string other = std::to_string(1 - i);
		std::string address = "10.5.0." + std::to_string(i + 1);
		hosts[i]->ns.sh("ip link add wg0 type wireguard; wg set wg0 listen-port 51820 "
				"private-key /run/links-key" +
				me + " peer $(cat /run/links-pub" + other +
				") allowed-ips 10.5.0.0/24 endpoint " + hosts[1 - i]->v4 +
				":51820; ip addr add " + address +
				"/24 dev wg0; ip link set wg0 mtu 1420 up");
	}
	for (Mode mode : {Mode::clear, Mode::secure}) {
		Ends ends(path.net.a.ns, net::Address::of("10.5.0.1", port), path.net.b.ns,
			  net::Address::of("10.5.0.2", port), mode);
		Sent from(path.net.a.ns);
		Sent to(path.net.b.ns);
		bounded(ends, from, to, 2, 700000, 1.2);
	}
}
