// SPDX-License-Identifier: Apache-2.0
// sending: what the sending kernel does for a message, from sendmsg() until its segments
// are in the device's queue, between two network namespaces joined by the testing NIC.
// Run where a nanosecond is an instruction (vm -m icount), with unsched_bytes so large that
// nothing waits for a grant.
//
//   sending CLIENT_NETNS SERVER_NETNS SERVER_ADDRESS:PORT clear|secure|nic [SIZE]...
//
// Prints "mode size nanoseconds", the least of 20 messages, a line for each size. The
// process runs before all others, so that the NIC's threads seal and deliver between the
// messages. It fails where another has sealed than the mode says.
#include "load/mark.hpp"

#include <sdp/session.hpp>
#include <sdp/socket.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr int warm = 10;
constexpr std::chrono::seconds longest{2}; /**< until keys and contexts are there */
constexpr int counted = 20;

int check(int result, const char *what)
{
	if (result < 0) {
		throw std::system_error(errno, std::generic_category(), what);
	}
	return result;
}

void enter(const std::string &netns)
{
	const int fd =
		check(::open(("/run/netns/" + netns).c_str(), O_RDONLY | O_CLOEXEC), "netns");
	check(::setns(fd, CLONE_NEWNET), "setns");
	::close(fd);
}

/** The two sockets of a run, and a session between them unless it is clear. */
class ends {
public:
	ends(const std::string &client, const std::string &server, const sdp::address &to,
	     bool secure)
		: server_(make(server, to)), client_(make(client, to))
	{
		server_.bind(to);
		client_.connect(to);
		if (secure) {
			add_sessions(to);
		}
	}

	/** Nanoseconds of one sendmsg(); its RPC is over when this returns. */
	double send(std::span<const std::byte> body, bool profiled)
	{
		const auto start = std::chrono::steady_clock::now();
		if (profiled) {
			bench::mark_start();
		}
		const ssize_t sent = ::send(client_.fd(), body.data(), body.size(), 0);
		if (profiled) {
			bench::mark_stop();
		}
		const auto end = std::chrono::steady_clock::now();
		check(static_cast<int>(sent), "send");
		const sdp::message request = server_.receive();
		server_.respond(request, body.first(1));
		(void)client_.receive();
		return std::chrono::duration<double, std::nano>(end - start).count();
	}

	[[nodiscard]] sdp::session_info info(const sdp::address &to) const
	{
		return client_.info(to);
	}

private:
	static sdp::socket make(const std::string &netns, const sdp::address &to)
	{
		enter(netns);
		return sdp::socket(to.version(), {.region = 0, .max_message = 1'000'000});
	}

	void add_sessions(const sdp::address &to)
	{
		const sdp::secret shared = sdp::secret::from_hex(std::string(64, '7'));
		sdp::session_parameters at_server;
		sdp::session_parameters at_client;
		at_server.role = sdp::role::server;
		at_server.peer =
			sdp::address::parse("10.0.0.1:1").with_port(client_.local().port());
		at_client.role = sdp::role::client;
		at_client.peer = to;
		at_server.own_nonce = at_client.peer_nonce = server_.new_nonce();
		at_client.own_nonce = at_server.peer_nonce = client_.new_nonce();
		server_.add_session(at_server, shared);
		client_.add_session(at_client, shared);
	}

	sdp::socket server_;
	sdp::socket client_;
};

/** Lets all others run: what has been posted is delivered, what is asked for is made. */
void let_others()
{
	std::this_thread::sleep_for(std::chrono::milliseconds(4));
}

void measure(const std::string &mode, ends &between, const sdp::address &to, std::size_t size)
{
	const std::vector<std::byte> body(size, std::byte{'b'});
	const auto settled = [&] {
		return mode == "clear" || between.info(to).offloaded == (mode == "nic");
	};
	const auto until = std::chrono::steady_clock::now() + longest;
	for (int i = 0; i < warm || (!settled() && std::chrono::steady_clock::now() < until); ++i) {
		between.send(body, false);
		let_others();
	}
	double least = between.send(body, true);
	for (int i = 1; i < counted; ++i) {
		let_others();
		least = std::min(least, between.send(body, true));
	}
	if (!settled()) {
		throw std::runtime_error(mode + ": not who has sealed " + std::to_string(size) +
					 " bytes");
	}
	std::printf("%s %zu %.0f\n", mode.c_str(), size, least);
	std::fflush(stdout);
}

int run(int argc, char **argv)
{
	const std::string mode = argc > 4 ? argv[4] : "";
	if (mode != "clear" && mode != "secure" && mode != "nic") {
		std::cerr << "usage: sending CLIENT_NETNS SERVER_NETNS SERVER_ADDRESS:PORT "
			     "clear|secure|nic [SIZE]...\n";
		return 2;
	}
	std::vector<std::size_t> sizes;
	for (int i = 5; i < argc; ++i) {
		sizes.push_back(std::stoul(argv[i]));
	}
	if (sizes.empty()) {
		sizes = {8192, 16384, 65536, 262144, 1'000'000};
	}
	const sdp::address to = sdp::address::parse(argv[3]);
	ends between(argv[1], argv[2], to, mode != "clear");
	const sched_param first{.sched_priority = 1};
	check(::sched_setscheduler(0, SCHED_FIFO, &first), "policy");
	for (const std::size_t size : sizes) {
		measure(mode, between, to, size);
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	try {
		return run(argc, argv);
	} catch (const std::exception &error) {
		std::cerr << "sending: " << error.what() << '\n';
		return 1;
	}
}
