// SPDX-License-Identifier: Apache-2.0
#include "wired.hpp"

#include <memory>
#include <poll.h>

namespace net {
namespace {

size_t header_length(const Wired::Packet &packet)
{
	return packet.at(0) >> 4 == 6 ? 40 : (packet[0] & 15U) * 4;
}

bool is_of(const Wired::Packet &packet, uint8_t protocol)
{
	return packet.size() > 40 && packet[packet[0] >> 4 == 6 ? 6 : 9] == protocol;
}

} // namespace

Wired::Wired(unsigned mtu, bool running)
	: a{{}, "10.0.0.1", "fd00::1"},
	  b{{}, "10.0.0.2", "fd00::2"},
	  wire_a_(a, "10.0.0.0/24", "fd00::/64", mtu),
	  wire_b_(b, "10.0.0.0/24", "fd00::/64", mtu)
{
	if (running)
		start();
}

void Wired::start()
{
	thread_ = std::make_unique<test::Thread>([this] {
		try {
			run();
		} catch (const test::Failure &failure) {
			test::note(std::string("the link failed: ") + failure.what());
			throw;
		}
	});
}

Wired::~Wired()
{
	stop_ = true;
	try {
		if (thread_)
			thread_->join();
	} catch (const std::exception &failure) {
		test::note(failure.what());
	}
}

void Wired::set(Hook hook)
{
	std::lock_guard<std::mutex> guard(lock_);
	hook_ = std::move(hook);
}

void Wired::pass(Way way, const Packet &packet) const
{
	// A device that is down or removed takes nothing.
	const Wire &wire = way == Way::to_b ? wire_b_ : wire_a_;
	if (write(wire.fd(), packet.data(), packet.size()) < 0 && errno != EIO && errno != EINVAL)
		throw test::Failure("the link: " + test::errno_name(errno));
}

void Wired::hold()
{
	std::lock_guard<std::mutex> guard(lock_);
	holding_ = true;
}

void Wired::open()
{
	std::lock_guard<std::mutex> guard(lock_);
	holding_ = false;
	for (auto &[way, packet] : held_)
		pass(way, packet);
	held_.clear();
}

void Wired::decide(Way way, Packet packet)
{
	if (is_of(packet, packet::protocol)) {
		seen_++;
	} else if (!udp_ || !is_of(packet, IPPROTO_UDP)) {
		pass(way, packet);
		return;
	}
	std::lock_guard<std::mutex> guard(lock_);
	if (holding_)
		held_.emplace_back(way, std::move(packet));
	else if (hook_)
		hook_(way, std::move(packet));
	else
		pass(way, packet);
}

void Wired::run()
{
	pollfd waiting[2] = {{wire_a_.fd(), POLLIN, 0}, {wire_b_.fd(), POLLIN, 0}};
	Packet packet(65536);
	while (!stop_) {
		if (poll(waiting, 2, 20) <= 0)
			continue;
		for (int i = 0; i < 2; i++) {
			// A burst from one side must not starve the other.
			for (int burst = 0; waiting[i].revents && burst < 32; burst++) {
				ssize_t count = read(waiting[i].fd, packet.data(), packet.size());
				if (count <= 0)
					break;
				decide(i == 0 ? Way::to_b : Way::to_a,
				       Packet(packet.begin(), packet.begin() + count));
			}
		}
	}
}

Wired::Hook bad_link(const Wired &link, Mishaps mishaps)
{
	struct State {
		Random random;
		std::deque<std::pair<Way, Wired::Packet>> late;
	};
	auto state = std::make_shared<State>(State{Random(mishaps.seed), {}});
	return [&link, mishaps, state](Way way, Wired::Packet packet) {
		Random &random = state->random;
		if (random.percent(mishaps.lose))
			return;
		if (random.percent(mishaps.flip)) {
			size_t start = header_length(packet);
			size_t at = start + random.below(packet.size() - start);
			packet[at] ^= static_cast<uint8_t>(1U << random.below(8));
		}
		if (random.percent(mishaps.reorder)) {
			state->late.emplace_back(way, std::move(packet));
			if (state->late.size() < 3)
				return;
		} else {
			link.pass(way, packet);
			if (random.percent(mishaps.repeat))
				link.pass(way, packet);
		}
		for (auto &[late_way, late] : state->late)
			link.pass(late_way, late);
		state->late.clear();
	};
}

Bytes homa_of(const Wired::Packet &packet)
{
	return {packet.begin() + static_cast<long>(header_length(packet)), packet.end()};
}

void set_homa(Wired::Packet &packet, const Bytes &homa)
{
	packet::Datagram ip = packet::parse_ip(packet);
	packet = packet::ip(ip.from, ip.to, homa, ip.next, ip.traffic_class);
}

} // namespace net
