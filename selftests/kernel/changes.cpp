// SPDX-License-Identifier: Apache-2.0
// Settings, addresses and options that change while RPCs use them: what these see is the
// one or the other. That no half of one is seen, the kernel that looks for data races
// tells (selftests/kcsan).
#include <atomic>
#include <netinet/ip.h>

#include "lib/soak.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"

namespace {

/// Calls @a change with 0, 1, 0, ... beside @a run, at least twice.
void beside(const std::function<void(unsigned turn)> &change, const std::function<void()> &run)
{
	std::atomic<bool> done = false;
	std::atomic<unsigned> turns = 0;
	test::Thread changes([&] {
		while (!done || turns < 2)
			change(turns++ % 2);
	});
	try {
		run();
	} catch (...) {
		// It uses what is about to go.
		done = true;
		changes.join();
		throw;
	}
	done = true;
	changes.join();
}

soak::Load some_load()
{
	soak::Load load;
	load.rpcs = 150;
	load.outstanding = 16;
	load.largest = 150000;
	return load;
}

void option(int fd, int level, int name, int value)
{
	OK(setsockopt(fd, level, name, &value, sizeof(value)));
}

/// Two addresses of host a's, no part of which is the same.
constexpr const char *sources[] = {"fd00::1", "fd01:0:0:1::11"};

/// Both can be reached.
void have_sources()
{
	hosts->a.ns.sh("ip addr add fd01:0:0:1::11/64 dev eth0 nodad");
	hosts->b.ns.sh("ip route add fd01:0:0:1::/64 dev eth0");
}

} // namespace

SETUP
{
	two_hosts();
}

TEST_LIMIT(settings_of_the_program, 180)
{
	static const struct {
		const char *name;
		const char *values[2];
	} settings[] = {
		{"grant_quantum", {"0", "16384"}},
		{"window", {"30000", "100000"}},
		{"max_incoming", {"60000", "400000"}},
		{"overcommit", {"1", "8"}},
		{"fifo_share", {"0", "50"}},
		{"unsched_bytes", {"10000", "66000"}},
		{"max_message", {"200000", "1000000"}},
	};
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		beside(
			[&](unsigned turn) {
				for (const auto &setting : settings)
					for (const net::Host *host : {&hosts->a, &hosts->b})
						CHECK(host->ns.sysctl(setting.name,
								      setting.values[turn]));
			},
			[&] { soak::both(talk.client, talk.server, talk.to, some_load()); });
	}
}

TEST_LIMIT(address_of_a_client, 180)
{
	have_sources();
	PlainTalk talk(net::Family::v6);
	uint16_t port = talk.client.port();
	bool seen[2] = {};
	beside(
		[&](unsigned turn) {
			OK(bind_to(talk.client.fd(), net::Address::of(sources[turn], 0)));
		},
		[&] {
			for (unsigned i = 0; i < 300 || !(seen[0] && seen[1]); i++) {
				talk.client.request(talk.to, pattern(100, i), i);
				PlainMessage request = talk.server.expect();
				bool first = request.from == net::Address::of(sources[0], port);
				CHECK(first || request.from == net::Address::of(sources[1], port));
				seen[first] = true;
				// Not answered: that would not find the client while
				// it has its other address.
			}
		});
}

TEST_LIMIT(options_of_both, 180)
{
	PlainTalk talk;
	beside(
		[&](unsigned turn) {
			for (const PlainSocket *socket : {&talk.client, &talk.server}) {
				int fd = socket->fd();
				option(fd, IPPROTO_IP, IP_TOS, turn ? IPTOS_LOWDELAY : 0);
				option(fd, IPPROTO_IP, IP_TTL, turn ? 30 : 64);
				option(fd, SOL_SOCKET, SO_PRIORITY, turn ? 3 : 0);
				option(fd, SOL_SOCKET, SO_SNDBUF, turn ? 1 << 20 : 1 << 22);
				option(fd, SOL_SOCKET, SO_RCVBUF, turn ? 1 << 21 : 1 << 22);
				socket->set(SDP_PADDING, turn ? 64 : 0);
				CHECK(socket->port());
			}
		},
		[&] { soak::both(talk.client, talk.server, talk.to, some_load()); });
}

TEST_LIMIT(looked_at, 180)
{
	const std::string proc = "/proc/thread-self/net/sdp/";
	for (bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		beside(
			[&](unsigned turn) {
				const net::Host &host = turn ? hosts->a : hosts->b;
				for (const char *file : {"sockets", "rpcs", "sessions", "counters"})
					CHECK(!host.ns.read(proc + file).empty());
			},
			[&] { soak::both(talk.client, talk.server, talk.to, some_load()); });
	}
}
