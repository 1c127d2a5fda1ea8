// SPDX-License-Identifier: Apache-2.0
/** @file What a server says of a request, in the header of its reply. */
#ifndef SDP_STATUS_HPP
#define SDP_STATUS_HPP

#include <sdp/export.hpp>
#include <sdp/result.hpp>

#include <cstdint>
#include <system_error>

namespace sdp::inline v0 {

/**
 * 0 to 255 are the library's; from 256 on, the application's: status(256 + n). An error_code of
 * status_category() has the same number.
 */
enum class status : std::uint16_t {
	ok = 0,
	busy = 1,           /**< the server has as many requests as it takes: not executed */
	no_such_method = 2, /**< not executed */
	not_answered = 3,   /**< the handler dropped it: perhaps executed */
	malformed = 4,      /**< the request has no header, or not a right one: not executed */
	expired = 5,        /**< its deadline had passed before a handler saw it: not executed */
	closing = 6,        /**< the server is about to end: not executed */
	first_of_application = 256,
};

/** Status number @p number of the application's own, from 0 to 65,279. */
[[nodiscard]] constexpr status application_status(std::uint16_t number) noexcept
{
	return static_cast<status>(static_cast<std::uint16_t>(status::first_of_application) +
				   number);
}

[[nodiscard]] SDP_EXPORT const std::error_category &status_category() noexcept;
[[nodiscard]] SDP_EXPORT std::error_code make_error_code(status what) noexcept;

/** What a client knows of a request that was answered with @p what. */
[[nodiscard]] SDP_EXPORT executed executed_if(status what) noexcept;

} // namespace sdp::inline v0

template <>
struct std::is_error_code_enum<sdp::status> : std::true_type {
};

#endif
