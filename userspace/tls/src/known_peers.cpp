// SPDX-License-Identifier: Apache-2.0
#include "known_peers.hpp"

#include <algorithm>
#include <iterator>

namespace sdp::inline v0::tls {

namespace {

/** One peer has at most one part in so many. */
constexpr std::size_t peer_shares = 8;

} // namespace

void known_peers::forget(order::iterator which)
{
	if (const auto count = counts_.find(which->who.key); --count->second == 0) {
		counts_.erase(count);
	}
	by_key_.erase(which->key);
	by_age_.erase(which);
}

void known_peers::remember(const address &peer, std::uint32_t id, const identity &who)
{
	const key which{wire::place_of(peer), id};
	if (const auto before = by_key_.find(which); before != by_key_.end()) {
		forget(before->second);
	}
	if (const auto its = counts_.find(who.key);
	    its != counts_.end() && its->second >= std::max<std::size_t>(1, most_ / peer_shares)) {
		// Its own oldest goes, and nobody else's.
		forget(std::ranges::find(by_age_, who.key,
					 [](const entry &each) { return each.who.key; }));
	} else if (by_age_.size() >= most_) {
		forget(by_age_.begin());
	}
	by_age_.push_back({which, who});
	by_key_[which] = std::prev(by_age_.end());
	++counts_[who.key];
}

std::optional<identity> known_peers::find(const address &peer, std::uint32_t id) const
{
	const auto found = by_key_.find({wire::place_of(peer), id});
	return found == by_key_.end() ? std::nullopt : std::optional(found->second->who);
}

} // namespace sdp::inline v0::tls
