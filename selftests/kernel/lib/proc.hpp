// SPDX-License-Identifier: Apache-2.0
// What the module tells in /proc/net/sdp, and what the kernel tells of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "net.hpp"

namespace proc {

/// /proc/net/sdp/counters of a namespace.
class Counters {
public:
	/// Reads them now; the namespace must outlive this.
	explicit Counters(const net::Netns &ns);

	/// How far @a name has moved since then; throws if there is no such counter.
	[[nodiscard]] uint64_t moved(const std::string &name) const;
	/// Those that moved, as "name +3" lines: for messages.
	[[nodiscard]] std::string all_moved() const;
	[[nodiscard]] static std::map<std::string, uint64_t> read(const net::Netns &ns);

private:
	const net::Netns *ns_;
	std::map<std::string, uint64_t> before_;
};

/// Lines of /proc/net/sdp/@a name (sockets, rpcs, sessions) without the header.
std::vector<std::string> lines(const net::Netns &ns, const std::string &name);

/// Objects in use in the kernel's caches whose name starts with @a prefix.
std::map<std::string, long> slabs(const std::string &prefix);

/// Columns of /proc/net/protocols for the module's protocols: sockets, and
/// pages of memory charged.
struct Charged {
	long sockets = 0;
	long pages = 0;
};
Charged charged(const net::Netns &ns);

} // namespace proc
