// SPDX-License-Identifier: Apache-2.0
#include "transport.hpp"

#include <arpa/inet.h>
#include <stdexcept>

namespace bench {

const transport *transport_named(std::string_view name)
{
	for (const auto family :
	     {udp_transports(), stream_transports(), sdp_transports(), channel_transports()}) {
		for (const transport &one : family) {
			if (one.name == name) {
				return &one;
			}
		}
	}
	return nullptr;
}

sdp::address client_address(const sdp::address &first, std::uint32_t index)
{
	if (first.version() != sdp::ip::v4) {
		throw std::invalid_argument("clients' addresses are of IPv4");
	}
	sockaddr_in raw{};
	std::memcpy(&raw, first.data(), sizeof(raw));
	raw.sin_addr.s_addr = htonl(ntohl(raw.sin_addr.s_addr) + index);
	raw.sin_port = 0;
	return sdp::address::from(reinterpret_cast<const sockaddr *>(&raw), sizeof(raw));
}

} // namespace bench
