// SPDX-License-Identifier: Apache-2.0
/** @file Addresses of sockets: IPv4 or IPv6, with a port. */
#ifndef SDP_ADDRESS_HPP
#define SDP_ADDRESS_HPP

#include <sdp/export.hpp>

#include <compare>
#include <cstdint>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace sdp::inline v0 {

/** IP versions. */
enum class ip : std::uint8_t { v4, v6 };

/**
 * An IP address and a port (host byte order). A v4-mapped IPv6 address equals
 * the IPv4 address in it.
 */
class SDP_EXPORT address {
public:
	/** The IPv4 any-address, port 0. */
	address() noexcept;

	/** The any-address of @p version: every local address, for bind. */
	static address any(ip version, std::uint16_t port) noexcept;

	/**
	 * Parses "10.0.0.1", "10.0.0.1:4000", "fd00::1", "[fd00::1]:4000",
	 * "[fe80::1%eth0]:4000"; @p port is used where the text names none.
	 * @throws std::invalid_argument if it is none of these.
	 */
	static address parse(std::string_view text, std::uint16_t port = 0);

	/**
	 * Likewise, and names of hosts: "server:4000", "server". The first address that the
	 * system's resolver has for it, preferred as it prefers them. May wait for the network.
	 * @throws std::invalid_argument if it is neither, or nobody knows the name.
	 */
	static address resolve(std::string_view text, std::uint16_t port = 0);

	/**
	 * From what the kernel wrote.
	 * @throws std::system_error EAFNOSUPPORT for another family, EINVAL if too short.
	 */
	static address from(const sockaddr *raw, socklen_t length);

	[[nodiscard]] ip version() const noexcept;
	[[nodiscard]] std::uint16_t port() const noexcept;
	[[nodiscard]] address with_port(std::uint16_t port) const noexcept;
	[[nodiscard]] bool is_any() const noexcept;

	/** Whether this is ::ffff:a.b.c.d. */
	[[nodiscard]] bool is_mapped() const noexcept;
	/** The same place as IPv6: an IPv4 address becomes v4-mapped. */
	[[nodiscard]] address mapped() const noexcept;
	/** The same place, with a v4-mapped address as IPv4. */
	[[nodiscard]] address unmapped() const noexcept;

	/** For system calls: size() bytes. */
	[[nodiscard]] const sockaddr *data() const noexcept;
	[[nodiscard]] socklen_t size() const noexcept;

	/** As parse() reads it, with the port. */
	[[nodiscard]] std::string text() const;

	SDP_EXPORT friend bool operator==(const address &a, const address &b) noexcept;
	/** Some total order, for maps. */
	SDP_EXPORT friend std::strong_ordering operator<=>(const address &a,
							   const address &b) noexcept;

private:
	explicit address(const sockaddr_in6 &raw) noexcept;
	explicit address(const sockaddr_in &raw) noexcept;

	union {
		sockaddr_in v4_;
		sockaddr_in6 v6_;
	};
};

} // namespace sdp::inline v0

#endif
