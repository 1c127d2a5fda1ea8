// SPDX-License-Identifier: Apache-2.0
#include <sdp/address.hpp>

#include "check.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <net/if.h>
#include <netdb.h>
#include <span>
#include <stdexcept>
#include <tuple>

namespace sdp::inline v0 {

namespace {

[[noreturn]] void malformed(std::string_view text)
{
	throw std::invalid_argument("not an address: " + std::string(text));
}

/** A whole decimal number up to @p limit. */
template <typename T>
bool parse_number(std::string_view digits, T &value)
{
	const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value);
	return !digits.empty() && error == std::errc() && end == digits.end();
}

/** Host and port of "host", "host:port", "[host]", "[host]:port"; an IPv6 host without brackets. */
std::pair<std::string, std::uint16_t> split(std::string_view text, std::uint16_t port)
{
	std::string_view host = text;
	std::string_view digits;
	bool has_port = false;
	if (text.starts_with('[')) {
		const auto end = text.find(']');
		if (end == std::string_view::npos) {
			malformed(text);
		}
		host = text.substr(1, end - 1);
		digits = text.substr(end + 1);
		has_port = !digits.empty();
		if (has_port && !digits.starts_with(':')) {
			malformed(text);
		}
	} else if (std::ranges::count(text, ':') == 1) {
		host = text.substr(0, text.find(':'));
		digits = text.substr(text.find(':'));
		has_port = true;
	}
	if (has_port && !parse_number(digits.substr(1), port)) {
		malformed(text);
	}
	return {std::string(host), port};
}

/** The number of an interface given by name or number, 0 if there is none. */
std::uint32_t scope(const std::string &zone)
{
	std::uint32_t index = 0;
	return parse_number(zone, index) ? index : if_nametoindex(zone.c_str());
}

std::string scope_text(std::uint32_t index)
{
	std::array<char, IF_NAMESIZE> name{};
	if (index == 0) {
		return {};
	}
	const bool known = if_indextoname(index, name.data()) != nullptr;
	return "%" + (known ? std::string(name.data()) : std::to_string(index));
}

} // namespace

address::address(const sockaddr_in6 &raw) noexcept : v6_(raw) {}
address::address(const sockaddr_in &raw) noexcept : v6_{}
{
	v4_ = raw;
}
address::address() noexcept : address(any(ip::v4, 0)) {}

address address::any(ip version, std::uint16_t port) noexcept
{
	if (version == ip::v4) {
		sockaddr_in raw{};
		raw.sin_family = AF_INET;
		raw.sin_port = htons(port);
		return address(raw);
	}
	sockaddr_in6 raw{};
	raw.sin6_family = AF_INET6;
	raw.sin6_port = htons(port);
	return address(raw);
}

address address::parse(std::string_view text, std::uint16_t port)
{
	auto [host, number] = split(text, port);
	sockaddr_in v4{};
	v4.sin_family = AF_INET;
	v4.sin_port = htons(number);
	if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
		return address(v4);
	}
	sockaddr_in6 v6{};
	v6.sin6_family = AF_INET6;
	v6.sin6_port = htons(number);
	if (const auto percent = host.find('%'); percent != std::string::npos) {
		v6.sin6_scope_id = scope(host.substr(percent + 1));
		host.resize(percent);
		if (v6.sin6_scope_id == 0) {
			malformed(text);
		}
	}
	if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) != 1) {
		malformed(text);
	}
	return address(v6);
}

address address::resolve(std::string_view text, std::uint16_t port)
{
	try {
		return parse(text, port);
	} catch (const std::invalid_argument &) {
		// A name, then, if it looks like one: numbers with a flaw are not asked for.
		if (text.find_first_of("[]%/") != std::string_view::npos ||
		    text.find_first_not_of("0123456789.:") == std::string_view::npos) {
			throw;
		}
	}
	const auto [host, number] = split(text, port);
	addrinfo hints{};
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_DGRAM;
	addrinfo *found = nullptr;
	const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
	if (error != 0) {
		throw std::invalid_argument(host + ": " + ::gai_strerror(error));
	}
	const std::unique_ptr<addrinfo, void (*)(addrinfo *)> owned(found, ::freeaddrinfo);
	return from(found->ai_addr, found->ai_addrlen).with_port(number);
}

address address::from(const sockaddr *raw, socklen_t length)
{
	if (length < sizeof(sa_family_t)) {
		detail::fail(EINVAL, "address");
	}
	if (raw->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
		sockaddr_in v4{};
		std::memcpy(&v4, raw, sizeof(v4));
		return address(v4);
	}
	if (raw->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
		sockaddr_in6 v6{};
		std::memcpy(&v6, raw, sizeof(v6));
		return address(v6);
	}
	const bool ours = raw->sa_family == AF_INET || raw->sa_family == AF_INET6;
	detail::fail(ours ? EINVAL : EAFNOSUPPORT, "address");
}

ip address::version() const noexcept
{
	return v4_.sin_family == AF_INET ? ip::v4 : ip::v6;
}

// Both families keep the port at the same place.
std::uint16_t address::port() const noexcept
{
	return ntohs(v4_.sin_port);
}

address address::with_port(std::uint16_t port) const noexcept
{
	address other = *this;
	other.v4_.sin_port = htons(port);
	return other;
}

bool address::is_any() const noexcept
{
	const address plain = unmapped();
	if (plain.version() == ip::v4) {
		return plain.v4_.sin_addr.s_addr == INADDR_ANY;
	}
	return IN6_IS_ADDR_UNSPECIFIED(&plain.v6_.sin6_addr);
}

bool address::is_mapped() const noexcept
{
	return version() == ip::v6 && IN6_IS_ADDR_V4MAPPED(&v6_.sin6_addr);
}

address address::mapped() const noexcept
{
	if (version() == ip::v6) {
		return *this;
	}
	sockaddr_in6 v6{};
	v6.sin6_family = AF_INET6;
	v6.sin6_port = v4_.sin_port;
	v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
	std::memcpy(&v6.sin6_addr.s6_addr[12], &v4_.sin_addr, sizeof(v4_.sin_addr));
	return address(v6);
}

address address::unmapped() const noexcept
{
	if (!is_mapped()) {
		return *this;
	}
	sockaddr_in v4{};
	v4.sin_family = AF_INET;
	v4.sin_port = v6_.sin6_port;
	std::memcpy(&v4.sin_addr, &v6_.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
	return address(v4);
}

const sockaddr *address::data() const noexcept
{
	// The system's own idiom for addresses.
	return reinterpret_cast<const sockaddr *>(&v6_);
}

socklen_t address::size() const noexcept
{
	return version() == ip::v4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

std::string address::text() const
{
	std::array<char, INET6_ADDRSTRLEN> host{};
	if (version() == ip::v4) {
		inet_ntop(AF_INET, &v4_.sin_addr, host.data(), host.size());
		return std::string(host.data()) + ":" + std::to_string(port());
	}
	inet_ntop(AF_INET6, &v6_.sin6_addr, host.data(), host.size());
	return "[" + std::string(host.data()) + scope_text(v6_.sin6_scope_id) +
	       "]:" + std::to_string(port());
}

std::strong_ordering operator<=>(const address &a, const address &b) noexcept
{
	const address x = a.mapped();
	const address y = b.mapped();
	const int hosts = std::memcmp(&x.v6_.sin6_addr, &y.v6_.sin6_addr, sizeof(in6_addr));
	if (hosts != 0) {
		return hosts <=> 0;
	}
	return std::tuple(x.v6_.sin6_scope_id, x.port()) <=>
	       std::tuple(y.v6_.sin6_scope_id, y.port());
}

bool operator==(const address &a, const address &b) noexcept
{
	return (a <=> b) == 0;
}

} // namespace sdp::inline v0
