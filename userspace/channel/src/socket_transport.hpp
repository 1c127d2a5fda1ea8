// SPDX-License-Identifier: Apache-2.0
/** @file Messages by the plain API of an SDP socket. */
#ifndef SDP_CHANNEL_SOCKET_TRANSPORT_HPP
#define SDP_CHANNEL_SOCKET_TRANSPORT_HPP

#include "transport.hpp"

#include <sdp/socket.hpp>

#include <cstddef>

namespace sdp::inline v0::detail {

class socket_transport final : public transport {
public:
	/** @param on outlives this, and has no receive region. */
	socket_transport(socket &on, std::size_t room)
		: on_(on), version_(on.local().version()), room_(room)
	{
	}

	[[nodiscard]] int fd() const noexcept override { return on_.fd(); }
	[[nodiscard]] std::size_t room() const noexcept override { return room_; }
	void wrap(const outgoing &what, envelope &into) const noexcept override;
	[[nodiscard]] bool unwrap(msghdr &head, bytes_view payload, arrival &into) const override;
	void abort(std::uint64_t cookie) noexcept override;

private:
	socket &on_;
	const ip version_;
	const std::size_t room_;
};

} // namespace sdp::inline v0::detail

#endif
