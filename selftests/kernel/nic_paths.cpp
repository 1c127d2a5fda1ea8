// SPDX-License-Identifier: Apache-2.0
// What may come between a message that a NIC seals and the NIC: qdiscs, rules that change or
// redirect packets, devices above and beside it. Nothing leaves in the clear, all of it
// arrives.
#include "lib/proc.hpp"
#include "lib/test.hpp"
#include "lib/testnic.hpp"

namespace {

using testnic::echo;

const std::string root = "tc qdisc replace dev testnic0 root ";

/// Some messages of a client on host a, while the device is as @a before makes it.
void through(const std::string &before, const std::string &after = "tc qdisc del dev testnic0 root",
	     const std::function<void(const proc::Counters &)> &check = {})
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	hosts->a.ns.sh(before);
	const proc::Counters a(hosts->a.ns);
	for (uint64_t i = 0; i < 4; i++)
		echo(talk, 200000, i);
	testnic::clean();
	if (check)
		check(a);
	hosts->a.ns.sh(after);
	echo(talk, 100000);
	testnic::clean();
}

void by_the_nic(const proc::Counters &counters)
{
	CHECK(counters.moved("seal_nic") > 0);
}

void by(const proc::Counters &counters, const std::string &reason)
{
	EQ(counters.moved("seal_nic"), 0);
	CHECK(counters.moved("seal_cpu_" + reason) > 0);
}

} // namespace

SETUP
{
	testnic::two_hosts();
	const net::Netns outside;
	outside.sh("modprobe -a sch_tbf sch_netem sch_fq sch_fq_codel sch_prio sch_cake sch_htb "
		   "sch_ingress act_mirred act_pedit cls_u32 8021q macvlan bonding");
}

EACH
{
	testnic::clear();
}

TEST_LIMIT(queues_that_keep_segments_whole, 180)
{
	for (const char *kind : {"pfifo limit 1000", "fq", "fq_codel", "prio", "htb default 1"}) {
		test::note(kind);
		through(root + kind, "tc qdisc del dev testnic0 root", by_the_nic);
	}
}

TEST_LIMIT(queues_that_cut_segments, 180)
{
	for (const char *kind :
	     {"tbf rate 200mbit burst 20kb latency 200ms", "cake bandwidth 1gbit split-gso"}) {
		test::note(kind);
		through(root + kind, "tc qdisc del dev testnic0 root",
			[](const auto &counters) { CHECK(counters.moved("seal_cpu_cut") > 0); });
	}
}

TEST_LIMIT(netem_delays_and_repeats, 120)
{
	through(root + "netem delay 2ms duplicate 10% limit 100000");
	through(root + "netem delay 2ms reorder 30% limit 100000");
	through(root + "netem loss 5% limit 100000");
}

TEST(segmentation_off)
{
	through("ethtool -K testnic0 tso off", "ethtool -K testnic0 tso on",
		[](const auto &counters) { by(counters, "cut"); });
}

TEST(fewer_queues)
{
	through("ethtool -L testnic0 combined 1", "ethtool -L testnic0 combined 4", by_the_nic);
}

TEST(link_down_and_up)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	hosts->a.ns.ip("link set dev testnic0 down");
	hosts->a.ns.ip("link set dev testnic0 up\naddr replace fd00::1/64 dev testnic0 nodad");
	testnic::warm(talk);
	testnic::clean();
}

// A rule that writes into packets: what a NIC would seal under a wrong number is dropped,
// and arrives once the rule is gone.
TEST_LIMIT(rules_that_change_packets, 120)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	// Type DATA, secure; bytes 4 to 7 of its header are the place: that of record 1.
	hosts->a.ns.sh("tc qdisc add dev testnic0 clsact; tc filter add dev testnic0 egress "
		       "protocol ip u32 match u8 0x50 0xff at 31 "
		       "action pedit munge offset 24 u32 set 0x80003f95");
	const proc::Counters a(hosts->a.ns);
	talk.client.request(talk.to, testnic::secret(200000));
	testnic::until("the NIC's packets are dropped",
		       [&] { return a.moved("nic_drop_packet") > 0; });
	hosts->a.ns.sh("tc qdisc del dev testnic0 clsact");
	const PlainMessage request = talk.server.expect();
	EQ(testnic::secret_error(request.bytes), "");
	talk.server.reply(request, testnic::secret(1));
	EQ(talk.client.expect().bytes.size(), 1U);
	testnic::clean();
}

// The copies have no owner that could be asked, and the kernel drops them; the originals
// are not harmed.
TEST_LIMIT(mirrored_to_another_device, 120)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	hosts->a.ns.sh("ip link add sink type dummy; ip link set sink up; "
		       "tc qdisc add dev testnic0 clsact; tc filter add dev testnic0 egress "
		       "protocol ip u32 match u8 0x50 0xff at 31 "
		       "action mirred egress mirror dev sink");
	for (uint64_t i = 0; i < 4; i++)
		echo(talk, 200000, i);
	hosts->a.ns.sh("tc qdisc del dev testnic0 clsact; ip link del sink");
	testnic::clean();
}

// A device that seals packets, but cuts none.
TEST_LIMIT(device_that_does_not_cut, 120)
{
	testnic::set("no_cuts", 1);
	testnic::appear_again();
	PlainTalk talk;
	make_secure(talk);
	const proc::Counters a(hosts->a.ns);
	for (uint64_t i = 0; i < 4; i++)
		echo(talk, 200000, i);
	EQ(a.moved("seal_nic"), 0);
	EQ(a.moved("seal_cpu_cut"), 4 * 13);
	testnic::clean();
	// What fits a packet is sealed.
	testnic::set_mtu(9000);
	testnic::until("packets are sealed", [&] {
		echo(talk, 8500);
		return a.moved("seal_nic") > 0;
	});
	testnic::clean();
	testnic::set_mtu(1500);
	testnic::set("no_cuts", 0);
	testnic::appear_again();
	testnic::warm(talk);
}

// The kernel copies packets into one piece, after our last look at them: the CPU seals.
TEST_LIMIT(scatter_gather_off, 120)
{
	through("ethtool -K testnic0 sg off", "ethtool -K testnic0 sg on tso on",
		[](const auto &counters) { EQ(counters.moved("nic_drop_packet"), 0); });
	// What fits a packet need not be cut, and is made for the NIC.
	testnic::set_mtu(9000);
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk, 8500);
	hosts->a.ns.sh("ethtool -K testnic0 sg off");
	const proc::Counters a(hosts->a.ns);
	for (uint64_t i = 0; i < 4; i++)
		echo(talk, 8500, i);
	hosts->a.ns.sh("ethtool -K testnic0 sg on tso on");
	EQ(a.moved("nic_drop_packet"), 0);
	EQ(a.moved("seal_cpu_device"), 4);
	testnic::set_mtu(1500);
	testnic::clean();
}

// Devices above and beside the NIC, to which the route goes and comes back from, also while
// messages are on their way: theirs are sealed by the CPU, and the NIC has its own again.
TEST_LIMIT(routes_to_other_devices, 240)
{
	struct Other {
		const char *name;
		std::string make;
		std::string end;
	};
	const std::string veth =
		"ip link add other type veth peer name other netns " + hosts->b.ns.path() + "; ";
	for (const Other &other :
	     {Other{"VLAN", "ip link add link DEVICE name other type vlan id 7; ",
		    "ip link del other"},
	      Other{"macvlan", "ip link add link DEVICE name other type macvlan mode bridge; ",
		    "ip link del other"},
	      Other{"veth", veth, "ip link del other"}}) {
		test::note(other.name);
		for (const net::Host *host : {&hosts->a, &hosts->b}) {
			std::string make = other.make;
			if (const size_t at = make.find("DEVICE"); at != std::string::npos)
				make.replace(at, 6, host->device);
			else if (host == &hosts->b)
				make.clear();
			host->ns.sh(make + "ip link set other up; ip addr add 10.7.0." +
				    (host == &hosts->a ? "1" : "2") + "/24 dev other");
		}
		PlainTalk talk;
		make_secure(talk);
		testnic::warm(talk);
		const std::string there = "ip route replace " + hosts->b.v4 +
					  " via 10.7.0.2 dev other src " + hosts->a.v4;
		const proc::Counters a(hosts->a.ns);
		for (uint64_t i = 0; i < 4; i++) {
			talk.client.request(talk.to, testnic::secret(300000, i));
			hosts->a.ns.sh(i % 2 == 0 ? there : "ip route del " + hosts->b.v4);
			PlainMessage request = talk.server.expect();
			EQ(testnic::secret_error(request.bytes, i), "");
			talk.server.reply(request, testnic::secret(100));
			EQ(talk.client.expect().bytes.size(), 100U);
			if (i % 2 == 0) {
				echo(talk, 100000, i);
				CHECK(a.moved("seal_cpu_no_nic") > 0);
			}
		}
		for (const net::Host *host : {&hosts->a, &hosts->b})
			(void)host->ns.try_sh(other.end);
		testnic::warm(talk);
		testnic::clean();
	}
}

// A slave's packets come from the bond, which has no key.
TEST_LIMIT(below_a_bond, 120)
{
	const std::string device = "testnic0";
	hosts->a.ns.sh("ip link add bond0 type bond mode active-backup; "
		       "ip link set " +
		       device + " down; ip link set " + device +
		       " master bond0; ip link set bond0 up; ip addr flush dev " + device +
		       "; ip addr add " + hosts->a.v4 + "/24 dev bond0");
	PlainTalk talk;
	make_secure(talk);
	const proc::Counters a(hosts->a.ns);
	for (uint64_t i = 0; i < 4; i++)
		echo(talk, 200000, i);
	by(a, "no_nic");
	testnic::clean();
	hosts->a.ns.sh("ip link del bond0; ip addr add " + hosts->a.v4 + "/24 dev " + device +
		       "; ip link set " + device + " up; ip addr replace " + hosts->a.v6 +
		       "/64 dev " + device + " nodad");
	testnic::warm(talk);
	testnic::clean();
}

// A device that goes to another namespace in the midst of a message, and comes back.
TEST_LIMIT(moved_to_another_namespace, 120)
{
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk);
	const net::Netns other;
	for (uint64_t i = 0; i < 3; i++) {
		talk.client.request(talk.to, testnic::secret(900000, i));
		hosts->a.ns.ip("link set dev testnic0 netns " + other.path());
		other.ip("link set dev testnic0 up");
		other.ip("link set dev testnic0 netns " + hosts->a.ns.path());
		hosts->a.ns.ip("link set dev testnic0 up\naddr add " + hosts->a.v4 +
			       "/24 dev testnic0\naddr replace " + hosts->a.v6 +
			       "/64 dev testnic0 nodad");
		PlainMessage request = talk.server.expect();
		EQ(testnic::secret_error(request.bytes, i), "");
		talk.server.reply(request, testnic::secret(100));
		EQ(talk.client.expect().bytes.size(), 100U);
	}
	testnic::warm(talk);
	testnic::clean();
}

// What a NIC is to seal would leave in the clear if IP broke it: packets of one record,
// which rules let be broken and send where it is narrow. The last test: the path
// stays narrow for minutes.
TEST_LIMIT(rules_that_let_packets_be_broken, 120)
{
	testnic::set_mtu(9000);
	PlainTalk talk;
	make_secure(talk);
	testnic::warm(talk, 8500);
	hosts->a.ns.sh("ip route add " + hosts->b.v4 +
		       " dev testnic0 mtu lock 700 table 7; ip rule add fwmark 7 table 7; "
		       "nft add table ip t; nft 'add chain ip t out "
		       "{ type route hook output priority mangle ; }'; "
		       "nft add rule ip t out ip protocol 146 meta mark set 7 ip frag-off set 0");
	const proc::Counters a(hosts->a.ns);
	talk.client.request(talk.to, testnic::secret(8500));
	const PlainMessage request = talk.server.expect();
	EQ(testnic::secret_error(request.bytes), "");
	talk.server.reply(request, testnic::secret(1));
	EQ(talk.client.expect().bytes.size(), 1U);
	CHECK(a.moved("nic_drop_route") > 0);
	hosts->a.ns.sh("nft delete table ip t; ip rule del fwmark 7; ip route flush table 7");
	testnic::clean();
}
