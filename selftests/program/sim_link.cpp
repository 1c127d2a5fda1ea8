// SPDX-License-Identifier: Apache-2.0
// Links: a rate, a queue with strict priorities and tail drop, a delay, and
// faults.
#include "sim_link.hpp"

namespace sim {

namespace {

constexpr u64 ps = 1000; // in a nanosecond
constexpr size_t held_for_neighbour = 1;

} // namespace

u64 Account::gone(bool data) const
{
	return of(data, Fate::lost) + of(data, Fate::overflow) + of(data, Fate::hole) +
	       of(data, Fate::policed) + of(data, Fate::unresolved);
}

double Account::loss(bool data) const
{
	const u64 sent = of(data, Fate::sent);
	return sent == 0 ? 0 : static_cast<double>(gone(data)) / static_cast<double>(sent);
}

bool Link::chance(double p)
{
	return p > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < p;
}

u64 Link::time_ps(u64 bytes) const
{
	// 1 Mbit/s: 8,000,000 ps a byte; 400 Gbit/s: 20.
	return bytes * (8'000'000'000'000ULL / settings.rate);
}

u64 Link::backlog_ns() const
{
	if (settings.rate == 0)
		return 0;
	const u64 rest = busy_ ? idle_ps_ - std::min(idle_ps_, clock_.now() * ps) : 0;
	return (rest + time_ps(bytes_ + packets_ * framing)) / ps;
}

// A token bucket: what finds too few tokens vanishes.
bool Link::policed(const Unit &unit)
{
	if (settings.police_rate == 0)
		return false;
	const double since = static_cast<double>(clock_.now() - tokens_at_) / 1e9;
	tokens_at_ = clock_.now();
	tokens_ = std::min(static_cast<double>(settings.police_burst),
			   tokens_ + since * static_cast<double>(settings.police_rate) / 8);
	if (tokens_ < unit.bytes)
		return true;
	tokens_ -= unit.bytes;
	return false;
}

void Link::send(Unit unit)
{
	if (settings.hole != 0 && unit.bytes > settings.hole) {
		account_.note(unit.data, Fate::hole);
		return;
	}
	if (policed(unit)) {
		account_.note(unit.data, Fate::policed);
		return;
	}
	if (settings.rate == 0) {
		leave(std::move(unit));
		return;
	}
	if (busy_ && ((settings.queue_packets != 0 && packets_ >= settings.queue_packets) ||
		      (settings.queue_bytes != 0 && bytes_ + unit.bytes > settings.queue_bytes))) {
		account_.note(unit.data, Fate::overflow);
		return;
	}
	packets_++;
	bytes_ += unit.bytes;
	most_ = std::max(most_, packets_);
	const size_t level = settings.priorities ? std::min(unit.prio, 7U) : 0;
	queue_[level].push_back(std::move(unit));
	if (!busy_)
		start();
}

void Link::start()
{
	for (size_t level = queue_.size(); level-- > 0;) {
		if (queue_[level].empty())
			continue;
		Unit unit = std::move(queue_[level].front());
		queue_[level].pop_front();
		packets_--;
		bytes_ -= unit.bytes;
		busy_ = true;
		idle_ps_ = std::max(idle_ps_, clock_.now() * ps) + time_ps(unit.bytes + framing);
		const u64 left = (idle_ps_ + ps - 1) / ps;
		clock_.at(left, [this, unit = std::move(unit)]() mutable {
			leave(std::move(unit));
			busy_ = false;
			start();
		});
		return;
	}
}

// The last bit is out: the packet flies, or does not.
void Link::leave(Unit unit)
{
	int copies = 1;

	if (chance(settings.loss)) {
		account_.note(unit.data, Fate::lost);
		copies = 0;
	}
	if (chance(settings.repeat)) {
		account_.note(unit.data, Fate::repeated);
		copies++;
	}
	for (; copies > 0; copies--) {
		u64 delay = settings.delay_ns;
		if (settings.jitter_ns != 0)
			delay += random_() % settings.jitter_ns;
		if (chance(settings.late))
			delay += random_() % settings.late_ns;
		if (chance(settings.early))
			delay = 0;
		if (copies > 1)
			clock_.at(clock_.now() + delay, unit.arrive);
		else
			clock_.at(clock_.now() + delay, std::move(unit.arrive));
	}
}

Network::Network(int hosts, const LinkSettings &nic, const LinkSettings &link,
		 const LinkSettings &back, Clock &clock, u64 seed)
	: clock_(clock), random_(seed)
{
	for (int i = 0; i < hosts; i++) {
		up_.emplace_back(nic, clock_, random_, account);
		down_.emplace_back(i == 0 ? link : back, clock_, random_, account);
	}
}

void Network::pass(int from, int to, Unit unit)
{
	Unit first{unit.bytes, unit.prio, unit.data, {}};
	first.arrive = [this, to, unit = std::move(unit)]() { down(to).send(unit); };
	up(from).send(std::move(first));
}

void Network::send(int from, int to, Unit unit)
{
	const u64 wait = up(from).settings.arp_ns;

	account.note(unit.data, Fate::sent);
	if (wait == 0) {
		pass(from, to, std::move(unit));
		return;
	}
	Neighbour &neighbour = neighbours_[{from, to}];
	if (neighbour.resolved) {
		pass(from, to, std::move(unit));
		return;
	}
	neighbour.held.push_back(std::move(unit));
	if (neighbour.held.size() > held_for_neighbour) {
		account.note(neighbour.held.front().data, Fate::unresolved);
		neighbour.held.pop_front();
	}
	if (neighbour.asked)
		return;
	neighbour.asked = true;
	clock_.at(clock_.now() + wait, [this, from, to, &neighbour] {
		neighbour.resolved = true;
		for (Unit &held : neighbour.held)
			pass(from, to, std::move(held));
		neighbour.held.clear();
	});
}

} // namespace sim
