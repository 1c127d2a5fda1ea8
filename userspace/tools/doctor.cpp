// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"
#include "proc.hpp"

#include <sdp/version.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <memory>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace tool {

namespace {

namespace fs = std::filesystem;

std::string kernel_release()
{
	utsname names{};
	::uname(&names);
	return names.release;
}

std::string first_word(const std::string &path)
{
	const auto words = words_of(read_file_if(path));
	return words.empty() ? std::string() : words[0];
}

/** Opens a socket, which loads the module as for any program. */
module_state look_at_module()
{
	module_state state;
	state.release = kernel_release();
	state.wanted = sdp::interface_version();
	const std::string known = read_file_if("/lib/modules/" + state.release + "/modules.dep");
	state.installed = known.find("/sdp.ko") != std::string::npos;
	try {
		state.interface = sdp::loaded_module().interface;
	} catch (const std::system_error &error) {
		state.error = error.code().value();
	}
	state.version = first_word("/sys/module/sdp/version");
	return state;
}

/** Whether an offload of a device is on; also where the device cannot be asked. */
bool feature(int fd, const std::string &name, std::uint32_t command)
{
	ifreq request{};
	ethtool_value value{};
	value.cmd = command;
	name.copy(std::begin(request.ifr_name), IFNAMSIZ - 1);
	request.ifr_data = reinterpret_cast<char *>(&value);
	return ::ioctl(fd, SIOCETHTOOL, &request) != 0 || value.data != 0;
}

bool spreads(const fs::path &queues)
{
	const std::string mask = first_word((queues / "rx-0" / "rps_cpus").string());
	return mask.find_first_not_of("0,") != std::string::npos;
}

std::uint64_t count_queues(const fs::path &queues)
{
	std::error_code ignored;
	std::uint64_t count = 0;
	for (const auto &each : fs::directory_iterator(queues, ignored)) {
		count += each.path().filename().string().starts_with("rx-") ? 1 : 0;
	}
	return count;
}

/** Devices that are up, but for loopback. */
std::vector<link_state> look_at_links()
{
	std::vector<link_state> result;
	const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	std::error_code ignored;
	for (const auto &each : fs::directory_iterator("/sys/class/net", ignored)) {
		const fs::path &path = each.path();
		const std::string name = path.filename().string();
		const std::string state = first_word((path / "operstate").string());
		if (name == "lo" || (state != "up" && state != "unknown")) {
			continue;
		}
		const fs::path queues = path / "queues";
		result.push_back({.name = name,
				  .mtu = number(first_word((path / "mtu").string())),
				  .rx_queues = count_queues(queues),
				  .physical = fs::exists(path / "device", ignored),
				  .spread = spreads(queues),
				  .scatter = feature(fd, name, ETHTOOL_GSG),
				  .segments = feature(fd, name, ETHTOOL_GGSO),
				  .merges = feature(fd, name, ETHTOOL_GGRO)});
	}
	::close(fd);
	std::ranges::sort(result, {}, &link_state::name);
	return result;
}

/** What @p command prints, and whether it could be run and succeeded. */
bool output_of(const char *command, std::string &text)
{
	const std::unique_ptr<FILE, int (*)(FILE *)> pipe(::popen(command, "re"),
							  [](FILE *of) { return ::pclose(of); });
	if (!pipe) {
		return false;
	}
	std::array<char, 4096> room{};
	while (const std::size_t got = std::fread(room.data(), 1, room.size(), pipe.get())) {
		text.append(room.data(), got);
	}
	// What says that it was run to its end is its last line.
	const std::string mark = "sdp-doctor-done\n";
	if (!text.ends_with(mark)) {
		return false;
	}
	text.resize(text.size() - mark.size());
	return true;
}

std::vector<finding> look_at_firewall()
{
	constexpr const char *path = "PATH=$PATH:/usr/sbin:/sbin; ";
	std::vector<finding> result;
	if (::geteuid() != 0) {
		return {{"firewall", verdict::doubtful, "only root can look at it",
			 "sudo sdp doctor"}};
	}
	const auto command = [&](const std::string &name) {
		return path + name + " 2>/dev/null && echo sdp-doctor-done";
	};
	std::string text;
	if (output_of(command("nft list ruleset").c_str(), text)) {
		result.push_back(check_nftables(text));
	}
	// The older tables, beside which nft shows nothing of them.
	for (const auto &[names, save, mend] :
	     {std::tuple("/proc/net/ip_tables_names", "iptables-legacy-save", "iptables"),
	      std::tuple("/proc/net/ip6_tables_names", "ip6tables-legacy-save", "ip6tables")}) {
		text.clear();
		if (!read_file_if(names).empty() && output_of(command(save).c_str(), text)) {
			result.push_back(check_iptables(text, mend));
		}
	}
	if (result.empty()) {
		result.push_back({"firewall", verdict::doubtful,
				  "neither nft nor iptables is here to look at it with",
				  "apt-get install nftables"});
	}
	return result;
}

std::map<std::string, std::uint64_t> look_at_settings()
{
	std::map<std::string, std::uint64_t> result;
	std::error_code ignored;
	for (const auto &each : fs::directory_iterator("/proc/sys/net/sdp", ignored)) {
		result[each.path().filename().string()] = number(first_word(each.path().string()));
	}
	return result;
}

std::vector<finding> look_at_all()
{
	std::vector<finding> result{check_kernel(kernel_release())};
	const auto add = [&](const std::vector<finding> &more) {
		result.insert(result.end(), more.begin(), more.end());
	};
	const module_state module = look_at_module();
	add({check_module(module)});
	add(check_ciphers(read_file_if("/proc/crypto"), read_file_if("/proc/cpuinfo")));
	for (const link_state &each : look_at_links()) {
		add(check_link(each, std::max(1U, std::thread::hardware_concurrency())));
	}
	add(look_at_firewall());
	if (module.error == 0) {
		add(check_settings(look_at_settings(),
				   first_word("/sys/module/sdp/parameters/test_raw_keys") == "Y"));
	}
	return result;
}

} // namespace

int doctor(const style &how)
{
	static constexpr std::array words{"good", "doubtful", "bad"};
	static constexpr std::array hues{hue::good, hue::doubtful, hue::bad};
	const auto findings = look_at_all();
	if (how.json) {
		table all{.columns = {"topic", "verdict", "said", "mend"}, .rows = {}};
		for (const finding &each : findings) {
			all.rows.push_back(
				{each.topic,
				 std::string(words.at(static_cast<std::size_t>(each.how))),
				 each.said, each.mend});
		}
		print(std::cout, how, all);
	} else {
		for (const finding &each : findings) {
			const auto at = static_cast<std::size_t>(each.how);
			const std::string word = words.at(at);
			std::cout << paint(how, hues.at(at), word)
				  << std::string(10 - word.size(), ' ') << each.topic << ": "
				  << each.said << '\n';
			if (!each.mend.empty()) {
				std::cout << "          to mend it: " << each.mend << '\n';
			}
		}
	}
	return any_bad(findings) ? failure : success;
}

} // namespace tool
