// SPDX-License-Identifier: Apache-2.0
// Availability: against an injector who reads everything and stops nothing,
// every secure RPC ends with its true result in the time that loss alone
// allows, plus a constant for each byte injected; the memory and grants of
// other RPCs do not change; the work is linear in what is injected.
#include <gtest/gtest.h>

#include "sim_adversary.hpp"

using namespace sim;
using Way = Adversary::Way;

namespace {

constexpr u32 record = 16277;
constexpr u32 length = 61 * record;
// For each injected packet: events, records opened, packets sent by the hosts
// (a record's in authenticated form, question and answer), and for each byte,
// time.
constexpr u64 events_each = 40;
constexpr u64 opened_each = 4;
constexpr u64 packets_each = 40;
constexpr u64 ns_each_byte = 2 * us;
// Where packets are lost, what is asked for again may have to be asked for once
// more.
constexpr u64 ns_each_byte_lossy = 100 * us;

struct Work {
	std::string broken;
	u64 failed = 0;
	u64 evicted = 0; // messages, for want of memory
	u64 events = 0;
	u64 opened = 0;
	u64 packets = 0;
	u64 took_ns = 0; // the victim's longest RPC
	u64 charged = 0; // most memory of the server, for packets
	u64 injected_packets = 0;
	u64 injected_bytes = 0;
	// The other client's: grants, by RPC and time, and times of its RPCs.
	std::map<std::pair<u64, u64>, u32> grants;
	std::vector<u64> times;
};

struct Attack {
	Way way = Way::junk;
	double rate = 0; // injected packets for each seen; 0: none, unless the way is ahead
	bool none = false;
};

// Clients 1 and 2 send requests to host 0; the adversary knows packets of
// client 1.
Settings two_clients(Layer layer, LinkSettings link = lossy(0), u64 seed = 1)
{
	Settings settings;

	settings.hosts = 3;
	settings.seed = seed;
	settings.link = link;
	settings.link.jitter_ns = 0;
	settings.record = record;
	settings.layer = layer;
	return settings;
}

Work run(const Settings &settings, const Attack &attack)
{
	World world(settings);
	Adversary adversary(world, 0, 1, attack.way, attack.rate, settings.seed);
	Work work;
	auto see = std::exchange(world.tap, nullptr);

	world.tap = [&](const Packet &packet) {
		if (packet.type == PROG_PACKET_GRANT && packet.to == 2)
			work.grants[{packet.id, world.now()}] = packet.ev.offset;
		if (!attack.none)
			see(packet);
	};
	for (int i = 0; i < settings.hosts; i++)
		world.host(i).params.quantum = record;
	for (u64 i = 0; i < 3; i++)
		for (int client = 1; client <= 2; client++)
			world.at(world.now() + i * 40 * ms,
				 [&world, client] { world.request(client, 0, true, length, 100); });
	if (!attack.none)
		adversary.keep_on(100 * us, world.now() + 60 * ms);
	world.run(60 * second);
	work.broken = world.broken;
	work.failed = world.failed();
	work.evicted = world.count["evicted"];
	work.events = world.events;
	work.opened = world.count["opened"];
	work.packets = world.data_packets + world.control_packets;
	work.charged = world.host(0).most_charged;
	work.injected_packets = world.injected_packets;
	work.injected_bytes = world.injected_bytes;
	for (const auto &[key, outcome] : world.outcomes()) {
		const u64 took = outcome.done == 0 ? ~0ULL : outcome.done - outcome.sent;
		if (outcome.client == 2)
			work.times.push_back(took);
		else
			work.took_ns = std::max(work.took_ns, took);
	}
	return work;
}

// What broke of the property, or nothing.
std::string unavailable(const Work &calm, const Work &attacked, u64 each_byte = ns_each_byte)
{
	std::string what = attacked.broken;
	const auto beyond = [&](const char *name, u64 got, u64 most) {
		if (got > most)
			what += std::string(" ") + name + " " + std::to_string(got) + " over " +
				std::to_string(most);
	};
	const u64 n = attacked.injected_packets;

	beyond("failed", attacked.failed, calm.failed);
	beyond("evicted", attacked.evicted, calm.evicted);
	beyond("events", attacked.events, calm.events + events_each * n);
	beyond("opened", attacked.opened, calm.opened + opened_each * n);
	beyond("packets", attacked.packets, calm.packets + packets_each * n);
	beyond("time", attacked.took_ns, calm.took_ns + each_byte * attacked.injected_bytes);
	beyond("memory", attacked.charged, 2 * calm.charged + attacked.injected_bytes);
	return what;
}

// How far the grants of the other client lag behind those in calm.
u32 lag(const Work &calm, const Work &attacked)
{
	u32 most = 0;

	for (const auto &[when, offset] : calm.grants) {
		auto after = attacked.grants.upper_bound({when.first, when.second + 100 * us});
		u32 got = 0;
		if (after != attacked.grants.begin() && (--after)->first.first == when.first)
			got = after->second;
		most = std::max(most, offset - std::min(offset, got));
	}
	return most;
}

struct Case {
	const char *name;
	Attack attack;
	double loss = 0;
};

void PrintTo(const Case &c, std::ostream *out)
{
	*out << c.name;
}

class Availability : public testing::TestWithParam<Case> {};

TEST_P(Availability, secure_rpcs_end_with_their_true_result)
{
	const auto &[name, attack, loss] = GetParam();
	const u64 each_byte = loss > 0 ? ns_each_byte_lossy : ns_each_byte;

	for (u64 seed = 1; seed <= 2; seed++) {
		const Settings settings = two_clients({.memory = 8'000'000}, lossy(loss), seed);
		const Work calm = run(settings, {.none = true});
		const Work attacked = run(settings, attack);
		EXPECT_EQ(calm.broken, "");
		EXPECT_EQ(unavailable(calm, attacked, each_byte), "") << "seed " << seed;
		if (loss > 0)
			continue; // by chance
		EXPECT_LE(lag(calm, attacked), 3 * record) << "grants of another client";
		for (size_t i = 0; i < calm.times.size() && i < attacked.times.size(); i++)
			EXPECT_LE(attacked.times[i], calm.times[i] + 1 * ms) << "another client's";
	}
}

const Case cases[] = {
	{"tiny_pieces", {.way = Way::tiny_pieces}},
	{"byte_per_record", {.way = Way::byte_per_record}},
	{"little_junk", {.way = Way::junk, .rate = 0.02}},
	{"junk", {.way = Way::junk, .rate = 1}},
	{"much_junk", {.way = Way::junk, .rate = 10}},
	{"other_places", {.way = Way::other_places, .rate = 1}},
	{"old_packets", {.way = Way::old_packets, .rate = 5}},
	{"everything", {.way = Way::everything, .rate = 0.5}},
	{"everything_and_loss", {.way = Way::everything, .rate = 0.5}, 0.02},
	{"byte_per_record_and_loss", {.way = Way::byte_per_record}, 0.02},
};

INSTANTIATE_TEST_SUITE_P(Injected, Availability, testing::ValuesIn(cases),
			 [](const auto &info) { return std::string(info.param.name); });

// That the bounds are ones: record layers that open all from the start for each
// bad record, or keep a packet for each byte, do not hold them.

TEST(AvailabilityIsSeenBroken, by_opening_all_again_for_each_bad_record)
{
	const Layer layer{.one_pass = false, .remembers = false};
	const Settings settings = two_clients(layer);
	const Work calm = run(settings, {.none = true});
	const Work attacked = run(settings, {.way = Way::byte_per_record});

	EXPECT_EQ(attacked.failed, 0U);
	EXPECT_NE(unavailable(calm, attacked).find("opened"), std::string::npos)
		<< attacked.opened << " for " << attacked.injected_packets << " packets";
}

TEST(AvailabilityIsSeenBroken, by_a_packet_kept_for_each_byte)
{
	const Layer layer{.copies_small = false, .says_payload = false, .memory = 5'000'000};
	const Settings settings = two_clients(layer);
	const Work calm = run(settings, {.none = true});
	const Work attacked = run(settings, {.way = Way::tiny_pieces});

	EXPECT_NE(unavailable(calm, attacked), "") << attacked.charged;
}

} // namespace
