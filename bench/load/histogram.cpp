// SPDX-License-Identifier: Apache-2.0
#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <stdexcept>

namespace bench {
namespace {

/** Steps for each doubling, and values below that have a step each. */
constexpr unsigned bits = 6;
constexpr std::uint64_t fine = 1U << bits;

} // namespace

std::size_t histogram::step_of(std::uint64_t time)
{
	if (time < fine) {
		return time;
	}
	const auto doublings = static_cast<unsigned>(std::bit_width(time)) - 1 - bits;
	return (doublings + 1) * fine + ((time >> doublings) - fine);
}

std::uint64_t histogram::top_of(std::size_t step)
{
	if (step < fine) {
		return step;
	}
	const std::size_t doublings = step / fine - 1;
	return ((fine + step % fine + 1) << doublings) - 1;
}

void histogram::add(std::chrono::nanoseconds time)
{
	const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0));
	const std::size_t step = step_of(value);
	if (step >= counts_.size()) {
		counts_.resize(step + 1);
	}
	++counts_[step];
	++count_;
	sum_ += static_cast<double>(value);
	least_ = std::min(least_, value);
	most_ = std::max(most_, value);
}

void histogram::add(const histogram &other)
{
	counts_.resize(std::max(counts_.size(), other.counts_.size()));
	for (std::size_t i = 0; i < other.counts_.size(); ++i) {
		counts_[i] += other.counts_[i];
	}
	count_ += other.count_;
	sum_ += other.sum_;
	least_ = std::min(least_, other.least_);
	most_ = std::max(most_, other.most_);
}

double histogram::mean() const
{
	return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

std::uint64_t histogram::percentile(double share) const
{
	if (!(share >= 0 && share <= 1)) {
		throw std::invalid_argument("a share is from 0 to 1");
	}
	const auto rank = std::max<std::uint64_t>(
		1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
	std::uint64_t sum = 0;
	for (std::size_t step = 0; step < counts_.size(); ++step) {
		sum += counts_[step];
		if (sum >= rank) {
			return std::min(top_of(step), most_);
		}
	}
	return 0;
}

} // namespace bench
