// SPDX-License-Identifier: Apache-2.0
// Isolation of what may be granted: whatever a peer does that takes grants and does not
// send, or clear ones beside a secure one, an honest message ends in a small multiple of
// the time that it takes alone, at any time while they go on.
#include <gtest/gtest.h>

#include "sim_hostage.hpp"

using namespace sim;
using Way = Hostages::Way;

namespace {

constexpr u32 record = 16277;
constexpr u32 quantum = 16384;

struct Case {
	const char *name;
	Hostages::Settings hostages;
	bool secure = true; // the victim
	u64 each_ns = 0;    // that it may take beside for each quantum
};

void PrintTo(const Case &c, std::ostream *out)
{
	*out << c.name;
}

Settings network(int hosts)
{
	Settings settings;

	settings.hosts = hosts;
	settings.link = lossy(0);
	settings.record = record;
	return settings;
}

// The longest of several messages, one after the other, while the hostages are held.
u64 takes(const Case &c, bool alone, u32 length)
{
	constexpr u64 first = 400 * ms;
	const u64 between = 257 * ms + 40 * c.each_ns;
	World world(network(c.hostages.first + c.hostages.peers));
	Hostages::Settings settings = c.hostages;
	std::unique_ptr<Hostages> hostages;

	for (int i = 0; i < 2; i++)
		world.host(i).params.quantum = quantum;
	settings.end = world.now() + first + 4 * between;
	if (!alone)
		hostages = std::make_unique<Hostages>(world, settings);
	for (u64 i = 0; i < 4; i++)
		world.at(world.now() + first + i * between,
			 [&] { world.request(1, 0, c.secure, length, 100); });
	world.run_until(settings.end);
	EXPECT_EQ(world.broken, "");
	u64 most = 0;
	for (const auto &[key, outcome] : world.outcomes())
		most = std::max(most, outcome.done == 0 ? ~0ULL : outcome.done - outcome.sent);
	return most;
}

class HostageTakers : public testing::TestWithParam<Case> {};

TEST_P(HostageTakers, hold_nobody_up)
{
	for (const u32 length : {200000U, 900000U}) {
		const u64 alone = takes(GetParam(), true, length);
		const u64 took = takes(GetParam(), false, length);
		const u64 beside = GetParam().each_ns * (length / quantum + 1);
		EXPECT_LE(took, 6 * alone + beside) << length << " alone " << alone / us << " us";
	}
}

std::vector<Case> cases()
{
	static const struct {
		const char *name;
		Hostages::Settings hostages;
		u64 each_ns = 0;
	} ways[] = {
		{"silent", {.way = Way::silent}},
		{"silent_granted_whole", {.way = Way::silent, .length = 99800}},
		{"silent_of_many", {.way = Way::silent, .peers = 20, .messages = 4}},
		{"silent_of_many_granted_whole",
		 {.way = Way::silent, .peers = 20, .messages = 4, .length = 99800}},
		{"trickle", {.way = Way::trickle, .every_ns = 4 * ms}},
		{"trickle_of_many",
		 {.way = Way::trickle, .peers = 20, .messages = 3, .every_ns = 4 * ms}},
		{"packets", {.way = Way::packets, .length = 800000, .every_ns = 4 * ms}},
		{"packets_of_many",
		 {.way = Way::packets,
		  .peers = 20,
		  .messages = 3,
		  .length = 800000,
		  .every_ns = 4 * ms}},
		{"rotate", {.way = Way::rotate}},
		{"rotate_fast", {.way = Way::rotate, .every_ns = 1 * ms}},
		{"rotate_of_many", {.way = Way::rotate, .peers = 40, .messages = 1}},
		{"rotate_fast_of_many",
		 {.way = Way::rotate, .peers = 40, .messages = 1, .every_ns = 500 * us}},
		{"rotate_announced",
		 {.way = Way::rotate, .length = 114100, .announced = 114000, .every_ns = 1 * ms}},
		{"rotate_announced_of_many",
		 {.way = Way::rotate,
		  .peers = 10,
		  .messages = 1,
		  .length = 114100,
		  .announced = 114000,
		  .every_ns = 1 * ms}},
		{"gather", {.way = Way::gather}},
		{"gather_of_many", {.way = Way::gather, .peers = 300}},
		{"stop_short", {.way = Way::stop_short}},
		{"stop_short_granted_whole", {.way = Way::stop_short, .length = 99800}},
		{"stop_short_of_many", {.way = Way::stop_short, .peers = 20}},
		{"late", {.way = Way::late}},
		{"late_of_many", {.way = Way::late, .peers = 20}},
		{"late_of_many_soon",
		 {.way = Way::late, .peers = 20, .length = 300000, .late_ns = 80 * ms}},
		// These send all that they are granted, but late: it has the least that anybody
		// has, a quantum in resend_ns.
		{"late_of_many_just_in_time",
		 {.way = Way::late,
		  .peers = 40,
		  .messages = 3,
		  .length = 300000,
		  .late_ns = 4 * ms},
		 6 * ms},
		{"silent_of_very_many", {.way = Way::silent, .peers = 100, .messages = 1}},
	};
	std::vector<Case> all;

	for (const auto &way : ways)
		for (int kind = 0; kind < 3; kind++) {
			// Clear peers may be as many as addresses can be forged.
			if (way.hostages.peers > 1 && kind == 0)
				continue;
			Case c{way.name, way.hostages, kind != 0, way.each_ns};
			c.hostages.secure = kind == 2;
			all.push_back(c);
		}
	return all;
}

INSTANTIATE_TEST_SUITE_P(Grants, HostageTakers, testing::ValuesIn(cases()), [](const auto &info) {
	const Case &c = info.param;
	return std::string(c.name) + (c.hostages.secure ? "_secure" : "_clear") + "_beside_" +
	       (c.secure ? "secure" : "clear");
});

} // namespace
