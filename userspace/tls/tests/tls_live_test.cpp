// SPDX-License-Identifier: Apache-2.0
// TLS sessions on a kernel that has the module: run in a guest.
#include <sdp/tls.hpp>

#include "lab.hpp"
#include "wire.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;
using sdp::address;
using sdp::tls::call_options;
using sdp::tls::client;
using sdp::tls::client_options;
using sdp::tls::credentials;
using sdp::tls::reason;
using sdp::tls::renewal;
using sdp::tls::settings;

const address place = address::parse("127.0.0.1:4000");
/** An emulated processor may stop for a while. */
const client_options to_server{.server_name = "server.lab", .timeout = 30s};

struct people {
	lab::authority ca{"lab"};
	lab::certificate client = ca.issue({.name = "client.lab"});
	lab::certificate server = ca.issue({.name = "server.lab"});

	[[nodiscard]] std::shared_ptr<credentials> of(const lab::certificate &who) const
	{
		return std::make_shared<credentials>(settings{
			.chain = who.chain(), .key = who.private_key(), .authorities = ca.pem()});
	}
	static const people &all()
	{
		static const people only;
		return only;
	}
};

std::shared_ptr<credentials> client_credentials()
{
	return people::all().of(people::all().client);
}

std::shared_ptr<credentials> server_credentials()
{
	return people::all().of(people::all().server);
}

/** Answers every request with itself and who asked, until the end of the test. */
class echo {
public:
	explicit echo(std::shared_ptr<credentials> who = server_credentials(),
		      const address &at = place, const sdp::tls::server_options &options = {})
		: server_(at, std::move(who), options)
	{
	}
	~echo()
	{
		server_.underlying().shutdown();
		thread_.join();
	}
	echo(const echo &) = delete;
	echo &operator=(const echo &) = delete;

	sdp::tls::server &server() { return server_; }

private:
	void run()
	{
		try {
			for (;;) {
				const sdp::message request = server_.receive();
				EXPECT_TRUE(request.secure());
				const auto who = server_.peer_of(request);
				server_.respond(request,
						request.text() + " of " + (who ? who->name : "?"));
			}
		} catch (const std::system_error &error) {
			EXPECT_EQ(error.code().value(), ESHUTDOWN) << error.what();
		}
	}

	sdp::tls::server server_;
	std::jthread thread_{[this] { run(); }};
};

reason refused(const std::shared_ptr<credentials> &who, const client_options &options)
{
	try {
		const client made(place, who, options);
		return reason::none;
	} catch (const sdp::tls::error &error) {
		return error.why();
	}
}

/** How often each of some threads asked, and was answered; none may fail. */
class load {
public:
	load(client &with, unsigned threads)
	{
		for (unsigned i = 0; i < threads; ++i) {
			threads_.emplace_back([this, &with, i] { run(with, i); });
		}
	}
	std::uint64_t end()
	{
		stop_ = true;
		threads_.clear();
		return answered_;
	}
	[[nodiscard]] std::uint64_t answered() const { return answered_; }

private:
	void run(client &with, unsigned which)
	{
		const std::string text(500 + which, static_cast<char>('a' + which));
		try {
			while (!stop_) {
				EXPECT_EQ(with.call(text).text(), text + " of client.lab");
				++answered_;
			}
		} catch (const std::exception &error) {
			ADD_FAILURE() << error.what();
		}
	}

	std::atomic<bool> stop_ = false;
	std::atomic<std::uint64_t> answered_ = 0;
	std::vector<std::jthread> threads_;
};

TEST(tls, each_end_knows_the_other)
{
	const echo service;
	client one(place, client_credentials(), to_server);
	EXPECT_EQ(one.call("x").text(), "x of client.lab");
	EXPECT_EQ(one.peer().name, "server.lab");
	EXPECT_EQ(one.underlying().info(place).role, sdp::role::client);
	EXPECT_EQ(one.underlying().get_policy(), sdp::policy::secure);
}

// What this library computes as a session's id is what the kernel has.
TEST(tls, the_id_is_the_kernels)
{
	const echo service;
	sdp::socket on(sdp::ip::v4);
	const auto made = sdp::tls::connect(on, place, client_credentials(), to_server);
	EXPECT_EQ(made.id, on.info(place).id);
}

TEST(tls, wrong_ends_are_refused)
{
	const lab::authority other("another");
	const lab::certificate stranger = other.issue({.name = "client.lab"});
	const auto theirs =
		std::make_shared<credentials>(settings{.chain = stranger.chain(),
						       .key = stranger.private_key(),
						       .authorities = people::all().ca.pem()});
	const echo service;
	EXPECT_EQ(refused(theirs, to_server), reason::refused);
	EXPECT_EQ(refused(client_credentials(), {.server_name = "other.lab", .timeout = 2s}),
		  reason::wrong_name);
	EXPECT_EQ(refused(people::all().of(stranger), {.server_name = "server.lab"}),
		  reason::refused);
}

TEST(tls, nobody_there_is_said)
{
	EXPECT_EQ(refused(client_credentials(), {.server_name = "server.lab", .timeout = 1s}),
		  reason::unreachable);
}

TEST(tls, an_external_key)
{
	const auto who = [] {
		settings made;
		made.keys.push_back({"client.lab", sdp::secret::from_hex(std::string(64, '1'))});
		return std::make_shared<credentials>(std::move(made));
	};
	const echo service(who());
	client one(place, who(), {.timeout = 30s});
	EXPECT_EQ(one.call("x").text(), "x of client.lab");
}

TEST(tls, the_second_session_is_resumed)
{
	echo service;
	const auto who = client_credentials();
	for (int i = 0; i < 3; ++i) {
		client one(place, who, to_server);
		EXPECT_EQ(one.call("x").text(), "x of client.lab");
		EXPECT_EQ(one.peer().resumed, i > 0);
	}
	EXPECT_EQ(service.server().counts().resumed, 2U);
}

TEST(tls, many_clients_at_once)
{
	const echo service;
	const auto who = client_credentials();
	std::vector<std::jthread> all;
	for (int i = 0; i < 16; ++i) {
		all.emplace_back([&] {
			client one(place, who, to_server);
			EXPECT_EQ(one.call("x").text(), "x of client.lab");
		});
	}
}

// Nobody loses a message, and none is sent twice: calls are not repeated here.
TEST(tls, sessions_are_renewed_by_age_under_load)
{
	const echo service;
	client one(place, client_credentials(), to_server, {.age = 1s, .any_age = true});
	load calls(one, 4);
	while (one.sessions() < 4 && !testing::Test::HasFailure()) {
		std::this_thread::sleep_for(100ms);
	}
	EXPECT_GT(calls.end(), 4U);
	EXPECT_EQ(one.call("x").text(), "x of client.lab");
}

TEST(tls, sessions_are_renewed_by_volume_under_load)
{
	const echo service;
	client one(place, client_credentials(), to_server, {.volume = 20000});
	load calls(one, 2);
	while (one.sessions() < 3 && !testing::Test::HasFailure()) {
		std::this_thread::sleep_for(100ms);
	}
	calls.end();
}

TEST(tls, both_ends_renew_at_once)
{
	sdp::socket left(sdp::ip::v4, {.region = 1 << 20});
	sdp::socket right(sdp::ip::v4, {.region = 1 << 20});
	left.bind(place);
	right.bind(place.with_port(4001));
	const address left_place = left.local();
	const address right_place = right.local();
	sdp::tls::acceptor at_left(left, server_credentials());
	sdp::tls::acceptor at_right(right, server_credentials());
	std::atomic<bool> stop = false;
	const auto serve = [&](sdp::tls::acceptor &which) {
		while (!stop) {
			pollfd one{which.fd(), POLLIN, 0};
			::poll(&one, 1, 50);
			which.handle();
		}
	};
	const auto answer = [&](sdp::socket &which) {
		while (!stop) {
			if (const auto got = which.receive_for(50ms); got && got->is_request()) {
				which.respond(*got, sdp::as_bytes(got->text()));
			}
		}
	};
	std::vector<std::jthread> all;
	all.emplace_back([&] { serve(at_left); });
	all.emplace_back([&] { serve(at_right); });
	all.emplace_back([&] { answer(left); });
	all.emplace_back([&] { answer(right); });
	const auto who = client_credentials();
	const auto talk = [&](sdp::socket &from, const address &to) {
		try {
			for (int round = 0; round < 5; ++round) {
				sdp::tls::connect(from, to, who, to_server);
				for (int i = 0; i < 10; ++i) {
					EXPECT_EQ(from.call(to, sdp::as_bytes("x"), {}, 30s).text(),
						  "x");
				}
			}
		} catch (const std::exception &error) {
			ADD_FAILURE() << error.what();
		}
	};
	std::jthread one([&] { talk(left, right_place); });
	std::jthread two([&] { talk(right, left_place); });
	one.join();
	two.join();
	stop = true;
}

TEST(tls, a_restarted_server_is_noticed)
{
	std::optional<echo> service(std::in_place);
	client one(place, client_credentials(), to_server);
	EXPECT_EQ(one.call("x").text(), "x of client.lab");
	service.reset();
	service.emplace();
	// May be executed twice: heals by itself. Otherwise one is told, and the next is served.
	EXPECT_EQ(one.call("y", {.repeat = true}).text(), "y of client.lab");
	EXPECT_GE(one.sessions(), 2U);
	service.reset();
	service.emplace();
	EXPECT_THROW(static_cast<void>(one.call("z")), std::system_error);
	for (int tries = 0; tries < 100 && one.sessions() < 3; ++tries) {
		std::this_thread::sleep_for(100ms);
	}
	EXPECT_EQ(one.call("z", {.repeat = true}).text(), "z of client.lab");
}

TEST(tls, a_restarted_client_is_served)
{
	const echo service;
	const auto who = client_credentials();
	for (int i = 0; i < 3; ++i) {
		sdp::socket on(sdp::ip::v4);
		on.bind(place.with_port(5000));
		sdp::tls::connect(on, place, who, to_server);
		EXPECT_EQ(on.call(place, sdp::as_bytes("x")).text(), "x of client.lab");
	}
}

TEST(tls, credentials_are_changed_while_it_runs)
{
	echo service;
	client before(place, client_credentials(), to_server);
	settings picky{.chain = people::all().server.chain(),
		       .key = people::all().server.private_key(),
		       .authorities = people::all().ca.pem(),
		       .allowed = {"other.lab"}};
	service.server().use(std::make_shared<credentials>(std::move(picky)));
	EXPECT_EQ(refused(client_credentials(), to_server), reason::not_allowed);
	EXPECT_EQ(before.call("x").text(), "x of client.lab");
}

/** Reads all packets of the handshake on this host, and answers before or after anybody else. */
class injector {
public:
	injector()
		: in_(::socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP))),
		  out_(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW))
	{
		EXPECT_GE(in_, 0);
		EXPECT_GE(out_, 0);
	}
	~injector()
	{
		thread_.request_stop();
		thread_.join();
		::close(in_);
		::close(out_);
	}
	injector(const injector &) = delete;
	injector &operator=(const injector &) = delete;

	std::atomic<unsigned> forged = 0;

private:
	void run(const std::stop_token &stop)
	{
		std::vector<std::byte> packet(4096);
		while (!stop.stop_requested()) {
			pollfd one{in_, POLLIN, 0};
			if (::poll(&one, 1, 20) <= 0) {
				continue;
			}
			const ssize_t size =
				::recv(in_, packet.data(), packet.size(), MSG_DONTWAIT);
			constexpr std::size_t heads = sizeof(iphdr) + sizeof(udphdr);
			if (size < static_cast<ssize_t>(heads + sdp::tls::wire::head_length)) {
				continue;
			}
			iphdr ip{};
			udphdr udp{};
			std::memcpy(&ip, packet.data(), sizeof(ip));
			std::memcpy(&udp, packet.data() + sizeof(ip), sizeof(udp));
			if (ip.protocol == IPPROTO_UDP && udp.dest == htons(place.port())) {
				answer(ip, udp,
				       std::span(packet)
					       .first(static_cast<std::size_t>(size))
					       .subspan(heads));
			}
		}
	}

	/** Flights, answers, cookies and refusals that are none, and what came, turned around. */
	void answer(const iphdr &ip, const udphdr &udp, sdp::bytes_view asked)
	{
		const auto what = sdp::tls::wire::parse(asked);
		if (!what) {
			return;
		}
		send(ip, udp, asked);
		std::vector<std::byte> junk(300, std::byte{0x16});
		const sdp::tls::wire::pieces flight(junk);
		for (std::uint8_t kind = 2; kind <= 6; ++kind) {
			sdp::tls::wire::packet fake{.kind = static_cast<sdp::tls::wire::kind>(kind),
						    .reason = reason::untrusted,
						    .count = 1,
						    .tag = what->tag,
						    .check = flight.head(),
						    .data = flight.at(0)};
			send(ip, udp, sdp::tls::wire::build(fake, 0));
		}
	}

	void send(const iphdr &ip, const udphdr &udp, sdp::bytes_view body)
	{
		iphdr back{};
		back.version = 4;
		back.ihl = 5;
		back.ttl = 64;
		back.protocol = IPPROTO_UDP;
		back.saddr = ip.daddr;
		back.daddr = ip.saddr;
		udphdr head{};
		head.source = udp.dest;
		head.dest = udp.source;
		head.len = htons(static_cast<std::uint16_t>(sizeof(head) + body.size()));
		std::vector<std::byte> packet(sizeof(back) + sizeof(head) + body.size());
		std::memcpy(packet.data(), &back, sizeof(back));
		std::memcpy(packet.data() + sizeof(back), &head, sizeof(head));
		std::ranges::copy(body, packet.begin() + sizeof(back) + sizeof(head));
		sockaddr_in to{};
		to.sin_family = AF_INET;
		to.sin_addr.s_addr = back.daddr;
		if (::sendto(out_, packet.data(), packet.size(), 0,
			     reinterpret_cast<const sockaddr *>(&to), sizeof(to)) > 0) {
			++forged;
		}
	}

	int in_, out_;
	std::jthread thread_{[this](const std::stop_token &stop) { run(stop); }};
};

TEST(tls, an_injector_stops_nobody)
{
	const echo service(server_credentials(), place, {.limits = {.cookies_above = 0}});
	injector someone;
	for (int i = 0; i < 5; ++i) {
		client one(place, client_credentials(), to_server);
		EXPECT_EQ(one.call("x").text(), "x of client.lab");
	}
	EXPECT_GT(someone.forged.load(), 0U);
}

} // namespace
