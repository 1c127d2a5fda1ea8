// SPDX-License-Identifier: Apache-2.0
// No record number is used for two plaintexts, whatever happens: everything that
// both hosts send is captured, and looked at without any key. Each case also shows
// that what it is named for has happened.
#include <csignal>
#include <functional>
#include <unistd.h>

#include "lib/keyed.hpp"
#include "lib/session.hpp"
#include "lib/sniffer.hpp"
#include "lib/soak.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

constexpr uint16_t server_port = 4000;
constexpr uint16_t client_port = 5000;
constexpr unsigned first_mtu = 4000;

/// Two hosts, a router that misbehaves when told to, and what the hosts send.
struct Link {
	Link() : routed(first_mtu), sniffer({&routed.a.ns, &routed.b.ns})
	{
		// The router is to lose packets, not segments.
		for (const net::Netns *ns : {&routed.a.ns, &routed.b.ns})
			ns->sh("ethtool -K eth0 tso off gso off");
	}

	/// @a netem: what tc-netem(8) takes; none: an honest router.
	void misbehave(const std::string &netem) const
	{
		for (const char *device : {"to_a", "to_b"})
			routed.router.sh("tc qdisc replace dev " + std::string(device) +
					 " root netem limit 100000 " + netem);
	}
	void behave() const { misbehave(""); }

	/// How soon both hosts ask for what is missing, microseconds.
	void ask_again_after(const char *microseconds) const
	{
		for (const net::Netns *ns : {&routed.a.ns, &routed.b.ns})
			CHECK(ns->sysctl("resend_us", microseconds));
	}

	/// Changes every device at once, nearly.
	void set_mtu(unsigned mtu) const
	{
		std::string size = " mtu " + std::to_string(mtu);
		for (const net::Netns *ns : {&routed.a.ns, &routed.b.ns})
			ns->sh("ip link set eth0" + size);
		routed.router.sh("ip link set to_a" + size + "; ip link set to_b" + size);
	}

	[[nodiscard]] net::Address client_at() const
	{
		return routed.a.at(net::Family::v4, client_port);
	}
	[[nodiscard]] net::Address server_at() const
	{
		return routed.b.at(net::Family::v4, server_port);
	}

	net::Routed routed;
	Sniffer sniffer;
};

/// Always the same plaintext: under the same key and number it shows as the same
/// ciphertext.
const Bytes usual(3000, 0x5a);

/// A client and a server on such a link, with a session.
struct Talk {
	explicit Talk(Link &link)
		: link(link),
		  server(link.routed.b.ns, AF_INET, server_port),
		  client(link.routed.a.ns, AF_INET, client_port)
	{
		join();
	}

	/// Always the same secret.
	void join() const
	{
		session::join(client.fd(), link.client_at(), server.fd(), link.server_at());
	}
	void echo(const Bytes &bytes) const
	{
		client.request(link.server_at(), bytes);
		server.echo();
		EQ(client.expect().bytes, bytes);
	}
	/// What @a send sends unasked is lost; then @a meanwhile happens, and the link works.
	void lose(const std::function<void()> &send, const std::function<void()> &meanwhile) const
	{
		// The hosts need to have found each other before.
		uint64_t before = link.sniffer.look().messages;
		link.misbehave("loss 100%");
		send();
		EVENTUALLY(link.sniffer.look().messages > before);
		meanwhile();
		link.behave();
	}
	/// An echo whose request, and one whose response is lost as far as it is
	/// sent unasked. Then @a meanwhile happens, and all is sent again.
	void lose_request(size_t length, const std::function<void()> &meanwhile) const
	{
		lose([&] { client.request(link.server_at(), pattern(length)); }, meanwhile);
		server.echo();
		EQ(pattern_error(client.expect().bytes), "");
	}
	void lose_response(size_t length, const std::function<void()> &meanwhile) const
	{
		client.request(link.server_at(), pattern(10));
		PlainMessage request = server.expect();
		lose([&] { server.reply(request, pattern(length)); }, meanwhile);
		EQ(pattern_error(client.expect().bytes), "");
	}

	Link &link;
	PlainSocket server;
	PlainSocket client;
};

} // namespace

TEST(a_reuse_is_seen)
{
	// Of a host that seals two messages with one number.
	keyed::alone();
	keyed::ask_again_after();
	const net::Netns &host = keyed::place->host.ns;
	keyed::Serving on;
	Sniffer sniffer({&host});
	on.echo(0, 100, 300);
	EQ(sniffer.check().messages, 1);
	Fd raw = host.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	net::Address to = keyed::peer_at(0);
	for (uint64_t seed : {1, 1, 2}) {
		secure::Message message = secure::request(1, 102, pattern(300, seed));
		Bytes sealed = sdp_test::seal_message(on.peer.out(), message);
		Bytes packet = packet::ip(
			keyed::host_at(0), to,
			on.peer.data(message, static_cast<uint32_t>(sealed.size()), 0, sealed));
		OK(sendto(raw, packet.data(), packet.size(), 0, to.raw(), to.length));
		EQ(sniffer.look().reused, seed - 1);
		EQ(sniffer.look().messages, 2);
	}
	EQ(sniffer.look().repeated, 1);
}

TEST_LIMIT(same_secret_again, 180)
{
	constexpr uint64_t rounds = 6;
	Link link;
	Talk talk(link);
	for (uint64_t round = 0; round < rounds; round++) {
		// Its first messages have the numbers that others had before it.
		for (uint64_t i = 0; i < 3; i++) {
			talk.echo(usual);
			talk.echo(pattern(3000, 10 * round + i));
		}
		// Removed and installed again, or replaced, which ends no RPC; with a message
		// on its way.
		bool removed = round % 2;
		talk.lose([&] { talk.client.request(link.server_at(), pattern(200000, round)); },
			  [&] {
				  if (removed)
					  OK(session::remove(talk.client.fd(), link.server_at()));
				  talk.join();
			  });
		if (removed) {
			talk.client.expect_failure(ECONNRESET);
		} else {
			talk.server.echo();
			EQ(talk.client.expect().bytes, pattern(200000, round));
		}
	}
	talk.echo(usual);
	CHECK(link.sniffer.check().messages >= rounds * 2 * 6);
	EQ(link.sniffer.sessions(), rounds + 1);
	CHECK(link.sniffer.numbers_again() >= 2 * 6);
}

TEST_LIMIT(mtu_changed_mid_message, 180)
{
	Link link;
	Talk talk(link);
	talk.echo(usual);
	link.ask_again_after("1000000");
	unsigned before = first_mtu;
	for (const bool response : {false, true})
		for (const unsigned mtu : {1500, 700, 4000}) {
			const size_t cut = link.sniffer.cut_anew();
			// Who asks in vain for as long as this takes sends small packets
			// for seconds, which no MTU cuts anew.
			do {
				link.set_mtu(before);
				if (response)
					talk.lose_response(300000, [&] { link.set_mtu(mtu); });
				else
					talk.lose_request(300000, [&] { link.set_mtu(mtu); });
				link.sniffer.check();
			} while (link.sniffer.cut_anew() == cut);
			before = mtu;
		}
	link.ask_again_after("5000");
	// While many are on their way, and some get lost.
	link.misbehave("loss 2%");
	soak::Load load;
	load.rpcs = 40;
	load.usual = load.largest = 200000;
	load.tenth = [&](unsigned tenth) { link.set_mtu(tenth % 2 ? 900 : first_mtu); };
	soak::both(talk.client, talk.server, link.server_at(), load);
	CHECK(link.sniffer.check().messages >= 2 * 46);
}

TEST_LIMIT(retransmission, 180)
{
	Link link;
	Talk talk(link);
	talk.echo(usual);
	link.ask_again_after("1000000");
	talk.lose_request(100000, [] {});
	talk.lose_response(100000, [] {});
	link.sniffer.check();
	CHECK(link.sniffer.sent_again() >= 2);
	EQ(link.sniffer.cut_anew(), 0);
	link.ask_again_after("5000");
	link.misbehave("loss 10% delay 1ms reorder 10% duplicate 5%");
	proc::Counters a(link.routed.a.ns);
	proc::Counters b(link.routed.b.ns);
	soak::Load load;
	load.rpcs = 60;
	soak::both(talk.client, talk.server, link.server_at(), load);
	CHECK(a.moved("tx_retransmits") > 0);
	CHECK(b.moved("tx_retransmits") > 0);
	const sdp_test::ReuseCounts &seen = link.sniffer.check();
	CHECK(seen.messages >= 2 * 62);
	CHECK(seen.counters > 0);
	CHECK(link.sniffer.sent_again() > 2);
}

TEST_LIMIT(records_that_are_spoilt, 180)
{
	// They are sent again in authenticated form, which uses numbers of its own.
	net::Wired wired;
	Sniffer sniffer({&wired.a.ns, &wired.b.ns});
	PlainSocket server(wired.b.ns, AF_INET, server_port);
	PlainSocket client(wired.a.ns, AF_INET, client_port);
	net::Address to = wired.b.at(net::Family::v4, server_port);
	session::join(client.fd(), wired.a.at(net::Family::v4, client_port), server.fd(), to);
	net::Mishaps mishaps;
	mishaps.flip = 10;
	wired.set(net::bad_link(wired, mishaps));
	soak::Load load;
	load.rpcs = 60;
	soak::both(client, server, to, load);
	wired.set({});
	CHECK(sniffer.check().messages >= 2 * 60);
	CHECK(sniffer.authenticated() > 0);
}

TEST_LIMIT(epoch_change, 180)
{
	Link link;
	Talk talk(link);
	auto rekey_client = [&] {
		EVENTUALLY(session::rekey(talk.client.fd(), link.server_at()) == 0);
	};
	auto rekey_server = [&] {
		EVENTUALLY(session::rekey(talk.server.fd(), link.client_at()) == 0);
	};
	// Each epoch begins with the same messages, which have the same numbers.
	talk.echo(usual);
	talk.echo(usual);
	talk.lose_request(100000, rekey_client);
	talk.echo(usual);
	talk.echo(usual);
	talk.lose_response(100000, rekey_server);
	talk.echo(usual);
	talk.echo(usual);
	link.sniffer.check();
	EQ(link.sniffer.sessions(), 1);
	EQ(link.sniffer.epochs(), 4);
	CHECK(link.sniffer.numbers_again() >= 4);
	CHECK(link.sniffer.sent_again() >= 2);
	// Under load, of which some gets lost.
	link.misbehave("loss 2%");
	soak::Load load;
	load.rpcs = 100;
	load.tenth = [&](unsigned tenth) {
		if (tenth == 3)
			rekey_client();
		if (tenth == 5)
			rekey_server();
	};
	soak::both(talk.client, talk.server, link.server_at(), load);
	CHECK(link.sniffer.check().messages >= 2 * 108);
	EQ(link.sniffer.sessions(), 1);
	EQ(link.sniffer.epochs(), 6);
}

TEST_LIMIT(restarted_peer, 180)
{
	// A process dies with its messages on their way; the next one has the same
	// port and secret, and the server knows nothing of that but a new session.
	constexpr uint64_t rounds = 5;
	Link link;
	PlainSocket server(link.routed.b.ns, AF_INET, server_port);
	link.misbehave("delay 5ms");
	for (uint64_t round = 0; round < rounds; round++) {
		int ends[2];
		OK(pipe(ends));
		test::Child client([&] {
			PlainSocket socket(link.routed.a.ns, AF_INET, client_port);
			session::join(socket.fd(), link.client_at(), server.fd(), link.server_at());
			socket.request(link.server_at(), usual);
			for (uint64_t i = 0; i < 5; i++)
				socket.request(link.server_at(), pattern(100000, 10 * round + i));
			OK(write(ends[1], "x", 1));
			for (;;)
				socket.receive();
		});
		char byte;
		OK(read(ends[0], &byte, 1));
		server.reply(server.expect(), pattern(100000, 100 + round));
		client.kill(SIGKILL);
		close(ends[0]);
		close(ends[1]);
		EVENTUALLY(proc::lines(link.routed.a.ns, "sockets").empty());
	}
	CHECK(link.sniffer.check().messages >= rounds * 7);
	EQ(link.sniffer.sessions(), rounds);
	CHECK(link.sniffer.numbers_again() >= 6);
}
