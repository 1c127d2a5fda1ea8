// SPDX-License-Identifier: Apache-2.0
// A simple TCP on the simulator's links, to compare with: handshake, slow start
// from ten segments, additive increase and halving, selective acknowledgements,
// retransmission timeout of at least 200 ms. Each RPC has a connection of its
// own.
#pragma once

#include <deque>
#include <memory>
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

	// Sends @length bytes; @done when they have all arrived.
	void start(u64 length, u64 rtt_ns, std::function<void()> done);
	u64 sent() const { return sent_; } // bytes, again and again

private:
	enum State : u8 { unsent, flying, lost, here };
	struct Flight {
		u64 order;
		u32 segment;
	};

	u32 bytes(u32 segment) const;
	void push();
	void emit(u32 segment);
	void arrive(u32 segment, u64 order, u64 when);
	void acknowledged(size_t arrived, u64 order, u64 when);
	void lose();
	void halve();
	void arm();
	void timeout(u64 armed);

	Clock &clock_;
	Network &network_;
	int from_;
	int to_;
	std::function<void()> done_;
	u64 length_ = 0;
	u32 segments_ = 0;
	u32 next_ = 0;
	u64 sent_ = 0;
	// What the sender knows.
	std::vector<u8> state_;
	std::vector<u64> order_of_; // of the latest transmission
	std::deque<Flight> flights_;
	std::deque<u32> lost_;
	u32 flying_ = 0;
	size_t seen_ = 0; // of arrived_
	u64 orders_ = 0;
	u64 newest_ = 0;  // order of the latest transmission known to have arrived
	u64 recover_ = 0; // losses of transmissions before it have been answered for
	double window_ = 10;
	double threshold_ = 1e9;
	double rtt_ns_ = 0;
	double deviation_ns_ = 0;
	u32 backoff_ = 0;
	u64 armed_ = 0;
	// What the receiver knows.
	std::vector<u8> received_;
	std::vector<u32> arrived_; // in this order
};

// An RPC: connection, request, response.
class TcpCall {
public:
	TcpCall(Clock &clock, Network &network, int client, int server)
		: clock_(clock),
		  network_(network),
		  client_(client),
		  server_(server),
		  request_(clock, network, client, server),
		  response_(clock, network, server, client)
	{
	}

	void start(u64 request, u64 response, u64 service_ns);
	u64 done() const { return done_; } // 0: not yet
	u64 sent() const { return request_.sent() + response_.sent(); }

private:
	void connect();
	void connected();

	Clock &clock_;
	Network &network_;
	int client_;
	int server_;
	TcpFlow request_;
	TcpFlow response_;
	u64 request_length_ = 0;
	u64 response_length_ = 0;
	u64 service_ns_ = 0;
	u64 tries_ = 0;
	u64 rtt_ns_ = 0;
	u64 done_ = 0;
};

} // namespace sim
