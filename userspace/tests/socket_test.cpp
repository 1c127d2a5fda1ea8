// SPDX-License-Identifier: Apache-2.0
// Sockets over a kernel that is played, see fake_kernel.hpp.
#include "datagram.hpp"
#include "fake_kernel.hpp"
#include "psk_caller.hpp"

#include <sdp/psk.hpp>
#include <sdp/socket.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using sdp::ip;

using region_socket = fake_kernel;

// An RPC may be aborted with any errno: the buffers are the kernel's even so.
TEST_F(region_socket, buffers_go_back_once_whatever_an_rpc_failed_with)
{
	sdp::socket socket(ip::v4, {.region = std::size_t{4} * page});
	for (const int error : {EINVAL, EFAULT, ECANCELED}) {
		kernel_.returned.clear();
		kernel_.receives = {kernel_.message({page}, 100), kernel_.failure(error)};
		EXPECT_EQ(socket.try_receive()->size(), 100);
		EXPECT_EQ(socket.try_receive()->error().value(), error);
		EXPECT_FALSE(socket.try_receive());
		EXPECT_EQ(kernel_.returned, std::vector{page}) << error;
	}
}

TEST_F(region_socket, buffers_that_the_kernel_did_not_look_at_go_back_later)
{
	sdp::socket socket(ip::v4, {.region = std::size_t{4} * page});
	kernel_.receives = {kernel_.message({page}, 100),
			    [](const homa_recvmsg_args &) { return -EFAULT; }};
	EXPECT_EQ(socket.try_receive()->size(), 100);
	EXPECT_THROW(static_cast<void>(socket.try_receive()), std::system_error);
	EXPECT_FALSE(socket.try_receive());
	EXPECT_EQ(kernel_.returned, std::vector{page});
}

// Ends of messages share pages: one message may wait for many buffers.
TEST_F(region_socket, all_that_came_back_is_handed_over_before_nothing_is_found)
{
	sdp::socket socket(ip::v4, {.region = page});
	std::vector<sdp::message> held;
	for (std::uint32_t i = 0; i < 100; ++i) {
		kernel_.receives = {kernel_.message({64 * i}, 60)};
		held.push_back(std::move(*socket.try_receive()));
	}
	held.clear();
	EXPECT_FALSE(socket.try_receive());
	EXPECT_EQ(kernel_.returned.size(), 100);
}

TEST_F(region_socket, waits_as_long_as_one_can_say)
{
	sdp::socket socket(ip::v4, {.region = page});
	using std::chrono::milliseconds;
	kernel_.receives = {[this](homa_recvmsg_args &args) {
				    kernel_.take_back(args);
				    return -EAGAIN;
			    },
			    kernel_.message({0}, 1)};
	EXPECT_TRUE(socket.receive_for(milliseconds::max()));
	EXPECT_FALSE(socket.receive_for(milliseconds::min()));
}

// The policy may be the namespace's, or come with a session.
TEST_F(region_socket, messages_are_secure_where_the_policy_is)
{
	sdp::socket socket(ip::v4, {.region = page});
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_FALSE(socket.try_receive()->secure());
	socket.add_session({}, sdp::secret::random());
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_TRUE(socket.try_receive()->secure());

	sdp::socket from_start(ip::v4, {.region = page});
	kernel_.receives = {kernel_.message({0}, 1)};
	EXPECT_TRUE(from_start.try_receive()->secure());
}

// What the socket allows now says nothing of what came under another policy.
TEST_F(region_socket, a_message_is_secure_if_nothing_else_was_allowed_all_the_time)
{
	sdp::socket socket(ip::v4, {.region = std::size_t{4} * page});
	const auto request = [&](const std::function<void()> &meanwhile) {
		kernel_.receives = {[this, meanwhile](homa_recvmsg_args &args) {
			kernel_.take_back(args);
			args.id = 3;
			args.num_bpages = 1;
			meanwhile();
			return 100;
		}};
		return socket.try_receive()->secure();
	};
	EXPECT_FALSE(request([] {}));
	EXPECT_FALSE(request([&] { socket.set_policy(sdp::policy::secure); }));
	EXPECT_TRUE(request([] {}));
	EXPECT_FALSE(request([&] {
		socket.set_policy(sdp::policy::mixed);
		socket.set_policy(sdp::policy::secure);
	}));
	EXPECT_TRUE(request([] {}));
	EXPECT_FALSE(request([&] { socket.set_policy(sdp::policy::mixed); }));
}

class handshake : public fake_kernel {
protected:
	static sdp::secret key() { return sdp::secret::from_hex(std::string(64, '1')); }

	const sdp::address server_ = sdp::address::parse("127.0.0.1:1");
	const sdp::psk_options soon_{.timeout = std::chrono::milliseconds(30)};
};

TEST_F(handshake, no_socket_is_ever_less_than_secure)
{
	for (const sdp::policy before :
	     {sdp::policy::secure, sdp::policy::clear, sdp::policy::mixed}) {
		sdp::socket socket(ip::v4);
		socket.set_policy(before);
		kernel_.policies.clear();
		EXPECT_THROW(sdp::psk_connect(socket, server_, key(), soon_), std::system_error);
		EXPECT_EQ(socket.get_policy(), sdp::policy::secure);
		EXPECT_EQ(std::ranges::count(kernel_.policies, SDP_POLICY_SECURE),
			  kernel_.policies.size());
	}
}

// Twice std::move(secret): the second would serve whoever knows what zero is.
TEST_F(handshake, secrets_that_were_moved_from_are_refused)
{
	sdp::secret secret = key();
	const sdp::secret taken = std::move(secret);
	sdp::socket socket(ip::v4);
	socket.bind(sdp::address::parse("127.0.0.1:0"));
	EXPECT_THROW(sdp::psk_acceptor(socket, secret), std::system_error);         // NOLINT
	EXPECT_THROW(sdp::psk_connect(socket, server_, secret), std::system_error); // NOLINT
}

TEST_F(handshake, nonces_of_those_that_fail_are_not_lost)
{
	sdp::socket socket(ip::v4);
	for (int i = 0; i < 10; ++i) {
		EXPECT_THROW(sdp::psk_connect(socket, server_, key(), soon_), std::system_error);
	}
	EXPECT_EQ(kernel_.nonces, 1);
}

/** A server on a socket of the played kernel; its clients speak UDP with it. */
class acceptor : public handshake {
protected:
	acceptor()
	{
		socket_.bind(sdp::address::parse("127.0.0.1:0"));
		acceptor_.emplace(socket_, key());
	}

	/** What comes of a client's handshake from @p port: none is a session. */
	sdp::psk::reason answer(std::uint16_t port, std::uint16_t size = sdp::record_size_default)
	{
		const auto wire = sdp::detail::datagrams::to(client_, socket_.local());
		const sdp::psk::keys keys(key(), "");
		sdp::psk::wish wish;
		wish.client_port = port;
		wish.server_port = socket_.local().port();
		wish.cipher = sdp::cipher::aes_128_gcm;
		wish.record_size = size;
		wish.attempt[0] = std::byte{++attempt_};
		auto now = std::chrono::steady_clock::now();
		sdp::psk::caller caller(keys, wish, sdp::psk::place_of(wire.local()),
					sdp::psk::ip_of(socket_.local()), now,
					std::chrono::hours(1));
		while (!caller.accepted() && caller.refused() == sdp::psk::reason::none) {
			now = caller.next();
			wire.send(*caller.send(now));
			acceptor_->handle();
			std::array<std::byte, 500> room{};
			while (const auto got = wire.receive(room)) {
				caller.take(std::span(room).first(got->size), now);
			}
		}
		return caller.refused();
	}

	sdp::socket socket_{ip::v4};
	sdp::socket client_{ip::v4};
	std::optional<sdp::psk_acceptor> acceptor_;
	unsigned char attempt_ = 0;
};

using sdp::psk::reason;

TEST_F(acceptor, installs_what_both_ends_have_said)
{
	EXPECT_EQ(answer(40000), reason::none);
	EXPECT_EQ(answer(40001, 4096), reason::none);
	ASSERT_EQ(kernel_.added.size(), 2);
	const sdp_session_add &first = kernel_.added[0];
	const sdp_session_add &second = kernel_.added[1];
	EXPECT_EQ(first.role, SDP_ROLE_SERVER);
	EXPECT_EQ(second.record_size, 4096);
	EXPECT_EQ(ntohs(second.peer.sin6_port), 40001);
	EXPECT_EQ(second.local.sin6_addr.s6_addr[15], 1);
	EXPECT_NE(0, std::memcmp(first.context, second.context, sizeof(first.context)));
	EXPECT_NE(0, std::memcmp(first.secret, second.secret, sizeof(first.secret)));
}

TEST_F(acceptor, nonces_of_sessions_that_are_refused_are_not_lost)
{
	kernel_.session_error = EPERM;
	for (int i = 0; i < 10; ++i) {
		EXPECT_EQ(answer(40000), reason::declined);
	}
	EXPECT_EQ(kernel_.nonces, 1);
	EXPECT_EQ(answer(40000, 255), reason::declined);
	EXPECT_EQ(kernel_.nonces, 1);
	// A nonce that the kernel does not know any more is not tried again.
	kernel_.session_error = EINVAL;
	EXPECT_EQ(answer(40000), reason::declined);
	kernel_.session_error = 0;
	EXPECT_EQ(answer(40000), reason::none);
	EXPECT_EQ(answer(40000), reason::none);
	EXPECT_EQ(kernel_.nonces, 3);
}

// Clients go without a word: a server would end with sessions of nobody, and take no other.
TEST_F(acceptor, sessions_that_are_silent_make_room_for_others)
{
	using namespace std::chrono_literals;
	kernel_.most_sessions = 3;
	EXPECT_EQ(answer(40001), reason::none);
	EXPECT_EQ(answer(40002), reason::none);
	EXPECT_EQ(answer(40003), reason::none);
	EXPECT_EQ(answer(40004), reason::busy);
	kernel_.sessions = {{40001, 61s}, {40002, 3600s}, {40003, 59s}};
	EXPECT_EQ(answer(40004), reason::none);
	EXPECT_FALSE(kernel_.sessions.contains(40002));
	EXPECT_EQ(answer(40005), reason::none);
	EXPECT_FALSE(kernel_.sessions.contains(40001));
	EXPECT_EQ(answer(40006), reason::busy);
	EXPECT_EQ(kernel_.sessions.size(), 3);
	// Who has one gets another in its place.
	EXPECT_EQ(answer(40005), reason::none);
	EXPECT_EQ(kernel_.sessions.size(), 3);
}

// They come for nothing: whoever sends them may not keep the acceptor from its other work.
TEST_F(acceptor, packets_for_many_count_as_others_do)
{
	sdp::socket socket(ip::v4);
	socket.bind(sdp::address::parse("0.0.0.0:0"));
	sdp::psk_acceptor crowded(socket, key());
	const auto readable = [&] {
		pollfd one{crowded.fd(), POLLIN, 0};
		return ::poll(&one, 1, 0) == 1;
	};
	const sdp::address all = sdp::address::parse("127.255.255.255", socket.local().port());
	const int from = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int yes = 1;
	ASSERT_EQ(::setsockopt(from, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)), 0);
	for (int i = 0; i < 100; ++i) {
		ASSERT_EQ(::sendto(from, "x", 1, 0, all.data(), all.size()), 1);
	}
	::close(from);
	crowded.handle();
	EXPECT_TRUE(readable());
	crowded.handle();
	EXPECT_FALSE(readable());
}

} // namespace
