// SPDX-License-Identifier: Apache-2.0
// Many RPCs at once, each checked to the last byte.
#pragma once

#include <cstdint>
#include <functional>

#include "plain_socket.hpp"

namespace soak {

struct Load {
	unsigned rpcs = 100;
	/// Requests that are open at a time.
	unsigned outstanding = 20;
	/// Lengths: one in four RPCs up to @a largest, the others up to @a usual.
	uint32_t usual = 3000;
	uint32_t largest = 60000;
	uint64_t seed = 1;
	/// RPCs that may fail; none by default.
	unsigned failures = 0;
	/// Called when a tenth, two tenths, ... of the RPCs are done.
	std::function<void(unsigned tenth)> tenth;
};

struct Outcome {
	unsigned answered = 0;
	unsigned failed = 0;
};

/// Answers each request with a pattern that its first bytes ask for, until the
/// socket is shut down. For a test::Thread.
void serve(const PlainSocket &server);

/// Sends @a load to such a server; throws if bytes differ, a response comes
/// twice or does not come, or more than load.failures RPCs fail.
Outcome run(const PlainSocket &client, const net::Address &to, const Load &load);

/// serve() in a thread beside run().
Outcome both(const PlainSocket &client, const PlainSocket &server, const net::Address &to,
	     const Load &load);

} // namespace soak
