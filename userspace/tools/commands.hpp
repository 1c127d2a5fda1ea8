// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The commands of sdp(8), and what the command line tells them. They print, and return the
 * status to exit with; exceptions are for main().
 */
#ifndef SDP_TOOLS_COMMANDS_HPP
#define SDP_TOOLS_COMMANDS_HPP

#include "output.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace tool {

/** Exit statuses of all commands. */
enum status : int {
	success = 0,
	failure = 1, /**< what was asked for failed, or was found wanting */
	misuse = 2,  /**< the command line makes no sense */
};

/** A command line that is well-formed and makes no sense all the same. */
class usage_error : public std::runtime_error {
public:
	using std::runtime_error::runtime_error;
};

struct stats_options {
	bool zeros = false;
	double seconds = 0; /**< 0: once, since the module was loaded */
	std::uint64_t count = 0;
	std::vector<std::string> patterns;
};

struct ping_options {
	std::string target;
	std::uint64_t count = 4;
	double interval = 1;
	double timeout = 1;
	std::string psk;
	std::string cipher = "aes-128-gcm";
	std::string name;
};

struct cert_options {
	std::string folder = ".";
	std::string ca_name = "SDP lab CA";
	int ca_days = 3650;
	int days = 397;
	std::vector<std::string> names;
};

struct bench_options {
	std::string target;
	bool serve = false;
	bool clear = false;
	std::string psk;
	std::string cipher = "aes-128-gcm";
	std::uint64_t size = 64;
	std::uint64_t outstanding = 16;
	double seconds = 2;
};

struct redis_proxy_options {
	std::string target;
	std::string credentials;            /**< a folder */
	std::string name;                   /**< of the server; empty: as the target has it */
	std::vector<std::string> addresses; /**< of TCP */
	std::vector<std::string> paths;     /**< of Unix sockets */
	double timeout = 60;                /**< seconds */
	std::uint64_t connections = 1000;
};

int show_totals(const style &how);
int show_sockets(const style &how);
int show_peers(const style &how);
int show_rpcs(const style &how);
int show_sessions(const style &how);
int stats(const style &how, const stats_options &options);
int ping(const style &how, const ping_options &options);
int doctor(const style &how);
/** @p path of a new file, or "" for standard output. */
int genkey(const std::string &path);
int cert_ca(const style &how, const cert_options &options);
int cert_host(const style &how, const cert_options &options);
/** A CA if there is none, and a certificate for each name. */
int cert_lab(const style &how, const cert_options &options);
int bench(const style &how, const bench_options &options);
int redis_proxy(const redis_proxy_options &options);

} // namespace tool

#endif
