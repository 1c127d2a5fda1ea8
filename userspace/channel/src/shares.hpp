// SPDX-License-Identifier: Apache-2.0
/** @file What each client has of a listener's room. A client is an address: its ports are one. */
#ifndef SDP_CHANNEL_SHARES_HPP
#define SDP_CHANNEL_SHARES_HPP

#include <sdp/address.hpp>

#include <cstddef>
#include <map>
#include <mutex>

namespace sdp::inline v0::detail {

/** Any thread. */
class shares {
public:
	shares(std::size_t most_requests, std::size_t most_bytes)
		: most_requests_(most_requests), most_bytes_(most_bytes)
	{
	}

	/** Whether @p peer may have another one. */
	[[nodiscard]] bool has_room(const address &peer);
	/** @p peer has one more, of @p bytes. @throws std::bad_alloc */
	void add(const address &peer, std::size_t bytes);
	/** And has it no more. */
	void remove(const address &peer, std::size_t bytes) noexcept;

private:
	struct share {
		std::size_t requests = 0;
		std::size_t bytes = 0;
	};

	const std::size_t most_requests_;
	const std::size_t most_bytes_;
	std::mutex lock_;
	std::map<address, share> all_;
};

} // namespace sdp::inline v0::detail

#endif
