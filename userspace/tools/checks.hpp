// SPDX-License-Identifier: Apache-2.0
/** @file What `sdp doctor` thinks of what it has read: pure functions. */
#ifndef SDP_TOOLS_CHECKS_HPP
#define SDP_TOOLS_CHECKS_HPP

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

enum class verdict : std::uint8_t {
	good,
	doubtful, /**< works; slower, or less safe, than it could be */
	bad,      /**< does not work */
};

struct finding {
	std::string topic;
	verdict how = verdict::good;
	std::string said;
	std::string mend; /**< what to type; "" where there is nothing to mend */
};

/** @p release as uname -r prints it. */
finding check_kernel(std::string_view release);

/** What opening a socket has shown. */
struct module_state {
	int error = 0; /**< errno of socket() */
	std::string version;
	std::uint32_t interface = 0;
	std::uint32_t wanted = 0; /**< interface that the library needs */
	bool installed = false;   /**< for the running kernel */
	std::string release;
};
finding check_module(const module_state &of);

/** The AEAD implementation of most priority, "" where none is listed yet. */
std::string best_driver(std::string_view proc_crypto, std::string_view algorithm);
std::vector<finding> check_ciphers(std::string_view proc_crypto, std::string_view cpuinfo);

/** A network device that is up. */
struct link_state {
	std::string name;
	std::uint64_t mtu = 0;
	std::uint64_t rx_queues = 1;
	bool physical = false;
	bool spread = false; /**< software spreads its packets over processors (RPS) */
	bool scatter = true; /**< offloads; true also where they cannot be asked for */
	bool segments = true;
	bool merges = true;
};
std::vector<finding> check_link(const link_state &of, unsigned processors);

/** @p ruleset as `nft list ruleset` prints it. */
finding check_nftables(std::string_view ruleset);
/** @p saved as iptables-save prints it, of IPv4 or IPv6 (@p command mends it). */
finding check_iptables(std::string_view saved, const std::string &command);

/** @p settings: net.sdp.*, @p raw_keys the module's parameter test_raw_keys. */
std::vector<finding> check_settings(const std::map<std::string, std::uint64_t> &settings,
				    bool raw_keys);

/** Whether any is bad. */
bool any_bad(const std::vector<finding> &findings);

} // namespace tool

#endif
