// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * Errors. Every failing call throws std::system_error whose code is an errno
 * value of category(); a failed RPC is a message that carries such a code.
 * Codes compare equal to the std::errc of the same number.
 */
#ifndef SDP_ERROR_HPP
#define SDP_ERROR_HPP

#include <sdp/export.hpp>

#include <string>
#include <system_error>

namespace sdp::inline v0 {

/** The category of all codes of this library: values are Linux errno numbers. */
[[nodiscard]] SDP_EXPORT const std::error_category &category() noexcept;

/** What errno value @p error means for SDP, in one sentence; the system's text if nothing special.
 */
[[nodiscard]] SDP_EXPORT std::string describe(int error);

/** An errno value as a code of category(). */
[[nodiscard]] SDP_EXPORT std::error_code make_code(int error) noexcept;

/**
 * Whether an RPC that ended with @p code may be sent again: the peer was
 * silent, went away, or replaced its session. The request may have been
 * executed all the same: only idempotent requests are safe to repeat.
 */
[[nodiscard]] SDP_EXPORT bool is_transient(const std::error_code &code) noexcept;

} // namespace sdp::inline v0

#endif
