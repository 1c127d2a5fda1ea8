// SPDX-License-Identifier: Apache-2.0
#include "proc.hpp"

#include <algorithm>
#include <dirent.h>
#include <fstream>
#include <sstream>

#include "test.hpp"

namespace proc {
namespace {

// Slabs that a CPU holds count as full; this makes it give them up.
void shrink(const std::string &prefix)
{
	DIR *caches = opendir("/sys/kernel/slab");
	if (!caches)
		return;
	while (const dirent *cache = readdir(caches)) {
		std::string name = cache->d_name;
		if (name.compare(0, prefix.size(), prefix) == 0)
			std::ofstream("/sys/kernel/slab/" + name + "/shrink") << "1";
	}
	closedir(caches);
}

} // namespace

std::map<std::string, uint64_t> Counters::read(const net::Netns &ns)
{
	std::map<std::string, uint64_t> values;
	std::istringstream in(ns.read("/proc/thread-self/net/sdp/counters"));
	std::string name;
	uint64_t value;
	while (in >> name >> value)
		values[name] = value;
	return values;
}

Counters::Counters(const net::Netns &ns) : ns_(&ns), before_(read(ns)) {}

uint64_t Counters::moved(const std::string &name) const
{
	auto now = read(*ns_);
	if (!now.count(name) || !before_.count(name))
		throw test::Failure("no such counter: " + name);
	return now[name] - before_.at(name);
}

std::string Counters::all_moved() const
{
	std::string text;
	for (const auto &[name, value] : read(*ns_))
		if (value != before_.at(name))
			text += name + " +" + std::to_string(value - before_.at(name)) + "\n";
	return text;
}

std::vector<std::string> lines(const net::Netns &ns, const std::string &name)
{
	std::vector<std::string> result;
	std::istringstream in(ns.read("/proc/thread-self/net/sdp/" + name));
	std::string line;
	std::getline(in, line);
	while (std::getline(in, line))
		result.push_back(line);
	return result;
}

std::map<std::string, long> slabs(const std::string &prefix)
{
	shrink(prefix);
	std::map<std::string, long> result;
	std::ifstream in("/proc/slabinfo");
	std::string line;
	while (std::getline(in, line)) {
		std::istringstream fields(line);
		std::string name;
		long active = 0;
		fields >> name >> active;
		if (name.compare(0, prefix.size(), prefix) == 0)
			result[name] = active;
	}
	return result;
}

Charged charged(const net::Netns &ns)
{
	Charged sum;
	std::istringstream in(ns.read("/proc/thread-self/net/protocols"));
	std::string line;
	while (std::getline(in, line)) {
		std::istringstream fields(line);
		std::string name;
		long size = 0;
		long sockets = 0;
		long pages = 0;
		fields >> name >> size >> sockets >> pages;
		if (name != "SDP" && name != "SDPv6")
			continue;
		sum.sockets += sockets;
		// Both protocols have one account.
		sum.pages = std::max(sum.pages, pages);
	}
	return sum;
}

} // namespace proc
