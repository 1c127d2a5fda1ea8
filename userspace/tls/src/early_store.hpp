// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Hellos whose early data were taken, for a minute. A ticket is good once; this is for a hello that
 * comes again when its handshake has been forgotten: its client may not be told that they were not
 * taken.
 */
#ifndef SDP_TLS_EARLY_STORE_HPP
#define SDP_TLS_EARLY_STORE_HPP

#include "wire.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <set>
#include <utility>

namespace sdp::inline v0::tls {

class early_store {
public:
	/** @param most hellos that are remembered; with so many, there is no room. */
	explicit early_store(std::size_t most) : most_(most) {}

	/** Twice as long as a client takes a server's word for it. */
	static constexpr std::chrono::seconds lifetime{60};

	[[nodiscard]] bool has_room(clock::time_point now);
	[[nodiscard]] bool has(const wire::tag &tag, clock::time_point now);
	void add(const wire::tag &tag, clock::time_point now);

private:
	void tick(clock::time_point now);

	const std::size_t most_;
	std::deque<std::pair<clock::time_point, wire::tag>> by_age_;
	std::set<wire::tag> tags_;
};

} // namespace sdp::inline v0::tls

#endif
