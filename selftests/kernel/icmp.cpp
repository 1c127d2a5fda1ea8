// SPDX-License-Identifier: Apache-2.0
// "Too big" and redirects: believed when they quote what an RPC that lives has sent,
// and then for its peer alone; whoever makes them up changes nothing.
#include <functional>
#include <memory>
#include <netinet/ip.h>
#include <poll.h>

#include "lib/leaks.hpp"
#include "lib/packet.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/session.hpp"
#include "lib/test.hpp"

namespace {

constexpr size_t length = 6000;
constexpr unsigned full = 1500;
constexpr uint64_t cookie = 1;

std::unique_ptr<net::Alone> place;

/// Who speaks what, from a socket of which family.
struct Kind {
	bool v6;
	bool secure;
	[[nodiscard]] size_t ip_header() const { return v6 ? 40 : 20; }
	[[nodiscard]] size_t header() const { return secure ? 60 : 56; }
	/// Each kind has peers of its own.
	[[nodiscard]] std::string peer(long number) const
	{
		return (v6 ? "fd00::" : "10.0.") + std::to_string(1 + secure) + (v6 ? ":" : ".") +
		       std::to_string(number);
	}
	[[nodiscard]] std::string peer() const { return peer(7); }
	[[nodiscard]] std::string other() const { return peer(8); }
};

const Kind kinds[] = {{false, false}, {false, true}, {true, false}, {true, true}};

/// What a request looks like on the wire.
struct Sent {
	Bytes first;
	unsigned longest = 0;
	bool fragments = false;
};

/// A client on the host, with sessions that nobody else has the keys of.
class Client {
public:
	explicit Client(const Kind &of)
		: kind(of), socket(place->host.ns, of.v6 ? AF_INET6 : AF_INET)
	{
		meet(kind.peer());
		meet(kind.other());
	}
	~Client() { forget(); }
	void forget() const { (void)socket.abort(0, cookie, 0); }

	/// Has a session with a peer, if it is to be secure.
	void meet(const std::string &peer) const
	{
		if (!kind.secure)
			return;
		OK(session::add(socket.fd(),
				session::make(SDP_ROLE_CLIENT, net::Address::of(peer, 9),
					      SDP_CIPHER_AES_128_GCM, session::nonce(socket.fd()),
					      session::Nonce{})));
	}

	/// Sends a request; all of it comes out, unasked.
	[[nodiscard]] Sent request(const std::string &to) const
	{
		Sent sent;
		socket.request(net::Address::of(to, 9), pattern(length), cookie);
		for (size_t payload = 0; payload < length;) {
			auto packet = place->wire.receive();
			CHECK(!packet.empty());
			packet::Datagram datagram = packet::parse_ip(packet);
			if (datagram.next != packet::protocol ||
			    datagram.to.text() != net::Address::of(to, 0).text())
				continue;
			payload += datagram.payload.size() - kind.header();
			sent.longest = std::max(sent.longest, static_cast<unsigned>(packet.size()));
			sent.fragments |= !kind.v6 && !(packet[6] & 0x40);
			if (sent.first.empty())
				sent.first.assign(packet.begin(), packet.end());
		}
		return sent;
	}
	[[nodiscard]] Sent request() const { return request(kind.peer()); }

	Kind kind;
	PlainSocket socket;
};

uint16_t folded(const Bytes &bytes, uint32_t sum)
{
	for (size_t i = 0; i < bytes.size(); i += 2)
		sum += static_cast<uint32_t>(i + 1 < bytes.size() ? get(bytes, i, 2)
								  : get(bytes, i, 1) << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<uint16_t>(~sum);
}

/// An ICMP error of some router about @a quoted, with @a word in its header.
void send_icmp(bool v6, uint8_t type, uint8_t code, uint32_t word, const Bytes &quoted,
	       const char *router = nullptr)
{
	net::Address from = net::Address::of(router ? router : v6 ? "fd00::99" : "10.0.0.99", 0);
	net::Address to = place->host.at(v6 ? net::Family::v6 : net::Family::v4, 0);
	Bytes icmp;
	put(icmp, type, 1);
	put(icmp, code, 1);
	put(icmp, 0, 2);
	put(icmp, word, 4);
	icmp.insert(icmp.end(), quoted.begin(), quoted.end());
	uint32_t sum = 0;
	if (v6) {
		Bytes pseudo = packet::ip(from, to, {}, 58);
		sum = static_cast<uint16_t>(~folded(Bytes(pseudo.begin() + 8, pseudo.end()),
						    static_cast<uint32_t>(icmp.size()) + 58));
	}
	set(icmp, 2, folded(icmp, sum), 2);
	Bytes whole = packet::ip(from, to, icmp, v6 ? 58 : 1);
	// Redirects have to come from a neighbour.
	whole[v6 ? 7 : 8] = 255;
	if (!v6) {
		set(whole, 10, 0, 2);
		set(whole, 10, folded(Bytes(whole.begin(), whole.begin() + 20), 0), 2);
	}
	place->wire.send(whole);
}

void too_big(const Kind &kind, uint32_t mtu, const Bytes &quoted)
{
	proc::Counters counters(place->host.ns);
	send_icmp(kind.v6, kind.v6 ? 2 : 3, kind.v6 ? 0 : 4, mtu, quoted);
	EVENTUALLY(counters.moved("icmp_errors") >= 1);
}

Bytes quote(const Bytes &packet, size_t most = 200)
{
	return {packet.begin(), packet.begin() + static_cast<long>(std::min(most, packet.size()))};
}

std::string route_to(const std::string &address)
{
	std::string text;
	CHECK(place->host.ns.try_sh("ip route get " + address, &text));
	return text;
}

void nothing_learned(const Kind &kind)
{
	const std::string route = route_to(kind.peer());
	for (const char *word : {" mtu ", "redirected", "via"})
		CHECK(route.find(word) == std::string::npos);
}

/// A host that nobody has said anything to yet.
void begin()
{
	place = std::make_unique<net::Alone>();
	leaks::watch(place->host.ns);
	// Nobody answers here: the host is to wait for that, not to ask.
	CHECK(place->host.ns.sysctl("resend_us", "30000000"));
	CHECK(place->host.ns.sysctl("unsched_bytes", "20000"));
	place->host.ns.sh("sysctl -qw net.ipv4.icmp_msgs_per_sec=100000 "
			  "net.ipv4.conf.all.accept_redirects=1 "
			  "net.ipv4.conf.wire0.accept_redirects=1");
}

} // namespace

EACH
{
	begin();
}

TEST(too_big_shortens_the_packets_to_this_peer_alone)
{
	for (const Kind &kind : kinds) {
		Client client(kind);
		Sent sent = client.request();
		EQ(sent.longest, full);
		proc::Counters counters(place->host.ns);
		too_big(kind, 1400, quote(sent.first));
		EQ(counters.moved("mtu_lowered"), 1);
		EQ(counters.moved("icmp_unproven"), 0);
		EQ(client.request().longest, 1400);
		EQ(client.request(kind.other()).longest, full);
		nothing_learned(kind);
		// It gets shorter, never longer.
		too_big(kind, 1450, quote(sent.first));
		EQ(client.request().longest, 1400);
		too_big(kind, 1300, quote(sent.first));
		EQ(client.request().longest, 1300);
		EQ(counters.moved("mtu_lowered"), 2);
	}
}

TEST(too_big_in_the_clear_leaves_sessions_alone)
{
	for (bool v6 : {false, true}) {
		Client clear({v6, false}), secure({v6, true});
		std::string to = secure.kind.peer();
		Sent in_clear = clear.request(to), sealed = secure.request(to);
		too_big(clear.kind, 1300, quote(in_clear.first));
		EQ(clear.request(to).longest, 1300);
		EQ(secure.request(to).longest, full);
		too_big(secure.kind, 1400, quote(sealed.first));
		EQ(clear.request(to).longest, 1300);
		EQ(secure.request(to).longest, 1400);
	}
}

TEST(too_big_that_quotes_a_port)
{
	for (const Kind &kind : kinds) {
		Client client(kind);
		Sent sent = client.request();
		proc::Counters counters(place->host.ns);
		// As much as a stranger knows: both addresses, the server's port, and with
		// few tries the client's.
		Bytes forged(sent.first.begin(),
			     sent.first.begin() + static_cast<long>(kind.ip_header() + 4));
		forged.resize(kind.ip_header() + 100);
		too_big(kind, 1300, forged);
		too_big(kind, 1300, quote(forged, kind.ip_header() + 8));
		EQ(counters.moved("icmp_unproven"), 2);
		EQ(client.request().longest, full);
		nothing_learned(kind);
	}
}

TEST(too_big_with_something_wrong)
{
	for (const Kind &kind : kinds) {
		Client client(kind);
		Sent sent = client.request();
		size_t homa = kind.ip_header();
		std::vector<std::function<void(Bytes &)>> wrongs;
		auto flips = [&](size_t at) {
			wrongs.emplace_back([at](Bytes &bytes) { bytes[at] ^= 2; });
		};
		flips(homa + 1);          // source port
		flips(homa + 3);          // destination port
		flips(homa + 11);         // type
		flips(homa + 27);         // id
		flips(homa + 20);         // id
		flips(kind.v6 ? 23 : 15); // source address
		flips(kind.v6 ? 39 : 19); // destination address
		wrongs.emplace_back([&](Bytes &bytes) { bytes[homa + 11] ^= packet::secure_bit; });
		wrongs.emplace_back([&](Bytes &bytes) { bytes.resize(homa + 27); });
		wrongs.emplace_back([&](Bytes &bytes) { bytes.resize(homa); });
		if (kind.secure) {
			flips(homa + 39); // session
			flips(homa + 45); // message number
			flips(homa + 35); // incoming
			for (size_t at = 52; at < 60; at++)
				flips(homa + at);
			wrongs.emplace_back([&](Bytes &bytes) { bytes.resize(homa + 59); });
		}
		proc::Counters counters(place->host.ns);
		for (const auto &wrong : wrongs) {
			Bytes forged = quote(sent.first);
			wrong(forged);
			send_icmp(kind.v6, kind.v6 ? 2 : 3, kind.v6 ? 0 : 4, 1300, forged);
			EQ(std::to_string(&wrong - wrongs.data()) + ": " +
				   std::to_string(counters.moved("mtu_lowered")),
			   std::to_string(&wrong - wrongs.data()) + ": 0");
		}
		EVENTUALLY(counters.moved("icmp_unproven") >= wrongs.size() - 2);
		EQ(counters.moved("mtu_lowered"), 0);
		EQ(client.request().longest, full);
		// What segmentation and NICs change does not matter.
		Bytes changed = quote(sent.first, homa + 60);
		changed[homa + 7] ^= 1;
		changed[homa + 16] ^= 1;
		too_big(kind, 1300, changed);
		EQ(client.request().longest, 1300);
	}
}

// Two sockets have one port, at two addresses: an error is about that of the address that
// the quoted packet left from.
TEST(errors_about_one_socket_of_a_port)
{
	place->host.ns.sh("ip addr add 10.0.0.11/8 dev wire0; "
			  "ip addr add fd00::11/64 dev wire0 nodad");
	for (const Kind &kind : {kinds[0], kinds[2]}) {
		Client one(kind), two(kind);
		OK(net::bind_to(one.socket.fd(),
				net::Address::of(kind.v6 ? "fd00::2" : "10.0.0.2", 4000)));
		OK(net::bind_to(two.socket.fd(),
				net::Address::of(kind.v6 ? "fd00::11" : "10.0.0.11", 4000)));
		Bytes of_one = quote(one.request().first), of_two = quote(two.request().first);
		Bytes forged = of_one;
		size_t at = kind.v6 ? 8 : 12, length = kind.v6 ? 16 : 4;
		std::copy_n(of_two.begin() + static_cast<long>(at), length,
			    forged.begin() + static_cast<long>(at));
		auto unreachable = [&](const Bytes &quoted) {
			proc::Counters counters(place->host.ns);
			send_icmp(kind.v6, kind.v6 ? 1 : 3, kind.v6 ? 4 : 3, 0, quoted);
			EVENTUALLY(counters.moved("icmp_errors") == 1);
		};
		unreachable(forged);
		too_big(kind, 1300, forged);
		CHECK(!one.socket.ready(POLLIN) && !two.socket.ready(POLLIN));
		too_big(kind, 1300, of_one);
		unreachable(of_one);
		one.socket.expect_failure(ENOTCONN);
		CHECK(!two.socket.ready(POLLIN));
		EQ(one.request().longest, 1300);
		EQ(two.request().longest, full);
		unreachable(of_two);
		two.socket.expect_failure(ENOTCONN);
		CHECK(!one.socket.ready(POLLIN));
	}
}

TEST(too_big_about_an_rpc_that_has_ended)
{
	for (const Kind &kind : kinds) {
		Client client(kind);
		Sent sent = client.request();
		client.forget();
		proc::Counters counters(place->host.ns);
		too_big(kind, 1300, quote(sent.first));
		EQ(counters.moved("icmp_unproven"), 1);
		EQ(client.request().longest, full);
	}
}

TEST(too_big_of_any_size)
{
	struct Case {
		uint32_t mtu;
		unsigned v4;
		bool fragments;
		unsigned v6;
	};
	static const Case cases[] = {
		{0, 552, true, full},      {1, 552, true, full},       {68, 552, true, full},
		{551, 552, true, full},    {552, 552, false, full},    {1279, 1279, false, full},
		{1280, 1280, false, 1280}, {1499, 1499, false, 1499},  {1500, full, false, full},
		{9000, full, false, full}, {65535, full, false, full},
	};
	for (const Kind &kind : kinds) {
		Client client(kind);
		for (const Case &one : cases) {
			// Each case wants a peer that nothing is known of.
			std::string to = kind.peer(10 + (&one - cases));
			client.meet(to);
			Sent sent = client.request(to);
			EQ(sent.longest, full);
			too_big(kind, one.mtu, quote(sent.first));
			sent = client.request(to);
			EQ(sent.longest, kind.v6 ? one.v6 : one.v4);
			EQ(sent.fragments, !kind.v6 && one.fragments);
		}
	}
}

TEST(too_big_is_forgotten)
{
	place->host.ns.sh("sysctl -qw net.ipv4.route.mtu_expires=1 net.ipv6.route.mtu_expires=1");
	for (const Kind &kind : {kinds[0], kinds[3]}) {
		Client client(kind);
		Sent sent = client.request();
		proc::Counters counters(place->host.ns);
		too_big(kind, 1300, quote(sent.first));
		EQ(counters.moved("mtu_lowered"), 1);
		EVENTUALLY((client.forget(), usleep(100000), client.request().longest == full));
	}
}

TEST(too_big_against_a_locked_mtu)
{
	std::string routes;
	for (const Kind &kind : kinds)
		routes += "route replace " + kind.peer() + " dev wire0 mtu lock 1450\n";
	place->host.ns.ip(routes);
	for (const Kind &kind : kinds) {
		Client client(kind);
		Sent sent = client.request();
		EQ(sent.longest, 1450);
		too_big(kind, 1300, quote(sent.first));
		EQ(client.request().longest, 1450);
	}
}

TEST(too_big_of_a_marked_socket)
{
	// Whose packets go another way than those without its mark.
	place->host.ns.sh("ip route add 10.0.0.0/16 dev wire0 table 7; "
			  "ip rule add fwmark 7 table 7; "
			  "ip route add unreachable " +
			  kinds[0].peer());
	Client client(kinds[0]);
	int mark = 7;
	OK(setsockopt(client.socket.fd(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
	Sent sent = client.request();
	too_big(kinds[0], 1300, quote(sent.first));
	EQ(client.request().longest, 1300);
}

TEST(too_big_and_path_mtu_discovery)
{
	struct Case {
		int discover;
		unsigned longest;
		bool fragments;
	};
	static const Case cases[] = {
		{IP_PMTUDISC_DONT, 1300, true},      {IP_PMTUDISC_WANT, 1300, false},
		{IP_PMTUDISC_DO, 1300, false},       {IP_PMTUDISC_PROBE, full, false},
		{IP_PMTUDISC_INTERFACE, full, true}, {IP_PMTUDISC_OMIT, full, true},
	};
	for (const Case &one : cases) {
		Client client(kinds[0]);
		std::string to = kinds[0].peer(10 + (&one - cases));
		OK(setsockopt(client.socket.fd(), IPPROTO_IP, IP_MTU_DISCOVER, &one.discover,
			      sizeof(one.discover)));
		Sent sent = client.request(to);
		too_big(kinds[0], 1300, quote(sent.first));
		sent = client.request(to);
		EQ(sent.longest, one.longest);
		// As other datagram sockets: DF with WANT, DO and PROBE.
		EQ(sent.fragments, one.fragments);
	}
}

TEST(flood_of_too_big)
{
	for (const Kind &kind : {kinds[0], kinds[3]}) {
		Client client(kind);
		Sent sent = client.request();
		proc::Counters counters(place->host.ns);
		Bytes forged = quote(sent.first);
		for (unsigned i = 0; i < 1000; i++) {
			set(forged, kind.ip_header() + 20, i * 0x9e3779b97f4a7c15ULL, 8);
			send_icmp(kind.v6, kind.v6 ? 2 : 3, kind.v6 ? 0 : 4, i, forged);
		}
		EVENTUALLY(counters.moved("icmp_unproven") == 1000);
		EQ(client.request().longest, full);
		EQ(proc::lines(place->host.ns, "rpcs").size(), 2);
	}
}

namespace {

Bytes address(const char *text)
{
	const sockaddr_in6 in6 = net::Address::of(text, 0).in6();
	return {in6.sin6_addr.s6_addr, in6.sin6_addr.s6_addr + sizeof(in6.sin6_addr)};
}

/// The router fe80::99 says that there is a better way to a peer: fe80::42.
void redirect_v6(const Bytes &quoted)
{
	Bytes message = address("fe80::42"), to(quoted.begin() + 24, quoted.begin() + 40);
	message.insert(message.end(), to.begin(), to.end());
	put(message, 4, 1);
	put(message, 1 + quoted.size() / 8, 1);
	put(message, 0, 6);
	message.insert(message.end(), quoted.begin(), quoted.end());
	send_icmp(true, 137, 0, 0, message, "fe80::99");
}

} // namespace

TEST(redirect)
{
	place->host.ns.sh("ip route add 10.8.0.0/16 via 10.0.0.99 dev wire0; "
			  "ip route add fd08::/64 via fe80::99 dev wire0");
	for (const Kind &kind : kinds) {
		Client client(kind);
		std::string to = (kind.v6 ? "fd08::" : "10.8.0.") + std::to_string(1 + kind.secure);
		client.meet(to);
		Bytes quoted = quote(client.request(to).first);
		// As much as a stranger knows.
		Bytes forged = quote(quoted, kind.ip_header() + 4);
		forged.resize(quoted.size());
		auto redirect = [&](const Bytes &bytes) {
			if (kind.v6)
				redirect_v6(bytes);
			else
				send_icmp(false, 5, 1, 0x0a000042, bytes);
		};
		std::string better = kind.v6 ? "via fe80::42 " : "via 10.0.0.66 ";
		proc::Counters counters(place->host.ns);
		redirect(forged);
		EVENTUALLY(counters.moved("icmp_unproven") == 1);
		CHECK(route_to(to).find(better) == std::string::npos);
		redirect(quoted);
		EVENTUALLY(route_to(to).find(better) != std::string::npos);
		EQ(counters.moved("icmp_unproven"), 1);
		EQ(client.request(to).longest, full);
	}
}
