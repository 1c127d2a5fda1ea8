// SPDX-License-Identifier: Apache-2.0
#include "sim_tcp.hpp"

#include <cmath>

namespace sim {

namespace {

constexpr u32 segment_bytes = 1448;
constexpr u32 headers = 52; // IP, TCP, timestamps
constexpr u64 least_timeout = 200 * ms;
constexpr u64 first_timeout = 1 * second;
constexpr u64 reordering = 3;

} // namespace

u32 TcpFlow::bytes(u32 segment) const
{
	const u64 start = static_cast<u64>(segment) * segment_bytes;

	return static_cast<u32>(std::min<u64>(segment_bytes, length_ - start));
}

void TcpFlow::start(u64 length, u64 rtt_ns, std::function<void()> done)
{
	length_ = length;
	done_ = std::move(done);
	segments_ = static_cast<u32>((length + segment_bytes - 1) / segment_bytes);
	state_.assign(segments_, unsent);
	order_of_.assign(segments_, 0);
	received_.assign(segments_, 0);
	rtt_ns_ = static_cast<double>(rtt_ns);
	deviation_ns_ = rtt_ns_ / 2;
	push();
}

void TcpFlow::push()
{
	while (flying_ < static_cast<u32>(window_)) {
		u32 segment = 0;
		if (!lost_.empty()) {
			segment = lost_.front();
			lost_.pop_front();
			if (state_[segment] != lost)
				continue;
		} else if (next_ < segments_) {
			segment = next_++;
		} else {
			break;
		}
		emit(segment);
	}
}

void TcpFlow::emit(u32 segment)
{
	const u64 order = ++orders_;
	const u64 when = clock_.now();

	state_[segment] = flying;
	order_of_[segment] = order;
	flights_.push_back({order, segment});
	if (flying_++ == 0)
		arm();
	sent_ += bytes(segment);
	network_.send(from_, to_, {bytes(segment) + headers, 0, true, [this, segment, order, when] {
					   arrive(segment, order, when);
				   }});
}

// At the receiver; each segment is acknowledged, with all that has arrived.
void TcpFlow::arrive(u32 segment, u64 order, u64 when)
{
	if (received_[segment] == 0) {
		received_[segment] = 1;
		arrived_.push_back(segment);
		if (arrived_.size() == segments_ && done_)
			std::exchange(done_, nullptr)();
	}
	const size_t arrived = arrived_.size();
	network_.send(to_, from_, {headers, 0, false, [this, arrived, order, when] {
					   acknowledged(arrived, order, when);
				   }});
}

void TcpFlow::acknowledged(size_t arrived, u64 order, u64 when)
{
	const auto rtt = static_cast<double>(clock_.now() - when);
	u32 fresh = 0;

	deviation_ns_ += (std::abs(rtt - rtt_ns_) - deviation_ns_) / 4;
	rtt_ns_ += (rtt - rtt_ns_) / 8;
	newest_ = std::max(newest_, order);
	for (; seen_ < arrived; seen_++) {
		const u32 segment = arrived_[seen_];
		flying_ -= state_[segment] == flying ? 1 : 0;
		state_[segment] = here;
		fresh++;
	}
	if (fresh != 0) {
		backoff_ = 0;
		arm();
	}
	if (newest_ > recover_)
		window_ += window_ < threshold_ ? fresh : fresh / window_;
	lose();
	push();
}

// What was sent some transmissions before one that arrived is lost.
void TcpFlow::lose()
{
	bool any = false;

	while (!flights_.empty()) {
		const auto [order, segment] = flights_.front();
		if (state_[segment] == flying && order_of_[segment] == order) {
			if (order + reordering > newest_)
				break;
			state_[segment] = lost;
			lost_.push_back(segment);
			flying_--;
			any = any || order > recover_;
		}
		flights_.pop_front();
	}
	if (any)
		halve();
}

void TcpFlow::halve()
{
	threshold_ = std::max(window_ / 2, 2.0);
	window_ = threshold_;
	recover_ = orders_;
}

void TcpFlow::arm()
{
	const u64 armed = ++armed_;
	const auto wait = static_cast<u64>(rtt_ns_ + 4 * deviation_ns_);

	if (seen_ == segments_)
		return;
	clock_.at(clock_.now() + (std::max(wait, least_timeout) << std::min(backoff_, 6U)),
		  [this, armed] { timeout(armed); });
}

void TcpFlow::timeout(u64 armed)
{
	if (armed != armed_ || seen_ == segments_)
		return;
	halve();
	window_ = 1;
	backoff_++;
	flights_.clear();
	lost_.clear();
	for (u32 i = 0; i < next_; i++) {
		if (state_[i] == here)
			continue;
		state_[i] = lost;
		lost_.push_back(i);
	}
	flying_ = 0;
	push();
}

void TcpCall::start(u64 request, u64 response, u64 service_ns)
{
	request_length_ = request;
	response_length_ = response;
	service_ns_ = service_ns;
	connect();
}

void TcpCall::connect()
{
	const u64 when = clock_.now();

	network_.send(client_, server_,
		      {headers + 8, 0, false, [this, when] {
			       network_.send(server_, client_,
					     {headers + 8, 0, false, [this, when] {
						      if (rtt_ns_ != 0)
							      return;
						      rtt_ns_ =
							      std::max<u64>(clock_.now() - when, 1);
						      connected();
					      }});
		       }});
	clock_.at(when + (first_timeout << std::min<u64>(tries_++, 6)), [this] {
		if (rtt_ns_ == 0)
			connect();
	});
}

void TcpCall::connected()
{
	request_.start(request_length_, rtt_ns_, [this] {
		clock_.at(clock_.now() + service_ns_, [this] {
			response_.start(response_length_, rtt_ns_,
					[this] { done_ = clock_.now(); });
		});
	});
}

} // namespace sim
