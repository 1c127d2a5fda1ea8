// SPDX-License-Identifier: Apache-2.0
#include "early_store.hpp"

namespace sdp::inline v0::tls {

void early_store::tick(clock::time_point now)
{
	while (!by_age_.empty() && now - by_age_.front().first >= lifetime) {
		tags_.erase(by_age_.front().second);
		by_age_.pop_front();
	}
}

bool early_store::has_room(clock::time_point now)
{
	tick(now);
	return tags_.size() < most_;
}

bool early_store::has(const wire::tag &tag, clock::time_point now)
{
	tick(now);
	return tags_.contains(tag);
}

void early_store::add(const wire::tag &tag, clock::time_point now)
{
	by_age_.emplace_back(now, tag);
	tags_.insert(tag);
}

} // namespace sdp::inline v0::tls
