// SPDX-License-Identifier: Apache-2.0
// The simulator, one situation at a time.
#include <gtest/gtest.h>

#include "sim.hpp"

using namespace sim;

namespace {

class Scenario : public testing::Test {
protected:
	static const Outcome &outcome(const World &world, int client, bool secure, u64 id)
	{
		return world.outcomes().at(Key{client, secure, id});
	}

	static void flood(World &world, int from, int to, bool secure, int requests, u32 length)
	{
		for (int i = 0; i < requests; i++)
			world.request(from, to, secure, length, 100);
	}
};

TEST_F(Scenario, a_request_of_one_packet_takes_two_packets)
{
	for (const bool secure : {false, true}) {
		World world({});
		world.host(0).peers[{1, secure}].cutoff_version = 1;
		world.host(1).peers[{0, secure}].cutoff_version = 1;
		world.request(0, 1, secure, 100, 100);
		world.run_until(world.now() + 1 * ms);
		EXPECT_EQ(world.count[std::string(secure ? "secure " : "clear ") + "16"], 2U);
		EXPECT_EQ(world.count["TIMEOUT"], 0U);
		EXPECT_EQ(world.failed(), 0U);
		world.run(1000 * ms);
		EXPECT_EQ(world.broken, "");
	}
}

TEST_F(Scenario, first_contact_takes_a_round_trip_more)
{
	World world({.prove = true});
	for (const u64 asked : {1, 1, 1}) {
		world.request(0, 1, false, 100, 300000);
		world.run_until(world.now() + 5 * ms);
		EXPECT_EQ(world.count["clear 18"], asked) << "RESEND";
	}
	world.run(world.now() + 5000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_EQ(world.retransmitted, 1U) << "the request's first byte";
}

TEST_F(Scenario, a_short_first_response_does_not_wait)
{
	World world({.prove = true});
	world.request(0, 1, false, 64, 64);
	world.run_until(world.now() + 2 * ms);
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_EQ(world.count["clear 16"], 2U);
	EXPECT_EQ(world.count["clear 18"], 0U);
	world.run(world.now() + 5000 * ms);
	EXPECT_EQ(world.broken, "");
}

TEST_F(Scenario, what_shows_the_address_may_be_lost)
{
	for (const u32 lost : {0x15U, 0x12U, type_data}) {
		World world({.prove = true});
		int left = 3;
		world.swallow = [&](const Packet &packet) {
			const bool first = packet.type != type_data || packet.again;
			return packet.type == lost && first && left-- > 0;
		};
		world.request(0, 1, false, 100, 300000);
		world.run(10000 * ms);
		EXPECT_EQ(world.broken, "") << lost;
		EXPECT_EQ(world.failed(), 0U) << lost;
		EXPECT_LE(left, 0);
	}
}

// Host 2 hears nothing: what goes there in its name is a forger's doing.
TEST_F(Scenario, a_forger_gets_little_sent_to_its_victim)
{
	for (const bool prove : {false, true}) {
		World world({.hosts = 3, .prove = prove});
		u64 came = 0;
		u64 went = 0;
		world.tap = [&](const Packet &packet) {
			came += packet.from == 2 ? bytes_of(packet) : 0;
			went += packet.to == 2 ? bytes_of(packet) : 0;
		};
		world.swallow = [](const Packet &packet) { return packet.to == 2; };
		const u64 id = world.request(2, 1, false, 100, 1000000);
		for (int i = 0; i < 50; i++) {
			Packet packet;
			packet.from = 2;
			packet.to = 1;
			packet.id = id | 1;
			packet.type = i % 2 != 0 ? PROG_PACKET_GRANT : PROG_PACKET_RESEND;
			packet.ev.offset = i % 2 != 0 ? 1000000 : 0;
			packet.ev.length = i % 2 != 0 ? 0 : 1000000;
			came += bytes_of(packet);
			world.at(world.now() + static_cast<u64>(i + 1) * 10 * ms,
				 [&world, packet] { world.inject(packet); });
		}
		world.run_until(world.now() + 2000 * ms);
		EXPECT_EQ(world.broken, "");
		if (prove)
			EXPECT_LE(went, 3 * came);
		else
			EXPECT_GT(went, 1000 * came);
	}
}

TEST_F(Scenario, acknowledgements_ride_in_the_next_request)
{
	World world({});
	for (int i = 0; i < 100; i++)
		world.at(world.now() + i * 100 * us,
			 [&world] { world.request(0, 1, false, 100, 100); });
	world.run(2500 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.count["TAKE_ACKS"], 99U);
	EXPECT_EQ(world.count["clear 24"], 1U) << "the last one alone is asked for";
}

// From many clients each comes back after a while only. While there is memory, that
// is early enough: nothing is asked for, but of each the last one.
TEST_F(Scenario, acknowledgements_of_many_clients_cost_nothing)
{
	constexpr int clients = 20;
	World world({.hosts = clients + 1});
	for (int i = 0; i < 100 * clients; i++)
		world.at(world.now() + i * 1000 * us, [&world, from = i % clients] {
			world.request(from, clients, false, 100, 100);
		});
	world.run(5000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_EQ(world.count["clear 23"], static_cast<u64>(clients)) << "NEED_ACK";
	EXPECT_EQ(world.count["clear 24"], static_cast<u64>(clients)) << "ACK";
}

TEST_F(Scenario, a_dead_server)
{
	World world({});
	flood(world, 0, 1, false, 10, 100);
	flood(world, 0, 1, true, 10, 100000);
	world.unplug(1);
	const u64 start = world.now();
	for (auto &rpc : world.host(1).rpcs)
		rpc.second->ended = true;
	world.host(1).rpcs.clear();
	world.run(10000 * ms);
	EXPECT_EQ(world.broken, "");
	for (const auto &[key, outcome] : world.outcomes()) {
		EXPECT_EQ(outcome.error, PROG_ETIMEDOUT);
		EXPECT_GE(outcome.done - start, 3000 * ms);
		EXPECT_LE(outcome.done - start, 5000 * ms);
	}
}

TEST_F(Scenario, thousands_of_requests_to_a_dead_server_fail_in_time)
{
	World world({});
	world.unplug(1);
	flood(world, 0, 1, false, 2000, 100);
	const u64 start = world.now();
	world.run(10000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 2000U);
	EXPECT_LE(world.now() - start, 6000 * ms);
}

TEST_F(Scenario, a_dead_client)
{
	World world({});
	flood(world, 0, 1, false, 10, 100);
	flood(world, 0, 1, true, 10, 300000);
	world.at(world.now() + 100 * us, [&world] {
		world.unplug(0);
		for (auto &rpc : world.host(0).rpcs)
			rpc.second->ended = true;
		world.host(0).rpcs.clear();
	});
	world.run(20000 * ms);
	EXPECT_EQ(world.broken, "");
}

TEST_F(Scenario, a_server_that_restarts)
{
	for (u64 when = 20; when < 2000; when += 90) {
		World world({.link = lossy(0.02)});
		flood(world, 0, 1, false, 10, 100);
		flood(world, 0, 1, false, 5, 200000);
		flood(world, 0, 1, true, 5, 200000);
		world.at(world.now() + when * us, [&world] { world.restart(1); });
		world.run(20000 * ms);
		EXPECT_EQ(world.broken, "") << when;
	}
}

TEST_F(Scenario, a_client_that_restarts_is_heard)
{
	World world({});
	for (int i = 0; i < 5000; i++)
		world.at(world.now() + i * 20 * us,
			 [&world] { world.request(0, 1, false, 100, 100); });
	world.run(10000 * ms);
	EXPECT_EQ(world.failed(), 0U);
	world.at(world.now() + 10 * us, [&world] { world.restart(0); });
	world.at(world.now() + 20 * us, [&world] { world.request(0, 1, false, 100, 100); });
	world.run(10000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_EQ(outcome(world, 0, false, 2 | 1ULL << 30 | 1ULL << 40).error, 0);
}

TEST_F(Scenario, aborted_requests_leave_nothing_at_the_server)
{
	for (u64 when = 0; when < 2000; when += 90) {
		World world({});
		std::vector<u64> ids;
		ids.reserve(6);
		for (int i = 0; i < 6; i++)
			ids.push_back(world.request(0, 1, i % 2 != 0, 200000, 200000));
		world.at(world.now() + when * us, [&] {
			for (size_t i = 0; i < ids.size(); i++)
				world.abort(0, 1, i % 2 != 0, ids[i], i < 3 ? 0 : 4);
		});
		world.run(20000 * ms);
		EXPECT_EQ(world.broken, "") << when;
	}
}

TEST_F(Scenario, shortest_first)
{
	World world({.hosts = 3});
	world.host(2).params.overcommit = 1;
	world.request(0, 2, false, 900000, 100);
	world.at(world.now() + 50 * us, [&world] { world.request(1, 2, false, 200000, 100); });
	world.run(2500 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_LT(outcome(world, 1, false, 2).done, outcome(world, 0, false, 2).done);
}

// A long message among short ones that never cease, with and without its share.
TEST_F(Scenario, the_oldest_does_not_starve)
{
	u64 took[2]{};
	for (const u32 share : {0U, 100U}) {
		World world({.hosts = 3});
		world.host(2).params.overcommit = 1;
		world.host(2).params.fifo_share = share;
		world.request(0, 2, false, 900000, 100);
		for (int i = 0; i < 300; i++)
			world.at(world.now() + i * 60 * us,
				 [&world] { world.request(1, 2, false, 300000, 100); });
		world.run_until(world.now() + 18 * ms);
		const Outcome &oldest = outcome(world, 0, false, 2);
		took[share != 0 ? 1 : 0] = oldest.done != 0 ? oldest.done - oldest.sent : ~0ULL;
		world.run(5000 * ms);
		EXPECT_EQ(world.broken, "");
	}
	EXPECT_EQ(took[0], ~0ULL);
	EXPECT_LT(took[1], 18 * ms);
}

// Clear messages that are granted everything they ask for and never come.
TEST_F(Scenario, clear_hoarders_do_not_hinder_secure)
{
	u64 took[2]{};
	for (const int hoarders : {0, 30}) {
		World world({.hosts = 33});
		for (int i = 2; i < 2 + hoarders; i++) {
			flood(world, i, 0, false, 2, 900000);
			world.at(world.now() + 15 * us, [&world, i] { world.unplug(i); });
		}
		world.run_until(world.now() + 500 * us);
		const u64 id = world.request(1, 0, true, 900000, 100);
		world.run_until(world.now() + 60 * ms);
		const Outcome &secure = outcome(world, 1, true, id);
		ASSERT_NE(secure.done, 0U);
		took[hoarders != 0 ? 1 : 0] = secure.done - secure.sent;
		// Each may have had a quantum beyond that, and has let it lapse.
		const prog_params &params = world.host(0).params;
		EXPECT_LE(world.host(0).ctx.held[0] + world.host(0).ctx.held[1],
			  params.max_incoming * 3 / 2 + hoarders * params.quantum);
		EXPECT_EQ(world.broken, "");
	}
	EXPECT_LT(took[1], 3 * took[0]);
}

TEST_F(Scenario, many_waiting_messages_all_get_their_turn)
{
	World world({.hosts = 20});
	world.host(0).params.max_incoming = 130000;
	for (int i = 1; i < 20; i++)
		flood(world, i, 0, i % 2 != 0, 10, 150000);
	world.run(2000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_EQ(world.host(0).ctx.held[0] + world.host(0).ctx.held[1], 0U);
}

TEST_F(Scenario, grants_in_quanta)
{
	World world({.hosts = 4, .link = lossy(0.05)});
	for (int i = 0; i < 4; i++) {
		world.host(i).params.quantum = 16277;
		world.host(i).params.max_incoming = 3 * 16277;
	}
	for (int i = 1; i < 4; i++)
		flood(world, i, 0, true, 5, 300001);
	world.run(5000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
}

TEST_F(Scenario, hosts_with_other_settings)
{
	for (const u32 unsched : {0U, 1U, 1400U, 99999U}) {
		World world({.link = lossy(0.02, 0, 0.1)});
		world.host(0).params.unsched_bytes = unsched;
		world.host(1).params.window = 3000;
		for (const u32 length : {1U, 1400U, 40001U, 200000U})
			flood(world, 0, 1, false, 3, length);
		world.run(5000 * ms);
		EXPECT_EQ(world.broken, "") << unsched;
		EXPECT_EQ(world.failed(), 0U) << unsched;
	}
}

// Questions overtake requests on a path that reorders, and RPC_UNKNOWN, which answers them,
// is overtaken by the response in turn.
TEST_F(Scenario, a_late_answer_ends_no_rpc)
{
	for (u64 seed = 1; seed <= 20; seed++)
		for (const bool secure : {false, true}) {
			World world({.seed = seed,
				     .link = {.rate = 1'000'000'000,
					      .delay_ns = 10 * ms,
					      .jitter_ns = 20 * ms}});
			for (int i = 0; i < 20; i++)
				world.at(i * ms, [&world, secure] {
					world.request(1, 0, secure, 1000, 20000);
				});
			world.run(600000 * ms);
			EXPECT_EQ(world.broken, "") << seed;
			EXPECT_EQ(world.failed(), 0U) << seed;
			EXPECT_EQ(world.outcomes().size(), 20U) << seed;
		}
}

TEST_F(Scenario, a_peer_that_sends_more_unasked_than_is_taken)
{
	World world({.hosts = 3});
	world.host(0).params.overcommit = 1;
	for (int i = 1; i < 3; i++)
		world.host(i).params.unsched_bytes = 600000;
	world.request(1, 0, false, 290000, 100);
	world.request(2, 0, false, 590000, 100);
	world.run(5000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.failed(), 0U);
	EXPECT_GT(world.count["drop UNGRANTED"], 0U);
}

} // namespace
