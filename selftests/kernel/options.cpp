// SPDX-License-Identifier: Apache-2.0
// Socket options for policy and sessions: what they change, and every way to
// call them wrongly.
#include <poll.h>
#include <sys/ioctl.h>

#include "lib/proc.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

int policy_of(int fd)
{
	int value = -1;
	socklen_t size = sizeof(value);
	OK(getsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &value, &size));
	return value;
}

sdp_session_add usual(int fd)
{
	static const session::Nonce theirs{9};
	return session::make(SDP_ROLE_CLIENT, hosts->b.at(net::Family::v4, 5),
			     SDP_CIPHER_AES_128_GCM, session::nonce(fd), theirs);
}

int set(int fd, int option, const void *value, size_t size)
{
	return setsockopt(fd, IPPROTO_HOMA, option, value, static_cast<socklen_t>(size));
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(policies)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	EQ(policy_of(socket.fd()), SDP_POLICY_CLEAR);
	for (int policy : {SDP_POLICY_MIXED, SDP_POLICY_SECURE, SDP_POLICY_CLEAR}) {
		socket.set(SDP_POLICY, policy);
		EQ(policy_of(socket.fd()), policy);
	}
	int value = SDP_POLICY_SECURE;
	FAILS(set(socket.fd(), SDP_POLICY, &value, sizeof(value) - 1), EINVAL);
	FAILS(set(socket.fd(), SDP_POLICY, nowhere, sizeof(value)), EFAULT);
	socklen_t size = sizeof(value) - 1;
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, SDP_POLICY, &value, &size), EINVAL);
}

TEST(policy_of_the_namespace)
{
	net::Netns ns;
	CHECK(ns.sysctl("policy", "1"));
	CHECK(ns.sysctl("policy_allowed", "0"));
	PlainSocket socket(ns, AF_INET);
	EQ(policy_of(socket.fd()), SDP_POLICY_SECURE);
	int clear = SDP_POLICY_CLEAR;
	FAILS(set(socket.fd(), SDP_POLICY, &clear, sizeof(clear)), EPERM);
	int mixed = SDP_POLICY_MIXED;
	FAILS(set(socket.fd(), SDP_POLICY, &mixed, sizeof(mixed)), EPERM);
	socket.set(SDP_POLICY, SDP_POLICY_SECURE);
	CHECK(ns.sysctl("policy_allowed", "4"));
	socket.set(SDP_POLICY, SDP_POLICY_MIXED);
}

TEST(session_needs_its_policy)
{
	net::Netns ns;
	PlainSocket socket(ns, AF_INET);
	CHECK(ns.sysctl("policy_allowed", "1"));
	sdp_session_add add = usual(socket.fd());
	FAILS(session::add(socket.fd(), add), EPERM);
	EQ(policy_of(socket.fd()), SDP_POLICY_CLEAR);
	CHECK(ns.sysctl("policy_allowed", "3"));
	OK(session::add(socket.fd(), add));
	EQ(policy_of(socket.fd()), SDP_POLICY_SECURE);
}

TEST(session_makes_secure)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	OK(session::add(socket.fd(), usual(socket.fd())));
	EQ(policy_of(socket.fd()), SDP_POLICY_SECURE);
	OK(session::remove(socket.fd(), hosts->b.at(net::Family::v4, 5)));
	EQ(policy_of(socket.fd()), SDP_POLICY_SECURE);
	PlainSocket mixed(hosts->a.ns, AF_INET);
	mixed.set(SDP_POLICY, SDP_POLICY_MIXED);
	OK(session::add(mixed.fd(), usual(mixed.fd())));
	EQ(policy_of(mixed.fd()), SDP_POLICY_MIXED);
}

TEST(session_keeps_the_port)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	OK(net::bind_to(socket.fd(), net::Address::any(AF_INET, 300)));
	OK(net::bind_to(socket.fd(), net::Address::any(AF_INET, 301)));
	EQ(socket.port(), 301);
	OK(session::add(socket.fd(), usual(socket.fd())));
	FAILS(net::bind_to(socket.fd(), net::Address::any(AF_INET, 302)), EINVAL);
	OK(net::bind_to(socket.fd(), net::Address::any(AF_INET, 301)));
	EQ(socket.port(), 301);
}

TEST(session_add_sizes)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	struct {
		sdp_session_add add;
		uint8_t more[8];
	} longer{};
	longer.add = usual(socket.fd());
	FAILS(set(socket.fd(), SDP_SESSION_ADD, &longer, 3), EINVAL);
	FAILS(set(socket.fd(), SDP_SESSION_ADD, &longer, sizeof(longer.add) - 1), EINVAL);
	FAILS(set(socket.fd(), SDP_SESSION_ADD, nowhere, sizeof(longer.add)), EFAULT);
	longer.add.size = SDP_SESSION_ADD_V1 - 1;
	FAILS(set(socket.fd(), SDP_SESSION_ADD, &longer, sizeof(longer.add)), EINVAL);
	longer.add.size = sizeof(longer);
	longer.more[7] = 1;
	FAILS(set(socket.fd(), SDP_SESSION_ADD, &longer, sizeof(longer)), E2BIG);
	FAILS(set(socket.fd(), SDP_SESSION_ADD, &longer, sizeof(longer) - 1), EINVAL);
	longer.more[7] = 0;
	// Zeros that nobody has use for are not looked at for long.
	std::vector<uint8_t> longest(static_cast<size_t>(sysconf(_SC_PAGESIZE)) + 1);
	longer.add.size = static_cast<uint32_t>(longest.size());
	memcpy(longest.data(), &longer.add, sizeof(longer.add));
	FAILS(set(socket.fd(), SDP_SESSION_ADD, longest.data(), longest.size()), E2BIG);
	longer.add.size = sizeof(longer);
	OK(set(socket.fd(), SDP_SESSION_ADD, &longer, sizeof(longer)));
}

// The form from before there was a context: it stands for zeros.
TEST(session_add_without_context)
{
	PlainTalk talk;
	sdp_session_add client =
		session::make(SDP_ROLE_CLIENT, talk.to, SDP_CIPHER_AES_128_GCM,
			      session::nonce(talk.client.fd()), session::nonce(talk.server.fd()));
	sdp_session_add server =
		session::make(SDP_ROLE_SERVER, hosts->a.at(net::Family::v4, talk.client.port()),
			      SDP_CIPHER_AES_128_GCM, {}, {});
	memcpy(server.own_nonce, client.peer_nonce, sizeof(server.own_nonce));
	memcpy(server.peer_nonce, client.own_nonce, sizeof(server.peer_nonce));
	client.size = SDP_SESSION_ADD_V1;
	memset(client.context, 1, sizeof(client.context));
	OK(set(talk.client.fd(), SDP_SESSION_ADD, &client, SDP_SESSION_ADD_V1));
	OK(session::add(talk.server.fd(), server));
	talk.client.request(talk.to, pattern(1000));
	talk.server.echo();
	EQ(pattern_error(talk.client.expect().bytes), "");
}

TEST(session_references)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	net::Address peer = hosts->b.at(net::Family::v4, 5);
	OK(session::add(socket.fd(), usual(socket.fd())));
	sdp_session_info info = session::info(socket.fd(), peer);
	CHECK(info.id != 0);
	EQ(info.record_size, SDP_RECORD_SIZE_DEFAULT);
	sdp_session_ref ref{};
	ref.size = sizeof(ref);
	ref.id = info.id + 1;
	FAILS(set(socket.fd(), SDP_SESSION_DEL, &ref, sizeof(ref)), ENOENT);
	FAILS(set(socket.fd(), SDP_SESSION_REKEY, &ref, sizeof(ref)), ENOENT);
	ref.size = 3;
	FAILS(set(socket.fd(), SDP_SESSION_DEL, &ref, sizeof(ref)), EINVAL);
	FAILS(set(socket.fd(), SDP_SESSION_DEL, nowhere, sizeof(ref)), EFAULT);
	// Another socket's session is not there.
	PlainSocket other(hosts->a.ns, AF_INET);
	ref.size = sizeof(ref);
	ref.id = info.id;
	FAILS(set(other.fd(), SDP_SESSION_DEL, &ref, sizeof(ref)), ENOENT);
	OK(set(socket.fd(), SDP_SESSION_DEL, &ref, sizeof(ref)));
	FAILS(set(socket.fd(), SDP_SESSION_DEL, &ref, sizeof(ref)), ENOENT);
}

TEST(session_info_sizes)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	OK(session::add(socket.fd(), usual(socket.fd())));
	struct {
		sdp_session_info info;
		uint8_t more[8];
	} longer{};
	auto get = [&](void *at, socklen_t size) {
		longer.info.peer = hosts->b.at(net::Family::v4, 5).in6();
		longer.info.id = 0;
		int result = getsockopt(socket.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, at, &size);
		if (!result)
			EQ(size, sizeof(longer.info));
		return result;
	};
	longer.info.size = sizeof(longer.info);
	OK(get(&longer, sizeof(longer.info)));
	OK(get(&longer, sizeof(longer)));
	longer.info.size = sizeof(longer);
	OK(get(&longer, sizeof(longer)));
	EQ(longer.info.size, sizeof(longer.info));
	longer.info.size = sizeof(longer);
	longer.more[0] = 1;
	FAILS(get(&longer, sizeof(longer)), E2BIG);
	longer.info.size = 8;
	FAILS(get(&longer, sizeof(longer)), EINVAL);
	longer.info.size = sizeof(longer.info);
	FAILS(get(&longer, sizeof(longer.info) - 1), EINVAL);
	FAILS(get(&longer, 0), EINVAL);
	FAILS(get(nowhere, sizeof(longer.info)), EFAULT);
}

TEST(nonces)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	PlainSocket other(hosts->a.ns, AF_INET);
	uint8_t bytes[SDP_NONCE_LEN];
	socklen_t size = sizeof(bytes) - 1;
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, SDP_NONCE, bytes, &size), EINVAL);
	size = sizeof(bytes);
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, SDP_NONCE, nowhere, &size), EFAULT);
	CHECK(session::nonce(socket.fd()) != session::nonce(socket.fd()));
	sdp_session_add add = usual(socket.fd());
	FAILS(session::add(other.fd(), add), EINVAL);
	OK(session::add(socket.fd(), add));
	FAILS(session::add(socket.fd(), add), EEXIST);
	add.own_nonce[0] ^= 1;
	FAILS(session::add(socket.fd(), add), EINVAL);
}

TEST(sessions_of_a_user)
{
	net::Netns ns;
	CHECK(ns.sysctl("user_sessions", "0"));
	PlainSocket socket(ns, AF_INET);
	FAILS(session::add(socket.fd(), usual(socket.fd())), ENOBUFS);
}

TEST(after_shutdown)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	sdp_session_add add = usual(socket.fd());
	OK(shutdown(socket.fd(), SHUT_RDWR));
	FAILS(session::add(socket.fd(), add), ESHUTDOWN);
	FAILS(net::bind_to(socket.fd(), net::Address::any(AF_INET, 300)), ESHUTDOWN);
	OK(shutdown(socket.fd(), SHUT_RD));
	FAILS(shutdown(socket.fd(), 3), EINVAL);
}

TEST(set_only_and_get_only)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	uint8_t bytes[256] = {};
	socklen_t size = sizeof(bytes);
	FAILS(set(socket.fd(), SDP_NONCE, bytes, SDP_NONCE_LEN), ENOPROTOOPT);
	FAILS(set(socket.fd(), SDP_SESSION_INFO, bytes, sizeof(bytes)), ENOPROTOOPT);
	for (int option : {SDP_SESSION_ADD, SDP_SESSION_DEL, SDP_SESSION_REKEY, SDP_RAW_KEYS})
		FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, option, bytes, &size), ENOPROTOOPT);
}

TEST(queue_ioctls)
{
	PlainTalk talk;
	int bytes = -1;
	OK(ioctl(talk.server.fd(), FIONREAD, &bytes));
	EQ(bytes, 0);
	talk.client.request(talk.to, pattern(1000));
	CHECK(talk.server.ready(POLLIN, 10000));
	OK(ioctl(talk.server.fd(), FIONREAD, &bytes));
	CHECK(bytes >= 1000);
	OK(ioctl(talk.client.fd(), TIOCOUTQ, &bytes));
	CHECK(bytes >= 1000);
	talk.server.echo();
	talk.client.expect();
	EVENTUALLY((OK(ioctl(talk.client.fd(), TIOCOUTQ, &bytes)), bytes == 0));
}
