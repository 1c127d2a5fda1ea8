// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * /proc/net/sdp, taken apart. Lines have words in fixed places, then name=value, then words:
 * names that are not known are skipped, and those that are missing read as zero or nothing,
 * for the module may be newer or older than the tool.
 */
#ifndef SDP_TOOLS_PROC_HPP
#define SDP_TOOLS_PROC_HPP

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tool {

/** "used/limit", or one number. */
struct share {
	std::uint64_t used = 0;
	std::uint64_t limit = 0;
};

struct socket_line {
	std::uint64_t uid = 0;
	std::uint64_t inode = 0;
	std::string local;
	std::string policy;
	std::string role;
	std::uint64_t rpcs = 0;
	std::uint64_t ready = 0;
	share receive;            /**< bytes of memory */
	share send;               /**< likewise */
	share region;             /**< bytes of receive region: free, and all */
	std::uint64_t device = 0; /**< index of the interface that it is bound to; 0: any */
};

struct session_line {
	std::string id;
	std::string local;
	std::string peer;
	std::string role;
	std::uint16_t cipher = 0;
	std::uint64_t record_size = 0;
	std::uint64_t tx_epoch = 0;
	std::uint64_t rx_epoch = 0;
	std::uint64_t sent = 0; /**< messages of this epoch */
	std::uint64_t left = 0; /**< messages that this epoch's key may still send */
	bool has_left = false;
	std::uint64_t received = 0;
	std::uint64_t failed = 0;
	std::uint64_t silent_ms = 0;
	std::string state;
	bool copy_unnoticed = false;
	bool nic = false;
	std::string driver;
};

/** Bytes of a message: done, allowed so far, and its length, -1 while that is not known. */
struct progress {
	std::int64_t done = 0;
	std::int64_t granted = 0;
	std::int64_t length = -1;
};

struct rpc_line {
	std::uint64_t id = 0;
	std::string role;
	std::uint64_t port = 0;
	std::string peer;
	progress send;
	progress receive;
	std::string session;
	std::string local; /**< address and port here; nothing from older modules */
	bool ready = false;
};

std::vector<socket_line> parse_sockets(std::string_view text);
std::vector<session_line> parse_sessions(std::string_view text);
std::vector<rpc_line> parse_rpcs(std::string_view text);
/** In the order of the text. */
std::vector<std::pair<std::string, std::uint64_t>> parse_counters(std::string_view text);

/** Sockets of SDP in /proc/net/protocols, other users' too. */
std::uint64_t count_sockets(std::string_view protocols);

/** "10.0.0.1:4000" and "[fd00::1]:4000" without the port. */
std::string host_of(const std::string &endpoint);

/** A file as one string. @throws std::system_error with its name. */
std::string read_file(const std::string &path);
/** Likewise, "" where it cannot be read. */
std::string read_file_if(const std::string &path);
/** A file of /proc/net/sdp. @throws std::runtime_error that says what to do. */
std::string read_sdp(const std::string &name);

std::vector<std::string> lines_of(std::string_view text);
std::vector<std::string> words_of(std::string_view text);

/** A whole unsigned decimal number; anything else is @p otherwise. */
std::uint64_t number(std::string_view digits, std::uint64_t otherwise = 0);

} // namespace tool

#endif
