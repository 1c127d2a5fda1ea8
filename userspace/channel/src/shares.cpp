// SPDX-License-Identifier: Apache-2.0
#include "shares.hpp"

namespace sdp::inline v0::detail {

bool shares::has_room(const address &peer)
{
	const std::scoped_lock held(lock_);
	const auto found = all_.find(peer.with_port(0));
	return found == all_.end() ? most_requests_ != 0 && most_bytes_ != 0
				   : found->second.requests < most_requests_ &&
					     found->second.bytes < most_bytes_;
}

void shares::add(const address &peer, std::size_t bytes)
{
	const std::scoped_lock held(lock_);
	share &its = all_[peer.with_port(0)];
	++its.requests;
	its.bytes += bytes;
}

void shares::remove(const address &peer, std::size_t bytes) noexcept
{
	const std::scoped_lock held(lock_);
	const auto found = all_.find(peer.with_port(0));
	if (--found->second.requests == 0) {
		all_.erase(found);
	} else {
		found->second.bytes -= bytes;
	}
}

} // namespace sdp::inline v0::detail
