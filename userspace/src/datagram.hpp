// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The handshake's UDP sockets. One lies beside an SDP socket: in its network namespace, at
 * its address, with its device and mark.
 */
#ifndef SDP_SRC_DATAGRAM_HPP
#define SDP_SRC_DATAGRAM_HPP

#include "check.hpp"

#include <sdp/address.hpp>
#include <sdp/message.hpp>
#include <sdp/socket.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace sdp::inline v0::detail {

class datagrams {
public:
	/** For a client beside @p beside: connected to @p server. */
	static datagrams to(const socket &beside, const address &server);
	/** For a server: at the address and the port of @p beside. */
	static datagrams at(const socket &beside);

	[[nodiscard]] int fd() const noexcept { return file_.get(); }
	[[nodiscard]] address local() const;
	/** Which network namespace of this boot this is in. */
	[[nodiscard]] std::uint64_t namespace_cookie() const;

	struct arrival {
		std::size_t size = 0;
		address from;
		address to; /**< for a server: the address here, without a port */
		/** For a server: it came by broadcast or multicast, and @p to is none. */
		bool for_many = false;
	};
	/**
	 * One, whatever it is, without waiting; longer ones are cut short. Empty: there is none.
	 * @throws std::system_error what ICMP says of an earlier one, on a connected socket.
	 */
	std::optional<arrival> receive(std::span<std::byte> into) const;
	/** To where it is connected. */
	void send(bytes_view bytes) const;
	/** From @p local, an address here. Lost where that does not work. */
	void send(bytes_view bytes, const address &local, const address &to) const noexcept;
	/** Waits until something has come, or @p timeout. */
	void wait(std::chrono::nanoseconds timeout) const;

private:
	datagrams(const socket &beside, ip version);

	file file_;
	ip version_;
};

} // namespace sdp::inline v0::detail

#endif
