// SPDX-License-Identifier: Apache-2.0
// Paths and what is sent over them: the matrix, and its variations; and what came of
// it beside the bounds.
#pragma once

#include <span>

#include "sim_measure.hpp"

namespace sim {

constexpr u32 path_record = 16277;

struct Queue {
	u32 packets;
	u64 bytes;
};

struct Path {
	std::string name;
	std::string load_name;
	std::string variation;
	LinkSettings link;
	std::optional<LinkSettings> back;
	u64 arp_ns = 0;
	int fixed = -1;
	Load load;
};

Path path_of(u64 rate, u64 delay_ns, Queue queue, double loss, const char *what, const Load &load);
Settings settings_of(const Path &path, u64 seed);

// Every rate, delay, queue, loss and load.
std::vector<Path> matrix();
// Links that differ in their directions, queues without priorities, neighbours that are
// slow to resolve, peers with fixed timers.
std::vector<Path> variations();

// Of all seeds of a path: the sum of times, the most of all else.
struct Result {
	u64 sdp_ns;
	u64 tcp_ns; // ~0: more than the limit
	u64 runs;
	double bytes;   // payload sent, of what it may be
	double control; // control packets, likewise
	u64 failed;
	char broken[64];

	// Of 1.3 times TCP's time, and 5 ms of silence (resend_us) a run: TCP waits for 200 ms
	// where that shows a loss.
	double time() const
	{
		return static_cast<double>(sdp_ns) /
		       (1.3 * static_cast<double>(tcp_ns) + static_cast<double>(runs * 5 * ms));
	}
};

// Payload sent at most 1.2 times what is needed, 3 p more where p is lost; 4 control
// packets per RPC, one per 16 KB, two per packet lost: the shares of that.
double share_of_bytes(const Figures &f);
double share_of_control(const Figures &f);

// Runs them all, on all processors.
std::vector<Result> run_all(const std::vector<Path> &paths);

} // namespace sim
