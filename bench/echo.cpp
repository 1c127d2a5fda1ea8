// SPDX-License-Identifier: Apache-2.0
// echo: measures echo RPCs between two network namespaces, client and server in
// turn on one CPU. Run where a nanosecond is an instruction (vm -m icount).
//
//   echo CLIENT_NETNS SERVER_NETNS SERVER_ADDRESS [-t TRANSPORT]... [-s SIZE]...
//        [-o OUTSTANDING]... [-n CONNECTIONS] [-d MILLISECONDS | -f RPCS]
//
// Prints "transport outstanding size nanoseconds_per_rpc connection rpcs", a line
// for each connection (default: 3 of each kind, for 100 ms each, once it is warm; with
// -f its first RPCS). "-" as a namespace means the one it was started in.
#include "mark.hpp"
#include "transport.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <iostream>
#include <sched.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace bench {

void channel::put(std::span<const std::byte> bytes) const
{
	if (::write(out_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
		throw std::runtime_error("the other end is gone");
	}
}

void channel::get(std::span<std::byte> bytes) const
{
	while (!bytes.empty()) {
		const ssize_t got = ::read(in_, bytes.data(), bytes.size());
		if (got <= 0) {
			throw std::runtime_error("the other end is gone");
		}
		bytes = bytes.subspan(static_cast<std::size_t>(got));
	}
}

void channel::put_sign() const
{
	const std::byte one{1};
	put({&one, 1});
}

void channel::wait_sign() const
{
	std::byte one{};
	get({&one, 1});
}

namespace {

struct options {
	std::string client_netns;
	std::string server_netns;
	sdp::address server;
	std::vector<std::string> transports;
	std::vector<std::size_t> sizes;
	std::vector<std::size_t> outstanding;
	unsigned connections = 3;
	std::chrono::nanoseconds duration = std::chrono::milliseconds(100);
	std::size_t first = 0; /**< measure so many RPCs from the first on; 0: do not */
};

void enter(const std::string &netns)
{
	if (netns == "-") {
		return;
	}
	const int fd =
		check(::open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC), "netns");
	check(::setns(fd, CLONE_NEWNET), "setns");
	::close(fd);
}

/** A server in a process of its own, which ends with this object. */
class server_process {
public:
	server_process(const transport &kind, const plan &what, const std::string &netns)
		: up_(make_pipe()), down_(make_pipe()), child_(check(::fork(), "fork"))
	{
		if (child_ == 0) {
			serve(kind, what, netns, channel(down_[0], up_[1]));
		}
		::close(down_[0]);
		::close(up_[1]);
	}
	~server_process()
	{
		::kill(child_, SIGKILL);
		::waitpid(child_, nullptr, 0);
		::close(up_[0]);
		::close(down_[1]);
	}
	server_process(const server_process &) = delete;
	server_process &operator=(const server_process &) = delete;

	[[nodiscard]] channel setup() const { return {up_[0], down_[1]}; }

private:
	[[noreturn]] static void serve(const transport &kind, const plan &what,
				       const std::string &netns, const channel &setup)
	{
		try {
			enter(netns);
			kind.serve(what, setup);
		} catch (const std::exception &error) {
			// The client closes first; that is no news.
			if (std::string_view(error.what()).find("connection closed") ==
			    std::string_view::npos) {
				std::cerr << "echo: server: " << error.what() << std::endl;
			}
		}
		::_exit(0);
	}

	static std::array<int, 2> make_pipe()
	{
		std::array<int, 2> ends{};
		check(::pipe2(ends.data(), O_CLOEXEC), "pipe");
		return ends;
	}

	std::array<int, 2> up_;   /**< from the server: read, write */
	std::array<int, 2> down_; /**< to it */
	pid_t child_;
};

/** Nanoseconds that @p work takes. */
template <typename F>
double time_of(F work)
{
	const auto start = std::chrono::steady_clock::now();
	work();
	const auto end = std::chrono::steady_clock::now();
	return std::chrono::duration<double, std::nano>(end - start).count();
}

struct result {
	double each = 0;       /**< nanoseconds per RPC */
	std::size_t count = 0; /**< RPCs */
};

/**
 * The two ends share one CPU, and with several RPCs outstanding both often have work:
 * whichever has used less of the CPU pushes the other aside when woken, and small
 * differences decide whether that happens with each RPC or hardly ever. Two hosts
 * share no CPU. Here an end then runs until it has to wait.
 */
void take_turns(bool whole)
{
	const sched_param none{};
	check(::sched_setscheduler(0, whole ? SCHED_BATCH : SCHED_OTHER, &none), "policy");
}

/** Measures a fresh connection. */
result measure(const transport &kind, const plan &what, const options &all)
{
	take_turns(what.outstanding > 1);
	const server_process server(kind, what, all.server_netns);
	const auto connected = kind.connect(what, server.setup());
	if (all.first != 0) {
		const double total = time_of([&] { connected->run(all.first); });
		return {total / static_cast<double>(all.first), all.first};
	}
	const std::size_t some = std::max<std::size_t>(50, 4 * what.outstanding);
	connected->run(some);
	const double guess = time_of([&] { connected->run(some); }) / static_cast<double>(some);
	const double enough = static_cast<double>(all.duration.count()) / guess;
	const std::size_t count = std::max(some, static_cast<std::size_t>(enough));
	const double total = time_of([&] {
		mark_start();
		connected->run(count);
		mark_stop();
	});
	return {total / static_cast<double>(count), count};
}

bool wanted(const options &all, std::string_view name)
{
	return all.transports.empty() || std::find(all.transports.begin(), all.transports.end(),
						   name) != all.transports.end();
}

/** All points of one transport; false where one of them failed. */
bool measure_all(const transport &kind, const options &all)
{
	for (const std::size_t outstanding : all.outstanding) {
		for (const std::size_t size : all.sizes) {
			for (unsigned i = 0; i < all.connections; ++i) {
				try {
					const result got =
						measure(kind, {all.server, size, outstanding}, all);
					std::printf("%s %zu %zu %.0f %u %zu\n", kind.name.data(),
						    outstanding, size, got.each, i, got.count);
					std::fflush(stdout);
				} catch (const std::exception &error) {
					std::cerr << "echo: " << kind.name << ' ' << outstanding
						  << ' ' << size << ": " << error.what() << '\n';
					return false;
				}
			}
		}
	}
	return true;
}

[[noreturn]] void usage()
{
	std::cerr << "usage: echo CLIENT_NETNS SERVER_NETNS SERVER_ADDRESS:PORT [-t TRANSPORT]..."
		     " [-s SIZE]... [-o OUTSTANDING]... [-n CONNECTIONS] [-d MILLISECONDS | -f "
		     "RPCS]\n";
	std::exit(2);
}

options read_options(int argc, char **argv)
{
	options all;
	for (int letter; (letter = ::getopt(argc, argv, "t:s:o:n:d:f:")) != -1;) {
		switch (letter) {
		case 't':
			all.transports.emplace_back(optarg);
			break;
		case 's':
			all.sizes.push_back(std::stoul(optarg));
			break;
		case 'o':
			all.outstanding.push_back(std::stoul(optarg));
			break;
		case 'n':
			all.connections = static_cast<unsigned>(std::stoul(optarg));
			break;
		case 'd':
			all.duration = std::chrono::milliseconds(std::stoul(optarg));
			break;
		case 'f':
			all.first = std::stoul(optarg);
			break;
		default:
			usage();
		}
	}
	if (argc - optind != 3) {
		usage();
	}
	all.client_netns = argv[optind];
	all.server_netns = argv[optind + 1];
	all.server = sdp::address::parse(argv[optind + 2]);
	if (all.sizes.empty()) {
		all.sizes = {64, 1024, 8192, 65536};
	}
	if (all.outstanding.empty()) {
		all.outstanding = {1, 16};
	}
	return all;
}

int run(const options &all)
{
	enter(all.client_netns);
	bool fine = true;
	for (const auto family : {tcp_transports(), sdp_transports()}) {
		for (const transport &kind : family) {
			if (wanted(all, kind.name)) {
				fine = measure_all(kind, all) && fine;
			}
		}
	}
	return fine ? 0 : 1;
}

} // namespace
} // namespace bench

int main(int argc, char **argv)
{
	std::signal(SIGPIPE, SIG_IGN);
	try {
		return bench::run(bench::read_options(argc, argv));
	} catch (const std::exception &error) {
		std::cerr << "echo: " << error.what() << '\n';
		return 1;
	}
}
