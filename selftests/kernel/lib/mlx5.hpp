// SPDX-License-Identifier: Apache-2.0
// The two functions of the modelled ConnectX (selftests/connectx), with mlx5's driver,
// as the devices of two hosts; and what the model says of them. Where $SDP_NIC, the
// folder that is shared with the model, is not set there is none.
#pragma once

#include <cstdint>
#include <linux/sdp.h>
#include <map>
#include <string>
#include <vector>

#include "bytes.hpp"
#include "net.hpp"

namespace mlx5 {

/// Is the model there?
bool present();

/// For SETUP of a program that is about the modelled NIC: testnic::two_hosts() on it. Throws
/// where it is not there.
void two_hosts();

/// Takes the functions' devices, once they are there, out of the initial namespace, as
/// @a names in the hosts a and b of the program, in place of veth; with their addresses,
/// up. Throws.
void adopt(unsigned mtu, const std::vector<std::string> &names);

/// The same for those that have come back since, under the same names.
void adopt_again(unsigned mtu = 1500);

/// The PCI addresses of the functions that the driver has, in order.
std::vector<std::string> functions();

/// A command of selftests/connectx/control.hpp; throws if it is refused.
std::string ask(const std::string &command);

/// The model's counters.
std::map<std::string, uint64_t> counters();

/// How far they have moved since this was made.
class Moved {
public:
	Moved() : before_(counters()) {}
	/// Of @a name, or of "nic0_" + @a name and "nic1_" + @a name together.
	[[nodiscard]] uint64_t operator()(const std::string &name) const;

private:
	std::map<std::string, uint64_t> before_;
};

/// Throws if the model or its detector found anything that is not expected.
void clean();

/// `ethtool -S` of a host's device: a counter, or 0.
uint64_t statistic(const net::Host &host, const std::string &name);

/// Tells the detector of a session, or of bytes that must not be seen; nothing happens
/// if there is no model.
void tell(const sdp_session_add &half);
void tell(View plaintext);

} // namespace mlx5
