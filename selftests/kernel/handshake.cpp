// SPDX-License-Identifier: Apache-2.0
// The library's handshake with a shared secret, between hosts whose link is an attacker.
#include <sdp/sdp.hpp>

#include <atomic>
#include <deque>
#include <optional>

#include "lib/bytes.hpp"
#include "lib/leaks.hpp"
#include "lib/packet.hpp"
#include "lib/plain_socket.hpp"
#include "lib/test.hpp"
#include "lib/wired.hpp"

namespace {

using namespace std::chrono_literals;
using net::Way;
using net::Wired;

const sdp::address at_a = sdp::address::parse("10.0.0.1:4000");
const sdp::address at_b = sdp::address::parse("10.0.0.2:4000");
const std::string elsewhere = "10.0.0.77";

constexpr size_t handshake_length = 204;
constexpr size_t refusal_length = 32;

std::unique_ptr<Wired> wired;

sdp::secret secret(char digit = '1')
{
	return sdp::secret::from_hex(std::string(64, digit));
}

/// The errno of what @a work throws; 0 if it does not.
int error_of(const std::function<void()> &work, std::string *said = nullptr)
{
	try {
		work();
		return 0;
	} catch (const std::system_error &error) {
		if (said != nullptr)
			*said = error.what();
		return error.code().value();
	}
}

/// A server on a host; answers with what it got, and remembers how much that was.
class Server {
public:
	explicit Server(const net::Host &host, const sdp::address &place = at_b)
	{
		host.ns.in([&] { server_.emplace(place, secret()); });
		thread_ = std::make_unique<test::Thread>([this] { run(); });
	}
	~Server()
	{
		server_->underlying().shutdown();
		thread_->join();
	}
	Server(const Server &) = delete;
	Server &operator=(const Server &) = delete;

	[[nodiscard]] unsigned served() const { return served_; }
	[[nodiscard]] bool knows(const sdp::address &peer)
	{
		return error_of([&] { (void)server_->underlying().info(peer); }) == 0;
	}
	sdp::socket &socket() { return server_->underlying(); }

private:
	void run()
	{
		EQ(error_of([&] {
			   for (;;) {
				   const sdp::message request = server_->receive();
				   CHECK(request.secure());
				   served_++;
				   server_->respond(request, request.text());
			   }
		   }),
		   ESHUTDOWN);
	}

	std::optional<sdp::server> server_;
	std::atomic<unsigned> served_ = 0;
	std::unique_ptr<test::Thread> thread_;
};

std::optional<sdp::client> client_on(const net::Host &host, const sdp::psk_options &options = {})
{
	std::optional<sdp::client> made;
	host.ns.in([&] { made.emplace(at_b, secret(), options); });
	return made;
}

/// What a client on host a is told that gets no further.
int refused(std::string *said = nullptr, char digit = '1')
{
	int error = 0;
	wired->a.ns.in([&] {
		error = error_of(
			[&] {
				const sdp::client made(
					at_b, secret(digit),
					{.timeout = std::chrono::seconds(test::slow(1))});
			},
			said);
	});
	return error;
}

bool is_udp(const Wired::Packet &packet)
{
	return packet::parse_ip(packet).next == IPPROTO_UDP;
}

/// Where @a packet is from, or goes to.
std::string host_of(const Wired::Packet &packet, bool source)
{
	const size_t at = source ? 12 : 16;
	return std::to_string(packet.at(at)) + "." + std::to_string(packet.at(at + 1)) + "." +
	       std::to_string(packet.at(at + 2)) + "." + std::to_string(packet.at(at + 3));
}

/// @a packet with other addresses; of UDP the checksum is left out, as IPv4 allows.
Wired::Packet between(const std::string &from, const std::string &to, const Wired::Packet &packet)
{
	packet::Datagram ip = packet::parse_ip(packet);
	if (ip.next == IPPROTO_UDP)
		ip.payload.at(6) = ip.payload.at(7) = 0;
	return packet::ip(net::Address::of(from, 0), net::Address::of(to, 0), ip.payload, ip.next,
			  ip.traffic_class);
}

/// @a packet of UDP with other bytes in it, and perhaps another port.
Wired::Packet saying(const Bytes &data, const Wired::Packet &packet, uint16_t to_port = 0)
{
	packet::Datagram ip = packet::parse_ip(packet);
	Bytes payload(ip.payload.begin(), ip.payload.begin() + 8);
	payload.insert(payload.end(), data.begin(), data.end());
	payload[4] = static_cast<uint8_t>(payload.size() >> 8);
	payload[5] = static_cast<uint8_t>(payload.size());
	payload[6] = payload[7] = 0;
	if (to_port != 0) {
		payload[2] = static_cast<uint8_t>(to_port >> 8);
		payload[3] = static_cast<uint8_t>(to_port);
	}
	return packet::ip(ip.from, ip.to, payload, ip.next, ip.traffic_class);
}

Bytes data_of(const Wired::Packet &packet)
{
	const packet::Datagram ip = packet::parse_ip(packet);
	return {ip.payload.begin() + 8, ip.payload.end()};
}

/// The answer of a server to @a asked that is worth nothing: a refusal for @a reason.
Bytes refusal(const Bytes &asked, uint8_t version, uint8_t reason)
{
	Bytes data(asked.begin(), asked.begin() + refusal_length);
	data[7] = version;
	data[8] = 5;
	data[9] = reason;
	return data;
}

/// As @a packet of a's, but back to it.
Wired::Packet answering(const Wired::Packet &packet, const Bytes &data)
{
	packet::Datagram ip = packet::parse_ip(packet);
	std::swap(ip.payload.at(0), ip.payload.at(2));
	std::swap(ip.payload.at(1), ip.payload.at(3));
	return saying(data, packet::ip(ip.to, ip.from, ip.payload, ip.next, 0));
}

} // namespace

SETUP
{
	wired = std::make_unique<Wired>(1500, false);
	wired->watch_udp();
}

EACH
{
	wired->start();
}

TEST(both_ends_agree)
{
	Server b(wired->b);
	auto a = client_on(wired->a);
	CHECK(a->call("question").secure());
	EQ(b.served(), 1U);
	EQ(a->underlying().info(at_b).local.with_port(0).text(), at_a.with_port(0).text());
}

// Everything that a sends to b comes back to it, as if b had sent it to a's own server.
TEST(packets_turned_around_reach_no_server)
{
	Server own(wired->a, at_a);
	wired->set([](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b)
			wired->pass(Way::to_a,
				    between(host_of(packet, false), host_of(packet, true), packet));
	});
	std::string said;
	EQ(refused(&said), ELOOP);
	test::note(said);
	EQ(own.served(), 0U);
}

TEST(packets_turned_around_stop_nobody)
{
	Server own(wired->a, at_a);
	Server b(wired->b);
	wired->set([](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b)
			wired->pass(Way::to_a,
				    between(host_of(packet, false), host_of(packet, true), packet));
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	EQ(own.served(), 0U);
	EQ(b.served(), 1U);
}

// Each packet of the client's is answered with forged ones, before anybody else can.
TEST(forged_answers_stop_nobody)
{
	Server b(wired->b);
	std::atomic<unsigned> forged = 0;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b && is_udp(packet)) {
			const Bytes asked = data_of(packet);
			std::vector<Bytes> answers = {Bytes(80, 7), {}, asked, Bytes(1400, 'x')};
			for (uint8_t reason = 0; reason < 9; reason++)
				answers.push_back(refusal(asked, 2, reason));
			answers.push_back(refusal(asked, 3, 1));
			Bytes no = asked;
			no[8] = 5;
			no[9] = 5;
			answers.push_back(no);
			for (const Bytes &answer : answers) {
				wired->pass(Way::to_a, answering(packet, answer));
				forged++;
			}
		}
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	CHECK(forged > 0);
}

// Each answer of the server's is preceded by others that differ a little.
TEST(changed_and_cut_answers_stop_nobody)
{
	Server b(wired->b);
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_a && is_udp(packet)) {
			Bytes data = data_of(packet);
			for (const size_t at :
			     {8UL, 9UL, 20UL, 40UL, 85UL, 110UL, 140UL, 160UL, 203UL}) {
				Bytes bad = data;
				bad.at(at) ^= 1;
				wired->pass(way, saying(bad, packet));
				bad.resize(at);
				wired->pass(way, saying(bad, packet));
			}
		}
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
}

// What somebody else gets for copies of the client's packets goes to the client first.
TEST(a_hello_copied_from_another_address_stops_nobody)
{
	Server b(wired->b);
	std::atomic<unsigned> copied = 0;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (!is_udp(packet)) {
			wired->pass(way, packet);
		} else if (way == Way::to_b) {
			wired->pass(way, between(elsewhere, "10.0.0.2", packet));
			copied++;
			wired->pass(way, packet);
		} else if (host_of(packet, false) == elsewhere) {
			wired->pass(way, between("10.0.0.2", "10.0.0.1", packet));
		} else {
			wired->pass(way, packet);
		}
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	CHECK(copied > 0);
	const uint16_t port = a->underlying().local().port();
	CHECK(!b.knows(sdp::address::parse(elsewhere, port)));
}

TEST(a_handshake_that_is_repeated_changes_nothing)
{
	Server b(wired->b);
	std::deque<Wired::Packet> seen;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b && is_udp(packet))
			seen.push_back(packet);
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	wired->set(nullptr);
	const uint32_t id = a->underlying().info(at_b).id;
	for (int i = 0; i < 50; i++) {
		for (const Wired::Packet &packet : seen) {
			wired->pass(Way::to_b, packet);
			wired->pass(Way::to_b, between(elsewhere, "10.0.0.2", packet));
		}
		std::this_thread::sleep_for(20ms);
	}
	const uint16_t port = a->underlying().local().port();
	EQ(b.socket().info(at_a.with_port(port)).id, id);
	CHECK(!b.knows(sdp::address::parse(elsewhere, port)));
	EQ(a->call("again").text(), "again");
}

// A second server with the same secret, on another port, sees all of it.
TEST(a_handshake_makes_a_session_at_one_port_alone)
{
	constexpr uint16_t other_port = 4001;
	Server b(wired->b);
	Server other(wired->b, at_b.with_port(other_port));
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b && is_udp(packet))
			wired->pass(way, saying(data_of(packet), packet, other_port));
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	CHECK(!other.knows(at_a.with_port(a->underlying().local().port())));
}

TEST_LIMIT(a_socket_that_shakes_hands_takes_nothing_in_the_clear, 120)
{
	std::optional<sdp::socket> a;
	wired->a.ns.in([&] { a.emplace(sdp::ip::v4); });
	a->bind(sdp::address::any(sdp::ip::v4, 0));
	a->accept_requests(true);
	const net::Address place = net::Address::of("10.0.0.1", a->local().port());
	std::atomic<unsigned> answered = 0;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (is_udp(packet)) {
			// Not one message of the handshake arrives; clear requests do.
			const packet::Ends ends = {
				.from = 99, .to = place.port(), .id = 2 * ++answered};
			wired->pass(Way::to_a,
				    packet::ip(net::Address::of("10.0.0.2", 0), place,
					       packet::make_message(ends, Bytes(20, 'c'))));
			return;
		}
		wired->pass(way, packet);
	});
	CHECK(error_of([&] {
		      wired->a.ns.in(
			      [&] { sdp::psk_connect(*a, at_b, secret(), {.timeout = 2s}); });
	      }) != 0);
	CHECK(answered > 1);
	CHECK(!a->receive_for(200ms));
	CHECK(a->get_policy() == sdp::policy::secure);
}

TEST(another_version_is_said)
{
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b && is_udp(packet))
			wired->pass(Way::to_a, answering(packet, refusal(data_of(packet), 3, 1)));
	});
	std::string said;
	EQ(refused(&said), EPROTO);
	CHECK(said.find("version 3") != std::string::npos);
}

TEST(a_server_says_its_version)
{
	Server b(wired->b);
	std::atomic<bool> told = false;
	wired->set([&](Way way, const Wired::Packet &packet) {
		Bytes data = is_udp(packet) ? data_of(packet) : Bytes();
		if (way == Way::to_b && !data.empty()) {
			data[7] = 1;
			wired->pass(way, saying(data, packet));
			return;
		}
		if (data.size() == refusal_length && data[7] == 2 && data[8] == 5 && data[9] == 1)
			told = true;
		wired->pass(way, packet);
	});
	CHECK(refused() != 0);
	CHECK(told);
}

TEST(another_secret_is_said)
{
	Server b(wired->b);
	EQ(refused(nullptr, '2'), EKEYREJECTED);
	EQ(b.served(), 0U);
}

TEST(nobody_there_is_said)
{
	EQ(refused(), ECONNREFUSED);
}

TEST(a_silent_network_is_said)
{
	wired->set([](Way, const Wired::Packet &) {});
	EQ(refused(), ETIMEDOUT);
}

// No answer is longer than what it answers.
TEST(a_server_does_not_amplify)
{
	Server b(wired->b);
	std::atomic<size_t> longest = 0;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_a && is_udp(packet))
			longest = std::max<size_t>(longest, data_of(packet).size());
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	EQ(longest.load(), handshake_length);
	net::Host &from = wired->a;
	const Fd fd = from.ns.socket(AF_INET, SOCK_DGRAM, 0);
	longest = 0;
	const net::Address to = net::Address::of("10.0.0.2", 4000);
	for (size_t length = 0; length < handshake_length; length++) {
		Bytes data(length, 0);
		const std::string_view magic = "SDP-PSK\x02\x01";
		std::copy_n(magic.begin(), std::min(length, magic.size()), data.begin());
		OK(sendto(fd, data.data(), data.size(), 0, to.raw(), to.length));
	}
	EQ(a->call("question").text(), "question");
	EQ(longest.load(), 0U);
}

// A network that translates addresses, both ways and for both protocols.
TEST(addresses_may_be_translated)
{
	Server b(wired->b);
	wired->set([&](Way way, const Wired::Packet &packet) {
		wired->pass(way, way == Way::to_b ? between(elsewhere, "10.0.0.2", packet)
						  : between("10.0.0.2", "10.0.0.1", packet));
	});
	auto a = client_on(wired->a);
	EQ(a->call("question").text(), "question");
	CHECK(b.knows(sdp::address::parse(elsewhere, a->underlying().local().port())));
}

TEST(lost_and_repeated_packets_are_made_good)
{
	Server b(wired->b);
	wired->set(net::bad_link(*wired, {.lose = 40, .repeat = 20, .reorder = 20, .flip = 5}));
	auto a = client_on(wired->a, {.timeout = std::chrono::seconds(test::slow(20))});
	wired->set(nullptr);
	EQ(a->call("question").text(), "question");
}

// The last one: its answers fill the queue of a device that all share.
TEST(requests_go_on_while_hellos_flood)
{
	Server b(wired->b);
	Wired::Packet hello;
	wired->set([&](Way way, const Wired::Packet &packet) {
		if (way == Way::to_b && is_udp(packet) && hello.empty())
			hello = packet;
		wired->pass(way, packet);
	});
	auto a = client_on(wired->a);
	// In all 400, however often the client has to ask on a slow machine.
	unsigned left = 200;
	wired->set([&](Way way, const Wired::Packet &packet) {
		for (unsigned i = 0; way == Way::to_b && left > 0 && i < 20; i++, left--) {
			const std::string from = "10.0.0." + std::to_string(100 + left % 100);
			wired->pass(way, between(from, "10.0.0.2", hello));
			wired->pass(way, between(from, "10.0.0.2", saying(Bytes(204, 'x'), hello)));
		}
		if (!is_udp(packet))
			wired->pass(way, packet);
	});
	for (unsigned i = 0; i < 20; i++)
		EQ(a->call("question").text(), "question");
	wired->set(nullptr);
	auto second = client_on(wired->a);
	EQ(second->call("question").text(), "question");
}
