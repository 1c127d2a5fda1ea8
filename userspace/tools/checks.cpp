// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"

#include "proc.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace tool {

namespace {

constexpr std::string_view protocol = "146";
/** Jumbo frames: fewer packets for each message. */
constexpr std::uint64_t usual_mtu = 1500;
constexpr std::uint64_t least_mtu = 1280;
constexpr std::uint64_t small_buffer = 1 << 20;
constexpr std::uint64_t policy_clear = 0;
constexpr std::uint64_t clear_allowed = 1;

bool contains(std::string_view text, std::string_view what)
{
	return text.find(what) != std::string_view::npos;
}

/** Words, with what nft and iptables write around numbers taken off. */
std::vector<std::string> plain_words(std::string text)
{
	std::ranges::replace_if(
		text, [](char c) { return c == ',' || c == '{' || c == '}' || c == ';'; }, ' ');
	return words_of(text);
}

bool has(const std::vector<std::string> &words, std::string_view wanted)
{
	return std::ranges::find(words, wanted) != words.end();
}

/** "protocol 146", "nexthdr 146", "l4proto { 6, 146 }": not every 146 is one. */
bool names_protocol(const std::vector<std::string> &words)
{
	const bool about = has(words, "protocol") || has(words, "nexthdr") || has(words, "l4proto");
	return about && has(words, protocol);
}

/** A rule without a condition ends whatever comes to it. */
bool refuses_all(const std::vector<std::string> &words)
{
	if (words.empty()) {
		return false;
	}
	const bool counted = words[0] == "counter";
	const std::size_t at = counted ? (words.size() > 1 && words[1] == "packets" ? 5 : 1) : 0;
	return at < words.size() && (words[at] == "drop" || words[at] == "reject");
}

finding refused(const std::string &where, const std::string &mend)
{
	return {"firewall", verdict::bad, where + " drops protocol 146", mend};
}

/** A chain of nft's at the hook of incoming packets. */
struct chain {
	std::string place; /**< family, table, name */
	bool input = false;
	bool policy_drops = false;
	bool closed = false; /**< a rule has ended all that came to it */
	bool open = false;
	bool forbidden = false;
};

void judge_line(chain &of, const std::vector<std::string> &words)
{
	if (has(words, "hook")) {
		of.input = has(words, "input");
		of.policy_drops = has(words, "drop");
		return;
	}
	if (names_protocol(words)) {
		// The first rule that names it decides.
		const bool accepts = has(words, "accept");
		const bool drops = has(words, "drop") || has(words, "reject");
		of.open = of.open || (accepts && !of.closed && !of.forbidden);
		of.forbidden = of.forbidden || (drops && !of.open);
		return;
	}
	of.closed = of.closed || refuses_all(words);
}

} // namespace

finding check_kernel(std::string_view release)
{
	const std::string text(release);
	const auto dot = text.find('.');
	const auto end = text.find_first_not_of("0123456789", dot + 1);
	const std::uint64_t major = number(text.substr(0, dot));
	const std::uint64_t minor =
		dot == std::string::npos ? 0 : number(text.substr(dot + 1, end - dot - 1));
	if (major > 6 || (major == 6 && minor >= 12)) {
		return {"kernel", verdict::good, text, ""};
	}
	return {"kernel", verdict::bad, text + " is too old: SDP needs Linux 6.12 or later",
		"apt-get install linux-image-6.12-amd64 linux-headers-6.12-amd64, and boot it"};
}

finding check_module(const module_state &of)
{
	if (of.error == EPROTONOSUPPORT && !of.installed) {
		return {"module", verdict::bad, "there is none for " + of.release,
			"in the sources: apt-get install dkms linux-headers-" + of.release +
				"; make install (or make deb, and install what is in build/deb)"};
	}
	if (of.error == EPROTONOSUPPORT) {
		return {"module", verdict::bad, "it is installed but does not load",
			"modprobe sdp, and what dmesg says; under Secure Boot: mokutil --import "
			"/var/lib/dkms/mok.pub"};
	}
	if (of.error != 0) {
		return {"module", verdict::bad,
			"no socket can be made: " + std::generic_category().message(of.error), ""};
	}
	std::string said = "version " + (of.version.empty() ? "unknown" : of.version) +
			   ", interface " + std::to_string(of.interface);
	if (of.interface < of.wanted) {
		return {"module", verdict::bad,
			said + "; the library needs interface " + std::to_string(of.wanted),
			"install the module of the library's version, then modprobe -r sdp; "
			"modprobe sdp"};
	}
	return {"module", verdict::good, said, ""};
}

std::string best_driver(std::string_view proc_crypto, std::string_view algorithm)
{
	std::string name;
	std::string driver;
	std::string best;
	std::uint64_t highest = 0;
	for (const std::string &line : lines_of(proc_crypto)) {
		const auto colon = line.find(':');
		const auto words = words_of(line.substr(0, colon));
		if (colon == std::string::npos || words.empty()) {
			continue;
		}
		const auto values = words_of(line.substr(colon + 1));
		const std::string value = values.empty() ? "" : values[0];
		if (words[0] == "name") {
			name = value;
		} else if (words[0] == "driver") {
			driver = value;
		} else if (words[0] == "priority" && name == algorithm &&
			   (best.empty() || number(value) > highest)) {
			best = driver;
			highest = number(value);
		}
	}
	return best;
}

std::vector<finding> check_ciphers(std::string_view proc_crypto, std::string_view cpuinfo)
{
	std::vector<finding> result;
	bool has_aes = false;
	bool x86 = false;
	for (const std::string &line : lines_of(cpuinfo)) {
		if (line.starts_with("flags") || line.starts_with("Features")) {
			x86 = line.starts_with("flags");
			has_aes = has(words_of(line), "aes");
			break;
		}
	}
	const std::string gcm = best_driver(proc_crypto, "gcm(aes)");
	const bool slow = gcm.empty() ? x86 : contains(gcm, "aes-generic");
	if (has_aes && slow) {
		result.push_back(
			{"cipher", verdict::doubtful,
			 "AES-GCM would be C code" + (gcm.empty() ? "" : " (" + gcm + ")") +
				 ", some 15 times slower than this processor can do",
			 std::string(x86 ? "modprobe aesni_intel" : "modprobe aes-ce-ccm") +
				 ", before sdp is loaded"});
	} else {
		result.push_back({"cipher", verdict::good,
				  "AES-GCM: " + (gcm.empty() ? "loaded when it is used" : gcm),
				  ""});
	}
	const std::string chacha = best_driver(proc_crypto, "rfc7539(chacha20,poly1305)");
	if (contains(chacha, "chacha20-generic") && x86) {
		result.push_back(
			{"cipher", verdict::doubtful,
			 "ChaCha20-Poly1305 is C code (" + chacha + ")",
			 "modprobe -a chacha_x86_64 poly1305_x86_64, before sdp is loaded"});
	} else {
		result.push_back({"cipher", verdict::good,
				  "ChaCha20-Poly1305: " +
					  (chacha.empty() ? "loaded when it is used" : chacha),
				  ""});
	}
	return result;
}

std::vector<finding> check_link(const link_state &of, unsigned processors)
{
	std::vector<finding> result;
	const std::string topic = "device " + of.name;
	const std::string mend = "ethtool -K " + of.name + " ";
	if (!of.scatter) {
		result.push_back({topic, verdict::doubtful,
				  "gathers no memory: each packet is copied", mend + "sg on"});
	}
	if (!of.segments) {
		result.push_back({topic, verdict::doubtful,
				  "no segmentation: each packet of protocol 146 goes alone through "
				  "the kernel",
				  mend + "gso on"});
	}
	if (!of.merges) {
		result.push_back({topic, verdict::doubtful,
				  "no merging: each packet is received alone", mend + "gro on"});
	}
	if (of.mtu < least_mtu) {
		result.push_back({topic, verdict::doubtful,
				  "MTU " + std::to_string(of.mtu) + ", less than IPv6 needs",
				  "ip link set " + of.name + " mtu 1500"});
	} else if (of.physical && of.mtu < usual_mtu) {
		result.push_back({topic, verdict::doubtful,
				  "MTU " + std::to_string(of.mtu) + ", less than Ethernet's 1500",
				  "ip link set " + of.name + " mtu 1500, if the network has it"});
	}
	if (of.physical && of.rx_queues == 1 && processors > 1 && !of.spread) {
		result.push_back(
			{topic, verdict::doubtful,
			 "one queue for " + std::to_string(processors) +
				 " processors: one of them handles all packets",
			 "ethtool -L " + of.name + " combined " + std::to_string(processors) +
				 ", or rps_cpus in /sys/class/net/" + of.name + "/queues/rx-0"});
	}
	if (result.empty()) {
		result.push_back({topic, verdict::good,
				  "MTU " + std::to_string(of.mtu) + ", " +
					  std::to_string(of.rx_queues) +
					  (of.rx_queues == 1 ? " queue" : " queues") +
					  ", segmentation and merging on",
				  ""});
	}
	return result;
}

finding check_nftables(std::string_view ruleset)
{
	std::string table;
	std::vector<chain> chains;
	for (const std::string &line : lines_of(ruleset)) {
		const auto words = plain_words(line);
		if (words.size() >= 3 && words[0] == "table") {
			table = words[1] + " " + words[2];
		} else if (words.size() >= 2 && words[0] == "chain") {
			chains.push_back({.place = table + " " + words[1]});
		} else if (!chains.empty() && !words.empty()) {
			judge_line(chains.back(), words);
		}
	}
	for (const chain &each : chains) {
		if (each.input &&
		    (each.forbidden || ((each.closed || each.policy_drops) && !each.open))) {
			return refused("nftables (" + each.place + ")",
				       "nft insert rule " + each.place +
					       " meta l4proto 146 accept");
		}
	}
	return {"firewall", verdict::good,
		chains.empty() ? "nftables has no rules" : "nftables lets protocol 146 in", ""};
}

finding check_iptables(std::string_view saved, const std::string &command)
{
	bool filter = false;
	bool closed = false;
	for (const std::string &line : lines_of(saved)) {
		const auto words = words_of(line);
		if (line.starts_with("*")) {
			filter = line == "*filter";
		}
		if (!filter || words.size() < 2) {
			continue;
		}
		closed = closed || (words[0] == ":INPUT" && words[1] == "DROP");
		if (words[0] != "-A" || words[1] != "INPUT") {
			continue;
		}
		const bool ours = has(words, "-p") && (has(words, protocol) || has(words, "homa"));
		const bool drops = has(words, "DROP") || has(words, "REJECT");
		if (ours) {
			closed = drops;
			break;
		}
		// -A INPUT -j DROP: nothing comes behind it.
		if (drops && words.size() > 2 && words[2] == "-j") {
			closed = true;
			break;
		}
	}
	if (closed) {
		return refused(command, command + " -I INPUT -p 146 -j ACCEPT");
	}
	return {"firewall", verdict::good, command + " lets protocol 146 in", ""};
}

std::vector<finding> check_settings(const std::map<std::string, std::uint64_t> &settings,
				    bool raw_keys)
{
	std::vector<finding> result;
	const auto value = [&](const char *name, std::uint64_t otherwise) {
		const auto found = settings.find(name);
		return found == settings.end() ? otherwise : found->second;
	};
	if (raw_keys) {
		result.push_back({"settings", verdict::bad,
				  "test_raw_keys is on: keys may be installed twice, and then "
				  "protect nothing",
				  "modprobe -r sdp; modprobe sdp test_raw_keys=0"});
	}
	if (value("policy", 1) == policy_clear &&
	    (value("policy_allowed", 0) & clear_allowed) != 0) {
		result.push_back({"settings", verdict::doubtful,
				  "new sockets send in the clear until they have a session or ask "
				  "for the secure policy",
				  "sysctl -w net.sdp.policy=1 net.sdp.policy_allowed=2"});
	}
	for (const char *name : {"rcvbuf", "sndbuf"}) {
		if (value(name, small_buffer) < small_buffer) {
			result.push_back({"settings", verdict::doubtful,
					  std::string("net.sdp.") + name +
						  " holds less than one long message",
					  std::string("sysctl -w net.sdp.") + name + "=33554432"});
		}
	}
	if (value("user_sessions", 1) == 0) {
		result.push_back({"settings", verdict::bad, "nobody may have a session",
				  "sysctl -w net.sdp.user_sessions=4096"});
	}
	if (result.empty()) {
		result.push_back({"settings", verdict::good, "nothing goes in the clear", ""});
	}
	return result;
}

bool any_bad(const std::vector<finding> &findings)
{
	return std::ranges::any_of(findings,
				   [](const finding &each) { return each.how == verdict::bad; });
}

} // namespace tool
