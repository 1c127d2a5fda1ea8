// SPDX-License-Identifier: Apache-2.0
#include "watches.hpp"

#include <algorithm>

namespace sdp::redis {

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
	bytes_ += sizeof(place) + sizeof(watch) + 2 * key.size();
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
