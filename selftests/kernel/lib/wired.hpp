// SPDX-License-Identifier: Apache-2.0
// Two hosts whose link is this program: every packet between them can be lost,
// delayed, repeated, changed, kept or made up.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "bytes.hpp"
#include "net.hpp"
#include "packet.hpp"
#include "test.hpp"

namespace net {

enum class Way { to_b, to_a };

/// Hosts a (10.0.0.1, fd00::1) and b (10.0.0.2, fd00::2).
class Wired {
public:
	using Packet = Wire::Packet;
	/// Decides about a packet, in the thread of the link; what it wants to
	/// arrive it hands to pass(). Packets other than protocol 146 pass unseen,
	/// unless watch_udp() was called.
	using Hook = std::function<void(Way, Packet)>;

	/// Its thread belongs to the process that calls start(), which a constructor
	/// with @a running does at once.
	explicit Wired(unsigned mtu = 1500, bool running = true);
	~Wired();

	void start();

	/// From now on @a hook decides; none: everything passes. When this
	/// returns, the hook before it is not running any more.
	void set(Hook hook);
	/// Also hands UDP to the hook.
	void watch_udp() { udp_ = true; }
	/// Delivers a packet, from any thread.
	void pass(Way way, const Packet &packet) const;
	/// Lets no packet through and keeps them until open().
	void hold();
	/// Delivers what was kept, lets packets through again.
	void open();
	/// Packets of protocol 146 seen so far.
	[[nodiscard]] unsigned seen() const { return seen_; }

	Host a;
	Host b;

private:
	void run();
	void decide(Way way, Packet packet);

	Wire wire_a_;
	Wire wire_b_;
	std::mutex lock_;
	Hook hook_;
	bool holding_ = false;
	std::atomic<bool> udp_ = false;
	std::deque<std::pair<Way, Packet>> held_;
	std::atomic<unsigned> seen_ = 0;
	std::atomic<bool> stop_ = false;
	std::unique_ptr<test::Thread> thread_;
};

/// What a bad link does, in percent of the packets; the same for the same seed.
struct Mishaps {
	unsigned lose = 0;
	unsigned repeat = 0;
	unsigned reorder = 0;
	unsigned flip = 0;
	uint64_t seed = 1;
};

/// A hook that lets @a mishaps happen on @a link. A reordered packet arrives
/// after the next one or two; a flip changes one bit behind the IP header.
Wired::Hook bad_link(const Wired &link, Mishaps mishaps);

/// The Homa packet in an IP packet, and back: for changing fields. The length
/// of @a homa may differ from what was there.
Bytes homa_of(const Wired::Packet &packet);
void set_homa(Wired::Packet &packet, const Bytes &homa);

} // namespace net
