// SPDX-License-Identifier: Apache-2.0
// A Homa host in user space, at the far end of a wire: client and server sides
// of the protocol as a program would write them from the description of the
// wire, in no hurry and without a clock of its own.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "net.hpp"
#include "packet.hpp"

class HomaPeer {
public:
	/// A packet of the host's that came over the wire.
	struct Seen {
		packet::Datagram ip;
		packet::Parsed homa;
	};

	/// At @a self (address and port), talking to @a host.
	HomaPeer(const net::Wire &wire, net::Address self, net::Address host);

	/// Sends a Homa packet.
	void send(const Bytes &homa, uint8_t traffic_class = 0) const;
	/// The next packet for this peer; none after @a milliseconds.
	[[nodiscard]] std::optional<Seen> next(int milliseconds = 40000) const;
	/// The next packet of @a type; packets of types in @a passing, and what timers
	/// send, may come before it, anything else fails the case.
	Seen expect(packet::Type type, std::vector<uint8_t> passing = {packet::cutoffs}) const;
	/// Nothing but packets of types in @a passing, and of timers, comes for a while.
	void expect_silence(int milliseconds, const std::vector<uint8_t> &passing) const;

	/// Sends a request to the host's port, answers what it asks for, returns
	/// the response.
	Bytes call(View request);
	/// Waits for a request, echoes it, stays until it is acknowledged.
	void echo();

	/// DATA packets with bytes @a from to @a to of a message.
	void send_data(const packet::Ends &ends, View message, uint32_t from, uint32_t to,
		       uint8_t retransmit = 0) const;
	[[nodiscard]] packet::Ends ends(uint64_t id) const;

	/// Bytes that this peer sends without leave, and lets the host send.
	uint32_t unscheduled = 10000;
	/// How far each GRANT goes beyond what has arrived.
	uint32_t window = 20000;
	uint32_t payload = 1424;
	/// Offsets in the segment header rather than in `sequence`.
	bool explicit_offsets = false;
	/// Every n-th DATA packet that arrives is ignored once, and asked for.
	unsigned lose_every = 0;
	uint64_t next_id = 2;
	/// Of the host's cutoffs, as it was last told; before that, of some other time.
	mutable uint16_t cutoff_version = 1;

	struct Counts {
		unsigned grants = 0;
		unsigned resends = 0;
		unsigned retransmitted = 0;
		unsigned acks = 0;
		unsigned need_acks = 0;
	};
	/// What the host sent, by type.
	Counts counts;

private:
	struct Message {
		Bytes bytes;
		std::vector<bool> have;
		uint32_t missing = 0;
		uint32_t granted = 0;
		uint32_t newest = 0;
	};
	struct Rpc {
		bool server = false;
		Bytes out;
		uint32_t sent = 0;
		Message in;
		bool acknowledged = false;
	};

	void handle(const Seen &seen);
	void take_data(Rpc &rpc, const packet::Parsed &data);
	void ask_for_missing(Rpc &rpc, const packet::Ends &ends) const;
	void send_until(Rpc &rpc, uint64_t id, uint32_t end) const;
	void resend(Rpc &rpc, uint64_t id, const packet::Parsed &wanted) const;
	void step(const std::function<bool()> &done);

	const net::Wire &wire_;
	net::Address self_;
	net::Address host_;
	std::map<uint64_t, Rpc> rpcs_;
	unsigned arrived_ = 0;
};
