// SPDX-License-Identifier: Apache-2.0
/** @file Who the peers of a server are: by their sessions, as long as those may
 * be there. */
#ifndef SDP_TLS_KNOWN_PEERS_HPP
#define SDP_TLS_KNOWN_PEERS_HPP

#include "wire.hpp"

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <utility>

namespace sdp::inline v0::tls {

class known_peers {
public:
	/** @param most sessions, of all; a peer has an eighth of them at most. */
	explicit known_peers(std::size_t most) : most_(most) {}

	/** @p who has session @p id, which is with @p peer. */
	void remember(const address &peer, std::uint32_t id, const identity &who);
	[[nodiscard]] std::optional<identity> find(const address &peer, std::uint32_t id) const;
	[[nodiscard]] std::size_t size() const noexcept { return by_age_.size(); }

private:
	/** Ids are unique among the sessions with one address and port only. */
	using key = std::pair<wire::place, std::uint32_t>;
	struct entry {
		tls::known_peers::key key;
		identity who;
	};
	using order = std::list<entry>;

	void forget(order::iterator which);

	const std::size_t most_;
	order by_age_;
	std::map<key, order::iterator> by_key_;
	std::map<digest, std::size_t> counts_; /**< of sessions, by identity */
};

} // namespace sdp::inline v0::tls

#endif
