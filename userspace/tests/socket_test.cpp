// SPDX-License-Identifier: Apache-2.0
// Sockets over a kernel that is played here: these functions stand before the C library's.
#include <sdp/psk.hpp>
#include <sdp/socket.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <linux/homa.h>
#include <linux/sdp.h>
#include <map>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <vector>

namespace {

using sdp::ip;

/** One recvmsg() of Homa's API: what is left in the arguments is written back. */
using receiver = std::function<int(homa_recvmsg_args &args)>;

/** A message of the plain API. */
struct plain {
	sdp_rpc_cmsg rpc{};
	std::vector<std::byte> body;
	std::uint16_t port = 0;
};

/** What the kernel is about to do, and what it was told. */
struct kernel {
	std::deque<receiver> receives; /**< then EAGAIN, with all buffers taken back */
	std::vector<std::uint32_t> returned;
	int policy = SDP_POLICY_CLEAR;
	int nonces = 0;        /**< given; of such bytes */
	int session_error = 0; /**< of installing one */
	std::map<std::uint16_t, std::chrono::nanoseconds>
		sessions; /**< by the peer's port: silent */
	std::size_t most_sessions = 4096;
	std::deque<plain> inbox; /**< then ESHUTDOWN */
	std::vector<plain> sent;
	std::function<void(const plain &)> on_send;

	int add_session(const sockaddr_in6 &peer)
	{
		const std::uint16_t port = ntohs(peer.sin6_port);
		if (session_error != 0) {
			return session_error;
		}
		if (sessions.size() >= most_sessions) {
			return ENOBUFS;
		}
		sessions[port] = {};
		policy = policy == SDP_POLICY_CLEAR ? SDP_POLICY_SECURE : policy;
		return 0;
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

class handshake : public fake_kernel {
protected:
	static sdp::secret key() { return sdp::secret::from_hex(std::string(64, '1')); }

	const sdp::address server_ = sdp::address::parse("10.0.0.1:4000");
};

TEST_F(handshake, one_that_fails_leaves_a_secure_socket_secure)
{
	for (const sdp::policy before : {sdp::policy::secure, sdp::policy::clear}) {
		sdp::socket socket(ip::v4);
		socket.set_policy(before);
		EXPECT_THROW(sdp::psk_connect(socket, server_, key()), std::system_error);
		EXPECT_EQ(socket.get_policy(),
			  before == sdp::policy::secure ? sdp::policy::secure : sdp::policy::mixed);
	}
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

int receive_plain(msghdr &head)
{
	if (played->inbox.empty()) {
		return -ESHUTDOWN;
	}
	const plain message = std::move(played->inbox.front());
	played->inbox.pop_front();
	std::ranges::copy(message.body, static_cast<std::byte *>(head.msg_iov->iov_base));
	cmsghdr *control = CMSG_FIRSTHDR(&head);
	control->cmsg_level = IPPROTO_HOMA;
	control->cmsg_type = SDP_CMSG_RPC;
	control->cmsg_len = CMSG_LEN(sizeof(message.rpc));
	std::memcpy(CMSG_DATA(control), &message.rpc, sizeof(message.rpc));
	set_peer(head, message.port);
	return static_cast<int>(message.body.size());
}

int receive_region(msghdr &head)
{
	auto &args = *static_cast<homa_recvmsg_args *>(head.msg_control);
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

/** A message in the clear from @p port. */
plain incoming(std::uint64_t id, sdp::bytes_view body, std::uint16_t port)
{
	plain message;
	message.rpc.size = sizeof(message.rpc);
	message.rpc.id = id;
	message.body.assign(body.begin(), body.end());
	message.port = port;
	return message;
}

// Twice std::move(secret): the second would serve whoever knows what zero is.
TEST_F(handshake, secrets_that_were_moved_from_are_refused)
{
	sdp::secret secret = key();
	const sdp::psk_acceptor first(std::move(secret));
	EXPECT_THROW(sdp::psk_acceptor(std::move(secret)), std::system_error); // NOLINT
	sdp::socket socket(ip::v4);
	EXPECT_THROW(sdp::psk_connect(socket, server_, secret), std::system_error); // NOLINT
	EXPECT_TRUE(kernel_.sent.empty());
}

class acceptor : public handshake {
protected:
	/** What is answered to @p hello from @p port. */
	sdp::psk_wire::status answer(const sdp::psk_wire::handshake &hello, std::uint16_t port)
	{
		const auto packet = sdp::psk_wire::seal(hello, key());
		kernel_.inbox.push_back(incoming(1, packet, port));
		kernel_.sent.clear();
		EXPECT_TRUE(acceptor_.handle(socket_, socket_.receive()));
		return sdp::psk_wire::open(kernel_.sent.at(0).body, key()).status;
	}
	static sdp::psk_wire::handshake hello(std::uint64_t time)
	{
		return {.kind = sdp::psk_wire::kind::hello,
			.status = {},
			.cipher = sdp::cipher::aes_128_gcm,
			.record_size = sdp::record_size_default,
			.time = time,
			.client = sdp::nonce{std::byte{7}},
			.server = {}};
	}

	sdp::socket socket_{ip::v4};
	sdp::psk_acceptor acceptor_{key()};
};

using sdp::psk_wire::status;

TEST_F(acceptor, takes_a_hello_once_wherever_it_comes_from)
{
	EXPECT_EQ(answer(hello(1000), 40000), status::ok);
	EXPECT_EQ(answer(hello(2000), 40001), status::ok);
	EXPECT_EQ(answer(hello(3000), 40001), status::ok);
	// A listener repeats what it read, from the address of somebody with a session.
	EXPECT_EQ(answer(hello(2000), 40000), status::refused);
	EXPECT_EQ(answer(hello(3000), 40000), status::refused);
	EXPECT_EQ(answer(hello(1000), 40000), status::refused);
	// Which has kept nobody out.
	EXPECT_EQ(answer(hello(1001), 40000), status::ok);
}

TEST_F(acceptor, leaves_responses_to_the_application)
{
	kernel_.inbox.push_back(incoming(2, sdp::as_bytes("response"), 40000));
	EXPECT_FALSE(acceptor_.handle(socket_, socket_.receive()));
	EXPECT_TRUE(kernel_.sent.empty());
	kernel_.inbox.push_back(incoming(1, sdp::as_bytes(std::string(81, 'x')), 40000));
	EXPECT_TRUE(acceptor_.handle(socket_, socket_.receive()));
	EXPECT_EQ(kernel_.sent.size(), 1);
}

TEST_F(handshake, nonces_of_those_that_fail_are_not_lost)
{
	sdp::socket socket(ip::v4);
	kernel_.on_send = [this](const plain &request) {
		plain failed = incoming(2, {}, 4000);
		failed.rpc.flags = SDP_RPC_FAILED;
		failed.rpc.error = ETIMEDOUT;
		failed.rpc.cookie = request.rpc.cookie;
		kernel_.inbox.push_back(failed);
	};
	for (int i = 0; i < 10; ++i) {
		EXPECT_THROW(sdp::psk_connect(socket, server_, key()), std::system_error);
	}
	EXPECT_EQ(kernel_.sent.size(), 30);
	EXPECT_EQ(kernel_.nonces, 1);
}

TEST_F(acceptor, nonces_of_sessions_that_are_refused_are_not_lost)
{
	kernel_.session_error = ENOBUFS;
	for (std::uint64_t i = 1; i <= 10; ++i) {
		EXPECT_EQ(answer(hello(i), 40000), status::refused);
	}
	EXPECT_EQ(kernel_.nonces, 1);
	auto bad = hello(11);
	bad.record_size = 255;
	EXPECT_EQ(answer(bad, 40000), status::refused);
	EXPECT_EQ(kernel_.nonces, 1);
	// A nonce that the kernel does not know any more is not tried again.
	kernel_.session_error = EINVAL;
	EXPECT_EQ(answer(hello(12), 40000), status::refused);
	kernel_.session_error = 0;
	EXPECT_EQ(answer(hello(13), 40000), status::ok);
	EXPECT_EQ(answer(hello(14), 40000), status::ok);
	EXPECT_EQ(kernel_.nonces, 3);
}

// Clients go without a word: a server would end with sessions of nobody, and take no other.
TEST_F(acceptor, sessions_that_are_silent_make_room_for_others)
{
	using namespace std::chrono_literals;
	kernel_.most_sessions = 3;
	EXPECT_EQ(answer(hello(1), 40001), status::ok);
	EXPECT_EQ(answer(hello(2), 40002), status::ok);
	EXPECT_EQ(answer(hello(3), 40003), status::ok);
	EXPECT_EQ(answer(hello(4), 40004), status::refused);
	kernel_.sessions = {{40001, 61s}, {40002, 3600s}, {40003, 59s}};
	EXPECT_EQ(answer(hello(5), 40004), status::ok);
	EXPECT_FALSE(kernel_.sessions.contains(40002));
	EXPECT_EQ(answer(hello(6), 40005), status::ok);
	EXPECT_FALSE(kernel_.sessions.contains(40001));
	EXPECT_EQ(answer(hello(7), 40006), status::refused);
	EXPECT_EQ(kernel_.sessions.size(), 3);
	// Who has one gets another in its place.
	EXPECT_EQ(answer(hello(8), 40005), status::ok);
	EXPECT_EQ(kernel_.sessions.size(), 3);
}

} // namespace

extern "C" {

int socket(int, int, int) noexcept
{
	return ::eventfd(0, EFD_CLOEXEC);
}

int ioctl(int, unsigned long, ...) noexcept
{
	return 0;
}

int setsockopt(int, int, int option, const void *value, socklen_t) noexcept
{
	int error = 0;
	if (option == SDP_POLICY) {
		played->policy = *static_cast<const int *>(value);
	} else if (option == SDP_SESSION_ADD) {
		error = played->add_session(static_cast<const sdp_session_add *>(value)->peer);
	} else if (option == SDP_SESSION_DEL) {
		const auto &ref = *static_cast<const sdp_session_ref *>(value);
		error = played->sessions.erase(ntohs(ref.peer.sin6_port)) == 0 ? ENOENT : 0;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

int getsockopt(int, int, int option, void *value, socklen_t *length) noexcept
{
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

ssize_t sendmsg(int, const msghdr *head, int)
{
	plain message;
	std::memcpy(&message.rpc, CMSG_DATA(CMSG_FIRSTHDR(head)), sizeof(message.rpc));
	for (const iovec &piece : std::span(head->msg_iov, head->msg_iovlen)) {
		const auto *bytes = static_cast<const std::byte *>(piece.iov_base);
		message.body.insert(message.body.end(), bytes, bytes + piece.iov_len);
	}
	message.port = ntohs(static_cast<const sockaddr_in *>(head->msg_name)->sin_port);
	played->sent.push_back(message);
	if (played->on_send) {
		played->on_send(message);
	}
	return static_cast<ssize_t>(message.body.size());
}

int poll(pollfd *files, nfds_t count, int)
{
	const timespec now{};
	return played == nullptr ? ::ppoll(files, count, &now, nullptr) : 0;
}

ssize_t recvmsg(int, msghdr *head, int)
{
	const int result = head->msg_iovlen != 0 ? receive_plain(*head) : receive_region(*head);
	if (result < 0) {
		errno = -result;
		return -1;
	}
	return result;
}
}
