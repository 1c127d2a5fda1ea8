// SPDX-License-Identifier: Apache-2.0
// Two hosts joined by devices that seal (selftests/testnic), and what these say of it. Where
// the modelled ConnectX is there ($SDP_NIC, mlx5.hpp) it is taken instead, under the
// same names; cases that need the testing NIC's knobs or counters are skipped then.
#pragma once

#include <map>
#include <string>

#include "bytes.hpp"
#include "net.hpp"
#include "talk.hpp"

namespace testnic {

/// For SETUP: two_hosts(), but that their devices are testnic0 and testnic1.
void two_hosts(unsigned mtu = 1500);

/// Sets a knob of both devices, or takes an action of testnic.h.
void set(const std::string &name, uint64_t value);

/// Both devices stop sealing, and begin again as the knobs have them now.
void appear_again();

/// Of both devices.
void set_mtu(unsigned mtu);

/// The devices' counters since they were last cleared.
std::map<std::string, uint64_t> counters();
void clear();

/// Throws if anything happened that never must; waits for what is under way first.
void clean();

/// Waits until keys and contexts are as @a done wants; throws.
void until(const std::string &what, const std::function<bool()> &done);

/// @a length bytes that the devices know as what must not be seen.
Bytes secret(size_t length, uint64_t seed = 1);

/// Empty if @a bytes are secret(bytes.size(), seed), otherwise what differs.
std::string secret_error(View bytes, uint64_t seed = 1);

/// A request of that length and its echo, checked.
void echo(const PlainTalk &talk, size_t length, uint64_t seed = 1);

/// Sends until the client's messages are sealed by its device.
void warm(const PlainTalk &talk, size_t length = 100000);

} // namespace testnic
