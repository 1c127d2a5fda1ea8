// SPDX-License-Identifier: Apache-2.0
// The simulator's network: each host has a device towards the network and a
// last link from it, both with rate, queue, delay and faults. What crosses them
// are packets of so many bytes; who sends them (SDP, TCP, an injector) is not
// known here.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <random>

#include "sim_clock.hpp"

namespace sim {

// Bytes on the wire that no packet counts: preamble, Ethernet header, checksum,
// gap.
constexpr u32 framing = 38;

// One direction of a link. Bytes are those of IP packets.
struct LinkSettings {
	u64 rate = 0; // bit/s; 0: no limit
	u64 delay_ns = 0;
	u64 jitter_ns = 0;
	u32 queue_packets = 0; // 0: no limit
	u64 queue_bytes = 0;   // 0: no limit
	bool priorities = true;
	double loss = 0;
	double repeat = 0;
	double late = 0; // packets that take up to late_ns longer
	u64 late_ns = 1 * ms;
	double early = 0;    // packets that take no time, and overtake all on their way
	u32 hole = 0;        // longer packets vanish; 0: none do
	u64 police_rate = 0; // bit/s; what is above it vanishes
	u64 police_burst = 0;
	u64 arp_ns = 0; // the first packet to each host waits so long, those before
			// it are dropped
};

enum class Fate { sent, lost, overflow, hole, policed, unresolved, repeated, fates };

// What became of packets, control and DATA.
struct Account {
	std::array<std::array<u64, static_cast<size_t>(Fate::fates)>, 2> packets{};

	void note(bool data, Fate fate) { packets[data ? 1 : 0][static_cast<size_t>(fate)]++; }
	u64 of(bool data, Fate fate) const
	{
		return packets[data ? 1 : 0][static_cast<size_t>(fate)];
	}
	// Packets that did not arrive.
	u64 gone(bool data) const;
	// Their share of those sent.
	double loss(bool data) const;
};

// A packet on its way.
struct Unit {
	u32 bytes = 0;
	u32 prio = 0; // 0 (lowest) to 7
	bool data = false;
	std::function<void()> arrive;
};

class Link {
public:
	Link(const LinkSettings &s, Clock &clock, std::mt19937_64 &random, Account &account)
		: settings(s),
		  clock_(clock),
		  random_(random),
		  account_(account),
		  tokens_(s.police_burst)
	{
	}

	void send(Unit unit);
	// Time that what waits will take.
	u64 backlog_ns() const;
	u64 most_queued() const { return most_; } // packets

	LinkSettings settings;

private:
	bool chance(double p);
	bool policed(const Unit &unit);
	u64 time_ps(u64 bytes) const;
	void start();
	void leave(Unit unit);

	Clock &clock_;
	std::mt19937_64 &random_;
	Account &account_;
	std::array<std::deque<Unit>, 8> queue_;
	u64 packets_ = 0;
	u64 bytes_ = 0;
	u64 most_ = 0;
	u64 idle_ps_ = 0; // when the packet that is being sent has left
	bool busy_ = false;
	double tokens_ = 0;
	u64 tokens_at_ = 0;
};

class Network {
public:
	// @link: last link of host 0; @back: of the others.
	Network(int hosts, const LinkSettings &nic, const LinkSettings &link,
		const LinkSettings &back, Clock &clock, u64 seed);

	void send(int from, int to, Unit unit);
	// By somebody on the last link.
	void inject(int to, Unit unit) { down(to).send(std::move(unit)); }
	Link &up(int host) { return up_[static_cast<size_t>(host)]; }
	Link &down(int host) { return down_[static_cast<size_t>(host)]; }

	Account account;

private:
	struct Neighbour {
		bool resolved = false;
		bool asked = false;
		std::deque<Unit> held;
	};

	void pass(int from, int to, Unit unit);

	Clock &clock_;
	std::mt19937_64 random_;
	std::deque<Link> up_;
	std::deque<Link> down_;
	std::map<std::pair<int, int>, Neighbour> neighbours_;
};

} // namespace sim
