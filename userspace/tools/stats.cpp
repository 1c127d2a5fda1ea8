// SPDX-License-Identifier: Apache-2.0
#include "stats.hpp"

#include "commands.hpp"
#include "proc.hpp"

#include <algorithm>
#include <chrono>
#include <fnmatch.h>
#include <iostream>
#include <map>
#include <memory>
#include <thread>

namespace tool {

namespace {

using clock = std::chrono::steady_clock;

record to_record(const counters &of)
{
	record result;
	for (const auto &[name, value] : of) {
		result.emplace_back(name, value);
	}
	return result;
}

/** With rates, for people; as JSON one object a line. */
void print_growth(const style &how, const counters &grown, double seconds)
{
	if (how.json) {
		record line{{"seconds", seconds}};
		for (const auto &each : to_record(grown)) {
			line.push_back(each);
		}
		std::cout << to_json(line) << std::endl;
		return;
	}
	table result{.columns = {"counter", "growth", "per-second"}, .rows = {}};
	for (const auto &[name, value] : grown) {
		result.rows.push_back({name, value, static_cast<double>(value) / seconds});
	}
	print(std::cout, how, result);
	std::cout << std::endl;
}

int watch(const style &how, const stats_options &options)
{
	const std::chrono::duration<double> period(options.seconds);
	counters before = parse_counters(read_sdp("counters"));
	auto since = clock::now();
	for (std::uint64_t i = 0; i < options.count || options.count == 0; ++i) {
		std::this_thread::sleep_for(period);
		counters now = parse_counters(read_sdp("counters"));
		const auto at = clock::now();
		print_growth(how, chosen(growth(before, now), options.patterns, options.zeros),
			     std::chrono::duration<double>(at - since).count());
		if (!std::cout) {
			return failure;
		}
		before = std::move(now);
		since = at;
	}
	return success;
}

} // namespace

counters growth(const counters &before, const counters &now)
{
	const std::map<std::string, std::uint64_t> old(before.begin(), before.end());
	counters result;
	for (const auto &[name, value] : now) {
		const auto found = old.find(name);
		const std::uint64_t base = found == old.end() ? 0 : found->second;
		result.emplace_back(name, value >= base ? value - base : value);
	}
	return result;
}

counters chosen(const counters &of, const std::vector<std::string> &patterns, bool zeros)
{
	counters result;
	for (const auto &each : of) {
		const bool named =
			patterns.empty() || std::ranges::any_of(patterns, [&](const auto &pattern) {
				return ::fnmatch(pattern.c_str(), each.first.c_str(), 0) == 0;
			});
		if (named && (zeros || each.second != 0)) {
			result.push_back(each);
		}
	}
	return result;
}

int stats(const style &how, const stats_options &options)
{
	if (options.seconds > 0) {
		return watch(how, options);
	}
	const counters now = parse_counters(read_sdp("counters"));
	print(std::cout, how, to_record(chosen(now, options.patterns, options.zeros)));
	return success;
}

} // namespace tool
