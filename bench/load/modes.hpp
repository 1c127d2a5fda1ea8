// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * What is measured.
 */
#ifndef BENCH_MODES_HPP
#define BENCH_MODES_HPP

#include "host.hpp"
#include "print.hpp"
#include "transport.hpp"
#include "workload.hpp"

#include <functional>
#include <string>
#include <vector>

namespace bench {

/** Of all modes. */
struct setting {
	std::string client_netns = "-";
	std::string server_netns = "-";
	std::string server_command; /**< in place of a namespace: a shell's, such as ssh */
	sdp::address server;
	sdp::address clients;
	std::vector<const transport *> transports;
	std::uint64_t seed = 1;
	bool cpu = false; /**< also processor times of both hosts */
	/** With several RPCs outstanding both ends run until they have to wait. */
	bool turns = false;
	/** All RPCs by one connection, where there are connections. */
	bool one_connection = false;
	std::string label; /**< begins each case */
};

struct closed_mode {
	std::vector<std::uint32_t> sizes{64, 256, 1024, 4096, 8192, 16384, 65536, 262144, 1000000};
	std::vector<std::uint32_t> outstanding{1};
	std::uint32_t answer = 0; /**< bytes; 0: as many as the request has */
	unsigned connections = 3;
	std::chrono::milliseconds duration{100};
	std::size_t first = 0; /**< so many RPCs from the first on; 0: when warm */
};

struct open_mode {
	std::vector<const workload *> workloads;
	std::vector<std::uint32_t> loads{20, 50, 80}; /**< percent of the link */
	double megabits = 100;                        /**< the link, each way */
	std::size_t count = 1000;                     /**< RPCs */
	std::uint32_t pool = 32;                      /**< connections of streams */
};

struct tails_mode {
	std::vector<std::uint32_t> bulks{0, 1, 8}; /**< long messages outstanding */
	std::uint32_t bulk_size = 1'000'000;
	std::uint32_t size = 64;
	std::size_t count = 500;
	std::chrono::microseconds gap{1000}; /**< mean time between short RPCs */
};

struct peers_mode {
	std::vector<std::uint32_t> peers{10, 1000};
	std::uint32_t size = 64;
};

/** False where a point failed; why is said on standard error. */
bool run(const setting &all, const closed_mode &what);
bool run(const setting &all, const open_mode &what);
bool run(const setting &all, const tails_mode &what);
bool run(const setting &all, const peers_mode &what);

/** A server on its host with its client, here. */
class connection {
public:
	connection(const setting &all, const transport &kind, const plan &what);

	[[nodiscard]] client &to() const { return *client_; }
	[[nodiscard]] const server_host &host() const { return *host_; }

private:
	std::unique_ptr<server_host> host_;
	std::unique_ptr<client> client_;
};

/** A plan for @p lanes lanes of messages of up to @p most bytes. */
plan make_plan(const setting &all, std::uint32_t most, std::uint32_t lanes);

/** @p measure for each transport, in turn; a failure of one is said and ends no other. */
bool each_transport(const setting &all, std::string_view mode,
		    const std::function<void(const transport &)> &measure);

/** Does @p count RPCs, so many at a time; their times go to @p times unless it is null. */
void closed_loop(client &to, std::size_t count, std::uint32_t outstanding, std::uint32_t lanes,
		 std::uint32_t length, std::uint32_t answer, histogram *times);

} // namespace bench

#endif
