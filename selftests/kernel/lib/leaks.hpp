// SPDX-License-Identifier: Apache-2.0
// Nothing may be left behind: after each case the watched namespaces hold no
// socket, RPC or session; after the program the module's objects and bytes are
// what they were before it.
#pragma once

#include <string>

namespace net {
class Netns;
}

namespace leaks {

/// Look into this namespace after each case, and show its counters when one
/// fails.
void watch(const net::Netns &ns);

/// Before a case: remember the counters. After it failed: those that moved.
void begin_case();
std::string moved();

/// Take the baseline. Called after SETUP.
void begin();

/// After a case: sockets, RPCs and sessions of the watched namespaces are gone.
void check();

/// After the program: drop the namespaces, compare with the baseline.
void end();

} // namespace leaks
