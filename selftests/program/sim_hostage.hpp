// SPDX-License-Identifier: Apache-2.0
// Peers that take grants and do not send, or as little as keeps what they took: they
// speak the protocol as far as that serves them.
#pragma once

#include <deque>

#include "sim.hpp"

namespace sim {

class Hostages {
public:
	enum class Way {
		silent,     // BUSY is all that is heard of them
		trickle,    // a byte of each message at a time
		packets,    // a packet of each message at a time
		rotate,     // a new message each time; old ones end
		gather,     // a new message each time; old ones stay
		stop_short, // all that is granted, but for the last byte
		late,       // all that is granted, after a long time
	};

	struct Settings {
		Way way = Way::silent;
		bool secure = true;
		int first = 2; // hosts that are theirs: this and all after it
		int peers = 1;
		u32 messages = 6; // of each peer at once
		u32 length = 180000;
		u32 announced = 100;    // bytes that are said to come without a grant
		u64 every_ns = 20 * ms; // between two actions
		u64 late_ns = 1 * second;
		u64 end = 0;
	};

	Hostages(World &world, const Settings &settings);

	u64 packets() const { return packets_; }

private:
	struct Message {
		int peer = 0;
		u64 id = 0;
		u32 granted = 0;
		u32 sent = 0;
	};

	bool ours(int host) const { return host >= settings_.first; }
	void begin(int peer);
	void heard(const Packet &packet);
	void send(Message &m, u32 until);
	void control(const Packet &packet, u32 type);
	void act();
	Message *find(int peer, u64 id);

	World &world_;
	Settings settings_;
	std::deque<Message> messages_;
	u64 next_ = 1001;
	int turn_ = 0;
	u64 packets_ = 0;
};

} // namespace sim
