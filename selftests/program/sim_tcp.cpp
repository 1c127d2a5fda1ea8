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

void TcpFlow::open(u64 rtt_ns)
{
	rtt_ns_ = static_cast<double>(rtt_ns);
	deviation_ns_ = rtt_ns_ / 2;
}

void TcpFlow::send(u64 length, std::function<void()> done)
{
	restart_after_idling();
	for (u64 left = length; left != 0;) {
		const u64 bytes = std::min<u64>(left, segment_bytes);
		segments_.push_back({.bytes = static_cast<u32>(bytes)});
		left -= bytes;
	}
	messages_.push_back({segments_.size(), std::move(done)});
	push();
}

// RFC 5681, 4.1.
void TcpFlow::restart_after_idling()
{
	if (seen_ == segments_.size() && clock_.now() - last_sent_ > patience())
		window_ = std::min(window_, first_window);
}

void TcpFlow::push()
{
	while (flying_ < static_cast<size_t>(window_)) {
		size_t segment = 0;
		if (!lost_.empty()) {
			segment = lost_.front();
			lost_.pop_front();
			if (segments_[segment].state != lost)
				continue;
		} else if (next_ < segments_.size()) {
			segment = next_++;
		} else {
			break;
		}
		emit(segment);
	}
}

void TcpFlow::emit(size_t segment)
{
	const u64 order = ++orders_;
	const u64 when = clock_.now();
	Segment &it = segments_[segment];

	it.state = flying;
	it.order = order;
	flights_.push_back({order, segment});
	last_sent_ = when;
	if (flying_++ == 0)
		arm();
	network_.send(from_, to_, {it.bytes + headers, 0, true, [this, segment, order, when] {
					   arrive(segment, order, when);
				   }});
}

// At the receiver; each segment is acknowledged, with all that has arrived.
void TcpFlow::arrive(size_t segment, u64 order, u64 when)
{
	if (!segments_[segment].received) {
		segments_[segment].received = true;
		arrived_.push_back(segment);
	}
	while (in_order_ < segments_.size() && segments_[in_order_].received)
		in_order_++;
	while (!messages_.empty() && messages_.front().end <= in_order_) {
		const auto done = std::move(messages_.front().done);
		messages_.pop_front();
		done();
	}
	const size_t arrived = arrived_.size();
	network_.send(to_, from_, {headers, 0, false, [this, arrived, order, when] {
					   acknowledged(arrived, order, when);
				   }});
}

void TcpFlow::acknowledged(size_t arrived, u64 order, u64 when)
{
	const auto rtt = static_cast<double>(clock_.now() - when);
	const bool full = flying_ >= static_cast<size_t>(window_);
	u32 fresh = 0;

	deviation_ns_ += (std::abs(rtt - rtt_ns_) - deviation_ns_) / 4;
	rtt_ns_ += (rtt - rtt_ns_) / 8;
	newest_ = std::max(newest_, order);
	for (; seen_ < arrived; seen_++) {
		Segment &it = segments_[arrived_[seen_]];
		flying_ -= it.state == flying ? 1 : 0;
		it.state = here;
		fresh++;
	}
	if (fresh != 0) {
		backoff_ = 0;
		arm();
	}
	if (newest_ > recover_ && full)
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
		Segment &it = segments_[segment];
		if (it.state == flying && it.order == order) {
			if (order + reordering > newest_)
				break;
			it.state = lost;
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

u64 TcpFlow::patience() const
{
	return std::max(static_cast<u64>(rtt_ns_ + 4 * deviation_ns_), least_timeout);
}

void TcpFlow::arm()
{
	const u64 armed = ++armed_;

	if (seen_ == segments_.size())
		return;
	clock_.at(clock_.now() + (patience() << std::min(backoff_, 6U)),
		  [this, armed] { timeout(armed); });
}

void TcpFlow::timeout(u64 armed)
{
	if (armed != armed_ || flying_ == 0)
		return;
	if (backoff_++ == 0)
		halve();
	recover_ = orders_;
	window_ = 1;
	flights_.clear();
	lost_.clear();
	for (size_t i = 0; i < next_; i++) {
		if (segments_[i].state == here)
			continue;
		segments_[i].state = lost;
		lost_.push_back(i);
	}
	flying_ = 0;
	push();
}

void TcpConnection::call(u64 request, u64 response, u64 service_ns)
{
	auto start = [this, request, response, service_ns] {
		requests_.send(request, [this, response, service_ns] {
			clock_.at(clock_.now() + service_ns, [this, response] {
				responses_.send(response, [this] {
					ended_++;
					last_ = clock_.now();
				});
			});
		});
	};
	if (open_)
		return start();
	waiting_.push_back(start);
	if (tries_ == 0)
		connect();
}

void TcpConnection::connect()
{
	const u64 when = clock_.now();
	const auto connected = [this, when] {
		if (std::exchange(open_, true))
			return;
		const u64 rtt_ns = std::max<u64>(clock_.now() - when, 1);
		requests_.open(rtt_ns);
		responses_.open(rtt_ns);
		for (const auto &start : waiting_)
			start();
	};

	network_.send(client_, server_,
		      {headers + 8, 0, false, [this, connected] {
			       network_.send(server_, client_, {headers + 8, 0, false, connected});
		       }});
	clock_.at(when + (first_timeout << std::min<u64>(tries_++, 6)), [this] {
		if (!open_)
			connect();
	});
}

} // namespace sim
