// SPDX-License-Identifier: Apache-2.0
/** @file Tables of what /proc/net/sdp says. */
#ifndef SDP_TOOLS_SHOW_HPP
#define SDP_TOOLS_SHOW_HPP

#include "output.hpp"
#include "proc.hpp"

#include <span>

namespace tool {

table sockets_table(std::span<const socket_line> sockets);
table sessions_table(std::span<const session_line> sessions);
table rpcs_table(std::span<const rpc_line> rpcs);
/** A row for each host with a session or an RPC. */
table peers_table(std::span<const session_line> sessions, std::span<const rpc_line> rpcs);

/** Says that @p hidden entries of @p all belong to others; "" if none does. */
std::string hidden_hint(std::uint64_t all, std::uint64_t shown, std::string_view what);

} // namespace tool

#endif
