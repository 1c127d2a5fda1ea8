// SPDX-License-Identifier: Apache-2.0
// The address that packets leave from: an RPC keeps its own for life, a session has
// one, whatever the route comes to prefer and whichever addresses come and go.
#include <mutex>
#include <net/if.h>
#include <poll.h>
#include <set>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

/// The addresses of the two hosts, the second one of each being another.
struct Names {
	net::Family family;
	std::string a;
	std::string second_a;
	std::string b;
	std::string second_b;
	std::string length;
};

const Names both[] = {
	{net::Family::v4, "10.0.0.1", "10.0.0.11", "10.0.0.2", "10.0.0.22", "24"},
	{net::Family::v6, "fd00::1", "fd00::11", "fd00::2", "fd00::22", "64"},
};

/// Gives both hosts a second address, which no route prefers.
void add_second(const net::Host &a, const net::Host &b, const Names &names)
{
	std::string length = "/" + names.length + " dev ";
	std::string after = names.family == net::Family::v6 ? " nodad preferred_lft 0" : "";
	a.ns.sh("ip addr add " + names.second_a + length + a.device + after);
	b.ns.sh("ip addr add " + names.second_b + length + b.device + after);
}

/// From now on host a prefers its second address towards host b.
void prefer_second(const net::Host &a, const Names &names)
{
	a.ns.sh("ip route replace " + names.b + " dev " + a.device + " src " + names.second_a);
}

void prefer_first(const net::Host &a, const Names &names)
{
	a.ns.sh("ip route del " + names.b + " dev " + a.device);
}

std::string host_of(const net::Address &address)
{
	return address.text().substr(0, address.text().find('#'));
}

/// What is without an address, or has one as IPv4 in IPv6, is told apart by it.
std::string host_of(const PlainMessage &message)
{
	std::string host = host_of(message.from);
	return host.starts_with("::ffff:") ? host.substr(7) : host;
}

/// Joins two sockets by a session; an empty local address leaves it open.
void join(const PlainSocket &client, const std::string &client_at, bool client_pins,
	  const PlainSocket &server, const std::string &server_at, bool server_pins)
{
	session::Nonce mine = session::nonce(client.fd()), theirs = session::nonce(server.fd());
	net::Address a = net::Address::of(client_at, client.port());
	net::Address b = net::Address::of(server_at, server.port());
	auto of_client = session::make(SDP_ROLE_CLIENT, b, SDP_CIPHER_AES_128_GCM, mine, theirs);
	auto of_server = session::make(SDP_ROLE_SERVER, a, SDP_CIPHER_AES_128_GCM, theirs, mine);
	if (client_pins)
		of_client.local = net::Address::of(client_at, 0).in6();
	if (server_pins)
		of_server.local = net::Address::of(server_at, 0).in6();
	OK(session::add(client.fd(), of_client));
	OK(session::add(server.fd(), of_server));
}

/// An RPC from @a client to @a server, whose request has to come from @a source.
void echo_from(const PlainSocket &client, const PlainSocket &server, const std::string &to,
	       const std::string &source)
{
	client.request(net::Address::of(to, server.port()), pattern(500), 7);
	PlainMessage request = server.expect();
	EQ(host_of(request), source);
	server.reply(request, pattern(600));
	PlainMessage response = client.expect();
	EQ(response.bytes.size(), 600);
	EQ(host_of(response), to);
}

} // namespace

EACH
{
	two_hosts();
}

TEST(session_sends_from_its_local_address)
{
	for (const Names &names : both) {
		add_second(hosts->a, hosts->b, names);
		PlainSocket client(hosts->a.ns, net::domain(names.family));
		PlainSocket server(hosts->b.ns, net::domain(names.family), server_port);
		join(client, names.second_a, true, server, names.b, false);
		echo_from(client, server, names.b, names.second_a);
	}
}

TEST(session_of_an_ipv6_socket_sends_from_its_ipv4_address)
{
	const Names &names = both[0];
	add_second(hosts->a, hosts->b, names);
	PlainSocket client(hosts->a.ns, AF_INET6);
	PlainSocket server(hosts->b.ns, AF_INET6, server_port);
	join(client, names.second_a, true, server, names.b, false);
	client.request(net::Address::of(names.b, server_port).mapped(), pattern(500), 7);
	PlainMessage request = server.expect();
	EQ(host_of(request), names.second_a);
	server.reply(request, pattern(10));
	client.expect();
}

TEST(session_of_a_link_local_address)
{
	hosts->a.ns.sh("ip addr add fe80::1:1/64 dev eth0 nodad; "
		       "ip addr add fe80::1:11/64 dev eth0 nodad");
	hosts->b.ns.sh("ip addr add fe80::1:2/64 dev eth0 nodad");
	PlainSocket client(hosts->a.ns, AF_INET6);
	PlainSocket server(hosts->b.ns, AF_INET6, server_port);
	auto scoped = [](const net::Netns &ns, const std::string &text, uint16_t port) {
		net::Address address = net::Address::of(text, port);
		ns.in([&] {
			reinterpret_cast<sockaddr_in6 *>(&address.storage)->sin6_scope_id =
				if_nametoindex("eth0");
		});
		return address;
	};
	session::Nonce mine = session::nonce(client.fd()), theirs = session::nonce(server.fd());
	net::Address to = scoped(hosts->a.ns, "fe80::1:2", server_port);
	auto of_client = session::make(SDP_ROLE_CLIENT, to, SDP_CIPHER_AES_128_GCM, mine, theirs);
	of_client.local = net::Address::of("fe80::1:11", 0).in6();
	OK(session::add(client.fd(), of_client));
	OK(session::add(server.fd(), session::make(SDP_ROLE_SERVER,
						   scoped(hosts->b.ns, "fe80::1:11", client.port()),
						   SDP_CIPHER_AES_128_GCM, theirs, mine)));
	client.request(to, pattern(500), 7);
	PlainMessage request = server.expect();
	EQ(host_of(request), "fe80::1:11");
	server.reply(request, pattern(10));
	client.expect();
}

TEST(server_asks_from_the_address_of_its_session)
{
	for (const Names &names : both) {
		add_second(hosts->a, hosts->b, names);
		for (bool pins : {true, false}) {
			PlainSocket client(hosts->a.ns, net::domain(names.family));
			PlainSocket server(hosts->b.ns, net::domain(names.family), server_port);
			client.set(SO_HOMA_SERVER, 1);
			join(client, names.a, false, server, names.second_b, pins);
			// Where none was given, the first request tells.
			if (!pins)
				echo_from(client, server, names.second_b, names.a);
			echo_from(server, client, names.a, names.second_b);
			echo_from(client, server, names.second_b, names.a);
		}
	}
}

TEST(session_of_another_address_than_the_socket)
{
	for (const Names &names : both) {
		add_second(hosts->a, hosts->b, names);
		PlainSocket client(hosts->a.ns, net::domain(names.family));
		PlainSocket server(hosts->b.ns, net::domain(names.family), server_port);
		OK(net::bind_to(client.fd(), net::Address::of(names.a, 0)));
		join(client, names.second_a, true, server, names.b, false);
		net::Address to = net::Address::of(names.b, server_port);
		FAILS(client.send(&to, pattern(10), nullptr), EADDRNOTAVAIL);
		OK(net::bind_to(client.fd(), net::Address::of(names.second_a, 0)));
		echo_from(client, server, names.b, names.second_a);
	}
}

/// A request is with its server while the route of its client changes.
static void held_while_the_source_changes(bool secure)
{
	for (const Names &names : both) {
		add_second(hosts->a, hosts->b, names);
		PlainSocket client(hosts->a.ns, net::domain(names.family));
		PlainSocket server(hosts->b.ns, net::domain(names.family), server_port);
		net::Address to = net::Address::of(names.b, server_port);
		if (secure)
			join(client, names.a, false, server, names.b, false);
		client.request(to, pattern(2000), 1);
		PlainMessage request = server.expect();
		EQ(host_of(request), names.a);
		prefer_second(hosts->a, names);
		// Meanwhile it asks what has become of it.
		proc::Counters at_a(hosts->a.ns);
		EVENTUALLY(at_a.moved("tx_resend") >= 3);
		CHECK(!server.ready(POLLIN, 100));
		server.reply(request, pattern(30));
		EQ(client.expect().bytes.size(), 30);
		// The next one begins where the route says now, a session where it is.
		echo_from(client, server, names.b, secure ? names.a : names.second_a);
		prefer_first(hosts->a, names);
		echo_from(client, server, names.b, names.a);
	}
}

TEST(request_is_executed_once_when_the_source_changes)
{
	held_while_the_source_changes(false);
}

TEST(secure_request_survives_a_change_of_the_source)
{
	held_while_the_source_changes(true);
}

TEST(source_changes_back_and_forth_under_many_requests)
{
	const Names &names = both[0];
	add_second(hosts->a, hosts->b, names);
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = net::Address::of(names.b, server_port);
	std::vector<PlainMessage> requests;
	for (uint64_t i = 0; i < 20; i++) {
		client.request(to, pattern(100), i);
		requests.push_back(server.expect());
		EQ(host_of(requests.back()), i % 2 ? names.second_a : names.a);
		if (i % 2)
			prefer_first(hosts->a, names);
		else
			prefer_second(hosts->a, names);
	}
	CHECK(!server.ready(POLLIN, 200));
	for (const PlainMessage &request : requests) {
		server.reply(request, pattern(10));
		EQ(client.expect().bytes.size(), 10);
	}
}

TEST(source_changes_in_the_middle_of_a_message)
{
	for (bool secure : {false, true})
		for (const Names &names : both) {
			net::Wired link;
			// However slow the link is, nobody asks for what is under way.
			for (const net::Host *host : {&link.a, &link.b})
				CHECK(host->ns.sysctl("resend_us", "5000000"));
			add_second(link.a, link.b, names);
			PlainSocket client(link.a.ns, net::domain(names.family));
			PlainSocket server(link.b.ns, net::domain(names.family), server_port);
			if (secure)
				join(client, names.a, false, server, names.b, false);
			std::mutex lock;
			std::set<std::string> sources;
			unsigned data = 0;
			bool changed = false;
			link.set([&](net::Way way, net::Wired::Packet packet) {
				if (way == net::Way::to_b) {
					std::lock_guard<std::mutex> guard(lock);
					sources.insert(host_of(packet::parse_ip(packet).from));
					// Not before some of it is there.
					if (++data == 5 && !changed) {
						changed = true;
						prefer_second(link.a, names);
					}
				}
				link.pass(way, packet);
			});
			client.request(net::Address::of(names.b, server_port), pattern(60000), 1);
			PlainMessage request = server.expect();
			EQ(pattern_error(request.bytes), "");
			server.reply(request, pattern(60000));
			EQ(pattern_error(client.expect().bytes), "");
			link.set({});
			CHECK(changed);
			EQ(sources.size(), 1);
			EQ(*sources.begin(), names.a);
		}
}

TEST(address_goes_while_rpcs_run)
{
	for (const Names &names : both) {
		add_second(hosts->a, hosts->b, names);
		PlainSocket client(hosts->a.ns, net::domain(names.family));
		PlainSocket server(hosts->b.ns, net::domain(names.family), server_port);
		net::Address to = net::Address::of(names.b, server_port);
		client.request(to, pattern(100), 1);
		PlainMessage request = server.expect();
		EQ(host_of(request), names.a);
		// Nobody answers to an address that is not there: its RPC ends.
		hosts->a.ns.patient(false);
		hosts->a.ns.sh("sysctl -qw net.ipv4.conf.all.promote_secondaries=1; ip addr del " +
			       names.a + "/" + names.length +
			       " dev eth0; ip route "
			       "replace " +
			       names.b + " dev eth0");
		client.expect_failure(ETIMEDOUT);
		hosts->a.ns.patient(true);
		CHECK(!server.ready(POLLIN, 100));
		// Others go on with the address that is left.
		echo_from(client, server, names.b, names.second_a);
		EQ(proc::lines(hosts->a.ns, "rpcs").size(), 0);
	}
}

TEST(address_of_a_bound_socket_goes)
{
	const Names &names = both[0];
	add_second(hosts->a, hosts->b, names);
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	OK(net::bind_to(client.fd(), net::Address::of(names.second_a, 0)));
	echo_from(client, server, names.b, names.second_a);
	hosts->a.ns.sh("ip addr del " + names.second_a + "/" + names.length + " dev eth0");
	net::Address to = net::Address::of(names.b, server_port);
	FAILS(client.send(&to, pattern(10), nullptr), ENETUNREACH);
	hosts->a.ns.sh("ip addr add " + names.second_a + "/" + names.length + " dev eth0");
	echo_from(client, server, names.b, names.second_a);
}

TEST(source_changes_in_a_vrf)
{
	const Names &names = both[0];
	hosts->a.ns.sh("ip link add red type vrf table 10; ip link set red up; "
		       "ip link set eth0 master red");
	add_second(hosts->a, hosts->b, names);
	PlainSocket client(hosts->a.ns, AF_INET);
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	OK(setsockopt(client.fd(), SOL_SOCKET, SO_BINDTODEVICE, "red", 4));
	client.request(net::Address::of(names.b, server_port), pattern(100), 1);
	PlainMessage request = server.expect();
	EQ(host_of(request), names.a);
	hosts->a.ns.sh("ip route replace 10.0.0.2 dev eth0 table 10 src 10.0.0.11");
	proc::Counters at_a(hosts->a.ns);
	EVENTUALLY(at_a.moved("tx_resend") >= 3);
	server.reply(request, pattern(10));
	EQ(client.expect().bytes.size(), 10);
	echo_from(client, server, names.b, names.second_a);
}

TEST(no_address_to_send_from)
{
	hosts->a.ns.sh("ip addr flush dev eth0 scope global; ip route add 10.0.0.2 dev eth0");
	PlainSocket client(hosts->a.ns, AF_INET);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	FAILS(client.send(&to, pattern(10), nullptr), EADDRNOTAVAIL);
}
