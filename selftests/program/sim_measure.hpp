// SPDX-License-Identifier: Apache-2.0
// What it takes to move messages over a path: bytes, packets, times; and TCP's
// time for the same on the same path.
#pragma once

#include "sim.hpp"

namespace sim {

// Hosts 1, 2, ... send requests to host 0.
struct Load {
	int clients = 1;
	int messages = 1; // of each client
	u32 length = 100;
	u32 response = 100;
	bool secure = true;
	u64 interval_ns = 0;     // between a client's messages; 0: all at once
	bool one_by_one = false; // each after the response to the one before
};

struct Figures {
	std::string broken;
	u64 rpcs = 0;
	u64 failed = 0;
	u64 needed = 0;     // bytes of messages
	u64 data_bytes = 0; // of messages, sent
	u64 data_packets = 0;
	u64 again_bytes = 0; // of them sent as retransmissions
	u64 control_packets = 0;
	u64 lost_packets = 0; // of both kinds, for whatever reason
	double loss = 0;      // share of DATA packets that did not arrive
	u64 shortest_ns = 0;  // an RPC
	u64 longest_ns = 0;
	u64 all_ns = 0; // from the first one's start to the last one's end
};

// Runs a world to the end of all its RPCs, or for @limit ns.
Figures measure(World &world, const Load &load, u64 limit);

// What TCP takes for all of it, ns; ~0: more than @limit.
u64 tcp_takes(const Settings &settings, const Load &load, u64 limit);

} // namespace sim
