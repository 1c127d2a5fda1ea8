// SPDX-License-Identifier: Apache-2.0
// On which CPU packets are handled: those of a message of several on the message's
// home CPU, all others where they come in; and what goes away while some wait.
#include <fstream>
#include <memory>
#include <sched.h>
#include <set>

#include "lib/packet.hpp"
#include "lib/plain_socket.hpp"
#include "lib/proc.hpp"
#include "lib/soak.hpp"
#include "lib/talk.hpp"
#include "lib/test.hpp"
#include "lib/trace.hpp"

namespace {

constexpr uint16_t far_port = 999;
constexpr uint32_t long_message = 100'000;
constexpr unsigned messages = 64;
const std::string full_file = "/sys/module/sdp/parameters/steer_queue";
const std::string online_file = "/sys/devices/system/cpu/cpu1/online";

void put_file(const std::string &path, const std::string &text)
{
	std::ofstream file(path);
	file << text << std::flush;
	CHECK(file.good());
}

unsigned online()
{
	return static_cast<unsigned>(sysconf(_SC_NPROCESSORS_ONLN));
}

/// What this thread sends comes in on @a cpu.
void stay_on(unsigned cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

void two_cpus()
{
	if (online() < 2)
		throw test::Skip("one CPU");
}

/// Written back at the end.
class Setting {
public:
	Setting(std::string path, const std::string &text) : path_(std::move(path))
	{
		std::ifstream file(path_);
		std::getline(file, before_);
		CHECK(!before_.empty());
		put_file(path_, text);
	}
	Setting(const Setting &) = delete;
	Setting &operator=(const Setting &) = delete;
	~Setting() { put_file(path_, before_); }

private:
	std::string path_, before_;
};

/// A host and a stranger of it, whose packets come in on CPU 0.
struct Stranger {
	Stranger()
	{
		stay_on(0);
		CHECK(place.host.ns.sysctl("steer", "1"));
	}

	void send(const Bytes &homa, bool v6 = false) const
	{
		const net::Address from = net::Address::of(v6 ? "fd00::7" : "10.0.0.7", 0);
		place.wire.send(packet::ip(
			from, place.host.at(v6 ? net::Family::v6 : net::Family::v4, 0), homa));
	}
	/// One packet of RPC @a id's request, of @a length bytes in all.
	void part(uint64_t id, uint32_t length, uint32_t offset = 0, uint16_t to = server_port,
		  bool v6 = false) const
	{
		packet::Data data{.message_length = length, .incoming = length, .offset = offset};
		const uint32_t size = std::min(length - offset, 1000U);
		send(packet::make_data({far_port, to, id}, data, pattern(size)), v6);
	}

	net::Alone place;
};

/// The CPUs that packets of RPCs @a first to @a first + messages came to; each RPC's to one.
std::set<unsigned> cpus_of(uint64_t first, unsigned packets, const std::string &type = "0x10")
{
	std::map<uint64_t, std::set<unsigned>> where;
	unsigned seen = 0;
	Trace::lines(" rx type=" + type + " ", [&](const std::string &line) {
		const uint64_t id = std::stoull(line.substr(line.find(" id=") + 4)) & ~1ULL;
		if (id < first || id >= first + 2ULL * messages)
			return;
		seen++;
		where[id].insert(
			static_cast<unsigned>(std::stoul(line.substr(line.find('[') + 1))));
	});
	EQ(seen, packets);
	std::set<unsigned> all;
	for (const auto &[id, cpus] : where) {
		EQ(cpus.size(), 1U);
		all.insert(cpus.begin(), cpus.end());
	}
	return all;
}

/// Messages of several packets, three of each.
void send_long(const Stranger &from, uint64_t first, bool v6 = false)
{
	for (uint32_t offset : {0U, 5000U, 1000U})
		for (unsigned i = 0; i < messages; i++)
			from.part(first + 2ULL * i, long_message, offset, server_port, v6);
}

/// Until the host has handled @a packets of DATA since then.
void handled(const proc::Counters &counters, unsigned packets)
{
	EVENTUALLY(counters.moved("rx_data") == packets);
}

const std::set<unsigned> first_only{0};

std::set<unsigned> all_cpus()
{
	std::set<unsigned> all;
	for (unsigned cpu = 0; cpu < online(); cpu++)
		all.insert(cpu);
	return all;
}

} // namespace

SETUP
{
	two_hosts();
}

TEST(long_messages_are_spread)
{
	two_cpus();
	for (const bool v6 : {false, true}) {
		const Stranger stranger;
		PlainSocket server(stranger.place.host.ns, v6 ? AF_INET6 : AF_INET, server_port);
		const proc::Counters counters(stranger.place.host.ns);
		Trace trace("sdp/sdp_packet");
		send_long(stranger, 1000, v6);
		handled(counters, 3 * messages);
		CHECK(cpus_of(1000, 3 * messages) == all_cpus());
		const uint64_t steered = counters.moved("steered");
		CHECK(steered > 0 && steered < 3ULL * messages);
		CHECK(counters.moved("steer_wakes") > 0 &&
		      counters.moved("steer_wakes") <= steered);
		EQ(counters.moved("steer_full"), 0U);
	}
}

TEST(others_stay)
{
	two_cpus();
	const Stranger stranger;
	PlainSocket server(stranger.place.host.ns, AF_INET, server_port);
	const proc::Counters counters(stranger.place.host.ns);
	Trace trace("sdp/sdp_packet");
	for (unsigned i = 0; i < messages; i++) {
		stranger.part(1000 + 2ULL * i, 1000);
		stranger.send(packet::make_resend({far_port, server_port, 1000 + 2ULL * i}, 0, 10));
	}
	handled(counters, messages);
	EVENTUALLY(counters.moved("rx_resend") == messages);
	CHECK(cpus_of(1000, messages) == first_only);
	CHECK(cpus_of(1000, messages, "0x12") == first_only);
	EQ(counters.moved("steered"), 0U);
}

namespace {

/// Long messages are handled where they come in, each packet.
void all_stay(const Stranger &stranger)
{
	PlainSocket server(stranger.place.host.ns, AF_INET, server_port);
	const proc::Counters counters(stranger.place.host.ns);
	Trace trace("sdp/sdp_packet");
	send_long(stranger, 1000);
	handled(counters, 3 * messages);
	CHECK(cpus_of(1000, 3 * messages) == first_only);
	EQ(counters.moved("steered"), 0U);
}

} // namespace

TEST(turned_off)
{
	two_cpus();
	const Stranger stranger;
	CHECK(stranger.place.host.ns.sysctl("steer", "0"));
	all_stay(stranger);
}

TEST(full_queue)
{
	two_cpus();
	const Stranger stranger;
	const Setting small(full_file, "1");
	const proc::Counters counters(stranger.place.host.ns);
	all_stay(stranger);
	CHECK(counters.moved("steer_full") > 0);
}

TEST(no_home_on_a_cpu_that_is_offline)
{
	two_cpus();
	const Stranger stranger;
	PlainSocket server(stranger.place.host.ns, AF_INET, server_port);
	{
		const Setting off(online_file, "0");
		const proc::Counters counters(stranger.place.host.ns);
		send_long(stranger, 1000);
		handled(counters, 3 * messages);
		EQ(counters.moved("steered"), 0U);
	}
	const proc::Counters counters(stranger.place.host.ns);
	send_long(stranger, 2000);
	handled(counters, 3 * messages);
	CHECK(counters.moved("steered") > 0);
}

namespace {

/// Messages both ways, clear and then secure, steered and checked to the last byte.
void whole(const std::function<void(unsigned)> &tenth = nullptr)
{
	for (const bool secure : {false, true}) {
		PlainTalk talk;
		if (secure)
			make_secure(talk);
		for (const net::Host *host : {&hosts->a, &hosts->b})
			CHECK(host->ns.sysctl("steer", "1"));
		const proc::Counters counters(hosts->b.ns);
		soak::Load load;
		load.rpcs = 200;
		load.largest = 300'000;
		load.tenth = tenth;
		soak::both(talk.client, talk.server, talk.to, load);
		// A machine with one CPU has nowhere to steer to.
		CHECK((counters.moved("steered") > 0) == (sysconf(_SC_NPROCESSORS_CONF) > 1));
	}
}

} // namespace

TEST_LIMIT(messages_are_whole, 180)
{
	whole();
}

// Packets that wait for it are handled by another one, and its NAPI is not lost.
TEST_LIMIT(cpu_goes_and_comes, 300)
{
	two_cpus();
	std::atomic<bool> stop = false;
	test::Thread toggle([&] {
		while (!stop) {
			put_file(online_file, "0");
			put_file(online_file, "1");
		}
	});
	whole();
	stop = true;
	toggle.join();
	EQ(online(), 2U);
}

// A queue that is full again and again.
TEST_LIMIT(small_queue, 180)
{
	two_cpus();
	const Setting small(full_file, "150000");
	const proc::Counters counters(hosts->b.ns);
	whole();
	CHECK(counters.moved("steered") > 0);
}

namespace {

/// Sends parts of messages for a port without a socket, on and on, until the device is gone.
class Flood {
public:
	explicit Flood(const Stranger &from) : thread_([this, &from] { run(from); }) {}
	Flood(const Flood &) = delete;
	Flood &operator=(const Flood &) = delete;
	~Flood() { end(); }
	void end()
	{
		stop_ = true;
		if (thread_.joinable())
			thread_.join();
	}

private:
	void run(const Stranger &from)
	{
		stay_on(0);
		const packet::Data data{.message_length = long_message, .incoming = long_message};
		for (uint64_t id = 2; !stop_; id += 2) {
			const Bytes one = packet::ip(
				net::Address::of("10.0.0.7", 0),
				from.place.host.at(net::Family::v4, 0),
				packet::make_data({far_port, 4444, id}, data, pattern(1000)));
			if (write(from.place.wire.fd(), one.data(), one.size()) < 0 &&
			    errno != EAGAIN && errno != EIO)
				return;
		}
	}

	std::atomic<bool> stop_ = false;
	std::thread thread_;
};

bool some_steered(const proc::Counters &counters)
{
	return counters.moved("steered") > 100;
}

} // namespace

TEST_LIMIT(device_goes, 180)
{
	two_cpus();
	for (int round = 0; round < 20; round++) {
		const Stranger stranger;
		const proc::Counters counters(stranger.place.host.ns);
		Flood flood(stranger);
		EVENTUALLY(some_steered(counters));
		stranger.place.host.ns.sh(round % 2 ? "ip link del wire0"
						    : "ip link set wire0 down; ip link del wire0");
	}
}

TEST_LIMIT(device_moves, 180)
{
	two_cpus();
	for (int round = 0; round < 10; round++) {
		const Stranger stranger;
		const net::Netns other;
		const proc::Counters counters(stranger.place.host.ns);
		Flood flood(stranger);
		EVENTUALLY(some_steered(counters));
		stranger.place.host.ns.ip("link set wire0 netns " + other.path());
	}
}

TEST_LIMIT(namespace_goes, 180)
{
	two_cpus();
	for (int round = 0; round < 20; round++) {
		auto stranger = std::make_unique<Stranger>();
		const proc::Counters counters(stranger->place.host.ns);
		auto flood = std::make_unique<Flood>(*stranger);
		EVENTUALLY(some_steered(counters));
		// Its last packets may wait when the device is closed, which is the end of both.
		flood.reset();
		stranger.reset();
	}
}

// The other cases' hosts have no sockets here.
TEST_LIMIT(module_goes, 180)
{
	two_cpus();
	const char *top = getenv("SDP_TOP");
	CHECK(top);
	for (int round = 0; round < 5; round++) {
		const Stranger stranger;
		{
			const proc::Counters counters(stranger.place.host.ns);
			Flood flood(stranger);
			EVENTUALLY(some_steered(counters));
			// What is closed may hold it a little longer.
			EVENTUALLY(hosts->b.ns.try_sh("rmmod sdp"));
		}
		hosts->b.ns.sh(std::string("bash -c '. ") + top + "/selftests/lib/host.sh; . " +
			       top + "/selftests/lib/net.sh; sdp_load test_raw_keys=1'");
	}
}
