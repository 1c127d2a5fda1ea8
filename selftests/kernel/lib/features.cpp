// SPDX-License-Identifier: Apache-2.0
#include "features.hpp"

#include <algorithm>
#include <cstring>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "test.hpp"

namespace {

int ask(int fd, const std::string &device, void *what)
{
	ifreq request{};
	strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
	request.ifr_data = static_cast<char *>(what);
	return ioctl(fd, SIOCETHTOOL, &request);
}

/// Names of all features, in the order of their bits.
std::vector<std::string> all_names(int fd, const std::string &device)
{
	alignas(ethtool_sset_info) char count[sizeof(ethtool_sset_info) + sizeof(uint32_t)] = {};
	auto *info = reinterpret_cast<ethtool_sset_info *>(count);
	info->cmd = ETHTOOL_GSSET_INFO;
	info->sset_mask = 1ULL << ETH_SS_FEATURES;
	OK(ask(fd, device, info));
	uint32_t number = info->data[0];
	std::vector<uint64_t> memory((sizeof(ethtool_gstrings) + number * ETH_GSTRING_LEN) / 8 + 1);
	auto *strings = reinterpret_cast<ethtool_gstrings *>(memory.data());
	strings->cmd = ETHTOOL_GSTRINGS;
	strings->string_set = ETH_SS_FEATURES;
	strings->len = number;
	OK(ask(fd, device, strings));
	std::vector<std::string> names;
	for (uint32_t i = 0; i < number; i++) {
		const auto *name =
			reinterpret_cast<const char *>(&strings->data[i * ETH_GSTRING_LEN]);
		names.emplace_back(name, strnlen(name, ETH_GSTRING_LEN));
	}
	return names;
}

} // namespace

void set_features(const net::Netns &ns, const std::vector<std::string> &names,
		  const std::function<bool(const std::string &device)> &on)
{
	Fd fd = ns.socket(AF_INET, SOCK_DGRAM, 0);
	std::istringstream devices(ns.read("/proc/thread-self/net/dev"));
	std::vector<std::string> all;
	for (std::string line; std::getline(devices, line);) {
		size_t colon = line.find(':');
		if (colon == std::string::npos)
			continue;
		std::string device = line.substr(0, colon);
		device.erase(0, device.find_first_not_of(' '));
		if (device == "lo")
			continue;
		if (all.empty())
			all = all_names(fd, device);
		size_t blocks = (all.size() + 31) / 32;
		std::vector<uint32_t> memory(2 + 2 * blocks);
		auto *set = reinterpret_cast<ethtool_sfeatures *>(memory.data());
		set->cmd = ETHTOOL_SFEATURES;
		set->size = static_cast<uint32_t>(blocks);
		for (size_t i = 0; i < all.size(); i++) {
			if (std::ranges::find(names, all[i]) == names.end())
				continue;
			set->features[i / 32].valid |= 1U << i % 32;
			set->features[i / 32].requested |= (on(device) ? 1U : 0U) << i % 32;
		}
		OK(ask(fd, device, set));
	}
}
