// SPDX-License-Identifier: Apache-2.0
// Ways between two hosts, a and b: what lies between them, and what its devices may see.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hops.hpp"
#include "net.hpp"

namespace paths {

/// Host a calls host b.
class Path {
public:
	/// @a v6: what the two speak.
	explicit Path(bool v6);

	/// Made when it is first named.
	net::Netns &host(const std::string &name);
	[[nodiscard]] const net::Netns &host(const std::string &name) const
	{
		return hosts_.at(name);
	}
	[[nodiscard]] const std::map<std::string, net::Netns> &hosts() const { return hosts_; }

	// What is to be done; make() does it, first the links, then host by host: a last.
	void link(const std::string &left, const std::string &near, const std::string &right,
		  const std::string &far);
	/// Lines for ip(8).
	void ip(const std::string &host, const std::string &lines);
	void sh(const std::string &host, const std::string &commands);
	/// A card of the machine becomes a host's.
	void card(const std::string &name, const std::string &host, const std::string &device);
	/// Devices do what they have of @a offloads. Returns when they can send.
	void make(hops::Offloads offloads);

	const bool v6;
	/// Where a finds b, and whom b sees.
	std::string to;
	std::string seen;
	/// The hosts' sockets are bound to this device.
	std::string bound;
	/// Its devices are cards of the machine (vm -n).
	bool cards = false;
	/// Some device can be seen to take segments, if it is told to.
	bool segments = true;
	std::vector<hops::Hop> hops;

private:
	std::map<std::string, net::Netns> hosts_;
	std::string outside_;
	std::map<std::string, std::string> scripts_;
};

struct Kind {
	const char *name;
	/// Modules of the kernel that it needs.
	const char *modules;
	/// What it carries; what it does not is in docs/testing.md with the reason.
	bool v4;
	bool v6;
	/// Its devices are told apart from those that carry them: mixed offloads are something
	/// else. (Those of VLANs and bonds follow the ones below.)
	bool tunnel;
	void (*build)(Path &path);
};

const std::vector<Kind> &kinds();

} // namespace paths
