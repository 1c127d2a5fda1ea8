// SPDX-License-Identifier: Apache-2.0
// A simple TCP on the simulator's links, to compare with: handshake, slow start
// from ten segments, additive increase and halving, selective acknowledgements,
// retransmission timeout of at least 200 ms, and slow start again after idling. A
// client has one connection to its server, as services keep it: its messages follow each
// other in it.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "sim_link.hpp"

namespace sim {

// One direction of a connection, its sender and its receiver.
class TcpFlow {
public:
	TcpFlow(Clock &clock, Network &network, int from, int to)
		: clock_(clock), network_(network), from_(from), to_(to)
	{
	}

	void open(u64 rtt_ns); // as the handshake measured it
	// Sends @length bytes behind all before; @done when they and those have arrived.
	void send(u64 length, std::function<void()> done);

private:
	static constexpr double first_window = 10;

	enum State : u8 { unsent, flying, lost, here };
	struct Segment {
		u32 bytes;
		State state = unsent;
		bool received = false; // what the receiver knows
		u64 order = 0;         // of its latest transmission
	};
	struct Flight {
		u64 order;
		size_t segment;
	};
	struct Message {
		size_t end; // its last segment's successor
		std::function<void()> done;
	};

	void restart_after_idling();
	void push();
	void emit(size_t segment);
	void arrive(size_t segment, u64 order, u64 when);
	void acknowledged(size_t arrived, u64 order, u64 when);
	void lose();
	void halve();
	u64 patience() const;
	void arm();
	void timeout(u64 armed);

	Clock &clock_;
	Network &network_;
	int from_;
	int to_;
	std::vector<Segment> segments_;
	// What the sender knows.
	size_t next_ = 0;
	std::deque<Flight> flights_;
	std::deque<size_t> lost_;
	size_t flying_ = 0;
	size_t seen_ = 0; // of arrived_
	u64 orders_ = 0;
	u64 newest_ = 0;  // order of the latest transmission known to have arrived
	u64 recover_ = 0; // losses of transmissions before it have been answered for
	double window_ = first_window;
	double threshold_ = 1e9;
	double rtt_ns_ = 0;
	double deviation_ns_ = 0;
	u64 last_sent_ = 0;
	u32 backoff_ = 0;
	u64 armed_ = 0;
	// What the receiver knows.
	std::deque<Message> messages_; // not whole yet
	size_t in_order_ = 0;
	std::vector<size_t> arrived_; // in this order
};

// A client's connection, opened by its first call.
class TcpConnection {
public:
	TcpConnection(Clock &clock, Network &network, int client, int server)
		: clock_(clock),
		  network_(network),
		  client_(client),
		  server_(server),
		  requests_(clock, network, client, server),
		  responses_(clock, network, server, client)
	{
	}

	void call(u64 request, u64 response, u64 service_ns);
	size_t ended() const { return ended_; }
	u64 last() const { return last_; } // when the last of them ended

private:
	void connect();

	Clock &clock_;
	Network &network_;
	int client_;
	int server_;
	TcpFlow requests_;
	TcpFlow responses_;
	std::vector<std::function<void()>> waiting_; // for the connection
	u64 tries_ = 0;
	bool open_ = false;
	size_t ended_ = 0;
	u64 last_ = 0;
};

} // namespace sim
