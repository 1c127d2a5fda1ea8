// SPDX-License-Identifier: Apache-2.0
// What a device does for the kernel, as `ethtool -K` sets it, without a process for each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "net.hpp"

/// Of all devices of @a ns but lo, @a on or off by their names; what a device does not have,
/// or not by choice, stays.
void set_features(const net::Netns &ns, const std::vector<std::string> &names,
		  const std::function<bool(const std::string &device)> &on);
