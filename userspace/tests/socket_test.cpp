// SPDX-License-Identifier: Apache-2.0
// Sockets over a kernel that is played here: these functions stand before the C library's.
#include "datagram.hpp"
#include "psk_caller.hpp"

#include <sdp/psk.hpp>
#include <sdp/socket.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstring>
#include <deque>
#include <functional>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <map>
#include <optional>
#include <poll.h>
#include <set>
#include <string>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace {

using sdp::ip;

/** One recvmsg() of Homa's API: what is left in the arguments is written back. */
using receiver = std::function<int(homa_recvmsg_args &args)>;

/** What the kernel is about to do, and what it was told. */
struct kernel {
	std::deque<receiver> receives; /**< then EAGAIN, with all buffers taken back */
	std::vector<std::uint32_t> returned;
	/** Requests that were sent by Homa's API. */
	std::vector<homa_sendmsg_args> requests;
	std::vector<std::uint64_t> awaited; /**< ids that recvmsg() named, or 0 */
	std::vector<sdp_abort_args> aborted;
	bool stalled = false; /**< responses to such requests lack room */
	int policy = SDP_POLICY_CLEAR;
	int nonces = 0;        /**< given; of such bytes */
	int session_error = 0; /**< of installing one */
	std::map<std::uint16_t, std::chrono::nanoseconds>
		sessions; /**< by the peer's port: silent */
	std::size_t most_sessions = 4096;
	std::vector<int> policies; /**< that were set */
	std::vector<sdp_session_add> added;
	std::set<int> sockets; /**< SDP's; all others are the real kernel's */

	int add_session(const sdp_session_add &add)
	{
		const std::uint16_t port = ntohs(add.peer.sin6_port);
		if (session_error != 0) {
			return session_error;
		}
		if (sessions.size() >= most_sessions) {
			return ENOBUFS;
		}
		sessions[port] = {};
		added.push_back(add);
		policy = policy == SDP_POLICY_CLEAR ? SDP_POLICY_SECURE : policy;
		return 0;
	}
	/** All RPCs of the socket, of which there are always many others before. */
	void tell(homa_info &info) const
	{
		constexpr std::size_t others = 1000;
		const std::span room(reinterpret_cast<homa_rpc_info *>(info.rpc_info), // NOLINT
				     info.rpc_info_length / sizeof(homa_rpc_info));
		const std::size_t all = others + requests.size();
		const std::size_t told = std::min(all, room.size());
		for (std::size_t i = 0; i < told; ++i) {
			room[i] = {};
			room[i].id = i < others ? 1 : requests[i - others].id;
			room[i].flags = stalled ? HOMA_RPC_BUF_STALL : 0;
		}
		info.rpc_info_length = told * sizeof(homa_rpc_info);
		info.num_rpcs = static_cast<std::uint32_t>(all);
	}
	/** Takes back what @p args holds; what there is to be received next is up to the caller. */
	void take_back(homa_recvmsg_args &args)
	{
		const std::span offsets = std::span(args.bpage_offsets).first(args.num_bpages);
		returned.insert(returned.end(), offsets.begin(), offsets.end());
		args = {};
	}
	/** A response of @p size bytes at @p offsets. */
	receiver message(std::vector<std::uint32_t> offsets, int size)
	{
		return [this, offsets, size](homa_recvmsg_args &args) {
			take_back(args);
			args.id = 2;
			args.num_bpages = static_cast<std::uint32_t>(offsets.size());
			std::ranges::copy(offsets, std::begin(args.bpage_offsets));
			return size;
		};
	}
	/** An RPC that failed with @p error. */
	receiver failure(int error)
	{
		return [this, error](homa_recvmsg_args &args) {
			take_back(args);
			args.id = 4;
			return -error;
		};
	}
};

kernel *played = nullptr;

class fake_kernel : public testing::Test {
protected:
	fake_kernel() { played = &kernel_; }
	~fake_kernel() override { played = nullptr; }
	fake_kernel(const fake_kernel &) = delete;
	fake_kernel &operator=(const fake_kernel &) = delete;
	fake_kernel(fake_kernel &&) = delete;
	fake_kernel &operator=(fake_kernel &&) = delete;

	kernel kernel_;
};

using region_socket = fake_kernel;

constexpr std::uint32_t page = 65536;

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

/** Calls over Homa's API, of which the kernel gives every request an id. */
class region_call : public fake_kernel {
protected:
	sdp::message call(std::chrono::milliseconds timeout = {})
	{
		return socket_.call(server_, sdp::as_bytes("x"), {.cookie = 7}, timeout);
	}
	int error(std::chrono::milliseconds timeout = {})
	{
		try {
			static_cast<void>(call(timeout));
			return 0;
		} catch (const std::system_error &failed) {
			return failed.code().value();
		}
	}

	const sdp::address server_ = sdp::address::parse("127.0.0.1:1");
	sdp::socket socket_{ip::v4, {.region = page}};
};

TEST_F(region_call, nobody_else_gets_the_response_and_it_takes_no_other_message)
{
	kernel_.receives = {kernel_.message({0}, 10)};
	const sdp::message got = call();
	EXPECT_EQ(got.size(), 10);
	EXPECT_EQ(got.cookie(), 7);
	ASSERT_EQ(kernel_.requests.size(), 1);
	EXPECT_EQ(kernel_.requests[0].flags, HOMA_SENDMSG_PRIVATE);
	EXPECT_EQ(kernel_.awaited, std::vector<std::uint64_t>{kernel_.requests[0].id});
	EXPECT_TRUE(kernel_.aborted.empty());
}

TEST_F(region_call, one_that_fails_is_aborted_by_its_id)
{
	using std::chrono::milliseconds;
	EXPECT_EQ(error(milliseconds(30)), ETIMEDOUT);
	kernel_.stalled = true;
	EXPECT_EQ(error(milliseconds(30)), ENOBUFS);
	kernel_.receives = {[this](homa_recvmsg_args &args) {
		kernel_.take_back(args);
		return -ESHUTDOWN;
	}};
	EXPECT_EQ(error(), ESHUTDOWN);
	ASSERT_EQ(kernel_.requests.size(), 3);
	ASSERT_EQ(kernel_.aborted.size(), 3);
	for (std::size_t i = 0; i < 3; ++i) {
		EXPECT_EQ(kernel_.aborted[i].id, kernel_.requests[i].id);
		EXPECT_EQ(kernel_.aborted[i].cookie, 0);
		EXPECT_EQ(kernel_.aborted[i].error, 0);
	}
}

TEST_F(region_call, a_response_without_room_is_not_waited_for_for_ever)
{
	kernel_.stalled = true;
	EXPECT_EQ(error(), ENOBUFS);
}

TEST_F(region_call, what_comes_back_meanwhile_is_handed_over)
{
	kernel_.receives = {kernel_.message({64}, 10)};
	std::optional<sdp::message> held = call();
	kernel_.receives = {[&](homa_recvmsg_args &args) {
				    kernel_.take_back(args);
				    held.reset();
				    return -EAGAIN;
			    },
			    kernel_.message({0}, 1)};
	EXPECT_EQ(call().size(), 1);
	EXPECT_EQ(kernel_.returned, std::vector<std::uint32_t>{64});
}

void set_peer(msghdr &head, std::uint16_t port)
{
	sockaddr_in peer{};
	peer.sin_family = AF_INET;
	peer.sin_port = htons(port);
	peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*static_cast<sockaddr_in *>(head.msg_name) = peer;
	head.msg_namelen = sizeof(peer);
}

int receive_region(msghdr &head)
{
	auto &args = *static_cast<homa_recvmsg_args *>(head.msg_control);
	played->awaited.push_back(args.id);
	if (played->receives.empty()) {
		played->take_back(args);
		return -EAGAIN;
	}
	const receiver next = std::move(played->receives.front());
	played->receives.pop_front();
	const int result = next(args);
	if (result >= 0) {
		set_peer(head, 1);
	}
	return result;
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

extern "C" {

// A TCP socket stands in for one of SDP's: it can be bound, and leaves the UDP port free.
int socket(int domain, int type, int protocol) noexcept
{
	const bool ours = protocol == IPPROTO_HOMA;
	const auto fd =
		static_cast<int>(ours ? ::syscall(SYS_socket, domain, SOCK_STREAM | SOCK_CLOEXEC, 0)
				      : ::syscall(SYS_socket, domain, type, protocol));
	if (played != nullptr) {
		played->sockets.erase(fd);
		if (ours) {
			played->sockets.insert(fd);
		}
	}
	return fd;
}

int ioctl(int, unsigned long request, ...) noexcept
{
	va_list list;
	va_start(list, request);
	void *argument = va_arg(list, void *);
	va_end(list);
	if (request == SDPIOCABORT) {
		played->aborted.push_back(*static_cast<const sdp_abort_args *>(argument));
	} else if (request == HOMAIOCINFO) {
		played->tell(*static_cast<homa_info *>(argument));
	}
	return 0;
}

ssize_t sendmsg(int fd, const msghdr *head, int flags)
{
	if (played == nullptr || !played->sockets.contains(fd)) {
		return ::syscall(SYS_sendmsg, fd, head, flags);
	}
	auto &args = *static_cast<homa_sendmsg_args *>(head->msg_control);
	args.id = 2 * played->requests.size() + 100;
	played->requests.push_back(args);
	return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length) noexcept
{
	if (level != IPPROTO_HOMA) {
		return static_cast<int>(
			::syscall(SYS_setsockopt, fd, level, option, value, length));
	}
	int error = 0;
	if (option == SDP_POLICY) {
		played->policy = *static_cast<const int *>(value);
		played->policies.push_back(played->policy);
	} else if (option == SDP_SESSION_ADD) {
		error = played->add_session(*static_cast<const sdp_session_add *>(value));
	} else if (option == SDP_SESSION_DEL) {
		const auto &ref = *static_cast<const sdp_session_ref *>(value);
		error = played->sessions.erase(ntohs(ref.peer.sin6_port)) == 0 ? ENOENT : 0;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length) noexcept
{
	if (level != IPPROTO_HOMA) {
		return static_cast<int>(
			::syscall(SYS_getsockopt, fd, level, option, value, length));
	}
	if (option == SDP_POLICY) {
		*static_cast<int *>(value) = played->policy;
	} else if (option == SDP_NONCE) {
		std::memset(value, ++played->nonces, *length);
	} else if (option == SDP_SESSION_INFO) {
		auto &info = *static_cast<sdp_session_info *>(value);
		const auto found = played->sessions.find(ntohs(info.peer.sin6_port));
		if (found == played->sessions.end()) {
			errno = ENOENT;
			return -1;
		}
		info.local.sin6_family = AF_INET6;
		info.silent_ns = static_cast<std::uint64_t>(found->second.count());
	}
	return 0;
}

// The C library declares that poll() only writes to what it is given.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
int poll(pollfd *files, nfds_t count, int milliseconds)
{
	if (played != nullptr && played->sockets.contains(files->fd)) {
		return 0;
	}
	const timespec time{.tv_sec = milliseconds / 1000,
			    .tv_nsec = milliseconds % 1000 * 1000000};
	return ::ppoll(files, count, milliseconds < 0 ? nullptr : &time, nullptr);
}
#pragma GCC diagnostic pop

ssize_t recvmsg(int fd, msghdr *head, int flags)
{
	if (!played->sockets.contains(fd)) {
		return ::syscall(SYS_recvmsg, fd, head, flags);
	}
	const int result = receive_region(*head);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}
}
