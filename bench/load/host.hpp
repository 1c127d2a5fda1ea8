// SPDX-License-Identifier: Apache-2.0
/**
 * @file
 * The host with the server: a process of its own in a network namespace, or what a command
 * such as ssh runs there. The server is a process below it.
 */
#ifndef BENCH_HOST_HPP
#define BENCH_HOST_HPP

#include "transport.hpp"

#include <cstdint>
#include <string>
#include <sys/types.h>

namespace bench {

/** Processor time of a whole host, nanoseconds, by what it was spent on. */
struct cpu_times {
	std::uint64_t user = 0;
	std::uint64_t system = 0;
	std::uint64_t interrupts = 0;
	std::uint64_t softirqs = 0;
	std::uint64_t idle = 0;
};
/** Of this host, in steps of a tick. */
cpu_times own_cpu_times();

/** Bytes of memory that are in use on this host, page cache and programs left out. */
std::uint64_t kernel_memory();

/** Moves this process into network namespace @p name; "-" is the present one. */
void enter(const std::string &name);

class server_host {
public:
	/** In namespace @p netns of this machine. */
	explicit server_host(const std::string &netns);
	/** By a shell's command, whose input and output lead to "load serve". */
	struct command {
		std::string text;
	};
	explicit server_host(const command &how);
	~server_host();
	server_host(const server_host &) = delete;
	server_host &operator=(const server_host &) = delete;

	/** Starts its server, once; returns what a client of @p kind needs for setting up. */
	[[nodiscard]] pipe_pair start(const transport &kind, const plan &what) const;
	/** While the server serves, after its client was set up. */
	[[nodiscard]] cpu_times cpu() const;

private:
	template <typename F>
	void run(F child);

	int in_ = -1;
	int out_ = -1;
	pid_t child_ = -1;
};

/** What runs there: serves as it is told by @p to, until that ends. */
void serve_host(const pipe_pair &to);

} // namespace bench

#endif
