// SPDX-License-Identifier: Apache-2.0
/** @file Does the kernel's module fit this library? */
#ifndef SDP_SRC_MODULE_HPP
#define SDP_SRC_MODULE_HPP

#include <sdp/version.hpp>

namespace sdp::inline v0::detail {

/** What the module of socket @p fd speaks. */
module_version module_of(int fd);

/**
 * A newer module is fine: its structures only grow.
 * @throws std::system_error EOPNOTSUPP that names both versions where it is older.
 */
void require_module(int fd);

} // namespace sdp::inline v0::detail

#endif
