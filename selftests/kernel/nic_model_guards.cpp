// SPDX-License-Identifier: Apache-2.0
// What keeps plaintext from the wire, each put to the test so that without it the model or
// its detector finds something: selftests/connectx/sabotage takes them out, one at a time.
// To be run by selftests/connectx/run.
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "lib/mlx5.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"
#include "lib/testnic.hpp"

namespace {

using testnic::echo;

void pause(unsigned milliseconds)
{
	std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

/// Of host a.
void offload(const char *on_or_off)
{
	hosts->a.ns.sh("ethtool --set-priv-flags " + hosts->a.device + " tx_sdp " + on_or_off);
}

/// Of host a, each queue's, and the qdisc before it, with datagrams for nobody.
void fill_rings()
{
	const net::Address nobody = hosts->b.at(net::Family::v4, 9);
	const int room = 1 << 22;
	for (int flow = 0; flow < 8; flow++) {
		const Fd udp(hosts->a.ns.socket(AF_INET, SOCK_DGRAM, 0));
		OK(setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)));
		for (int i = 0; i < 80; i++)
			OK(sendto(udp, Bytes(1400).data(), 1400, MSG_DONTWAIT, nobody.raw(),
				  nobody.length));
	}
}

} // namespace

SETUP
{
	mlx5::two_hosts();
}

EACH
{
	mlx5::ask("wire loss=0 rate=0");
}

// The driver's: packets that have passed the module's last look wait behind a full ring; when
// they are let go their context has been taken away.
TEST_LIMIT(packets_outlive_their_context, 180)
{
	constexpr size_t length = 900000;
	const PlainSocket server(hosts->b.ns, AF_INET, server_port);
	const net::Address to = hosts->b.at(net::Family::v4, server_port);
	std::vector<std::unique_ptr<PlainSocket>> clients;
	hosts->a.ns.sh("ethtool -G " + hosts->a.device + " tx 128");
	// So many bytes are taken out of the qdisc at once, and looked at.
	hosts->a.ns.sh("unshare -m sh -c 'mount -t sysfs sys /sys; for f in /sys/class/net/" +
		       hosts->a.device +
		       "/queues/tx-*/byte_queue_limits/limit_min; do echo 1000000 >$f; done'");
	for (int i = 0; i < 4; i++) {
		clients.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		session::join(clients.back()->fd(),
			      hosts->a.at(net::Family::v4, clients.back()->port()), server.fd(),
			      to);
	}
	const uint64_t before = mlx5::statistic(hosts->a, "tx_sdp_drop_no_context");
	const auto dropped = [before] {
		return mlx5::statistic(hosts->a, "tx_sdp_drop_no_context") > before;
	};
	for (uint64_t round = 0; round < 20 && !dropped(); round++) {
		mlx5::ask("wire rate=0");
		testnic::until("the device seals", [&] {
			const proc::Counters a(hosts->a.ns);
			for (auto &client : clients)
				client->request(to, testnic::secret(30000, round));
			for (size_t i = 0; i < clients.size(); i++)
				server.echo();
			for (auto &client : clients)
				client->expect();
			return a.moved("seal_nic") != 0;
		});
		mlx5::ask("wire rate=8");
		fill_rings();
		for (auto &client : clients)
			client->request(to, testnic::secret(length, round));
		pause(150);
		// Not on again before: there would be a new context.
		offload("off");
		mlx5::ask("wire rate=0");
		pause(100);
		offload("on");
		for (size_t i = 0; i < clients.size(); i++) {
			const PlainMessage request = server.expect();
			EQ(testnic::secret_error(request.bytes, round), "");
			server.reply(request, testnic::secret(1));
		}
		for (auto &client : clients)
			client->expect();
		mlx5::clean();
	}
	CHECK(dropped());
	hosts->a.ns.sh("ethtool -G " + hosts->a.device + " tx 1024");
	mlx5::clean();
}

// The module's: a rule writes another record's place into packets. What a NIC would seal
// under a number that is not its own is dropped, and arrives once the rule is gone.
TEST_LIMIT(places_that_were_changed, 120)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	// Type DATA, secure; bytes 4 to 7 of its header are the place: that of record 1. Only
	// where it is indexed, as that of what a NIC is to seal: what the CPU has sealed would
	// come to the wire like that, and the detector take it for another's bytes.
	hosts->a.ns.sh("tc qdisc add dev " + hosts->a.device + " clsact; tc filter add dev " +
		       hosts->a.device +
		       " egress protocol ip u32 match u8 0x50 0xff at 31 "
		       "match u32 0x80000000 0x80000000 at 24 "
		       "action pedit munge offset 24 u32 set 0x80003f95");
	const proc::Counters a(hosts->a.ns);
	talk.client.request(talk.to, testnic::secret(200000));
	pause(500);
	hosts->a.ns.sh("tc qdisc del dev " + hosts->a.device + " clsact");
	mlx5::clean();
	CHECK(a.moved("nic_drop_packet") > 0);
	const PlainMessage request = talk.server.expect();
	EQ(testnic::secret_error(request.bytes), "");
	talk.server.reply(request, testnic::secret(1));
	EQ(talk.client.expect().bytes.size(), 1U);
	mlx5::clean();
}

// The driver's: a context that is to seal another record than it expects is told so. Two
// sessions on one queue, a message of each in turn, and messages that begin anew.
TEST_LIMIT(contexts_that_have_to_jump, 120)
{
	PlainTalk one;
	make_secure(one);
	const PlainSocket other(hosts->a.ns, AF_INET);
	session::join(other.fd(), hosts->a.at(net::Family::v4, other.port()), one.server.fd(),
		      one.to);
	const mlx5::Moved nic;
	testnic::until("the devices seal, or try to", [&] {
		const proc::Counters a(hosts->a.ns);
		one.client.request(one.to, testnic::secret(60000));
		one.server.echo();
		one.client.expect();
		mlx5::clean();
		return a.moved("seal_nic") != 0;
	});
	for (uint64_t i = 0; i < 4; i++) {
		echo(one, 60000, i);
		other.request(one.to, testnic::secret(60000, i));
		one.server.echo();
		EQ(testnic::secret_error(other.expect().bytes, i), "");
	}
	mlx5::clean();
	CHECK(nic("engine_resyncs") >= 4);
}
