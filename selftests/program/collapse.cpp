// SPDX-License-Identifier: Apache-2.0
// No collapse: bounds on what is sent and how long it takes, over paths of all
// kinds, and beside TCP.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "paths.hpp"

using namespace sim;

namespace {

bool fixed_timers(const Path &path)
{
	return path.fixed >= 0;
}

bool is(const Path &path, const char *load)
{
	return path.load_name == load;
}

bool far(const Path &path)
{
	return path.link.delay_ns >= 20 * ms;
}

// Paths that pass a bound, and by how much: a path is in the first class that has it, and
// all that are in none hold the bound itself.
struct Class {
	const char *name;
	double most;
	bool (*has)(const Path &path);
};

const Class bytes[] = {
	// The peer asks for what stands in a queue, and its timer does not back off.
	{"a peer with fixed timers", 2.3, fixed_timers},
	// Nothing is known of the path yet, or the responses stand in a queue one by one: each
	// short RPC is asked for once too early.
	{"first short RPCs over 100 ms, up to 5 Mbit/s, or a slow way back", 1.6,
	 [](const Path &p) {
		 return is(p, "small") && (p.link.delay_ns >= 100 * ms ||
					   p.link.rate <= 5'000'000 || p.variation == "slow_back");
	 }},
	// Eight clients' unscheduled bytes stand in one queue before anybody grants.
	{"incast", 1.2, [](const Path &p) { return is(p, "incast"); }},
};

const Class control[] = {
	{"a peer with fixed timers", 19, fixed_timers},
	{"first short RPCs over 100 ms", 1.25,
	 [](const Path &p) { return is(p, "small") && p.link.delay_ns >= 100 * ms; }},
	// Sixteen messages wait for seconds behind each other, and ask whether their peer lives.
	{"incast into 1 Mbit/s", 4.3,
	 [](const Path &p) {
		 return p.link.rate <= 1'000'000 && is(p, "incast") && p.link.loss < 0.1;
	 }},
	// Likewise where less waits, or it waits for less long.
	{"1 Mbit/s, or a slow way back", 2.3,
	 [](const Path &p) { return p.link.rate <= 1'000'000 || p.variation == "slow_back"; }},
	{"5 Mbit/s", 1.85, [](const Path &p) { return p.link.rate <= 5'000'000; }},
	// Each client asks before it knows the path.
	{"incast over 100 ms", 1.4,
	 [](const Path &p) { return p.link.delay_ns >= 100 * ms && is(p, "incast"); }},
	// Windows that losses have made smaller than 16 KB: a grant for each.
	{"20 ms and more", 1.4, far},
	{"up to 100 Mbit/s", 1.15, [](const Path &p) { return p.link.rate <= 100'000'000; }},
};

const Class times[] = {
	{"a peer with fixed timers", 1.4, fixed_timers},
	// What waits for the neighbour is dropped but for a few packets: TCP has one there.
	{"a slow neighbour", 2.6, [](const Path &p) { return p.variation == "arp"; }},
	// Later requests drop the end of earlier ones.
	{"short RPCs through 10 packets of queue at 1 Mbit/s", 2.5,
	 [](const Path &p) {
		 return is(p, "small") && p.link.queue_packets == 10 && p.link.rate <= 1'000'000;
	 }},
	// The end of a message is dropped, of which nothing later tells, but in TCP's connection
	// there is a later message; and a window counts from the message's first byte on.
	{"20 ms and more, 10 packets of queue", 5.9,
	 [](const Path &p) { return far(p) && p.link.queue_packets == 10; }},
	{"20 ms and more, 100 packets of queue", 4.4,
	 [](const Path &p) { return far(p) && p.link.queue_packets == 100; }},
	{"20 ms and more, deep queues", 2.15, far},
	{"10 packets of queue", 11.5, [](const Path &p) { return p.link.queue_packets == 10; }},
	{"100 packets of queue", 13.5, [](const Path &p) { return p.link.queue_packets == 100; }},
	// Unscheduled bytes are lost together, and each client finds that out alone, after the
	// time that they take on a slow link, for nothing is known of this one.
	{"incast, deep queues", 3.3, [](const Path &p) { return is(p, "incast"); }},
	// The last response is lost, or the end of the last message: its client waits as on a
	// slow link, where TCP takes far less than a millisecond for all.
	{"six, deep queues", 11.5, [](const Path &p) { return is(p, "six"); }},
	{"clear, deep queues", 1.12, [](const Path &p) { return is(p, "clear"); }},
	{"one, deep queues", 1.25, [](const Path &p) { return is(p, "one"); }},
	// Each loss is found out about alone, and again where the answer is lost.
	{"short RPCs, 10 % lost", 1.6,
	 [](const Path &p) {
		 return is(p, "small") && (p.link.loss >= 0.1 || p.variation == "lossy_back");
	 }},
};

struct Worst {
	size_t paths = 0;
	size_t over = 0;
	double share = 0;
	std::string name;

	void add(const Path &path, double of)
	{
		paths++;
		over += of > 1;
		if (of > share) {
			share = of;
			name = path.name;
		}
	}
};

class NoCollapse : public testing::Test {
protected:
	static void SetUpTestSuite()
	{
		paths = matrix();
		for (const Path &path : variations())
			paths.push_back(path);
		results = run_all(paths);
	}

	// Each class's worst path is under its bound, and not so far that the bound says
	// nothing; and without the class the bound of all would be passed.
	static void held(std::span<const Class> classes, const auto &share)
	{
		std::vector<Worst> worst(classes.size() + 1);

		for (size_t i = 0; i < paths.size(); i++) {
			const auto in = std::ranges::find_if(
				classes, [&](const Class &one) { return one.has(paths[i]); });
			worst[static_cast<size_t>(in - classes.begin())].add(paths[i],
									     share(results[i]));
		}
		for (size_t i = 0; i <= classes.size(); i++) {
			const Class one =
				i < classes.size() ? classes[i] : Class{"all others", 1, nullptr};
			const Worst &w = worst[i];
			std::printf("%s: %zu paths, %zu over; at most %.2f of %.2f: %s\n", one.name,
				    w.paths, w.over, w.share, one.most, w.name.c_str());
			EXPECT_LE(w.share, one.most) << one.name << ": " << w.name;
			if (i == classes.size())
				break;
			EXPECT_GT(w.share, 1) << one.name << " needs no class";
			EXPECT_GT(w.share, 0.9 * one.most) << one.name << " is too wide";
		}
	}

	static inline std::vector<Path> paths;
	static inline std::vector<Result> results;
};

// Eight questions in a row may have no answer where half of them have none.
TEST_F(NoCollapse, all_end_and_nothing_is_broken)
{
	ASSERT_GE(paths.size(), 4000U);
	for (size_t i = 0; i < paths.size(); i++) {
		EXPECT_STREQ(results[i].broken, "") << paths[i].name;
		EXPECT_LE(results[i].failed, paths[i].link.loss < 0.3 ? 0U : 3U) << paths[i].name;
		EXPECT_GT(results[i].sdp_ns, 0U) << paths[i].name;
		EXPECT_NE(results[i].tcp_ns, ~0ULL) << paths[i].name;
	}
}

TEST_F(NoCollapse, bytes)
{
	held(bytes, [](const Result &result) { return result.bytes; });
}

TEST_F(NoCollapse, control_packets)
{
	held(control, [](const Result &result) { return result.control; });
}

TEST_F(NoCollapse, times_beside_tcp)
{
	held(times, [](const Result &result) { return result.time(); });
}

} // namespace
