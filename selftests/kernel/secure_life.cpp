// SPDX-License-Identifier: Apache-2.0
// Sessions as time goes by: ends that restart, addresses that are pinned, suspend,
// settings, keys that are replaced.
#include <atomic>
#include <chrono>
#include <fstream>

#include "lib/proc.hpp"
#include "lib/soak.hpp"
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

void echo(const PlainTalk &talk, size_t length = 100)
{
	talk.client.request(talk.to, pattern(length));
	talk.server.echo();
	EQ(pattern_error(talk.client.expect().bytes), "");
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(restarted_client)
{
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	for (unsigned i = 0; i < 3; i++) {
		// The same address, port and secret each time.
		PlainSocket client(hosts->a.ns, AF_INET, 5000);
		session::join(client.fd(), hosts->a.at(net::Family::v4, 5000), server.fd(), to);
		client.request(to, pattern(1000), i);
		server.echo();
		EQ(client.expect().rpc->cookie, i);
		EQ(proc::lines(hosts->b.ns, "sessions").size(), i + 1);
	}
}

TEST(pinned_local_address)
{
	hosts->b.ns.sh("ip addr add 10.0.0.22/24 dev eth0");
	PlainSocket server(hosts->b.ns, AF_INET, server_port);
	PlainSocket client(hosts->a.ns, AF_INET, 5000);
	net::Address to = hosts->b.at(net::Family::v4, server_port);
	session::join(client.fd(), hosts->a.at(net::Family::v4, 5000), server.fd(), to);
	// The second request brings the acknowledgement of the first response.
	for (int i = 0; i < 2; i++) {
		client.request(to, pattern(10));
		server.echo();
		client.expect();
	}
	auto pinned = [](int fd, const net::Address &peer, const net::Address &own) {
		sdp_session_info info = session::info(fd, peer);
		sockaddr_in6 address = own.in6();
		return !memcmp(&info.local.sin6_addr, &address.sin6_addr, 16);
	};
	CHECK(pinned(server.fd(), hosts->a.at(net::Family::v4, 5000), to));
	CHECK(pinned(client.fd(), to, hosts->a.at(net::Family::v4, 5000)));
	hosts->b.ns.sh("ip addr del 10.0.0.22/24 dev eth0");
}

TEST(suspend_wipes)
{
	// As far as freezing all tasks, which then wait for 5 s.
	std::ofstream level("/sys/power/pm_test");
	if (!(level << "freezer" << std::flush))
		throw test::Skip("this kernel cannot test suspending");
	PlainTalk talk;
	make_secure(talk);
	echo(talk);
	// Somebody makes new ones meanwhile, and notices that time has passed.
	PlainSocket other(hosts->b.ns, AF_INET);
	std::atomic<uint16_t> at = 0;
	std::atomic<bool> stop = false;
	test::Thread maker([&] {
		auto last = std::chrono::steady_clock::now();
		for (auto now = last; !stop && now - last < std::chrono::seconds(3);
		     now = std::chrono::steady_clock::now()) {
			last = now;
			if (++at > 1000)
				usleep(1000);
			else
				session::add(other.fd(),
					     session::make(SDP_ROLE_SERVER,
							   hosts->a.at(net::Family::v4, at),
							   SDP_CIPHER_AES_128_GCM,
							   session::nonce(other.fd()),
							   session::Nonce{}));
		}
	});
	EVENTUALLY(at >= 200);
	bool slept = static_cast<bool>(std::ofstream("/sys/power/state") << "freeze" << std::flush);
	stop = true;
	maker.join();
	level << "none" << std::flush;
	CHECK(slept);
	EQ(proc::lines(hosts->a.ns, "sessions").size(), 0);
	EQ(proc::lines(hosts->b.ns, "sessions").size(), 0);
	make_secure(talk);
	echo(talk);
}

TEST(sysctl_policies)
{
	CHECK(hosts->a.ns.sysctl("policy_allowed", "2"));
	PlainSocket socket(hosts->a.ns, AF_INET);
	FAILS(set_policy(socket.fd(), SDP_POLICY_MIXED), EPERM);
	OK(set_policy(socket.fd(), SDP_POLICY_SECURE));
	CHECK(hosts->a.ns.sysctl("policy", "1"));
	PlainSocket later(hosts->a.ns, AF_INET);
	EQ(get_policy(later.fd()), SDP_POLICY_SECURE);
	FAILS(set_policy(later.fd(), SDP_POLICY_CLEAR), EPERM);
	CHECK(hosts->a.ns.sysctl("policy", "0"));
	CHECK(hosts->a.ns.sysctl("policy_allowed", "7"));
	CHECK(!hosts->a.ns.sysctl("policy", "3"));
	CHECK(!hosts->a.ns.sysctl("policy_allowed", "8"));
}

TEST(rekey)
{
	PlainTalk talk;
	make_secure(talk);
	FAILS(session::rekey(talk.client.fd(), hosts->b.at(net::Family::v4, 999)), ENOENT);
	for (uint64_t epoch = 1; epoch < 5; epoch++) {
		echo(talk);
		int result = session::rekey(talk.client.fd(), talk.to);
		OK(result);
		EQ(session::info(talk.client.fd(), talk.to).tx_epoch, epoch);
		EQ(session::info(talk.client.fd(), talk.to).tx_messages, 0);
		// Not again before the peer has been heard under it.
		FAILS(session::rekey(talk.client.fd(), talk.to), EBUSY);
		echo(talk);
		EQ(session::info(talk.server.fd(), client_at(talk)).rx_epoch, epoch);
		if (epoch == 1)
			break;
	}
	// The other direction has epochs of its own.
	EQ(session::info(talk.server.fd(), client_at(talk)).tx_epoch, 0);
	OK(session::rekey(talk.server.fd(), client_at(talk)));
	echo(talk);
	EQ(session::info(talk.client.fd(), talk.to).rx_epoch, 1);
}

TEST_LIMIT(rekey_under_load, 180)
{
	PlainTalk talk;
	make_secure(talk);
	soak::Load load;
	load.rpcs = 300;
	unsigned moved = 0;
	load.tenth = [&](unsigned tenth) {
		if (tenth == 3)
			moved += session::rekey(talk.client.fd(), talk.to) == 0;
		if (tenth == 5)
			moved += session::rekey(talk.server.fd(), client_at(talk)) == 0;
	};
	soak::both(talk.client, talk.server, talk.to, load);
	EQ(moved, 2);
	EQ(session::info(talk.client.fd(), talk.to).tx_epoch, 1);
	EQ(session::info(talk.client.fd(), talk.to).rx_epoch, 1);
}
