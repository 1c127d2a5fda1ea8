// SPDX-License-Identifier: Apache-2.0
// No collapse: bounds on what is sent and how long it takes, over paths of all
// kinds, and beside TCP. SDP_PATHS=long runs all combinations.
#include <gtest/gtest.h>

#include <cstdlib>

#include "sim_measure.hpp"

using namespace sim;

namespace {

constexpr u32 record = 16277;
constexpr u64 per_control = 16384;

struct Path {
	std::string name;
	LinkSettings link;
	Load load;
};

Settings settings_of(const Path &path, u64 seed)
{
	Settings settings;

	settings.hosts = path.load.clients + 1;
	settings.seed = seed;
	settings.link = path.link;
	settings.nic.rate = std::max(settings.nic.rate, path.link.rate);
	settings.record = record;
	return settings;
}

// A path's bytes, packets and times of a few seeds, one where nothing is left
// to chance.
struct Sums {
	u64 sdp_ns = 0;
	u64 tcp_ns = 0;
};

// Payload sent at most 1.2 times what is needed, 3 p more where p is lost; 4
// control packets per RPC, one per 16 KB, two per packet lost; or so many times that.
void bounded(const Figures &f, double slack = 1, double slack_control = 1)
{
	const double bytes = (1.2 + 3 * f.loss) * static_cast<double>(f.needed);
	const double control =
		static_cast<double>(4 * f.rpcs + f.needed / per_control + 2 * f.lost_packets);

	EXPECT_LE(static_cast<double>(f.data_bytes), slack * bytes)
		<< "payload sent for " << f.needed << " needed, " << f.loss << " of packets lost";
	EXPECT_LE(static_cast<double>(f.control_packets), slack_control * control)
		<< "control packets of " << f.rpcs << " RPCs, " << f.needed << " bytes";
}

void PrintTo(const Path &path, std::ostream *out)
{
	*out << path.name;
}

// What is held over all paths of the matrix, of the bounds that are aimed at: those
// are passed where windows are far smaller than 16 KB, and where a loss of a third
// meets a path of 100 ms.
constexpr double held = 1.75;
constexpr double held_time = 7;

class NoCollapse : public testing::TestWithParam<Path> {};

TEST_P(NoCollapse, bounds_and_times)
{
	const Path &path = GetParam();
	const int seeds = path.link.loss > 0 ? 3 : 1;
	constexpr u64 limit = 600 * second;
	Sums sums;

	for (int seed = 1; seed <= seeds; seed++) {
		const Settings settings = settings_of(path, static_cast<u64>(seed));
		World world(settings);
		const Figures figures = measure(world, path.load, limit);
		ASSERT_EQ(figures.broken, "") << "seed " << seed;
		// Eight questions in a row may have no answer where half of them have none.
		EXPECT_LE(figures.failed, path.link.loss < 0.3 ? 0U : 1U) << "seed " << seed;
		bounded(figures, held, held);
		sums.sdp_ns += figures.all_ns;
		const u64 tcp = tcp_takes(settings, path.load, limit);
		ASSERT_NE(tcp, ~0ULL);
		sums.tcp_ns += tcp;
	}
	EXPECT_LE(static_cast<double>(sums.sdp_ns),
		  held_time * 1.3 * static_cast<double>(sums.tcp_ns))
		<< "time beside TCP's";
}

// Names for tests: no points.
std::string amount(u64 value)
{
	for (const auto &[unit, letter] : {std::pair{1'000'000'000ULL, "G"},
					   std::pair{1'000'000ULL, "M"}, std::pair{1'000ULL, "k"}})
		if (value >= unit && value % unit == 0)
			return std::to_string(value / unit) + letter;
	return std::to_string(value);
}

struct Queue {
	u32 packets;
	u64 bytes;
};

Path path_of(u64 rate, u64 delay_ns, Queue queue, double loss, const char *what, const Load &load)
{
	Path path{.link = {.rate = rate,
			   .delay_ns = delay_ns,
			   .queue_packets = queue.packets,
			   .queue_bytes = queue.bytes,
			   .loss = loss},
		  .load = load};

	path.name = amount(rate) + "_" + amount(delay_ns) + "ns_" +
		    (queue.packets != 0 ? std::to_string(queue.packets) + "packets"
					: amount(queue.bytes) + "bytes") +
		    "_loss" + std::to_string(static_cast<int>(loss * 100)) + "_" + what;
	return path;
}

const std::pair<const char *, Load> loads[] = {
	{"small", {.messages = 20, .length = 200, .response = 1000, .interval_ns = 1 * ms}},
	{"one", {.length = 700000}},
	{"six", {.messages = 6, .length = 500000}},
	{"responses", {.messages = 6, .length = 100, .response = 300000}},
	{"incast", {.clients = 8, .messages = 2, .length = 100000}},
	{"clear", {.messages = 4, .length = 200000, .response = 100000, .secure = false}},
};

// All loads over the paths of the matrix: every rate, delay, queue and loss at
// least once; all their combinations when asked for.
std::vector<Path> paths()
{
	static const u64 rates[] = {1'000'000,       5'000'000,      20'000'000,
				    100'000'000,     1'000'000'000,  10'000'000'000,
				    100'000'000'000, 400'000'000'000};
	static const u64 delays[] = {1 * us, 100 * us, 1 * ms, 20 * ms, 100 * ms};
	static const Queue queues[] = {{10, 0}, {100, 0}, {1000, 0}, {0, 100'000'000}};
	static const double losses[] = {0, 0.01, 0.1, 0.3};
	const char *asked = std::getenv("SDP_PATHS");
	const bool all = asked != nullptr && std::string(asked) == "long";
	std::vector<Path> list;
	size_t n = 0;

	for (size_t r = 0; r < std::size(rates); r++)
		for (size_t d = 0; d < std::size(delays); d++)
			for (size_t q = 0; q < std::size(queues); q++)
				for (size_t l = 0; l < std::size(losses); l++)
					for (const auto &[what, load] : loads)
						if (all || n++ % 61 == 0)
							list.push_back(path_of(rates[r], delays[d],
									       queues[q], losses[l],
									       what, load));
	return list;
}

INSTANTIATE_TEST_SUITE_P(Paths, NoCollapse, testing::ValuesIn(paths()),
			 [](const auto &info) { return info.param.name; });

// Equal messages of equal clients, each after the one before: the first client is done
// after no less than half of the last one's time; in secure mode, where no less than a
// record is granted, two fifths.
TEST(Fairness, clients_that_send_the_same_end_within_a_factor)
{
	for (const u64 rate : {20'000'000ULL, 1'000'000'000ULL, 25'000'000'000ULL})
		for (const bool secure : {false, true}) {
			Path path = path_of(rate, 100 * us, {100, 0}, 0, "fair",
					    {.clients = 6,
					     .messages = 10,
					     .length = 150000,
					     .secure = secure,
					     .one_by_one = true});
			World world(settings_of(path, 1));
			const u64 start = world.now();
			EXPECT_EQ(measure(world, path.load, 600 * second).broken, "");
			std::map<int, u64> last;
			for (const auto &[key, outcome] : world.outcomes())
				last[outcome.client] =
					std::max(last[outcome.client], outcome.done - start);
			u64 least = ~0ULL;
			u64 most = 0;
			for (const auto &[client, took] : last) {
				least = std::min(least, took);
				most = std::max(most, took);
			}
			EXPECT_LE(2 * most, (secure ? 5 : 4) * least) << rate;
		}
}

// One situation at a time.
class Situation : public testing::Test {
protected:
	static Path slow(u64 rate, const Load &load)
	{
		return path_of(rate, 1 * ms, {1000, 0}, 0, "", load);
	}

	static Figures run(const Path &path, u64 limit = 600 * second)
	{
		World world(settings_of(path, 1));
		Figures figures = measure(world, path.load, limit);
		EXPECT_EQ(figures.broken, "");
		return figures;
	}

	static void as_tcp(const Path &path, double slack = 1, double slack_control = 1)
	{
		const Figures figures = run(path);
		bounded(figures, slack, slack_control);
		EXPECT_EQ(figures.failed, 0U);
		EXPECT_LE(static_cast<double>(figures.all_ns),
			  1.3 * static_cast<double>(
					tcp_takes(settings_of(path, 1), path.load, 600 * second)));
	}
};

TEST_F(Situation, one_request_over_20_mbit_and_a_deep_queue)
{
	for (const bool secure : {true, false})
		as_tcp(slow(20'000'000, {.length = 700000, .secure = secure}));
}

TEST_F(Situation, six_requests_over_5_mbit_and_a_deep_queue)
{
	for (const bool secure : {true, false})
		as_tcp(slow(5'000'000, {.messages = 6, .length = 500000, .secure = secure}), 1.5,
		       1.5);
}

// What is asked for stands in a queue, behind what other RPCs of the peer have sent.
TEST_F(Situation, responses_over_slow_links_and_deep_queues)
{
	for (const auto &[rate, messages] :
	     {std::pair{1'000'000ULL, 1}, std::pair{1'000'000ULL, 6}, std::pair{5'000'000ULL, 6},
	      std::pair{5'000'000ULL, 40}, std::pair{20'000'000ULL, 40}})
		for (const bool secure : {true, false})
			for (const bool priorities : {true, false}) {
				Path path = slow(rate, {.messages = messages,
							.length = 100,
							.response = 60000,
							.secure = secure});
				path.link.priorities = priorities;
				path.link.queue_packets = 5000;
				as_tcp(path, 1, 2.4);
			}
}

// Short packets pass, long ones do not: the message arrives in short ones, or
// the RPC fails, soon.
TEST_F(Situation, a_hole_for_long_packets)
{
	for (const Load load : {Load{.length = 5000}, Load{.length = 300000},
				Load{.length = 100, .response = 5000}}) {
		Path path = slow(100'000'000, load);
		path.link.hole = 1000;
		const Figures figures = run(path, 30 * second);
		EXPECT_LE(figures.data_bytes, 3 * figures.needed + 200000);
		EXPECT_LE(figures.control_packets, 300U);
	}
}

// What answers "send all of it" is as long as the path is thought to take: it is not
// what gets through while the rest does not.
TEST_F(Situation, a_hole_for_jumbo_packets)
{
	for (const Load load : {Load{.length = 300000}, Load{.length = 100, .response = 300000}}) {
		Path path = slow(1'000'000'000, load);
		path.link.hole = 1500;
		Settings settings = settings_of(path, 1);
		settings.payload = 8900;
		World world(settings);
		const Figures figures = measure(world, load, 30 * second);
		EXPECT_EQ(figures.broken, "");
		EXPECT_EQ(figures.failed, 0U);
		EXPECT_LE(figures.data_bytes, 2 * figures.needed);
		EXPECT_LE(figures.all_ns, 10 * second);
	}
}

TEST_F(Situation, a_policer_with_a_small_burst)
{
	for (const u64 burst : {1000ULL, 3000ULL, 20000ULL}) {
		Path path = slow(100'000'000, {.length = 100000});
		path.link.police_rate = 10'000'000;
		path.link.police_burst = burst;
		const Figures figures = run(path, 60 * second);
		EXPECT_LE(static_cast<double>(figures.data_bytes),
			  1.2 * (1.2 + 3 * figures.loss) * static_cast<double>(figures.needed) +
				  200000);
	}
}

// The first packet to a host waits for its address, for as long as ARP may
// take.
TEST_F(Situation, a_neighbour_that_takes_half_a_second)
{
	for (const u32 length : {100U, 100000U}) {
		Path path = slow(100'000'000, {.length = length});
		Settings settings = settings_of(path, 1);
		settings.nic.arp_ns = 500 * ms;
		World world(settings);
		const Figures figures = measure(world, path.load, 60 * second);
		EXPECT_EQ(figures.broken, "");
		EXPECT_EQ(figures.failed, 0U) << length;
		EXPECT_LE(figures.all_ns, 3 * second);
		EXPECT_LE(figures.control_packets, 40U);
	}
}

// The first GRANT is lost, and somebody sends single bytes of what it granted,
// so that there are more gaps than the receiver remembers.
TEST_F(Situation, a_lost_grant_and_junk_for_what_it_granted)
{
	Path path = slow(100'000'000, {.length = 100000, .secure = false});
	World world(settings_of(path, 1));
	bool lost = false;
	world.swallow = [&](const Packet &packet) {
		if (lost || packet.type != PROG_PACKET_GRANT)
			return false;
		lost = true;
		for (u32 i = 1; i <= 21; i++) {
			Packet junk = packet;
			junk.from = packet.to;
			junk.to = packet.from;
			junk.forged = true;
			junk.type = type_data;
			junk.id = packet.id ^ 1;
			junk.ev = {};
			junk.ev.offset = 66000 + i * 1500;
			junk.ev.length = 1;
			junk.ev.message_length = path.load.length;
			junk.ev.incoming = packet.ev.offset;
			junk.ev.cutoff_version = 1;
			world.inject(junk);
		}
		return true;
	};
	const Figures figures = measure(world, path.load, 30 * second);
	EXPECT_TRUE(lost);
	EXPECT_EQ(figures.broken, "");
	EXPECT_LE(figures.all_ns, 5 * second);
	EXPECT_LE(figures.control_packets, 200U);
}

// A hole that later bytes show is asked for within a few path times, not after
// the silence that says that a peer has stopped.
TEST_F(Situation, one_outstanding_with_one_percent_loss)
{
	Path path = path_of(10'000'000'000, 20 * us, {1000, 0}, 0.01, "",
			    {.messages = 300, .length = 50000, .one_by_one = true});
	const Figures figures = run(path);
	bounded(figures);
	EXPECT_EQ(figures.failed, 0U);
	// 60 us without loss. Some three of ten lose something; a lost last packet of
	// what is granted, or a lost response, takes its silence, 5 ms.
	EXPECT_LE(figures.all_ns / figures.rpcs, 1500 * us);
}

// A peer with fixed timers, at either end of a slow link.
TEST_F(Situation, a_peer_with_fixed_timers)
{
	for (const int fixed : {0, 1}) {
		Path path = slow(20'000'000, {.length = 700000, .secure = false});
		Settings settings = settings_of(path, 1);
		settings.fixed = fixed;
		World world(settings);
		const Figures figures = measure(world, path.load, 60 * second);
		EXPECT_EQ(figures.broken, "");
		EXPECT_LE(static_cast<double>(figures.data_bytes),
			  1.5 * static_cast<double>(figures.needed))
			<< "host " << fixed << " has fixed timers";
	}
}

} // namespace
