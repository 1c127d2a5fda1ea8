// SPDX-License-Identifier: Apache-2.0
/** @file Versions of the library and of the kernel's module, compared at run time. */
#ifndef SDP_VERSION_HPP
#define SDP_VERSION_HPP

#include <sdp/export.hpp>

#include <cstdint>
#include <string_view>

namespace sdp::inline v0 {

/** The library's own version, "MAJOR.MINOR.PATCH": of what is loaded, not of these headers. */
[[nodiscard]] SDP_EXPORT std::string_view version() noexcept;

/** The version of the kernel's interface (SDP_UAPI_VERSION) that the library needs. */
[[nodiscard]] SDP_EXPORT std::uint32_t interface_version() noexcept;

/** What the kernel's module speaks. */
struct module_version {
	std::uint32_t interface = 0; /**< 0: a module from before there were versions */
	std::uint32_t wire = 0;      /**< of the secure wire format; hosts must agree on it */
};

/**
 * Asks the module, which this loads if it is not there.
 * @throws std::system_error EPROTONOSUPPORT where there is none.
 */
[[nodiscard]] SDP_EXPORT module_version loaded_module();

} // namespace sdp::inline v0

#endif
