// SPDX-License-Identifier: Apache-2.0
#include "draws.hpp"

#include <cmath>
#include <cstdio>

namespace bench {
namespace {

constexpr double theta = 0.99;

/** FNV-1a of the number's bytes: likely keys are spread over all. */
std::uint64_t scrambled(std::uint64_t number)
{
	std::uint64_t hash = 0xcbf29ce484222325;
	for (int i = 0; i < 8; ++i) {
		hash = (hash ^ (number & 0xff)) * 0x100000001b3;
		number >>= 8;
	}
	return hash;
}

} // namespace

void zipfian::grow(std::uint64_t count)
{
	while (count_ < count) {
		sum_ += 1 / std::pow(static_cast<double>(++count_), theta);
	}
	const double two = 1 + std::pow(0.5, theta);
	eta_ = (1 - std::pow(2 / static_cast<double>(count_), 1 - theta)) / (1 - two / sum_);
}

std::uint64_t zipfian::draw(chance &from) const
{
	const double share = from.uniform();
	const double place = share * sum_;
	if (place < 1) {
		return 0;
	}
	if (place < 1 + std::pow(0.5, theta)) {
		return 1;
	}
	const double rank =
		static_cast<double>(count_) * std::pow(eta_ * share - eta_ + 1, 1 / (1 - theta));
	return std::min(count_ - 1, static_cast<std::uint64_t>(rank));
}

operations::operations(char workload, std::uint64_t records, std::uint64_t seed)
	: workload_(workload), records_(records), next_(records), ranks_(records), from_(seed)
{
}

operation operations::draw()
{
	const double share = from_.uniform();
	if (workload_ == 'd') {
		if (share < 0.05) {
			return {verb::insert, next_++};
		}
		return {verb::read, records_ - 1 - ranks_.draw(from_)};
	}
	const std::uint64_t key = scrambled(ranks_.draw(from_)) % records_;
	switch (workload_) {
	case 'a':
		return {share < 0.5 ? verb::read : verb::update, key};
	case 'b':
		return {share < 0.95 ? verb::read : verb::update, key};
	case 'f':
		return {share < 0.5 ? verb::read : verb::modify, key};
	default:
		return {verb::read, key};
	}
}

void operations::inserted(std::uint64_t key)
{
	ended_.insert(key);
	while (ended_.erase(records_) != 0) {
		++records_;
	}
	ranks_.grow(records_);
}

std::string key_name(std::uint64_t number)
{
	char name[24];
	std::snprintf(
		name, sizeof(name), "user%019llu",
		static_cast<unsigned long long>(scrambled(number) % 10'000'000'000'000'000'000U));
	return name;
}

} // namespace bench
