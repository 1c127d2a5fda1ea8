// SPDX-License-Identifier: Apache-2.0
// A peer with fixed timers, as Homa's kernel module is: clear mode, ticks of 1
// ms, a question after 5 of them without a packet and every 5 after that
// whatever became of the one before, dead after 100. It answers each RESEND at
// once.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "sim.hpp"

namespace sim {

class FixedPeer {
public:
	// The world around it.
	struct Around {
		Clock &clock;
		std::function<void(Packet)> send;
		std::function<void(u64 id, int error)> ended; // a request of its own
		std::function<u32(int peer, u64 id)> response_length;
		u64 service_ns;
	};

	FixedPeer(int number, u32 payload, Around around)
		: number_(number), payload_(payload), around_(std::move(around))
	{
	}

	void request(int to, u64 id, u32 length);
	void arrive(const Packet &packet);
	bool live() const { return !calls_.empty(); }

private:
	enum State : u8 { outgoing, incoming, service };
	using Name = std::pair<int, u64>; // peer, id as this host sees it

	struct Call {
		State state = outgoing;
		u32 out_length = 0;
		u32 out_granted = 0;
		u32 out_sent = 0;
		std::vector<u8> here; // 1: byte is here
		u32 in_got = 0;
		u32 in_end = 0;
		u32 in_granted = 0;
		u32 silent = 0; // ticks
		u32 waits = 0;  // ticks for an acknowledgement
	};

	static bool serves(const Name &name) { return (name.second & 1) != 0; }
	Packet packet(const Name &name, u32 type) const;
	void control(const Name &name, u32 type, u32 offset = 0, u32 length = 0);
	void transmit(const Name &name, const Call &call, u32 start, u32 end, bool again);
	void send_granted(const Name &name, Call &call);
	void data(const Name &name, const Packet &packet);
	void whole(const Name &name, Call &call);
	void respond(const Name &name);
	void grant(const Name &name, Call &call);
	void asked(const Name &name, Call &call, const Packet &packet);
	void start_over(const Name &name, Call &call);
	void forget(const Name &name, int error);
	void arm();
	void tick();
	bool tick_of(const Name &name, Call &call);
	void ask(const Name &name, const Call &call);

	int number_;
	u32 payload_;
	Around around_;
	std::map<Name, Call> calls_;
	bool ticking_ = false;
};

} // namespace sim
