// SPDX-License-Identifier: Apache-2.0
#include "host.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace bench {
namespace {

/** A plan as it crosses; both ends are this program. */
struct start_order {
	std::array<char, 32> transport;
	std::array<char, 64> server;
	std::array<char, 64> clients;
	std::uint32_t longest;
	std::uint32_t lanes;
	bool peers;
	bool alone;
};

template <std::size_t N>
void put_text(std::array<char, N> &to, std::string_view text)
{
	if (text.size() >= N) {
		throw std::invalid_argument("too long: " + std::string(text));
	}
	std::copy(text.begin(), text.end(), to.begin());
}

template <std::size_t N>
std::string text_of(const std::array<char, N> &from)
{
	return {from.data(), ::strnlen(from.data(), N)};
}

std::array<int, 2> make_pipe()
{
	std::array<int, 2> ends{};
	check(::pipe2(ends.data(), O_CLOEXEC), "pipe");
	return ends;
}

/** The server's process. */
void serve(const start_order &asked, const pipe_pair &setup)
{
	try {
		const transport *kind = transport_named(text_of(asked.transport));
		if (kind == nullptr) {
			throw std::runtime_error("no such transport");
		}
		kind->serve({sdp::address::parse(text_of(asked.server)),
			     sdp::address::parse(text_of(asked.clients)), asked.longest,
			     asked.lanes, asked.peers, asked.alone},
			    setup);
	} catch (const std::exception &error) {
		std::cerr << "load: server: " << error.what() << std::endl;
		setup.put_sign(false);
	}
}

/** A process that ends with this one, at the latest. */
template <typename F>
pid_t fork_with(F child)
{
	const pid_t id = check(::fork(), "fork");
	if (id == 0) {
		::prctl(PR_SET_PDEATHSIG, SIGKILL);
		child();
		::_exit(0);
	}
	return id;
}

/** A line "Name:  123 kB" of a file in /proc; 0 if there is none. */
std::uint64_t kilobytes(const char *file, std::string_view name)
{
	std::ifstream from(file);
	for (std::string line; std::getline(from, line);) {
		if (line.starts_with(name)) {
			return std::stoull(line.substr(line.find_first_of("0123456789")));
		}
	}
	return 0;
}

} // namespace

void enter(const std::string &name)
{
	if (name == "-") {
		return;
	}
	const int fd = check(::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC),
			     "network namespace");
	check(::setns(fd, CLONE_NEWNET), "setns");
	::close(fd);
}

cpu_times own_cpu_times()
{
	std::ifstream from("/proc/stat");
	std::string word;
	std::array<std::uint64_t, 7> ticks{};
	from >> word;
	for (std::uint64_t &one : ticks) {
		from >> one;
	}
	const auto ns = [&](std::size_t index) {
		return ticks[index] *
		       (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
	};
	return {ns(0) + ns(1), ns(2), ns(5), ns(6), ns(3) + ns(4)};
}

std::uint64_t kernel_memory()
{
	const char *file = "/proc/meminfo";
	std::uint64_t all = kilobytes(file, "MemTotal:");
	for (const std::string_view left : {"MemFree:", "Buffers:", "Cached:", "AnonPages:"}) {
		all -= kilobytes(file, left);
	}
	return all * 1024;
}

template <typename F>
void server_host::run(F child)
{
	const auto up = make_pipe();
	const auto down = make_pipe();
	child_ = fork_with([&] {
		::close(up[0]);
		::close(down[1]);
		child(down[0], up[1]);
	});
	::close(up[1]);
	::close(down[0]);
	in_ = up[0];
	out_ = down[1];
}

server_host::server_host(const std::string &netns)
{
	run([&](int in, int out) {
		try {
			enter(netns);
			serve_host({in, out});
		} catch (const std::exception &error) {
			std::cerr << "load: server: " << error.what() << std::endl;
		}
	});
}

server_host::server_host(const command &how)
{
	run([&](int in, int out) {
		::dup2(in, STDIN_FILENO);
		::dup2(out, STDOUT_FILENO);
		::execl("/bin/sh", "sh", "-c", how.text.c_str(), nullptr);
	});
}

server_host::~server_host()
{
	::close(out_);
	::close(in_);
	// Its server, which may hold a port, is gone when it is.
	for (int tries = 0; tries < 1000; ++tries) {
		if (::waitpid(child_, nullptr, WNOHANG) != 0) {
			return;
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(2));
	}
	::kill(child_, SIGKILL);
	::waitpid(child_, nullptr, 0);
}

pipe_pair server_host::start(const transport &kind, const plan &what) const
{
	const pipe_pair to(in_, out_);
	start_order asked{};
	put_text(asked.transport, kind.name);
	put_text(asked.server, what.server.text());
	put_text(asked.clients, what.clients.text());
	asked.longest = what.longest;
	asked.lanes = what.lanes;
	asked.peers = what.peers;
	asked.alone = what.alone;
	to.put_value(asked);
	return to;
}

cpu_times server_host::cpu() const
{
	const pipe_pair to(in_, out_);
	to.put_sign();
	return to.get_value<cpu_times>();
}

void serve_host(const pipe_pair &to)
{
	const auto asked = to.get_value<start_order>();
	const auto last = make_pipe();
	const pid_t server = fork_with([&] {
		::close(last[0]);
		serve(asked, to.ending_with(last[1]));
	});
	::close(last[1]);
	// Until the server has read what its client says to it.
	std::byte none{};
	check(::read(last[0], &none, 1), "pipe");
	try {
		for (;;) {
			to.wait_sign();
			to.put_value(own_cpu_times());
		}
	} catch (const std::exception &) {
		::kill(server, SIGKILL);
		::waitpid(server, nullptr, 0);
	}
}

} // namespace bench
