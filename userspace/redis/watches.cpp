// SPDX-License-Identifier: Apache-2.0
#include "watches.hpp"

#include <algorithm>

namespace sdp::redis {

std::size_t watches::list::bytes_each(std::string_view key) noexcept
{
	// Two strings, a node of the map, and two vectors with room for as many again; each of
	// these on its own, with what the allocator adds.
	constexpr std::size_t allocation = 2 * sizeof(std::max_align_t);
	constexpr std::size_t node = sizeof(key_map::value_type) + 2 * sizeof(void *);
	return 2 * sizeof(place) + 2 * sizeof(watch) + node + 2 * key.size() + 4 * allocation;
}

void watches::list::add(int database, std::string_view key, bool exists)
{
	key_map &there = of_->databases_[database];
	auto at = there.find(key);
	if (at == there.end()) {
		at = there.emplace(key, std::vector<watch>()).first;
	} else if (std::ranges::find(at->second, this, &watch::by) != at->second.end()) {
		return;
	}
	keys_.push_back({database, std::string(key), exists});
	at->second.push_back({this, exists});
	bytes_ += bytes_each(key);
}

void watches::list::clear() noexcept
{
	for (const place &each : keys_) {
		const auto database = of_->databases_.find(each.database);
		const auto at = database->second.find(each.key);
		std::erase_if(at->second, [this](const watch &one) { return one.by == this; });
		if (at->second.empty()) {
			database->second.erase(at);
		}
		if (database->second.empty()) {
			of_->databases_.erase(database);
		}
	}
	std::vector<place>().swap(keys_);
	bytes_ = 0;
	is_touched_ = false;
}

void watches::touch(int database, std::string_view key) noexcept
{
	const auto there = databases_.find(database);
	if (there == databases_.end()) {
		return;
	}
	const auto at = there->second.find(key);
	if (at != there->second.end()) {
		for (const watch &each : at->second) {
			each.by->is_touched_ = true;
		}
	}
}

void watches::flush(int database) noexcept
{
	for (const auto &[number, there] : databases_) {
		if (database != -1 && database != number) {
			continue;
		}
		for (const auto &[key, those] : there) {
			for (const watch &each : those) {
				each.by->is_touched_ |= each.existed;
			}
		}
	}
}

} // namespace sdp::redis
