// SPDX-License-Identifier: Apache-2.0
// Sessions by the socket API: policies, installing, removing, replacing, what is
// told of them, and what never is.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <poll.h>

#include "lib/proc.hpp"
#include "lib/secure.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

int get_policy(int fd)
{
	int value = -1;
	socklen_t size = sizeof(value);
	OK(getsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &value, &size));
	return value;
}

int set_policy(int fd, int value)
{
	return setsockopt(fd, IPPROTO_HOMA, SDP_POLICY, &value, sizeof(value));
}

net::Address client_at(const PlainTalk &talk)
{
	return hosts->a.at(net::Family::v4, talk.client.port());
}

/// A good argument for a session of @a talk's server with its client.
sdp_session_add good(const PlainTalk &talk)
{
	return session::make(SDP_ROLE_SERVER, client_at(talk), SDP_CIPHER_AES_128_GCM,
			     session::nonce(talk.server.fd()), session::nonce(talk.client.fd()));
}

void echo(const PlainTalk &talk, size_t length = 100)
{
	talk.client.request(talk.to, pattern(length));
	talk.server.echo();
	EQ(pattern_error(talk.client.expect().bytes), "");
}

/// Neither structure nor text may hold these bytes, four of them in a row.
void holds_no_part(const void *where, size_t length, const void *secret, size_t secret_length)
{
	const auto *text = static_cast<const char *>(where);
	const auto *bytes = static_cast<const char *>(secret);
	for (size_t i = 0; i + 4 <= secret_length; i += 4)
		CHECK(std::search(text, text + length, bytes + i, bytes + i + 4) == text + length);
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(policy_follows_the_session)
{
	PlainTalk talk;
	EQ(get_policy(talk.client.fd()), SDP_POLICY_CLEAR);
	make_secure(talk);
	EQ(get_policy(talk.client.fd()), SDP_POLICY_SECURE);
	EQ(get_policy(talk.server.fd()), SDP_POLICY_SECURE);
	echo(talk);
	OK(session::remove(talk.client.fd(), talk.to));
	OK(session::remove(talk.server.fd(), client_at(talk)));
	EQ(get_policy(talk.client.fd()), SDP_POLICY_SECURE);
	FAILS(talk.client.send(&talk.to, pattern(1), nullptr), ENOKEY);
	PlainMessage none = talk.server.receive(MSG_DONTWAIT);
	FAILS(none.result, EAGAIN);
}

TEST(policy_of_a_mixed_socket_stays)
{
	PlainTalk talk;
	session::policy(talk.client.fd(), SDP_POLICY_MIXED);
	session::policy(talk.server.fd(), SDP_POLICY_MIXED);
	// The handshake, in the clear.
	sdp_rpc_cmsg clear = rpc_cmsg(0, 7, SDP_MSG_CLEAR);
	EQ(OK(talk.client.send(&talk.to, pattern(5), &clear)), 5);
	PlainMessage request = talk.server.expect();
	EQ(request.rpc->flags, SDP_RPC_REQUEST);
	talk.server.reply(request, pattern(6));
	EQ(talk.client.expect().rpc->flags, 0);
	// Without the flag it needs a key.
	FAILS(talk.client.send(&talk.to, pattern(5), nullptr), ENOKEY);
	make_secure(talk);
	EQ(get_policy(talk.client.fd()), SDP_POLICY_MIXED);
	talk.client.request(talk.to, pattern(7));
	request = talk.server.expect();
	EQ(request.rpc->flags, SDP_RPC_REQUEST | SDP_RPC_SECURE);
	EQ(request.rpc->session, session::info(talk.server.fd(), client_at(talk)).id);
	talk.server.reply(request, pattern(8));
	PlainMessage response = talk.client.expect();
	EQ(response.rpc->flags, SDP_RPC_SECURE);
	EQ(response.rpc->session, request.rpc->session);
	// And clear ones still come and go as they are.
	EQ(OK(talk.client.send(&talk.to, pattern(5), &clear)), 5);
	request = talk.server.expect();
	EQ(request.rpc->flags, SDP_RPC_REQUEST);
	talk.server.reply(request, pattern(6));
	EQ(talk.client.expect().rpc->flags, 0);
}

TEST(a_clear_rpc_on_a_mixed_socket_is_acknowledged_at_once)
{
	CHECK(hosts->b.ns.sysctl("need_ack_us", "60000000"));
	{
		PlainTalk talk;
		session::policy(talk.client.fd(), SDP_POLICY_MIXED);
		session::policy(talk.server.fd(), SDP_POLICY_MIXED);
		proc::Counters counters(hosts->a.ns);
		sdp_rpc_cmsg clear = rpc_cmsg(0, 7, SDP_MSG_CLEAR);
		EQ(OK(talk.client.send(&talk.to, pattern(5), &clear)), 5);
		talk.server.echo();
		talk.client.expect();
		EQ(counters.moved("tx_ack"), 1);
		// Clear packets of the server would not be heard any more.
		session::policy(talk.client.fd(), SDP_POLICY_SECURE);
		EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	}
	CHECK(hosts->b.ns.sysctl("need_ack_us", "5000"));
}

TEST(clear_requests_of_before_end_when_a_socket_turns_secure)
{
	for (bool by_session : {false, true}) {
		PlainTalk talk;
		talk.client.request(talk.to, pattern(10));
		PlainMessage taken = talk.server.expect();
		talk.client.request(talk.to, pattern(20));
		EVENTUALLY(talk.server.ready(POLLIN));
		if (by_session)
			OK(session::add(talk.server.fd(), good(talk)));
		else
			session::policy(talk.server.fd(), SDP_POLICY_SECURE);
		EQ(get_policy(talk.server.fd()), SDP_POLICY_SECURE);
		CHECK(!talk.server.ready(POLLIN, 0));
		FAILS(talk.server.receive(MSG_DONTWAIT).result, EAGAIN);
		// Also those that have been taken: no answer leaves in the clear.
		EQ(proc::lines(hosts->b.ns, "rpcs").size(), 0);
		talk.server.reply(taken, pattern(30));
		CHECK(!talk.client.ready(POLLIN, 100));
	}
}

TEST(clear_requests_of_a_client_that_turns_secure)
{
	PlainTalk talk;
	talk.client.request(talk.to, pattern(10));
	PlainMessage taken = talk.server.expect();
	session::policy(talk.client.fd(), SDP_POLICY_SECURE);
	talk.client.expect_failure(ECONNRESET);
	talk.server.reply(taken, pattern(30));
	CHECK(!talk.client.ready(POLLIN, 100));
}

TEST(clear_flag_on_a_secure_socket)
{
	PlainTalk talk;
	make_secure(talk);
	sdp_rpc_cmsg clear = rpc_cmsg(0, 7, SDP_MSG_CLEAR);
	FAILS(talk.client.send(&talk.to, pattern(5), &clear), EPERM);
}

TEST(clear_flag_by_homa_api)
{
	HomaTalk talk;
	session::policy(talk.client.fd(), SDP_POLICY_MIXED);
	session::policy(talk.server.fd(), SDP_POLICY_MIXED);
	talk.client.request(talk.to, pattern(5), 0, SDP_MSG_CLEAR);
	talk.server.echo();
	EQ(talk.client.expect().result, 5);
	homa_sendmsg_args args{};
	FAILS(talk.client.send(talk.to, pattern(5), args), ENOKEY);
}

TEST(clear_client_secure_server)
{
	hosts->a.ns.patient(false);
	PlainTalk talk;
	session::policy(talk.server.fd(), SDP_POLICY_SECURE);
	proc::Counters counters(hosts->b.ns);
	talk.client.request(talk.to, pattern(10));
	talk.client.expect_failure(ETIMEDOUT);
	EVENTUALLY(counters.moved("drop_policy_clear") >= 1);
	EQ(counters.moved("tx_segments"), 0);
	EQ(counters.moved("server_rpcs"), 0);
	FAILS(talk.server.receive(MSG_DONTWAIT).result, EAGAIN);
}

TEST(secure_client_clear_server)
{
	hosts->a.ns.patient(false);
	PlainTalk talk;
	sdp_session_add args = good(talk);
	std::swap(args.own_nonce, args.peer_nonce);
	args.role = SDP_ROLE_CLIENT;
	args.peer = talk.to.in6();
	OK(session::add(talk.client.fd(), args));
	proc::Counters counters(hosts->b.ns);
	talk.client.request(talk.to, pattern(10));
	talk.client.expect_failure(ETIMEDOUT);
	EVENTUALLY(counters.moved("drop_policy_secure") >= 1);
	EQ(counters.moved("tx_segments"), 0);
	EQ(counters.moved("server_rpcs"), 0);
}

TEST(different_secrets)
{
	hosts->a.ns.patient(false);
	PlainTalk talk;
	sdp_session_add server = good(talk);
	sdp_session_add client = server;
	std::swap(client.own_nonce, client.peer_nonce);
	client.role = SDP_ROLE_CLIENT;
	client.peer = talk.to.in6();
	client.secret[31] ^= 1;
	OK(session::add(talk.server.fd(), server));
	OK(session::add(talk.client.fd(), client));
	proc::Counters counters(hosts->b.ns);
	talk.client.request(talk.to, pattern(10));
	talk.client.expect_failure(ETIMEDOUT);
	EVENTUALLY(counters.moved("drop_other_session") >= 1);
	EQ(counters.moved("tx_segments"), 0);
	EQ(counters.moved("server_rpcs"), 0);
}

TEST(same_role_at_both_ends)
{
	hosts->a.ns.patient(false);
	PlainTalk talk;
	sdp_session_add server = good(talk);
	sdp_session_add client = server;
	std::swap(client.own_nonce, client.peer_nonce);
	client.peer = talk.to.in6();
	OK(session::add(talk.server.fd(), server));
	OK(session::add(talk.client.fd(), client));
	proc::Counters counters(hosts->b.ns);
	talk.client.request(talk.to, pattern(10));
	talk.client.expect_failure(ETIMEDOUT);
	EQ(counters.moved("server_rpcs"), 0);
	EQ(counters.moved("tx_segments"), 0);
}

TEST(add_errors)
{
	PlainTalk talk;
	auto with = [&](const std::function<void(sdp_session_add &)> &change) {
		sdp_session_add args = good(talk);
		change(args);
		return session::add(talk.server.fd(), args);
	};
	FAILS(with([](auto &args) { args.flags = 1; }), EINVAL);
	FAILS(with([](auto &args) { args.reserved = 1; }), EINVAL);
	FAILS(with([](auto &args) { args.role = 2; }), EINVAL);
	FAILS(with([](auto &args) { args.cipher = 0x1304; }), EINVAL);
	FAILS(with([](auto &args) { args.cipher = 0; }), EINVAL);
	FAILS(with([](auto &args) { args.record_size = SDP_RECORD_SIZE_MIN - 1; }), EINVAL);
	FAILS(with([](auto &args) { args.record_size = SDP_RECORD_SIZE_MAX + 1; }), EINVAL);
	FAILS(with([](auto &args) { args.size = SDP_SESSION_ADD_V1 - 1; }), EINVAL);
	FAILS(with([](auto &args) { args.size = 0; }), EINVAL);
	FAILS(with([](auto &args) { args.peer.sin6_port = 0; }), EINVAL);
	FAILS(with([](auto &args) { args.peer.sin6_family = AF_INET; }), EAFNOSUPPORT);
	FAILS(with([](auto &args) { args.local.sin6_family = AF_INET; }), EAFNOSUPPORT);
	FAILS(with([](auto &args) { args.own_nonce[0] ^= 1; }), EINVAL);
	FAILS(setsockopt(talk.server.fd(), IPPROTO_HOMA, SDP_SESSION_ADD, nowhere,
			 sizeof(sdp_session_add)),
	      EFAULT);
	EQ(proc::lines(hosts->b.ns, "sessions").size(), 0);
	EQ(get_policy(talk.server.fd()), SDP_POLICY_CLEAR);
}

TEST(add_by_size)
{
	PlainTalk talk;
	struct {
		sdp_session_add args;
		uint8_t tail[8];
	} longer{};
	auto set = [&] {
		longer.args = good(talk);
		longer.args.size = sizeof(longer);
		return setsockopt(talk.server.fd(), IPPROTO_HOMA, SDP_SESSION_ADD, &longer,
				  sizeof(longer));
	};
	OK(set());
	longer.tail[7] = 1;
	FAILS(set(), E2BIG);
}

TEST(nonces_are_for_one_use)
{
	PlainTalk talk;
	sdp_session_add args = good(talk);
	OK(session::add(talk.server.fd(), args));
	FAILS(session::add(talk.server.fd(), args), EEXIST);
	session::Nonce one = session::nonce(talk.client.fd());
	session::Nonce two = session::nonce(talk.client.fd());
	CHECK(one != two);
	// One of another socket is unknown here.
	args = good(talk);
	memcpy(args.own_nonce, one.data(), one.size());
	FAILS(session::add(talk.server.fd(), args), EINVAL);
	Bytes small(SDP_NONCE_LEN - 1);
	socklen_t size = SDP_NONCE_LEN - 1;
	FAILS(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_NONCE, small.data(), &size), EINVAL);
}

TEST(unspent_nonces_are_limited)
{
	PlainSocket socket(hosts->a.ns, AF_INET);
	for (int i = 0; i < 1024; i++)
		session::nonce(socket.fd());
	session::Nonce more{};
	socklen_t size = more.size();
	FAILS(getsockopt(socket.fd(), IPPROTO_HOMA, SDP_NONCE, more.data(), &size), ENOBUFS);
}

TEST(sessions_of_a_user_are_limited)
{
	PlainTalk talk;
	CHECK(hosts->b.ns.sysctl("user_sessions", "2"));
	auto with_port = [&](int port) {
		sdp_session_add args = good(talk);
		args.peer.sin6_port = htons(static_cast<uint16_t>(port));
		return args;
	};
	// Sessions of the cases before this one may still be on their way out.
	for (int port : {40000, 40001}) {
		sdp_session_add args = with_port(port);
		EVENTUALLY(session::add(talk.server.fd(), args) == 0);
	}
	for (int port : {40002, 40003})
		FAILS(session::add(talk.server.fd(), with_port(port)), ENOBUFS);
	CHECK(hosts->b.ns.sysctl("user_sessions", "4096"));
	OK(session::add(talk.server.fd(), with_port(40004)));
}

TEST(info_tells_the_state)
{
	PlainTalk talk;
	session::Keys keys = make_secure(talk, net::Family::v4, SDP_CIPHER_CHACHA20_POLY1305, 4096);
	sdp_session_info info = session::info(talk.client.fd(), talk.to);
	EQ(info.role, SDP_ROLE_CLIENT);
	EQ(info.cipher, SDP_CIPHER_CHACHA20_POLY1305);
	EQ(info.record_size, 4096);
	EQ(info.offload, SDP_OFFLOAD_CPU);
	EQ(info.tx_epoch, 0);
	EQ(info.rx_epoch, 0);
	EQ(info.tx_messages, 0);
	EQ(info.rx_messages, 0);
	EQ(info.rx_failed, 0);
	EQ(info.id, sdp_test::session_id(secure::parameters(keys.client)));
	CHECK(strlen(info.driver) > 0);
	for (int i = 0; i < 5; i++)
		echo(talk, 10000);
	info = session::info(talk.client.fd(), talk.to);
	EQ(info.tx_messages, 5);
	EQ(info.rx_messages, 5);
	EQ(info.tx_messages_left, (1ULL << 47) - 5);
	CHECK(info.tx_blocks >= 5 * 10000 / 16);
	CHECK(info.silent_ns < 60000000000);
	holds_no_part(&info, sizeof(info), keys.client.secret, sizeof(keys.client.secret));
	// The same by id.
	sdp_session_info by_id{};
	socklen_t size = sizeof(by_id);
	by_id.size = size;
	by_id.id = info.id;
	OK(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, &by_id, &size));
	EQ(by_id.tx_messages, 5);
	EQ(by_id.peer.sin6_port, htons(server_port));
	// The forms of programs that know less of it.
	for (const uint32_t form : {SDP_SESSION_INFO_V1, SDP_SESSION_INFO_V2}) {
		sdp_session_info less{};
		less.size = size = form;
		less.id = info.id;
		less.wire = less.state = 77;
		less.nic_records = 77;
		OK(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, &less, &size));
		EQ(size, form);
		EQ(less.tx_messages, 5);
		EQ(less.wire, form == SDP_SESSION_INFO_V1 ? 77 : info.wire);
		EQ(less.nic_records, 77);
	}
	size = sizeof(by_id);
	by_id.id = info.id + 1;
	FAILS(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, &by_id, &size), ENOENT);
	by_id.size = 8;
	FAILS(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_SESSION_INFO, &by_id, &size), EINVAL);
}

TEST(dump_holds_no_key)
{
	PlainTalk talk;
	session::Keys keys = make_secure(talk);
	auto lines = proc::lines(hosts->a.ns, "sessions");
	EQ(lines.size(), 1);
	for (auto direction :
	     {secure::Direction::ClientToServer, secure::Direction::ServerToClient}) {
		auto derived = sdp_test::epoch_keys(secure::parameters(keys.client), direction, 0);
		for (const Bytes &key : {derived.key, derived.iv, derived.hdr, derived.next}) {
			std::string hex = sdp_test::hex(key);
			for (size_t i = 0; i + 8 <= hex.size(); i += 8)
				CHECK(lines[0].find(hex.substr(i, 8)) == std::string::npos);
		}
	}
}

TEST(removed_with_rpcs_open)
{
	PlainTalk talk;
	make_secure(talk);
	for (unsigned i = 0; i < 5; i++)
		talk.client.request(talk.to, pattern(300000), i);
	OK(session::remove(talk.client.fd(), talk.to));
	for (int i = 0; i < 5; i++)
		talk.client.expect_failure(ECONNRESET);
	FAILS(talk.client.send(&talk.to, pattern(1), nullptr), ENOKEY);
	OK(session::remove(talk.server.fd(), client_at(talk)));
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
	FAILS(session::remove(talk.client.fd(), talk.to), ENOENT);
}

TEST(removed_before_it_is_received)
{
	PlainTalk talk;
	make_secure(talk);
	talk.client.request(talk.to, pattern(50000));
	CHECK(talk.server.ready(POLLIN, 20000));
	OK(session::remove(talk.server.fd(), client_at(talk)));
	FAILS(talk.server.receive(MSG_DONTWAIT).result, EAGAIN);
	EVENTUALLY(proc::lines(hosts->b.ns, "rpcs").empty());
}

TEST(removed_before_the_response)
{
	PlainTalk talk;
	make_secure(talk);
	talk.client.request(talk.to, pattern(10));
	PlainMessage request = talk.server.expect();
	OK(session::remove(talk.server.fd(), client_at(talk)));
	sdp_rpc_cmsg rpc = rpc_cmsg(request.rpc->id);
	// The RPC is gone: its response goes nowhere, and never in the clear.
	proc::Counters counters(hosts->b.ns);
	EQ(OK(talk.server.send(&request.from, pattern(3), &rpc)), 3);
	EQ(counters.moved("tx_data"), 0);
}

// Another session with the same peer: what has begun under the first goes on.
TEST(replaced)
{
	PlainTalk talk;
	make_secure(talk);
	uint32_t first = session::info(talk.client.fd(), talk.to).id;
	talk.client.request(talk.to, pattern(10), 1);
	PlainMessage request = talk.server.expect();
	make_secure(talk);
	uint32_t second = session::info(talk.client.fd(), talk.to).id;
	CHECK(second != first);
	// The server's end does not use it before the client does.
	EQ(session::info(talk.server.fd(), client_at(talk)).id, first);
	talk.server.reply(request, pattern(20));
	EQ(talk.client.expect().rpc->session, first);
	EQ(session::info(talk.server.fd(), client_at(talk)).id, first);
	echo(talk);
	EQ(session::info(talk.server.fd(), client_at(talk)).id, second);
	EQ(proc::lines(hosts->a.ns, "sessions").size(), 2);
	// By peer both go.
	OK(session::remove(talk.client.fd(), talk.to));
	EQ(proc::lines(hosts->a.ns, "sessions").size(), 0);
}

TEST(other_parameters_are_counted)
{
	PlainTalk talk;
	session::Nonce of_client = session::nonce(talk.client.fd());
	session::Nonce of_server = session::nonce(talk.server.fd());
	sdp_session_add client = session::make(SDP_ROLE_CLIENT, talk.to, SDP_CIPHER_AES_128_GCM,
					       of_client, of_server);
	sdp_session_add server = session::make(SDP_ROLE_SERVER, client_at(talk),
					       SDP_CIPHER_AES_128_GCM, of_server, of_client);
	server.context[31] = 1;
	OK(session::add(talk.server.fd(), server));
	OK(session::add(talk.client.fd(), client));
	proc::Counters counters(hosts->b.ns);
	talk.client.request(talk.to, pattern(10));
	EVENTUALLY(counters.moved("drop_other_session") > 0);
	EQ(counters.moved("drop_no_session"), 0);
}

TEST(versions)
{
	PlainTalk talk;
	sdp_version version{};
	socklen_t size = sizeof(version);
	OK(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_VERSION, &version, &size));
	EQ(size, sizeof(version));
	EQ(version.uapi, SDP_UAPI_VERSION);
	EQ(version.wire, 2U);
	make_secure(talk);
	EQ(session::info(talk.client.fd(), talk.to).wire, 2U);
	size = 3;
	FAILS(getsockopt(talk.client.fd(), IPPROTO_HOMA, SDP_VERSION, &version, &size), EINVAL);
}

TEST(closing_removes)
{
	PlainTalk talk;
	make_secure(talk);
	echo(talk);
	talk.client.close();
	EVENTUALLY(proc::lines(hosts->a.ns, "sessions").empty());
	EQ(proc::lines(hosts->b.ns, "sessions").size(), 1);
}

TEST_LIMIT(port_without_its_sessions, 180)
{
	// While the sessions of a closed socket are being removed, which readers of
	// the list delay, somebody else waits for its port: to be nobody's peer.
	PlainSocket many(hosts->b.ns, AF_INET);
	for (uint16_t i = 1; i <= 300; i++)
		OK(session::add(many.fd(),
				session::make(SDP_ROLE_SERVER, hosts->a.at(net::Family::v4, i),
					      SDP_CIPHER_AES_128_GCM, session::nonce(many.fd()),
					      session::Nonce{})));
	std::atomic<bool> stop = false;
	test::Thread reader([&] {
		while (!stop)
			proc::lines(hosts->b.ns, "sessions");
	});
	int taken = 0;
	for (int i = 0; i < 20; i++) {
		PlainTalk talk;
		make_secure(talk);
		PlainSocket next(hosts->b.ns, AF_INET);
		OK(set_policy(next.fd(), SDP_POLICY_SECURE));
		net::Address peer = client_at(talk);
		test::Thread taker([&] {
			while (net::bind_to(next.fd(), net::Address::any(AF_INET, server_port)) < 0)
				EQ(errno, EADDRINUSE);
			taken += next.send(&peer, pattern(1), nullptr) >= 0 || errno != ENOKEY;
		});
		talk.server.close();
		taker.join();
	}
	stop = true;
	reader.join();
	EQ(taken, 0);
}

TEST(raw_keys)
{
	PlainTalk talk;
	sdp_raw_keys client{};
	client.session.size = sizeof(client.session);
	client.session.local = net::Address::any(AF_INET6, 0).in6();
	client.session.peer = talk.to.in6();
	client.session.cipher = SDP_CIPHER_AES_128_GCM;
	client.session.role = SDP_ROLE_CLIENT;
	client.id = 77;
	Random random(static_cast<uint64_t>(getpid()));
	for (uint8_t *field : {client.tx_key, client.rx_key})
		for (int i = 0; i < 32; i++)
			field[i] = static_cast<uint8_t>(random.next());
	client.tx_hdr[0] = 1;
	auto add = [](int fd, const sdp_raw_keys &keys) {
		return setsockopt(fd, IPPROTO_HOMA, SDP_RAW_KEYS, &keys, sizeof(keys));
	};
	sdp_raw_keys server = client;
	server.session.peer = client_at(talk).in6();
	server.session.role = SDP_ROLE_SERVER;
	std::swap(server.tx_key, server.rx_key);
	std::swap(server.tx_iv, server.rx_iv);
	std::swap(server.tx_hdr, server.rx_hdr);
	sdp_raw_keys equal = client;
	memcpy(equal.rx_key, equal.tx_key, sizeof(equal.rx_key));
	FAILS(add(talk.client.fd(), equal), EINVAL);
	OK(add(talk.client.fd(), client));
	OK(add(talk.server.fd(), server));
	FAILS(add(talk.client.fd(), client), EEXIST);
	echo(talk);
	FAILS(session::rekey(talk.client.fd(), talk.to), EOPNOTSUPP);
	// Not after it has been removed either.
	OK(session::remove(talk.client.fd(), talk.to));
	FAILS(add(talk.client.fd(), client), EEXIST);
}
