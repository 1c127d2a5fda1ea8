// SPDX-License-Identifier: Apache-2.0
// Handshakes on sockets, over a kernel that is played: see fake_kernel.hpp.
#include "datagram.hpp"
#include "fake_kernel.hpp"
#include "talk.hpp"

#include <sdp/tls.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <stop_token>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace lab;
using sdp::ip;
namespace tls = sdp::tls;

namespace {

class handshakes : public fake_kernel {
protected:
	handshakes() { socket_.bind(address::parse("127.0.0.1:0")); }

	/** What comes of a client's handshake with a server at socket_. */
	reason shake(tls::acceptor &with)
	{
		const auto wire = sdp::detail::datagrams::to(client_, socket_.local());
		client_handshake core(who_, {.server_name = "server.lab", .timeout = 1s},
				      {.port = client_port,
				       .own = wire.local(),
				       .server = socket_.local(),
				       .nonce = {std::byte{0xc1}}},
				      tls::clock::now());
		auto now = tls::clock::now();
		std::array<std::byte, tls::datagram_length + 1> room{};
		while (!core.agreed() && core.failed() == reason::none) {
			while (const auto bytes = core.send(now)) {
				wire.send(*bytes);
				with.handle();
				while (const auto got = wire.receive(room)) {
					core.take(std::span(room).first(got->size), now);
				}
			}
			now += 10ms;
		}
		return core.agreed() ? reason::none : core.failed();
	}

	sdp::socket socket_{ip::v4};
	sdp::socket client_{ip::v4};
	const std::shared_ptr<const credentials> who_ = ready(client_settings());
};

} // namespace

// The kernel gives 1,024, and forgets none while the socket is there.
TEST_F(handshakes, nonces_of_those_that_fail_are_not_lost)
{
	const tls::client_options soon{.server_name = "server.lab", .timeout = 5ms};
	const auto nobody = address::parse("127.0.0.1:1");
	for (int i = 0; i < 20; ++i) {
		EXPECT_THROW(tls::connect(client_, nobody, who_, soon), tls::error);
	}
	EXPECT_EQ(kernel_.nonces, 1);
}

TEST_F(handshakes, nonces_of_sessions_that_the_kernel_refuses_are_tried_again)
{
	tls::acceptor accepting(socket_, ready(server_settings()));
	for (const int error : {ENOMEM, EINVAL}) {
		kernel_.session_error = error;
		EXPECT_EQ(shake(accepting), reason::busy);
	}
	EXPECT_EQ(kernel_.nonces, 1);
	kernel_.session_error = 0;
	EXPECT_EQ(shake(accepting), reason::none);
	EXPECT_EQ(kernel_.nonces, 1);
	// But none that it does not know any more, as after the machine slept.
	kernel_.session_error = EINVAL;
	EXPECT_EQ(shake(accepting), reason::busy);
	EXPECT_EQ(shake(accepting), reason::busy);
	EXPECT_EQ(kernel_.nonces, 2);
	kernel_.session_error = 0;
	EXPECT_EQ(shake(accepting), reason::none);
	EXPECT_EQ(kernel_.nonces, 3);
}

// A channel's call that was cancelled while its handshake had not begun.
TEST_F(handshakes, early_data_that_are_not_wanted_any_more_are_not_sent)
{
	std::atomic<int> taken = 0;
	tls::acceptor accepting(socket_, ready(server_settings()),
				{.early = {.most = tls::longest_early_data}});
	accepting.on_early([&](sdp::early_arrival &&, const tls::identity &) {
		++taken;
		return sdp::early_answer();
	});
	std::jthread serves([&](const std::stop_token &stop) {
		while (!stop.stop_requested()) {
			pollfd one{accepting.fd(), POLLIN, 0};
			::poll(&one, 1, 5);
			accepting.handle();
		}
	});
	const tls::client_options wish{.server_name = "server.lab"};
	const auto shake_with = [&](sdp::early_exchange *early) {
		return tls::connect(client_, socket_.local(), who_, wish, {}, early);
	};
	shake_with(nullptr);
	sdp::early_exchange unwanted;
	unwanted.request.resize(5);
	unwanted.fate = sdp::early_fate::withdrawn;
	EXPECT_EQ(shake_with(&unwanted).peer.name, "server.lab");
	EXPECT_EQ(unwanted.fate, sdp::early_fate::withdrawn);
	EXPECT_EQ(taken, 0);
	// Others would have been.
	sdp::early_exchange wanted;
	wanted.request.resize(5);
	shake_with(&wanted);
	EXPECT_EQ(wanted.fate, sdp::early_fate::accepted);
	EXPECT_EQ(taken, 1);
}

TEST_F(handshakes, nobody_is_served_without_credentials)
{
	tls::acceptor accepting(socket_, ready(server_settings()));
	EXPECT_THROW(accepting.use(nullptr), std::invalid_argument);
	EXPECT_EQ(shake(accepting), reason::none);
}

// Of both versions of IP at a server that takes both.
TEST_F(handshakes, datagrams_for_many_are_known_as_such)
{
	const int one = 1;
	for (const char *at : {"[::]:0", "0.0.0.0:0"}) {
		const address everywhere = address::parse(at);
		sdp::socket server(everywhere.version());
		server.bind(everywhere);
		const auto wire = sdp::detail::datagrams::at(server);
		const int from = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		const in_addr loop{htonl(INADDR_LOOPBACK)};
		ASSERT_EQ(::setsockopt(from, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)), 0);
		ASSERT_EQ(::setsockopt(from, IPPROTO_IP, IP_MULTICAST_IF, &loop, sizeof(loop)), 0);
		const auto send = [&](const char *where) {
			const auto to = address::parse(where, server.local().port());
			return ::sendto(from, "x", 1, 0, to.data(), to.size()) == 1;
		};
		std::array<std::byte, 8> room{};
		for (const char *many : {"127.255.255.255", "224.0.0.1"}) {
			ASSERT_TRUE(send(many)) << std::strerror(errno);
			const auto got = wire.receive(room);
			if (got) { // Multicast may not come back by this machine's loopback device.
				EXPECT_TRUE(got->for_many) << at << ' ' << many;
			}
		}
		ASSERT_TRUE(send("127.0.0.1"));
		const auto got = wire.receive(room);
		ASSERT_TRUE(got);
		EXPECT_FALSE(got->for_many);
		EXPECT_EQ(got->to.text(), address::parse("127.0.0.1:0").text());
		::close(from);
	}
}
