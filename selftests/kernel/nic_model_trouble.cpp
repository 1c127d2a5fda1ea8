// SPDX-License-Identifier: Apache-2.0
// mlx5's patched driver on the model of a ConnectX (selftests/connectx): whatever happens to
// the path, the queues and the device, each message arrives once and whole, and nothing
// leaves in the clear. To be run by selftests/connectx/run.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>

#include "lib/load.hpp"
#include "lib/mlx5.hpp"
#include "lib/proc.hpp"
#include "lib/test.hpp"
#include "lib/testnic.hpp"

namespace {

using testnic::echo;
using testnic::Load;

/// The path is as it should be, also after a case that has failed.
void mend()
{
	mlx5::ask("wire loss=0 reorder=0 duplicate=0 delay=0 rate=0");
	mlx5::ask("link up");
}

/// Sends for a while over what @a wire does to packets.
void over(const std::string &wire, int times)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	mlx5::ask("wire " + wire);
	for (int i = 0; i < times; i++)
		echo(talk, 150000, static_cast<uint64_t>(i));
	mend();
	mlx5::clean();
}

} // namespace

SETUP
{
	mlx5::two_hosts();
}

EACH
{
	mend();
}

TEST_LIMIT(loss, 240)
{
	over("loss=20000", 12);
}

TEST_LIMIT(reordering, 240)
{
	over("reorder=100000 reorder_by=2000", 12);
}

TEST_LIMIT(duplication, 240)
{
	over("duplicate=200000", 12);
}

TEST_LIMIT(all_of_these, 240)
{
	over("loss=10000 reorder=50000 duplicate=50000 delay=300", 8);
}

// Many messages of many sessions at once, of all lengths.
TEST_LIMIT(many_at_once, 300)
{
	constexpr size_t clients = 6;
	constexpr size_t each = 6;
	const PlainSocket server(hosts->b.ns, AF_INET, server_port);
	const net::Address to = hosts->b.at(net::Family::v4, server_port);
	std::vector<std::unique_ptr<PlainSocket>> sockets;
	for (size_t i = 0; i < clients; i++) {
		sockets.push_back(std::make_unique<PlainSocket>(hosts->a.ns, AF_INET));
		session::join(sockets.back()->fd(),
			      hosts->a.at(net::Family::v4, sockets.back()->port()), server.fd(), to,
			      i % 2 ? SDP_CIPHER_AES_128_GCM : SDP_CIPHER_AES_256_GCM);
	}
	const proc::Counters a(hosts->a.ns);
	for (uint64_t round = 0; round < 2; round++) {
		for (size_t n = 0; n < each; n++)
			for (auto &socket : sockets)
				socket->request(to, testnic::secret(9000 + 23000 * n, n + 1),
						n + 1);
		for (size_t i = 0; i < clients * each; i++)
			server.echo();
		for (auto &socket : sockets) {
			std::set<uint64_t> seen;
			for (size_t n = 0; n < each; n++) {
				const PlainMessage response = socket->expect();
				const uint64_t seed = response.rpc->cookie;
				CHECK(seen.insert(seed).second);
				EQ(response.bytes.size(), 9000 + 23000 * (seed - 1));
				EQ(testnic::secret_error(response.bytes, seed), "");
			}
		}
	}
	CHECK(a.moved("seal_nic") > 0);
	mlx5::clean();
}

TEST_LIMIT(rekey_under_load, 240)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	const proc::Counters a(hosts->a.ns);
	Load load(talk);
	for (int i = 0; i < 6; i++) {
		load.more(3);
		session::rekey(talk.client.fd(), talk.to);
	}
	load.more(3);
	load.check();
	CHECK(a.moved("epochs_sent") > 4);
	testnic::warm(talk);
	mlx5::clean();
}

TEST_LIMIT(link_flaps_under_load, 240)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	Load load(talk);
	for (int i = 0; i < 4; i++) {
		load.more(2);
		mlx5::ask("link down");
		std::this_thread::sleep_for(std::chrono::milliseconds(50));
		mlx5::ask("link up");
	}
	load.more(2);
	load.check();
	mlx5::clean();
}

// The device is closed and opened again, with other rings and with another number of queues.
TEST_LIMIT(rings_and_channels_under_load, 300)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	std::string most;
	CHECK(hosts->a.ns.try_sh("ethtool -l " + hosts->a.device +
					 " | sed -n 's/^Combined:[[:space:]]*//p' | head -n 1",
				 &most));
	Load load(talk);
	for (const net::Host *host : {&hosts->a, &hosts->b}) {
		load.more(1);
		host->ns.sh("ethtool -G " + host->device + " tx 256");
		load.more(1);
		host->ns.sh("ethtool -L " + host->device + " combined 1 || [ $? = 80 ]");
		load.more(1);
		host->ns.sh("ethtool -G " + host->device + " tx 1024; ethtool -L " + host->device +
			    " combined " + std::to_string(std::stoul(most)) + " || [ $? = 80 ]");
	}
	load.more(2);
	load.check();
	testnic::warm(talk);
	mlx5::clean();
}

TEST_LIMIT(offload_off_and_on, 240)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	Load load(talk);
	for (int i = 0; i < 3; i++) {
		load.more(1);
		hosts->a.ns.sh("ethtool --set-priv-flags " + hosts->a.device + " tx_sdp off");
		load.more(1);
		hosts->a.ns.sh("ethtool --set-priv-flags " + hosts->a.device + " tx_sdp on");
	}
	load.check();
	hosts->a.ns.sh("ethtool --set-priv-flags " + hosts->a.device + " tx_sdp off");
	const proc::Counters a(hosts->a.ns);
	echo(talk, 100000);
	EQ(a.moved("seal_nic"), 0);
	hosts->a.ns.sh("ethtool --set-priv-flags " + hosts->a.device + " tx_sdp on");
	testnic::warm(talk);
	mlx5::clean();
}

// Down, up: queues end with what was posted to them.
TEST_LIMIT(device_down_and_up_under_load, 240)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	Load load(talk);
	for (int i = 0; i < 3; i++) {
		load.more(1);
		hosts->a.ns.ip("link set dev " + hosts->a.device + " down");
		hosts->a.ns.ip("link set dev " + hosts->a.device + " up\naddr replace " +
			       hosts->a.v6 + "/64 dev " + hosts->a.device + " nodad");
	}
	load.more(1);
	load.check();
	testnic::warm(talk);
	mlx5::clean();
}

// The driver lets go of a function under load, and takes it again.
TEST_LIMIT(unbound_under_load, 300)
{
	const std::vector<std::string> functions = mlx5::functions();
	EQ(functions.size(), 2);
	const std::string driver = "/sys/bus/pci/drivers/mlx5_core/";
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	Load load(talk);
	for (const std::string &function : functions) {
		load.more(1);
		const net::Netns outside;
		outside.sh("echo " + function + " >" + driver + "unbind; echo " + function + " >" +
			   driver + "bind");
		mlx5::adopt_again();
	}
	load.more(1);
	load.check();
	testnic::warm(talk);
	mlx5::clean();
}

TEST_LIMIT(driver_reloaded_under_load, 300)
{
	const char *module = getenv("SDP_MLX5");
	if (module == nullptr)
		throw test::Skip("$SDP_MLX5 does not say which driver");
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	Load load(talk);
	load.more(1);
	{
		const net::Netns outside;
		outside.sh("rmmod mlx5_core; insmod " + std::string(module));
	}
	mlx5::adopt_again();
	load.more(1);
	load.check();
	testnic::warm(talk);
	mlx5::clean();
}
