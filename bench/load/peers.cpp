// SPDX-License-Identifier: Apache-2.0
// Many clients of one server, each a peer with an address, a socket and a connection or
// session of its own, one RPC at a time: what an RPC, a session and its memory cost.
#include "modes.hpp"

#include <algorithm>

namespace bench {
namespace {

double nanoseconds_since(clock::time_point start)
{
	return std::chrono::duration<double, std::nano>(clock::now() - start).count();
}

void measure(const setting &all, const peers_mode &what, const transport &kind, std::uint32_t peers)
{
	const place where{"peers", kind.name, what.size, 1, all.label + std::to_string(peers)};
	plan made = make_plan(all, what.size, peers);
	made.peers = true;
	const auto memory = static_cast<double>(kernel_memory());
	const auto start = clock::now();
	const connection with(all, kind, made);
	report(where, "setup", nanoseconds_since(start) / peers);
	report(where, "memory", (static_cast<double>(kernel_memory()) - memory) / peers);

	std::uint32_t lane = 0;
	const auto run = [&](std::size_t count) {
		for (std::size_t i = 0; i < count; ++i) {
			with.to().request(lane, 0, what.size, what.size);
			with.to().next({}).value();
			lane = (lane + 1) % peers;
		}
	};
	// Each peer twice: with the second request goes what the first one left to be said.
	run(2UL * peers);
	const std::size_t count = std::max<std::size_t>(peers, 1000);
	const auto first = clock::now();
	run(count);
	report(where, "ns", nanoseconds_since(first) / static_cast<double>(count));
}

} // namespace

bool run(const setting &all, const peers_mode &what)
{
	bool fine = true;
	for (const std::uint32_t peers : what.peers) {
		fine = each_transport(all, "peers",
				      [&](const transport &kind) {
					      if (kind.many) {
						      measure(all, what, kind, peers);
					      }
				      }) &&
		       fine;
	}
	return fine;
}

} // namespace bench
