// SPDX-License-Identifier: Apache-2.0
/** @file The one field of a header that is only known when the header is sent. */
#ifndef SDP_CHANNEL_PATIENCE_HPP
#define SDP_CHANNEL_PATIENCE_HPP

#include <chrono>
#include <cstddef>
#include <span>

namespace sdp::inline v0::detail {

/** Writes into the bytes of a request how long its client still waits; at least a millisecond. */
void set_patience(std::span<std::byte> request, std::chrono::milliseconds left) noexcept;

} // namespace sdp::inline v0::detail

#endif
