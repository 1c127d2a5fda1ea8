// SPDX-License-Identifier: Apache-2.0
// Runs of the simulator: many messages, bad networks, fixed seeds.
#include <gtest/gtest.h>

#include "sim.hpp"

using namespace sim;

namespace {

// Every host sends requests to every other, of lengths around all boundaries.
void traffic(World &world, int requests, u64 within, u32 longest, double secure)
{
	std::mt19937_64 random(world.settings.seed * 7919);
	const int hosts = world.settings.hosts;
	auto length = [&]() -> u32 {
		switch (random() % 6) {
		case 0:
			return 1 + random() % 200;
		case 1:
			return world.settings.payload - 1 + random() % 3;
		case 2:
			return 40000 - 1 + random() % 3;
		case 3:
			return 1 + random() % 100000;
		default:
			return 1 + random() % longest;
		}
	};
	for (int i = 0; i < requests; i++) {
		const int from = static_cast<int>(random() % hosts);
		const int to = (from + 1 + static_cast<int>(random() % (hosts - 1))) % hosts;
		const bool mode = (random() % 1000) < secure * 1000;
		const u32 out = length();
		const u32 in = length();
		world.at(world.now() + random() % within, [&world, from, to, mode, out, in] {
			world.request(from, to, mode, out, in);
		});
	}
}

struct Case {
	const char *name;
	Settings settings;
	int requests;
	u32 longest;
	double secure;
	double may_fail; // share of requests
};

class Networks : public testing::TestWithParam<std::tuple<Case, u64>> {};

TEST_P(Networks, properties_hold)
{
	auto [param, seed] = GetParam();
	param.settings.seed = seed;
	World world(param.settings);
	traffic(world, param.requests, 20 * ms, param.longest, param.secure);
	/* A path that loses half of the packets each way takes its time. */
	world.run(3000000 * ms);
	EXPECT_EQ(world.broken, "");
	EXPECT_EQ(world.outcomes().size(), static_cast<size_t>(param.requests));
	EXPECT_LE(world.failed(), param.may_fail * param.requests);
	if (param.settings.link.loss == 0 && param.settings.link.late == 0 &&
	    param.settings.corrupt == 0 && param.settings.forge == 0) {
		// But for the first byte of a request that a server asks for as a proof.
		EXPECT_LE(world.retransmitted, param.settings.prove ? world.count["clear 18"] : 0);
	}
}

const Case cases[] = {
	{"quiet", {.hosts = 2}, 200, 300000, 0.5, 0},
	{"many_hosts", {.hosts = 12}, 400, 300000, 0.5, 0},
	{"loss", {.link = lossy(0.02, 0.02, 0.05)}, 300, 300000, 0.5, 0},
	{"heavy_loss", {.link = lossy(0.2, 0.1, 0.2)}, 150, 150000, 0.5, 0.02},
	{"dreadful_loss", {.link = lossy(0.5, 0.3, 0.3)}, 60, 60000, 0.5, 0.5},
	{"reorder", {.hosts = 3, .link = lossy(0, 0.2, 0.5, 4 * ms)}, 150, 200000, 0.5, 0},
	{"paced", {.hosts = 3, .link = lossy(0.02, 0, 0.05), .paced = true}, 200, 200000, 0.5, 0},
	{"corrupt", {.link = lossy(0.02, 0, 0.05), .corrupt = 0.02}, 150, 200000, 1, 0},
	{"corrupt_much", {.link = lossy(0, 0, 0.05), .corrupt = 0.5}, 60, 200000, 1, 0},
	{"slow_service", {.link = lossy(0.05, 0.05, 0.05), .slow = 7}, 100, 100000, 0.5, 0.02},
	{"proving", {.hosts = 4, .prove = true}, 200, 300000, 0.3, 0},
	{"proving_loss",
	 {.hosts = 3, .link = lossy(0.1, 0.05, 0.1), .prove = true},
	 200,
	 100000,
	 0.3,
	 0.02},
	{"proving_forged",
	 {.hosts = 3, .link = lossy(0.02, 0, 0.1), .forge = 0.3, .prove = true},
	 200,
	 200000,
	 0.3,
	 1},
	{"forged", {.hosts = 3, .link = lossy(0.02, 0, 0.1), .forge = 0.1}, 200, 200000, 0.3, 1},
	{"forged_much",
	 {.hosts = 3, .link = lossy(0.05, 0, 0.1), .forge = 0.9, .paced = true},
	 100,
	 100000,
	 0.3,
	 1},
};

INSTANTIATE_TEST_SUITE_P(Properties, Networks,
			 testing::Combine(testing::ValuesIn(cases), testing::Range<u64>(1, 5)),
			 [](const auto &info) {
				 return std::string(std::get<0>(info.param).name) + "_" +
					std::to_string(std::get<1>(info.param));
			 });

} // namespace
